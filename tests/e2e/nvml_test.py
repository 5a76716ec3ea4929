"""Programs that watch GPUs, as processes of their own: NVML by its C functions, nvidia-smi, and pynvml where it is
installed. The numbers are the lease's."""
import os
import re
import shutil
import sys
import tempfile
import unittest

from harness import *

SHIMS = os.path.join(BUILD, "lib", "bitfusion", "cuda")

# NVML by ctypes, as pynvml does it: nothing but names, numbers and structs of NVIDIA's reference.
NVML = r"""
import ctypes, os, sys
nvml = ctypes.CDLL("libnvidia-ml.so.1")

def check(result):
    if result != 0:
        nvml.nvmlErrorString.restype = ctypes.c_char_p
        sys.exit("NVML: " + nvml.nvmlErrorString(result).decode())

class Memory(ctypes.Structure):
    _fields_ = [("total", ctypes.c_ulonglong), ("free", ctypes.c_ulonglong), ("used", ctypes.c_ulonglong)]

class Process(ctypes.Structure):
    _fields_ = [("pid", ctypes.c_uint), ("used", ctypes.c_ulonglong), ("gpu_instance", ctypes.c_uint), ("compute_instance", ctypes.c_uint)]

class Rates(ctypes.Structure):
    _fields_ = [("gpu", ctypes.c_uint), ("memory", ctypes.c_uint)]

def devices():
    count = ctypes.c_uint()
    check(nvml.nvmlDeviceGetCount_v2(ctypes.byref(count)))
    found = []
    for i in range(count.value):
        handle = ctypes.c_void_p()
        check(nvml.nvmlDeviceGetHandleByIndex_v2(i, ctypes.byref(handle)))
        found.append(handle)
    return found

def memory(device):
    m = Memory()
    check(nvml.nvmlDeviceGetMemoryInfo(device, ctypes.byref(m)))
    return m

def processes(device):
    infos, count = (Process * 8)(), ctypes.c_uint(8)
    check(nvml.nvmlDeviceGetComputeRunningProcesses_v3(device, ctypes.byref(count), infos))
    return [(p.pid, p.used) for p in infos[:count.value]]

def busy(device):
    rates = Rates()
    check(nvml.nvmlDeviceGetUtilizationRates(device, ctypes.byref(rates)))
    return rates.gpu
"""

# A CUDA program on the driver API: memory on the first GPU, and a kernel that counts to n.
CUDA = r"""
cuda = ctypes.CDLL("libcuda.so.1")
context, address = ctypes.c_void_p(), ctypes.c_uint64()
module, function = ctypes.c_void_p(), ctypes.c_void_p()

def done(result):
    if result != 0:
        sys.exit("CUDA error %d" % result)

PTX = b'''.version 7.0
.target sm_70
.address_size 64
.visible .entry count(.param .u32 n) {
  .reg .u32 %r<3>;
  .reg .pred %p;
  ld.param.u32 %r1, [n];
  mov.u32 %r2, 0;
again:
  add.u32 %r2, %r2, 1;
  setp.lt.u32 %p, %r2, %r1;
  @%p bra again;
  ret;
}
'''

def start(megabytes):
    done(cuda.cuInit(0))
    done(cuda.cuDevicePrimaryCtxRetain(ctypes.byref(context), 0))
    done(cuda.cuCtxSetCurrent(context))
    done(cuda.cuMemAlloc_v2(ctypes.byref(address), ctypes.c_size_t(megabytes << 20)))

def count_to(n):
    if not module:
        done(cuda.cuModuleLoadData(ctypes.byref(module), PTX))
        done(cuda.cuModuleGetFunction(ctypes.byref(function), module, b"count"))
    number = ctypes.c_uint(n)
    arguments = (ctypes.c_void_p * 1)(ctypes.cast(ctypes.byref(number), ctypes.c_void_p))
    done(cuda.cuLaunchKernel(function, 1, 1, 1, 32, 1, 1, 0, None, arguments, None))
    done(cuda.cuCtxSynchronize())
"""

