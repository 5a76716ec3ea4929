"""What its machine does to a server: clocks that are hours off, a full disk, a damaged database, a second manager for
the same GPU, an etcd that hangs."""
import http.client
import shutil
import stat
import sys

from cluster import *
from program_test import sanitizer_first

FAKETIME = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1"
GPU = "GPU-0a1b2c3d-0000-1111-2222-333344445555"


def sanitized():
    """A sanitizer's library must be the first to be loaded: none of a test's own fits before it."""
    return b"libasan" in subprocess.run(["ldd", BITFUSION], capture_output=True).stdout


def clock(offset):
    """The environment of a process whose time of the day is off by this; what only runs on is as it is."""
    return {"LD_PRELOAD": FAKETIME, "FAKETIME": offset, "FAKETIME_DONT_FAKE_MONOTONIC": "1"}


def refused_start(*arguments, program=BITFUSION, environment=None):
    """The last line of a manager that must not start."""
    result = subprocess.run([program, "manager", "--control-port", "0", "--data-port", "0", "--insecure", "true", *arguments],
                            capture_output=True, text=True, env=clean_environment(**(environment or {})), timeout=DEADLINE)
    assert result.returncode == 1, (result.returncode, result.stderr)
    return result.stderr.splitlines()[-1]


@unittest.skipUnless(os.path.exists(FAKETIME), "SKIPPED, NOT TESTED: Debian's libfaketime is not installed")
@unittest.skipIf(sanitized(), "not under a sanitizer")
class ClocksOfThePool(WithCluster):
    """The second server's clock is five hours ahead."""

    def start_manager(self, number):
        return Manager(*self.arguments, "--etcd", ",".join(self.etcd.endpoints),
                       listen_on=self.ports[2 * number:2 * number + 2], state=os.path.join(self.states.name, str(number)),
                       environment=clock("+5h") if number == 1 else None)

    def now(self, manager):
        """What the server takes for now: when it says that a backup was made."""
        name = "at%d" % time.monotonic_ns()
        status, made = manager.ask("POST", "/v1/backups", {"name": name})
        self.assertEqual(status, 201, made)
        return made["created"]

    def lease_on(self, number):
        """Held until its connection closes; heartbeats come as lines."""
        server = self.managers[number].ask("GET", "/v1/server")[1]["id"]
        lease = self.managers[0].lease(memory_mib=64, hold=True, servers=[server])
        self.assertEqual(lease["server"], server)
        connection = http.client.HTTPConnection(*self.managers[number].address("control"), timeout=DEADLINE)
        self.addCleanup(connection.close)
        connection.request("GET", "/v1/leases/%s/hold" % lease["id"])
        return lease["id"], connection.getresponse()

    def known(self, number):
        return [lease["id"] for lease in self.managers[number].leases()]

    def test_leases_follow_no_clock_of_the_day(self):
        self.assertGreater(self.now(self.managers[1]) - self.now(self.managers[0]), 4 * 3600)
        for number in range(2):
            lease, hold = self.lease_on(number)
            # Longer than both the time after which a lease is released and the silence of a server.
            end = time.monotonic() + 7
            while time.monotonic() < end:
                self.assertNotEqual(hold.readline(), b"", self.managers[number].log())
            self.assertIn(lease, self.known(number))
            hold.close()
            wait_until(lambda number=number, lease=lease: lease not in self.known(number), "the lease is over")
        self.assertEqual(len(self.up()), 2)

    def test_another_clock_takes_the_lead(self):
        lease, hold = self.lease_on(1)
        leader = self.leader()
        self.assertEqual(leader, 0)
        self.managers[0].process.send_signal(signal.SIGKILL)
        self.managers[0].process.wait()
        wait_until(lambda: self.leader() == 1, "the other server schedules", 40)
        end = time.monotonic() + 6
        while time.monotonic() < end:
            self.assertNotEqual(hold.readline(), b"", self.managers[1].log())
        self.assertIn(lease, self.known(1))


