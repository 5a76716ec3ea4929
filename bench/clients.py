#!/usr/bin/env python3
"""Many clients of one server: 1, 2, 4 ... 64 processes that do the same at the same time, each with a worker of its own.

usage: clients.py --bundle FOLDER [--most N] [--seconds S] [--links shm,tcp] [--cases NAME,NAME...] [--out FOLDER]
example: bench/run.sh --clients --most 64 --seconds 2

FOLDER is a build folder or an unpacked bundle with bench/bitfusion_bench in it. Told for each number of clients: what all
of them did together in a second, how that compares with the best number and with as many native processes (a GPU takes
turns between processes, whoever starts them), how long one operation took (the median of the clients' medians, and the
worst client's 99th percentile), how that compares with one client's times the number (below 1: it grows slower than
linearly), and the memory of a client and of its worker. Clients, workers and a software GPU share the processors of this
machine. Writes clients.md and clients.json into --out. Exit code 0 when every client ended well.
"""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tests" / "gpu"))
import machine  # noqa: E402
import report  # noqa: E402

MIB = 1 << 20
NATIVE = "native"
SEVERAL = 'exec 3<&0; for i in $(seq %d); do "$@" <&3 & done; wait'


def memory_of(pid):
    """Bytes of a process that nobody else has, and its part of shared memory; 0: it is gone."""
    try:
        with open(f"/proc/{pid}/smaps_rollup") as lines:
            return 1024 * sum(int(line.split()[1]) for line in lines if line.startswith(("Private_", "Pss_Shmem")))
    except OSError:
        return 0


def processes():
    """pid -> (parent, name of the program)"""
    found = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open(f"/proc/{entry}/stat") as stat:
                    head, _, tail = stat.read().rpartition(")")
                found[int(entry)] = int(tail.split()[1]), head.partition("(")[2]
            except OSError:
                pass
    return found


def below(table, root):
    """The processes that descend from this one."""
    found = {root}
    for _ in range(8):
        found |= {pid for pid, (parent, _) in table.items() if parent in found}
    return found - {root}


def memory(manager, run):
    """MiB of each client and of each worker, idle: their medians."""
    table = processes()
    clients = [memory_of(pid) for pid in below(table, run) if table[pid][1].startswith("bitfusion_bench")]
    workers = [memory_of(pid) for pid, (parent, name) in table.items() if parent == manager and name.startswith("bitfusion-worke")]
    return tuple(statistics.median(some) / MIB if some else 0.0 for some in (clients, workers))


def measure(options, manager, native_target, link, case, count):
    bench = [str(options.bundle / "bench" / "bitfusion_bench"), "--bulk-mib", "1", f"--case={case}", "--for", str(options.seconds)]
    if link == NATIVE:
        command = ["sh", "-c", SEVERAL % count, "sh", *bench, "--target=" + native_target]
    else:
        command = [*manager.prefix(), "env", "BITFUSION_LINK=" + link, "sh", "-c", SEVERAL % count, "sh", *bench]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    ready, told = 0, []
    for line in process.stdout:
        if line == "ready\n":
            ready += 1
            if ready == count:
                client_mib, worker_mib = memory(manager.process.pid, process.pid)
                process.stdin.write("g" * count)
                process.stdin.close()
        elif line.startswith("{"):
            told.append(json.loads(line))
    process.stdout.close()
    problems = [one["error"] for one in told if "error" in one]
    if process.wait(60) != 0 or problems or len(told) != count:
        sys.exit(f"clients.py: {count} clients over {link}, {case}: {problems[:1] or 'ended early'}")
    return {"clients": count, "rate": sum(one["operations"] / one["seconds"] for one in told),
            "median_us": statistics.median(one["median"] for one in told),
            "percentile_99_us": max(one["percentile_99"] for one in told), "client_mib": client_mib, "worker_mib": worker_mib}


def compared(rows, natives):
    best = max(row["rate"] for row in rows)
    for row, native in zip(rows, natives):
        row["of_native"] = row["rate"] / native["rate"]
        row["of_best"] = row["rate"] / best
        row["of_linear"] = row["median_us"] / (rows[0]["median_us"] * row["clients"] / rows[0]["clients"])
    return rows


def markdown(tables, notes):
    lines = ["# Many clients of one server", ""] + [f"- {note}" for note in notes]
    for (link, case), rows in tables.items():
        lines += ["", f"{case}, {link}", "", "| clients | together, per second | of native | of the best | one operation, µs | "
                  "of one client's times their number | 99 %, worst client, µs | a client, MiB | its worker, MiB |",
                  "|---:|---:|---:|---:|---:|---:|---:|---:|---:|"]
        lines += [f"| {row['clients']} | {row['rate']:.0f} | {row['of_native']:.2f} | {row['of_best']:.2f} | {row['median_us']:.4g} | {row['of_linear']:.2f} | "
                  f"{row['percentile_99_us']:.4g} | {row['client_mib']:.1f} | {'' if link == NATIVE else format(row['worker_mib'], '.1f')} |" for row in rows]
    return "\n".join(lines) + "\n"


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", type=pathlib.Path, required=True)
    parser.add_argument("--most", type=int, default=64, help="clients at a time; a worker each, at most 256 in a lease")
    parser.add_argument("--counts", default="", help="these numbers of clients instead of 1, 2, 4 ... up to --most: 1,8,64")
    parser.add_argument("--seconds", type=float, default=2)
    parser.add_argument("--links", default="shm,tcp")
    parser.add_argument("--cases", default="read_4_bytes,launch")
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("bench-results"))
    options = parser.parse_args()
    options.bundle = options.bundle.resolve()
    return options


def main():
    options = arguments()
    real = pathlib.Path("/dev/nvidiactl").exists()
    native_target = "lib:" + machine.find_driver() if real else "soft"
    counts = ([int(count) for count in options.counts.split(",")] if options.counts else
              [1 << power for power in range(options.most.bit_length()) if 1 << power <= options.most])
    tables = {}
    rows_of_machine = report.Rows(options.out)
    with machine.Manager(options.bundle, rows_of_machine, "real" if real else "soft") as manager:
        for case in options.cases.split(","):
            links = [NATIVE, *options.links.split(",")]
            rows = {link: [] for link in links}
            for count in counts:
                for link in links:
                    rows[link].append(measure(options, manager, native_target, link, case, count))
                    print(f"{case}, {link}, {count} clients: {rows[link][-1]['rate']:.0f} a second", flush=True)
            tables |= {(link, case): compared(rows[link], rows[NATIVE]) for link in links}
    rows_of_machine.close()
    notes = [machine.describe() if real else "software GPU", f"{os.cpu_count()} processors, {options.seconds:g} s each"]
    text = markdown(tables, notes)
    (options.out / "clients.json").write_text(json.dumps(
        {"schema": 1, "notes": notes, "tables": [{"link": link, "case": case, "rows": rows} for (link, case), rows in tables.items()]},
        indent=1))
    (options.out / "clients.md").write_text(text)
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
