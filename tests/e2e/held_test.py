"""From the grant to the first use: servers that die in between, and clients that do."""
import re
import threading

from cluster import *


class Relay:
    """Stands between a client and a manager, one request a connection, and passes on all but what `told` decides:
    "drop" closes the connection, "keep" answers nothing for as long as the client waits, "mute" passes the request on and
    answers nothing either."""

    def __init__(self, manager, told):
        self.target = manager.address("control")
        self.told = told
        self.kept = threading.Event()  # something is kept waiting
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self.listener.getsockname()[1]
        self.open = [self.listener]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client = self.listener.accept()[0]
            except OSError:
                return
            self.open.append(client)
            threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, client):
        try:
            head = client.recv(65536)
            decision = self.told(head.split(b"\r\n", 1)[0].decode())
            if decision == "drop":
                client.close()
                return
            if decision == "keep":
                self.kept.set()
                return
            server = socket.create_connection(self.target, DEADLINE)
            self.open.append(server)
            server.settimeout(None)
            server.sendall(head)
            if decision == "mute":
                self.kept.set()
                self.pump(client, server)
                return
            threading.Thread(target=self.pump, args=(client, server), daemon=True).start()
            self.pump(server, client)
        except OSError:
            client.close()

    @staticmethod
    def pump(source, sink):
        try:
            while True:
                data = source.recv(65536)
                if not data:
                    break
                sink.sendall(data)
        except OSError:
            pass
        for end in (source, sink):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def close(self):
        for one in self.open:
            one.close()


def on(pattern, decision):
    return lambda line: decision if re.match(pattern, line) else "pass"


class ServerThatDied(WithCluster):
    """One that the pool still takes for alive: it does so for 15 s, which is long for what a test does then."""

    def setUp(self):
        super().setUp()
        self.alive = self.managers[self.leader()]
        self.dead = self.managers[1 - self.leader()]
        self.id_of_dead = self.dead.ask("GET", "/v1/server")[1]["id"]
        # Parts of GPUs go where the fewest GPUs are untouched: to this one, from now on.
        self.dead.lease(memory_mib=64, persistent=True, servers=[self.id_of_dead])
        self.dead.process.kill()
        self.dead.process.wait()

    def run_part(self, *flags):
        return self.run_cli("run", "-n", "1", "-m", "64", *flags, "--", "echo", "ran",
                            environment={"BITFUSION_SERVERS": self.alive.control})

    def on_the_dead(self):
        status, body = self.alive.ask("GET", "/v1/sessions")
        self.assertEqual(status, 200, body)
        return [lease for lease in body["sessions"] if lease["server"] == self.id_of_dead and not lease["persistent"]]

    def warnings(self, text):
        return [line for line in text.splitlines() if line.startswith("[WARN]")]

    def test_a_run_goes_to_another_server_and_gives_back_what_it_had(self):
        result = self.run_part()
        self.assertEqual((result.returncode, result.stdout), (0, "ran\n"), result.stderr)
        warning, = self.warnings(result.stderr)
        self.assertRegex(warning, r"the GPUs of server %s are given back \(cannot reach server %s: Connection refused\) and asked "
                         "for again without that server$" % (self.dead.control, self.dead.control))
        self.assertIn("Server List: %s\n" % self.alive.control, result.stderr)
        self.assertNotIn("Server List: %s\n" % self.dead.control, result.stderr)
        self.assertEqual([lease["state"] for lease in self.on_the_dead()], ["ending"])
        wait_until(lambda: not self.alive.leases(), "nothing is left where it ran")

    def test_with_nobody_else_it_fails_once_and_says_why(self):
        result = self.run_part("--filter", "server.addr=" + self.dead.control, "-t", "1")
        self.assertEqual((result.returncode, result.stdout), (1, ""), result.stderr)
        self.assertEqual(len(self.warnings(result.stderr)), 1, result.stderr)
        self.assertIn("cannot reach server " + self.dead.control, result.stderr)
        self.assertIn("no GPU of the pool passes the filters", result.stderr.splitlines()[-1])
        self.assertEqual([lease["state"] for lease in self.on_the_dead()], ["ending"])

    def test_it_waits_for_the_others_no_longer_than_it_was_told(self):
        blocking = self.alive.lease(memory_mib=1024)
        result = self.run_part("-t", "3")
        self.assertEqual(result.returncode, 1, result.stderr)
        self.assertRegex(result.stderr, "Waiting up to [123] s for GPUs")
        self.assertEqual(len(self.warnings(result.stderr)), 1, result.stderr)
        waiter = self.start_cli("run", "-n", "1", "-m", "64", "-l", self.alive.control + ";" + self.dead.control, "--", "echo", "ran")
        for line in waiter.stderr:
            if b"Waiting up to" in line:
                break
        self.assertEqual(self.alive.ask("DELETE", "/v1/leases/" + blocking["id"])[0], 200)
        self.assertEqual(waiter.communicate(timeout=DEADLINE)[0], b"ran\n")


