"""A second server joins a pool by an invitation, and certificates that are rotated are used without a restart."""
import hashlib
import ssl
import unittest

from cluster import *
from roles_test import PASSWORD, Browser


class Join(WithManager):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        if ETCD is None:
            raise unittest.SkipTest("SKIPPED, NOT TESTED: etcd is not installed (Debian package etcd-server)")

    def setUp(self):
        self.etcd = Etcd(1)
        self.addCleanup(self.etcd.close)
        self.store = ("--etcd", self.etcd.endpoints[0])
        self.folder = tempfile.TemporaryDirectory(prefix="bitfusion-join-")
        self.addCleanup(self.folder.cleanup)
        self.manager = Manager(*self.store, secure=True)
        self.addCleanup(self.manager.close)
        self.state = os.path.join(self.folder.name, "second")

    def admin(self, *words, server=None):
        environment = clean_environment(BITFUSION_SERVERS=(server or self.manager).control,
                                        BITFUSION_CLIENT_DIR=self.manager.client_dir)
        return subprocess.run([BITFUSION, *words], capture_output=True, text=True, env=environment, timeout=DEADLINE)

    def invitation(self):
        made = self.admin("servers", "invite")
        self.assertEqual(made.returncode, 0, made.stderr)
        path = os.path.join(self.folder.name, "invitation")
        with open(path, "w") as out:
            out.write(made.stdout)
        return path

    def join(self, invitation, address=None, state=None):
        return subprocess.run([BITFUSION, "init", "--join", address or self.manager.control, "--invitation", invitation,
                               "--state-dir", state or self.state], capture_output=True, text=True,
                              env=clean_environment(), timeout=DEADLINE)

    def second(self):
        manager = Manager(*self.store, secure=True, state=self.state)
        self.addCleanup(manager.close)
        manager.client_dir = self.manager.client_dir
        return manager

    def test_a_server_joins_and_the_authoritys_key_stays_where_it_is(self):
        result = self.join(self.invitation())
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("--etcd " + self.etcd.endpoints[0], result.stdout)
        self.assertEqual(sorted(os.listdir(self.state)), ["ca.crt", "pool.id", "server.crt", "server.key"])
        second = self.second()

        def both_up():
            servers = json.loads(self.admin("servers", "list", "--json", server=second).stdout)["servers"]
            return len([server for server in servers if server["up"]]) == 2
        wait_until(both_up, "both servers are in the pool")
        self.assertFalse(os.path.exists(os.path.join(self.state, "ca.key")))
        self.assertEqual(self.admin("token", "list", server=second).returncode, 0)

    def test_a_console_on_any_server_acts_on_the_pool(self):
        self.assertEqual(self.join(self.invitation()).returncode, 0)
        second = self.second()
        self.assertFalse(second.ask("GET", "/v1/server")[1]["leader"])
        made = second.ask("POST", "/v1/users", {"name": "ann", "password": PASSWORD, "role": "operator"})
        self.assertEqual(made[0], 201, made)
        browser = Browser(second)
        self.assertEqual(browser.sign_in("ann")[0], 200)
        status, settings = browser.ask("GET", "/v1/settings")
        self.assertEqual((status, settings["quota"]), (200, 64))
        self.assertEqual(browser.headers["ETag"], settings["etag"])
        self.assertEqual(browser.ask("PUT", "/v1/settings", {"quota": 7})[0], 200)
        self.assertEqual(self.manager.ask("GET", "/v1/settings")[1]["quota"], 7)
        stale = browser.ask("PUT", "/v1/settings", {"quota": 8}, {"If-Match": settings["etag"]})
        self.assertEqual((stale[0], stale[1]["current"]["quota"]), (412, 7))
        # What a page of another origin could send is refused before it goes anywhere.
        browser.csrf = None
        self.assertEqual(browser.ask("PUT", "/v1/settings", {"quota": 9})[0], 403)
        browser.csrf = "0" * 64
        self.assertEqual(browser.ask("PUT", "/v1/settings", {"quota": 9})[0], 403)
        self.assertEqual(self.manager.ask("GET", "/v1/settings")[1]["quota"], 7)
        # The leader decides by the person, not by the server that asks for him.
        self.assertEqual(second.ask("PUT", "/v1/users/ann", {"role": "viewer"})[0], 200)
        self.assertEqual(browser.sign_in("ann")[0], 200)
        self.assertEqual(browser.ask("PUT", "/v1/settings", {"quota": 9})[0], 403)

    def test_an_invitation_is_good_once(self):
        invitation = self.invitation()
        self.assertEqual(self.join(invitation).returncode, 0)
        again = self.join(invitation, state=self.state + "2")
        self.assertEqual(again.returncode, 1)
        self.assertIn("unknown or was used already", again.stderr)
        self.assertFalse(os.path.exists(self.state + "2"))

    def test_a_foreign_pool_is_not_joined(self):
        foreign = Manager(secure=True)
        self.addCleanup(foreign.close)
        result = self.join(self.invitation(), address=foreign.control)
        self.assertEqual(result.returncode, 1)
        self.assertIn("belongs to another pool than the invitation", result.stderr)
        malformed = os.path.join(self.folder.name, "malformed")
        with open(malformed, "w") as out:
            out.write("bfj-nonsense\n")
        result = self.join(malformed)
        self.assertEqual(result.returncode, 1)
        self.assertIn("this is no invitation", result.stderr)

    def test_a_pool_with_a_store_of_its_own_invites_nobody(self):
        alone = Manager(secure=True)
        self.addCleanup(alone.close)
        environment = clean_environment(BITFUSION_SERVERS=alone.control, BITFUSION_CLIENT_DIR=alone.client_dir)
        result = subprocess.run([BITFUSION, "servers", "invite"], capture_output=True, text=True, env=environment,
                                timeout=DEADLINE)
        self.assertEqual(result.returncode, 1)
        self.assertIn("start it with --etcd", result.stderr)

    def test_who_joined_opens_no_other_pools_store(self):
        self.assertEqual(self.join(self.invitation()).returncode, 0)
        with self.assertRaisesRegex(AssertionError, "give it the etcd of its pool"):
            Manager(secure=True, state=self.state)

    def rotate(self, manager):
        before = ssl.get_server_certificate(manager.address("control"))
        rotated = self.admin("tls-certs", "rotate", server=manager)
        self.assertEqual(rotated.returncode, 0, rotated.stderr)
        after = ssl.get_server_certificate(manager.address("control"))
        self.assertNotEqual(before, after)
        shown = json.loads(self.admin("tls-certs", "show", "--json", server=manager).stdout)["certificates"]
        self.assertEqual(hashlib.sha256(ssl.PEM_cert_to_DER_cert(after)).hexdigest(), shown[1]["fingerprint"])

    def test_a_rotated_certificate_is_used_at_once(self):
        lease = self.manager.lease(memory_mib=64)
        self.rotate(self.manager)
        # Who has a lease knows the data port by its old key.
        self.assertEqual(self.manager.lease(memory_mib=64)["pin"], lease["pin"])
        for held in self.manager.leases():
            self.assertEqual(self.manager.ask("DELETE", "/v1/leases/" + held["id"])[0], 200)
        wait_until(lambda: self.renewed(self.manager, lease["pin"]), "the data port has the new key")

    def test_who_joined_rotates_without_the_authoritys_key(self):
        self.assertEqual(self.join(self.invitation()).returncode, 0)
        self.rotate(self.second())

    def renewed(self, manager, old):
        lease = manager.lease(memory_mib=64)
        manager.ask("DELETE", "/v1/leases/" + lease["id"])
        return lease["pin"] != old


