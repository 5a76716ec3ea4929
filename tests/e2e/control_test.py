"""What an administrator watches and changes: events, audit, logs, sessions, edits, the console's files, bad input."""
import contextlib
import gzip
import http.client
import json
import os
import shutil
import socket
import ssl
import subprocess
import tempfile
import threading
import unittest

from harness import *
from roles_test import PASSWORD, Browser, Secure


class Stream:
    """Reads server-sent events."""

    def __init__(self, manager, browser=None, receive_buffer=None):
        trust = ssl.create_default_context(cafile=os.path.join(manager.client_dir, "ca.crt"))
        trust.check_hostname = False
        plain = socket.create_connection(manager.address("control"), timeout=DEADLINE)
        if receive_buffer:
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket = trust.wrap_socket(plain)
        who = "Cookie: " + browser.cookie if browser else "Authorization: Bearer " + manager.token()
        self.socket.sendall(("GET /v1/events HTTP/1.1\r\nHost: x\r\n%s\r\n\r\n" % who).encode())
        self.text = b""
        self.status = int(self.until(b"\r\n\r\n").split()[1])

    def until(self, mark):
        while mark not in self.text:
            more = self.socket.recv(65536)
            if not more:
                raise EOFError(self.text)
            self.text += more
        head, _, self.text = self.text.partition(mark)
        return head

    def wait_for(self, name):
        """The data of the next event of this name."""
        self.until(b"event: " + name.encode() + b"\ndata: ")
        return json.loads(self.until(b"\n\n"))

    def ended(self):
        try:
            while self.socket.recv(65536):
                pass
            return True
        except ConnectionError:
            return True
        except ssl.SSLEOFError:
            return True

    def close(self):
        self.socket.close()


class Events(Secure):
    def stream(self, *arguments, **more):
        stream = Stream(self.manager, *arguments, **more)
        self.addCleanup(stream.close)
        self.assertEqual(stream.status, 200)
        return stream

    def test_changes_are_pushed(self):
        stream = self.stream()
        self.make_person("ann", "viewer")
        self.assertEqual(stream.wait_for("users"), {})
        self.assertEqual(self.manager.ask("PUT", "/v1/users/ann", {"role": "operator"})[0], 200)
        self.assertEqual(stream.wait_for("users"), {"id": "ann"})
        token = self.make_token("client")
        stream.wait_for("tokens")
        stream.wait_for("audit")
        self.assertEqual(self.manager.ask("PUT", "/v1/settings", {"quota": 7})[0], 200)
        stream.wait_for("settings")
        self.assertEqual(self.manager.ask("PUT", "/v1/health/ecc", {"counted": False})[0], 200)
        self.assertEqual(stream.wait_for("health"), {"id": "ecc"})
        lease = self.manager.lease(persistent=True)
        stream.wait_for("leases")
        self.manager.ask("DELETE", "/v1/leases/" + lease["id"])
        stream.wait_for("leases")
        self.manager.ask("DELETE", "/v1/tokens/" + token["id"])
        self.assertEqual(stream.wait_for("tokens"), {"id": token["id"]})

    def test_a_stream_tells_no_more_than_its_reader_may_read_and_ends_with_his_session(self):
        self.make_person("ann", "viewer")
        browser = self.signed_in("ann")
        stream = self.stream(browser)
        self.make_token("client")
        self.manager.ask("PUT", "/v1/settings", {"quota": 9})
        before = stream.until(b"event: settings\n")
        self.assertNotIn(b"event: tokens", before)
        self.assertNotIn(b"event: audit", before)
        self.assertEqual(browser.ask("DELETE", "/v1/session")[0], 200)
        self.manager.ask("PUT", "/v1/settings", {"quota": 8})
        self.assertTrue(stream.ended())

    def test_slow_readers_cost_nothing_and_disturb_nobody(self):
        slow = [self.stream(receive_buffer=1024) for _ in range(8)]
        quick = self.stream()
        for i in range(50):
            self.assertEqual(self.manager.ask("PUT", "/v1/settings", {"quota": 10 + i})[0], 200)
        quick.wait_for("settings")
        self.assertEqual(self.manager.ask("GET", "/v1/settings")[1]["quota"], 59)
        for stream in slow:
            stream.wait_for("settings")

    def test_streams_are_bounded(self):
        for _ in range(16):
            self.stream()
        one_more = Stream(self.manager)
        self.addCleanup(one_more.close)
        self.assertEqual(one_more.status, 429)
        self.assertEqual(self.manager.ask("GET", "/v1/about")[0], 200)

    def test_the_end_of_the_manager_ends_them(self):
        stream = self.stream()
        self.manager.process.terminate()
        self.assertEqual(self.manager.process.wait(DEADLINE), 0)
        self.assertTrue(stream.ended())


