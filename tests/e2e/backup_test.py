"""Backups of a server and its pool: made, listed, downloaded, restored; a damaged or foreign file changes nothing."""
import json
import os
import stat
import subprocess
import tempfile
import unittest

from cluster import *
from roles_test import PASSWORD, Browser


class Backups(WithManager):
    arguments = ("--metrics-interval", "1s")

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="bitfusion-backup-")
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.manager = self.start("state")

    def start(self, state):
        manager = Manager(*self.arguments, "--state-dir", os.path.join(self.folder, state))
        self.addCleanup(manager.close)
        wait_until(lambda: manager.ask("GET", "/v1/history")[1]["series"], "there is history")
        return manager

    def off(self, manager=None):
        checks = (manager or self.manager).ask("GET", "/v1/health")[1]["checks"]
        return [check["name"] for check in checks if not check["counted"]]

    def toggle(self, name, counted):
        self.assertEqual(self.manager.ask("PUT", "/v1/health/" + name, {"counted": counted})[0], 200)

    def download(self, name="one"):
        target = os.path.join(self.folder, name + ".file")
        result = self.run_cli("backup", "download", name, "-o", target)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(stat.S_IMODE(os.stat(target).st_mode), 0o600)
        return target

    def files(self):
        history = os.path.join(self.folder, "state", "history")
        return sorted(os.listdir(history))

    def test_round_trip(self):
        self.toggle("mtu", False)
        made = self.run_cli("backup", "create", "one")
        self.assertEqual((made.returncode, made.stdout), (0, "Backup one was made\n"), made.stderr)
        listed = self.run_cli("backup", "list").stdout.splitlines()
        self.assertEqual(listed[0].split(), ["Name", "Created", "Bytes", "Version"])
        self.assertRegex(listed[1], r"^one +20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ  \d+ +\d+\.\d+\.\d+$")
        self.assertEqual(json.loads(self.run_cli("backup", "list", "--json").stdout)["backups"][0]["name"], "one")
        file = self.download()
        self.toggle("mtu", True)
        self.toggle("ecc", False)
        self.assertEqual(self.off(), ["ecc"])
        before = self.manager.ask("GET", "/v1/history")[1]["series"]
        restored = self.run_cli("backup", "restore", file)
        self.assertEqual(restored.returncode, 0, restored.stderr)
        self.assertRegex(restored.stdout, r"^Backup one of 20\S+Z was restored\n$")
        self.assertEqual(self.off(), ["mtu"])
        self.assertLessEqual(set(before) - set(self.manager.ask("GET", "/v1/history")[1]["series"]), set())
        name = next(name for name in before if name.endswith("/memory_mib"))
        count = len(self.manager.ask("GET", "/v1/history?series=" + name)[1]["points"])
        self.assertGreaterEqual(count, 1)
        wait_until(lambda: self.manager.ask("GET", "/v1/history?series=" + name)[0] == 200, "it goes on")
        self.assertEqual([entry for entry in os.listdir(os.path.join(self.folder, "state")) if "new" in entry or "old" in entry], [])
        self.assertEqual(self.run_cli("backup", "delete", "one").returncode, 0)
        self.assertEqual(self.run_cli("backup", "delete", "one").returncode, 1)

    def assert_refused(self, content, *parts):
        target = os.path.join(self.folder, "bad")
        with open(target, "wb") as bad:
            bad.write(content)
        before = (self.off(), self.files())
        result = self.run_cli("backup", "restore", target)
        self.assertEqual(result.returncode, 1)
        self.assert_one_line(result.stderr, "nothing was changed", *parts)
        self.assertEqual(self.off(), before[0])
        self.assertLessEqual(set(before[1]), set(self.files()))

    def test_damaged_files_change_nothing(self):
        self.run_cli("backup", "create", "one")
        with open(self.download(), "rb") as good:
            content = good.read()
        self.toggle("ecc", False)
        self.assert_refused(content[:-1], "not a complete backup")
        self.assert_refused(content[:len(content) // 2])
        self.assert_refused(content[:200] + bytes([content[200] ^ 1]) + content[201:])
        self.assert_refused(content + b"x")
        self.assert_refused(b"")
        self.assert_refused(b"PK\x03\x04 something else")

    def test_a_backup_of_another_pool_is_refused_unless_its_place_is_taken(self):
        self.run_cli("backup", "create", "one")
        file = self.download()
        with open(file, "rb") as good:
            content = good.read()
        pool = self.manager.ask("GET", "/v1/backups")[1]["backups"][0]["pool"]
        other = self.start("other")
        status, body = other.ask("POST", "/v1/restore", content, {"Content-Type": "application/octet-stream"})
        self.assertEqual(status, 409)
        self.assertIn("another pool, " + pool, body["error"])
        self.assertIn("nothing was changed", body["error"])
        result = self.run_cli("backup", "restore", file, "--pool", pool, "-l", other.control)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(other.ask("POST", "/v1/restore", content, {})[0], 200)

    def test_what_is_asked_for_is_checked(self):
        for name in ("../x", "a/b", ".x", "x" * 65, "a b"):
            self.assertEqual(self.manager.ask("POST", "/v1/backups", {"name": name})[0], 400, name)
        self.assertEqual(self.manager.ask("POST", "/v1/backups", {"name": 7})[0], 400)
        self.assertEqual(self.manager.ask("POST", "/v1/backups", {"name": "twice"})[0], 201)
        self.assertEqual(self.manager.ask("POST", "/v1/backups", {"name": "twice"})[0], 409)
        self.assertEqual(self.manager.ask("GET", "/v1/backups/gone")[0], 404)
        self.assertEqual(self.manager.ask("GET", "/v1/backups/..%2fpool")[0], 404)
        for arguments in (["backup"], ["backup", "burn", "x"], ["backup", "create"], ["backup", "restore"]):
            result = self.run_cli(*arguments)
            self.assertEqual(result.returncode, 2, arguments)
            self.assert_one_line(result.stderr)
        gone = self.run_cli("backup", "download", "gone", "-o", os.path.join(self.folder, "gone"))
        self.assertEqual(gone.returncode, 1)
        self.assert_one_line(gone.stderr, "no such backup")
        self.assertFalse(os.path.exists(os.path.join(self.folder, "gone")))

    def test_only_the_restore_may_be_large(self):
        big = b"x" * 100000
        status, body = self.manager.ask("POST", "/v1/restore", big, {"Content-Type": "application/octet-stream"})
        self.assertEqual(status, 400)
        connection = self.connect("control")
        connection.sendall(b"POST /v1/leases HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                           b"Content-Length: 100000\r\n\r\n")
        self.assertTrue(closed(connection))
        connection = self.connect("control")
        connection.sendall(b"POST /v1/restore HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n")
        self.assertTrue(closed(connection))

    def test_a_server_without_a_folder_says_so(self):
        without = Manager()
        self.addCleanup(without.close)
        status, body = without.ask("POST", "/v1/backups", {"name": "one"})
        self.assertEqual(status, 409)
        self.assertIn("--state-dir", body["error"])


class ThePool(WithManager):
    """What a backup holds of the pool itself: with SQLite here, with etcd below."""

    def setUp(self):
        self.manager = self.start()

    def store(self):
        return ()

    def start(self, **more):
        manager = Manager("--software-gpus", "1", *self.store(), secure=True, **more)
        self.addCleanup(manager.close)
        return manager

    def must(self, status, method, path, body=None, manager=None):
        got, answer = (manager or self.manager).ask(method, path, body)
        self.assertEqual(got, status, (method, path, answer))
        return answer

    def token(self, **more):
        return self.must(201, "POST", "/v1/tokens", dict({"role": "viewer", "shared": True}, **more))

    def backup(self, name="one"):
        self.must(201, "POST", "/v1/backups", {"name": name})
        return self.must(200, "GET", "/v1/backups/" + name)

    def restore(self, content, query="", manager=None):
        return (manager or self.manager).ask("POST", "/v1/restore" + query, content, {"Content-Type": "application/octet-stream"})

    def admits(self, token):
        return self.manager.ask("GET", "/v1/leases", headers={"Authorization": "Bearer " + token["token"]})[0] == 200

    def signs_in(self, name):
        return Browser(self.manager).sign_in(name)[0] == 200

    def test_what_was_decided_comes_back_and_who_was_sent_away_does_not(self):
        server = self.must(200, "GET", "/v1/server")["id"]
        revoked, deleted, kept = self.token(), self.token(), self.token()
        for name, role in (("ann", "admin"), ("bob", "viewer")):
            self.must(201, "POST", "/v1/users", {"name": name, "password": PASSWORD, "role": role})
        self.must(200, "PUT", "/v1/settings", {"quota": 5, "auto_release_seconds": 77})
        lease = self.manager.lease(memory_mib=64)
        client = self.must(200, "GET", "/v1/clients")["clients"][0]["id"]
        self.must(200, "PUT", "/v1/clients/" + client, {"own_quota": 3.5, "enabled": False})
        self.must(200, "PUT", "/v1/servers/" + server, {"accepts": False})
        content = self.backup()

        self.must(200, "PUT", "/v1/settings", {"quota": 6, "auto_release_seconds": None})
        self.must(200, "PUT", "/v1/clients/" + client, {"own_quota": None, "enabled": True})
        self.must(200, "PUT", "/v1/servers/" + server, {"accepts": True})
        self.must(200, "PUT", "/v1/tokens/" + revoked["id"], {"revoked": True})
        self.must(200, "DELETE", "/v1/tokens/" + deleted["id"])
        self.must(200, "DELETE", "/v1/users/bob")
        late = self.token()

        status, answer = self.restore(content)
        self.assertEqual(status, 200, answer)
        settings = self.must(200, "GET", "/v1/settings")
        self.assertEqual((settings["quota"], settings["auto_release_seconds"]), (5, 77))
        row = [row for row in self.must(200, "GET", "/v1/clients")["clients"] if row["id"] == client][0]
        self.assertEqual((row["own_quota"], row["enabled"]), (3.5, False))
        self.assertFalse(self.must(200, "GET", "/v1/servers/" + server)["accepts"])
        self.assertEqual([self.admits(token) for token in (revoked, deleted, kept, late)], [False, False, True, True])
        self.assertEqual((self.signs_in("ann"), self.signs_in("bob")), (True, False))
        self.assertEqual([one["id"] for one in self.manager.leases()], [lease["id"]])

    def test_a_foreign_or_damaged_file_changes_nothing(self):
        self.must(200, "PUT", "/v1/settings", {"quota": 5})
        content = self.backup()
        self.must(200, "PUT", "/v1/settings", {"quota": 6})
        half = len(content) // 2
        for bad in (content[:-1], content[:half] + bytes([content[half] ^ 1]) + content[half + 1:], b"BFBACKUP", b""):
            status, answer = self.restore(bad)
            self.assertEqual(status, 400, answer)
            self.assertIn("nothing was changed", answer["error"])
        self.assertEqual(self.must(200, "GET", "/v1/settings")["quota"], 6)
        pool = self.must(200, "GET", "/v1/backups")["backups"][0]["pool"]
        other = Manager("--software-gpus", "1", secure=True)
        self.addCleanup(other.close)
        status, answer = self.restore(content, manager=other)
        self.assertEqual(status, 409)
        self.assertIn("another pool, " + pool, answer["error"])
        self.assertEqual(self.must(200, "GET", "/v1/settings", manager=other)["quota"], 64)
        # A server that takes a lost one's place: its own administrator stays, the lost one's settings come.
        self.assertEqual(self.restore(content, "?pool=" + pool, manager=other)[0], 200)
        self.assertEqual(self.must(200, "GET", "/v1/settings", manager=other)["quota"], 5)


@unittest.skipIf(ETCD is None, "SKIPPED, NOT TESTED: etcd is not installed (Debian package etcd-server)")
class ThePoolInEtcd(ThePool):
    def setUp(self):
        self.etcd = Etcd(1)
        self.addCleanup(self.etcd.close)
        super().setUp()

    def store(self):
        return "--etcd", self.etcd.endpoints[0]

    def test_only_the_server_that_schedules_restores(self):
        content = self.backup()
        folder = tempfile.TemporaryDirectory(prefix="bitfusion-backup-")
        self.addCleanup(folder.cleanup)
        state = os.path.join(folder.name, "second")
        invitation = os.path.join(folder.name, "invitation")
        with open(invitation, "w") as out:
            out.write(self.run_admin("servers", "invite"))
        self.run_admin("init", "--join", self.manager.control, "--invitation", invitation, "--state-dir", state)
        second = self.start(state=state)
        second.client_dir = self.manager.client_dir
        status, answer = self.restore(content, manager=second)
        self.assertEqual(status, 409)
        self.assertIn("another server schedules", answer["error"])
        # It is a backup of the same pool, also where another server made it.
        self.must(201, "POST", "/v1/backups", {"name": "two"}, manager=second)
        status, answer = self.restore(self.must(200, "GET", "/v1/backups/two", manager=second))
        self.assertEqual(status, 200, answer)

    def run_admin(self, *words):
        environment = clean_environment(BITFUSION_SERVERS=self.manager.control, BITFUSION_CLIENT_DIR=self.manager.client_dir)
        result = subprocess.run([BITFUSION, *words], capture_output=True, text=True, env=environment, timeout=DEADLINE)
        self.assertEqual(result.returncode, 0, result.stderr)
        return result.stdout


if __name__ == "__main__":
    unittest.main()
