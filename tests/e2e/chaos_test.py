"""Three servers, an etcd of three nodes, forty clients, and something killed every second: kill -9 of a client, its
program, a worker, a server's daemon or a node of etcd. What and whom is drawn from a seed.

An auditor reads the pool's records from etcd all the time: no part of a GPU may be given twice. A program that ends by
itself must have the right answers, and one may only fail that was touched: it was killed, or its server's daemon or a
worker there was. At the end nothing may be lost: all memory is free again.

    chaos_test.py [--seconds 60] [--seed 1] [--clients 40]
"""
import argparse
import base64
import random
import sys
import time

from cluster import *

PROGRAM = os.path.join(os.path.dirname(os.path.abspath(__file__)), "chaos_program.py")
LIBRARY = os.path.join(BUILD, "lib", "bitfusion", "cuda", "libcuda.so.1")
OPTIONS = argparse.Namespace(seconds=60, seed=1, clients=40)


def encoded(text):
    return base64.b64encode(text.encode()).decode()


def records(endpoints):
    """All of the pool at one moment, by kind and id; None when no node answers."""
    body = json.dumps({"key": encoded("/bitfusion/pool/"), "range_end": encoded("/bitfusion/pool0")}).encode()
    for endpoint in endpoints:
        try:
            with urllib.request.urlopen(endpoint + "/v3/kv/range", body, timeout=2) as answer:
                found = {"server": {}, "client": {}, "claim": {}, "lease": {}}
                for pair in json.load(answer).get("kvs", []):
                    kind, _, name = base64.b64decode(pair["key"]).decode()[len("/bitfusion/pool/"):].partition("/")
                    if kind in found:
                        found[kind][name] = json.loads(base64.b64decode(pair["value"]))
                return found
        except OSError:
            continue
    return None


def audit(found):
    """What is wrong with the records; an empty list when nothing is."""
    wrong = []
    room = {}
    for name, server in found["server"].items():
        for gpu in server["gpus"]:
            room[name, gpu["ordinal"]] = gpu["memory_mib"]
    for name, lease in found["lease"].items():
        if lease["server"] not in found["server"] or lease["client"] not in found["client"]:
            wrong.append("lease %s is of a server or client that is not there" % name)
        for part in lease["parts"]:
            gpu = lease["server"], part["ordinal"]
            room[gpu] = room.get(gpu, 0) - part["memory_mib"]
            if room[gpu] < 0:
                wrong.append("GPU %s of server %s is given away %d MiB more than it has" % (gpu[1], gpu[0], -room[gpu]))
    return wrong


class Client:
    def __init__(self, case, number, chance):
        self.number = number
        self.began = time.monotonic()
        self.touched = False
        self.errors = open(os.path.join(case.logs.name, "client%d" % number), "w+")
        share = ["-p", "%.2f" % chance.uniform(0.05, 0.5)] if chance.random() < 0.5 else ["-m", str(chance.randint(16, 400))]
        servers = [manager.control for manager in case.managers]
        chance.shuffle(servers)
        self.words = ["run", "-n", "1" if chance.random() < 0.9 else "2", *share, "-t", "120", "--",
                      sys.executable, PROGRAM, str(number), str(chance.randint(4, 60))]
        self.process = subprocess.Popen([BITFUSION, *self.words], stdout=subprocess.PIPE, stderr=self.errors,
                                        env=clean_environment(BITFUSION_SERVERS=";".join(servers)))

    def said(self):
        self.errors.flush()
        with open(self.errors.name, errors="replace") as text:
            return text.read()

    def server(self):
        found = re.search(r"^Server List: (\S+)", self.said(), re.M)
        return found.group(1) if found else None

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()
        self.errors.close()


