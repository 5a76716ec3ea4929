"""Two programs side by side on one GPU, each with half of its memory: each sees its half whichever way it asks, the one that
asks for more than that is refused, and the other notices nothing."""
import sys
import unittest

from harness import *
from nvml_test import CUDA, NVML, sanitizer_first

GPU_MIB = 1024
HALF_MIB = GPU_MIB // 2
CONTEXT_MIB = 4  # of a software GPU

# Obeys its standard input: `say` prints the total by three ways and the free memory by two, in MiB; `take N` allocates N MiB
# and prints the result; `free` frees what was taken last; `fill` writes a pattern into the first allocation and `check`
# compares it. `stack N` and `heap N` set the stack of a thread and the heap of kernels, in KiB; `code N` loads a module with N
# MiB of variables.
PROGRAM = NVML + CUDA + r"""
import random
check(nvml.nvmlInit_v2())
start(64)
done(cuda.cuMemFree_v2(address))
taken = []
pattern = random.Random(7).randbytes(16 << 20)

def say():
    total, free, whole = ctypes.c_size_t(), ctypes.c_size_t(), ctypes.c_size_t()
    done(cuda.cuDeviceTotalMem_v2(ctypes.byref(whole), 0))
    done(cuda.cuMemGetInfo_v2(ctypes.byref(free), ctypes.byref(total)))
    m = memory(devices()[0])
    return [n >> 20 for n in (whole.value, total.value, m.total, free.value, m.free)], m.free + m.used == m.total

for line in sys.stdin:
    word, *amount = line.split()
    if word == "say":
        print(*say()[0], say()[1], flush=True)
    elif word == "take":
        address = ctypes.c_uint64()
        result = cuda.cuMemAlloc_v2(ctypes.byref(address), ctypes.c_size_t(int(amount[0]) << 20))
        taken += [address] if result == 0 else []
        print(result, flush=True)
    elif word == "free":
        print(cuda.cuMemFree_v2(taken.pop()), flush=True)
    elif word == "fill":
        print(cuda.cuMemcpyHtoD_v2(taken[0], pattern, ctypes.c_size_t(len(pattern))), flush=True)
    elif word in ("stack", "heap"):
        print(cuda.cuCtxSetLimit(("stack", "", "heap").index(word), ctypes.c_size_t(int(amount[0]) << 10)), flush=True)
    elif word == "code":
        text = b".version 6.4\n.target sm_52\n.address_size 64\n.visible .global .align 4 .b8 table[%d];\n" % (int(amount[0]) << 20)
        print(cuda.cuModuleLoadData(ctypes.byref(ctypes.c_void_p()), text), flush=True)
    elif word == "check":
        back = ctypes.create_string_buffer(len(pattern))
        done(cuda.cuMemcpyDtoH_v2(back, taken[0], ctypes.c_size_t(len(pattern))))
        print(back.raw == pattern, flush=True)
"""
SUCCESS, OUT_OF_MEMORY = "0", "2"


