"""Copies over lanes beside raw streams of the same number: run.py --streams.

In each round, one after the other: raw TCP streams over loopback and AES-GCM over memory (bitfusion_raw_streams), then the
large copies of the micro cases, with and without encryption, over one connection and over lanes. A share is what a copy
reaches of the raw streams' rate, or of AES-GCM's where it is encrypted; of the same round."""

import contextlib
import json
import os
import statistics
import tempfile

import machine

CASES = ["to_device_bulk_pinned", "to_host_bulk_pinned", "to_device_bulk_pageable", "to_host_bulk_pageable", "both_ways_pinned"]


@contextlib.contextmanager
def manager(options, rows, backend, insecure):
    """An encrypted manager begins a pool of its own, in a home that is gone afterwards."""
    with tempfile.TemporaryDirectory() as home, contextlib.ExitStack() as stack:
        if not insecure:
            before = os.environ.get("HOME")
            os.environ["HOME"] = home
            stack.callback(lambda: os.environ.update(HOME=before) if before is not None else os.environ.pop("HOME"))
        arguments = [] if insecure else ["--state-dir", os.path.join(home, "state")]
        yield stack.enter_context(machine.Manager(options.bundle, rows, backend, insecure=insecure, arguments=arguments))


def lines_of(run):
    found = {}
    for line in run.out.splitlines():
        with contextlib.suppress(ValueError):
            data = json.loads(line)
            if isinstance(data, dict) and "case" in data:
                found[data["case"]] = data
    return found


def one_round(options, rows, backend, lanes):
    """(kind, lanes, case) -> rate in GB/s; a problem's text instead where there was one."""
    common = ["--repetitions", str(options.repetitions), "--bulk-mib", str(options.bulk_mib)]
    raw = machine.run([str(options.bundle / "bench" / "bitfusion_raw_streams"), *common, "--streams", "1", str(lanes)],
                      options.timeout)
    rates = {("raw", 0, name): data.get("rate", data.get("error", "?")) for name, data in lines_of(raw).items()}
    if raw.code != 0:
        rates[("raw", 0, "(process)")] = raw.problem()
    bench = [str(options.bundle / "bench" / "bitfusion_bench"), *common, *[f"--case={case}" for case in CASES]]
    for kind in ("plain", "tls"):
        # One after the other: a GPU has one manager.
        with manager(options, rows, backend, kind == "plain") as running:
            for count in (0, lanes):
                run = machine.run([*running.prefix(), "env", "BITFUSION_LINK=tcp", f"BITFUSION_LANES={count}", *bench],
                                  options.timeout)
                found = lines_of(run)
                for case in CASES:
                    data = found.get(case, {"error": run.problem()})
                    rates[(kind, count, case)] = data.get("rate", data.get("error", "?"))
    return rates


def measured(options, rows, backend):
    """Rows of the table: what was measured, the median of its rate, its share and of what."""
    lanes = options.lanes
    rounds = []
    for number in range(options.rounds):
        rounds.append(one_round(options, rows, backend, lanes))
        print(f"round {number + 1}: streams", flush=True)
    table = []
    for key in rounds[0]:
        kind, count, case = key
        values = [one[key] for one in rounds]
        problems = [value for value in values if isinstance(value, str)]
        row = {"kind": kind, "lanes": count, "case": case, "problem": problems[0] if problems else ""}
        if not problems:
            row["rate"] = statistics.median(values)
            against = ("aes_gcm_" if kind == "tls" else "raw_streams_") + str(count or 1)
            if kind != "raw":
                row |= {"against": against,
                        "share": statistics.median(one[key] / one[("raw", 0, against)] for one in rounds)}
        table.append(row)
    return table


def markdown(table):
    lines = ["", "## Copies beside raw streams", "", "| what | connection | lanes | GB/s | share |", "|---|---|---:|---:|---|"]
    for row in table:
        share = f"{row['share']:.2f} of {row['against']}" if "share" in row else ""
        rate = row["problem"][:60].replace("|", "/") or f"{row['rate']:.3g}"
        kind = "" if row["kind"] == "raw" else row["kind"]
        lines.append(f"| {row['case']} | {kind} | {row['lanes'] or ''} | {rate} | {share} |")
    return "\n".join(lines) + "\n"
