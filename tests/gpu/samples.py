#!/usr/bin/env python3
"""Builds NVIDIA's CUDA samples and runs each natively and through bitfusion.

usage: samples.py --checkout FOLDER --bundle FOLDER [--only NAME,...] [--budget SECONDS] [--jobs N] [--out FOLDER]
example: samples.py --checkout cuda-samples --bundle bundle --budget 1500 --out samples

The checkout is NVIDIA's repository cuda-samples, of version 12.8 or later (those have a CMakeLists.txt for each sample).
Samples that need graphics, several machines or libraries that are not installed are left out by name, with the reason.
A sample has to end remotely as it ends natively: with the same exit code, and with the same words. Numbers in what it
prints are not compared, as many are times, nor is the order of lines, as threads and processes print them; where the words
of two native runs differ, they are not compared either. DIFFERENT names the samples that differ on purpose.
Arguments come from the checkout's test_args.json. Each sample is built (nvcc, nothing else) when its turn comes near, so a
budget that is too short for all of them still gives rows.

Writes results.json, results.md and log.txt into --out; a second call with the same --out goes on where the first ended.
Exit code: 0 when every row is ok, else 1.
"""
import argparse
import concurrent.futures
import contextlib
import json
import os
import pathlib
import re
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
import machine  # noqa: E402
import report  # noqa: E402
import sample_build  # noqa: E402
import toolkit  # noqa: E402

PHASE = "sample"
# What a remote GPU says of itself on purpose (docs/life-of-a-call.md, attributes), and what a sample makes of it.
DIFFERENT = {
    "deviceQueryDrv": "it prints COOPERATIVE_MULTI_DEVICE_LAUNCH, which is 0",
    "conjugateGradientMultiDeviceCG": "it waives itself where CONCURRENT_MANAGED_ACCESS is 0",
}


def words(text):
    """What a run printed, without its numbers, without lines that only say how fast it was, and in no special spacing."""
    lines = []
    for line in text.splitlines():
        line = re.sub(r"0x[0-9a-fA-F]+|[-+]?\d[\d.,]*(?:[eE][-+]?\d+)?%?|\b[-+]?(?:nan|inf)\b", "#", line)
        line = re.sub(r"[\s.*=-]+", " ", line).strip()
        if line:
            lines.append(line)
    return lines


def first_difference(native, remote):
    for a, b in zip(native, remote):
        if a != b:
            return f"native «{a[:90]}» remote «{b[:90]}»"
    longer = "native" if len(native) > len(remote) else "remote"
    return f"{longer} says more: «{max(native, remote, key=len)[min(len(native), len(remote))][:120]}»"


def argument_lists(checkout, name):
    """One list of arguments for each run, or None for a sample that NVIDIA's own runner leaves out."""
    path = checkout / "test_args.json"
    told = json.loads(path.read_text()).get(name, {}) if path.exists() else {}
    if told.get("skip"):
        return None
    runs = [run.get("args", []) for run in told.get("runs", [])] or [told.get("args", [])]
    return runs


