#!/usr/bin/env python3
"""Links that are slow or stand still, and peers that do not read: memory stays bounded on both sides, and results stay
right. And how much memory clients take that do nothing. The programs are Python's ctypes on the driver's library."""

import os
import re
import signal
import subprocess
import sys
import unittest

from harness import *  # noqa: F403
from program_test import sanitizer_first

DELAY_LINE = os.path.join(BUILD, "bench", "bitfusion_delay_line")  # noqa: F405
MIB = 1 << 20

# What every program here begins with. 16 MiB on the GPU, and a kernel that adds one to its first word.
BEGIN = r'''
import ctypes, os, sys
cuda = ctypes.CDLL("libcuda.so.1")
def check(result):
    if result != 0:
        print("error", result, flush=True)
        os._exit(3)
context, module, kernel, address = (ctypes.c_void_p() for _ in range(4))
TEXT = b""".version 6.4
.target sm_52
.address_size 64
.visible .entry add_one(.param .u64 p) {
.reg .b32 %r<3>; .reg .b64 %rd<2>;
ld.param.u64 %rd1, [p]; ld.global.u32 %r1, [%rd1]; add.s32 %r2, %r1, 1; st.global.u32 [%rd1], %r2; ret; }"""
check(cuda.cuInit(0))
check(cuda.cuDevicePrimaryCtxRetain(ctypes.byref(context), 0))
check(cuda.cuCtxSetCurrent(context))
check(cuda.cuModuleLoadData(ctypes.byref(module), TEXT))
check(cuda.cuModuleGetFunction(ctypes.byref(kernel), module, b"add_one"))
SIZE = 16 << 20
check(cuda.cuMemAlloc_v2(ctypes.byref(address), ctypes.c_size_t(SIZE)))
check(cuda.cuMemsetD8_v2(address, 0, ctypes.c_size_t(SIZE)))
check(cuda.cuCtxSynchronize())
argument = (ctypes.c_void_p * 1)(ctypes.addressof(address))
def launch():
    check(cuda.cuLaunchKernel(kernel, 1, 1, 1, 1, 1, 1, 0, None, argument, None))
def read(count=4, at=0):
    back = ctypes.create_string_buffer(count)
    check(cuda.cuMemcpyDtoH_v2(back, ctypes.c_void_p(address.value + at), ctypes.c_size_t(count)))
    return back.raw
def number():
    return int.from_bytes(read(), "little")
def say(*words):
    print(*words, flush=True)
'''
# Launches without a wait between them: far more than the ring between program and sender holds.
FLOOD = BEGIN + r'''
say("ready", os.getpid())
sys.stdin.readline()
for i in range(150000):
    launch()
    if i == 20000: say("under way")
say(number())
sys.stdin.readline()
'''
# Asks for 480 MiB, which come into pinned memory when they like.
READ_MUCH = BEGIN + r'''
pinned, COUNT = ctypes.c_void_p(), 30
check(cuda.cuMemHostAlloc(ctypes.byref(pinned), ctypes.c_size_t(SIZE), 0))
check(cuda.cuMemsetD8_v2(address, 0x5a, ctypes.c_size_t(SIZE)))
check(cuda.cuCtxSynchronize())
say("ready", os.getpid())
sys.stdin.readline()
for i in range(COUNT):
    check(cuda.cuMemcpyDtoHAsync_v2(pinned, address, ctypes.c_size_t(SIZE), None))
say("under way")
check(cuda.cuCtxSynchronize())
say(ctypes.string_at(pinned, SIZE) == b"\x5a" * SIZE)
'''
# 384 KiB each way and 2000 launches: some seconds at 1 Mbit/s.
SLOWLY = BEGIN + r'''
there = os.urandom(384 << 10)
check(cuda.cuMemcpyHtoD_v2(ctypes.c_void_p(address.value + 4096), there, ctypes.c_size_t(len(there))))
for i in range(2000):
    launch()
say(number(), read(len(there), 4096) == there)
'''
# Copies both ways at once, each into its own half; what comes back is what went there.
BOTH_WAYS = BEGIN + r'''
pinned, HALF, COUNT = ctypes.c_void_p(), SIZE // 2, 24
check(cuda.cuMemHostAlloc(ctypes.byref(pinned), ctypes.c_size_t(HALF), 0))
there = os.urandom(HALF)
upper = ctypes.c_void_p(address.value + HALF)
say("ready", os.getpid())
sys.stdin.readline()
for i in range(COUNT):
    check(cuda.cuMemcpyHtoD_v2(address, there, ctypes.c_size_t(HALF)))
    check(cuda.cuMemcpyDtoD_v2(upper, address, ctypes.c_size_t(HALF)))
    check(cuda.cuMemcpyDtoHAsync_v2(pinned, upper, ctypes.c_size_t(HALF), None))
    if i == 2: say("under way")
check(cuda.cuCtxSynchronize())
say(ctypes.string_at(pinned, HALF) == there)
'''
IDLE = r'''
def rollup():
    text = open("/proc/self/smaps_rollup").read()
    return sum(int(line.split()[1]) for line in text.splitlines() if line.startswith(("Private_", "Pss_Shmem")))
import ctypes, os, sys
before = rollup()
''' + BEGIN.replace("16 << 20", "1 << 20") + r'''
launch()
assert number() == 1
os.write(1, b"%d\n" % (rollup() - before))
sys.stdin.read()
'''


