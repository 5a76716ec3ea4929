"""The commands and routes that look at servers: health, stats, net_perf, metrics, history, crashreport."""
import json
import os
import re
import shutil
import socket
import struct
import subprocess
import tarfile
import tempfile
import time
import unittest

from harness import *

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SAMPLE = re.compile(r'^([A-Za-z_:][A-Za-z0-9_:]*)(?:\{(.*)\})? (\S+)$')


class Look(WithManager):
    arguments = ("--software-gpus", "2", "--software-memory", "4GiB", "--metrics-interval", "1s")

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="bitfusion-look-")
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.state = os.path.join(self.folder, "state")
        self.start()

    def start(self, *more):
        self.manager = Manager(*self.arguments, "--state-dir", self.state, *more)
        self.addCleanup(self.manager.close)

    def metrics(self):
        status, kind, body = self.manager.fetch("GET", "/metrics")
        self.assertEqual(status, 200)
        self.assertTrue(kind.startswith("text/plain; version=0.0.4"), kind)
        return body.decode()

    def metric(self, name, **labels):
        total = 0
        for line in self.metrics().splitlines():
            match = SAMPLE.match(line)
            if match and match.group(1) == name and all('%s="%s"' % pair in (match.group(2) or "") for pair in labels.items()):
                total += float(match.group(3))
        return total


class Health(Look):
    def checks(self, query=""):
        return self.manager.ask("GET", "/v1/health" + query)[1]

    def test_every_server_runs_the_29(self):
        report = self.checks("?fresh=true")
        self.assertEqual(len(report["checks"]), 29)
        worst = max(("pass", "marginal", "fatal").index(check["status"]) for check in report["checks"])
        self.assertEqual(report["status"], ("pass", "marginal", "fatal")[worst])
        by_name = {check["name"]: check for check in report["checks"]}
        self.assertEqual(by_name["cuda_version"]["status"], "pass")
        self.assertEqual(by_name["gpu_api"]["details"], "2 software GPUs")
        self.assertEqual(by_name["cass_buckets"]["status"], "pass")

    def test_health_prints_a_table_for_each_server_and_this_node(self):
        result = self.run_cli("health")
        lines = result.stdout.splitlines()
        self.assertRegex(lines[0], r"^- server 0 \[%s\]: (pass|marginal|fatal)$" % re.escape(self.manager.control))
        self.assertEqual(lines[1].split(), ["Status", "Type", "Name", "Details"])
        for line in lines[2:31]:
            self.assertRegex(line, r"^(pass|marginal|fatal) +(stability|performance|system resources|software version)  +[a-z0-9_]+  +\S")
        self.assertRegex(lines[31], r"^- this node: (pass|marginal|fatal)$")
        self.assertEqual(len(lines), 33 + 11)
        fatal = any(line.startswith("fatal") for line in lines)
        self.assertEqual(result.returncode, 1 if fatal else 0, result.stdout)
        self.assertEqual(self.run_cli("H").stdout.splitlines()[1], lines[1])

    def test_health_of_a_server_that_does_not_answer(self):
        result = self.run_cli("health", "-l", "127.0.0.1:1", "--json")
        self.assertEqual(result.returncode, 1)
        document = json.loads(result.stdout)
        self.assertEqual(document["schema"], 1)
        self.assertIn("cannot reach server 127.0.0.1:1", document["servers"][0]["error"])
        reached = [check for check in document["node"]["checks"] if check["name"] == "vcenter_check"]
        self.assertEqual(reached[0]["status"], "fatal")

    def test_localhealth_of_a_client_and_of_a_server(self):
        client = json.loads(self.run_cli("localhealth", "--client", "--json").stdout)
        self.assertNotIn("servers", client)
        self.assertEqual(len(client["node"]["checks"]), 11)
        server = json.loads(self.run_cli("LH", "--server", "--json").stdout)
        self.assertEqual(len(server["node"]["checks"]), 29)
        self.manager.stop()
        result = self.run_cli("localhealth", "--server", "--json")
        self.assertEqual(result.returncode, 1)
        by_name = {check["name"]: check for check in json.loads(result.stdout)["node"]["checks"]}
        self.assertEqual(by_name["vcenter_check"]["status"], "fatal")
        self.assertIn("the manager of this server does not run", by_name["cass_nodetool"]["details"])
        self.assertEqual(by_name["cuda_version"]["status"], "pass")

    def test_losses_are_remembered_where_home_can_be_written(self):
        home = os.path.join(self.folder, "home")
        os.mkdir(home)
        first = json.loads(self.run_cli("localhealth", "--client", "--json", environment={"HOME": home}).stdout)
        self.assertTrue(os.path.exists(os.path.join(home, ".bitfusion", "health.json")))
        second = json.loads(self.run_cli("localhealth", "--client", "--json", environment={"HOME": home}).stdout)
        network = [[check for check in document["node"]["checks"] if check["name"] == "network"][0]
                   for document in (first, second)]
        if network[0]["status"] == "pass":
            self.assertIn("first look", network[0]["details"])
            self.assertNotIn("first look", network[1]["details"])

    def test_a_check_that_is_off_runs_and_no_longer_counts_also_after_a_restart(self):
        for check in self.checks()["checks"]:
            if check["status"] != "pass":
                self.assertEqual(self.manager.ask("PUT", "/v1/health/" + check["name"], {"counted": False})[0], 200)
        report = self.checks()
        self.assertEqual(report["status"], "pass")
        off = [check["name"] for check in report["checks"] if not check["counted"]]
        self.assertEqual(sorted(off), sorted(c["name"] for c in report["checks"] if c["status"] != "pass"))
        self.manager.stop()
        self.start()
        self.assertEqual([c["name"] for c in self.checks()["checks"] if not c["counted"]], off)
        if off:
            self.assertIn("(not counted)", self.run_cli("health").stdout)
            self.assertEqual(self.manager.ask("PUT", "/v1/health/" + off[0], {"counted": True})[0], 200)
            self.assertNotEqual(self.checks()["status"], "pass")

    def test_toggles_refuse_what_they_are_not(self):
        for path, body, expected in (("/v1/health/nothing", {"counted": False}, 404),
                                     ("/v1/health/ecc", {"counted": "no"}, 400), ("/v1/health/ecc", {}, 400),
                                     ("/v1/health/ecc", "x", 400), ("/v1/health/a/b", {"counted": False}, 404)):
            status, answer = self.manager.ask("PUT", path, body)
            self.assertEqual(status, expected, (path, body, answer))
            self.assertIn("error", answer)
        self.assertEqual(self.manager.ask("GET", "/v1/health/ecc")[0], 405)


