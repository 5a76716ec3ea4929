#!/usr/bin/env python3
"""Compares the micro cases, and programs, natively and remotely, under several network conditions, in one run.

usage: run.py --bundle FOLDER [--rounds N] [--conditions NAME,NAME...] [--cases NAME,NAME...] [--out FOLDER]
example: bench/run.sh --rounds 5 --conditions tcp,tcp+50us --cases launch,read_4_bytes

FOLDER is a build folder or an unpacked bundle with bench/bitfusion_bench and bench/bitfusion_delay_line in it.
Conditions: shm (shared memory), tcp (loopback), tcp+50us and tcp+200us (added round trip), tcp@10G (10 Gbit/s).
Every round runs native and each condition once, one after the other, so that a machine that becomes slower becomes
slower for all of them. A value is the median of the rounds, a ratio the median of the rounds' ratios; the spread is
their least and most. Results of every case are checked by the program itself: a wrong one is an error here too.
--streams compares large copies over lanes with raw TCP streams and with AES-GCM besides (streams.py).
--program NAME=COMMAND adds a program that prints JSON lines of case, value and unit (workloads/torch_bench.py).
Writes bench.md and bench.json into --out. Exit code 0 when every case ran everywhere, else 1.
"""
import argparse
import contextlib
import json
import pathlib
import re
import shlex
import statistics
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tests" / "gpu"))
import machine  # noqa: E402
import report  # noqa: E402
import streams  # noqa: E402

CONDITIONS = {"shm": [], "tcp": [], "tcp+50us": ["--round-trip-us", "50"], "tcp+200us": ["--round-trip-us", "200"],
              "tcp@10G": ["--gbit", "10"]}
# The session's address is the only thing that a program knows of the network.
THROUGH = 'BITFUSION_SESSION=127.0.0.1:{port}/${{BITFUSION_SESSION#*/}} exec "$@"'


