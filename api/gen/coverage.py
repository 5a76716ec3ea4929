"""docs/coverage.md: what is served, function by function."""


MOST_LINKS = 3


def links(paths):
    """Some tests of a function: those of the driver's own promises first."""
    order = sorted(paths, key=lambda path: (not path.startswith("tests/conformance"), path))
    return " ".join(f"[{path.rsplit('/', 1)[1].removesuffix('.cpp').removesuffix('_test')}](../{path})" for path in order[:MOST_LINKS])


def row(f, uses):
    if f.same_as:
        state, how = "served", f"as `{f.same_as}`"
    elif f.served:
        mode = {"call": "one round trip", "post": "posted", "local": "answered by the client"}[f.mode.word]
        hand = {"": "generated", "client": "client by hand", "worker": "worker by hand", "both": "both by hand"}[f.hand]
        state, how = "served", mode + ", " + ("by hand" if f.mode.word == "local" else hand)
    else:
        state, how = ("refused", f.mode.why) if f.mode.word == "refused" else ("not yet", f.mode.why)
    name = f"`{f.symbol}`" + (f" (`{f.variant}`)" if f.variant else "")
    tests = f" {links(uses[f.symbol]) if f.served else ''} |" if uses is not None else ""
    return f"| {name} | {f.since or ''} | {state} | {how} |" + tests


SAMPLES = """## NVIDIA's samples

`tests/gpu/samples.py` builds NVIDIA's CUDA samples and runs each natively and remotely (results: [gpu-results.md](gpu-results.md)).
Left out, because what they show is not CUDA on a server: samples that draw (OpenGL, Vulkan, EGL, Direct3D), those for several
machines (MPI), for Tegra or NvSci, and those that need FreeImage to read their pictures. Two differ on purpose:

| sample | what differs | why |
|---|---|---|
| `deviceQueryDrv` | it prints "MultiDevice Co-op Kernel Launch: No" | one grid over several GPUs (`cuLaunchCooperativeKernelMultiDevice`) is not served; the runtime of CUDA 13 has it no more |
| `conjugateGradientMultiDeviceCG` | it waives itself | it wants host and GPU to touch managed memory at the same time (`CONCURRENT_MANAGED_ACCESS`), which is 0: [life-of-a-call.md](life-of-a-call.md) |
"""


def emit(d, uses=None):
    """The page; `uses` are the tests of each function (gen/test_uses.py), None leaves the column out."""
    exported = sum(1 + bool(f.variant) for f in d.functions)
    served = [f for f in d.functions if f.served]
    later = [f for f in d.functions if f.mode.word == "later"]
    refused = [f for f in d.functions if f.mode.word == "refused"]
    current = [f for f in d.functions if not f.old]
    o = ["# Coverage of the CUDA driver API", "",
         "Generated from `api/spec/cuda`; `./test.sh` fails when it is not up to date (`python3 api/generate.py --coverage`).", "",
         f"{exported} exported names of CUDA 13.0's driver library: {len(d.functions)} functions and old variants, "
         f"{exported - len(d.functions)} per-thread variants of them.", "", "| | all | of the current API |", "|---|---|---|",
         f"| served | {len(served)} | {sum(not f.old for f in served)} |",
         f"| not yet (`CUDA_ERROR_NOT_SUPPORTED`, logged once) | {len(later)} | {sum(not f.old for f in later)} |",
         f"| refused with a reason | {len(refused)} | {sum(not f.old for f in refused)} |",
         f"| together | {len(d.functions)} | {len(current)} |", "",
         f"Of the served: {sum(f.travels and not f.hand for f in served)} wholly generated, "
         f"{sum(f.travels and bool(f.hand) for f in served)} with hand-written parts, "
         f"{sum(f.mode.word == 'local' and not f.same_as for f in served)} answered by the client's own code.", ""]
    if uses is not None:
        o += ["The tests are those that call the function, three at most. A served function without one fails `./test.sh`.", ""]
    nouns = []
    for f in d.functions:
        if f.noun not in nouns:
            nouns.append(f.noun)
    for noun in sorted(nouns):
        column = (" tests |", "---|") if uses is not None else ("", "")
        o += [f"## {noun}", "", "| function | since | | how, or why not |" + column[0], "|---|---|---|---|" + column[1]]
        o += [row(f, uses) for f in d.functions if f.noun == noun] + [""]
        gaps = [f"- {what}: {why}" for of, what, why in d.gaps if of == noun]
        o += ["Within these, not served (`CUDA_ERROR_NOT_SUPPORTED`):", "", *gaps, ""] if gaps else []
    o += [SAMPLES] if uses is not None else []
    return "\n".join(o)
