"""The manager: its ports, leases, workers, and what is left when somebody is killed."""
import concurrent.futures
import json
import os
import random
import re
import select
import signal
import socket
import struct
import subprocess
import tempfile
import unittest

from harness import *


class Leases(WithManager):
    def test_life_of_a_lease(self):
        lease = self.manager.lease(memory_mib=1024, client={"host": "h", "pid": 7, "user": "u", "program": "p"})
        self.assertRegex(lease["ticket"], "^[0-9a-f]{64}$")
        self.assertEqual(lease["data_address"], self.manager.data)
        self.assertEqual([device["memory_mib"] for device in lease["devices"]], [1024])
        listed = self.manager.leases()
        self.assertEqual([entry["id"] for entry in listed], [lease["id"]])
        self.assertEqual(listed[0]["client"], {"host": "h", "pid": 7, "user": "u", "program": "p"})
        self.assertNotIn(lease["ticket"], json.dumps(listed))
        self.assertEqual(self.manager.free(), [3072, 4096])
        self.assertEqual(self.manager.ask("DELETE", "/v1/leases/" + lease["id"])[0], 200)
        self.assertEqual(self.manager.ask("DELETE", "/v1/leases/" + lease["id"])[0], 404)
        self.assertEqual(self.manager.free(), [4096, 4096])

    def test_refusals_name_what_is_free(self):
        self.manager.lease(gpus=2, memory_mib=4000)
        status, body = self.manager.ask("POST", "/v1/leases", {"gpus": 1, "memory_mib": 97})
        self.assertEqual(status, 409)
        self.assertIn("no room now", body["error"])
        status, body = self.manager.ask("POST", "/v1/leases", {"gpus": 1, "memory_mib": 5000})
        self.assertEqual(status, 409)
        self.assertIn("4096", body["error"])

    def test_many_at_once_never_share_memory(self):
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            answers = list(pool.map(lambda _: self.manager.ask("POST", "/v1/leases", {"gpus": 1, "memory_mib": 1000}),
                                    range(32)))
        self.assertEqual(sorted(status for status, _ in answers), [201] * 8 + [409] * 24)
        self.assertEqual(len({body["ticket"] for status, body in answers if status == 201}), 8)
        self.assertEqual(self.manager.free(), [96, 96])

    def hold(self, lease):
        connection = self.connect("control")
        connection.sendall(b"GET /v1/leases/%s/hold HTTP/1.1\r\nHost: x\r\n\r\n" % lease["id"].encode())
        text = b""
        while b'{"state":"held"}' not in text:
            text += receive(connection, 1)
        return connection

    def test_a_closed_hold_ends_the_lease_at_once(self):
        lease = self.manager.lease(hold=True)
        connection = self.hold(lease)
        self.assertTrue(self.manager.leases()[0]["held"])
        self.assertEqual(self.manager.ask("GET", "/v1/leases/%s/hold" % lease["id"])[0], 409)
        connection.close()
        self.wait_for_no_lease(1)

    def test_the_hold_ends_with_the_lease(self):
        lease = self.manager.lease()
        connection = self.hold(lease)
        self.manager.ask("DELETE", "/v1/leases/" + lease["id"])
        text = b""
        while piece := connection.recv(4096):
            text += piece
        self.assertIn(b'"state":"ended"', text)
        self.assertIn(b'"reason":"released"', text)
        self.assertTrue(text.endswith(b"0\r\n\r\n"))

    def test_bytes_on_a_hold_end_it(self):
        connection = self.hold(self.manager.lease())
        connection.sendall(b"x")
        self.wait_for_no_lease(1)


class AutoRelease(WithManager):
    arguments = ("--auto-release-timeout", "1s")

    def test_a_lease_that_nobody_uses_ends(self):
        self.manager.lease()
        self.wait_for_no_lease()
        self.assertIn("its client was not heard of for 1 second", self.manager.log())


