"""The history read from Prometheus-compatible servers: Debian's own, which scrape a real manager; and servers that lie."""
import http.client
import http.server
import json
import os
import re
import shutil
import socket
import subprocess
import tempfile
import threading
import time
import unittest
import urllib.parse
import urllib.request

from cluster import free_ports
from harness import *

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SAMPLE = os.path.join(ROOT, "packaging", "prometheus", "prometheus.yml")


class Keeper:
    """A server that scrapes one manager every second, as packaging/prometheus/prometheus.yml says, with a folder and a port of its own."""

    def __init__(self, manager, token, port):
        self.folder = tempfile.TemporaryDirectory(prefix="bitfusion-keeper-")
        with open(SAMPLE) as sample:
            text = sample.read()
        text = text.replace("192.0.2.10:56001", manager.control).replace("scrape_interval: 15s", "scrape_interval: 1s")
        text = text.replace("  - bitfusion-alerts.yml", "  - " + os.path.join(os.path.dirname(SAMPLE), "bitfusion-alerts.yml"))
        text = text.replace("/etc/prometheus/bitfusion-ca.crt", os.path.join(manager.client_dir, "ca.crt"))
        text = text.replace("/etc/prometheus/bitfusion-token", self.path("token"))
        with open(self.path("scrape.yml"), "w") as config:
            config.write(text)
        with open(self.path("token"), "w") as file:
            file.write(token + "\n")
        self.address = "127.0.0.1:%d" % port
        self.url = "http://%s%s" % (self.address, self.at)
        self.log = open(self.path("log"), "wb+")
        self.process = subprocess.Popen(self.command(), stdout=self.log, stderr=subprocess.STDOUT, env=clean_environment(GOMAXPROCS="1"))

    def path(self, name):
        return os.path.join(self.folder.name, name)

    def count(self, query):
        try:
            asked = self.url + "/api/v1/query?" + urllib.parse.urlencode({"query": query, "nocache": "1"})
            with urllib.request.urlopen(asked, timeout=DEADLINE) as answer:
                rows = json.load(answer)["data"]["result"]
                return float(rows[0]["value"][1]) if rows else 0
        except OSError:
            self.log.seek(0)
            assert self.process.poll() is None, self.log.read()
            return 0

    def close(self):
        self.process.terminate()
        self.process.wait()
        self.log.close()
        self.folder.cleanup()


class Prometheus(Keeper):
    program = "prometheus"
    at = "/metrics-of-all"

    def command(self):
        return [self.program, "--config.file=" + self.path("scrape.yml"), "--storage.tsdb.path=" + self.path("data"),
                "--web.listen-address=" + self.address, "--web.external-url=" + self.url]


class VictoriaMetrics(Keeper):
    """With the settings that it comes with, but for its own part of the file: alert rules are another program's."""
    program = "victoria-metrics"
    at = "/of/all"

    def command(self):
        return [self.program, "-promscrape.config=" + self.path("scrape.yml"), "-promscrape.config.strictParse=false",
                "-storageDataPath=" + self.path("data"), "-httpListenAddr=" + self.address, "-http.pathPrefix=" + self.at]


def needs(keeper):
    return unittest.skipUnless(shutil.which(keeper.program),
                               "SKIPPED, NOT TESTED: no %s (package %s)" % (keeper.program, keeper.program))


class Kept:
    """A manager that was scraped for a while by all the keepers that there are, and what its own history says of that time."""
    arguments = ("--software-gpus", "2", "--software-memory", "4GiB", "--metrics-interval", "1s")

    def __init__(self):
        self.folder = tempfile.TemporaryDirectory(prefix="bitfusion-source-")
        kinds = [kind for kind in (Prometheus, VictoriaMetrics) if shutil.which(kind.program)]
        self.ports, ports = free_ports(4)[:2], free_ports(4)[2:]
        self.kinds = dict(zip(kinds, ports))
        self.keepers = {}
        self.manager = None

    def gather(self):
        self.start()
        status, body = self.manager.ask("POST", "/v1/tokens", {"role": "viewer", "description": "prometheus"})
        assert status == 201, body
        for kind, port in self.kinds.items():
            self.keepers[kind] = kind(self.manager, body["token"], port)
        self.began = int(time.time())
        assert self.manager.ask("POST", "/v1/leases", {"gpus": 1, "memory_mib": 1024})[0] == 201
        seen = "count_over_time(bitfusion_client_gpus_allocated[1m])"
        for kind, keeper in self.keepers.items():
            wait_until(lambda keeper=keeper: keeper.count(seen) >= 35, kind.program + " has scraped it 35 times", 4 * DEADLINE)
        self.ended = int(time.time())
        self.names = self.manager.ask("GET", "/v1/history")[1]["series"]
        self.own = self.history()

    def start(self, *more):
        if self.manager:
            assert self.manager.stop() == 0
        self.manager = Manager(*self.arguments, *more, secure=True, state=os.path.join(self.folder.name, "state"), listen_on=self.ports)

    def history(self):
        query = "&".join("series=" + urllib.parse.quote(name) for name in self.names)
        status, body = self.manager.ask("GET", "/v1/history?%s&from=%d&to=%d&points=100" % (query, self.began, self.ended))
        assert status == 200, body
        return {name: {point[0]: point[1:] for point in one["points"]} for name, one in body["range"].items()}

    def close(self):
        if self.manager:
            self.manager.close()
        for keeper in self.keepers.values():
            keeper.close()
        self.folder.cleanup()


