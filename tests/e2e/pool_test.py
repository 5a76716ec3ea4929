"""The pool: waiting in order, quotas, sessions of several commands, servers and clients that come and go."""
import json
import os
import re
import signal
import stat
import subprocess
import tempfile
import unittest

from harness import *

HOLD = ("sh", "-c", "echo up; read -r line")


class Queue(WithManager):
    arguments = ("--software-gpus", "1", "--software-memory", "4GiB")

    def hold_one(self, *more):
        process = self.start_cli("run", "-n", "1", *more, "--", *HOLD)
        self.assertEqual(process.stdout.readline(), b"up\n")
        return process

    def wait_for(self, process, part):
        for line in process.stderr:
            if part in line:
                return line.decode()
        self.fail("no line with %r" % part)

    def test_who_waits_is_told_its_place_and_what_for(self):
        holder = self.hold_one()
        first = self.start_cli("run", "-n", "1", "--", "echo", "first")
        line = self.wait_for(first, b"Waiting up to 1800 s for GPUs")
        self.assertIn("place 1 of 1 in the queue of server " + self.manager.control, line)
        second = self.start_cli("run", "-n", "1", "--", "echo", "second")
        self.assertIn("place 2 of 2", self.wait_for(second, b"Waiting up to"))
        holder.communicate(b"\n", DEADLINE)
        self.assertEqual(first.communicate(timeout=DEADLINE)[0], b"first\n")
        self.assertEqual(second.communicate(timeout=DEADLINE)[0], b"second\n")
        self.assertEqual((first.returncode, second.returncode), (0, 0))

    def test_timeout_0_fails_at_once(self):
        self.hold_one()
        result = self.run_cli("run", "-n", "1", "-t", "0", "--", "true")
        self.assertEqual(result.returncode, 1)
        self.assertNotIn("Waiting", result.stderr)
        self.assertEqual(self.manager.ask("GET", "/v1/claims")[1]["claims"], [])

    def test_a_timeout_that_passes_leaves_the_queue(self):
        self.hold_one()
        result = self.run_cli("run", "-n", "1", "-t", "1", "--", "true")
        self.assertEqual(result.returncode, 1)
        self.assertEqual(self.manager.ask("GET", "/v1/claims")[1]["claims"], [])

    def test_who_is_interrupted_or_killed_while_waiting_leaves_the_queue(self):
        self.hold_one()
        waiter = self.start_cli("run", "-n", "1", "--", "true")
        self.wait_for(waiter, b"Waiting up to")
        waiter.send_signal(signal.SIGTERM)
        self.assertEqual(waiter.wait(DEADLINE), -signal.SIGTERM)
        wait_until(lambda: not self.manager.ask("GET", "/v1/claims")[1]["claims"], "the queue is empty")

    def test_kill_9_of_the_holder_serves_the_next(self):
        holder = self.hold_one()
        waiter = self.start_cli("run", "-n", "1", "--", "echo", "served")
        self.wait_for(waiter, b"Waiting up to")
        holder.kill()
        self.assertEqual(waiter.communicate(timeout=DEADLINE)[0], b"served\n")

    def test_what_can_never_be_is_refused_at_once_with_the_most(self):
        result = self.run_cli("run", "-n", "2", "--", "true")
        self.assertEqual(result.returncode, 1)
        self.assertIn("1", result.stderr.splitlines()[-1])
        result = self.run_cli("run", "-n", "1", "-m", "5000", "--", "true")
        self.assertEqual(result.returncode, 1)
        self.assertIn("4096", result.stderr.splitlines()[-1])

    def test_filters(self):
        for text, code in (("device.id=0", 0), ("device.id=1", 1), ("device.phy-memory>=4096", 0),
                           ("device.phy-memory>=4097", 1), ("server.addr=%s" % self.manager.control, 0)):
            result = self.run_cli("run", "-n", "1", "--filter", "device.id<=9", "--filter", text, "--", "true")
            self.assertEqual(result.returncode, code, (text, result.stderr))
        result = self.run_cli("run", "-n", "1", "--filter", "server.colour=red", "--", "true")
        self.assertEqual(result.returncode, 1)
        self.assertIn("server.colour", result.stderr)


