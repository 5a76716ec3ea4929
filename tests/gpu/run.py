#!/usr/bin/env python3
"""Compares programs on a machine with a real GPU: natively, and through bitfusion on the same machine.

usage: run.py --bundle FOLDER [--phases NAME,NAME...] [--budget SECONDS] [--out FOLDER] [more: --help]
example: run.py --bundle bundle --phases conformance,programs --budget 500 --out results

Phases, in this order:
  conformance  every suite of conformance_tests against the driver of the machine, then through bitfusion
  programs     the CUDA programs of tests/programs (compiled here by nvcc when given as sources)
  digits       the sample that trains on handwritten digits
  losses       digits_torch.py twice: the two outputs must be equal bit by bit
  torch        the cases of a torch_bench.py (--torch-bench), one process each
  others       the cases of an others_bench.py (--others-bench), one process each
  halves       two programs at once, each with half of the GPU's memory (halves.py)
  leaks        twenty remote runs in a row: afterwards no worker process and no device memory may be left

Writes results.json, results.md (one table: case, native, remote, ratio, status) and log.txt (output of what failed) into
--out. A second call with the same --out adds its rows, so that a long list can be done in several short calls. When the
budget is spent the remaining cases are written as "not run". Exit code: 0 when every row is ok, else 1.
Needs Python 3.12 or newer, nothing beyond its standard library, and nvidia-smi.
"""
import argparse
import contextlib
import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import halves  # noqa: E402
import machine  # noqa: E402
import report  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent
PHASES = ["conformance", "programs", "digits", "losses", "torch", "others", "halves", "leaks"]
TORCH_CASES = ["init", "matmul", "launch", "sync", "copy", "resnet", "gpt", "llm", "graph", "compile", "events", "alloc",
               "misc"]
OTHERS_CASES = ["cupy", "jax", "triton", "numba"]


class Comparison:
    """Runs one command natively and remotely and adds a row for the pair."""

    def __init__(self, budget, manager, rows):
        self.budget = budget
        self.manager = manager
        self.rows = rows

    def pair(self, phase, case, command, timeout, remote_command=None, env=None):
        """Two machine.Run, or None for what the budget did not allow."""
        runs = []
        for prefix, one in (([], command), (self.manager.prefix(), remote_command or command)):
            allowed = self.budget.allows()
            runs.append(machine.run(prefix + one, min(timeout, self.budget.left()), env=env) if allowed else None)
        for side, run in zip(("native", "remote"), runs):
            if run is not None and run.code != 0:
                self.rows.log(f"{phase} {case} {side}", run)
        return runs

    def timed(self, phase, case, command, timeout, check=lambda run: ""):
        """A row of wall times; check tells what is wrong with the output of a run."""
        native, remote = self.pair(phase, case, command, timeout)
        problems = [side + ": " + problem
                    for side, run in (("native", native), ("remote", remote)) if run is not None
                    for problem in [run.problem() or check(run)] if problem]
        self.rows.add(phase, case, native and round(native.seconds, 3), remote and round(remote.seconds, 3), "s",
                      "; ".join(problems), ran=native is not None and remote is not None)


def one_suite(command, suite, options, budget):
    """The run of one suite; what comes after a test in which the process died is run in another one."""
    done = []
    whole = None
    while True:
        run = machine.run(command + [f"--gtest_filter={suite}*" + (("-" + ":".join(done)) if done else "")],
                          min(options.timeout, budget.left()))
        if whole is None:
            whole = run
        else:
            whole = machine.Run(whole.code, whole.out + run.out, whole.err + run.err, whole.seconds + run.seconds)
        begun = re.findall(r"^\[ RUN      \] (\S+)", run.out, re.M)
        if run.code is None or run.code >= 0 or not begun or not budget.allows():
            return whole
        done += begun