class Metrics(Look):
    def test_prometheus_reads_them(self):
        # What it calls itself in its own words is for listings: it is measured under the name that the pool lists.
        self.manager.lease(memory_mib=1024, client={"host": "node-7", "pid": 1, "user": "u", "program": "p"})
        client = self.manager.ask("GET", "/v1/clients")[1]["clients"][0]["name"]
        text = self.metrics()
        for name in ("DCGM_FI_DEV_FB_TOTAL", "bitfusion_gpu_partitions"):
            self.assertEqual(text.count("\n%s{" % name), 2)
        self.assertEqual(self.metric("bitfusion_leases"), 1)
        self.assertEqual(self.metric("bitfusion_gpus_allocated"), 0.25)
        self.assertEqual(self.metric("bitfusion_client_gpus_allocated", client=client), 0.25)
        self.assertEqual(self.metric("bitfusion_pool_gpus_allocated"), 0.25)
        interfaces = set(re.findall(r'^bitfusion_interface_sent_bytes_total\{interface="(.*)"\}', text, re.M))
        wait_until(lambda: interfaces == {name.split("/")[1] for name in
                                          self.manager.ask("GET", "/v1/history?prefix=net/")[1]["series"]}, "they have a history")
        self.assertEqual(self.metric("bitfusion_gpu_allocated_mebibytes"), 1024)
        for line in text.splitlines():
            self.assertTrue(line.startswith("# ") or SAMPLE.match(line), line)

    @unittest.skipUnless(shutil.which("promtool"), "SKIPPED, NOT TESTED: no promtool (package prometheus)")
    def test_promtool_accepts_them(self):
        checked = subprocess.run(["promtool", "check", "metrics"], input=self.metrics(), capture_output=True, text=True,
                                 timeout=DEADLINE)
        # It also advises on names; DCGM's own are as they are.
        ours = [line for line in (checked.stdout + checked.stderr).splitlines() if not line.startswith("DCGM_")]
        self.assertEqual(ours, [], checked)

    def test_sessions_bytes_and_attach_times_are_counted(self):
        lease = self.manager.lease()
        before = self.metric("bitfusion_received_bytes_total")
        connection = self.open_session(lease["ticket"])
        wait_until(lambda: self.metric("bitfusion_attach_seconds_count") == 1, "the attachment is counted")
        self.assertEqual(self.metric("bitfusion_sessions"), 1)
        connection.sendall(b"\xff" * 64)  # no message: the worker takes them, and ends
        self.assertTrue(closed(connection))
        wait_until(lambda: self.metric("bitfusion_received_bytes_total") >= before + 16, "bytes are counted")
        self.manager.ask("DELETE", "/v1/leases/" + lease["id"])
        self.assertGreaterEqual(self.metric("bitfusion_received_bytes_total"), before + 16)
        self.assertEqual(self.metric("bitfusion_leases_ended_total"), 1)

    def test_stats(self):
        self.manager.lease(memory_mib=2048)
        result = self.run_cli("stats")
        self.assertEqual(result.returncode, 0, result.stderr)
        lines = result.stdout.splitlines()
        self.assertEqual(lines[0], " - server 0 [%s]: 0.50 GPUs allocated, 1 leases, 0 sessions" % self.manager.control)
        self.assertRegex(lines[1], r"^   \|- received 0 B, sent 0 B, round trips 0, attached 0 programs in 0 ms each$")
        self.assertRegex(lines[2], r"^   \|- GPU 0: 2048 / 4096 MiB allocated in 1 partitions, (\d+%|N/A) busy, \S")
        document = json.loads(self.run_cli("stats", "--json").stdout)
        self.assertEqual((document["schema"], document["servers"][0]["stats"]["gpus_allocated"]), (1, 0.5))
        missing = self.run_cli("stats", "-l", "127.0.0.1:1")
        self.assertEqual(missing.returncode, 1)
        self.assert_one_line(missing.stderr, "cannot reach server 127.0.0.1:1")