# A machine has a network, a /var/lib and a home of its own; a cable lies between the two.
MACHINE = "mount -t tmpfs tmpfs /var/lib && echo up && exec cat"
PLUG = "ip address add 192.0.2.1%d/24 dev cable%d && ip link set cable%d up && ip link set lo up"


def may_have_networks():
    command = ["unshare", "-rmn", "sh", "-c", "ip link add cable0 type veth peer name cable1"]
    return shutil.which("ip") is not None and subprocess.run(command, capture_output=True).returncode == 0


@unittest.skipUnless(may_have_networks(), "SKIPPED, NOT TESTED: no network can be made here (unshare -rn, iproute2)")
class TheReadme(unittest.TestCase):
    """Its "Add a second server", word for word, in a bundle's folder on each machine."""

    @classmethod
    def setUpClass(cls):
        if ETCD is None or not os.access(WORKER, os.X_OK):
            raise unittest.SkipTest("SKIPPED, NOT TESTED: etcd (Debian package etcd-server) or the worker is missing")

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="bitfusion-readme-")
        self.addCleanup(folder.cleanup)
        self.machines = [os.path.join(folder.name, name) for name in ("first", "second")]
        for machine in self.machines:
            os.makedirs(os.path.join(machine, "home"))
            for part in ("bin", "lib"):
                os.symlink(os.path.join(os.path.abspath(BUILD), part), os.path.join(machine, part))
        page = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "README.md")
        with open(page) as lines:
            section = re.search(r"^## Add a second server\n(.*?)^## ", lines.read(), re.M | re.S).group(1)
        blocks = re.findall(r"\n\n((?:    .*\n)+)", section)
        self.words = [[line.strip() for line in block.splitlines()] for block in blocks]
        self.running = []
        self.addCleanup(self.end)
        self.inside = [self.boot("unshare", "-rmn")]
        self.inside.append(self.boot("nsenter", "--target", str(self.inside[0]), "--user", "--preserve-credentials", "unshare", "-mn"))
        self.within(0, "ip link add cable0 type veth peer name cable1 netns %d" % self.inside[1])
        for number in range(2):
            self.within(number, PLUG % (number, number, number))

    def begin(self, command, **options):
        process = subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True, **options)
        self.running.append(process)
        return process

    def boot(self, *through):
        """Whose namespaces are the machine's."""
        holder = self.begin([*through, "sh", "-c", MACHINE], stdin=subprocess.PIPE)
        self.assertEqual(holder.stdout.readline(), b"up\n")
        return holder.pid

    def command(self, number, line):
        return ["nsenter", "--target", str(self.inside[number]), "--user", "--net", "--mount", "--preserve-credentials",
                "sh", "-c", "cd '%s' && %s" % (self.machines[number], line)]

    def within(self, number, line):
        subprocess.run(self.command(number, line), check=True, timeout=DEADLINE)

    def end(self):
        for process in reversed(self.running):
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate()

    def type(self, number, line):
        """As an administrator does, who tries again when a server is not up yet."""
        command = self.command(number, "exec " + line.rstrip(" &"))
        environment = clean_environment(HOME=os.path.join(self.machines[number], "home"), BITFUSION_BACKEND="soft")
        if line.endswith("&"):
            log = open(os.path.join(self.machines[number], "log"), "ab")
            self.addCleanup(log.close)
            return self.begin(command, env=environment, stderr=log)

        def done():
            self.last = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=DEADLINE)
            return self.last.returncode == 0
        try:
            wait_until(done, line)
        except AssertionError:
            raise AssertionError("%s: %s" % (line, self.last.stderr))
        return self.last.stdout

    def test_its_words_make_a_pool_of_two(self):
        first, second, again = self.words
        self.assertEqual([len(first), len(second), len(again)], [4, 2, 1])
        for line in first:
            self.type(0, line)
        os.rename(os.path.join(self.machines[0], "invitation"), os.path.join(self.machines[1], "invitation"))
        for line in second:
            self.type(1, line)
        listed = []

        def both():
            listed[:] = self.type(0, again[0]).splitlines()
            rows = [re.split(r" {2,}", line)[2:4] for line in listed[1:]]
            return sorted(rows) == [["192.0.2.10:56001", "yes"], ["192.0.2.11:56001", "yes"]]
        try:
            wait_until(both, "both servers are listed")
        except AssertionError as error:
            logs = [open(os.path.join(machine, "log"), errors="replace").read()[-2000:] for machine in self.machines]
            raise AssertionError("%s: %s %s" % (error, listed, logs))


if __name__ == "__main__":
    unittest.main()