@unittest.skipUnless(os.path.exists(FAKETIME), "SKIPPED, NOT TESTED: Debian's libfaketime is not installed")
@unittest.skipIf(sanitized(), "not under a sanitizer")
class ClocksOfClients(WithManager):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="bitfusion-clock-")
        self.addCleanup(folder.cleanup)
        self.state = folder.name
        self.manager = self.start()

    def start(self, environment=None):
        manager = Manager("--software-gpus", "1", secure=True, state=self.state, environment=environment)
        self.addCleanup(manager.close)
        return manager

    def cli(self, offset, *words):
        return subprocess.run([BITFUSION, *words], capture_output=True, text=True, timeout=DEADLINE,
                              env=clean_environment(BITFUSION_SERVERS=self.manager.control,
                                                    BITFUSION_CLIENT_DIR=self.manager.client_dir, **clock(offset)))

    def test_hours_do_no_harm(self):
        for offset in ("-5h", "+5h"):
            result = self.cli(offset, "list_gpus")
            self.assertEqual(result.returncode, 0, (offset, result.stderr))

    def test_a_clock_before_the_certificate_or_after_it_is_blamed(self):
        for offset, words in (("-40d", "not yet valid"), ("+30y", "expired")):
            result = self.cli(offset, "list_gpus")
            self.assertEqual(result.returncode, 1, offset)
            self.assertIn(words, result.stderr, offset)
            self.assertIn("clock", result.stderr, offset)

    def test_a_token_expires_by_the_servers_clock(self):
        status, token = self.manager.ask("POST", "/v1/tokens", {"role": "viewer", "shared": True, "expires_in_s": 3600})
        self.assertEqual(status, 201, token)
        for offset, expected in ((None, 200), ("+5h", 401), ("-5h", 200)):
            if offset:
                self.manager.stop()
                self.manager = self.start(clock(offset))
            status, body = self.manager.ask("GET", "/v1/leases", headers={"Authorization": "Bearer " + token["token"]})
            self.assertEqual(status, expected, (offset, body))
            if status == 401:
                self.assertIn("Token expired at: ", body["error"])


