"""What commands print, held line by line to sections 2.1 to 2.8 of the specification of this system's behaviour.

Each layout stands here as the section has it; {names} are what differs from place to place. Where our output is not the
section's, the test says so in its first lines, and why. Layouts with figures that a software GPU does not have (section
2.3 and the older lines of 2.2 and 2.4) are compared in src/cli/listing_test.cpp and look_text_test.cpp, with the very
figures of the section.
"""
import os
import re
import resource
import socket
import subprocess
import tempfile
import unittest

from harness import *

STAMP = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:Z|[+-]\d\d:\d\d)"
UUID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"


def pattern(layout, **parts):
    """The layout as a regular expression: all literal but {stamp}, {uuid} and what `parts` name (expressions)."""
    parts = dict({"stamp": STAMP, "uuid": UUID}, **parts)
    pieces = re.split(r"\{(\w+)\}", layout)
    return "".join(parts[piece] if i % 2 else re.escape(piece) for i, piece in enumerate(pieces))


class Layout(WithManager):
    def assert_layout(self, text, layout, **parts):
        self.assertRegex(text, "^" + pattern(layout, **parts) + "$")

    def parts(self, **more):
        host, port = self.manager.address("data")
        return dict({"server": re.escape(self.manager.control), "host": re.escape(host), "data": str(port),
                     "control": str(self.manager.address("control")[1]), "version": r"\S+"}, **more)


class Banner(Layout):
    """2.1."""

    def test_run(self):
        """Lines in the order of the section: claim, availability, choice, request, the banner's three lines, Locked,
        Running, the server's line and the empty one after it, Releasing, Released.

        Not there: "Query server health status" (a server that is ill says so by itself, as a warning) and "configuration
        saved to ...": the state of a run is in its process and its environment, there is no file to lose or to steal; so
        both lines of the release name no file. The claim's line comes when the server has told the id, for servers give
        the ids. "Command started, launching telemetry process": there is no such process."""
        result = self.run_cli("run", "-n", "2", "-p", "0.8", "--", "echo", "python", "model.py")
        self.assertEqual((result.returncode, result.stdout), (0, "python model.py\n"), result.stderr)
        self.assert_layout(result.stderr, """\
[INFO] {stamp} Query server {server} to claim client id: {client}
[INFO] {stamp} Query server {server} gpu availability
[INFO] {stamp} Choosing GPUs from server list [{server}]
[INFO] {stamp} Requesting GPUs [0 1] with 3276 MiB of memory from server 0, with version {version}...
Requested resources:
Server List: {server}
Client idle timeout: 0 min
[INFO] {stamp} Locked 2 GPUs with partial memory 0.8
[INFO] {stamp} Running client command 'echo python model.py' on 2 GPUs, with the following servers:
[INFO] {stamp} {host} {data} {uuid} {control} {version}

[INFO] {stamp} Releasing GPUs...
[INFO] {stamp} Released GPUs on 1 servers
""", **self.parts(client=r"\S+"))

    def test_the_partition_is_rounded_down(self):
        """The facts below the lines: 32510 x 0.8 = 26008 and 16160 x 0.5 = 8080 MiB, without what is left over."""
        self.manager.close()
        for memory, fraction, share in ((32510, "0.8", 26008), (16160, "0.5", 8080), (1000, "0.3335", 333)):
            self.manager = Manager("--software-gpus", "1", "--software-memory", "%dMiB" % memory)
            self.addCleanup(self.manager.close)
            result = self.run_cli("run", "-n", "1", "-p", fraction, "--", "true")
            self.assertIn(" with %d MiB of memory from server 0" % share, result.stderr)
            self.manager.close()

    def test_request_client_release(self):
        """The same lines over three commands; here there is a file, by default /tmp/bitfusion<number>."""
        requested = self.run_cli("request_gpus", "-n", "1", "-m", "1024")
        self.assertEqual(requested.returncode, 0, requested.stderr)
        path = re.search(r"saved to '([^']+)'", requested.stderr).group(1)
        session = {"BITFUSION_SESSION_FILE": path}
        self.assertRegex(path, r"^/tmp/bitfusion\d+$")
        try:
            self.assert_layout(requested.stderr, """\
[INFO] {stamp} Query server {server} to claim client id: {client}
[INFO] {stamp} Query server {server} gpu availability
[INFO] {stamp} Choosing GPUs from server list [{server}]
[INFO] {stamp} Requesting GPUs [0] with 1024 MiB of memory from server 0, with version {version}...
Requested resources:
Server List: {server}
Client idle timeout: 0 min
[INFO] {stamp} Locked 1 GPUs with partial memory 0.25, configuration saved to '{path}'
""", **self.parts(client=r"\S+", path=re.escape(path)))
            self.assertEqual(requested.stdout, "export BITFUSION_SESSION_FILE='%s'\n" % path)
            ran = self.run_cli("client", "--", "echo", "x", environment=session)
            self.assertEqual((ran.returncode, ran.stdout), (0, "x\n"), ran.stderr)
            self.assert_layout(ran.stderr, """\
[INFO] {stamp} Running client command 'echo x' on 1 GPUs, with the following servers:
[INFO] {stamp} {host} {data} {uuid} {control} {version}

""", **self.parts())
        finally:
            released = self.run_cli("release_gpus", environment=session)
        self.assert_layout(released.stderr, """\
[INFO] {stamp} Releasing GPUs from config file '{path}'...
[INFO] {stamp} Released GPUs on 1 servers and removed generated config file '{path}'
""", path=re.escape(path))


