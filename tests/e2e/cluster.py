"""A pool of several servers on loopback: real managers that share a real etcd of several nodes."""
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import urllib.request

from harness import *

ETCD = shutil.which("etcd")


def free_ports(count):
    """Below the range from which the kernel takes ports for connections: nobody else takes them meanwhile."""
    with open("/proc/sys/net/ipv4/ip_local_port_range") as limits:
        low = int(limits.read().split()[0])
    ports = []
    candidate = low - 1 - os.getpid() * 37 % 8000
    while len(ports) < count:
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", candidate))
                ports.append(candidate)
            except OSError:
                pass
        candidate -= 1
    return ports


class Etcd:
    """Nodes that can be killed and started again with what they had."""

    def __init__(self, count):
        self.folder = tempfile.TemporaryDirectory(prefix="bitfusion-etcd-")
        ports = free_ports(2 * count)
        self.endpoints = ["http://127.0.0.1:%d" % port for port in ports[:count]]
        self.peers = ["http://127.0.0.1:%d" % port for port in ports[count:]]
        self.nodes = [None] * count
        for node in range(count):
            self.start(node)
        for node in range(count):
            wait_until(lambda node=node: self.serves(node), "etcd node %d serves" % node)

    def start(self, node):
        cluster = ",".join("m%d=%s" % pair for pair in enumerate(self.peers))
        with open(os.path.join(self.folder.name, "log%d" % node), "ab") as log:
            self.nodes[node] = subprocess.Popen(
                [ETCD, "--name=m%d" % node, "--data-dir=" + os.path.join(self.folder.name, "data%d" % node),
                 "--listen-client-urls=" + self.endpoints[node], "--advertise-client-urls=" + self.endpoints[node],
                 "--listen-peer-urls=" + self.peers[node], "--initial-advertise-peer-urls=" + self.peers[node],
                 "--initial-cluster=" + cluster], stdout=log, stderr=log)

    def serves(self, node):
        try:
            with urllib.request.urlopen(self.endpoints[node] + "/health", timeout=2) as answer:
                return b"true" in answer.read()
        except OSError:
            return False

    def kill(self, node):
        self.nodes[node].kill()
        self.nodes[node].wait()

    def close(self):
        for node in range(len(self.nodes)):
            self.kill(node)
        self.folder.cleanup()


class WithCluster(WithManager):
    """`servers` managers of one pool. Insecure: what is tested here is not who somebody is."""

    servers = 2
    etcd_nodes = 1
    arguments = ("--software-gpus", "1", "--software-memory", "1GiB", "--auto-release-timeout", "5s")

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        if ETCD is None:
            raise unittest.SkipTest("SKIPPED, NOT TESTED: etcd is not installed (Debian package etcd-server)")

    def setUp(self):
        self.etcd = Etcd(self.etcd_nodes)
        self.addCleanup(self.etcd.close)
        self.managers = []
        self.states = tempfile.TemporaryDirectory(prefix="bitfusion-states-")
        self.addCleanup(self.states.cleanup)
        self.ports = free_ports(2 * self.servers + 20)[20:]
        for number in range(self.servers):
            self.managers.append(self.start_manager(number))
            self.addCleanup(lambda number=number: self.managers[number].close())
        self.manager = self.managers[0]
        wait_until(lambda: len(self.up()) == self.servers, "all servers are in the pool")

    def start_manager(self, number):
        return Manager(*self.arguments, "--etcd", ",".join(self.etcd.endpoints),
                       listen_on=self.ports[2 * number:2 * number + 2],
                       state=os.path.join(self.states.name, str(number)))

    def up(self):
        for manager in self.managers:
            if manager.process.poll() is not None:
                continue
            status, answer = manager.ask("GET", "/v1/servers")
            if status == 200:
                return [server for server in answer["servers"] if server["up"]]
        return []

    def leader(self):
        for number, manager in enumerate(self.managers):
            if manager.process.poll() is None and manager.ask("GET", "/v1/server")[1]["leader"]:
                return number
        return None

    def all_servers(self):
        return ";".join(manager.control for manager in self.managers)

    def kill(self, number):
        self.managers[number].process.send_signal(signal.SIGKILL)
        self.managers[number].process.wait()


__all__ = [name for name in dir() if not name.startswith("_")]
