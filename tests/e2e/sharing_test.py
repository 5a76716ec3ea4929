#!/usr/bin/env python3
"""Handles of memory that processes share: good in the processes of one lease, while the owner lives, and nowhere else."""

import sys
import unittest

from harness import *  # noqa: F403
from program_test import sanitizer_first

BEGIN = """
import ctypes, subprocess, sys
cuda = ctypes.CDLL("libcuda.so.1")
class Handle(ctypes.Structure):
    _fields_ = [("reserved", ctypes.c_ubyte * 64)]
context, address = ctypes.c_void_p(), ctypes.c_uint64()
assert cuda.cuInit(0) == 0
assert cuda.cuDevicePrimaryCtxRetain(ctypes.byref(context), 0) == 0
assert cuda.cuCtxSetCurrent(context) == 0
"""
# Prints the handle of memory that says "shared" and keeps it until its standard input ends; with an argument it
# starts that program with the handle instead.
OWNER = BEGIN + """
assert cuda.cuMemAlloc_v2(ctypes.byref(address), ctypes.c_size_t(64)) == 0
assert cuda.cuMemcpyHtoD_v2(address, b"shared", ctypes.c_size_t(6)) == 0
assert cuda.cuCtxSynchronize() == 0
handle = Handle()
assert cuda.cuIpcGetMemHandle(ctypes.byref(handle), address) == 0
handle = bytes(handle.reserved).hex()
if len(sys.argv) > 1:
    subprocess.run([sys.executable, "-c", sys.argv[1], handle], check=True)
else:
    print(handle, flush=True)
    sys.stdin.read()
"""
# Opens the handle of its argument; prints the result, and what the memory says.
OPENER = BEGIN + """
handle = Handle((ctypes.c_ubyte * 64)(*bytes.fromhex(sys.argv[1])))
code = cuda.cuIpcOpenMemHandle_v2(ctypes.byref(address), handle, 1)
text = ctypes.create_string_buffer(6)
if code == 0:
    assert cuda.cuMemcpyDtoH_v2(text, address, ctypes.c_size_t(6)) == 0
print(code, text.raw.decode().strip(chr(0)), flush=True)
"""
INVALID_HANDLE = "400"


class Sharing(WithManager):  # noqa: F405
    arguments = ("--software-gpus", "1", "--software-memory", "1GiB")

    def python(self, *words):
        preload = ["%s=%s" % pair for pair in sanitizer_first().items()]
        return ["run", "-n", "1", "-m", "256", "--", "env", *preload, sys.executable, "-c", *words]

    def output_of(self, process):
        out, err = process.communicate(b"", DEADLINE)  # noqa: F405
        self.assertEqual(process.returncode, 0, err.decode())
        return out.decode().split()

    def test_a_process_of_the_lease_reads_it(self):
        self.assertEqual(self.output_of(self.start_cli(*self.python(OWNER, OPENER))), ["0", "shared"])

    def test_no_process_of_another_lease_does(self):
        owner = self.start_cli(*self.python(OWNER))
        handle = owner.stdout.readline().decode().strip()
        self.assertEqual(len(handle), 128)
        self.assertEqual(self.output_of(self.start_cli(*self.python(OPENER, handle))), [INVALID_HANDLE])
        self.assertEqual(self.output_of(owner), [])
        self.wait_for_no_lease()

    def test_nothing_is_left_of_an_owner_that_ended(self):
        # One lease for both: the shell's.
        script = 'handle=$("$0" -c "$1" </dev/null) && "$0" -c "$2" "$handle"'
        preload = ["%s=%s" % pair for pair in sanitizer_first().items()]
        both = ["run", "-n", "1", "--", "env", *preload, "sh", "-c", script, sys.executable, OWNER, OPENER]
        self.assertEqual(self.output_of(self.start_cli(*both)), [INVALID_HANDLE])


if __name__ == "__main__":
    unittest.main()