def conformance(options, compare):
    binary = str(options.conformance)
    listed = machine.run([binary, "--gtest_list_tests"], 60)
    suites = [line.split("#")[0].strip() for line in listed.out.splitlines()
              if line and not line.startswith(" ") and line.split("#")[0].strip().endswith(".")]
    if not suites:
        compare.rows.add("conformance", "list", None, None, "", f"{binary} lists no tests: {listed.problem()}")
    for suite in suites:
        counts = []
        problems = []
        sides = ((["--target=lib:" + options.driver, "--strict", "--native"], []), (["--target=lib:libcuda.so.1"], compare.manager.prefix()))
        for side, (target, prefix) in zip(("native", "remote"), sides):
            if not compare.budget.allows():
                counts.append(None)
                continue
            run = one_suite(prefix + [binary, *target], suite, options, compare.budget)
            passed, skipped, failed = report.gtest_counts(run.out)
            counts.append(passed)
            if failed or run.code != 0:
                problems.append(f"{side}: " + (", ".join(failed) or run.problem()))
                compare.rows.log(f"conformance {suite} {side}", run)
            if skipped:
                compare.rows.note(f"conformance {side} skipped: {', '.join(skipped)}")
        compare.rows.add("conformance", suite.rstrip("."), counts[0], counts[1], "passed", "; ".join(problems),
                         ran=None not in counts, ratio=False)


def programs(options, compare):
    runner = machine.load_module("programs_run", HERE.parent / "programs" / "run.py")
    folder = machine.compiled_programs(options.programs, options.out / "programs", compare.rows)
    for name in runner.find_programs(folder, []):
        compare.timed("programs", name, [str(folder / name)], options.timeout,
                      check=lambda run, name=name: runner.verdict(name, run.code, run.out, run.err, options.timeout))


def digits(options, compare):
    compare.timed("digits", "digits", [str(options.digits)], options.timeout)
    native, remote = compare.pair("digits", "losses", [str(options.digits), "--epochs", "3"], options.timeout)
    lines = [[line.split("%")[0] for line in run.out.splitlines() if line.startswith("epoch")] if run else None
             for run in (native, remote)]
    compare.rows.add("digits", "same losses", None, None, "", "" if lines[0] == lines[1] and lines[0] else "they differ",
                     ran=None not in lines)


def losses(options, compare):
    command = [sys.executable, str(HERE / "digits_torch.py"), "--csv", str(options.csv)]
    native, remote = compare.pair("losses", "digits_torch", command, options.timeout * 2)
    problem = ""
    if native and remote:
        pairs = zip(native.out.splitlines(), remote.out.splitlines())
        different = next((f"native {a} remote {b}" for a, b in pairs if a != b), "")
        problem = native.problem() or remote.problem() or different
        if not problem and native.out != remote.out:
            problem = "one output is longer"
    compare.rows.add("losses", "digits_torch", native and round(native.seconds, 2), remote and round(remote.seconds, 2), "s",
                     problem, ran=bool(native and remote))


def bench(phase, script, cases, options, compare):
    if script is None:
        compare.rows.note(f"{phase}: no script given (--{phase}-bench), skipped")
        return
    for case in cases:
        native, remote = compare.pair(phase, case, [sys.executable, str(script), case], options.timeout)
        if native is None or remote is None:
            compare.rows.add(phase, case, None, None, "", "", ran=False)
            continue
        measured = [report.bench_lines(run.out) for run in (native, remote)]
        for name in list(measured[0]) + [name for name in measured[1] if name not in measured[0]]:
            a, b = (side.get(name) for side in measured)
            problem = "; ".join(f"{side}: {text}" for side, line in (("native", a), ("remote", b))
                                for text in [report.bench_problem(line)] if text)
            compare.rows.add(phase, name, a and a.value, b and b.value, (a or b).unit, problem)
        for side, run in (("native", native), ("remote", remote)):
            if run.problem():
                compare.rows.add(phase, f"{case} ({side})", None, None, "", run.problem())