class Workers(WithManager):
    def workers(self):
        return children(self.manager.pid)

    def test_a_ticket_admits_and_a_worker_comes(self):
        lease = self.manager.lease(memory_mib=1024)
        self.open_session(lease["ticket"])
        pids = self.workers()
        self.assertEqual(len(pids), 1)
        self.assertEqual(os.getpgid(pids[0]), pids[0])
        self.open_session(lease["ticket"])
        self.assertEqual(self.manager.leases()[0]["workers"], 2)
        with open("/proc/%d/environ" % pids[0]) as environ:
            self.assertNotIn("BITFUSION_SESSION", environ.read())

    def test_a_worker_has_only_its_descriptors(self):
        lease = self.manager.lease()
        other = self.connect("control")
        other.sendall(b"GET /v1/leases/%s/hold HTTP/1.1\r\nHost: x\r\n\r\n" % lease["id"].encode())
        receive(other, 15)
        self.open_session(lease["ticket"])
        pid = self.workers()[0]
        folder = "/proc/%d/fd" % pid
        sockets = [fd for fd in os.listdir(folder) if os.readlink(os.path.join(folder, fd)).startswith("socket:")]
        self.assertEqual(sorted(sockets), ["3", "6"])  # its client, and where further connections of that client come

    def test_the_workers_end_with_the_lease(self):
        lease = self.manager.lease()
        connection = self.open_session(lease["ticket"])
        pid = self.workers()[0]
        self.assertEqual(self.manager.ask("DELETE", "/v1/leases/" + lease["id"])[0], 200)
        self.assertFalse(alive(pid))
        self.assertTrue(closed(connection))
        self.assertEqual(self.manager.free(), [4096, 4096])

    def test_a_stopped_worker_is_killed_after_two_seconds(self):
        lease = self.manager.lease()
        self.open_session(lease["ticket"])
        pid = self.workers()[0]
        freeze(pid)
        self.assertEqual(self.manager.ask("DELETE", "/v1/leases/" + lease["id"])[0], 200)
        self.assertFalse(alive(pid))
        self.assertIn("ignored SIGTERM", self.manager.log())

    def test_a_killed_worker_is_reaped_and_the_lease_goes_on(self):
        lease = self.manager.lease()
        connection = self.open_session(lease["ticket"])
        pid = self.workers()[0]
        os.kill(pid, signal.SIGKILL)
        self.assertTrue(closed(connection))
        wait_until(lambda: not self.workers(), "the worker is reaped")
        self.assertEqual(self.manager.counters()["workers_failed"], 1)
        self.open_session(lease["ticket"])

    def test_kill_9_of_the_client_frees_everything_within_a_second(self):
        process = self.start_cli("run", "-n", "2", "--", "sh", "-c", "echo $BITFUSION_SESSION $$; exec cat")
        session, program = process.stdout.readline().decode().split()
        connection = self.open_session(session.split("/")[1])
        worker = self.workers()[0]
        self.assertEqual(self.manager.free(), [0, 0])
        process.kill()
        wait_until(lambda: self.manager.free() == [4096, 4096], "the memory is back", 1)
        self.assertFalse(alive(worker))
        self.assertTrue(closed(connection))
        self.assertEqual(self.manager.leases(), [])
        if alive(int(program)):
            os.kill(int(program), signal.SIGKILL)

    def test_the_sessions_of_a_run_end_with_it(self):
        process = self.start_cli("run", "-n", "1", "--", "sh", "-c", "echo $BITFUSION_SESSION; read -r line")
        ticket = process.stdout.readline().decode().strip().split("/")[1]
        self.open_session(ticket)
        process.communicate(b"\n", DEADLINE)
        self.assertEqual(process.returncode, 0)
        self.assertEqual(self.workers(), [])
        late = self.connect("data")
        late.sendall(hello(ticket))
        refusal, text = welcome(late)
        self.assertEqual(refusal, 2)
        self.assertIn("bitfusion run", text)


