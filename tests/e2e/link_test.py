#!/usr/bin/env python3
"""Which link a session runs over, and that it ends well whichever it is. The programs are Python's ctypes on the
driver's library."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import unittest

from harness import *  # noqa: F403
from program_test import sanitizer_first

# Copies a pattern to the GPU and back, says its own number, and with an argument stays in a loop of calls until one fails.
PROGRAM = """
import ctypes, os, sys
cuda = ctypes.CDLL("libcuda.so.1")
def check(result):
    if result != 0:
        print("error", result, flush=True)
        sys.exit(3)
context, address = ctypes.c_void_p(), ctypes.c_uint64()
check(cuda.cuInit(0))
check(cuda.cuDevicePrimaryCtxRetain(ctypes.byref(context), 0))
check(cuda.cuCtxSetCurrent(context))
there = os.urandom(9 << 20)
back = ctypes.create_string_buffer(len(there))
check(cuda.cuMemAlloc_v2(ctypes.byref(address), ctypes.c_size_t(len(there))))
check(cuda.cuMemcpyHtoD_v2(address, there, ctypes.c_size_t(len(there))))
check(cuda.cuMemcpyDtoH_v2(back, address, ctypes.c_size_t(len(there))))
print("equal" if back.raw == there else "different", os.getpid(), flush=True)
while len(sys.argv) > 1:
    check(cuda.cuMemcpyDtoH_v2(back, address, ctypes.c_size_t(4)))
"""
# Loads a module of 200 000 bytes and more.
IMAGE = """
import ctypes, sys
cuda = ctypes.CDLL("libcuda.so.1")
context, module = ctypes.c_void_p(), ctypes.c_void_p()
text = b".version 6.4\\n.target sm_52\\n.address_size 64\\n.visible .entry nothing() { ret; }\\n" + b"// nothing\\n" * 20000
assert cuda.cuInit(0) == 0
assert cuda.cuDevicePrimaryCtxRetain(ctypes.byref(context), 0) == 0
assert cuda.cuCtxSetCurrent(context) == 0
sys.exit(cuda.cuModuleLoadData(ctypes.byref(module), text))
"""
SHARED = "runs over memory that is shared"
NETWORK = "runs over the network; no shared memory:"


class Links(WithManager):  # noqa: F405
    def program(self, link, *arguments, **environment):
        return ["run", "-n", "1", "--", "env", "BITFUSION_LINK=" + link, "BITFUSION_LOG=warn,link=info",
                *("%s=%s" % pair for pair in (environment | sanitizer_first()).items()), sys.executable, "-c", PROGRAM,
                *arguments]

    def run_over(self, link, **environment):
        own = {"BITFUSION_CLIENT_DIR": self.manager.client_dir} if self.manager.secure else {}
        done = self.run_cli(*self.program(link, **environment), environment=own)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertEqual(done.stdout.split()[0], "equal")
        return done.stderr

    def test_a_client_on_the_server_shares_memory_by_itself(self):
        self.assertIn(SHARED, self.run_over("auto"))
        self.assertIn(SHARED, self.run_over("shm"))

    def test_the_network_when_it_is_asked_for(self):
        self.assertNotIn("the session runs over", self.run_over("tcp"))

    def test_another_word_is_an_error(self):
        done = self.run_cli(*self.program("rdma"))
        self.assertEqual(done.returncode, 3)
        self.assertIn("set it to auto, tcp or shm", done.stderr)

    def test_nothing_is_left_in_the_folder(self):
        self.run_over("shm")
        self.assertEqual([name for name in os.listdir("/tmp") if name.startswith("bitfusion-") and
                          len(name) == len("bitfusion-") + 32], [])

    def in_other_network(self, link, **environment):
        """As a container sees it: files may be shared, sockets without a file are not."""
        if subprocess.run(["unshare", "-n", "true"], capture_output=True).returncode != 0:
            self.skipTest("SKIPPED, NOT TESTED: no network namespaces for this user")
        # The connection itself needs the server's network: it is made by a relay in it, through a socket in a file.
        command = self.program(link, **environment)
        at = command.index("env")
        relay = os.path.join(self.manager.folder.name, "relay")
        process = subprocess.Popen(
            [sys.executable, "-c", RELAY_IN, relay, *self.manager.address("data")[:1], str(self.manager.address("data")[1])],
            stdout=subprocess.PIPE)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        self.assertEqual(process.stdout.readline(), b"ready\n")
        command[at:at] = ["unshare", "-n", sys.executable, "-c", RELAY_OUT, relay]
        return self.run_cli(*command)

    def test_a_container_that_shares_a_folder_shares_memory(self):
        with tempfile.TemporaryDirectory() as folder:
            self.manager.close()
            self.manager = Manager("--shared-folder", folder, *self.arguments)  # noqa: F405
            self.addCleanup(self.manager.close)
            done = self.in_other_network("auto", BITFUSION_SHARED_FOLDER=folder)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            self.assertIn(SHARED, done.stderr)
            self.assertEqual(os.listdir(folder), [])
            done = self.in_other_network("auto", TMPDIR="/nonexistent")
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            self.assertIn(NETWORK, done.stderr)
            done = self.in_other_network("shm", TMPDIR="/nonexistent")
            self.assertEqual(done.returncode, 3)
            self.assertIn("leave out BITFUSION_LINK=shm", done.stderr)

    def test_code_images_are_sent_once_to_a_server(self):
        with tempfile.TemporaryDirectory() as folder:
            def bytes_sent():
                path = os.path.join(folder, "stats.json")
                done = self.run_cli("run", "-n", "1", "--", "env", "BITFUSION_LINK=tcp", "BITFUSION_STATS=" + path,
                                    *("%s=%s" % pair for pair in sanitizer_first().items()), sys.executable, "-c", IMAGE)
                self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
                with open(path) as stats:
                    return json.load(stats)["bytes_out"]

            def restart(*more):
                self.manager.close()
                self.manager = Manager("--state-dir", folder, *more, *self.arguments)  # noqa: F405
                self.addCleanup(self.manager.close)
            restart()
            self.assertGreater(bytes_sent(), 200000)
            self.assertLess(bytes_sent(), 2000)
            restart()
            self.assertLess(bytes_sent(), 2000, "it survives the manager")
            images = os.path.join(folder, "images")
            for name in os.listdir(images):
                if name != "key":
                    os.truncate(os.path.join(images, name), 1000)
            self.assertGreater(bytes_sent(), 200000)
            self.assertIn("is damaged and is removed", self.manager.log())
            self.assertLess(bytes_sent(), 2000)
            restart("--image-cache", "0")
            self.assertGreater(bytes_sent(), 200000)

    def lane_bytes(self, **environment):
        """What travelled over lanes, and in all."""
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "stats.json")
            self.run_over("tcp", BITFUSION_STATS=path, **environment)
            with open(path) as stats:
                data = json.load(stats)
        return data["lane_bytes"], data["bytes_out"] + data["bytes_in"]

    def test_large_copies_travel_over_lanes(self):
        """9 MiB each way; a little stays on the session's own connection. Lanes are as encrypted as that."""
        copied = 2 * (9 << 20)
        for secure in (False, True):
            with self.subTest(secure=secure):
                if secure:
                    self.manager.close()
                    self.manager = Manager(*self.arguments, secure=True)  # noqa: F405
                    self.addCleanup(self.manager.close)
                by_lanes, in_all = self.lane_bytes(BITFUSION_LANES="4")
                self.assertGreaterEqual(by_lanes, copied)
                self.assertLess(in_all, copied + 100000)
                by_lanes, in_all = self.lane_bytes(BITFUSION_LANES="0")
                self.assertEqual(by_lanes, 0)
                self.assertGreaterEqual(in_all, copied)

    def test_another_number_of_lanes_is_an_error(self):
        for word in ("9", "-1", "four", "44"):
            done = self.run_cli(*self.program("tcp", BITFUSION_LANES=word))
            self.assertEqual(done.returncode, 3)
            self.assertIn("set it to a number from 0 to 8", done.stderr)

    def ends_with(self, link, kill_worker):
        process = self.start_cli(*self.program(link, "stay"))
        word, pid = process.stdout.readline().decode().split()
        self.assertEqual(word, "equal")
        (worker,) = children(self.manager.pid)  # noqa: F405
        os.kill(worker if kill_worker else int(pid), signal.SIGKILL)
        if kill_worker:
            self.assertEqual(process.stdout.readline().decode(), "error 46\n")  # CUDA_ERROR_DEVICE_UNAVAILABLE
        wait_until(lambda: not children(self.manager.pid), "the worker is gone")  # noqa: F405
        process.communicate(timeout=DEADLINE)  # noqa: F405

    def test_a_killed_client_ends_its_worker(self):
        for link in ("tcp", "shm"):
            with self.subTest(link):
                self.ends_with(link, kill_worker=False)

    def test_a_killed_worker_is_an_error_for_its_client(self):
        for link in ("tcp", "shm"):
            with self.subTest(link):
                self.ends_with(link, kill_worker=True)


