#!/usr/bin/env python3
"""Runs every script and program of this folder natively and through bitfusion, and compares what they tell.

usage: run.py --bundle FOLDER [--only NAME,NAME...] [--budget SECONDS] [--timeout SECONDS] [--out FOLDER]
example: run.py --bundle bundle --budget 540 --out frameworks

A result has to be the same bit for bit. Where it is not, the script runs natively once more: if the two native runs have
the same bits, the remote run is wrong; if they differ, the remote run has to be within SPREAD times what lies between them.
What a script says must hold has to hold remotely; what does not hold natively either is a note. What is not installed is
skipped by name. Programs (*.cu) are compiled by nvcc, all at once and before anything runs.

Writes results.json, results.md (one table) and log.txt (output of what failed) into --out; a second call with the same
--out adds its rows. When the budget is spent the rest is written as "not run". Exit code: 0 when every row is ok, else 1.
Needs Python 3.11 or newer and what tests/gpu/run.py needs; the scripts run with the same Python.
"""
import argparse
import contextlib
import math
import os
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
sys.path.insert(0, str(HERE))
import compile_programs  # noqa: E402
import machine  # noqa: E402
import report  # noqa: E402
import telling  # noqa: E402
import toolkit  # noqa: E402

NOT_SCRIPTS = {"run", "result", "telling", "compile_programs"}
SPREAD = 4
SCRIPT = "the script"  # the row of a script itself


def scripts():
    """Name and source of everything that can be run here, in the order in which it runs."""
    found = {path.stem: path for path in sorted(HERE.glob("*.cu"))}
    found.update({path.stem: path for path in sorted(HERE.glob("*.py")) if path.stem not in NOT_SCRIPTS})
    return found


class Script:
    """One script: its runs and the rows that come of them."""

    def __init__(self, name, command, env, options, budget, prefix, rows):
        self.name = name
        self.command = command
        self.env = env
        self.options = options
        self.budget = budget
        self.prefix = prefix
        self.rows = rows

    def run(self, side):
        """What the script told, or None when the budget is spent."""
        if not self.budget.allows():
            return None
        run = machine.run((self.prefix if side == "remote" else []) + self.command,
                          min(self.options.timeout, self.budget.left()), env=self.env)
        told = telling.Told(run)
        if told.problem or told.errors:
            self.rows.log(f"{self.name} {side}", run)
        return told

    def compare(self):
        native = self.run("native")
        remote = self.run("remote") if native is not None and not native.skipped_whole() else None
        if native is not None and native.skipped_whole():
            self.rows.note(f"{self.name}: skipped: {native.skipped_whole()}")
            return
        if native is None or remote is None:
            self.rows.add(self.name, SCRIPT, None, None, "s", "", ran=False)
            return
        again = None
        if any(native.results[name].bits != told.bits for name, told in remote.results.items() if name in native.results):
            again = self.run("native")
        self.judge(native, remote, again)

    def judge(self, native, remote, again):
        if native.problem:
            self.rows.note(f"{self.name}: fails natively: {native.problem}")
        self.rows.add(self.name, SCRIPT, round(native.seconds, 2), round(remote.seconds, 2), "s",
                      "" if native.problem else remote.problem, ran=not native.problem)
        for case, text in sorted(native.errors.items()):
            self.rows.note(f"{self.name}: {case} fails natively: {text}")
        for case, text in sorted(native.skips.items()):
            self.rows.note(f"{self.name}: {case} is skipped: {text}")
        for case, text in sorted(remote.errors.items()):
            if case not in native.errors:
                self.rows.add(self.name, case, None, None, "", text)
        for case, text in sorted(remote.skips.items()):
            if case not in native.skips:
                self.rows.add(self.name, case, None, None, "", f"skipped remotely only: {text}")
        for name, (ok, _) in native.holds.items():
            if not ok:
                self.rows.note(f"{self.name}: {name} does not hold natively")
            elif name in remote.holds:
                held, text = remote.holds[name]
                self.rows.add(self.name, name, "holds", "holds" if held else "does not", "", "" if held else text or "does not hold")
            else:
                self.rows.add(self.name, name, "holds", None, "", "not told")
        for name, told in native.results.items():
            self.result(name, told, remote.results.get(name), again and again.results.get(name))

    def result(self, name, native, remote, again):
        if remote is None:
            self.rows.add(self.name, name, native.shown(), None, "", "not told")
        elif native.bits == remote.bits:
            self.rows.add(self.name, name, native.shown(), remote.shown(), "same bits")
        elif again is None:
            self.rows.add(self.name, name, native.shown(), remote.shown(), "", "other bits; no time for a second native run")
        elif native.bits == again.bits:
            self.rows.add(self.name, name, native.shown(), remote.shown(), "", "other bits, and native runs repeat themselves")
        else:
            distance, spread = remote.distance(native), again.distance(native)
            near = math.isfinite(distance) and distance <= SPREAD * spread
            self.rows.add(self.name, name, native.shown(), remote.shown(), "in the spread" if near else "",
                          "" if near else f"{distance:.3g} away, two native runs are {spread:.3g} apart")


class Rows(report.Rows):
    """Rows without a ratio, but for the times of whole scripts."""

    def add(self, phase, case, native, remote, unit, problem="", ran=True, ratio=None):
        super().add(phase, case, native, remote, unit, problem, ran=ran, ratio=case == SCRIPT)


def parse(arguments):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", type=pathlib.Path, required=True, help="folder with bin/bitfusion and lib/bitfusion")
    parser.add_argument("--only", default="", help="names of scripts; all without it")
    parser.add_argument("--gpus", type=int, default=1, help="of this machine that each remote program gets (default 1)")
    parser.add_argument("--budget", type=float, default=540, help="seconds for the whole call (default 540)")
    parser.add_argument("--timeout", type=float, default=60, help="seconds for one process (default 60)")
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("framework-results"))
    parser.add_argument("--backend", default="real", help="what the manager serves: real, or soft for programs alone")
    options = parser.parse_args(arguments)
    known = scripts()
    options.names = options.only.split(",") if options.only else list(known)
    unknown = [name for name in options.names if name not in known]
    if unknown:
        parser.error(f"unknown scripts {' '.join(unknown)}; there are {' '.join(known)}")
    options.bundle = options.bundle.resolve()
    options.out = options.out.resolve()
    return options


def main():
    options = parse(sys.argv[1:])
    budget = machine.Budget(options.budget)
    rows = Rows(options.out)
    rows.note(machine.describe())
    known = scripts()
    compiled = compile_programs.compiled([known[name] for name in options.names if known[name].suffix == ".cu"],
                                         options.out / "programs", rows)
    libraries = ":".join(filter(None, [os.environ.get("LD_LIBRARY_PATH"), toolkit.library_path()]))
    with contextlib.closing(rows), machine.Manager(options.bundle, rows, options.backend, gpus=options.gpus) as manager:
        for name in options.names:
            source = known[name]
            if source.suffix == ".cu" and name not in compiled:
                continue  # the notes and rows say why
            program = source.suffix == ".cu"
            command = [str(compiled[name])] if program else [sys.executable, str(source)]
            # Python's packages find their libraries by themselves, and another toolkit's would be in their way.
            env = {"LD_LIBRARY_PATH": libraries} if program else {}
            Script(name, command, env, options, budget, manager.prefix(), rows).compare()
            rows.save()
    print(rows.summary())
    return 0 if rows.all_ok() else 1


if __name__ == "__main__":
    sys.exit(main())
