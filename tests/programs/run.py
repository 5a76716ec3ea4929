#!/usr/bin/env python3
"""Runs the CUDA programs of a folder, natively or under a command, and prints one line each and the counts.

usage: run.py --programs FOLDER [--only NAME[,NAME...]] [--timeout SECONDS] [--json FILE] [-- PREFIX...]
example: run.py --programs build/tests/programs -- build/bin/bitfusion run -n 1 --

A program passes when it exits with 0 and its last line is "ok <name>"; device_printf must also print its lines in order.
Exit codes: 0 all passed, 1 some failed, 2 nothing to run. A program that needs longer than the timeout is ended with its
whole process group.
"""
import argparse
import json
import os
import signal
import subprocess
import sys
import time

PRINTED = {
    "device_printf": [f"round {r} thread 0: {r * 1.5:5.2f} text x 1234567890123%" for r in range(3)],
}


def run_one(command, timeout):
    """(exit code or None after the timeout, stdout, stderr, seconds)"""
    started = time.monotonic()
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               text=True, errors="replace", start_new_session=True)
    try:
        out, err = process.communicate(timeout=timeout)
        code = process.returncode
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        out, err = process.communicate()
        code = None
    return code, out, err, time.monotonic() - started


def verdict(name, code, out, err, timeout):
    """An empty text when the program passed, else why not."""
    last_words = (err.strip().splitlines() or out.strip().splitlines() or ["no output"])[-1]
    if code is None:
        return f"not done after {timeout:g} s: {last_words}"
    if code != 0:
        return f"exit code {code}: {last_words}"
    lines = out.splitlines()
    expected = PRINTED.get(name, []) + [f"ok {name}"]
    if lines[-len(expected):] != expected:
        return f"printed {lines[-len(expected):]} instead of {expected}"
    return ""


def find_programs(folder, only):
    names = sorted(entry.name for entry in os.scandir(folder)
                   if entry.is_file() and os.access(entry.path, os.X_OK)) if os.path.isdir(folder) else []
    unknown = set(only) - set(names)
    if unknown:
        sys.exit(f"run.py: no such program in {folder}: {' '.join(sorted(unknown))}")
    return [name for name in names if not only or name in only]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--programs", required=True)
    parser.add_argument("--only", default="")
    parser.add_argument("--timeout", type=float, default=120)
    parser.add_argument("--json", default="")
    parser.add_argument("prefix", nargs="*")
    arguments = parser.parse_args()
    names = find_programs(arguments.programs, [name for name in arguments.only.split(",") if name])
    if not names:
        print(f"run.py: nothing to run in {arguments.programs}; build the target 'programs' where nvcc is", file=sys.stderr)
        return 2

    results = []
    for name in names:
        command = arguments.prefix + [os.path.join(os.path.abspath(arguments.programs), name)]
        code, out, err, seconds = run_one(command, arguments.timeout)
        problem = verdict(name, code, out, err, arguments.timeout)
        results.append({"case": name, "ok": not problem, "seconds": round(seconds, 3), "problem": problem})
        print(f"{'FAIL' if problem else 'ok':4} {name:20} {seconds:7.2f} s  {problem}".rstrip(), flush=True)
    failed = sum(not result["ok"] for result in results)
    print(f"{len(results) - failed} passed, {failed} failed")
    if arguments.json:
        with open(arguments.json, "w", encoding="utf-8") as file:
            json.dump({"schema": 1, "results": results}, file, indent=1)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