class Halves(WithManager):
    arguments = ("--software-gpus", "1", "--software-memory", "%dMiB" % GPU_MIB)

    def program(self):
        return self.start_cli("run", "-n", "1", "-p", "0.5", "-t", "0", "--", *sanitizer_first(), sys.executable, "-c", PROGRAM)

    def tell(self, program, *words):
        program.stdin.write((" ".join(map(str, words)) + "\n").encode())
        program.stdin.flush()
        answer = program.stdout.readline().decode().strip()
        self.assertTrue(answer, "it ended: " + program.stderr.read().decode() if not answer else "")
        return answer

    def totals(self, program):
        """Totals as the driver says them of the device and of the context, and as NVML does; then both free amounts."""
        *numbers, adds_up = self.tell(program, "say").split()
        self.assertEqual(adds_up, "True")
        return [int(number) for number in numbers]

    def test_each_has_its_half_and_the_greedy_one_disturbs_nobody(self):
        quiet, greedy = self.program(), self.program()
        for program in (quiet, greedy):
            whole, total, nvml_total, free, nvml_free = self.totals(program)
            self.assertEqual((whole, total, nvml_total), (HALF_MIB,) * 3)
            self.assertEqual(free, nvml_free)
            self.assertEqual(free, HALF_MIB - CONTEXT_MIB)
        self.assertEqual(self.manager.free(), [0])
        self.assertEqual(self.tell(quiet, "take", 100), SUCCESS)
        self.assertEqual(self.tell(quiet, "fill"), SUCCESS)
        before = self.totals(quiet)
        self.assertEqual(self.tell(greedy, "take", HALF_MIB + 1), OUT_OF_MEMORY)
        pieces = 0
        while self.tell(greedy, "take", 32) == SUCCESS:
            pieces += 1
            self.assertLessEqual(pieces * 32, HALF_MIB)
        self.assertGreaterEqual(pieces * 32, HALF_MIB - 32)
        _, _, _, free, nvml_free = self.totals(greedy)
        self.assertEqual((free < 32, free), (True, nvml_free))
        # The neighbour has what it had: as much, and the same bytes; and all of its half is still its own.
        self.assertEqual(self.totals(quiet), before)
        self.assertEqual(self.tell(quiet, "check"), "True")
        self.assertEqual(self.tell(quiet, "take", before[3] - 1), SUCCESS)
        self.assertEqual(self.tell(quiet, "check"), "True")
        # Who was refused goes on, within its half.
        self.assertEqual(self.tell(greedy, "free"), SUCCESS)
        self.assertEqual(self.tell(greedy, "take", 32), SUCCESS)
        for program in (greedy, quiet):
            _, errors = program.communicate(timeout=DEADLINE)
            self.assertEqual(program.returncode, 0, errors.decode())
        self.assertEqual(self.manager.free(), [GPU_MIB])

    def test_all_that_a_program_takes_is_of_its_half(self):
        """Contexts, variables of modules and stacks, not only what cuMemAlloc gives."""
        program = self.program()
        free = lambda: self.totals(program)[3]
        begin = free()
        self.assertEqual(self.tell(program, "code", 100), SUCCESS)
        self.assertEqual(free(), begin - 100)
        self.assertEqual(self.tell(program, "code", begin - 99), OUT_OF_MEMORY)
        self.assertEqual(free(), begin - 100, "what was refused is given back")
        self.assertEqual(self.tell(program, "take", begin - 99), OUT_OF_MEMORY)
        self.assertEqual(self.tell(program, "stack", 1 << 20), OUT_OF_MEMORY)
        self.assertEqual(self.tell(program, "stack", 2), SUCCESS)
        self.assertEqual(self.tell(program, "heap", (HALF_MIB + 1) << 10), OUT_OF_MEMORY)
        self.assertEqual(self.tell(program, "heap", 16 << 10), SUCCESS)
        self.assertEqual(self.tell(program, "take", begin - 101), SUCCESS)
        _, errors = program.communicate(timeout=DEADLINE)
        self.assertEqual(program.returncode, 0, errors.decode())
        self.assertEqual(self.manager.free(), [GPU_MIB])

    def test_a_partition_without_room_for_a_context(self):
        result = self.run_cli("run", "-n", "1", "-m", str(CONTEXT_MIB - 1), "--", *sanitizer_first(), sys.executable, "-c",
                              "import ctypes; cuda = ctypes.CDLL('libcuda.so.1'); cuda.cuInit(0); "
                              "[print(cuda.cuDevicePrimaryCtxRetain(ctypes.byref(ctypes.c_void_p()), 0)) for _ in range(2)]")
        self.assertEqual((result.returncode, result.stdout), (0, "%s\n%s\n" % (OUT_OF_MEMORY, OUT_OF_MEMORY)), result.stderr)
        self.assertIn("a context needs more than is left of the partition of %d MiB" % (CONTEXT_MIB - 1), self.manager.log())
        self.assertIn("there is no room for a context in the memory of this lease", result.stderr)

    def test_processes_of_one_half_share_it(self):
        """The limit is the lease's, not each process's."""
        script = "import subprocess, sys; first = subprocess.Popen([sys.executable, '-c', sys.argv[1]], stdin=subprocess.PIPE, " \
                 "stdout=subprocess.PIPE, text=True); first.stdin.write('take 300\\n'); first.stdin.flush(); " \
                 "print(first.stdout.readline().strip(), flush=True); " \
                 "second = subprocess.run([sys.executable, '-c', sys.argv[1]], input='take 300\\ntake 200\\n', capture_output=True, " \
                 "text=True); print(second.stdout.split(), second.stderr); first.communicate()"
        result = self.run_cli("run", "-n", "1", "-p", "0.5", "--", *sanitizer_first(), sys.executable, "-c", script, PROGRAM)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(result.stdout, "0\n['%s', '%s'] \n" % (OUT_OF_MEMORY, SUCCESS), result.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