class Samples:
    """Builds and runs; owns the threads that build ahead."""

    def __init__(self, options, budget, manager, rows):
        self.options = options
        self.budget = budget
        self.manager = manager
        self.rows = rows
        paths = [os.environ.get("LD_LIBRARY_PATH"), toolkit.library_path()]
        self.env = {"LD_LIBRARY_PATH": ":".join(filter(None, paths))}

    def build(self, sample):
        return sample.build(self.options.build / sample.name, self.options.architecture) if self.budget.allows() else None

    def all(self):
        chosen = []
        for sample in sample_build.samples(self.options.checkout):
            if self.options.only and sample.name not in self.options.only:
                continue
            reason = sample.left_out()
            if not reason and argument_lists(self.options.checkout, sample.name) is None:
                reason = "left out by NVIDIA's own runner"
            if reason:
                self.rows.note(f"left out: {sample.name}: {reason}")
            elif not self.options.again and self.rows.has(PHASE, sample.name):
                continue
            else:
                chosen.append(sample)
        with concurrent.futures.ThreadPoolExecutor(self.options.jobs) as builders:
            built = [(sample, builders.submit(self.build, sample)) for sample in chosen]
            for sample, job in built:
                self.one(sample, job.result())
                self.rows.save()

    def one(self, sample, problem):
        if problem is None:
            self.rows.add(PHASE, sample.name, None, None, "s", "", ran=False)
        elif problem.startswith("not installed"):
            self.rows.note(f"left out: {sample.name}: {problem}")
        elif problem:
            self.rows.note(f"left out: {sample.name}: does not compile: {problem[:200]}")
        else:
            lists = argument_lists(self.options.checkout, sample.name)
            for number, arguments in enumerate(lists):
                name = sample.name if len(lists) == 1 else f"{sample.name} {number + 1}"
                self.compare(name, sample, arguments)

    def run(self, sample, arguments, prefix):
        if not self.budget.allows():
            return None
        folder = self.options.build / sample.name
        return machine.run([*prefix, str(folder / sample.name), *arguments], min(self.options.timeout, self.budget.left()),
                           env=self.env, cwd=folder)

    def compare(self, name, sample, arguments):
        native = self.run(sample, arguments, [])
        remote = self.run(sample, arguments, self.manager.prefix()) if native else None
        if native is None or remote is None:
            self.rows.add(PHASE, name, None, None, "s", "", ran=False)
            return
        problem = ""
        if native.code != remote.code:
            problem = f"native: {native.problem() or 'exit code 0'}; remote: {remote.problem() or 'exit code 0'}"
        # Processes and threads print in any order.
        elif sorted(words(native.out)) != sorted(words(remote.out)):
            again = self.run(sample, arguments, [])
            if again is not None and sorted(words(again.out)) == sorted(words(native.out)):
                problem = first_difference(words(native.out), words(remote.out))
        if problem and sample.name in DIFFERENT:
            self.rows.note(f"{name} differs: {DIFFERENT[sample.name]} ({problem})")
            problem = ""
        if problem:
            self.rows.log(f"{name} native", native)
            self.rows.log(f"{name} remote", remote)
        if native.code != 0:
            self.rows.note(f"{name} fails natively: {native.problem()}")
        self.rows.add(PHASE, name, round(native.seconds, 2), round(remote.seconds, 2), "s", problem)


def parse(arguments):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkout", type=pathlib.Path, required=True, help="NVIDIA's cuda-samples")
    parser.add_argument("--bundle", type=pathlib.Path, required=True, help="folder with bin/bitfusion and lib/bitfusion")
    parser.add_argument("--only", default="", help="names of samples; all without it")
    parser.add_argument("--gpus", type=int, default=1, help="of this machine that each remote program gets (default 1)")
    parser.add_argument("--budget", type=float, default=540, help="seconds for the whole call (default 540)")
    parser.add_argument("--timeout", type=float, default=60, help="seconds for one process (default 60)")
    parser.add_argument("--jobs", type=int, default=max(1, (os.cpu_count() or 2) - 2), help="samples that are built at a time")
    parser.add_argument("--architecture", default="", help="of the machine code, 90 for example (default: this GPU's)")
    parser.add_argument("--build", type=pathlib.Path, default=pathlib.Path("samples-build"), help="kept between calls")
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("sample-results"))
    parser.add_argument("--again", action="store_true", help="also those that have a row already")
    parser.add_argument("--backend", default="real", help="what the manager serves: real or soft")
    options = parser.parse_args(arguments)
    options.only = options.only.split(",") if options.only else []
    options.checkout, options.bundle = options.checkout.resolve(), options.bundle.resolve()
    options.build, options.out = options.build.resolve(), options.out.resolve()
    capability = machine.smi("compute_cap")
    options.architecture = options.architecture or (capability[0][0].replace(".", "") if capability else "90")
    if toolkit.nvcc() is None:
        parser.error("there is no nvcc on this machine")
    if not (options.checkout / "Samples").is_dir():
        parser.error(f"{options.checkout} has no folder Samples")
    return options


def main():
    options = parse(sys.argv[1:])
    rows = report.Rows(options.out)
    rows.note(machine.describe())
    with contextlib.closing(rows), machine.Manager(options.bundle, rows, options.backend, gpus=options.gpus) as manager:
        Samples(options, machine.Budget(options.budget), manager, rows).all()
    print(rows.summary())
    return 0 if rows.all_ok() else 1


if __name__ == "__main__":
    sys.exit(main())