class Chaos(WithCluster):
    servers = 3
    etcd_nodes = 3
    arguments = ("--software-gpus", "2", "--software-memory", "1GiB", "--auto-release-timeout", "5s")

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        if not os.path.exists(LIBRARY):
            raise unittest.SkipTest("SKIPPED, NOT TESTED: %s does not exist" % LIBRARY)

    def setUp(self):
        super().setUp()
        self.logs = tempfile.TemporaryDirectory(prefix="bitfusion-chaos-")
        self.addCleanup(self.logs.cleanup)
        self.chance = random.Random(OPTIONS.seed)
        self.clients = []
        self.addCleanup(lambda: [client.close() for client in self.clients])
        self.started = 0
        self.counts = {}
        self.due = []  # (when, what to start again)
        self.down = set()
        self.audits = 0

    def count(self, what):
        self.counts[what] = self.counts.get(what, 0) + 1

    # -- what is done to them

    def touch(self, server=None):
        """A program on this server may fail now, and one that is only looking for a server."""
        for client in self.clients:
            at = client.server()
            if at is None or server is None or at == server:
                client.touched = True

    def kill_client(self):
        client = self.chance.choice(self.clients)
        client.touched = True
        client.process.kill()

    def kill_program(self):
        client = self.chance.choice(self.clients)
        for pid in children(client.process.pid):
            client.touched = True
            os.kill(pid, signal.SIGKILL)

    def kill_worker(self):
        manager = self.chance.choice(self.managers)
        workers = children(manager.pid) if manager.process.poll() is None else []
        if workers:
            self.touch(manager.control)
            os.kill(self.chance.choice(workers), signal.SIGKILL)

    def kill_daemon(self):
        number = self.chance.randrange(self.servers)
        if any(kind == "daemon" for kind, _ in self.down):
            return
        self.touch(self.managers[number].control)
        self.kill(number)
        self.down.add(("daemon", number))
        self.due.append((time.monotonic() + self.chance.uniform(0.5, 12), "daemon", number))

    def kill_etcd(self):
        number = self.chance.randrange(self.etcd_nodes)
        if any(kind == "etcd" for kind, _ in self.down):
            return
        self.etcd.kill(number)
        self.down.add(("etcd", number))
        self.due.append((time.monotonic() + self.chance.uniform(0.5, 6), "etcd", number))

    def start_again(self, everything=False):
        for entry in list(self.due):
            when, kind, number = entry
            if time.monotonic() < when and not everything:
                continue
            self.due.remove(entry)
            self.down.discard((kind, number))
            if kind == "etcd":
                self.etcd.start(number)
            elif not self.restart(number):
                self.down.add((kind, number))
                self.due.append((time.monotonic() + 1, kind, number))

    def restart(self, number):
        """False: etcd did not answer, and the service is to be tried again, as systemd does."""
        self.managers[number].close()
        try:
            self.managers[number] = self.start_manager(number)
        except AssertionError as error:
            if "does not answer" not in str(error):
                raise
            self.count("etcd did not answer")
            return False
        return True

    # -- what must hold

    def audit(self):
        found = records(self.etcd.endpoints)
        if found is None:
            return None
        self.audits += 1
        self.assertEqual(audit(found), [])
        return found

    def reap(self):
        for client in list(self.clients):
            if client.process.poll() is None:
                continue
            self.clients.remove(client)
            answer = client.process.stdout.read().decode().strip()
            self.assertNotIn("wrong", answer, client.said())
            if client.process.returncode == 0:
                self.assertEqual(answer, "right", client.said())
                self.count("right")
            else:
                self.assertTrue(client.touched, "nobody touched this client, and it failed (%s, %s): %s"
                                % (client.process.returncode, answer, client.said()))
                self.count("touched")
            client.close()

    def test_nothing_is_lost_or_given_twice(self):
        end = time.monotonic() + OPTIONS.seconds
        next_kill = time.monotonic() + 5
        deeds = [self.kill_client, self.kill_program, self.kill_worker, self.kill_daemon, self.kill_etcd]
        while time.monotonic() < end:
            self.start_again()
            for _ in range(min(4, OPTIONS.clients - len(self.clients))):
                self.started += 1
                self.clients.append(Client(self, self.started, self.chance))
            if time.monotonic() > next_kill:
                deed = self.chance.choice(deeds)
                deed()
                self.count(deed.__name__)
                next_kill = time.monotonic() + self.chance.uniform(0.3, 1.7)
            self.reap()
            self.audit()
            select.select([], [], [], 0.3)
        self.settle()
        print("chaos: seed %d, %d s, %d clients, %d audits, %s" % (
            OPTIONS.seed, OPTIONS.seconds, self.started, self.audits,
            ", ".join("%s %d" % pair for pair in sorted(self.counts.items()))), flush=True)
        self.assertGreater(self.counts.get("right", 0), 0)

    def settle(self):
        """Everything runs again, the rest of the clients end; then all memory must be free."""
        while self.due:
            self.start_again(everything=True)
        wait_until(lambda: len(self.up()) == self.servers, "all servers are in the pool again", 60)
        for client in self.clients[::2]:
            client.touched = True
            client.process.kill()

        def over():
            self.reap()
            return not self.clients
        wait_until(over, "all clients have ended", 180)

        def empty():
            found = self.audit()
            return found is not None and not found["lease"] and not found["claim"]
        wait_until(empty, "nothing is leased any more", 60)
        wait_until(lambda: all(manager.free() == [1024, 1024] for manager in self.managers), "all memory is free", 30)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=int, default=OPTIONS.seconds)
    parser.add_argument("--seed", type=int, default=OPTIONS.seed)
    parser.add_argument("--clients", type=int, default=OPTIONS.clients)
    parser.add_argument("-v", action="store_true")
    OPTIONS = parser.parse_args()
    unittest.main(argv=[sys.argv[0], "-v"])