class TwoManagersOfOneGpu(unittest.TestCase):
    """The real manager beside a worker that names the GPU of a machine that has one."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="bitfusion-gpu-")
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.program = os.path.join(self.folder, "bin", "bitfusion")
        worker = os.path.join(self.folder, "lib", "bitfusion", "bitfusion-worker")
        os.makedirs(os.path.dirname(self.program))
        os.makedirs(os.path.dirname(worker))
        shutil.copy(BITFUSION, self.program)
        report = {"backend": "real", "driver_version": "550.54", "cuda_version": 12040,
                  "gpus": [{"ordinal": 0, "memory_mib": 1024, "uuid": GPU, "name": "Test"}]}
        with open(worker, "w") as out:
            out.write("#!/bin/sh\nwhile [ $(head -c 1 <&3 | wc -c) = 1 ]; do printf '%%s\\n' '%s' >&3; done\n" % json.dumps(report))
        os.chmod(worker, os.stat(worker).st_mode | stat.S_IXUSR)

    def start(self, state):
        manager = Manager(state=os.path.join(self.folder, state), program=self.program)
        self.addCleanup(manager.close)
        return manager

    def test_the_second_is_refused_until_the_first_is_gone(self):
        first = self.start("first")
        line = refused_start("--state-dir", os.path.join(self.folder, "second"), program=self.program)
        self.assertIn("GPU %s is served by another manager" % GPU, line)
        self.assertIn("end that one first", line)
        first.process.kill()
        first.process.wait()
        self.assertIn("1 GPUs (real)", self.start("second").ready_line)


def may_mount():
    return subprocess.run(["unshare", "-rm", "true"], capture_output=True).returncode == 0


@unittest.skipUnless(may_mount(), "SKIPPED, NOT TESTED: no file system may be mounted here (unshare -rm)")
class FullDisk(WithManager):
    """The state folder is a file system of its own with room for little."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="bitfusion-disk-")
        self.addCleanup(folder.cleanup)
        self.state = os.path.join(folder.name, "state")
        os.mkdir(self.state)
        mount = 'mount -t tmpfs -o size=6m tmpfs "$0" && exec "$@"'
        self.manager = Manager("--software-gpus", "1", "--software-memory", "1GiB", state=self.state,
                               through=["unshare", "-rm", "sh", "-c", mount, self.state])
        self.addCleanup(self.manager.close)
        self.inside = "/proc/%d/root%s" % (self.manager.pid, self.state)

    def fill(self):
        with open(os.path.join(self.inside, "filler"), "wb", buffering=0) as filler:
            size = 65536
            while size:
                try:
                    filler.write(b"x" * size)
                except OSError:
                    size //= 2

    def quota(self):
        return self.manager.ask("GET", "/v1/settings")[1]["quota"]

    def test_what_cannot_be_written_is_refused_and_nothing_is_lost(self):
        self.assertEqual(self.manager.ask("PUT", "/v1/settings", {"quota": 5})[0], 200)
        lease = self.manager.lease(memory_mib=64)
        self.fill()
        written = 5
        # What SQLite has reserved before still takes some.
        for quota in range(6, 3000):
            status, body = self.manager.ask("PUT", "/v1/settings", {"quota": quota})
            if status != 200:
                break
            written = quota
        self.assertEqual(status, 503, body)
        self.assertIn("full", body["error"])
        self.assertIn("room", body["error"])
        status, body = self.manager.ask("POST", "/v1/leases", {"gpus": 1, "memory_mib": 64})
        self.assertEqual(status, 503, body)
        self.assertEqual(self.quota(), written)
        self.assertEqual([one["id"] for one in self.manager.leases()], [lease["id"]])
        os.remove(os.path.join(self.inside, "filler"))
        self.assertEqual(self.manager.ask("PUT", "/v1/settings", {"quota": 3}), (200, self.manager.ask("GET", "/v1/settings")[1]))
        self.assertEqual(self.quota(), 3)
        self.manager.lease(memory_mib=64)
        self.assertEqual(len(self.manager.leases()), 2)
        self.assertEqual(self.manager.free(), [1024 - 128])

    def programs(self):
        """Runs WRITES for each number that it is told, all under one lease: with a full disk there is no other."""
        preload = ["%s=%s" % pair for pair in sanitizer_first().items()]
        process = self.start_cli("run", "-n", "1", "-m", "64", "--", "env", "BITFUSION_LINK=tcp", *preload, "sh", "-c",
                                 'while read number; do "$@" $number; done', "sh", sys.executable, "-c", WRITES)

        def write(number):
            process.stdin.write(b"%d\n" % number)
            process.stdin.flush()
            self.assertEqual(process.stdout.readline(), b"%d\n" % number)
        return write

    def images(self):
        return sorted(name for name in os.listdir(os.path.join(self.inside, "images")) if name != "key")

    def test_code_images_are_sent_when_they_cannot_be_kept(self):
        write = self.programs()
        write(7)
        wait_until(lambda: len(self.images()) == 1 and not self.images()[0].startswith("new-"), "the first image is kept")
        first = self.images()
        self.fill()
        write(8)
        wait_until(lambda: "cannot write into the cache of code images" in self.manager.log(), "the log says so")
        self.assertIn("No space left on device", self.manager.log())
        wait_until(lambda: self.images() == first, "nothing is left of the other")
        write(7)
        os.remove(os.path.join(self.inside, "filler"))
        write(8)
        wait_until(lambda: len(self.images()) == 2, "now there is room")


# Loads a kernel of much text that writes the number of its argument, runs it, and says what it wrote.
WRITES = r'''
import ctypes, sys
cuda = ctypes.CDLL("libcuda.so.1")
def do(name, *arguments):
    code = getattr(cuda, name)(*arguments)
    assert code == 0, (name, code)
context, module, kernel, address = (ctypes.c_void_p() for _ in range(4))
text = """.version 6.4
.target sm_52
.address_size 64
.visible .entry put(.param .u64 p) {
.reg .b32 %%r<2>; .reg .b64 %%rd<2>;
ld.param.u64 %%rd1, [p]; mov.u32 %%r1, %s; st.global.u32 [%%rd1], %%r1; ret; }
""" % sys.argv[1] + "// longer than what is sent without asking\n" * 5000
do("cuInit", 0)
do("cuDevicePrimaryCtxRetain", ctypes.byref(context), 0)
do("cuCtxSetCurrent", context)
do("cuModuleLoadData", ctypes.byref(module), text.encode())
do("cuModuleGetFunction", ctypes.byref(kernel), module, b"put")
do("cuMemAlloc_v2", ctypes.byref(address), ctypes.c_size_t(4))
do("cuLaunchKernel", kernel, 1, 1, 1, 1, 1, 1, 0, None, (ctypes.c_void_p * 1)(ctypes.addressof(address)), None)
back = ctypes.c_uint32()
do("cuMemcpyDtoH_v2", ctypes.byref(back), address, ctypes.c_size_t(4))
print(back.value)
'''