class Listings(Layout):
    def test_list_gpus(self):
        """2.2, the form of 4.0.1 (the later one; it says all that the form of 2.5 says): each line of it."""
        result = self.run_cli("list_gpus")
        self.assert_layout(result.stdout, """\
 - server 0 (leader)  [{server}]: running 0 tasks
   |- GPU [0]: free memory (4096 / 4096MiB) {name} (8.9)
   |- GPU [1]: free memory (4096 / 4096MiB) {name} (8.9)
""", **self.parts(name="bitfusion Software GPU"))

    def test_list_gpus_counts_tasks_and_what_is_free(self):
        """2.2: "running N tasks" and the free memory, while something runs."""
        lease = self.manager.lease(memory_mib=1000)
        self.open_session(lease["ticket"])
        wait_until(lambda: "running 1 tasks\n   |- GPU [0]: free memory (3096 / 4096MiB)" in self.run_cli("list_gpus").stdout,
                   "the task is counted")

    def test_smi(self):
        """2.3: the head with address and driver, the two rows of names, the double rule, two rows for each GPU, all rules;
        then the box of a server that does not answer. What a software GPU does not have is N/A."""
        self.manager.lease(memory_mib=1000)
        result = self.run_cli("smi", "-l", self.manager.control + ";127.0.0.1:1")
        lines = result.stdout.splitlines()
        edge = "+" + "-" * 88 + "+"
        columns = "+" + "-" * 38 + "+" + "-" * 25 + "+" + "-" * 23 + "+"
        self.assertEqual({len(line) for line in lines}, {90}, result.stdout)
        head = "Driver Version: software |"
        self.assertEqual(lines[0:6], [
            edge,
            "| " + self.manager.control + head.rjust(88 - len(self.manager.control)),
            columns,
            "| GPU  Name              Persistence-M | Virt Mem    Alloc / All | BusId  Vol Uncorr ECC |",
            "| Fan  Temp  Perf        Pwr:Usage/Cap | Phy Mem     Used  / All | GPU-Util   Compute M. |",
            "|======================================+=========================+=======================|"])
        for ordinal, allocated in ((0, 1000), (1, 0)):
            first, second, rule = lines[6 + 3 * ordinal:9 + 3 * ordinal]
            self.assert_layout(first, "| {ordinal}    bitfusion Software GPU {fill} | {allocated}MB / 4096    MB | {bus} {ecc} |",
                               ordinal=str(ordinal), fill=" *(?:Disabled|Enabled|N/A)", allocated=("%d" % allocated).ljust(8),
                               bus=r"[0-9A-F]{8}:[0-9A-F]{2}:[0-9A-F]{2}\.0", ecc=r" *(?:\d+|N/A)")
            self.assert_layout(second, "| {fan} {power} | {used}MB / 4096    MB | {busy} |", fan=r"(?:\d+ %|N/A) .*",
                               power=r"(?:\d+W|N/A) / *(?:\d+W|N/A)", used=r"(?:\d+|N/A) +", busy=r" *(?:\d+%|N/A) +\S+")
            self.assertEqual(rule, columns)
        self.assertEqual(lines[12:], [edge, "| 127.0.0.1:1".ljust(89) + "|", edge])

    def test_net_perf(self):
        """2.4: the two lines of the head, then one line for each pair of interfaces. Figures of RDMA are of release 3."""
        result = self.run_cli("net_perf")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assert_layout(result.stdout, """\
Displayed results are calculated from round-trip measurements
BW(1MB) = 1000/(LAT(1MB) - LAT(1B))
[ {client}] lo => [127.0.0.1] lo ( tcp) Single packet lat = {number} us, bw(1MB) = {number}.{two} GB/s
""", client=re.escape(socket.gethostname()), number=r"\d+", two=r"\d\d")

    def test_version(self):
        """2.5: the line `Bitfusion version: 2.5.0 release`, with our number."""
        for name in ("version", "v"):
            result = self.run_cli(name)
            self.assert_layout(result.stdout, "Bitfusion version: {number} release\n",
                               number=re.escape(os.environ.get("BITFUSION_VERSION", "")) or r"\d+\.\d+\.\d+")
            self.assertEqual((result.returncode, result.stderr), (0, ""))

    def test_license(self):
        """Section 1.4: nothing to license: the commands answer so and exit 0."""
        for name, text in (("license", "No license is needed: every server and client may be used.\n"),
                           ("dealloc", "No license is needed: there is nothing to give back.\n")):
            result = self.run_cli(name)
            self.assertEqual((result.returncode, result.stdout, result.stderr), (0, text, ""))

    def test_localhealth(self):
        """2.7 knows no layout but the columns status, type, name and details and the words pass, marginal and fatal; 1.7
        says which 29 checks and of which type."""
        result = self.run_cli("localhealth", "--server")
        lines = result.stdout.splitlines()
        self.assertRegex(lines[0], r"^- this node: (pass|marginal|fatal)$")
        self.assertEqual(lines[1], "Status    Type              Name              Details")
        types = {"stability": 13, "performance": 9, "system resources": 4, "software version": 3}
        names = {kind: [] for kind in types}
        for line in lines[2:]:
            match = re.match(r"^(pass|marginal|fatal) +(%s)  +([a-z0-9_]+)  +\S" % "|".join(types), line)
            self.assertTrue(match, line)
            names[match.group(2)].append(match.group(3))
        self.assertEqual({kind: len(found) for kind, found in names.items()}, types)
        self.assertEqual(names["stability"], "cass_buckets cass_node_num cass_nodetool cass_replication compute_mode network ecc "
                         "gpu_api pci_nvml pci_p2p temperature vcenter_check xid".split())
        self.assertEqual(names["performance"], "bogomips hostmem iface_compat memops mtu nvidia_stats nvidia_topo pci_width "
                         "ulimit_n".split())
        self.assertEqual(names["system resources"] + names["software version"],
                         "diskspace install pciinfo shadow_mem cuda_version libdep driver_version".split())


