"""Programs that watch GPUs, as processes of their own: NVML by its C functions, our nvidia-smi, NVIDIA's own where the
machine has one or BITFUSION_NVIDIA_SMI names one, and pynvml where it is installed. The numbers are the lease's."""
import os
import re
import shutil
import sys
import tempfile
import unittest
import xml.etree.ElementTree

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

# 100 MiB, and NVIDIA's nvidia-smi as a child: each answer after a line with its arguments.
HOLDS = NVML + CUDA + r"""
import subprocess
start(100)
print(os.getpid(), flush=True)
for arguments in ("", "--query-compute-apps=pid,used_memory --format=csv,noheader", "pmon -c 1", "-q -x"):
    print("==", arguments, flush=True)
    subprocess.run([os.environ["NVIDIAS_OWN"], *arguments.split()], check=True)
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


def nvidias_own():
    return os.environ.get("BITFUSION_NVIDIA_SMI") or shutil.which("nvidia-smi")


class NvidiasOwnSmi(WithTwoGpus):
    def setUp(self):
        if not nvidias_own():
            self.skipTest("SKIPPED, NOT TESTED: this machine has no nvidia-smi of NVIDIA's (BITFUSION_NVIDIA_SMI=path names one)")
        super().setUp()

    def own(self, *arguments, **more):
        return self.under_run(*sanitizer_first(), nvidias_own(), *arguments, **more)

    def test_the_table(self):
        for gpus in ("1", "2"):
            table = self.own(options=("-n", gpus, "-m", "1024"))
            self.assertEqual(len(re.findall(r" 0MiB / +1024MiB \| +0% +Default \|", table)), int(gpus), table)
            self.assertIn("No running processes found", table)

    def test_one_of_the_gpus(self):
        table = self.own("-i", "1")
        self.assertEqual(len(re.findall(r" 0MiB / +1024MiB ", table)), 1, table)
        self.assertRegex(table, r"\|   1  bitfusion Software GPU ")

    def test_lists(self):
        lines = self.own("-L").splitlines()
        self.assertEqual(len(lines), 2, lines)
        for index, line in enumerate(lines):
            self.assertRegex(line, r"^GPU %d: bitfusion Software GPU \(UUID: GPU-[0-9a-f-]{36}\)$" % index)

    def test_everything(self):
        text = self.own("-q")
        self.assertRegex(text, r"Attached GPUs +: 2\n")
        self.assertEqual(len(re.findall(r" FB Memory Usage\n +Total +: 1024 MiB\n", text)), 2, text)
        self.assertEqual(len(re.findall(r" Processes +: None\n", text)), 2, text)
        # What nothing is known of must not be shown as a number.
        self.assertNotRegex(text, r"(T\.Limit Temp|mV|Volt\w*|Graphics) +: 0\b")

    def test_everything_as_xml(self):
        log = xml.etree.ElementTree.fromstring(self.own("-q", "-x"))
        self.assertEqual([gpu.findtext("fb_memory_usage/total") for gpu in log.findall("gpu")], ["1024 MiB"] * 2)
        self.assertEqual([len(gpu.find("processes")) for gpu in log.findall("gpu")], [0, 0])

    def test_queries(self):
        self.assertEqual(self.own("--query-gpu=index,memory.total,memory.used,gom.current,temperature.gpu", "--format=csv,noheader"),
                         "0, 1024 MiB, 0 MiB, [N/A], 30\n1, 1024 MiB, 0 MiB, [N/A], 30\n")
        self.assertRegex(self.own("--query-compute-apps=pid,name,used_memory", "--format=csv"), r"^pid, process_name, used_gpu_memory \[MiB\]\n$")

    def test_topology(self):
        rows = [line.split() for line in self.own("topo", "-m").splitlines() if re.match(r"GPU\d\t", line)]
        self.assertEqual([row[:3] for row in rows], [["GPU0", "X", "NODE"], ["GPU1", "NODE", "X"]])

    def test_monitors(self):
        for monitor in ("pmon", "dmon"):
            rows = [line.split() for line in self.own(monitor, "-c", "1").splitlines() if not line.startswith("#")]
            self.assertEqual([row[0] for row in rows], ["0", "1"], monitor)

    def test_a_program_that_computes(self):
        lines, *answers = self.program(HOLDS, environment={"NVIDIAS_OWN": nvidias_own()}).split("== ")
        pid = lines.strip()
        table, applications, processes, log = (answer.partition("\n")[2] for answer in answers)
        self.assertRegex(table, r" 100MiB / +1024MiB ")
        self.assertRegex(table, r"\|    0   N/A  N/A +%s +C +\S+ +100MiB \|" % pid)
        self.assertEqual(applications, pid + ", 100 MiB\n")
        self.assertRegex(processes, r"\n +0 +%s +C " % pid)
        gpus = xml.etree.ElementTree.fromstring(log).findall("gpu")
        self.assertEqual([[p.findtext("pid") for p in gpu.findall("processes/process_info")] for gpu in gpus], [[pid], []])


if __name__ == "__main__":
    unittest.main()