FACTS = NVML + r"""
check(nvml.nvmlInit_v2())
for device in devices():
    m = memory(device)
    print(m.total >> 20, m.used >> 20, m.free >> 20, processes(device), nvml.nvmlDeviceSetPersistenceMode(device, 1))
"""

COMPUTES = NVML + CUDA + r"""
import subprocess, time
check(nvml.nvmlInit_v2())
gpu = devices()[0]
start(100)
m = memory(gpu)
print(m.total >> 20, m.used >> 20 >= 100, [pid for pid, used in processes(gpu)] == [os.getpid()])
deadline = time.monotonic() + 30
while busy(gpu) == 0 and time.monotonic() < deadline:
    count_to(300000)
celsius = ctypes.c_uint()
check(nvml.nvmlDeviceGetTemperature(gpu, 0, ctypes.byref(celsius)))
print(busy(gpu) > 0, celsius.value >= 30)
print(os.getpid(), flush=True)
count_to(300000)
subprocess.run(["nvidia-smi"], check=True)
"""

FORKS = NVML + r"""
check(nvml.nvmlInit_v2())
child = os.fork()
if child == 0:
    os._exit(0 if len(devices()) == 2 and memory(devices()[1]).total >> 20 == 1024 else 1)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), len(devices()), memory(devices()[0]).total >> 20)
"""

PYNVML = r"""
import pynvml
pynvml.nvmlInit()
gpu = pynvml.nvmlDeviceGetHandleByIndex(0)
print(pynvml.nvmlDeviceGetMemoryInfo(gpu).total >> 20, pynvml.nvmlDeviceGetCount(), pynvml.nvmlDeviceGetUtilizationRates(gpu).gpu)
try:
    pynvml.nvmlDeviceGetFanSpeed(gpu)
except pynvml.NVMLError_NotSupported as error:
    print(error)
"""


def sanitizer_first():
    """A library with the address sanitizer needs its runtime to be the program's first."""
    needed = subprocess.run(["ldd", os.path.join(SHIMS, "libnvidia-ml.so.1")], capture_output=True, text=True).stdout
    runtime = next((line.split()[2] for line in needed.splitlines() if "libasan" in line), None)
    return ["env", "LD_PRELOAD=" + runtime, "ASAN_OPTIONS=detect_leaks=0"] if runtime else []


class WithTwoGpus(WithManager):
    def under_run(self, *command, options=("-n", "2", "-m", "1024"), **more):
        result = self.run_cli("run", *options, "--", *command, **more)
        self.assertEqual(result.returncode, 0, result.stderr + result.stdout)
        return result.stdout

    def program(self, text, **more):
        return self.under_run(*sanitizer_first(), sys.executable, "-c", text, **more)