def memory_of(pid):
    """Bytes of a process that nobody else has, and its part of shared memory."""
    with open("/proc/%d/smaps_rollup" % pid) as lines:
        return 1024 * sum(int(line.split()[1]) for line in lines if line.startswith(("Private_", "Pss_Shmem")))


class Pressure(WithManager):  # noqa: F405
    arguments = ("--software-gpus", "1", "--software-memory", "4GiB")

    def start(self, link, program, *before):
        return self.start_cli("run", "-n", "1", "--", *before, "env", "BITFUSION_LINK=" + link,
                              *("%s=%s" % pair for pair in sanitizer_first().items()), sys.executable, "-c", program)

    def line(self, process):
        return process.stdout.readline().decode().strip()

    def begin(self, link, program, *before):
        process = self.start(link, program, *before)
        word, pid = self.line(process).split()
        self.assertEqual(word, "ready")
        (worker,) = children(self.manager.pid)  # noqa: F405
        return process, int(pid), worker

    def go(self, process):
        process.stdin.write(b"go\n")
        process.stdin.flush()

    def at_rest(self, pid, what):
        """Waits until it runs no more, and gives its memory."""
        def ticks():
            with open("/proc/%d/stat" % pid) as stat:
                fields = stat.read().rpartition(")")[2].split()
            return int(fields[11]) + int(fields[12])
        seen = [ticks()] * 20

        def rests():
            seen.append(ticks())
            return seen[-1] == seen[-20] and len(seen) > 60
        wait_until(rests, what)  # noqa: F405
        return memory_of(pid)

    def test_a_server_that_stands_still_stops_a_flood(self):
        for link in ("tcp", "shm"):
            with self.subTest(link):
                process, pid, worker = self.begin(link, FLOOD)
                before = memory_of(pid)
                freeze(worker)  # noqa: F405
                try:
                    self.go(process)
                    self.assertEqual(self.line(process), "under way")
                    grown = self.at_rest(pid, "the program waits for the server")
                    self.assertLess(grown - before, 24 * MIB)
                finally:
                    os.kill(worker, signal.SIGCONT)
                self.assertEqual(self.line(process), "150000")
                self.assertLess(memory_of(pid) - before, 24 * MIB)
                process.communicate(timeout=DEADLINE)  # noqa: F405

    def test_a_client_that_stops_reading_does_not_fill_the_server(self):
        for link in ("tcp", "shm"):
            with self.subTest(link):
                process, pid, worker = self.begin(link, READ_MUCH)
                before = memory_of(worker)
                self.go(process)
                self.assertEqual(self.line(process), "under way")
                freeze(pid)  # noqa: F405
                try:
                    grown = self.at_rest(worker, "the worker waits for its client")
                    self.assertLess(grown - before, 128 * MIB)  # 64 MiB of staging, the link, what is being served
                finally:
                    os.kill(pid, signal.SIGCONT)
                self.assertEqual(self.line(process), "True")
                process.communicate(timeout=DEADLINE)  # noqa: F405

    def slow_line(self, gbit):
        """A relay of that rate (0: as fast as it goes), and the words before a program whose session goes through it."""
        if not os.access(DELAY_LINE, os.X_OK):
            self.skipTest("SKIPPED, NOT TESTED: %s is not built" % DELAY_LINE)
        relay = subprocess.Popen([DELAY_LINE, "--to", self.manager.data, "--gbit", gbit], stdin=subprocess.PIPE,
                                 stdout=subprocess.PIPE)
        self.addCleanup(relay.stdout.close)
        self.addCleanup(relay.wait)
        self.addCleanup(relay.stdin.close)
        port = re.fullmatch(rb"ready: (\d+)\n", relay.stdout.readline()).group(1).decode()
        return relay, ["sh", "-c", 'BITFUSION_SESSION=127.0.0.1:%s/${BITFUSION_SESSION#*/} exec "$@"' % port, "sh"]

    def test_one_megabit_a_second(self):
        _, through = self.slow_line("0.001")
        process = self.start("tcp", SLOWLY, *through)
        self.assertEqual(self.line(process), "2000 True")
        process.communicate(timeout=DEADLINE)  # noqa: F405

    def test_a_link_that_drops_to_one_megabit_in_the_middle_of_copies(self):
        relay, through = self.slow_line("0")
        process, pid, worker = self.begin("tcp", BOTH_WAYS, *through)
        before = {one: memory_of(one) for one in (pid, worker)}
        self.go(process)
        self.assertEqual(self.line(process), "under way")
        relay.stdin.write(b"0.001\n")
        relay.stdin.flush()
        for one in (pid, worker):
            grown = self.at_rest(one, "both wait for the line")
            self.assertLess(grown - before[one], 128 * MIB)
        self.assertIsNone(process.poll())
        relay.stdin.write(b"0\n")
        relay.stdin.flush()
        self.assertEqual(self.line(process), "True")
        process.communicate(timeout=DEADLINE)  # noqa: F405

    @unittest.skipIf(sanitizer_first(), "a sanitizer's own memory is most of what would be counted")
    def test_sixty_four_clients_that_do_nothing(self):
        count = 64
        for link in ("tcp", "shm"):
            with self.subTest(link):
                several = 'exec 3<&0; for i in $(seq %d); do "$@" <&3 & done; wait' % count
                process = self.start(link, IDLE, "sh", "-c", several, "sh")
                try:
                    self.all_are_small(link, [self.line(process) for _ in range(count)])
                finally:
                    process.communicate(b"", DEADLINE)  # noqa: F405
                    self.wait_for_no_lease()

    def all_are_small(self, link, lines):
        self.assertTrue(all(line.isdigit() for line in lines), lines)
        clients = sorted(1024 * int(line) for line in lines)
        workers = sorted(memory_of(pid) for pid in children(self.manager.pid))  # noqa: F405
        count = len(clients)
        self.assertEqual(len(workers), count)
        print("%d idle clients over %s: a client's session %.1f MiB (most %.1f), its worker %.1f MiB (most %.1f)" %
              (count, link, clients[count // 2] / MIB, clients[-1] / MIB, workers[count // 2] / MIB,
               workers[-1] / MIB), file=sys.stderr)
        self.assertLess(clients[-1], 64 * MIB)
        self.assertLess(workers[-1], (16 + 1) * MIB)  # with the memory of the software GPU that it wrote


if __name__ == "__main__":
    unittest.main()
