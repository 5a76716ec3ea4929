"""What the generator makes of a spec that is small enough to read. The files in tiny/golden are its output: a change
of the generator shows there as a difference, and is committed with it.

usage: golden_test.py --accept   writes what the generator makes now to tiny/golden"""

import sys
import unittest

import generated
from gen import coverage

HERE = generated.ROOT / "tests/description/tiny"
GOLDEN = HERE / "golden"


def outputs():
    spec = generated.load.description(HERE)
    ids, _ = generated.load.numbers(spec, HERE / "ids.lock")
    return generated.generate.outputs(spec, ids) | {"coverage.md": coverage.emit(spec)}


class Golden(unittest.TestCase):
    maxDiff = None

    def test_every_file_is_as_committed(self):
        for name, text in outputs().items():
            with self.subTest(name):
                path = GOLDEN / (name + ".txt")
                self.assertTrue(path.exists(), f"{path} is missing: run {__file__} --accept and read what it wrote")
                self.assertMultiLineEqual(path.read_text(), text)

    def test_no_file_is_left_over(self):
        self.assertEqual({p.name for p in GOLDEN.iterdir()}, {name + ".txt" for name in outputs()})

    def test_the_output_does_not_depend_on_the_run(self):
        self.assertEqual(outputs(), outputs())


class WhatTheWordsMean(unittest.TestCase):
    """The promises of api/dsl.py, read off the small output."""

    @classmethod
    def setUpClass(cls):
        cls.out = outputs()

    def handler(self, symbol):
        return self.out["worker_handlers.gen.cpp"].split(f"void handle_{symbol}(")[1].split("\n}\n")[0]

    def test_a_range_is_looked_up_before_the_driver_is_called(self):
        body = self.handler("cuMemsetD32Async")
        self.assertLess(body.index("s.memory.within(dstDevice"), body.index("s.driver.cuMemsetD32Async("))

    def test_a_posted_call_answers_with_posted_and_a_call_with_a_reply(self):
        self.assertIn("s.posted(frame, result)", self.handler("cuMemsetD32Async"))
        self.assertNotIn("s.reply(", self.handler("cuMemsetD32Async"))
        self.assertIn("s.reply(frame, result", self.handler("cuMemAlloc_v2"))

    def test_a_name_of_the_client_is_checked_before_it_is_bound(self):
        body = self.handler("cuEventCreate")
        self.assertLess(body.index("may_name<CUevent>"), body.index("s.driver.cuEventCreate("))
        self.assertLess(body.index("s.driver.cuEventCreate("), body.index("handles.bind(phEvent_name"))

    def test_what_is_by_hand_is_declared_and_called(self):
        self.assertIn("CUresult cuMemAlloc_v2(Session& s, ", self.out["worker_hand.gen.h"])
        self.assertNotIn("s.driver.cuMemAlloc_v2", self.handler("cuMemAlloc_v2"))

    def test_a_refused_function_is_exported_and_does_not_travel(self):
        self.assertIn('not_served("cuMemAlloc", "addresses of 32 bits")', self.out["client_entries.gen.cpp"])
        self.assertNotIn("kId_cuMemAlloc ", self.out["messages.gen.h"])

    def test_a_per_thread_variant_resolves_its_stream(self):
        entry = self.out["client_entries.gen.cpp"].split("cuMemsetD32Async_ptsz(")[1].split("\n")[0]
        self.assertIn("per_thread_stream(hStream)", entry)

    def test_numbers_come_from_the_lock(self):
        self.assertIn("kId_cuEventCreate = 5,", self.out["messages.gen.h"])
        self.assertIn("kMostId = 5;", self.out["messages.gen.h"])


def accept():
    GOLDEN.mkdir(exist_ok=True)
    for path in GOLDEN.iterdir():
        path.unlink()
    for name, text in outputs().items():
        (GOLDEN / (name + ".txt")).write_text(text)


if __name__ == "__main__":
    if sys.argv[1:] == ["--accept"]:
        accept()
    else:
        unittest.main()