class Quota(WithManager):
    def client(self):
        self.assertEqual(self.run_cli("run", "-n", "1", "-m", "1", "--", "true").returncode, 0)
        return self.manager.ask("GET", "/v1/clients")[1]["clients"][0]["id"]

    def test_a_quota_counts_all_programs_and_parts_of_gpus(self):
        client = self.client()
        self.assertEqual(self.run_cli("clients", "quota", client, "1.5").returncode, 0)
        first = self.start_cli("run", "-n", "1", "--", *HOLD)
        self.assertEqual(first.stdout.readline(), b"up\n")
        second = self.start_cli("run", "-n", "1", "-p", "0.5", "--", *HOLD)
        self.assertEqual(second.stdout.readline(), b"up\n")
        result = self.run_cli("run", "-n", "1", "-p", "0.25", "-t", "0", "--", "true")
        self.assertEqual(result.returncode, 1)
        self.assertIn("quota", result.stderr)
        self.assertEqual(self.manager.ask("GET", "/v1/clients")[1]["clients"][0]["held"], 1.5)
        self.assertEqual(self.run_cli("clients", "quota", client, "default").returncode, 0)
        self.assertEqual(self.run_cli("run", "-n", "1", "-p", "0.25", "-t", "0", "--", "true").returncode, 0)

    def test_a_disabled_client_starts_nothing(self):
        client = self.client()
        self.assertEqual(self.run_cli("clients", "disable", client).returncode, 0)
        result = self.run_cli("run", "-n", "1", "--", "true")
        self.assertEqual(result.returncode, 1)
        self.assertIn("disabled", result.stderr)
        self.assertEqual(self.run_cli("clients", "enable", client).returncode, 0)
        self.assertEqual(self.run_cli("run", "-n", "1", "--", "true").returncode, 0)

    def test_a_drained_server_starts_nothing_and_finishes_what_runs(self):
        running = self.start_cli("run", "-n", "1", "--", *HOLD)
        self.assertEqual(running.stdout.readline(), b"up\n")
        server = self.manager.ask("GET", "/v1/servers")[1]["servers"][0]["id"]
        self.assertEqual(self.run_cli("servers", "drain", server).returncode, 0)
        self.assertEqual(self.run_cli("run", "-n", "1", "-t", "0", "--", "true").returncode, 1)
        running.communicate(b"\n", DEADLINE)
        self.assertEqual(running.returncode, 0)
        self.assertEqual(self.run_cli("servers", "accept", server).returncode, 0)
        self.assertEqual(self.run_cli("run", "-n", "1", "-t", "0", "--", "true").returncode, 0)


