#!/usr/bin/env python3
"""Holds the micro cases to limits.json, on the software GPU: counts of the client's statistics, and instructions under
callgrind. Each case runs twice with different numbers of operations; the difference belongs to the operations alone."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tests" / "e2e"))
from harness import BITFUSION, BUILD, WithManager  # noqa: E402

BENCH = os.path.join(BUILD, "bench", "bitfusion_bench")
LIMITS = json.loads((HERE / "limits.json").read_text())
FEW, MANY = 200, 700


class Limits(WithManager):
    def bench(self, case, operations, wrapper=(), environment=None, link="tcp"):
        environment = {"BITFUSION_LINK": link} | (environment or {})
        done = self.run_cli("run", "-n", "1", "--", *wrapper, BENCH, "--bulk-mib", "1", "--case", case, "--exactly",
                            str(operations), environment=environment)
        self.assertEqual(done.returncode, 0, done.stderr)

    def counted(self, case, operations, link):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "stats.json")
            self.bench(case, operations, environment={"BITFUSION_STATS": path}, link=link)
            data = json.loads(pathlib.Path(path).read_text())
        data["messages"] = data["posted"] + data["round_trips"]
        return data

    def test_messages_and_bytes(self):
        for case, limits in LIMITS["per_operation"].items():
            for link in ("tcp", "shm"):
                self.check(case, LIMITS["per_operation_shm"].get(case, limits) if link == "shm" else limits, link)

    def check(self, case, limits, link):
        with self.subTest(case, link=link):
            few, many = self.counted(case, FEW, link), self.counted(case, MANY, link)
            found = {key: (many[key] - few[key]) / (MANY - FEW) for key in limits}
            # On a busy machine the GPU may be done before it is asked: an answer that was announced, now and then.
            for key, limit in limits.items():
                self.assertAlmostEqual(found[key], limit, delta=limit / 200, msg=f"{key} of {found}")

    def system_calls(self, case, operations, link):
        """Of the program's own thread, without those that wait: how often a receiver asks before something is there, or
        sleeps, is a matter of time. strace is slow, so that whoever spins before a sleep does sleep: the worst case."""
        with tempfile.TemporaryDirectory() as folder:
            out = os.path.join(folder, "strace")
            self.bench(case, operations, ["strace", "-f", "-qq", "-e", "trace=!recvfrom,poll,futex", "-o", out], link=link)
            pids = [line.split(maxsplit=1)[0] for line in pathlib.Path(out).read_text().splitlines()
                    if "resumed>" not in line]
            return pids.count(pids[0])

    def test_system_calls(self):
        if not shutil.which("strace"):
            self.skipTest("SKIPPED, NOT TESTED: no strace here")
        for case, limits in LIMITS["system_calls"].items():
            for link, most in limits.items():
                with self.subTest(case, link=link):
                    few, many = (self.system_calls(case, n, link) for n in (FEW, MANY))
                    each = (many - few) / (MANY - FEW)
                    print(f"{case}: {each:.2f} system calls an operation over {link}", file=sys.stderr)
                    self.assertLessEqual(each, most)

    def instructions(self, entry, case, operations):
        with tempfile.TemporaryDirectory() as folder:
            out = os.path.join(folder, "callgrind")
            self.bench(case, operations, ["valgrind", "-q", "--tool=callgrind", "--collect-atstart=no",
                                          "--toggle-collect=" + entry, "--callgrind-out-file=" + out])
            return int(re.search(r"^totals: (\d+)", pathlib.Path(out).read_text(), re.M).group(1))

    def test_instructions(self):
        if not shutil.which("valgrind"):
            self.skipTest("SKIPPED, NOT TESTED: no valgrind here")
        for entry, limit in LIMITS["instructions"].items():
            with self.subTest(entry):
                few, many = (self.instructions(entry, limit["case"], n) for n in (FEW, MANY))
                each = (many - few) / (MANY - FEW)
                print(f"{entry}: {each:.0f} instructions an operation of {limit['case']}", file=sys.stderr)
                self.assertGreater(each, 0)
                self.assertLessEqual(each, limit["most"])


if __name__ == "__main__":
    unittest.main()