class Edits(Secure):
    def edit(self, path, first, second, row):
        """Two administrators change one thing; the second is told."""
        etag = row()["etag"]
        self.assertEqual(self.manager.ask("PUT", path, first, {"If-Match": etag})[0], 200)
        status, body = self.manager.ask("PUT", path, second, {"If-Match": etag})
        self.assertEqual(status, 412, body)
        self.assertIn("somebody else", body["error"])
        now = row()
        self.assertEqual({key: body["current"][key] for key in first if key in now}, {key: now[key] for key in first if key in now})
        self.assertEqual(body["current"]["etag"], now["etag"])
        self.assertEqual(self.manager.ask("PUT", path, second, {"If-Match": body["current"]["etag"]})[0], 200)
        self.assertEqual(self.manager.ask("PUT", path, first)[0], 200, "without If-Match")

    def only(self, path, key, **match):
        rows = self.manager.ask("GET", path)[1][key]
        return next(row for row in rows if all(row[name] == value for name, value in match.items()))

    def test_whatever_can_be_edited(self):
        self.manager.ask("DELETE", "/v1/leases/" + self.manager.lease(persistent=True)["id"])
        client = self.manager.ask("GET", "/v1/clients")[1]["clients"][0]["id"]
        self.edit("/v1/clients/" + client, {"own_quota": 3}, {"enabled": False}, lambda: self.only("/v1/clients", "clients", id=client))
        server = self.manager.ask("GET", "/v1/server")[1]["id"]
        self.edit("/v1/servers/" + server, {"metrics_interval_s": 7}, {"accepts": False},
                  lambda: self.only("/v1/servers", "servers", id=server))
        self.edit("/v1/settings", {"quota": 3.5, "metrics_interval_s": 20}, {"idle_limit_minutes": 5},
                  lambda: self.manager.ask("GET", "/v1/settings")[1])
        token = self.make_token("viewer")["id"]
        self.edit("/v1/tokens/" + token, {"description": "one"}, {"active": False}, lambda: self.only("/v1/tokens", "tokens", id=token))
        self.make_person("ann", "viewer")
        self.edit("/v1/users/ann", {"role": "operator"}, {"role": "viewer"}, lambda: self.only("/v1/users", "users", name="ann"))
        self.edit("/v1/servers/%s/health/ecc" % server, {"counted": False}, {"counted": True},
                  lambda: self.only("/v1/servers/%s/health" % server, "checks", name="ecc"))
        for path in ("/v1/tokens/" + token, "/v1/users/ann", "/v1/clients/" + client, "/v1/servers/" + server):
            self.assertEqual(self.manager.ask("DELETE", path, headers={"If-Match": '"stale"'})[0], 412, path)

    def test_a_server_follows_the_default_until_it_says_otherwise(self):
        server = self.manager.ask("GET", "/v1/server")[1]["id"]
        row = lambda: self.only("/v1/servers", "servers", id=server)
        self.assertEqual(self.manager.ask("PUT", "/v1/settings", {"accepts": False, "metrics_interval_s": 30})[0], 200)
        self.assertEqual((row()["accepts"], row()["own_accepts"], row()["metrics_interval_s"]), (False, None, 30))
        self.assertEqual(self.manager.ask("PUT", "/v1/servers/" + server, {"accepts": True, "metrics_interval_s": 5})[0], 200)
        self.assertEqual((row()["accepts"], row()["metrics_interval_s"]), (True, 5))
        self.manager.ask("PUT", "/v1/settings", {"accepts": True})
        self.manager.ask("PUT", "/v1/settings", {"accepts": False})
        self.assertEqual(row()["accepts"], True)
        self.assertEqual(self.manager.ask("PUT", "/v1/servers/" + server, {"accepts": None, "metrics_interval_s": None})[0], 200)
        self.assertEqual((row()["accepts"], row()["own_accepts"], row()["metrics_interval_s"]), (False, None, 30))

    def test_auto_release_outlives_a_restart_until_it_is_given_back(self):
        auto_release = lambda manager: manager.ask("GET", "/v1/settings")[1]["auto_release_seconds"]
        arguments = ("--software-gpus", "1", "--auto-release-timeout")
        state = tempfile.TemporaryDirectory(prefix="bitfusion-control-")
        self.addCleanup(state.cleanup)
        with contextlib.closing(Manager(*arguments, "90s", state=state.name)) as manager:
            self.assertEqual(auto_release(manager), 90)
        with contextlib.closing(Manager(*arguments, "95s", state=state.name)) as manager:
            self.assertEqual(auto_release(manager), 95)
            self.assertEqual(manager.ask("PUT", "/v1/settings", {"auto_release_seconds": 70})[0], 200)
        with contextlib.closing(Manager(*arguments, "95s", state=state.name)) as manager:
            self.assertEqual(auto_release(manager), 70)
            self.assertEqual(manager.ask("PUT", "/v1/settings", {"auto_release_seconds": None})[0], 200)
            self.assertEqual(auto_release(manager), 95)
        with contextlib.closing(Manager(*arguments, "90s", state=state.name)) as manager:
            self.assertEqual(auto_release(manager), 90)

    def test_wrong_values_change_nothing(self):
        server = self.manager.ask("GET", "/v1/server")[1]["id"]
        before = self.manager.ask("GET", "/v1/settings")[1]
        for path, bodies in (("/v1/settings", ({"quota": -1}, {"quota": "4"}, {"quota": 1e9}, {"idle_limit_minutes": []},
                                               {"auto_release_seconds": 0}, {"metrics_interval_s": 0}, {"accepts": "no"},
                                               {"quota": 5, "unknown": 1}, {"etag": "x"})),
                             ("/v1/servers/" + server, ({"accepts": 1}, {"metrics_interval_s": 1.5}, {"metrics_interval_s": 99999},
                                                        {"address": "10.0.0.1:1"}, {"accepts": False, "x": 1}))):
            for body in bodies:
                self.assertEqual(self.manager.ask("PUT", path, body)[0], 400, (path, body))
        self.assertEqual(self.manager.ask("GET", "/v1/settings")[1], before)
        self.assertTrue(self.manager.ask("GET", "/v1/servers/" + server)[1]["accepts"])


