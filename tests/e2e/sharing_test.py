#!/usr/bin/env python3
"""Handles of memory that processes share: good in the processes of one lease, while the owner lives, and nowhere else."""

import os
import signal
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
# Memory of 200 MiB that one process makes and another keeps, in each way that CUDA has. The first sends what the second
# needs through the socket that it gets.
WAYS = BEGIN + """
import os, socket
SIZE = ctypes.c_size_t(200 << 20)
way = sys.argv[1]
class Location(ctypes.Structure):
    _fields_ = [("type", ctypes.c_int), ("id", ctypes.c_int)]
DEVICE, FILE = Location(1, 0), 1
class Physical(ctypes.Structure):  # CUmemAllocationProp
    _fields_ = [("type", ctypes.c_int), ("handles", ctypes.c_int), ("location", Location), ("win32", ctypes.c_void_p),
                ("flags", ctypes.c_ubyte * 8)]
class Pool(ctypes.Structure):  # CUmemPoolProps
    _fields_ = [("type", ctypes.c_int), ("handles", ctypes.c_int), ("location", Location), ("win32", ctypes.c_void_p),
                ("most", ctypes.c_size_t), ("usage", ctypes.c_ushort), ("reserved", ctypes.c_ubyte * 54)]
class Access(ctypes.Structure):
    _fields_ = [("location", Location), ("flags", ctypes.c_int)]
def do(name, *arguments):
    code = getattr(cuda, name)(*arguments)
    assert code == 0, (name, code)
ref, physical, pool, raw, file = ctypes.byref, ctypes.c_uint64(), ctypes.c_void_p(), Handle(), ctypes.c_int()
def map_physical():
    do("cuMemAddressReserve", ref(address), SIZE, ctypes.c_size_t(0), ctypes.c_uint64(0), ctypes.c_uint64(0))
    do("cuMemMap", address, SIZE, ctypes.c_size_t(0), physical, ctypes.c_uint64(0))
    do("cuMemSetAccess", address, SIZE, ref(Access(DEVICE, 3)), ctypes.c_size_t(1))
"""
MAKER = WAYS + """
if way == "ipc":
    do("cuMemAlloc_v2", ref(address), SIZE)
    do("cuIpcGetMemHandle", ref(raw), address)
elif way == "physical":
    do("cuMemCreate", ref(physical), SIZE, ref(Physical(1, FILE, DEVICE)), ctypes.c_uint64(0))
    do("cuMemExportToShareableHandle", ref(file), physical, FILE, ctypes.c_uint64(0))
    map_physical()
elif way == "pool":
    do("cuMemPoolCreate", ref(pool), ref(Pool(1, FILE, DEVICE)))
    do("cuMemAllocFromPoolAsync", ref(address), SIZE, pool, ctypes.c_void_p())
    do("cuMemPoolExportToShareableHandle", ref(file), pool, FILE, ctypes.c_uint64(0))
    do("cuMemPoolExportPointer", ref(raw), address)
do("cuMemcpyHtoD_v2", address, b"shared", ctypes.c_size_t(6))
do("cuCtxSynchronize")
keeper = socket.socket(fileno=0)
socket.send_fds(keeper, [bytes(raw.reserved)], [file.value] if way != "ipc" else [])
keeper.recv(1)
os._exit(0)
"""
# Says what is left of the partition for 100 MiB more (0: there is room; 2: CUDA_ERROR_OUT_OF_MEMORY) beside the memory of
# a maker that lives, of one that has ended, and when it lets go of that memory.
KEEPER = WAYS + """
def room():
    more = ctypes.c_uint64()
    code = cuda.cuMemAlloc_v2(ref(more), ctypes.c_size_t(100 << 20))
    if code == 0:
        do("cuMemFree_v2", more)
    return code
def tell(*words):
    print(*words, flush=True)
    sys.stdin.readline()
tell("begun")
ours, its = socket.socketpair()
maker = subprocess.Popen([sys.executable, "-c", sys.argv[2], way], stdin=its)
its.close()
data, files, _, _ = socket.recv_fds(ours, 64, 1)
raw = Handle((ctypes.c_ubyte * 64)(*data))
if way == "ipc":
    do("cuIpcOpenMemHandle_v2", ref(address), raw, 1)
elif way == "physical":
    do("cuMemImportFromShareableHandle", ref(physical), ctypes.c_void_p(files[0]), FILE)
    map_physical()
    do("cuMemRelease", physical)
elif way == "pool":
    do("cuMemPoolImportFromShareableHandle", ref(pool), ctypes.c_void_p(files[0]), FILE, ctypes.c_uint64(0))
    do("cuMemPoolImportPointer", ref(address), pool, ref(raw))
for file in files:
    os.close(file)
tell(room())
ours.close()
maker.wait()
tell("ended")
text = ctypes.create_string_buffer(6)
do("cuMemcpyDtoH_v2", text, address, ctypes.c_size_t(6))
tell(room(), text.raw.decode())
if way == "ipc":
    do("cuIpcCloseMemHandle", address)
elif way == "physical":
    do("cuMemUnmap", address, SIZE)
elif way == "pool":
    do("cuMemFreeAsync", address, ctypes.c_void_p())
    do("cuCtxSynchronize")
tell(room())
"""
INVALID_HANDLE = "400"
OUT_OF_MEMORY = "2"


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

    def keep(self, way, end):
        keeper = self.start_cli(*self.python(KEEPER, way, MAKER))

        def answer():
            line = keeper.stdout.readline().decode()
            self.assertTrue(line, "" if line else keeper.communicate(b"", DEADLINE)[1].decode())  # noqa: F405
            return line.split()

        def go_on():
            keeper.stdin.write(b"\n")
            keeper.stdin.flush()

        self.assertEqual(answer(), ["begun"])
        own = set(children(self.manager.pid))  # noqa: F405
        go_on()
        self.assertEqual(answer(), [OUT_OF_MEMORY], "it counts once, so that 56 MiB are left")
        its = set(children(self.manager.pid)) - own  # noqa: F405
        self.assertEqual(len(its), 1)
        end(its.pop())
        go_on()
        self.assertEqual(answer(), ["ended"])
        wait_until(lambda: set(children(self.manager.pid)) == own, "the maker's worker is gone")  # noqa: F405
        go_on()
        self.assertEqual(answer(), [OUT_OF_MEMORY, "shared"], "who made it is gone, and it is not")
        go_on()
        self.assertEqual(answer(), ["0"], "now it is")
        self.assertEqual(self.output_of(keeper), [])
        self.wait_for_no_lease()

    def test_what_is_kept_counts_when_its_maker_has_ended(self):
        for way in ("ipc", "physical", "pool"):
            with self.subTest(way):
                self.keep(way, lambda worker: None)

    def test_what_is_kept_counts_when_its_makers_worker_was_killed(self):
        for way in ("ipc", "physical"):
            with self.subTest(way):
                self.keep(way, lambda worker: os.kill(worker, signal.SIGKILL))  # noqa: F405


if __name__ == "__main__":
    unittest.main()