class Help(unittest.TestCase):
    """2.5: the overview. Ours are the words "VMware", the address of a site and the lines of EXAMPLES that need a licence;
    crashreport does not send anything, and says so; the commands that the section does not have stand among the others."""

    HEAD = """\
NAME:
    bitfusion - Run application with Bitfusion
USAGE:
   bitfusion <command> <options> "application"
   bitfusion <command> <options> -- [application]
   bitfusion help [command]
COMMANDS:
"""
    ROWS = """\
        tls-certs, TC    Manage TLS certificates used by bitfusion server.  Requires root privileges.
        version, v       Display full Bitfusion version
        localhealth, LH  Run health check on current node only
        dealloc          Deallocate license certificate.  Requires root priviledges.
        license          Check license status
        list_gpus        List the available GPUs in a shared pool
        initdb           Init database setup
        token            Fetch and manipulate tokens
        register         Register remote server as the plugin
        unregister       Unregister remote plugin
        removenode       Remove unavailable nodes
        user             Manage bitfusion users
        help, h          Shows a list of commands or help for one command
   Client Commands:
        client, c     Run application
        health, H     Run health check on all specified servers and current node
        request_gpus  Request GPUs from a shared pool
        release_gpus  Release GPUs back into a shared pool. Options must match a previous request_gpus command
        run           Request GPUs from a shared pool, run a client command, then release the GPUs
        stats         Gather stats from all servers.
        smi           Display smi-like info for all servers.
        local         Run a CUDA application locally
        net_perf      Gather network performance data from all SRS servers.
   Server Commands:
        server, s                Run dispatcher service - listens for 'bitfusion client' commands
        resource_scheduler, srs  Run Bitfusion resource scheduler (SRS) on GPU server
        analytics                Run Bitfusion analytics server
        manager                  Run Bitfusion manager server
EXAMPLES:
"""

    def ask(self, *arguments):
        return subprocess.run([BITFUSION, *arguments], capture_output=True, text=True, env=clean_environment(), timeout=DEADLINE)

    def test_overview(self):
        text = self.ask("help").stdout
        self.assertTrue(text.startswith(self.HEAD), text)
        lines = text.splitlines()
        places = [lines.index(row) for row in self.ROWS.splitlines()]
        self.assertEqual(places, sorted(places), "the order of the section")
        self.assertIn("        crashreport      Collect a crash report on this machine", lines)
        self.assertIn("   $ bitfusion run -n 4 -- <application>", lines)
        self.assertEqual(self.ask("h").stdout, text)

    def test_every_command_of_the_overview_has_help_under_each_of_its_names(self):
        names = [name for line in self.ask("help").stdout.splitlines() if line.startswith("        ")
                 for name in re.match(r"\s+(\S+?)(?:, (\S+))?  +", line).groups() if name and name not in ("help", "h")]
        self.assertGreater(len(names), 30)
        for name in names:
            result = self.ask("help", name)
            self.assertEqual((result.returncode, result.stderr), (0, ""), name)
            self.assertRegex(result.stdout, r"^\S.{20,}", name)


