"""Several servers of one pool: whichever is asked answers, and the pool outlives the server that schedules."""
import json
import unittest

from cluster import *

HOLD = ("sh", "-c", "echo up; read -r line")


class Cluster(WithCluster):
    def follower(self):
        return next(number for number in range(self.servers) if number != self.leader())

    def hold(self, *flags, servers=None, **options):
        process = self.start_cli("run", "-n", "1", "-l", servers or self.all_servers(), *flags, "--", *HOLD, **options)
        self.assertEqual(process.stdout.readline(), b"up\n")
        return process

    def test_the_server_that_does_not_schedule_serves_every_request(self):
        follower = self.managers[self.follower()]
        status, answer = follower.ask("GET", "/v1/servers")
        self.assertEqual((status, len(answer["servers"])), (200, 2))
        self.assertTrue(all(server["up"] for server in answer["servers"]))
        grant = follower.lease(memory_mib=100)
        self.assertEqual(follower.ask("GET", "/v1/claims/" + grant["id"])[0], 200)
        self.assertEqual(follower.ask("PUT", "/v1/settings", {"quota": 7})[0], 200)
        for manager in self.managers:
            self.assertEqual(manager.ask("GET", "/v1/settings")[1]["quota"], 7)
            self.assertEqual(manager.ask("POST", "/v1/claim_id", {})[0], 200)
        self.assertEqual(follower.ask("DELETE", "/v1/leases/" + grant["id"]), (200, {"id": grant["id"], "state": "ended"}))

    def test_gpus_of_each_server_are_given_through_any(self):
        for asked in self.managers:
            for server in self.managers:
                result = self.run_cli("run", "-n", "1", "--filter", "server.addr=" + server.control, "--", "echo", "ran",
                                      environment={"BITFUSION_SERVERS": asked.control})
                self.assertEqual((result.returncode, result.stdout), (0, "ran\n"), result.stderr)
                self.assertIn("Server List: %s\n" % server.control, result.stderr)
        for manager in self.managers:
            wait_until(lambda manager=manager: not manager.leases(), "no lease is left")

    def test_a_list_of_servers_reaches_the_scheduler(self):
        only = self.managers[self.follower()]
        holder = self.hold(servers=only.control)
        self.assertEqual(only.free(), [0])
        result = self.run_cli("run", "-n", "1", "-t", "0", "-l", only.control, "--", "true")
        self.assertEqual(result.returncode, 1, result.stderr)
        result = self.run_cli("run", "-n", "1", "-t", "0", "--", "true", environment={"BITFUSION_SERVERS": only.control})
        self.assertEqual(result.returncode, 0, result.stderr)
        holder.communicate(b"\n", DEADLINE)

    def test_one_request_waits_in_one_queue_and_is_granted_once(self):
        holders = [self.hold(), self.hold()]
        waiter = self.start_cli("run", "-n", "1", "-l", self.all_servers(), "--", *HOLD)
        for line in waiter.stderr:
            if b"Waiting up to" in line:
                break
        for manager in self.managers:
            self.assertEqual(len(manager.ask("GET", "/v1/claims")[1]["claims"]), 1)
        holders[0].communicate(b"\n", DEADLINE)
        self.assertEqual(waiter.stdout.readline(), b"up\n")
        self.assertEqual(sum(len(manager.leases()) for manager in self.managers), 2)
        waiter.communicate(b"\n", DEADLINE)
        holders[1].communicate(b"\n", DEADLINE)

    def test_leases_and_the_queue_outlive_the_server_that_schedules(self):
        leader = self.leader()
        other = self.managers[1 - leader]
        running = self.hold(servers=other.control)
        waiter = self.start_cli("run", "-n", "1", "-l", "%s;%s" % (other.control, self.managers[leader].control),
                                "--filter", "server.addr=" + other.control, "--", "echo", "served")
        for line in waiter.stderr:
            if b"Waiting up to" in line:
                break
        self.kill(leader)
        wait_until(lambda: self.leader() == 1 - leader, "the other server schedules")
        self.assertIsNone(running.poll())
        self.assertEqual(len(other.leases()), 1)
        self.assertEqual(len(other.ask("GET", "/v1/claims")[1]["claims"]), 1)
        running.communicate(b"\n", DEADLINE)
        self.assertEqual(running.returncode, 0)
        self.assertEqual(waiter.communicate(timeout=DEADLINE)[0], b"served\n")
        self.managers[leader].close()
        self.managers[leader] = self.start_manager(leader)
        wait_until(lambda: len(self.up()) == 2, "the first server is back")
        result = self.run_cli("run", "-n", "1", "--filter", "server.addr=" + self.managers[leader].control, "--", "true")
        self.assertEqual(result.returncode, 0, result.stderr)

    def test_a_server_that_is_down_is_skipped_with_a_warning_and_used_again(self):
        down = self.follower()
        self.kill(down)
        listed = self.all_servers()
        result = self.run_cli("run", "-n", "1", "-l", listed, "--", "true")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("cannot reach server " + self.managers[down].control, result.stderr)
        self.managers[down].close()
        self.managers[down] = self.start_manager(down)
        wait_until(lambda: len(self.up()) == 2, "it is back")
        result = self.run_cli("run", "-n", "1", "-l", listed, "--filter", "server.addr=" + self.managers[down].control,
                              "--", "true")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertNotIn("cannot reach", result.stderr)

    def test_all_addresses_of_a_server_are_tried(self):
        with tempfile.NamedTemporaryFile("w", suffix=".conf") as servers:
            unused = ["127.0.0.1:%d" % port for port in free_ports(40)[38:]]
            servers.write("servers:\n- reachable: %s\n  addresses: [\"%s\", \"%s\"]\n" % (*unused, self.manager.control))
            servers.flush()
            result = self.run_cli("run", "-n", "1", "-s", servers.name, "--", "echo", "ran")
            self.assertEqual((result.returncode, result.stdout), (0, "ran\n"), result.stderr)

    def test_a_server_that_ends_properly_gives_everything_back_at_once(self):
        number = self.follower()
        holder = self.hold(servers=self.managers[number].control)
        self.managers[number].stop()
        holder.communicate(b"\n", DEADLINE)
        left = self.managers[1 - number].ask("GET", "/v1/servers")[1]["servers"]
        self.assertEqual(sorted((server["up"], server["leases"]) for server in left), [(False, 0), (True, 0)])

    def test_only_servers_may_speak_for_servers(self):
        for headers in ({}, {"Authorization": "Bearer guess"}):
            status, answer = self.manager.ask("POST", "/v1/cluster/attendance", {}, headers)
            self.assertEqual((status, answer["error"]), (401, "only servers of this pool may ask this"))


