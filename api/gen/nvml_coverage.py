"""docs/coverage-nvml.md: what is served of NVML, function by function."""

WAYS = {"snapshot": "from the server's snapshot `{}`", "local": "by hand"}


def row(f):
    if f.served:
        how = WAYS[f.mode.word].format(f.mode.names) + (": " + f.mode.why if f.mode.why else "")
        return f"| `{f.symbol}` | served | {how} |"
    state = "`NO_PERMISSION`" if f.mode.word == "forbidden" else "`NOT_SUPPORTED`"
    return f"| `{f.symbol}` | {state} | {f.mode.why} |"


def emit(d):
    served = [f for f in d.functions if f.served]
    forbidden = [f for f in d.functions if f.mode.word == "forbidden"]
    o = ["# Coverage of NVML", "",
         "Generated from `api/spec/nvml`; `./test.sh` fails when it is not up to date (`python3 api/generate.py --coverage-nvml`).", "",
         f"{len(d.functions)} exported names of NVML 13's library. A served function may still say `NOT_SUPPORTED`: where the server's",
         "driver or GPU does, and on the software GPU for what it has not.", "", "| | functions |", "|---|---|", f"| served | {len(served)} |",
         f"| refused as for a user who is not root (`NVML_ERROR_NO_PERMISSION`) | {len(forbidden)} |",
         f"| refused (`NVML_ERROR_NOT_SUPPORTED`, logged once) | {len(d.functions) - len(served) - len(forbidden)} |", ""]
    for noun in sorted({f.noun for f in d.functions}):
        o += [f"## {noun}", "", "| function | | how, or why not |", "|---|---|---|"]
        o += [row(f) for f in d.functions if f.noun == noun] + [""]
    return "\n".join(o)
