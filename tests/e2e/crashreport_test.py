"""What `bitfusion crashreport` packs: nothing that opens a door, whatever the place it stood in."""
import http.server
import os
import random
import stat
import string
import subprocess
import tarfile
import tempfile
import threading
import unittest

from harness import *

# With its own /etc, so that nothing of the machine's is touched.
OTHER_ETC = ["unshare", "--mount", "--propagation", "private", "sh", "-c", 'mount --bind "$0" /etc && exec "$@"']


class Secrets:
    """Every one is different, so that one that is found tells where it came from."""

    def __init__(self):
        self.all = {}
        self.random = random.Random(20)

    def letters(self, count, alphabet=string.ascii_letters + string.digits):
        return "".join(self.random.choice(alphabet) for _ in range(count))

    def word(self, place):
        """As people choose passwords."""
        self.all[place] = self.letters(10)
        return self.all[place]

    def token(self, place):
        """As the pool makes them; the secret part has dashes, as one in two has."""
        self.all[place] = self.letters(12) + "-" + self.letters(17) + "_-" + self.letters(11)
        return "bf-%s-%s" % (self.letters(7, string.ascii_lowercase + string.digits), self.all[place])

    def ticket(self, place):
        self.all[place] = self.letters(64, "0123456789abcdef")
        return self.all[place]


class Chatty(http.server.BaseHTTPRequestHandler):
    """A server that tells more than it should."""

    def do_GET(self):
        body = self.server.body.encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET

    def log_message(self, *arguments):
        pass