class PoolHistory(WithCluster):
    """What is measured of the whole pool is told alike by all servers."""
    arguments = ("--software-gpus", "1", "--software-memory", "1GiB", "--auto-release-timeout", "1h", "--metrics-interval", "1s")

    def newest(self, manager, *series, **more):
        """The last measurement of each; none of what is not measured yet."""
        query = "&".join(["series=" + name.replace("/", "%2F") for name in series] + ["%s=%s" % pair for pair in more.items()])
        status, body = manager.ask("GET", "/v1/history?" + query)
        self.assertIn(status, (200, 404), body)
        ranges = body.get("range", {body.get("series"): body})
        return {name: one["points"][-1][2] for name, one in ranges.items() if one.get("points")}

    def test_a_clients_gpus_on_all_servers_are_told_by_each(self):
        leader = self.managers[self.leader()]
        follower = self.managers[1 - self.leader()]
        for _ in range(self.servers):
            self.assertEqual(leader.ask("POST", "/v1/leases", {"gpus": 1}, {"Bitfusion-Host": "both"})[0], 201)
        whole = {"client/both/gpus_allocated": 2}
        for manager in self.managers:
            wait_until(lambda manager=manager: self.newest(manager, *whole) == whole, "the client's two GPUs are charted")
        own = follower.ask("GET", "/v1/server")[1]["id"]
        wait_until(lambda: self.newest(follower, *whole, server=own) == {"client/both/gpus_allocated": 1}, "its part has a chart")
        mixed = {**whole, "pool/gpus": 2, "pool/gpus_allocated": 2, "server/gpus_allocated": 1}
        for manager in self.managers:
            wait_until(lambda manager=manager: self.newest(manager, *mixed) == mixed, "the pool and the server are charted together")
        # As one answers it, and for both halves.
        status, alone = follower.ask("GET", "/v1/history?series=pool/gpus&points=10")
        self.assertEqual((status, alone["series"]), (200, "pool/gpus"))
        for query, expected in (("series=pool/none", 404), ("series=pool/gpus&points=0", 400), ("series=pool/gpus&series=server/gpus&from=x", 400),
                                ("series=server/gpus&server=gone", 404)):
            self.assertEqual(follower.ask("GET", "/v1/history?" + query)[0], expected, query)
        status, named = follower.ask("GET", "/v1/history?prefix=pool/")
        self.assertEqual((status, named["series"]), (200, ["pool/gpus", "pool/gpus_allocated", "pool/waiting"]))
        # The server that schedules tells of itself through the other one; the other one's part it does not know.
        first = leader.ask("GET", "/v1/server")[1]["id"]
        self.assertEqual(self.newest(follower, "server/gpus", server=first), {"server/gpus": 1})
        status, refused = leader.ask("GET", "/v1/history?series=server/gpus&server=" + own)
        self.assertEqual((status, refused["address"]), (421, follower.control))


if __name__ == "__main__":
    unittest.main()
