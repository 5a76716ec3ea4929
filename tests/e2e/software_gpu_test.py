#!/usr/bin/env python3
"""What the manager's options make of the software GPU, as a client's program sees it: the limit of launches, the
capability. The programs are Python's ctypes on the driver's library."""

import sys
import unittest

from harness import *  # noqa: F403
from program_test import sanitizer_first

BEGIN = """
import ctypes, sys
cuda = ctypes.CDLL("libcuda.so.1")
def check(result):
    if result != 0:
        print("error", result, flush=True)
        sys.exit(3)
context = ctypes.c_void_p()
check(cuda.cuInit(0))
check(cuda.cuDevicePrimaryCtxRetain(ctypes.byref(context), 0))
check(cuda.cuCtxSetCurrent(context))
"""

SPIN = BEGIN + '''
text = b""".version 7.0
.target sm_52
.address_size 64
.visible .entry spin() { L: bra L; }
.visible .entry nothing() { ret; }
"""
module, spin, nothing = ctypes.c_void_p(), ctypes.c_void_p(), ctypes.c_void_p()
check(cuda.cuModuleLoadData(ctypes.byref(module), text))
check(cuda.cuModuleGetFunction(ctypes.byref(spin), module, b"spin"))
check(cuda.cuModuleGetFunction(ctypes.byref(nothing), module, b"nothing"))
def launch(function):
    return cuda.cuLaunchKernel(function, 1, 1, 1, 1, 1, 1, 0, None, None, None)
check(launch(nothing))
check(cuda.cuCtxSynchronize())
check(launch(spin))
print("spun", cuda.cuCtxSynchronize(), "then", cuda.cuCtxSynchronize(), launch(nothing))
'''

ATTRIBUTES = BEGIN + """
names = {"major": 75, "minor": 76, "threads": 39, "blocks": 106, "shared": 81, "opt_in": 97, "reserved": 111}
for name, number in names.items():
    value = ctypes.c_int()
    check(cuda.cuDeviceGetAttribute(ctypes.byref(value), number, 0))
    print(name, value.value)
"""


class SoftwareGpu(WithManager):  # noqa: F405
    def program(self, text):
        settings = ["%s=%s" % pair for pair in sanitizer_first().items()]
        done = self.run_cli("run", "-n", "1", "--", "env", *settings, sys.executable, "-c", text)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout


class LaunchLimit(SoftwareGpu):
    arguments = ("--software-gpus", "1", "--software-memory", "1GiB", "--software-launch-limit", "1s")

    def test_a_kernel_that_runs_longer_fails_and_its_context_with_it(self):
        self.assertEqual(self.program(SPIN), "spun 702 then 702 702\n")

    def test_the_next_program_is_not_concerned(self):
        for _ in range(2):
            self.assertIn("spun 702", self.program(SPIN))
        self.wait_for_no_lease()


class Capability(SoftwareGpu):
    arguments = ("--software-gpus", "1", "--software-memory", "1GiB", "--software-capability", "7.5")

    def test_the_attributes_are_those_of_the_capability(self):
        told = dict(line.split() for line in self.program(ATTRIBUTES).splitlines())
        self.assertEqual(told, {"major": "7", "minor": "5", "threads": "1024", "blocks": "16", "shared": "65536",
                                "opt_in": "65536", "reserved": "0"})


if __name__ == "__main__":
    unittest.main()