# Two relays and a file between them: what a program in a network of its own needs to reach the data port.
RELAY = """
import socket, sys, threading
def pump(a, b):
    try:
        while data := a.recv(1 << 16):
            b.sendall(data)
        b.shutdown(socket.SHUT_WR)
    except OSError:
        pass
def join(a, b):
    threading.Thread(target=pump, args=(a, b), daemon=True).start()
    threading.Thread(target=pump, args=(b, a), daemon=True).start()
def serve(door, connect):
    while True:
        join(door.accept()[0], connect())
"""
RELAY_IN = RELAY + """
import os
if os.path.exists(sys.argv[1]):
    os.unlink(sys.argv[1])
door = socket.socket(socket.AF_UNIX)
door.bind(sys.argv[1])
door.listen()
print("ready", flush=True)
serve(door, lambda: socket.create_connection((sys.argv[2], int(sys.argv[3]))))
"""
RELAY_OUT = RELAY + """
import fcntl, os, struct, subprocess
control = socket.socket()
fcntl.ioctl(control, 0x8914, struct.pack("16sh", b"lo", 0x49))  # SIOCSIFFLAGS: up, loopback, running
door = socket.create_server(("127.0.0.1", 0))
def connect():
    there = socket.socket(socket.AF_UNIX)
    there.connect(sys.argv[1])
    return there
threading.Thread(target=serve, args=(door, connect), daemon=True).start()
_, _, rest = os.environ["BITFUSION_SESSION"].partition("/")
os.environ["BITFUSION_SESSION"] = "127.0.0.1:%d/%s" % (door.getsockname()[1], rest)
sys.exit(subprocess.run(sys.argv[2:]).returncode)
"""

if __name__ == "__main__":
    unittest.main()
