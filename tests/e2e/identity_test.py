"""Who may use a pool: TLS, tokens, revocation, people, and the words of each refusal."""
import io
import os
import socket
import ssl
import struct
import subprocess
import tarfile
import tempfile
import unittest

from harness import *


class Secure(WithManager):
    """A pool that the manager began by itself, on loopback; its administrator is `admin`."""

    def setUp(self):
        self.manager = Manager(*self.arguments, secure=True)
        self.addCleanup(self.manager.close)
        self.homes = tempfile.TemporaryDirectory(prefix="bitfusion-e2e-")
        self.addCleanup(self.homes.cleanup)

    def cli(self, client_dir, *arguments, machine="machine-a", **options):
        environment = clean_environment(BITFUSION_SERVERS=self.manager.control, BITFUSION_CLIENT_DIR=client_dir,
                                        BITFUSION_MACHINE_ID=machine)
        environment.update(options.pop("environment", {}))
        return subprocess.run([BITFUSION, *arguments], capture_output=True, text=True, env=environment,
                              timeout=DEADLINE, **options)

    def admin(self, *arguments, **options):
        return self.cli(self.manager.client_dir, *arguments, **options)

    def client(self, name, *flags):
        """The folder of a new client, from its bundle, and its token's id."""
        bundle = os.path.join(self.homes.name, name + ".tar")
        made = self.admin("token", "create", "--description", name, "--bundle", bundle, "--json", *flags)
        self.assertEqual(made.returncode, 0, made.stderr)
        self.assertEqual(os.stat(bundle).st_mode & 0o777, 0o600)
        folder = os.path.join(self.homes.name, name)
        with tarfile.open(bundle) as archive:
            self.assertEqual(sorted(archive.getnames()), ["ca.crt", "client.yaml", "servers.conf"])
            archive.extractall(folder)
        return folder, json.loads(made.stdout)["id"]

    def assert_refused(self, result, *parts):
        self.assertEqual(result.returncode, 1, result.stderr)
        self.assertIn("to verify client id: Get https://%s/claim_id: " % self.manager.control, result.stderr)
        self.assertIn("Error: none of the servers responded correctly to client id claim requests.\n", result.stderr)
        for part in parts:
            self.assertIn(part, result.stderr)