class Real:
    """The manager's own history and the one that the keeper keeps tell the same."""
    kept = []  # one for all keepers: the time in which they scrape is the same

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        if not Real.kept:
            Real.kept.append(Kept())
            unittest.addModuleCleanup(lambda: Real.kept.pop().close())
            Real.kept[0].gather()

    def setUp(self):
        self.kept = Real.kept[0]
        self.url = self.kept.keepers[self.keeper].url
        self.kept.start("--prometheus", self.url)
        self.manager = self.kept.manager

    def test_the_charts_are_the_same(self):
        names, own, began, ended = self.kept.names, self.kept.own, self.kept.began, self.kept.ended
        constant = [name for name in names if not name.startswith("net/") and "used" not in name and "utilization" not in name]
        about = self.manager.ask("GET", "/v1/about")[1]["history"]
        self.assertEqual(about["source"], self.url)
        told = self.manager.ask("GET", "/v1/history")[1]
        self.assertEqual(told["source"], self.url)
        self.assertEqual(set(told["series"]) ^ set(names), set(), "the same series are known")
        theirs = self.kept.history()
        self.assertEqual(set(theirs), set(own))
        compared = 0
        for name in constant:
            # The first and the last step are full in neither.
            times = sorted(set(own[name]) & set(theirs[name]))[1:-1]
            for when in times:
                self.assertEqual(theirs[name][when], own[name][when], (name, when))
                compared += 1
        self.assertGreaterEqual(compared, len(constant))
        self.assertIn("client/", " ".join(constant))
        one = constant[0]
        status, alone = self.manager.ask("GET", "/v1/history?series=%s&from=%d&to=%d" % (urllib.parse.quote(one), began, ended))
        self.assertEqual((status, alone["series"], alone["step_s"]), (200, one, 10))
        self.assertEqual(self.manager.ask("GET", "/v1/history?series=gpu/none/power_w")[0], 404)
        self.assertEqual(self.manager.ask("GET", "/v1/history?series=up%7D%20or%20up")[0], 404)
        self.assertEqual(self.manager.ask("GET", "/v1/history?series=server/gpus&points=0")[0], 400)
        # The other server's id: its measurements are not this one's.
        prefix = self.manager.ask("GET", "/v1/history?prefix=net/")[1]["series"]
        self.assertTrue(prefix and all(name.startswith("net/") for name in prefix), prefix)

    def test_a_time_in_which_nothing_was_measured_is_empty(self):
        before = self.kept.began - 3600
        query = "/v1/history?series=server/gpus&series=pool/gpus&from=%d&to=%d" % (before, before + 1800)
        self.assertEqual(self.manager.ask("GET", query), (200, {"range": {}}))

    def test_the_newest_steps_are_those_that_were_measured(self):
        """What changes now is seen at once, not when a keeper holds its newest samples for complete."""
        keeper = self.kept.keepers[self.keeper]
        held = len(self.manager.leases())
        wait_until(lambda: keeper.count("bitfusion_leases") == held, "the leases that there are have been scraped")
        for _ in range(2):
            self.manager.lease(memory_mib=64)
        wait_until(lambda: keeper.count("bitfusion_leases") == held + 2, "two more leases have been scraped")
        status, body = self.manager.ask("GET", "/v1/history?series=server/leases&points=100")
        self.assertEqual((status, body["points"][-1][2]), (200, held + 2))

    def test_64_long_names_at_once_are_answered(self):
        names = ["client/%s/gpus_allocated" % ("-" * 60 + "%04d" % number) for number in range(63)] + ["server/gpus"]
        query = "&".join("series=" + urllib.parse.quote(name, safe="") for name in names)
        status, body = self.manager.ask("GET", "/v1/history?" + query)
        self.assertEqual((status, list(body.get("range", body))), (200, ["server/gpus"]))


@needs(Prometheus)
class RealPrometheus(Real, WithManager):
    keeper = Prometheus


@needs(VictoriaMetrics)
class RealVictoriaMetrics(Real, WithManager):
    keeper = VictoriaMetrics


class Lying(http.server.BaseHTTPRequestHandler):
    answer = (200, b"{}")
    asked = []

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        Lying.asked.append(self.path)
        status, body = Lying.answer
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        try:
            self.wfile.write(body)
        except ConnectionError:
            pass  # who asked has heard enough

    def log_message(self, *_):
        pass