class Crashreport(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="bitfusion-crash-")
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.secrets = Secrets()
        self.target = self.path("report.tar.gz")
        for name in ("home/.bitfusion", "etc/bitfusion/tls", "tools", "tmp"):
            os.makedirs(self.path(name))

    def path(self, name):
        return os.path.join(self.folder, name)

    def write(self, name, text, mode=0o600):
        with open(self.path(name), "w") as out:
            out.write(text)
        os.chmod(self.path(name), mode)

    def serve(self):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Chatty)
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        secrets = self.secrets
        server.body = json.dumps({
            "version": "1", "token": secrets.token("server: token"), "note": "seen " + secrets.token("server: bare token"),
            "leases": [{"ticket": secrets.ticket("server: ticket"), "tokens": [secrets.word("server: tokens, below")]}],
            "error": "https://ann:%s@10.0.0.1/ refused" % secrets.word("server: address"), "status": "pass", "checks": [],
            "sessions": {"a": secrets.word("server: sessions, below")}})
        return "127.0.0.1:%d" % server.server_port

    def plant(self, server):
        secrets = self.secrets
        self.write("home/.bitfusion/client.yaml", "version: 1\nauthconfig:\n  token: %s\n" % secrets.token("client.yaml"))
        self.write("home/.bitfusion/servers.conf", "# password: %s\n%s # of token %s\n" %
                   (secrets.word("servers.conf: remark"), server, secrets.token("servers.conf: bare")))
        self.write("etc/bitfusion/servers.conf", "# login with --password %s\n10.0.0.1\n" % secrets.word("etc: flag"))
        self.write("etc/bitfusion/client.yaml", "token: %s\n" % secrets.token("etc: client.yaml"))
        self.write("etc/bitfusion/bitfusion-manager.yaml", """\
listen: 127.0.0.1
etcd: https://root:%s@10.0.0.9:2379
# etcd's secret:
#   %s
etcd-password: %s
api_key: |
  %s
  %s
""" % (secrets.word("manager.yaml: address"), secrets.token("manager.yaml: below a remark"), secrets.word("manager.yaml: word"),
            secrets.word("manager.yaml: first of two lines"), secrets.word("manager.yaml: second of two lines")))
        self.write("etc/os-release", "PRETTY_NAME=\"Debian\"\nSUPPORT_TOKEN=%s\n" % secrets.word("os-release"))
        key = "\n".join(secrets.letters(64) for _ in range(3))
        secrets.all["journal: line of a key"] = key.splitlines()[1]
        self.write("tools/journalctl", "#!/bin/sh\ncat <<'END'\n%s\nEND\n" % "\n".join((
            "manager: GET /v1/server Authorization: Bearer %s" % secrets.word("journal: bearer"),
            "manager: refused %s" % secrets.token("journal: bare token"),
            "manager: Cookie: session=%s" % secrets.word("journal: cookie"),
            "manager: session bfs-ann-1700000000-1600000000-%s" % secrets.token("journal: session")[3:],
            "manager: ticket %s is unknown" % secrets.ticket("journal: bare ticket"),
            "manager: {\"password\":\"$argon2id$v=19$m=65536,t=3,p=4$c2FsdA$%s\"}" % secrets.word("journal: hash"),
            "-----BEGIN PRIVATE KEY-----", key, "-----END PRIVATE KEY-----", "manager: all is well")), 0o755)
        return clean_environment(
            HOME=self.path("home"), PATH=self.path("tools") + ":" + os.environ["PATH"], TMPDIR=self.path("tmp"),
            BITFUSION_SERVERS=server, BITFUSION_INSECURE="true", BITFUSION_LOG="debug",
            BITFUSION_TOKEN=secrets.token("environment: token"),
            BITFUSION_SESSION="10.0.0.1:55001/" + secrets.ticket("environment: session"),
            BITFUSION_ETCD_PASSWORD=secrets.word("environment: password"),
            BITFUSION_ETCD="https://root:%s@10.0.0.9:2379" % secrets.word("environment: address"),
            CUDA_NOTE="x " + secrets.token("environment: bare"), LD_LIBRARY_PATH="/opt/x",
            UNRELATED_PASSWORD=secrets.word("environment: of others"))

    def contents(self):
        with tarfile.open(self.target) as archive:
            return {os.path.basename(member.name): archive.extractfile(member).read().decode()
                    for member in archive.getmembers() if member.isfile()}

    def test_no_secret_of_any_place_is_in_it(self):
        if subprocess.run(["unshare", "--mount", "true"], capture_output=True).returncode != 0:
            self.skipTest("SKIPPED, NOT TESTED: a mount namespace is not to be had; run as root")
        environment = self.plant(self.serve())
        result = subprocess.run([*OTHER_ETC, self.path("etc"), os.path.realpath(BITFUSION), "crashreport", "-o",
                                 self.target], capture_output=True, text=True, env=environment, timeout=2 * DEADLINE)
        self.assertEqual(result.returncode, 0, result.stderr)
        texts = self.contents()
        with open(self.target, "rb") as packed:
            texts["the packed file"] = packed.read().decode("latin-1")
        texts["what it printed"] = result.stdout + result.stderr
        self.assertGreaterEqual(len(self.secrets.all), 25)
        found = [(place, name) for place, secret in self.secrets.all.items() for name, text in texts.items() if secret in text]
        self.assertEqual(found, [])
        # The places were looked at, and what is no secret is there.
        for name, part in (("environment.txt", "BITFUSION_LOG=debug\n"), ("environment.txt", "LD_LIBRARY_PATH=/opt/x\n"),
                           ("environment.txt", "BITFUSION_ETCD=https://<removed>@10.0.0.9:2379\n"),
                           ("manager.log", "manager: all is well\n"), ("manager.log", "manager: GET /v1/server "),
                           ("bitfusion-manager.yaml.txt", "listen: 127.0.0.1\n"), ("etc-servers.conf.txt", "10.0.0.1\n"),
                           ("machine.txt", "PRETTY_NAME=\"Debian\"\n")):
            self.assertIn(part, texts[name], name)
        answers = [text for name, text in texts.items() if name.startswith("server-127.0.0.1-")]
        self.assertEqual(len(answers), 2)
        self.assertIn('"version": "1"', answers[0])
        self.assertEqual(os.listdir(self.path("tmp")), [])

    def test_the_folder_for_what_is_packed_is_TMPDIR(self):
        """Its tar says where it found what to pack."""
        self.write("tools/tar", "#!/bin/sh\nstat -c '%%a %%n' \"$2\" > %s\nexec /bin/tar \"$@\"\n" % self.path("seen"), 0o755)
        environment = clean_environment(HOME=self.path("home"), PATH=self.path("tools") + ":" + os.environ["PATH"],
                                        BITFUSION_SERVERS="127.0.0.1:1", TMPDIR=self.path("tmp"))
        result = subprocess.run([BITFUSION, "crashreport", "-o", self.target], capture_output=True, text=True, env=environment,
                                timeout=2 * DEADLINE)
        self.assertEqual(result.returncode, 0, result.stderr)
        with open(self.path("seen")) as seen:
            self.assertRegex(seen.read(), "^700 %s/bitfusion-crashreport-......\n$" % self.path("tmp"))
        self.assertEqual(os.listdir(self.path("tmp")), [])
        self.assertEqual(stat.S_IMODE(os.stat(self.target).st_mode), 0o600)

    def test_a_folder_that_is_not_there_is_named(self):
        environment = clean_environment(BITFUSION_SERVERS="127.0.0.1:1", TMPDIR=self.path("nowhere"))
        result = subprocess.run([BITFUSION, "crashreport", "-o", self.target], capture_output=True, text=True, env=environment,
                                timeout=2 * DEADLINE)
        self.assertEqual(result.returncode, 1)
        self.assertEqual(result.stderr, "bitfusion: cannot make a folder in %s: No such file or directory; name another with "
                         "TMPDIR\n" % self.path("nowhere"))
        self.assertFalse(os.path.exists(self.target))


if __name__ == "__main__":
    unittest.main(verbosity=2)
