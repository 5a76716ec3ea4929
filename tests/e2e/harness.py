"""What the end-to-end tests stand on: a real manager on loopback with ports of its own, and the real CLI.

BITFUSION_BUILD names the folder that holds bin/bitfusion and lib/bitfusion (a build folder or an unpacked bundle).
Waiting is always for a condition with a deadline, never for a time.
"""
import http.client
import json
import os
import re
import select
import signal
import socket
import ssl
import struct
import subprocess
import tempfile
import time
import unittest

BUILD = os.environ.get("BITFUSION_BUILD", "build")
BITFUSION = os.path.join(BUILD, "bin", "bitfusion")
WORKER = os.path.join(BUILD, "lib", "bitfusion", "bitfusion-worker")
DEADLINE = float(os.environ.get("BITFUSION_TEST_DEADLINE", "30"))

HELLO = 0x4E534642
WELCOME = 0x4C574642

BYTES = ("application/x-tar", "application/octet-stream")


def wait_until(condition, what, deadline=None):
    """Polls; there is nothing to subscribe to for most of what happens in other processes."""
    end = time.monotonic() + (deadline or DEADLINE)
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError("timed out waiting until " + what)
        select.select([], [], [], 0.01)


def clean_environment(**more):
    """No server list, session or home of the machine that runs the tests."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("BITFUSION_")}
    environment["HOME"] = "/nonexistent"
    environment.update(more)
    return environment


def state_of(pid):
    """The kernel's letter for it, "" when it is gone."""
    try:
        with open("/proc/%d/stat" % pid) as stat:
            return stat.read().rpartition(")")[2].split()[0]
    except OSError:
        return ""


def alive(pid):
    """False also for a zombie: it is gone but for its parent."""
    return state_of(pid) not in ("", "Z")


def freeze(pid):
    """Returns when it is stopped: until then a later SIGTERM would overtake the SIGSTOP."""
    os.kill(pid, signal.SIGSTOP)
    wait_until(lambda: state_of(pid) == "T", "the process is stopped")


def measures(pid):
    """Whether it is a worker that only looks at the GPUs, which the manager starts now and then."""
    try:
        with open("/proc/%d/cmdline" % pid, "rb") as line:
            return b"--inventory" in line.read()
    except OSError:
        return False


def children(pid):
    """Those that serve: without the ones that measure."""
    found = []
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            with open("/proc/%s/stat" % entry) as stat:
                if int(stat.read().rpartition(")")[2].split()[1]) == pid and not measures(int(entry)):
                    found.append(int(entry))
        except OSError:
            pass
    return found