class Hostile(WithManager):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Lying)
        cls.server.daemon_threads = True
        threading.Thread(target=cls.server.serve_forever, daemon=True).start()
        cls.url = "http://127.0.0.1:%d" % cls.server.server_address[1]

    @classmethod
    def tearDownClass(cls):
        cls.server.shutdown()
        cls.server.server_close()

    def setUp(self):
        self.manager = Manager("--prometheus", self.url)
        self.addCleanup(self.manager.close)

    def ask(self):
        return self.manager.ask("GET", "/v1/history?series=server/gpus&series=pool/gpus")

    def memory_kib(self):
        with open("/proc/%d/status" % self.manager.pid) as status:
            return int(re.search(r"VmHWM:\s+(\d+)", status.read()).group(1))

    def test_what_is_no_answer_is_said_to_be_none(self):
        matrix = b'{"status":"success","data":{"resultType":"matrix","result":[%s]}}'
        for answer in ((200, b"<html>"), (200, b""), (200, b"[" * 3000000), (200, b"\xff" * 100), (302, b""), (500, b"x"),
                       (200, matrix % b'{"metric":{},"values":[[1,"1"]]}'), (200, matrix % b'{"metric":[],"values":{}}'),
                       (200, b" " * (5 << 20)), (422, b'{"status":"error","error":"<script>too much\\u0007"}')):
            Lying.answer = answer
            status, body = self.ask()
            self.assertEqual(status, 503, (answer[1][:80], body))
            self.assertIn(self.url, body["error"])
            self.assertNotIn("\x07", body["error"])
            self.assertLess(len(body["error"]), 500)
        self.assertLess(self.memory_kib(), 200 * 1024)
        Lying.answer = (200, matrix % b"")
        self.assertEqual(self.ask(), (200, {"range": {}}))
        self.assertIn("/api/v1/query_range", Lying.asked)

    def test_one_that_never_answers_is_given_up_and_the_rest_goes_on(self):
        silent = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(silent.close)
        self.manager.stop()
        self.manager = Manager("--prometheus", "http://127.0.0.1:%d" % silent.getsockname()[1])
        self.addCleanup(self.manager.close)
        answers = []
        waiting = [threading.Thread(target=lambda: answers.append(self.ask())) for _ in range(12)]
        began = time.monotonic()
        for thread in waiting:
            thread.start()
        self.assertEqual(self.manager.ask("GET", "/v1/about")[0], 200)
        self.assertLess(time.monotonic() - began, 5)
        for thread in waiting:
            thread.join()
        self.assertEqual([status for status, _ in answers], [503] * 12)
        said = " ".join(body["error"] for _, body in answers)
        self.assertIn("no answer in time", said)
        self.assertIn("too many charts", said)  # of those, more than eight are not held at once

    def test_one_that_is_not_there_is_said(self):
        self.manager.stop()
        port = free_ports(1)[0]
        self.manager = Manager("--prometheus", "http://127.0.0.1:%d" % port)
        self.addCleanup(self.manager.close)
        status, body = self.ask()
        self.assertEqual(status, 503)
        self.assertIn("127.0.0.1:%d" % port, body["error"])
        self.assertIn("check that it runs", body["error"])
        self.assertEqual(self.manager.ask("GET", "/v1/history")[0], 503)

    @unittest.skipUnless(os.geteuid() == 0 and shutil.which("unshare"), "SKIPPED, NOT TESTED: only root can have a name server of his own")
    def test_a_name_server_that_is_silent_holds_nobody(self):
        """Neither other requests nor the end of the daemon wait for it."""
        server = socket.socket(type=socket.SOCK_DGRAM)
        self.addCleanup(server.close)
        server.settimeout(DEADLINE)
        try:
            server.bind(("127.0.0.53", 53))
        except OSError as error:
            self.skipTest("SKIPPED, NOT TESTED: no name server can be had here: %s" % error)
        self.manager.stop()
        with tempfile.NamedTemporaryFile("w", suffix=".conf") as file:
            file.write("nameserver 127.0.0.53\noptions timeout:30 attempts:5\n")
            file.flush()
            own = ("unshare", "-m", "sh", "-c", 'mount --bind "$0" /etc/resolv.conf && exec "$@"', file.name)
            if subprocess.run([*own, "true"], capture_output=True).returncode != 0:
                self.skipTest("SKIPPED, NOT TESTED: no mount of one's own can be made here")
            self.manager = Manager("--prometheus", "http://metrics.example:9090", through=own)
            self.addCleanup(self.manager.close)
            asking = threading.Thread(target=self.ask_in_vain)
            asking.start()
            self.assertIn(b"metrics", server.recvfrom(512)[0])
            self.assertEqual(self.manager.ask("GET", "/v1/about")[0], 200)
            self.assertEqual(self.manager.stop(), 0)
            asking.join()

    def ask_in_vain(self):
        try:
            self.ask()
        except (OSError, http.client.HTTPException):
            pass  # the daemon ended meanwhile

    def test_settings_that_cannot_be_are_refused_at_the_start(self):
        for arguments in (("--prometheus", "prometheus:9090"), ("--prometheus", "http://u:secret@127.0.0.1"),
                          ("--prometheus", "http://192.0.2.1", "--prometheus-token-file", "/etc/hostname"),
                          ("--prometheus", "https://127.0.0.1", "--prometheus-ca-file", "/nonexistent")):
            with self.assertRaisesRegex(AssertionError, "--prometheus"):
                Manager(*arguments)


if __name__ == "__main__":
    unittest.main()
