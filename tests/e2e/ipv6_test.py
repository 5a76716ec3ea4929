"""IPv6 from end to end: a server that listens on it, clients that name it in each way, programs whose calls travel over it, and
measurements of every pair of interfaces with either kind of address."""
import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

from harness import *
from identity_test import Secure
from nvml_test import CUDA, sanitizer_first

COMPUTES = "import ctypes, sys\n" + CUDA + "start(1)\ncount_to(10)\nprint('counted')\n"


class OverIpv6(WithManager):
    arguments = ("--listen", "::1", "--software-gpus", "1", "--software-memory", "4GiB")

    def setUp(self):
        super().setUp()
        self.assertTrue(self.manager.control.startswith("[::1]:"), self.manager.control)
        self.port = self.manager.address("control")[1]

    def test_a_program_computes(self):
        # Over the network: on one machine it would go through shared memory.
        result = self.run_cli("run", "-n", "1", "--", "env", "BITFUSION_LINK=tcp", "BITFUSION_STATS=1", *sanitizer_first(),
                              sys.executable, "-c", COMPUTES)
        self.assertEqual((result.returncode, result.stdout), (0, "counted\n"), result.stderr)
        self.assertIn("Server List: [::1]:%d\n" % self.port, result.stderr)

    def test_every_form_of_the_list(self):
        forms = ("[::1]:%d\n" % self.port, "::1 %d\n" % self.port, "[0:0:0:0:0:0:0:1] %d\n" % self.port,
                 "servers:\n- reachable: \"[::1]:%d\"\n  addresses: [\"[::1]:%d\"]\n" % (self.port, self.port),
                 "servers:\n- addresses: [\"127.0.0.1:1\", \"[::1]:%d\"]\n" % self.port)
        with tempfile.TemporaryDirectory() as folder:
            for text in forms:
                path = os.path.join(folder, "servers.conf")
                with open(path, "w") as out:
                    out.write(text)
                result = self.run_cli("list_gpus", "-s", path)
                self.assertEqual(result.returncode, 0, text + result.stderr)
                self.assertIn("|- GPU [0]: free memory (4096 / 4096MiB)", result.stdout)
        result = self.run_cli("smi", "-l", "[::1]:%d" % self.port)
        self.assertRegex(result.stdout, r"\| \[::1\]:%d +Driver Version" % self.port)

    def test_wrong_forms_say_the_right_one(self):
        for text in ("[::1", "[::1]x:1", "[::1]:", "[::1]:0", "[::1]:65536", "[::g]:1", "[10.0.0.1]:1", ":::"):
            result = self.run_cli("list_gpus", "-l", text)
            self.assertEqual(result.returncode, 1, text)
            self.assert_one_line(result.stderr, "--server_list: '" + text + "'", "10.0.0.7:56001")

    def test_a_session_of_several_commands(self):
        with tempfile.TemporaryDirectory() as folder:
            file = os.path.join(folder, "session")
            for arguments in (("request_gpus", "-n", "1", "-m", "64", "--file", file), ("client", "-f", file, "--", "true"),
                              ("release_gpus", "-f", file)):
                result = self.run_cli(*arguments)
                self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(self.manager.leases(), [])

    def test_nobody_is_there(self):
        result = self.run_cli("list_gpus", "-l", "[::1]:1")
        self.assertEqual(result.returncode, 1)
        self.assert_one_line(result.stderr, "cannot reach server [::1]:1: Connection refused")

    def test_the_network_is_measured(self):
        result = self.run_cli("net_perf")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertRegex(result.stdout.splitlines()[2],
                         r"^\[ \S+\] lo => \[::1\] lo \( tcp\) Single packet lat = \d+ us, bw\(1MB\) = \d+\.\d\d GB/s$")
        self.assertEqual(len(result.stdout.splitlines()), 3)