class Trail(Secure):
    def entries(self, query=""):
        status, body = self.manager.ask("GET", "/v1/audit" + query)
        self.assertEqual(status, 200, body)
        return body

    def test_every_change_leaves_a_trace(self):
        self.make_person("ann", "operator")
        browser = self.signed_in("ann")
        browser.ask("PUT", "/v1/settings", {"quota": 3})
        browser.ask("DELETE", "/v1/users/ann")
        Browser(self.manager).sign_in("ann", "wrong horse")
        Browser(self.manager).ask("DELETE", "/v1/tokens/abcdefg")
        found = [(row["who"], row["what"], row["subject"], row["status"]) for row in reversed(self.entries()["entries"])]
        admin = found[0][0]
        self.assertEqual(found, [(admin, "POST /v1/users", "ann", 201), ("person ann", "sign in", "ann", 200),
                                 ("person ann", "PUT /v1/settings", "", 200), ("person ann", "DELETE /v1/users/{id}", "ann", 403),
                                 ("nobody", "sign in", "ann", 401), ("nobody", "DELETE /v1/tokens/{id}", "abcdefg", 401)])
        text = json.dumps(self.entries())
        for secret in (PASSWORD, "wrong horse", browser.cookie.split("=", 1)[1], self.manager.token()):
            self.assertNotIn(secret, text)
        self.assertEqual({row["from"] for row in self.entries()["entries"]}, {"127.0.0.1"})

    def test_the_trail_is_there_after_the_server_was_killed(self):
        with tempfile.TemporaryDirectory(prefix="bitfusion-trail-") as folder:
            state = os.path.join(folder, "state")
            with_state = lambda: Manager(*self.arguments, secure=True, state=state)
            self.manager = with_state()
            self.addCleanup(lambda: self.manager.close())
            self.manager.ask("PUT", "/v1/settings", {"quota": 3})
            self.manager.ask("PUT", "/v1/settings", {"quota": 4})
            before = self.entries()["entries"]
            self.assertEqual([row["what"] for row in before], ["PUT /v1/settings"] * 2)
            first = self.manager.pid
            self.manager.process.kill()
            self.manager.close()
            self.manager = with_state()
            self.assertNotEqual(self.manager.pid, first)
            self.assertEqual(self.entries()["entries"], before)
            self.manager.ask("PUT", "/v1/settings", {"quota": 5})
            after = self.entries()["entries"]
            self.assertEqual(after[1:], before)
            self.assertGreater(after[0]["seq"], before[0]["seq"])

    def test_pages(self):
        for i in range(30):
            self.manager.ask("PUT", "/v1/settings", {"quota": i + 1})
        page, seen = self.entries("?limit=7"), []
        while True:
            seen += [row["change"]["quota"] for row in page["entries"]]
            if page["next"] is None:
                break
            page = self.entries("?limit=7&before=%d" % page["next"])
        self.assertEqual(seen, list(range(30, 0, -1)))
        for query in ("?limit=0", "?limit=501", "?limit=x", "?before=-1", "?limit=99999999999999999999999"):
            self.assertEqual(self.manager.ask("GET", "/v1/audit" + query)[0], 400, query)