class UnderRun(Layout):
    def test_nvidia_smi(self):
        """2.6: the banner's three lines, then the table: its memory column shows the partition, no process runs. Under
        `client` the table is without the banner."""
        run = self.run_cli("run", "-n", "1", "-m", "1024", "--", "nvidia-smi")
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertIn("Requested resources:\nServer List: %s\nClient idle timeout: 0 min\n" % self.manager.control, run.stderr)
        with tempfile.TemporaryDirectory() as folder:
            session = {"BITFUSION_SESSION_FILE": os.path.join(folder, "session")}
            requested = self.run_cli("request_gpus", "-n", "1", "-m", "1024", "--file", session["BITFUSION_SESSION_FILE"])
            self.assertEqual(requested.returncode, 0, requested.stderr)
            client = self.run_cli("client", "nvidia-smi", environment=session)
            self.assertEqual(self.run_cli("release_gpus", environment=session).returncode, 0)
        self.assertNotIn("Requested resources", client.stderr)
        for table in (run.stdout, client.stdout):
            self.assertIn("0MiB /   1024MiB |      0%      Default |", table)
            self.assertIn("No running processes found", table)


class Errors(Layout):
    """2.8, row by row. Rows 1 (wrong authority), 2 (stale token) and 5 (expired token) need pools with tokens: they are in
    identity_test.py (`test_another_pools_identity_gives_the_known_lines`, `test_each_refusal_of_a_token_has_its_own_words`,
    `test_an_expired_token_says_when`) and, for what to do, in src/identity/token_test.cpp. Here are the others."""

    def full_listener(self):
        """Takes no more connections: the next one's first packet is dropped, as by a firewall."""
        listener = socket.socket()
        self.addCleanup(listener.close)
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(8):
            waiting = socket.socket()
            waiting.setblocking(False)
            self.addCleanup(waiting.close)
            waiting.connect_ex(listener.getsockname())
        return "127.0.0.1:%d" % listener.getsockname()[1]

    def test_network_that_swallows_packets(self):
        """Row 3: `... dial tcp ip:56001: i/o timeout`: the network."""
        address = self.full_listener()
        result = self.run_cli("list_gpus", "-l", address)
        self.assertEqual(result.returncode, 1)
        self.assertEqual(result.stderr, "bitfusion: cannot reach server %s: dial tcp %s: i/o timeout; check the address, the "
                         "firewall and that it runs there: systemctl status bitfusion\n" % (address, address))

    def test_servers_conf_that_cannot_be_written(self):
        """Row 4: servers.conf on a read-only mount killed the client, which wrote it back. Ours never writes it: a file that
        nobody may write, in a folder that nobody may write, serves, and is the same afterwards."""
        with tempfile.TemporaryDirectory() as home:
            folder = os.path.join(home, ".bitfusion")
            path = os.path.join(folder, "servers.conf")
            os.mkdir(folder)
            text = "servers:\n  - reachable: 127.0.0.1:1\n    addresses: [%s]\n" % self.manager.control
            with open(path, "w") as out:
                out.write(text)
            os.chmod(path, 0o444)
            os.chmod(folder, 0o555)
            before = os.stat(path)
            try:
                result = self.run_cli("list_gpus", environment={"BITFUSION_SERVERS": "", "HOME": home})
                self.assertEqual(result.returncode, 0, result.stderr)
                self.assertEqual(os.listdir(folder), ["servers.conf"])
                after = os.stat(path)
            finally:
                os.chmod(folder, 0o755)
            self.assertEqual((after.st_ino, after.st_mtime_ns), (before.st_ino, before.st_mtime_ns))
            with open(path) as kept:
                self.assertEqual(kept.read(), text)

    def test_servers_conf_that_is_wrong(self):
        """Row 4, the words: which file, which line, why, and what to write."""
        for text, line, part in (("10.0.0.1\nnot-an-address\n", 2, "write for example 10.0.0.7:56001"),
                                 ("10.0.0.1:0\n", 1, "no port from 1 to 65535"),
                                 ("servers:\n  - reachable: 10.0.0.1:56001\n  - addresses: []\n", 3, "correct the file"),
                                 ("servers: [\n", 2, "not YAML")):
            with tempfile.NamedTemporaryFile("w", suffix=".conf") as file:
                file.write(text)
                file.flush()
                result = self.run_cli("list_gpus", "-s", file.name)
                self.assertEqual(result.returncode, 1)
                self.assert_one_line(result.stderr, "%s line %d: " % (file.name, line), part)

    def limited(self, files, *arguments):
        return self.run_cli(*arguments, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (files, files)))

    def test_a_low_limit_of_open_files_is_said_before_it_hurts(self):
        """Row 6: "cannot allocate memory" on connect: nofile too low; the cure is `ulimit -n 4096` or more (C5)."""
        result = self.limited(256, "run", "-n", "1", "--", "echo", "ran")
        self.assertEqual((result.returncode, result.stdout), (0, "ran\n"), result.stderr)
        self.assertRegex(result.stderr, r"^\[WARN\] %s at most 256 files can be open: connecting may fail with \"cannot allocate "
                         r"memory\"; raise the limit with 'ulimit -n 4096' or more\n" % STAMP)
        self.assertNotIn("files can be open", self.limited(4096, "run", "-n", "1", "--", "true").stderr)

    def test_no_descriptor_is_left_to_connect_with(self):
        """Row 6, when it has happened: the old words, and the cure."""
        # Which limit leaves none depends on the build; with each one either all goes well or these are the words.
        results = [self.limited(files, "list_gpus") for files in range(4, 12)]
        refused = [result.stderr for result in results if result.stderr.startswith("bitfusion: ")]
        for text in refused:
            self.assert_one_line(text, "cannot allocate memory: too many files are open; raise the limit with 'ulimit -n 4096' "
                                 "or more\n")
        self.assertTrue([text for text in refused if text.startswith("bitfusion: cannot reach server " + self.manager.control)],
                        results)
        self.assertEqual(results[-1].returncode, 0, results[-1].stderr)

    def test_a_server_that_takes_the_connection_and_says_nothing_sensible(self):
        """Row 2, the other half: a slow or wrong server is told apart from a refused token."""
        listener = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(listener.close)
        address = "127.0.0.1:%d" % listener.getsockname()[1]
        process = self.start_cli("run", "-n", "1", "-l", address, "--", "true")
        connection, _ = listener.accept()
        connection.recv(4096)
        connection.close()
        _, errors = process.communicate(timeout=DEADLINE)
        self.assertEqual(process.returncode, 1)
        self.assertIn("server %s does not answer like a bitfusion manager" % address, errors.decode())
        self.assertIn("check the address and that the port is the control port (56001)", errors.decode())
        self.assertNotIn("client id claim", errors.decode())


if __name__ == "__main__":
    unittest.main(verbosity=2)