class Monitoring(unittest.TestCase):
    folder = os.path.join(ROOT, "packaging", "prometheus")

    def names(self):
        with open(os.path.join(ROOT, "src", "daemon", "metrics.cpp")) as source:
            return set(re.findall(r'"((?:bitfusion|DCGM)_[A-Za-z0-9_]+)"', source.read()))

    def used(self, text):
        found = set(re.findall(r"\b(?:bitfusion_[a-z0-9_]+|DCGM_[A-Z0-9_]+)", text))
        return {re.sub(r"_(bucket|sum|count)$", "", name) if name.startswith("bitfusion_attach") else name for name in found}

    def test_dashboard_and_rules_name_only_what_is_served(self):
        names = self.names()
        self.assertGreater(len(names), 25)
        with open(os.path.join(self.folder, "bitfusion-grafana.json")) as dashboard:
            expressions = [target["expr"] for panel in json.load(dashboard)["panels"] for target in panel["targets"]]
        self.assertGreater(len(expressions), 15)
        self.assertEqual(self.used("\n".join(expressions)) - names, set())
        with open(os.path.join(self.folder, "bitfusion-alerts.yml")) as rules:
            expressions = re.findall(r"^ +expr: (.*)$", rules.read(), re.M)
        self.assertEqual(self.used("\n".join(expressions)) - names, set())

    @unittest.skipUnless(shutil.which("promtool"), "SKIPPED, NOT TESTED: no promtool (package prometheus)")
    def test_promtool_accepts_rules_dashboard_and_sample(self):
        for command in (["check", "rules", "bitfusion-alerts.yml"], ["test", "rules", "bitfusion-alerts-test.yml"],
                        ["check", "config", "--syntax-only", "prometheus.yml"]):
            checked = subprocess.run(["promtool", *command], cwd=self.folder, capture_output=True, text=True, timeout=DEADLINE)
            self.assertEqual(checked.returncode, 0, checked)
        with open(os.path.join(self.folder, "bitfusion-grafana.json")) as dashboard:
            panels = json.load(dashboard)["panels"]
        rules = {"groups": [{"name": "dashboard", "rules": [
            {"record": "panel:%d:%d" % (panel["id"], number), "expr": target["expr"].replace("$instance", ".*")}
            for panel in panels for number, target in enumerate(panel["targets"])]}]}
        with tempfile.NamedTemporaryFile("w", suffix=".yml") as file:
            json.dump(rules, file)
            file.flush()
            checked = subprocess.run(["promtool", "check", "rules", file.name], capture_output=True, text=True, timeout=DEADLINE)
            self.assertEqual(checked.returncode, 0, checked)