class Logs(Secure):
    def test_levels_following_and_bounds(self):
        server = self.manager.ask("GET", "/v1/server")[1]["id"]
        path = "/v1/servers/%s/logs" % server
        Browser(self.manager).sign_in("ann", "wrong horse")
        status, page = self.manager.ask("GET", path + "?level=warn")
        self.assertEqual(status, 200)
        self.assertIn("sign-in as ann from 127.0.0.1 refused", [line["text"] for line in page["lines"]])
        self.assertEqual({line["level"] for line in page["lines"]} - {"warn", "error"}, set())
        after = self.manager.ask("GET", path)[1]["next"]
        answers = []
        follower = threading.Thread(target=lambda: answers.append(self.manager.ask("GET", "%s?level=warn&after=%d&wait=30" % (path, after))))
        follower.start()
        Browser(self.manager).sign_in("bob", "wrong horse")
        follower.join(DEADLINE)
        self.assertIn("sign-in as bob from 127.0.0.1 refused", [line["text"] for line in answers[0][1]["lines"]])
        for query in ("?level=loud", "?lines=0", "?lines=9999", "?after=x", "?wait=31", "?wait=-1"):
            self.assertEqual(self.manager.ask("GET", path + query)[0], 400, query)
        self.assertEqual(self.manager.ask("GET", "/v1/servers/nothing/logs")[0], 404)


