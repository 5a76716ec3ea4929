"""Two programs side by side on one GPU, each with half of its memory: tests/gpu/run.py, phase halves.

Each has to see its half whichever way it asks (driver, context, NVML). The greedy one takes memory until it is refused, and
asks for more than its half at once; the quiet one has filled a part of its own with a pattern before, and finds it
afterwards, with all of its half still to have.
"""
import subprocess
import sys

import machine

OUT_OF_MEMORY = 2
MIB = 1 << 20
PIECE = 256  # MiB

# Obeys its standard input, one line a command, and answers with one line of numbers.
PROGRAM = r"""
import ctypes, random, sys
cuda, nvml = ctypes.CDLL("libcuda.so.1"), ctypes.CDLL("libnvidia-ml.so.1")
def done(result):
    if result != 0: sys.exit(f"error {result}")
context, device, pattern = ctypes.c_void_p(), ctypes.c_int(), random.Random(7).randbytes(64 << 20)
done(cuda.cuInit(0)); done(cuda.cuDeviceGet(ctypes.byref(device), 0))
done(cuda.cuDevicePrimaryCtxRetain(ctypes.byref(context), device)); done(cuda.cuCtxSetCurrent(context))
class Memory(ctypes.Structure):
    _fields_ = [(name, ctypes.c_ulonglong) for name in ("total", "free", "used")]
taken = []
def take(mib):
    address = ctypes.c_uint64()
    result = cuda.cuMemAlloc_v2(ctypes.byref(address), ctypes.c_size_t(mib << 20))
    taken.extend([address] if result == 0 else [])
    return result
for line in sys.stdin:
    word, *amount = line.split()
    if word == "say":
        whole, free, total, handle, memory = ctypes.c_size_t(), ctypes.c_size_t(), ctypes.c_size_t(), ctypes.c_void_p(), Memory()
        done(cuda.cuDeviceTotalMem_v2(ctypes.byref(whole), device)); done(cuda.cuMemGetInfo_v2(ctypes.byref(free), ctypes.byref(total)))
        done(nvml.nvmlInit_v2()); done(nvml.nvmlDeviceGetHandleByIndex_v2(0, ctypes.byref(handle)))
        done(nvml.nvmlDeviceGetMemoryInfo(handle, ctypes.byref(memory)))
        print(*(n >> 20 for n in (whole.value, total.value, memory.total, free.value, memory.free)), flush=True)
    elif word == "take": print(take(int(amount[0])), flush=True)
    elif word == "fill": print(cuda.cuMemcpyHtoD_v2(taken[0], pattern, ctypes.c_size_t(len(pattern))), flush=True)
    elif word == "check":
        back = ctypes.create_string_buffer(len(pattern))
        done(cuda.cuMemcpyDtoH_v2(back, taken[0], ctypes.c_size_t(len(pattern))))
        print(int(back.raw == pattern), flush=True)
"""


class Half:
    """One program with -p 0.5, for the length of a with block."""

    def __init__(self, manager):
        at = manager.prefix().index("-l")
        self.command = [*manager.prefix()[:at], "-p", "0.5", "-t", "0", *manager.prefix()[at:], sys.executable, "-c", PROGRAM]

    def __enter__(self):
        self.process = subprocess.Popen(self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        return self

    def __exit__(self, *_):
        self.process.communicate(timeout=60)

    def tell(self, *words):
        self.process.stdin.write(" ".join(map(str, words)) + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            raise RuntimeError("a program ended: " + self.process.stderr.read()[-300:])
        return [int(number) for number in answer.split()]


def problems_of(quiet, greedy, half):
    """What is not as it has to be, as texts; `half` in MiB."""
    found = []

    def expect(holds, text):
        if not holds:
            found.append(text)

    for name, program in (("quiet", quiet), ("greedy", greedy)):
        whole, total, watched, free, watched_free = program.tell("say")
        expect((whole, total, watched) == (half,) * 3, f"{name} sees {whole}, {total}, {watched} MiB of {half}")
        expect(free == watched_free, f"{name}: free {free} MiB, NVML {watched_free}")
    expect(quiet.tell("take", PIECE) == [0] and quiet.tell("fill") == [0], "the quiet one gets nothing")
    before = quiet.tell("say")
    expect(greedy.tell("take", half + 1) == [OUT_OF_MEMORY], "more than a half at once is not refused")
    pieces = 0
    while (answer := greedy.tell("take", PIECE)) == [0] and pieces * PIECE <= half:
        pieces += 1
    expect(answer == [OUT_OF_MEMORY], f"refused with error {answer}")
    # The context has its part of the half.
    expect(half - 2048 <= pieces * PIECE <= half, f"the greedy one gets {pieces * PIECE} MiB of {half}")
    expect(quiet.tell("say") == before, f"the quiet one notices: {before}, {quiet.tell('say')}")
    expect(quiet.tell("check") == [1], "the quiet one's bytes have changed")
    expect(quiet.tell("take", before[3] - PIECE) == [0], "the quiet one does not get what is left of its half")
    expect(quiet.tell("check") == [1], "the quiet one's bytes have changed at last")
    return found


def run(options, compare):
    with Half(compare.manager) as quiet, Half(compare.manager) as greedy:
        try:
            total = quiet.tell("say")[0]
            whole = int(machine.smi("memory.total")[0][0]) if machine.smi("memory.total") else 2 * total
            found = problems_of(quiet, greedy, total)
            if abs(2 * total - whole) > whole // 50:  # the driver keeps some for itself
                found.append(f"a half is {total} MiB of {whole}")
        except RuntimeError as error:
            found = [str(error)]
    compare.rows.add("halves", "two programs with -p 0.5", None, None, "", "; ".join(found))