class Identity(Secure):
    def test_a_bundle_is_all_that_a_client_needs(self):
        folder, _ = self.client("node7")
        result = self.cli(folder, "run", "-n", "1", "-m", "1024", "--", "echo", "hello")
        self.assertEqual((result.returncode, result.stdout), (0, "hello\n"), result.stderr)
        clients = json.loads(self.admin("clients", "list", "--json").stdout)["clients"]
        self.assertEqual([client["enabled"] for client in clients], [True])

    def test_the_network_is_measured_over_the_encrypted_port(self):
        folder, _ = self.client("node8")
        measured = self.cli(folder, "net_perf", "--json")
        self.assertEqual(measured.returncode, 0, measured.stderr)
        pairs = json.loads(measured.stdout)["servers"][0]["pairs"]
        self.assertTrue(all(pair["latency_1mb_us"] > pair["latency_us"] > 0 for pair in pairs) and pairs, pairs)

    def test_without_an_identity_nothing_is_answered(self):
        with tempfile.TemporaryDirectory() as home:
            result = subprocess.run([BITFUSION, "list_gpus"], capture_output=True, text=True, timeout=DEADLINE,
                                    env=clean_environment(BITFUSION_SERVERS=self.manager.control, HOME=home))
        self.assertEqual(result.returncode, 1)
        self.assertIn("put the client's bundle into ~/.bitfusion", result.stderr)

    def test_a_request_without_a_token_learns_nothing(self):
        for path in ("/v1/server", "/v1/leases", "/v1/no-such-path"):
            status, body = self.manager.ask("GET", path, headers={"Authorization": ""})
            self.assertEqual(status, 401, path)
            self.assertIn("no token", body["error"])
        self.assertEqual(self.manager.ask("GET", "/v1/openapi.json", headers={"Authorization": ""})[0], 200)

    def test_plain_http_and_old_tls_are_refused(self):
        connection = self.connect("control")
        connection.sendall(b"GET /v1/openapi.json HTTP/1.1\r\nHost: x\r\n\r\n")
        data = b""
        try:
            while piece := connection.recv(4096):
                data += piece
        except ConnectionError:
            pass
        self.assertNotIn(b"HTTP/1.1", data)
        for which in ("control", "data"):
            old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            old.check_hostname = False
            old.verify_mode = ssl.CERT_NONE
            old.maximum_version = ssl.TLSVersion.TLSv1_2
            with self.assertRaises((ssl.SSLError, ConnectionError)):
                old.wrap_socket(self.connect(which))

    def test_each_refusal_of_a_token_has_its_own_words(self):
        folder, token = self.client("node7")
        for verb, part in (("deactivate", "is not active"), ("activate", None), ("revoke", "was revoked"),
                           ("delete", "the token is foreign")):
            self.assertEqual(self.admin("token", verb, token).returncode, 0)
            result = self.cli(folder, "run", "-n", "1", "--", "true")
            if part:
                self.assert_refused(result, part)
            else:
                self.assertEqual(result.returncode, 0, result.stderr)

    def test_an_expired_token_says_when(self):
        folder, token = self.client("node7")
        self.assertEqual(self.admin("token", "extend", token, "--expires", "0").returncode, 0)
        result = self.cli(folder, "run", "-n", "1", "--", "true")
        self.assert_refused(result)
        self.assertRegex(result.stderr, r"Token expired at: \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
        self.assertEqual(self.admin("token", "extend", token, "--expires", "1h").returncode, 0)
        self.assertEqual(self.cli(folder, "run", "-n", "1", "--", "true").returncode, 0)

    def test_a_copied_disk_is_noticed(self):
        folder, token = self.client("node7")
        self.assertEqual(self.cli(folder, "list_gpus").returncode, 0)
        copied = self.cli(folder, "list_gpus", machine="machine-b")
        self.assertEqual(copied.returncode, 1)
        self.assertIn("belongs to another machine", copied.stderr)
        self.assertEqual(self.admin("token", "move", token).returncode, 0)
        self.assertEqual(self.cli(folder, "list_gpus", machine="machine-b").returncode, 0)
        shared, _ = self.client("batch", "--shared")
        for machine in ("machine-a", "machine-b"):
            self.assertEqual(self.cli(shared, "list_gpus", machine=machine).returncode, 0)

    def test_another_pools_identity_gives_the_known_lines(self):
        folder, _ = self.client("node7")
        other = Manager(*self.arguments, secure=True)
        self.addCleanup(other.close)
        result = self.cli(folder, "list_gpus", environment={"BITFUSION_SERVERS": other.control})
        self.assertEqual(result.returncode, 1)
        self.assertEqual(result.stderr.splitlines()[:3],
                         ["Error querying server %s:" % other.control,
                          "Get https://%s/query: x509: certificate signed by unknown authority" % other.control,
                          "Unable to contact any of the existing servers: %s" % other.control])

    def test_a_client_may_do_no_more_than_a_client(self):
        folder, _ = self.client("node7")
        for arguments in (("token", "list"), ("token", "create"), ("user", "list"), ("clients", "list"),
                          ("settings", "set", "quota", "1"), ("servers", "drain", "x"), ("tls-certs", "rotate")):
            result = self.cli(folder, *arguments)
            self.assertEqual(result.returncode, 1, arguments)
            self.assertIn("has the role client, and this needs", result.stderr, arguments)

    def test_a_client_cannot_touch_anothers_lease(self):
        one, _ = self.client("one")
        two, _ = self.client("two")
        environment = clean_environment(BITFUSION_SERVERS=self.manager.control, BITFUSION_CLIENT_DIR=one,
                                        BITFUSION_MACHINE_ID="m")
        running = subprocess.Popen([BITFUSION, "run", "-n", "1", "--", "sh", "-c", "echo up; read -r line"],
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                   env=environment)
        self.addCleanup(running.communicate)
        self.assertEqual(running.stdout.readline(), b"up\n")
        lease = self.manager.leases()[0]["id"]
        self.assertEqual(json.loads(self.cli(two, "leases", "list", "--json").stdout)["leases"], [])
        result = self.cli(two, "leases", "end", lease)
        self.assertEqual(result.returncode, 1)
        self.assertIn("no lease has this id", result.stderr)
        self.assertEqual(self.admin("leases", "end", lease).returncode, 0)
        self.assertEqual(self.manager.leases(), [])

    def test_people_and_their_roles(self):
        made = self.admin("user", "create", "ann", "--role", "viewer", input="correct horse\n")
        self.assertEqual(made.returncode, 0, made.stderr)
        self.assertIn("8 to 256 bytes", self.admin("user", "create", "bob", input="short\n").stderr)
        self.assertEqual(self.manager.ask("POST", "/v1/login", {"name": "ann", "password": "wrong horse"})[0], 401)
        status, body = self.manager.ask("POST", "/v1/login", {"name": "ann", "password": "correct horse"})
        self.assertEqual(status, 200)
        session = {"Authorization": "Bearer " + body["session"]}
        self.assertEqual(self.manager.ask("GET", "/v1/clients", headers=session)[0], 200)
        self.assertEqual(self.manager.ask("PUT", "/v1/settings", {"quota": 1}, headers=session)[0], 403)
        self.assertEqual(self.admin("user", "role", "ann", "admin").returncode, 0)
        self.assertEqual(self.manager.ask("GET", "/v1/clients", headers=session)[0], 401)

    def test_secrets_are_in_no_log_and_no_listing(self):
        folder, _ = self.client("node7")
        self.assertEqual(self.cli(folder, "run", "-n", "1", "--", "true").returncode, 0)
        secret = self.manager.token(folder)
        self.assertNotIn(secret, self.manager.log())
        self.assertNotIn(secret, self.admin("token", "list", "--json").stdout)
        for name in ("ca.key", "server.key", "pool.db"):
            self.assertEqual(os.stat(os.path.join(self.manager.state, name)).st_mode & 0o077, 0, name)

    def test_a_pool_is_begun_once(self):
        again = subprocess.run([BITFUSION, "init", "--state-dir", self.manager.state], capture_output=True, text=True,
                               env=clean_environment(), timeout=DEADLINE)
        self.assertEqual(again.returncode, 1)
        self.assert_one_line(again.stderr, "is initialised already, and nothing was changed")

    def test_a_server_for_others_is_not_begun_by_starting_it(self):
        with tempfile.TemporaryDirectory() as folder:
            result = subprocess.run([BITFUSION, "manager", "--listen", "0.0.0.0", "--state-dir", folder + "/state"],
                                    capture_output=True, text=True, env=clean_environment(), timeout=DEADLINE)
            self.assertEqual(result.returncode, 1)
            self.assertIn("bitfusion init", result.stderr)
            self.assertFalse(os.path.exists(folder + "/state/ca.crt"))

    def test_certificates_are_shown_and_rotated(self):
        shown = json.loads(self.admin("tls-certs", "show", "--json").stdout)["certificates"]
        self.assertEqual(len(shown), 2)
        self.assertIn("127.0.0.1", shown[1]["names"])
        self.assertEqual(self.admin("TC", "rotate").returncode, 0)
        rotated = json.loads(self.admin("tls-certs", "show", "--json").stdout)["certificates"]
        self.assertEqual(rotated[0], shown[0])
        self.assertNotEqual(rotated[1]["fingerprint"], shown[1]["fingerprint"])


class DataPort(Secure):
    def open_tls(self):
        trust = ssl.create_default_context(cafile=os.path.join(self.manager.client_dir, "ca.crt"))
        trust.check_hostname = False
        return trust.wrap_socket(self.connect("data"))

    def test_a_ticket_admits_over_tls_only(self):
        lease = self.manager.lease(memory_mib=1024)
        self.assertRegex(lease["pin"], "^[0-9a-f]{64}$")
        connection = self.open_tls()
        self.addCleanup(connection.close)
        connection.sendall(hello(lease["ticket"]))
        self.assertEqual(welcome(connection), (0, ""))
        plain = self.connect("data")
        plain.sendall(hello(lease["ticket"]))
        self.assertTrue(closed(plain))

    def test_a_revoked_token_takes_the_ticket_along(self):
        folder, token = self.client("node7")
        lease = self.manager.ask("POST", "/v1/leases", {"gpus": 1},
                                 headers={"Authorization": "Bearer " + self.manager.token(folder)})[1]
        self.assertEqual(self.admin("token", "deactivate", token).returncode, 0)
        connection = self.open_tls()
        self.addCleanup(connection.close)
        connection.sendall(hello(lease["ticket"]))
        refusal, text = welcome(connection)
        self.assertEqual(refusal, 2)
        self.assertIn("is not active", text)
        self.assertEqual(len(self.manager.leases()), 1)
        self.assertEqual(self.admin("token", "revoke", token).returncode, 0)
        self.assertEqual(self.manager.leases(), [])


if __name__ == "__main__":
    unittest.main(verbosity=2)