class Ends(WithManager):
    def test_sigterm_ends_leases_and_workers(self):
        lease = self.manager.lease()
        connection = self.open_session(lease["ticket"])
        workers = children(self.manager.pid)
        self.assertEqual(len(workers), 1)
        self.assertEqual(self.manager.stop(), 0)
        self.assertFalse(alive(workers[0]))
        self.assertTrue(closed(connection))

    def test_nothing_is_granted_while_it_ends(self):
        lease = self.manager.lease()
        self.open_session(lease["ticket"])
        freeze(children(self.manager.pid)[0])
        request = b'{"gpus":1}'
        late = self.connect("control")
        late.sendall(b"GET /v1/health HTTP/1.1\r\nHost: x\r\n\r\n")
        self.assertIn(b"200 OK", late.recv(65536))
        self.manager.process.terminate()
        wait_until(lambda: "signal 15" in self.manager.log(), "the manager ends")
        late.sendall(b"POST /v1/leases HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                     b"Content-Length: %d\r\n\r\n%s" % (len(request), request))
        self.assertIn(b" 503 ", late.recv(65536))
        self.assertEqual(self.manager.process.wait(DEADLINE), 0)

    def test_sigint_too(self):
        self.manager.process.send_signal(signal.SIGINT)
        self.assertEqual(self.manager.process.wait(DEADLINE), 0)

    def test_kill_9_takes_the_workers_along(self):
        lease = self.manager.lease()
        connection = self.open_session(lease["ticket"])
        worker = children(self.manager.pid)[0]
        self.manager.process.kill()
        wait_until(lambda: not alive(worker), "the worker is gone")
        self.assertTrue(closed(connection))

    def test_a_run_outlives_its_manager_with_a_warning(self):
        process = self.start_cli("run", "-n", "1", "--", "sh", "-c", "echo up; read -r line; exit 6")
        self.assertEqual(process.stdout.readline(), b"up\n")
        self.manager.process.kill()
        for line in process.stderr:
            if b"[WARN]" in line and b"ended the session" in line:
                break
        process.communicate(b"\n", DEADLINE)
        self.assertEqual(process.returncode, 6)

    def test_a_port_in_use_is_an_error(self):
        result = subprocess.run([BITFUSION, "manager", "--insecure", "true", "--backend", "soft", "--control-port",
                                 self.manager.control.split(":")[1], "--data-port", "0"],
                                capture_output=True, text=True, env=clean_environment(), timeout=DEADLINE)
        self.assertEqual(result.returncode, 1)
        self.assert_one_line(result.stderr.splitlines(True)[-1], "Address already in use", "--control-port")

    def test_settings_file(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "m.yaml")
            with open(path, "w") as out:
                out.write("software-gpus: 3\nsoftware-memory: 1GiB\n")
            manager = Manager("--config", path)
            self.addCleanup(manager.close)
            self.assertEqual(manager.free(), [1024] * 3)
            with open(path, "w") as out:
                out.write("sofware-gpus: 3\n")
            result = subprocess.run([BITFUSION, "manager", "--config", path], capture_output=True, text=True,
                                    env=clean_environment(), timeout=DEADLINE)
            self.assertEqual(result.returncode, 1)
            self.assert_one_line(result.stderr, "unknown key 'sofware-gpus'")


class Hostile(WithManager):
    """Whatever comes to the ports: that connection ends, it is counted, and nobody else notices."""

    def tearDown(self):
        lease = self.manager.lease()
        self.open_session(lease["ticket"])
        self.assertEqual(self.manager.ask("DELETE", "/v1/leases/" + lease["id"])[0], 200)
        self.assertEqual(self.manager.stop(), 0)

    def throw(self, which, data, half_close=True):
        connection = self.connect(which)
        try:
            connection.sendall(data)
            if half_close:
                connection.shutdown(socket.SHUT_WR)
        except OSError:
            pass
        self.assertTrue(closed(connection), data[:32])

    def test_random_bytes_on_both_ports(self):
        generator = random.Random(1)
        for _ in range(100):
            data = generator.randbytes(generator.randrange(1, 20000))
            self.throw("data", data)
            self.throw("control", data)
        counters = self.manager.counters()
        self.assertEqual(counters["hello_malformed"], 100)
        self.assertEqual(counters["control_malformed"], 100)
        self.assertIn("does not speak the data protocol", self.manager.log())
        self.assertIn("not a proper request", self.manager.log())

    def test_every_cut_and_flip_of_a_hello(self):
        lease = self.manager.lease()
        whole = hello(lease["ticket"])
        for length in range(len(whole)):
            self.throw("data", whole[:length])
        generator = random.Random(2)
        for _ in range(200):
            data = bytearray(whole)
            data[generator.randrange(len(data))] ^= 1 << generator.randrange(8)
            self.throw("data", bytes(data))
        self.manager.ask("DELETE", "/v1/leases/" + lease["id"])
        wait_until(lambda: not children(self.manager.pid), "no worker is left")

    def test_refusals(self):
        lease = self.manager.lease()
        for data, number, part in ((hello(lease["ticket"], version=7), 1, "speaks protocol version 7, this server 1"),
                                   (hello("00" * 32), 2, "no lease has this ticket")):
            connection = self.connect("data")
            connection.sendall(data)
            refusal, text = welcome(connection)
            self.assertEqual(refusal, number)
            self.assertIn(part, text)
            self.assertTrue(closed(connection))
        counters = self.manager.counters()
        self.assertEqual((counters["hello_version"], counters["hello_ticket"]), (1, 1))
        self.manager.ask("DELETE", "/v1/leases/" + lease["id"])

    def test_a_hello_that_is_too_long_is_not_read(self):
        connection = self.connect("data")
        connection.sendall(struct.pack("<IHHI", HELLO, 1, 0, 0xFFFFFFFF))
        self.assertTrue(closed(connection))

    def test_silence_on_the_data_port_ends_after_the_deadline(self):
        connection = self.connect("data")
        connection.sendall(b"BF")
        self.assertTrue(closed(connection))
        self.assertEqual(self.manager.counters()["hello_timeouts"], 1)

    def test_a_name_with_line_ends_stays_a_name(self):
        lease = self.manager.lease()
        connection = self.connect("data")
        connection.sendall(hello(lease["ticket"], program=b"x\ndevices=1\n\xff"))
        self.assertEqual(welcome(connection)[0], 0)
        wait_until(lambda: "x?devices=1??" in self.manager.log(), "the harmless name is logged")
        self.manager.ask("DELETE", "/v1/leases/" + lease["id"])

    def test_requests_out_of_bounds(self):
        for data in (b"GET / HTTP/1.1\r\n" + b"A: " + b"x" * 9000 + b"\r\n\r\n",
                     b"POST /v1/leases HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n",
                     b"POST /v1/leases HTTP/1.1\r\nContent-Length: 70000\r\n\r\n" + b"x" * 70000,
                     b"POST /v1/leases HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n",
                     b"GET /v1/server HTTP/9.9\r\n\r\n", b"\r\n" * 5000, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"):
            self.throw("control", data)
        self.assertEqual(self.manager.leases(), [])

    def test_requests_that_are_wrong(self):
        for method, path, body, status in (("GET", "/nothing", None, 404), ("GET", "/v1/leases/", None, 404),
                                           ("GET", "/v1/leases/x/y", None, 404), ("PUT", "/v1/leases", "{}", 405),
                                           ("DELETE", "/v1/leases/../server", None, 404),
                                           ("GET", "/v1/leases/none/hold", None, 404),
                                           ("POST", "/v1/leases", "", 400), ("POST", "/v1/leases", "[" * 60000, 400),
                                           ("POST", "/v1/leases", {"gpus": 0}, 400),
                                           ("POST", "/v1/leases", {"gpus": 1, "memory_mib": 1, "fraction": 0.5}, 400),
                                           ("POST", "/v1/leases", {"gpus": 1, "fraction": 1.5}, 400)):
            answer, text = self.manager.ask(method, path, body)
            self.assertEqual(answer, status, (method, path, body))
            self.assertTrue(text["error"])
        status, _ = self.manager.ask("POST", "/v1/leases", '{"gpus":1}', {"Content-Type": "text/plain"})
        self.assertEqual(status, 415)
        self.assertEqual(self.manager.leases(), [])

    def test_openapi_is_served(self):
        status, document = self.manager.ask("GET", "/v1/openapi.json")
        self.assertEqual((status, document["openapi"]), (200, "3.0.3"))

    def test_several_requests_on_one_connection(self):
        connection = self.connect("control")
        request = b"GET /v1/health HTTP/1.1\r\nHost: x\r\n\r\n"
        connection.sendall(request * 3 + request.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        text = b""
        while piece := connection.recv(65536):
            text += piece
        self.assertEqual(text.count(b"HTTP/1.1 200 OK"), 4)


class NoGpu(WithManager):
    """A server whose driver cannot be opened serves, and says why it has nothing to give."""
    arguments = ("--software-gpus", "0")

    def test_it_says_so(self):
        server = self.manager.ask("GET", "/v1/server")[1]
        self.assertEqual(server["gpus"], [])
        result = self.run_cli("run", "-n", "1", "--", "true")
        self.assertEqual(result.returncode, 1)
        self.assertIn("the pool has no GPU", result.stderr.splitlines()[-1])
        self.assertIn("| %s " % self.manager.control, self.run_cli("smi").stdout)


class NoWorker(unittest.TestCase):
    def test_a_manager_without_its_worker_says_so(self):
        with tempfile.TemporaryDirectory() as folder:
            os.mkdir(os.path.join(folder, "bin"))
            copy = os.path.join(folder, "bin", "bitfusion")
            with open(BITFUSION, "rb") as source, open(copy, "wb") as target:
                target.write(source.read())
            os.chmod(copy, 0o755)
            result = subprocess.run([copy, "manager"], capture_output=True, text=True, env=clean_environment(),
                                    timeout=DEADLINE)
            self.assertEqual(result.returncode, 1)
            self.assertEqual(result.stderr.count("\n"), 1)
            self.assertIn("lib/bitfusion/bitfusion-worker", result.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