class Sessions(WithManager):
    def setUp(self):
        super().setUp()
        self.scratch = tempfile.TemporaryDirectory(prefix="bitfusion-e2e-")
        self.addCleanup(self.scratch.cleanup)
        self.file = os.path.join(self.scratch.name, "session")

    def request(self, *arguments):
        result = self.run_cli("request_gpus", "-n", "1", "-m", "1024", "--file", self.file, *arguments)
        self.assertEqual(result.returncode, 0, result.stderr)
        return result

    def test_request_client_release(self):
        result = self.request()
        self.assertEqual(result.stdout, "export BITFUSION_SESSION_FILE='%s'\n" % self.file)
        self.assertIn("Requested resources:\nServer List: %s\nClient idle timeout: 0 min\n" % self.manager.control,
                      result.stderr)
        self.assertIn("Locked 1 GPUs with partial memory 0.25, configuration saved to '%s'\n" % self.file, result.stderr)
        self.assertEqual(stat.S_IMODE(os.stat(self.file).st_mode), 0o600)
        session = {"BITFUSION_SESSION_FILE": self.file}
        for _ in range(2):
            result = self.run_cli("client", "--", "sh", "-c", "echo $BITFUSION_SESSION", environment=session)
            self.assertEqual(result.returncode, 0, result.stderr)
            ticket = result.stdout.strip().split("/")[1]
            self.open_session(ticket)
        self.assertEqual(self.run_cli("c", "exit-code", environment=session).returncode, 127)
        self.assertEqual(self.manager.free()[0], 3072)
        result = self.run_cli("release_gpus", environment=session)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("Released GPUs on 1 servers and removed generated config file '%s'" % self.file, result.stderr)
        self.assertFalse(os.path.exists(self.file))
        self.assertEqual(self.manager.free()[0], 4096)

    def test_release_options_must_match(self):
        self.request()
        session = {"BITFUSION_SESSION_FILE": self.file}
        self.assertEqual(self.run_cli("release_gpus", "-n", "2", environment=session).returncode, 1)
        self.assertEqual(self.run_cli("release_gpus", "-n", "1", "-m", "1024", environment=session).returncode, 0)

    def test_a_session_lives_without_anybody_and_through_a_restart(self):
        state = os.path.join(self.scratch.name, "state")
        self.manager.close()
        self.manager = Manager(*self.arguments, state=state)
        self.addCleanup(lambda: self.manager.close())
        self.request()
        self.assertEqual(self.manager.stop(), 0)
        self.manager = Manager(*self.arguments, state=state)
        self.assertEqual(self.manager.free()[0], 3072)
        lease = self.manager.leases()[0]
        self.assertTrue(lease["persistent"])

    def test_session_files_of_others_are_refused(self):
        self.request()
        os.chmod(self.file, 0o644)
        result = self.run_cli("client", "-f", self.file, "true")
        self.assertEqual(result.returncode, 1)
        self.assert_one_line(result.stderr, "closed to others")
        os.chmod(self.file, 0o600)
        with open(self.file, "w") as out:
            out.write("{}")
        result = self.run_cli("client", "-f", self.file, "true")
        self.assert_one_line(result.stderr, "damaged or none of ours")


class Restart(WithManager):
    def test_nothing_is_given_twice_after_kill_9_of_the_manager(self):
        with tempfile.TemporaryDirectory(prefix="bitfusion-e2e-") as state:
            manager = Manager(*self.arguments, state=state)
            lease = manager.lease(memory_mib=1000)
            manager.process.kill()
            manager.process.wait()
            manager.close()
            manager = Manager(*self.arguments, state=state)
            self.addCleanup(manager.close)
            # The program of the lease ended with its worker; its memory is free and its ticket worth nothing.
            self.assertEqual(manager.leases(), [])
            self.assertEqual(manager.free(), [4096, 4096])
            connection = socket.create_connection(manager.address("data"), DEADLINE)
            self.addCleanup(connection.close)
            connection.sendall(hello(lease["ticket"]))
            self.assertEqual(welcome(connection)[0], 2)
            self.assertEqual(manager.stop(), 0)

    def test_two_managers_do_not_share_a_database(self):
        with tempfile.TemporaryDirectory(prefix="bitfusion-e2e-") as state:
            manager = Manager(*self.arguments, state=state)
            self.addCleanup(manager.close)
            second = subprocess.run([BITFUSION, "manager", "--insecure", "true", "--backend", "soft", "--control-port", "0",
                                     "--data-port", "0", "--state-dir", state], capture_output=True, text=True,
                                    env=clean_environment(), timeout=DEADLINE)
            self.assertEqual(second.returncode, 1)
            self.assertIn("another", second.stderr.splitlines()[-1])

    def test_a_corrupt_database_is_refused(self):
        with tempfile.TemporaryDirectory(prefix="bitfusion-e2e-") as state:
            with open(os.path.join(state, "pool.db"), "wb") as out:
                out.write(b"this is no database" * 1000)
            result = subprocess.run([BITFUSION, "manager", "--insecure", "true", "--backend", "soft", "--control-port", "0",
                                     "--data-port", "0", "--state-dir", state], capture_output=True, text=True,
                                    env=clean_environment(), timeout=DEADLINE)
            self.assertEqual(result.returncode, 1)
            self.assertIn("restore", result.stderr)


