"""Backups of a server: made, listed, downloaded, restored; a damaged or foreign file changes nothing."""
import json
import os
import stat
import tempfile
import unittest

from harness import *


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


if __name__ == "__main__":
    unittest.main()
