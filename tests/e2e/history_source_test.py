"""The history read from a Prometheus-compatible server: Debian's own, which scrapes a real manager; and servers that lie."""
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


class Prometheus:
    """Scrapes one manager every second, as packaging/prometheus/prometheus.yml says, with its own folder and port."""

    def __init__(self, manager, token):
        self.folder = tempfile.TemporaryDirectory(prefix="bitfusion-prometheus-")
        path = lambda name: os.path.join(self.folder.name, name)
        with open(SAMPLE) as sample:
            text = sample.read()
        text = text.replace("192.0.2.10:56001", manager.control).replace("scrape_interval: 15s", "scrape_interval: 1s")
        text = text.replace("  - bitfusion-alerts.yml", "  - " + os.path.join(os.path.dirname(SAMPLE), "bitfusion-alerts.yml"))
        text = text.replace("/etc/prometheus/bitfusion-ca.crt", os.path.join(manager.client_dir, "ca.crt"))
        text = text.replace("/etc/prometheus/bitfusion-token", path("token"))
        with open(path("prometheus.yml"), "w") as config:
            config.write(text)
        with open(path("token"), "w") as file:
            file.write(token + "\n")
        self.port = free_ports(1)[0]
        self.url = "http://127.0.0.1:%d/metrics-of-all" % self.port
        self.log = open(path("log"), "wb+")
        self.process = subprocess.Popen(
            ["prometheus", "--config.file=" + path("prometheus.yml"), "--storage.tsdb.path=" + path("data"),
             "--web.listen-address=127.0.0.1:%d" % self.port, "--web.external-url=" + self.url],
            stdout=self.log, stderr=subprocess.STDOUT, env=clean_environment(GOMAXPROCS="1"))

    def count(self, query):
        try:
            asked = self.url + "/api/v1/query?" + urllib.parse.urlencode({"query": query})
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


@unittest.skipUnless(shutil.which("prometheus"), "SKIPPED, NOT TESTED: no prometheus (package prometheus)")
class Real(WithManager):
    """The manager's own history and the one that Prometheus keeps tell the same."""
    arguments = ("--software-gpus", "2", "--software-memory", "4GiB", "--metrics-interval", "1s")

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="bitfusion-source-")
        self.addCleanup(folder.cleanup)
        self.state = os.path.join(folder.name, "state")
        self.ports = free_ports(2)

    def start(self, *more):
        self.manager = Manager(*self.arguments, *more, secure=True, state=self.state, listen_on=self.ports)
        self.addCleanup(self.manager.close)

    def history(self, names, since, until):
        query = "&".join("series=" + urllib.parse.quote(name) for name in names)
        status, body = self.manager.ask("GET", "/v1/history?%s&from=%d&to=%d&points=100" % (query, since, until))
        self.assertEqual(status, 200, body)
        return {name: {point[0]: point[1:] for point in one["points"]} for name, one in body["range"].items()}

    def test_the_charts_are_the_same(self):
        self.start()
        status, body = self.manager.ask("POST", "/v1/tokens", {"role": "viewer", "description": "prometheus"})
        self.assertEqual(status, 201, body)
        prometheus = Prometheus(self.manager, body["token"])
        self.addCleanup(prometheus.close)
        began = int(time.time())
        self.assertEqual(self.manager.ask("POST", "/v1/leases", {"gpus": 1, "memory_mib": 1024})[0], 201)
        seen = "count_over_time(bitfusion_client_gpus_allocated[1m])"
        wait_until(lambda: prometheus.count(seen) >= 35, "Prometheus has scraped it 35 times", 4 * DEADLINE)
        ended = int(time.time())
        names = self.manager.ask("GET", "/v1/history")[1]["series"]
        constant = [name for name in names if not name.startswith("net/") and "used" not in name and "utilization" not in name]
        own = self.history(names, began, ended)
        self.assertEqual(self.manager.stop(), 0)
        self.start("--prometheus", prometheus.url)
        about = self.manager.ask("GET", "/v1/about")[1]["history"]
        self.assertEqual(about["source"], prometheus.url)
        told = self.manager.ask("GET", "/v1/history")[1]
        self.assertEqual(told["source"], prometheus.url)
        self.assertEqual(set(told["series"]) ^ set(names), set(), "the same series are known")
        theirs = self.history(names, began, ended)
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

    def test_settings_that_cannot_be_are_refused_at_the_start(self):
        for arguments in (("--prometheus", "prometheus:9090"), ("--prometheus", "http://u:secret@127.0.0.1"),
                          ("--prometheus", "http://192.0.2.1", "--prometheus-token-file", "/etc/hostname"),
                          ("--prometheus", "https://127.0.0.1", "--prometheus-ca-file", "/nonexistent")):
            with self.assertRaisesRegex(AssertionError, "--prometheus"):
                Manager(*arguments)


if __name__ == "__main__":
    unittest.main()