class WorkersLogs(WithManager):
    def lines(self, level):
        server = self.manager.ask("GET", "/v1/server")[1]["id"]
        return self.manager.ask("GET", "/v1/servers/%s/logs?level=%s" % (server, level))[1]["lines"]

    def test_the_log_has_the_workers_lines_by_level(self):
        lease = self.manager.lease()
        connection = self.open_session(lease["ticket"])
        worker = children(self.manager.pid)[0]
        connection.sendall(b"\xff" * 64)  # no message: the worker says so, and ends
        self.assertTrue(closed(connection))

        def said(level):
            return [line for line in self.lines(level) if line["text"].startswith("worker %d: " % worker)]
        loud = wait_until(lambda: said("warn"), "the worker's complaint is in the log")
        self.assertEqual({line["level"] for line in loud} - {"warn", "error"}, set())
        self.assertTrue({line["part"] for line in loud} <= {"worker", "link", "wire"}, loud)
        every = said("info")
        self.assertGreater(len(every), len(said("error")))
        self.assertTrue(all(line in every for line in loud))
        # What is not asked for by BITFUSION_LOG is in the log book alone.
        for line in every:
            self.assertEqual(line["text"] in self.manager.log(), line["level"] != "info", line)


class Running(Secure):
    def test_who_runs_what(self):
        lease = self.manager.lease(persistent=True, memory_mib=512,
                                   client={"host": "node7", "pid": 4711, "user": "ann", "program": "train.py"})
        rows = self.manager.ask("GET", "/v1/sessions")[1]["sessions"]
        self.assertEqual(len(rows), 1)
        row = rows[0]
        self.assertEqual([row[key] for key in ("id", "host", "pid", "user", "program", "memory_mib", "state", "persistent")],
                         [lease["id"], "node7", 4711, "ann", "train.py", 512, "active", True])
        self.assertEqual([(part["ordinal"], part["memory_mib"]) for part in row["devices"]], [(0, 512)])
        self.assertGreaterEqual(row["idle_s"], 0)
        self.assertEqual((row["round_trips"], row["sent_bytes"], row["workers"]), (0, 0, 0))
        waiting = self.manager.ask("POST", "/v1/leases", {"gpus": 1, "timeout_s": 60})
        self.assertEqual(waiting[0], 202)
        claim = self.manager.ask("GET", "/v1/claims")[1]["claims"][0]
        self.assertEqual((claim["place"], claim["gpus"]), (1, 1))
        self.assertTrue(claim["text"] and claim["since"])
        # The queue is among the metrics.
        text = self.nobody("GET", "/metrics", token=self.manager.token())[1].decode()
        self.assertIn("\nbitfusion_queue_length 1\n", text)
        self.assertEqual(self.manager.ask("DELETE", "/v1/leases/" + lease["id"])[0], 200)