class DelayLine:
    """A relay to the manager's data port, for the length of a with block."""

    def __init__(self, program, to, options):
        self.command = [str(program), "--to", to, *options]

    def __enter__(self):
        self.process = subprocess.Popen(self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        ready = re.fullmatch(r"ready: (\d+)\n", self.process.stdout.readline())
        if not ready:
            sys.exit("run.py: the delay line did not start: " + shlex.join(self.command))
        self.port = int(ready.group(1))
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait(10)
        self.process.stdout.close()


def data_address(manager):
    """Where the manager's sessions go: what a program under `bitfusion run` finds in its environment."""
    found = machine.run([*manager.prefix(), "sh", "-c", "echo $BITFUSION_SESSION"], 60)
    if found.code != 0 or "/" not in found.out:
        sys.exit("run.py: no session: " + found.problem())
    return found.out.split("/")[0]


def commands(options, native_target):
    """name -> (native command, remote command) of every process that one round runs."""
    bench = [str(options.bundle / "bench" / "bitfusion_bench"), "--repetitions", str(options.repetitions), "--bulk-mib",
             str(options.bulk_mib)] + [f"--case={case}" for case in options.cases]
    table = {"micro": ([*bench, f"--target={native_target}"], bench)}
    for text in options.program:
        name, _, command = text.partition("=")
        table[name] = (shlex.split(command), shlex.split(command))
    return table


def measured(run):
    """case -> (value, unit) of a process; a problem instead of a value where there was one."""
    found = {}
    for line in run.out.splitlines():
        with contextlib.suppress(ValueError):
            data = json.loads(line)
            if isinstance(data, dict) and "case" in data and "import" not in data["case"]:
                value = data.get("value", data.get("ms"))
                found[data["case"]] = {"value": value, "unit": data.get("unit", "ms"), "problem": str(data.get("error", ""))}
    if run.code != 0 and not any(entry["problem"] for entry in found.values()):
        found["(process)"] = {"value": None, "unit": "", "problem": run.problem()}
    return found


def run_rounds(options, manager, native_target):
    """results[case][condition] = list of entries, one a round."""
    results = {}
    address = data_address(manager)
    with contextlib.ExitStack() as stack:
        wrappers = {"native": None}
        for name in options.conditions:
            wrappers[name] = ["env", "BITFUSION_LINK=" + ("shm" if name == "shm" else "tcp")]
            if CONDITIONS[name]:
                line = stack.enter_context(
                    DelayLine(options.bundle / "bench" / "bitfusion_delay_line", address, CONDITIONS[name]))
                wrappers[name] += ["sh", "-c", THROUGH.format(port=line.port), "sh"]
        for number in range(options.rounds):
            for name, (native, remote) in commands(options, native_target).items():
                for condition, wrapper in wrappers.items():
                    command = native if wrapper is None else [*manager.prefix(), *wrapper, *remote]
                    run = machine.run(command, options.timeout)
                    print(f"round {number + 1}: {name} {condition}: {run.seconds:.1f} s"
                          + (f", {run.problem()}" if run.code != 0 else ""), flush=True)
                    for case, entry in measured(run).items():
                        results.setdefault(case, {}).setdefault(condition, []).append(entry)
    return results


def summarised(results, conditions):
    """One row a case: value, least and most per condition; ratios to native taken within a round."""
    rows = []
    for case, by_condition in results.items():
        row = {"case": case, "unit": "", "conditions": {}}
        native = by_condition.get("native", [])
        for condition in ["native", *conditions]:
            entries = by_condition.get(condition, [])
            values = [entry["value"] for entry in entries if entry["value"] is not None]
            problems = [entry["problem"] for entry in entries if entry["problem"]]
            cell = {"problem": problems[0] if problems else "" if values else "did not run"}
            if values:
                row["unit"] = entries[0]["unit"]
                cell |= {"value": statistics.median(values), "least": min(values), "most": max(values)}
                ratios = [e["value"] / n["value"] for e, n in zip(entries, native) if e["value"] and n["value"]]
                if condition != "native" and ratios:
                    cell |= {"ratio": statistics.median(ratios), "ratio_least": min(ratios), "ratio_most": max(ratios)}
            row["conditions"][condition] = cell
        rows.append(row)
    return rows


def shown(cell):
    if "value" not in cell:
        return cell["problem"][:60].replace("|", "/")
    text = f"{cell['value']:.4g}"
    if "ratio" in cell:
        text += f" (x{cell['ratio']:.2f}, {cell['ratio_least']:.2f} to {cell['ratio_most']:.2f})"
    return text + (f" {cell['problem'][:60]}" if cell["problem"] else "")


def markdown(rows, conditions, notes):
    head = ["case", "unit", "native", *conditions]
    lines = ["# Native and remote", ""] + [f"- {note}" for note in notes] + ["", "| " + " | ".join(head) + " |",
             "|---|---|" + "---:|" * (len(head) - 2)]
    for row in rows:
        cells = [row["case"], row["unit"]] + [shown(row["conditions"][c]) for c in ["native", *conditions]]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", type=pathlib.Path, required=True)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--repetitions", type=int, default=9, help="of a case within one process")
    parser.add_argument("--bulk-mib", type=int, default=256)
    parser.add_argument("--conditions", default=",".join(CONDITIONS))
    parser.add_argument("--cases", default="", help="of the micro cases; default: all")
    parser.add_argument("--program", action="append", default=[], metavar="NAME=COMMAND")
    parser.add_argument("--streams", action="store_true", help="compare copies over lanes with raw streams, too")
    parser.add_argument("--lanes", type=int, default=4, choices=range(1, 9), help="of --streams")
    parser.add_argument("--timeout", type=int, default=300, help="seconds a process may take")
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("bench-results"))
    options = parser.parse_args()
    options.bundle = options.bundle.resolve()
    options.conditions = [name for name in options.conditions.split(",") if name]
    options.cases = [name for name in options.cases.split(",") if name]
    unknown = [name for name in options.conditions if name not in CONDITIONS]
    if unknown:
        parser.error(f"unknown condition {unknown[0]}; there are {', '.join(CONDITIONS)}")
    return options


def main():
    options = arguments()
    real = pathlib.Path("/dev/nvidiactl").exists()
    native_target = "lib:" + machine.find_driver() if real else "soft"
    rows_of_machine = report.Rows(options.out)
    with machine.Manager(options.bundle, rows_of_machine, "real" if real else "soft") as manager:
        results = run_rounds(options, manager, native_target)
    beside = streams.measured(options, rows_of_machine, "real" if real else "soft") if options.streams else []
    rows_of_machine.close()
    rows = summarised(results, options.conditions)
    notes = [machine.describe() if real else "software GPU: what counts is the difference to native, which is the network's part",
             f"{options.rounds} rounds, interleaved; value: median; in brackets: ratio to native, its least and most"]
    (options.out / "bench.json").write_text(json.dumps({"schema": 1, "notes": notes, "rows": rows, "streams": beside}, indent=1))
    text = markdown(rows, options.conditions, notes) + (streams.markdown(beside) if beside else "")
    (options.out / "bench.md").write_text(text)
    print(text)
    problems = [cell["problem"] for row in rows for cell in row["conditions"].values()] + [row["problem"] for row in beside]
    return 0 if rows and not any(problems) else 1


if __name__ == "__main__":
    sys.exit(main())
