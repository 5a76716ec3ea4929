"""What mapped pinned memory of programs takes of the server's RAM has a limit, which the administrator sets."""
import sys
import unittest

from harness import *
from nvml_test import CUDA, sanitizer_first

# Prints, for each number of MiB, what making that much memory reachable by kernels returns; nothing is given back. On the
# network's link: on one machine the program's own pages would serve.
MAPS = "import ctypes, sys\n" + CUDA + r"""
start(1)
for mib in map(int, sys.argv[1:]):
    place, device = ctypes.c_void_p(), ctypes.c_uint64()
    result = cuda.cuMemHostAlloc(ctypes.byref(place), ctypes.c_size_t(mib << 20), 2)
    print(result or cuda.cuMemHostGetDevicePointer_v2(ctypes.byref(device), place, 0))
count_to(10)
"""


class Maps(WithManager):
    def mapped(self, *sizes):
        result = self.run_cli("run", "-n", "1", "--", "env", "BITFUSION_LINK=tcp", *sanitizer_first(), sys.executable, "-c", MAPS,
                              *map(str, sizes))
        self.assertEqual(result.returncode, 0, result.stderr)
        return result.stdout.split()


class Usual(Maps):
    def test_there_is_room(self):
        self.assertEqual(self.mapped(4, 4, 16), ["0", "0", "0"])
        self.assertNotIn("mapped memory", self.manager.log())


class Limited(Maps):
    arguments = ("--software-gpus", "1", "--mapped-memory", "20MiB")

    def test_there_is_as_much_as_is_said(self):
        """20 MiB, of which half are the copies; each worker has its own."""
        for _ in range(2):
            self.assertEqual(self.mapped(4, 16, 4, 4, 2), ["0", "2", "0", "2", "0"])
        self.assertIn("a program's mapped memory would take more than 20 MiB of this server's RAM", self.manager.log())


if __name__ == "__main__":
    unittest.main(verbosity=2)