class Pages(unittest.TestCase):
    """The console's files, from a bundle of our own making."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="bitfusion-pages-")
        self.addCleanup(folder.cleanup)
        self.root = folder.name
        for name in ("bin", "lib", "share/bitfusion/console/assets"):
            os.makedirs(os.path.join(self.root, name))
        shutil.copy(BITFUSION, os.path.join(self.root, "bin"))
        os.symlink(os.path.abspath(os.path.join(BUILD, "lib", "bitfusion")), os.path.join(self.root, "lib", "bitfusion"))
        self.put("index.html", b"<!doctype html>")
        self.put("assets/app-3f2a91bc.js", b"let a;")
        self.put("assets/app-3f2a91bc.js.gz", gzip.compress(b"let a;"))

    def put(self, name, content):
        with open(os.path.join(self.root, "share/bitfusion/console", name), "wb") as file:
            file.write(content)

    def start(self):
        manager = Manager("--software-gpus", "1", secure=True, program=os.path.join(self.root, "bin", "bitfusion"))
        self.addCleanup(manager.close)
        return Browser(manager)

    def test_files_headers_and_caching(self):
        browser = self.start()
        status, _ = browser.ask("GET", "/")
        self.assertEqual((status, browser.headers["Location"]), (302, "/console/"))
        status, body = browser.ask("GET", "/console/")
        self.assertEqual((status, body, browser.headers["Content-Type"]), (200, b"<!doctype html>", "text/html; charset=utf-8"))
        policy = browser.headers["Content-Security-Policy"]
        self.assertIn("frame-ancestors 'none'", policy)
        self.assertNotIn("unsafe", policy)
        self.assertEqual(browser.headers["X-Content-Type-Options"], "nosniff")
        self.assertEqual(browser.headers["Referrer-Policy"], "no-referrer")
        self.assertEqual(browser.headers["Cache-Control"], "no-cache")
        etag = browser.headers["ETag"]
        self.assertEqual(browser.ask("GET", "/console/", headers={"If-None-Match": etag}), (304, b""))
        script = "/console/assets/app-3f2a91bc.js"
        self.assertEqual(browser.ask("GET", script), (200, b"let a;"))
        self.assertIn("immutable", browser.headers["Cache-Control"])
        status, body = browser.ask("GET", script, headers={"Accept-Encoding": "gzip, br"})
        self.assertEqual((gzip.decompress(body), browser.headers["Content-Encoding"]), (b"let a;", "gzip"))

    def test_no_path_leads_out(self):
        browser = self.start()
        with open(os.path.join(self.root, "share/bitfusion/secret.json"), "w") as secret:
            secret.write("secret")
        for path in ("../secret.json", "..%2fsecret.json", "%2e%2e/secret.json", "assets/../../secret.json", "/etc/passwd",
                     "....//secret.json", "assets", "index.html%00", "assets/app-3f2a91bc.js.gz", "x" * 4000):
            status, body = browser.ask("GET", "/console/" + path)
            self.assertEqual(status, 404, path)
            self.assertNotIn("secret", str(body))
        for path in ("/console/../v1/tokens", "/../../etc/passwd", "//console/"):
            self.assertIn(browser.ask("GET", path)[0], (401, 404), path)

    def test_without_files_a_page_says_what_to_do(self):
        shutil.rmtree(os.path.join(self.root, "share"))
        status, body = self.start().ask("GET", "/console/")
        self.assertEqual(status, 503)
        self.assertIn(b"web console", body)


class BadInput(Secure):
    def test_huge_bodies_are_refused_before_they_are_read(self):
        browser = Browser(self.manager)
        for path, token in (("/v1/users", self.manager.token()), ("/v1/restore", None), ("/v1/restore", "bf-x")):
            headers = {"Authorization": "Bearer " + token} if token else {}
            status, body = browser.ask("POST", path, b"x" * 100000, dict(headers, **{"Content-Type": "application/json"}))
            self.assertEqual(status, 413, path)
            self.assertIn("too large", body["error"])
        self.assertEqual(self.manager.ask("GET", "/v1/health")[0], 200)

    def test_an_insecure_server_answers_no_page_of_others(self):
        manager = Manager("--software-gpus", "1")
        self.addCleanup(manager.close)
        ask = lambda **headers: manager.ask("POST", "/v1/claim_id", {}, headers)[0]
        self.assertEqual(ask(), 200)
        self.assertEqual(ask(Origin="http://evil.example"), 403)
        self.assertEqual(ask(Host="evil.example:56001"), 403)
        self.assertEqual(ask(Host="localhost:56001"), 200)
        self.assertEqual(manager.ask("GET", "/v1/session")[1], {"name": "local", "role": "admin", "csrf": "", "expires": None, "insecure": True})

    def test_several_series_at_once(self):
        wait_until(lambda: self.manager.ask("GET", "/v1/history")[1].get("series"), "something was measured")
        status, body = self.manager.ask("GET", "/v1/history?series=server/gpus&series=pool/gpus&series=nothing")
        self.assertEqual(status, 200, body)
        self.assertEqual(sorted(body["range"]), ["pool/gpus", "server/gpus"])
        self.assertEqual(body["range"]["pool/gpus"]["points"][-1][1:], [1, 1])
        many = "&".join("series=s%d" % i for i in range(65))
        self.assertEqual(self.manager.ask("GET", "/v1/history?" + many)[0], 400)


if __name__ == "__main__":
    unittest.main()
