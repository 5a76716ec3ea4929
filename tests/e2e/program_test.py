#!/usr/bin/env python3
"""What programs under `bitfusion run` do with processes, seen from the server. The programs are Python's ctypes on the
driver's library: no CUDA toolkit is needed."""

import os
import subprocess
import sys
import unittest

from harness import *  # noqa: F403

LIBRARY = os.path.join(os.environ.get("BITFUSION_BUILD", "build"), "lib/bitfusion/cuda/libcuda.so.1")

# The parent opens a session and ends; its child stays until its standard input ends.
FORKS = """
import ctypes, os, sys
cuda = ctypes.CDLL("libcuda.so.1")
context = ctypes.c_void_p()
assert cuda.cuInit(0) == 0
assert cuda.cuDevicePrimaryCtxRetain(ctypes.byref(context), 0) == 0
if os.fork() == 0:
    address = ctypes.c_uint64()
    codes = cuda.cuInit(0), cuda.cuMemAlloc_v2(ctypes.byref(address), ctypes.c_size_t(64))
    os.write(1, ("child %d %d" % codes + chr(10)).encode())
    sys.stdin.read()
    os._exit(0)
os._exit(0)
"""


def sanitizer_first():
    """A library with the address sanitizer needs its runtime to be the program's first."""
    needed = subprocess.run(["ldd", LIBRARY], capture_output=True, text=True).stdout
    runtime = next((line.split()[2] for line in needed.splitlines() if "libasan" in line), None)
    return {"LD_PRELOAD": runtime, "ASAN_OPTIONS": "detect_leaks=0"} if runtime else {}


class Processes(WithManager):  # noqa: F405
    def test_a_forked_child_does_not_keep_the_worker(self):
        for link in ("tcp", "shm"):
            with self.subTest(link):
                self.fork_over(link)

    def fork_over(self, link):
        # The shell holds the allocation: only the end of the parent's connection can end the worker.
        preload = "".join("%s=%s " % pair for pair in sanitizer_first().items())
        script = preload + '"$0" -c "$1"; echo parent; cat'
        process = self.start_cli("run", "-n", "1", "--", "env", "BITFUSION_LINK=" + link, "sh", "-c", script, sys.executable, FORKS)
        lines = sorted(process.stdout.readline().decode().strip() for _ in range(2))
        # CUDA_ERROR_NOT_INITIALIZED: what CUDA answers a child whose parent had initialised it.
        self.assertEqual(lines, ["child 3 3", "parent"])
        wait_until(lambda: not children(self.manager.pid), "the worker of the ended parent is gone")  # noqa: F405
        self.assertEqual(len(self.manager.leases()), 1)
        process.communicate(b"", DEADLINE)  # noqa: F405
        self.wait_for_no_lease()


if __name__ == "__main__":
    unittest.main()
