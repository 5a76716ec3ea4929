"""The machine: processes with a time limit, the manager, the GPU's memory."""
import dataclasses
import importlib.util
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import threading
import time


class Budget:
    """Seconds that a call may take, and what is left of them."""

    def __init__(self, seconds):
        self.end = time.monotonic() + seconds

    def left(self):
        return max(1.0, self.end - time.monotonic())

    def allows(self):
        """Whether another process may be started."""
        return time.monotonic() < self.end - 2


@dataclasses.dataclass
class Run:
    """What became of one process; code is None when the time limit ended it."""
    code: int | None
    out: str
    err: str
    seconds: float

    def problem(self):
        if self.code == 0:
            return ""
        words = (self.err.strip().splitlines() or self.out.strip().splitlines() or ["no output"])[-1][:300]
        return f"ended after {self.seconds:.0f} s: {words}" if self.code is None else f"exit code {self.code}: {words}"


def run(command, timeout, env=None, cwd=None):
    started = time.monotonic()
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                               errors="replace", start_new_session=True, env={**os.environ, **(env or {})}, cwd=cwd)
    try:
        out, err = process.communicate(timeout=timeout)
        code = process.returncode
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        out, err = process.communicate()
        code = None
    return Run(code, out, err, time.monotonic() - started)


class Manager:
    """`bitfusion manager` on ephemeral loopback ports, for the length of a with block."""

    def __init__(self, bundle, rows, backend="real", insecure=True, arguments=(), gpus=1):
        self.program = str(bundle / "bin" / "bitfusion")
        self.backend = backend
        self.gpus = gpus  # of each lease
        self.arguments = [*(["--insecure", "true"] if insecure else []), *arguments]
        # Who has a client bundle of a pool in the home directory would ask for encryption without a word of it.
        self.wrapper = ["env", "BITFUSION_INSECURE=true"] if insecure else []
        self.rows = rows
        self.process = None
        self.errors = []
        self.control = ""

    def __enter__(self):
        self.process = subprocess.Popen(
            [self.program, "manager", *self.arguments, "--listen", "127.0.0.1", "--control-port", "0", "--data-port", "0", "--backend", self.backend],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace")
        reader = threading.Thread(target=lambda: self.errors.extend(self.process.stderr))
        reader.start()
        self.reader = reader
        watchdog = threading.Timer(60, self.process.kill)
        watchdog.start()
        for line in self.process.stdout:
            found = re.search(r"ready: control (\S+?),", line)
            if found:
                self.control = found.group(1)
                break
        watchdog.cancel()
        if not self.control:
            self.__exit__(None, None, None)
            sys.exit("run.py: the manager did not get ready: " + "".join(self.errors[-5:]))
        return self

    def prefix(self):
        return [*self.wrapper, self.program, "run", "-n", str(self.gpus), "-l", self.control, "--"]

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            self.rows.add("leaks", "manager ends on SIGTERM", None, None, "", "it had to be killed")
        self.reader.join()
        self.process.stdout.close()
        self.process.stderr.close()
        self.rows.text("manager", "".join(self.errors[-200:]))


def find_driver():
    """The machine's own libcuda.so.1, by path, so that no LD_LIBRARY_PATH can turn it into ours."""
    listed = subprocess.run(["ldconfig", "-p"], capture_output=True, text=True, check=False).stdout
    found = re.findall(r"libcuda\.so\.1 .*=> (\S+)", listed)
    candidates = found + ["/usr/lib/x86_64-linux-gnu/libcuda.so.1", "/usr/local/nvidia/lib64/libcuda.so.1",
                          "/usr/lib64/libcuda.so.1"]
    return next((path for path in candidates if os.path.exists(path)), "libcuda.so.1")


def smi(query):
    """One list of values per GPU; none without nvidia-smi."""
    if shutil.which("nvidia-smi") is None:
        return []
    out = subprocess.run(["nvidia-smi", f"--query-gpu={query}", "--format=csv,noheader,nounits"], capture_output=True,
                         text=True, check=False).stdout
    return [[cell.strip() for cell in line.split(",")] for line in out.splitlines() if line.strip()]


def describe():
    gpus = "; ".join(", ".join(row) for row in smi("name,driver_version,memory.total"))
    return f"GPU: {gpus or 'nvidia-smi tells nothing'}; {os.cpu_count()} cores; driver library {find_driver()}"


def gpu_memory_used():
    """MiB per GPU; the first reading after the last process ended may still count it."""
    time.sleep(1)
    return [int(row[0]) for row in smi("memory.used")]


def processes(name):
    """Ids of the processes of that program name (15 characters count, as the kernel keeps no more)."""
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if (entry / "comm").read_text().strip() == name[:15]:
                    found.append(int(entry.name))
            except OSError:
                pass  # it ended while we looked
    return found


def wait_until_gone(name, seconds, stay=()):
    """The processes of that name that are left, but for those that stay."""
    end = time.monotonic() + seconds
    while set(processes(name)) - set(stay) and time.monotonic() < end:
        time.sleep(0.2)
    return sorted(set(processes(name)) - set(stay))


def load_module(name, path):
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def compiled_programs(folder, out, rows):
    """The folder itself when it has binaries; else its .cu files compiled into out, several at a time."""
    sources = sorted(folder.glob("*.cu"))
    if not sources:
        return folder
    nvcc = shutil.which("nvcc") or "/usr/local/cuda/bin/nvcc"
    out.mkdir(parents=True, exist_ok=True)
    names = {source.stem: [str(source)] for source in sources if not source.stem.startswith("relocatable_")}
    names["relocatable"] = [str(source) for source in sources if source.stem.startswith("relocatable_")]
    own = {"relocatable": ["-rdc=true"], "per_thread_stream": ["--default-stream", "per-thread"]}
    started = {
        name: subprocess.Popen(
            [nvcc, "-std=c++17", "-O2", "-cudart", "static", "-gencode", "arch=compute_75,code=[compute_75]", "-gencode",
             "arch=compute_90,code=sm_90", *own.get(name, []), "-o", str(out / name), *files],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        for name, files in names.items()}
    for name, process in started.items():
        text, _ = process.communicate()
        if process.returncode != 0:
            rows.add("programs", name, None, None, "", "does not compile: " + (text.strip().splitlines() or [""])[-1])
    return out