def leaks(options, compare):
    before = machine.gpu_memory_used()
    watching = machine.processes("bitfusion-worker")  # what tells the manager of the GPUs
    command = compare.manager.prefix() + [str(options.digits), "--epochs", "1"]
    failed = 0
    done = 0
    while done < 20 and compare.budget.allows():
        run = machine.run(command, min(options.timeout, compare.budget.left()))
        # Exit code 1 also means "did not learn", which one epoch may well do: the last line tells it from a failed call.
        if run.code not in (0, 1) or "unseen digits read right" not in run.out:
            failed += 1
            compare.rows.log(f"leaks run {done}", run)
        done += 1
    workers = machine.wait_until_gone("bitfusion-worker", 10, stay=watching)
    after = machine.gpu_memory_used()
    problems = []
    if failed:
        problems.append(f"{failed} of {done} runs failed")
    if workers:
        problems.append(f"worker processes left: {workers}")
    if any(b - a > 8 for a, b in zip(before, after)):
        problems.append(f"device memory grew from {before} to {after} MiB")
    compare.rows.add("leaks", "twenty runs in a row", sum(before), sum(after), "MiB used", "; ".join(problems),
                     ran=done == 20, ratio=False)


def parse(arguments):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", type=pathlib.Path, required=True, help="folder with bin/bitfusion and lib/bitfusion")
    parser.add_argument("--phases", default=",".join(PHASES))
    parser.add_argument("--gpus", type=int, default=1, help="of this machine that each remote program gets (default 1)")
    parser.add_argument("--backend", default="real", help="what the manager serves: real, or soft for phases without a native side")
    parser.add_argument("--budget", type=float, default=520, help="seconds for the whole call (default 520)")
    parser.add_argument("--timeout", type=float, default=90, help="seconds for one process (default 90)")
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("gpu-results"))
    parser.add_argument("--driver", default="", help="path of the machine's own libcuda.so.1 (default: searched)")
    parser.add_argument("--conformance", type=pathlib.Path, help="default: BUNDLE/tests/conformance_tests")
    parser.add_argument("--programs", type=pathlib.Path, default=HERE.parent / "programs", help="binaries, or .cu sources")
    parser.add_argument("--digits", type=pathlib.Path, help="default: BUNDLE/samples/digits")
    parser.add_argument("--csv", type=pathlib.Path, default=HERE.parents[1] / "samples" / "digits" / "optdigits.csv")
    parser.add_argument("--torch-bench", type=pathlib.Path)
    parser.add_argument("--torch-cases", default=",".join(TORCH_CASES))
    parser.add_argument("--others-bench", type=pathlib.Path)
    parser.add_argument("--others-cases", default=",".join(OTHERS_CASES))
    options = parser.parse_args(arguments)
    options.phases = options.phases.split(",")
    unknown = set(options.phases) - set(PHASES)
    if unknown:
        parser.error(f"unknown phases {' '.join(sorted(unknown))}; there are {' '.join(PHASES)}")
    options.bundle = options.bundle.resolve()
    options.out = options.out.resolve()
    options.conformance = options.conformance or options.bundle / "tests" / "conformance_tests"
    options.digits = options.digits or options.bundle / "samples" / "digits"
    options.driver = options.driver or machine.find_driver()
    return options


def main():
    options = parse(sys.argv[1:])
    budget = machine.Budget(options.budget)
    rows = report.Rows(options.out)
    rows.note(machine.describe())
    todo = {"conformance": conformance, "programs": programs, "digits": digits, "losses": losses, "halves": halves.run, "leaks": leaks,
            "torch": lambda o, c: bench("torch", o.torch_bench, o.torch_cases.split(","), o, c),
            "others": lambda o, c: bench("others", o.others_bench, o.others_cases.split(","), o, c)}
    with contextlib.closing(rows), machine.Manager(options.bundle, rows, options.backend, gpus=options.gpus) as manager:
        compare = Comparison(budget, manager, rows)
        for phase in [phase for phase in PHASES if phase in options.phases]:
            try:
                todo[phase](options, compare)
            except OSError as error:
                rows.add(phase, phase, None, None, "", f"cannot be run: {error}")
            rows.save()
    print(rows.summary())
    return 0 if rows.all_ok() else 1


if __name__ == "__main__":
    sys.exit(main())