class SecureOverIpv6(Secure):
    arguments = ("--listen", "::1", "--software-gpus", "1", "--software-memory", "4GiB")

    def test_a_bundle_names_the_server(self):
        folder, _ = self.client("six")
        with open(os.path.join(folder, "servers.conf")) as conf:
            self.assertIn("[::1]:", conf.read())
        with tempfile.TemporaryDirectory() as home:
            os.rename(folder, os.path.join(home, ".bitfusion"))
            environment = clean_environment(HOME=home)
            for arguments in (("list_gpus",), ("net_perf",), ("run", "-n", "1", "--", "env", "BITFUSION_LINK=tcp",
                                                              *sanitizer_first(), sys.executable, "-c", COMPUTES)):
                result = subprocess.run([BITFUSION, *arguments], capture_output=True, text=True, env=environment, timeout=DEADLINE)
                self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(result.stdout, "counted\n")


# A network of its own with two interfaces: the first has two addresses of one subnet and one of IPv6, the second one of each.
NETWORK = """set -e
ip link set lo up
ip link add one type veth peer name two
ip link set one up
ip link set two up
ip addr add 10.77.1.1/24 dev one
ip addr add 10.77.1.2/24 dev one
ip addr add 10.77.2.1/24 dev two
ip -6 addr add fd00:77:1::1/64 dev one nodad
ip -6 addr add fd00:77:2::1/64 dev two nodad
"""
MEASURES = """
import sys
sys.path.insert(0, sys.argv[1])
from harness import *
import tempfile
with tempfile.TemporaryDirectory() as state:
    where = ("--listen", sys.argv[2], "--advertise", "10.77.1.1")
    subprocess.run([BITFUSION, "init", "--state-dir", state, "--client-dir", state + "/admin", *where], check=True, stdout=sys.stderr, env=clean_environment())
    manager = Manager(*where, "--software-gpus", "1", secure=True, state=state)
    try:
        shown = subprocess.run([BITFUSION, "net_perf", "--json"], check=True, stdout=subprocess.PIPE, timeout=DEADLINE,
                               env=clean_environment(BITFUSION_SERVERS="10.77.1.1:%d" % manager.address("control")[1],
                                                     BITFUSION_CLIENT_DIR=manager.client_dir))
        sys.stdout.write(shown.stdout.decode())
    finally:
        manager.close()
"""


class EveryPair(unittest.TestCase):
    def setUp(self):
        if not shutil.which("ip") or subprocess.run(["unshare", "--net", "sh", "-c", NETWORK], capture_output=True).returncode != 0:
            self.skipTest("SKIPPED, NOT TESTED: a network of its own with interfaces of its own is not to be had; run as root, "
                          "with ip (package iproute2)")

    def pairs(self, listen):
        here = os.path.dirname(os.path.abspath(__file__))
        ran = subprocess.run(["unshare", "--net", "sh", "-c", NETWORK + 'exec "$@"', "sh", sys.executable, "-c", MEASURES, here,
                              listen], capture_output=True, text=True, timeout=3 * DEADLINE)
        self.assertEqual(ran.returncode, 0, ran.stderr)
        pairs = json.loads(ran.stdout)["servers"][0]["pairs"]
        for pair in pairs:
            self.assertGreater(pair["latency_1mb_us"], pair["latency_us"], pair)
        return sorted((pair["client_interface"], pair["server_interface"], pair["server_ip"]) for pair in pairs)

    def test_both_kinds_of_addresses(self):
        self.assertEqual(self.pairs("::"), sorted(
            [("one", "one", "10.77.1.1"), ("one", "one", "10.77.1.2")] * 2 +
            [("two", "two", "10.77.2.1"), ("one", "one", "fd00:77:1::1"), ("two", "two", "fd00:77:2::1")]))

    def test_ipv4_alone(self):
        self.assertEqual(self.pairs("0.0.0.0"), sorted(
            [("one", "one", "10.77.1.1"), ("one", "one", "10.77.1.2")] * 2 + [("two", "two", "10.77.2.1")]))

    def test_one_address(self):
        self.assertEqual(self.pairs("10.77.1.1"), [("one", "one", "10.77.1.1")] * 2)


if __name__ == "__main__":
    unittest.main(verbosity=2)
