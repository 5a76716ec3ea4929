"""GPUs that nobody uses go back to the pool: after the pool's minutes or after the client's own. A minute is the shortest
limit there is, so that all of it happens side by side."""
import os
import re
import subprocess
import sys
import time
import unittest

from harness import *
from identity_test import Secure
from nvml_test import CUDA, sanitizer_first

# Computes once, then waits for its standard input's end, and computes again: the result of that is its exit status.
SLEEPER = "import ctypes, sys\n" + CUDA + r"""
start(1)
count_to(10)
print("up", flush=True)
sys.stdin.read()
sys.exit(0 if cuda.cuCtxSynchronize() == 0 else 3)
"""
# Computes now and then until it is killed or told to end.
WORKER = "import ctypes, select, sys\n" + CUDA + r"""
start(1)
print("up", flush=True)
while not select.select([sys.stdin], [], [], 1)[0]:
    count_to(10)
sys.exit(0 if cuda.cuCtxSynchronize() == 0 else 3)
"""
BUDGET = 110  # a minute of idleness, and what the machine's load adds


class Idle(Secure):
    arguments = ("--software-gpus", "1", "--software-memory", "4GiB")

    def start(self, folder, text):
        environment = clean_environment(BITFUSION_SERVERS=self.manager.control, BITFUSION_CLIENT_DIR=folder,
                                        BITFUSION_MACHINE_ID="machine-a")
        process = subprocess.Popen([BITFUSION, "run", "-n", "1", "-m", "256", "--", *sanitizer_first(), sys.executable, "-c", text],
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment)

        def clean():
            if process.poll() is None:
                process.kill()
            process.communicate()
        self.addCleanup(clean)
        self.assertEqual(process.stdout.readline(), b"up\n", process.stderr.read() if process.poll() is not None else "")
        return process

    def banner(self, folder):
        result = self.cli(folder, "run", "-n", "1", "-m", "1", "--", "true")
        self.assertEqual(result.returncode, 0, result.stderr)
        return re.search(r"^Client idle timeout: (\d+) min$", result.stderr, re.M).group(1)

    def test_limits_of_the_pool_and_of_a_client(self):
        plain, _ = self.client("plain")
        self.assertEqual(self.banner(plain), "0")
        known = {row["id"] for row in self.manager.ask("GET", "/v1/clients")[1]["clients"]}
        patient, _ = self.client("patient")
        self.assertEqual(self.banner(patient), "0")
        patient_id, = {row["id"] for row in self.manager.ask("GET", "/v1/clients")[1]["clients"]} - known
        self.assertEqual(self.admin("settings", "set", "idle_limit_minutes", "1").returncode, 0)
        self.assertEqual(self.admin("clients", "idle", patient_id, "0").returncode, 0)
        self.assertEqual((self.banner(plain), self.banner(patient)), ("1", "0"))

        began = time.monotonic()
        sleeper = self.start(plain, SLEEPER)
        spared = self.start(patient, SLEEPER)
        busy = self.start(plain, WORKER)
        file = os.path.join(self.homes.name, "session")
        session = self.cli(plain, "request_gpus", "-n", "1", "-m", "256", "--file", file)
        self.assertEqual(session.returncode, 0, session.stderr)
        self.assertIn("Client idle timeout: 1 min\n", session.stderr)
        self.assertEqual(len(self.manager.leases()), 4)

        wait_until(lambda: len(self.manager.leases()) == 2, "idle leases are taken back", BUDGET)
        self.assertGreaterEqual(time.monotonic() - began, 60)
        self.assertEqual(self.manager.free(), [4096 - 2 * 256])
        # Its GPU calls fail now, and it is told why; the others never noticed.
        _, errors = sleeper.communicate(timeout=DEADLINE)
        self.assertEqual(sleeper.returncode, 3, errors.decode())
        self.assertIn("ended the session", errors.decode())
        self.assertIn("idle for 1 minute", self.manager.log())
        for process in (spared, busy):
            _, errors = process.communicate(timeout=DEADLINE)
            self.assertEqual(process.returncode, 0, errors.decode())
            self.assertNotIn("ended the session", errors.decode())
        # The session's GPUs went as well; giving them back is no error.
        released = self.cli(plain, "release_gpus", "-f", file)
        self.assertEqual(released.returncode, 0, released.stderr)
        self.assertEqual(self.manager.leases(), [])


if __name__ == "__main__":
    unittest.main(verbosity=2)