class HistoryOfMetrics(Look):
    def test_measurements_are_kept_and_served_by_range(self):
        self.manager.lease(memory_mib=1024)
        names = wait_until(lambda: [name for name in self.manager.ask("GET", "/v1/history?prefix=gpu/")[1]["series"]
                                    if name.endswith("/allocated_mib")], "the GPUs have a history")
        self.assertEqual(len(names), 2)

        def allocated():
            return [self.manager.ask("GET", "/v1/history?series=" + name.replace("/", "%2F"))[1]["points"] for name in names]
        points = wait_until(lambda: [each for each in allocated() if each and each[-1][2] == 1024], "the lease is seen")
        self.assertLess(abs(points[0][-1][0] - time.time()), 60)
        everything = self.manager.ask("GET", "/v1/history")[1]
        self.assertEqual(everything["bytes_per_gpu"], 8 * 136448)
        self.assertEqual(everything["bytes"], 136448 * len(everything["series"]))
        files = os.listdir(os.path.join(self.state, "history"))
        self.assertEqual(len(files), len(everything["series"]))
        # A client's chart is found by the name that the list of clients has.
        name = self.manager.ask("GET", "/v1/clients")[1]["clients"][0]["name"]
        self.assertIn("client/%s/gpus_allocated" % name, everything["series"])
        self.manager.stop()
        self.start()
        self.assertTrue(all(allocated()), "the history is there after a restart")

    def test_bad_ranges(self):
        name = wait_until(lambda: self.manager.ask("GET", "/v1/history")[1]["series"], "there is history")[0]
        for query in ("from=5&to=4", "points=0", "points=5001", "from=x", "to=-1", "from=99999999999999999999", "to=%zz"):
            status, body = self.manager.ask("GET", "/v1/history?series=%s&%s" % (name, query))
            self.assertEqual(status, 400, (query, body))
        self.assertEqual(self.manager.ask("GET", "/v1/history?series=gone")[0], 404)
        self.assertEqual(self.manager.ask("GET", "/v1/history?series=%s&from=0&to=9223372036854775807" % name)[0], 200)

    def test_a_second_manager_keeps_away_from_the_folder(self):
        with self.assertRaisesRegex(AssertionError, "another manager has this store open"):
            Manager(*self.arguments, "--state-dir", self.state)
        self.assertEqual(self.manager.lease()["memory_mib"], 0)