class DamagedDatabase(WithManager):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="bitfusion-damage-")
        self.addCleanup(folder.cleanup)
        self.state = folder.name
        manager = Manager("--software-gpus", "1", state=self.state)
        self.addCleanup(manager.close)
        self.assertEqual(manager.ask("PUT", "/v1/settings", {"quota": 5})[0], 200)
        self.assertEqual(manager.stop(), 0)
        self.database = os.path.join(self.state, "pool.db")
        shutil.copy(self.database, self.database + ".good")

    def damage(self, at, to):
        shutil.copy(self.database + ".good", self.database)
        with open(self.database, "r+b") as out:
            out.seek(at)
            out.write(to)
        with open(self.database, "rb") as damaged:
            return damaged.read()

    def test_each_damage_is_refused_with_what_to_do(self):
        with open(self.database, "rb") as good:
            content = good.read()
        record = content.index(b'"quota_millionths"')
        for at, to in ((0, b"no database"), (record, b'"quota_millionthx"'), (len(content) // 2, b"\xff" * 4096)):
            damaged = self.damage(at, to)
            if damaged == content:
                continue
            line = refused_start("--backend", "soft", "--state-dir", self.state)
            self.assertIn("restore", line, at)
            with open(self.database, "rb") as left:
                self.assertEqual(left.read(), damaged, "nothing of it was changed")
        os.replace(self.database + ".good", self.database)
        again = Manager("--software-gpus", "1", state=self.state)
        self.addCleanup(again.close)
        self.assertEqual(again.ask("GET", "/v1/settings")[1]["quota"], 5)


class EtcdThatHangs(WithCluster):
    """All of its nodes do."""
    servers = 1
    etcd_nodes = 3

    def signal_nodes(self, number):
        for node in self.etcd.nodes:
            node.send_signal(number)

    def test_the_manager_answers_while_its_store_does_not(self):
        lease = self.manager.lease(memory_mib=64)
        self.addCleanup(self.signal_nodes, signal.SIGCONT)
        self.signal_nodes(signal.SIGSTOP)
        begun = time.monotonic()
        status, body = self.manager.ask("PUT", "/v1/settings", {"quota": 5})
        # About one second, where three nodes one after another would have had three each.
        self.assertLess(time.monotonic() - begun, 5)
        self.assertEqual(status, 503)
        self.assertIn("does not answer", body["error"])
        slowest = 0
        for _ in range(60):
            begun = time.monotonic()
            status, health = self.manager.ask("GET", "/v1/health")
            self.assertEqual(status, 200)
            slowest = max(slowest, time.monotonic() - begun)
            select.select([], [], [], 0.05)
        self.assertLess(slowest, 1.5)
        self.assertEqual([one["id"] for one in self.manager.leases()], [lease["id"]])
        self.signal_nodes(signal.SIGCONT)
        wait_until(lambda: self.manager.ask("PUT", "/v1/settings", {"quota": 6})[0] == 200, "the store is used again", 40)
        self.assertEqual(self.manager.ask("GET", "/v1/settings")[1]["quota"], 6)

    def test_who_has_time_waits_until_the_pool_answers(self):
        self.addCleanup(self.signal_nodes, signal.SIGCONT)
        self.signal_nodes(signal.SIGSTOP)
        hurried = self.start_cli("run", "-n", "1", "-m", "64", "-t", "0", "--", "true")
        patient = self.start_cli("run", "-n", "1", "-m", "64", "-t", "120", "--", "echo", "ran")
        said = b""
        while b"for the pool to answer" not in said:
            line = patient.stderr.readline()
            self.assertTrue(line, said)
            said += line
        self.assertIn(b"does not answer", said)
        out, errors = hurried.communicate(timeout=DEADLINE)
        self.assertNotEqual(hurried.returncode, 0)
        self.assertIn(b"does not answer", errors)
        self.assertNotIn(b"Waiting", errors)
        self.signal_nodes(signal.SIGCONT)
        out, errors = patient.communicate(timeout=2 * DEADLINE)
        self.assertEqual((patient.returncode, out), (0, b"ran\n"), errors)


if __name__ == "__main__":
    unittest.main()