class PoolsOfOne(WithManager):
    """Two pools, each of one server: the first is asked first, and cannot be held."""

    arguments = ("--software-gpus", "1", "--software-memory", "1GiB")

    def setUp(self):
        super().setUp()
        self.second = Manager(*self.arguments)
        self.addCleanup(self.second.close)

    def relayed(self, decision):
        relay = Relay(self.manager, on("GET /v1/leases/[^/]+/hold ", decision))
        self.addCleanup(relay.close)
        return relay

    def test_the_next_pool_is_asked(self):
        relay = self.relayed("drop")
        result = self.run_cli("run", "-n", "1", "--", "echo", "ran",
                              environment={"BITFUSION_SERVERS": relay.address + ";" + self.second.control})
        self.assertEqual((result.returncode, result.stdout), (0, "ran\n"), result.stderr)
        self.assertIn("Server List: %s\n" % self.second.control, result.stderr)
        self.assertEqual(result.stderr.count("asked for again without that server"), 1, result.stderr)
        for manager in (self.manager, self.second):
            wait_until(lambda manager=manager: manager.free() == [1024], "all is given back")

    def test_without_a_next_it_is_an_error_and_nothing_is_left(self):
        relay = self.relayed("drop")
        result = self.run_cli("run", "-n", "1", "--", "echo", "ran", environment={"BITFUSION_SERVERS": relay.address})
        self.assertEqual((result.returncode, result.stdout), (1, ""), result.stderr)
        self.assertNotIn("asked for again", result.stderr)
        self.assertIn("server %s does not answer like a bitfusion manager" % relay.address, result.stderr.splitlines()[-1])
        self.wait_for_no_lease()