class SeveralServers(unittest.TestCase):
    """Three servers, each a pool of its own; clients know all of them."""

    def setUp(self):
        self.managers = [Manager("--software-gpus", "1", "--software-memory", "4GiB") for _ in range(3)]
        for manager in self.managers:
            self.addCleanup(manager.close)
        self.servers = ";".join(manager.control for manager in self.managers)

    def start(self, *arguments):
        process = subprocess.Popen([BITFUSION, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, env=clean_environment(BITFUSION_SERVERS=self.servers))

        def clean():
            if process.poll() is None:
                process.kill()
            process.communicate()
        self.addCleanup(clean)
        return process

    def test_each_request_finds_room_and_the_next_waits_everywhere(self):
        holders = [self.start("run", "-n", "1", "--", *HOLD) for _ in range(1)]
        self.assertEqual(holders[0].stdout.readline(), b"up\n")
        for _ in range(2):
            holders.append(self.start("run", "-n", "1", "--", *HOLD))
            self.assertEqual(holders[-1].stdout.readline(), b"up\n")
        self.assertEqual([manager.free() for manager in self.managers], [[0]] * 3)
        waiter = self.start("run", "-n", "1", "--", "echo", "served")
        wait_until(lambda: all(manager.ask("GET", "/v1/claims")[1]["claims"] for manager in self.managers),
                   "it waits in all queues")
        holders[2].communicate(b"\n", DEADLINE)
        self.assertEqual(waiter.communicate(timeout=DEADLINE)[0], b"served\n")
        for manager in self.managers:
            self.assertEqual(manager.ask("GET", "/v1/claims")[1]["claims"], [])

    def test_a_partition_goes_where_it_fits_most_tightly(self):
        self.managers[1].lease(memory_mib=2000)
        process = self.start("run", "-n", "1", "-m", "1000", "--", *HOLD)
        self.assertEqual(process.stdout.readline(), b"up\n")
        self.assertEqual(self.managers[1].free(), [1096])

    def test_a_server_that_is_down_is_skipped_with_a_warning_and_used_again(self):
        address = self.managers[0].control
        self.managers[0].process.kill()
        self.managers[0].process.wait()
        process = self.start("run", "-n", "1", "--", "echo", "served")
        output, errors = process.communicate(timeout=DEADLINE)
        self.assertEqual((process.returncode, output), (0, b"served\n"))
        self.assertRegex(errors.decode(), r"\[WARN\] \S+ cannot reach server %s" % re.escape(address))


class Addresses6(WithManager):
    arguments = ("--listen", "::1", "--software-gpus", "1")

    def test_a_run_over_ipv6(self):
        self.assertTrue(self.manager.control.startswith("[::1]:"))
        result = self.run_cli("run", "-n", "1", "--", "sh", "-c", "echo $BITFUSION_SESSION")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertTrue(result.stdout.startswith("[::1]:"))


class Config(WithManager):
    def test_show_tells_value_and_origin(self):
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as settings:
            settings.write("backend: soft\n")
            settings.flush()
            result = self.run_cli("config", "show", "--json", "--config", settings.name, "--control-port", "7",
                                  environment={"BITFUSION_DATA_PORT": "8"})
            rows = {row["key"]: (row["value"], row["origin"]) for row in json.loads(result.stdout)["settings"]}
            self.assertEqual(rows["control-port"], ("7", "flag"))
            self.assertEqual(rows["data-port"], ("8", "environment"))
            self.assertEqual(rows["backend"], ("soft", "file"))
            self.assertEqual(rows["listen"], ("127.0.0.1", "default"))
            settings.write("data-port: many\n")
            settings.flush()
            result = self.run_cli("config", "show", "--config", settings.name)
            self.assertEqual(result.returncode, 1)
            self.assert_one_line(result.stderr, settings.name + " line 2: data-port is 'many'")


if __name__ == "__main__":
    unittest.main(verbosity=2)