class Nvml(WithTwoGpus):
    def test_memory_is_the_partition(self):
        self.assertEqual(self.program(FACTS), "1024 0 1024 [] 4\n" * 2)

    def test_memory_of_a_whole_gpu(self):
        self.assertEqual(self.program(FACTS, options=("-n", "1")), "4096 0 4096 [] 4\n")

    def test_a_program_that_only_watches_leaves_no_trace(self):
        self.program(FACTS)
        self.wait_for_no_lease()
        counters = self.manager.ask("GET", "/v1/health")[1]["counters"]
        self.assertEqual((counters["workers_started"], counters["workers_failed"]), (1, 0))
        self.assertEqual(self.manager.free(), [4096, 4096])

    def test_a_program_that_computes_sees_itself(self):
        lines = self.program(COMPUTES, options=("-n", "1", "-m", "1024")).splitlines()
        self.assertEqual(lines[0], "1024 True True")
        self.assertEqual(lines[1], "True True")
        pid = lines[2]
        table = "\n".join(lines[3:])
        self.assertRegex(table, r"\| N/A   \d\dC    P0             N/A /   N/A \|     1\d\dMiB /   1024MiB \| +[1-9]\d*%      Default \|")
        self.assertRegex(table, r"\|    0   N/A  N/A +%s      C   \S+ +1\d\dMiB \|" % pid)

    def test_a_child_of_fork_watches_by_itself(self):
        self.assertEqual(self.program(FORKS), "0 2 1024\n")

    def test_without_a_lease_there_is_no_driver(self):
        environment = clean_environment(LD_LIBRARY_PATH=SHIMS)
        result = subprocess.run([*sanitizer_first(), sys.executable, "-c", FACTS], capture_output=True, text=True, env=environment, timeout=DEADLINE)
        self.assertEqual(result.returncode, 1)
        self.assertIn("NVML: Driver Not Loaded", result.stderr)
        self.assertIn("bitfusion run", result.stderr)

    def test_pynvml(self):
        if subprocess.run([sys.executable, "-c", "import pynvml"], capture_output=True).returncode != 0:
            self.skipTest("SKIPPED, NOT TESTED: pynvml is not installed (pip: nvidia-ml-py)")
        self.assertRegex(self.program(PYNVML), r"^1024 2 \d+\nNot Supported\n$")


class NvidiaSmi(WithTwoGpus):
    def setUp(self):
        if shutil.which("nvidia-smi"):
            self.skipTest("SKIPPED, NOT TESTED: this machine has NVIDIA's own nvidia-smi, which wins")
        super().setUp()

    def test_the_table(self):
        table = self.under_run("nvidia-smi")
        self.assertEqual(table.count("       0MiB /   1024MiB |      0%      Default |"), 2, table)
        self.assertIn("CUDA Version: 13.0 ", table)
        self.assertIn("|  No running processes found  ", table)

    def test_lists(self):
        lines = self.under_run("nvidia-smi", "-L").splitlines()
        self.assertEqual(len(lines), 2)
        for index, line in enumerate(lines):
            self.assertRegex(line, r"^GPU %d: bitfusion Software GPU \(UUID: GPU-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\)$" % index)
        self.assertNotEqual(lines[0][-40:], lines[1][-40:])

    def test_queries(self):
        self.assertEqual(self.under_run("nvidia-smi", "--query-gpu=index,memory.total,memory.used", "--format=csv"),
                         "index, memory.total [MiB], memory.used [MiB]\n0, 1024 MiB, 0 MiB\n1, 1024 MiB, 0 MiB\n")
        self.assertEqual(self.under_run("nvidia-smi", "--query-gpu=memory.total", "--format=csv,noheader,nounits", "-i", "1"), "1024\n")
        self.assertIn("    FB Memory Usage\n        Total                             : 1024 MiB\n", self.under_run("nvidia-smi", "-q"))

    def test_what_cannot_be_asked(self):
        for arguments, code, text in ((("--query-gpu=nonsense", "--format=csv"), 2, 'Field "nonsense" is not a valid field to query'),
                                      (("--nonsense",), 2, "nvidia-smi -h"), (("-i", "7"), 6, "no GPU is 7")):
            result = self.run_cli("run", "-n", "1", "--", "nvidia-smi", *arguments)
            self.assertEqual(result.returncode, code, result.stdout + result.stderr)
            self.assertIn(text, result.stdout)

    def test_nvidias_own_wins(self):
        with tempfile.TemporaryDirectory() as folder:
            own = os.path.join(folder, "nvidia-smi")
            with open(own, "w") as script:
                script.write("#!/bin/sh\necho the machine\\'s own\n")
            os.chmod(own, 0o755)
            path = os.environ["PATH"] + ":" + folder
            self.assertEqual(self.under_run("nvidia-smi", environment={"PATH": path}), "the machine's own\n")


if __name__ == "__main__":
    unittest.main()