class RequestGpus(WithManager):
    """It holds its lease until the session file is there, and nothing is left of one that dies before."""

    def setUp(self):
        super().setUp()
        scratch = tempfile.TemporaryDirectory(prefix="bitfusion-e2e-")
        self.addCleanup(scratch.cleanup)
        self.folder = scratch.name
        self.file = os.path.join(self.folder, "session")

    def killed_at(self, pattern, decision):
        """The lease of a request_gpus that is killed while it waits for the answer to such a request."""
        relay = Relay(self.manager, on(pattern, decision))
        self.addCleanup(relay.close)
        process = subprocess.Popen([BITFUSION, "request_gpus", "-n", "1", "-f", self.file], stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   env=clean_environment(BITFUSION_SERVERS=relay.address))
        self.assertTrue(relay.kept.wait(DEADLINE), self.manager.log())
        wait_until(lambda: self.manager.leases()[0]["held"], "its lease is held")
        lease, = self.manager.leases()
        process.kill()
        output = process.communicate(timeout=DEADLINE)[0]
        self.assertEqual(output, b"")
        return lease

    def test_killed_before_the_file_is_written(self):
        lease = self.killed_at("GET /v1/leases/[^/]+/hold ", "mute")
        self.assertFalse(lease["persistent"])
        self.assertEqual(os.listdir(self.folder), [])
        self.wait_for_no_lease()

    def test_killed_when_the_file_is_written_and_nobody_knows(self):
        lease = self.killed_at("PUT /v1/leases/", "keep")
        self.assertFalse(lease["persistent"])
        self.wait_for_no_lease()
        self.assertEqual(os.listdir(self.folder), ["session"])
        # What is left of it is taken away as usual, and makes room for the next.
        result = self.run_cli("release_gpus", "-f", self.file)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(os.listdir(self.folder), [])

    def test_what_is_written_stays_and_lives_without_anybody(self):
        result = self.run_cli("request_gpus", "-n", "1", "-f", self.file)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(os.listdir(self.folder), ["session"])
        wait_until(lambda: not self.manager.leases()[0]["held"], "nobody holds it")
        self.assertTrue(self.manager.leases()[0]["persistent"])
        # Another request notices that the connection was closed at the latest.
        self.assertEqual(self.run_cli("run", "-n", "1", "--", "true").returncode, 0)
        self.assertEqual(len(self.manager.leases()), 1)
        self.assertEqual(self.run_cli("release_gpus", "-f", self.file).returncode, 0)
        self.assertEqual(self.manager.leases(), [])

    def test_no_file_no_gpus(self):
        taken = os.path.join(self.folder, "taken")
        with open(taken, "w") as out:
            out.write("mine")
        os.mkfifo(os.path.join(self.folder, "fifo"))
        for path, why in ((taken, "File exists"), (os.path.join(self.folder, "fifo"), "File exists"),
                          (os.path.join(self.folder, "no", "folder"), "No such file or directory"),
                          (os.path.join(taken, "file"), "Not a directory")):
            result = self.run_cli("request_gpus", "-n", "1", "-f", path)
            self.assertEqual((result.returncode, result.stdout), (1, ""), result.stderr)
            self.assertIn("cannot write the session file %s: %s; name another with --file" % (path, why), result.stderr)
            self.wait_for_no_lease()
        with open(taken) as back:
            self.assertEqual(back.read(), "mine")
        self.assertEqual(sorted(os.listdir(self.folder)), ["fifo", "taken"])

    def test_a_server_that_cannot_write_it_down_keeps_nothing(self):
        relay = Relay(self.manager, on("PUT /v1/leases/", "drop"))
        self.addCleanup(relay.close)
        result = self.run_cli("request_gpus", "-n", "1", "-f", self.file, environment={"BITFUSION_SERVERS": relay.address})
        self.assertEqual((result.returncode, result.stdout), (1, ""), result.stderr)
        self.assertEqual(os.listdir(self.folder), [])
        self.wait_for_no_lease()

    def test_only_that_one_change_of_a_lease(self):
        lease = self.manager.lease(memory_mib=64)["id"]
        for body in ({}, {"persistent": False}, {"persistent": 1}, {"persistent": True, "hold": False}, []):
            self.assertEqual(self.manager.ask("PUT", "/v1/leases/" + lease, body)[0], 400, body)
        self.assertFalse(self.manager.leases()[0]["persistent"])
        self.assertEqual(self.manager.ask("PUT", "/v1/leases/" + lease, {"persistent": True})[0], 200)
        self.assertTrue(self.manager.leases()[0]["persistent"])
        self.assertEqual(self.manager.ask("DELETE", "/v1/leases/" + lease)[0], 200)
        self.assertEqual(self.manager.ask("PUT", "/v1/leases/" + lease, {"persistent": True})[0], 404)


class RequestGpusOfAnyServer(WithCluster):
    def test_each_server_keeps_what_it_has(self):
        for number, manager in enumerate(self.managers):
            path = os.path.join(self.states.name, "session%d" % number)
            result = self.run_cli("request_gpus", "-n", "1", "-f", path, "--filter", "server.addr=" + manager.control,
                                  environment={"BITFUSION_SERVERS": self.managers[1 - number].control})
            self.assertEqual(result.returncode, 0, result.stderr)
            wait_until(lambda manager=manager: not manager.leases()[0]["held"], "nobody holds it")
            self.assertTrue(manager.leases()[0]["persistent"])
            rows = self.managers[self.leader()].ask("GET", "/v1/sessions")[1]["sessions"]
            self.assertTrue(all(row["persistent"] and row["state"] == "active" for row in rows), rows)
            self.assertEqual(len(rows), number + 1)
        for number in range(2):
            result = self.run_cli("release_gpus", "-f", os.path.join(self.states.name, "session%d" % number))
            self.assertEqual(result.returncode, 0, result.stderr)
        for manager in self.managers:
            self.assertEqual(manager.leases(), [])


if __name__ == "__main__":
    unittest.main(verbosity=2)