class NetPerf(Look):
    def test_prints_the_lines_of_the_guide(self):
        result = self.run_cli("net_perf")
        self.assertEqual(result.returncode, 0, result.stderr)
        lines = result.stdout.splitlines()
        self.assertEqual(lines[0], "Displayed results are calculated from round-trip measurements")
        self.assertEqual(lines[1], "BW(1MB) = 1000/(LAT(1MB) - LAT(1B))")
        self.assertEqual(len(lines), 3)
        self.assertRegex(lines[2], r"^\[ %s\] lo => \[127\.0\.0\.1\] lo \( tcp\) Single packet lat = \d+ us, "
                                   r"bw\(1MB\) = \d+\.\d\d GB/s$" % re.escape(socket.gethostname()))
        document = json.loads(self.run_cli("net_perf", "--json").stdout)
        pair = document["servers"][0]["pairs"][0]
        self.assertEqual(document["schema"], 1)
        self.assertGreater(pair["latency_1mb_us"], pair["latency_us"])

    def test_a_server_that_does_not_answer(self):
        result = self.run_cli("net_perf", "-l", "127.0.0.1:1")
        self.assertEqual(result.returncode, 1)
        self.assert_one_line(result.stderr, "cannot reach server 127.0.0.1:1")
        self.assertEqual(len(result.stdout.splitlines()), 2)

    def probe(self):
        status, granted = self.manager.ask("POST", "/v1/probes")
        self.assertEqual(status, 201)
        return granted

    def admitted(self, ticket):
        connection = self.connect("data")
        connection.sendall(hello(ticket))
        return connection, welcome(connection)

    def test_a_ticket_is_good_for_one_connection(self):
        ticket = self.probe()["ticket"]
        connection, answer = self.admitted(ticket)
        self.assertEqual(answer, (0, ""))
        connection.sendall(struct.pack("<I", 5) + b"hello")
        self.assertEqual(receive(connection, 5), b"hello")
        self.assertEqual(self.admitted(ticket)[1][0], 2)
        self.assertEqual(children(self.manager.pid), [])

    def test_nothing_comes_back_before_all_of_a_message_is_there(self):
        connection, _ = self.admitted(self.probe()["ticket"])
        connection.sendall(struct.pack("<I", 1000000) + b"x" * 999999)
        connection.settimeout(0.3)
        self.assertRaises(socket.timeout, connection.recv, 1)
        connection.settimeout(DEADLINE)
        connection.sendall(b"y")
        self.assertEqual(receive(connection, 1000000)[-2:], b"xy")

    def test_messages_that_are_too_long_or_empty_end_it(self):
        for length in (0, 1000001, 0xFFFFFFFF):
            connection, _ = self.admitted(self.probe()["ticket"])
            connection.sendall(struct.pack("<I", length))
            self.assertTrue(closed(connection))

    def test_tickets_and_connections_are_bounded(self):
        tickets = [self.probe()["ticket"] for _ in range(64)]
        self.assertEqual(self.manager.ask("POST", "/v1/probes")[0], 503)
        held = []
        for ticket in tickets[:4]:
            connection, answer = self.admitted(ticket)
            self.assertEqual(answer[0], 0)
            held.append(connection)
        self.assertEqual(self.admitted(tickets[4])[1][0], 3)  # busy; the ticket stays good
        held.pop().close()
        wait_until(lambda: self.admitted(tickets[4])[1][0] == 0, "there is room again")


class Crashreport(Look):
    def test_collects_without_secrets(self):
        lease = self.manager.lease()
        target = os.path.join(self.folder, "report.tar.gz")
        result = self.run_cli("crashreport", "-o", target,
                              environment={"BITFUSION_SESSION": "127.0.0.1:1/" + lease["ticket"], "BITFUSION_LOG": "debug"})
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("Crash report: " + target, result.stdout)
        self.assertEqual(os.stat(target).st_mode & 0o777, 0o600)
        with tarfile.open(target) as archive:
            texts = {os.path.basename(member.name): archive.extractfile(member).read().decode()
                     for member in archive.getmembers() if member.isfile()}
        for name in ("machine.txt", "health.json", "manager.log", "environment.txt",
                     "server-%s.json" % self.manager.control.replace(":", "-")):
            self.assertIn(name, texts)
        self.assertIn("BITFUSION_LOG=debug", texts["environment.txt"])
        self.assertIn("BITFUSION_SESSION=<removed>", texts["environment.txt"])
        self.assertEqual(len(json.loads(texts["health.json"])["checks"]), 11)
        for name, text in texts.items():
            self.assertNotIn(lease["ticket"], text, name)

    def test_never_writes_over_a_file(self):
        target = os.path.join(self.folder, "mine")
        with open(target, "w") as mine:
            mine.write("precious")
        result = self.run_cli("crashreport", "-o", target)
        self.assertEqual(result.returncode, 1)
        self.assert_one_line(result.stderr, "choose another")
        with open(target) as mine:
            self.assertEqual(mine.read(), "precious")


class License(WithManager):
    def test_none_is_needed(self):
        result = self.run_cli("license")
        self.assertEqual((result.returncode, result.stdout), (0, "No license is needed: every server and client may be used.\n"))
        self.assertEqual(json.loads(self.run_cli("license", "--json").stdout)["license"], "not needed")
        self.assertEqual(self.run_cli("dealloc").returncode, 0)


if __name__ == "__main__":
    unittest.main()