class Manager:
    """Insecure unless `secure`: then a pool of its own is begun in its folder, and `client_dir` is its administrator.
    `through`: words that run the command behind them in their own process."""

    def __init__(self, *arguments, environment=None, secure=False, state=None, listen_on=(0, 0), through=(), program=BITFUSION):
        self.secure = secure
        self.folder = tempfile.TemporaryDirectory(prefix="bitfusion-e2e-")
        ports = os.path.join(self.folder.name, "ports")
        self.log_path = os.path.join(self.folder.name, "log")
        self.log_file = open(self.log_path, "wb")
        command = [*through, program, "manager", "--port-file", ports]
        command += ["--control-port", str(listen_on[0]), "--data-port", str(listen_on[1])]
        command += ["--backend", "soft", *arguments]
        self.state = state or os.path.join(self.folder.name, "state")
        self.client_dir = os.path.join(self.state, "admin")
        command += ["--state-dir", self.state] if secure or state else []
        command += [] if secure else ["--insecure", "true"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=self.log_file,
                                        env=clean_environment(TMPDIR=self.folder.name, **(environment or {})))
        self.ready_line = self.process.stdout.readline().decode()
        if not self.ready_line:
            self.process.wait()
            raise AssertionError("the manager did not start: " + self.log())
        with open(ports) as lines:
            addresses = dict(line.strip().split("=") for line in lines)
        self.control = addresses["control"]
        self.data = addresses["data"]
        self.pid = self.process.pid

    def log(self):
        with open(self.log_path, errors="replace") as log:
            return log.read()

    def address(self, which):
        host, _, port = getattr(self, which).rpartition(":")
        return host.strip("[]"), int(port)

    def ask(self, method, path, body=None, headers=None):
        connection = http.client.HTTPConnection(*self.address("control"), timeout=DEADLINE)
        if self.secure:
            trust = ssl.create_default_context(cafile=os.path.join(self.client_dir, "ca.crt"))
            trust.check_hostname = False
            connection = http.client.HTTPSConnection(*self.address("control"), timeout=DEADLINE, context=trust)
        try:
            sent = {"Content-Type": "application/json"} if body is not None else {}
            if self.secure:
                sent["Authorization"] = "Bearer " + self.token()
                sent["Bitfusion-Machine"] = "0" * 64
            sent.update(headers or {})
            text = body if isinstance(body, (str, bytes, type(None))) else json.dumps(body)
            connection.request(method, path, text, sent)
            response = connection.getresponse()
            data = response.read()
            return response.status, data if response.getheader("Content-Type") in BYTES else json.loads(data)
        finally:
            connection.close()

    def token(self, folder=None):
        with open(os.path.join(folder or self.client_dir, "client.yaml")) as lines:
            return re.search(r"token: (\S+)", lines.read()).group(1)

    def fetch(self, method, path, body=None, headers=None):
        """(status, content type, bytes)"""
        connection = http.client.HTTPConnection(*self.address("control"), timeout=DEADLINE)
        try:
            connection.request(method, path, body, headers or {})
            response = connection.getresponse()
            return response.status, response.getheader("Content-Type"), response.read()
        finally:
            connection.close()

    def counters(self):
        return self.ask("GET", "/v1/health")[1]["counters"]

    def leases(self):
        return self.ask("GET", "/v1/leases")[1]["leases"]

    def free(self):
        return [gpu["free_mib"] for gpu in self.ask("GET", "/v1/server")[1]["gpus"]]

    def lease(self, **request):
        status, body = self.ask("POST", "/v1/leases", dict({"gpus": 1}, **request))
        assert status == 201, (status, body)
        return body

    def stop(self):
        """SIGTERM; the exit status."""
        if self.process.poll() is None:
            self.process.terminate()
        try:
            status = self.process.wait(DEADLINE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise
        self.close()
        return status

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        self.log_file.close()
        self.folder.cleanup()


def hello(ticket, version=1, program=b"e2e"):
    body = struct.pack("<QI", 0, os.getpid()) + bytes.fromhex(ticket) + struct.pack("<B", len(program)) + program
    return struct.pack("<IHHI", HELLO, version, 0, len(body)) + body


def receive(connection, count):
    data = b""
    while len(data) < count:
        piece = connection.recv(count - len(data))
        if not piece:
            raise EOFError("the connection ended after %d of %d bytes" % (len(data), count))
        data += piece
    return data


def welcome(connection):
    """(refusal number, its text)"""
    magic, _, refusal, length = struct.unpack("<IHHI", receive(connection, 12))
    assert magic == WELCOME, hex(magic)
    body = receive(connection, length)
    size = struct.unpack("<H", body[8:10])[0]
    return refusal, body[10:10 + size].decode()


def closed(connection):
    """Reads to the end; true when the peer closed within the deadline."""
    try:
        while connection.recv(65536):
            pass
        return True
    except ConnectionError:
        return True
    except socket.timeout:
        return False


class WithManager(unittest.TestCase):
    arguments = ("--software-gpus", "2", "--software-memory", "4GiB")
    environment = None

    @classmethod
    def setUpClass(cls):
        if not os.access(WORKER, os.X_OK):
            raise unittest.SkipTest("SKIPPED, NOT TESTED: %s does not exist; build bitfusion_worker" % WORKER)

    def setUp(self):
        self.manager = Manager(*self.arguments, environment=self.environment)
        self.addCleanup(self.manager.close)

    def run_cli(self, *arguments, **options):
        environment = clean_environment(BITFUSION_SERVERS=self.manager.control)
        environment.update(options.pop("environment", {}))
        return subprocess.run([BITFUSION, *arguments], capture_output=True, text=True, env=environment,
                              timeout=DEADLINE, **options)

    def start_cli(self, *arguments, **options):
        process = subprocess.Popen([BITFUSION, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE,
                                   env=clean_environment(BITFUSION_SERVERS=self.manager.control), **options)

        def clean():
            if process.poll() is None:
                process.kill()
            process.communicate()
        self.addCleanup(clean)
        return process

    def connect(self, which):
        connection = socket.create_connection(self.manager.address(which), DEADLINE)
        self.addCleanup(connection.close)
        return connection

    def open_session(self, ticket):
        """A data connection that was admitted: it has a worker now."""
        connection = self.connect("data")
        connection.sendall(hello(ticket))
        self.assertEqual(welcome(connection), (0, ""))
        return connection

    def assert_one_line(self, text, *parts):
        self.assertEqual(text.count("\n"), 1, text)
        for part in parts:
            self.assertIn(part, text)

    def wait_for_no_lease(self, deadline=None):
        wait_until(lambda: not self.manager.leases(), "no lease is left", deadline)


__all__ = [name for name in dir() if not name.startswith("_")]
