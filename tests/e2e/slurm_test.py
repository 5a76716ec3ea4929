"""GPUs of the pool in SLURM's jobs: a real munged, slurmctld and slurmd on loopback run the scripts of packaging/slurm."""
import getpass
import glob
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import unittest

from harness import *
from nvml_test import CUDA, sanitizer_first

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SCRIPTS = os.path.join(ROOT, "packaging", "slurm")
PROGRAMS = ("munged", "mungekey", "slurmctld", "slurmd", "sbatch", "srun", "scancel", "squeue", "sinfo", "runuser")
CONFIGURATION = """
ClusterName=bitfusion-test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller}
SlurmdPort={node}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket={folder}/munge.socket
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SlurmdParameters=config_overrides
SwitchType=switch/none
MpiDefault=none
ReturnToService=2
KillWait=5
Licenses=bitfusion:2
TaskProlog={folder}/task-prolog
TaskEpilog={folder}/task-epilog
Epilog={folder}/epilog
NodeName={host} NodeAddr=127.0.0.1 CPUs=4 State=UNKNOWN
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""
COMPUTES = "import ctypes, sys\n" + CUDA + "start(1)\ncount_to(10)\nprint('counted', flush=True)\n"


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def path_of(name):
    return shutil.which(name, path=os.environ["PATH"] + ":/usr/sbin:/sbin")


class Slurm(WithManager):
    arguments = ("--software-gpus", "1", "--software-memory", "4GiB")

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        missing = [name for name in PROGRAMS if not path_of(name)]
        if missing:
            raise unittest.SkipTest("SKIPPED, NOT TESTED: no %s (packages slurmctld slurmd slurm-client munge)" % ", ".join(missing))
        if os.geteuid() != 0:
            raise unittest.SkipTest("SKIPPED, NOT TESTED: slurmd starts jobs as other users; run as root")

    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory(prefix="bitfusion-slurm-")
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        os.chmod(self.folder, 0o755)
        self.settings = os.path.join(self.folder, "slurm.yaml")
        self.started = []
        self.addCleanup(self.stop_all)
        self.start_slurm()

    def write(self, name, text, mode=0o644):
        with open(os.path.join(self.folder, name), "w") as out:
            out.write(text)
        os.chmod(os.path.join(self.folder, name), mode)

    def start(self, name, *arguments):
        with open(os.path.join(self.folder, name + ".out"), "wb") as out:
            self.started.append(subprocess.Popen([path_of(name), *arguments], stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                                                 env=self.variables()))
        return self.started[-1]

    def stop_all(self):
        for process in reversed(self.started):
            process.terminate()
        for process in reversed(self.started):
            try:
                process.wait(DEADLINE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def variables(self, **more):
        return clean_environment(SLURM_CONF=os.path.join(self.folder, "slurm.conf"), BITFUSION_SERVERS=self.manager.control,
                                 BITFUSION_SLURM_SETTINGS=self.settings,
                                 PATH=os.path.abspath(os.path.dirname(BITFUSION)) + ":" + os.environ["PATH"], **more)

    def start_slurm(self):
        host = socket.gethostname().split(".")[0]
        for name in ("state", "spool"):
            os.mkdir(os.path.join(self.folder, name))
        self.write("slurm.conf", CONFIGURATION.format(host=host, controller=free_port(), node=free_port(), user=getpass.getuser(),
                                                      folder=self.folder))
        # SLURM runs them with an environment of its own making.
        for name in ("task-prolog", "task-epilog", "epilog"):
            self.write(name, "#!/bin/sh\nexport PATH=%s:$PATH BITFUSION_SERVERS=%s BITFUSION_SLURM_SETTINGS=%s\n"
                       "exec %s/%s.sh 2>> %s/%s.log\n" % (
                           os.path.abspath(os.path.dirname(BITFUSION)), self.manager.control, self.settings, SCRIPTS, name,
                           self.folder, name), 0o755)
        key = os.path.join(self.folder, "munge.key")
        subprocess.run([path_of("mungekey"), "--create", "--keyfile", key], check=True, capture_output=True)
        self.start("munged", "--foreground", "--force", "--key-file", key, "--socket", self.folder + "/munge.socket", "--pid-file",
                   self.folder + "/munged.pid", "--log-file", self.folder + "/munged.log", "--seed-file",
                   self.folder + "/munged.seed")
        wait_until(lambda: os.path.exists(self.folder + "/munge.socket"), "munged is there")
        self.start("slurmctld", "-D")
        self.start("slurmd", "-D")
        try:
            wait_until(lambda: self.slurm("sinfo", "-h", "-o", "%t").stdout.strip() == "idle", "the node is idle")
        except AssertionError as error:
            raise AssertionError(str(error) + self.logs())

    def logs(self):
        text = ""
        for path in sorted(glob.glob(self.folder + "/*.log") + glob.glob(self.folder + "/*.out")):
            with open(path, errors="replace") as log:
                text += "\n== %s\n%s" % (os.path.basename(path), log.read()[-4000:])
        return text

    def slurm(self, name, *arguments, **more):
        return subprocess.run([path_of(name), *arguments], capture_output=True, text=True, timeout=2 * DEADLINE,
                              env=self.variables(**more), cwd=self.folder)

    def submit(self, *arguments, **more):
        result = self.slurm("sbatch", "--parsable", "--output", self.folder + "/job-%j", *arguments, **more)
        self.assertEqual(result.returncode, 0, result.stderr + self.logs())
        return result.stdout.strip()

    def output(self, job):
        try:
            with open(self.folder + "/job-" + job) as out:
                return out.read()
        except OSError:
            return ""

    def wait_for_end(self, job):
        try:
            wait_until(lambda: not self.slurm("squeue", "-h", "-j", job).stdout.strip(), "job %s has ended" % job, 2 * DEADLINE)
        except AssertionError as error:
            raise AssertionError(str(error) + self.output(job) + self.logs())

    def left(self, job):
        return glob.glob("/tmp/bitfusion-slurm-%s" % job) + glob.glob("/tmp/bitfusion-slurm-%s-*" % job)

    def test_steps_of_a_job_share_what_was_asked_for_once(self):
        job = self.submit(SCRIPTS + "/job.sh", *sanitizer_first(), sys.executable, "-c", COMPUTES)
        self.wait_for_end(job)
        text = self.output(job)
        self.assertEqual(text.count("Requested resources:"), 1, text + self.logs())
        self.assertIn("GPU 0: bitfusion Software GPU (UUID: GPU-", text)
        self.assertIn("\ncounted\n", text)
        self.assertIn("Released GPUs on 1 servers", text)
        self.assertEqual(self.manager.counters()["leases_granted"], 1)
        self.assertEqual((self.manager.leases(), self.left(job)), ([], []))

    def test_a_step_that_fails_gives_back_and_fails_the_job(self):
        job = self.submit(SCRIPTS + "/job.sh", "sh", "-c", "exit 5")
        self.wait_for_end(job)
        self.assertIn("Released GPUs on 1 servers", self.output(job))
        self.assertEqual((self.manager.leases(), self.left(job)), ([], []))

    def test_cancelled_and_killed_jobs_give_back(self):
        """`scancel` ends the steps and then the script; --signal=KILL leaves the script no time, and the epilog does it."""
        for how in ((), ("--full", "--signal=KILL")):
            job = self.submit(SCRIPTS + "/job.sh", "sh", "-c", "echo up; exec sleep 600")
            wait_until(lambda: "\nup\n" in self.output(job), "the job runs " + self.output(job))
            self.assertEqual(self.manager.free(), [2048])
            cancelled = self.slurm("scancel", *how, job)
            self.assertEqual(cancelled.returncode, 0, cancelled.stderr)
            self.wait_for_end(job)
            wait_until(lambda: not self.manager.leases(), "the GPUs are back %s%s" % (how, self.logs()))
            wait_until(lambda: not self.left(job), "its file is gone")
        self.assertEqual(self.slurm("sinfo", "-h", "-o", "%t").stdout.strip(), "idle")

    def test_all_scripts_look_where_the_one_setting_says(self):
        sessions = os.path.join(self.folder, "sessions")
        os.mkdir(sessions)
        os.chmod(sessions, 0o1777)
        self.write("slurm.yaml", "# of this cluster\nsession-folder: %s\n" % sessions)
        job = self.submit(SCRIPTS + "/job.sh", "sh", "-c", "echo $BITFUSION_SESSION_FILE; echo up; exec sleep 600")
        wait_until(lambda: "\nup\n" in self.output(job), "the job runs " + self.output(job))
        file = os.path.join(sessions, "bitfusion-slurm-" + job)
        self.assertIn("\n%s\n" % file, self.output(job))
        self.assertEqual((os.listdir(sessions), self.left(job)), ([os.path.basename(file)], []))
        self.assertEqual(self.slurm("scancel", "--full", "--signal=KILL", job).returncode, 0)
        wait_until(lambda: not self.manager.leases(), "the epilog has given back" + self.logs())
        wait_until(lambda: not os.listdir(sessions), "its file is gone")
        result = self.slurm("srun", "sh", "-c", "echo $BITFUSION_SESSION_FILE", BITFUSION_ASK="-n 1 -p 0.5 --timeout 60")
        self.assertEqual(result.returncode, 0, result.stderr + self.logs())
        self.assertTrue(result.stdout.startswith(sessions + "/bitfusion-slurm-"), result.stdout)
        wait_until(lambda: not self.manager.leases() and not os.listdir(sessions), "the task's epilog has given back")

    def test_tasks_that_know_nothing_get_gpus_from_the_prolog(self):
        result = self.slurm("srun", "-n", "2", *sanitizer_first(), sys.executable, "-c", COMPUTES,
                            BITFUSION_ASK="-n 1 -p 0.5 --timeout 60")
        self.assertEqual((result.returncode, result.stdout), (0, "counted\n" * 2), result.stderr + self.logs())
        wait_until(lambda: not self.manager.leases(), "the GPUs are back")
        self.assertEqual(self.manager.counters()["leases_granted"], 2)
        result = self.slurm("srun", "sh", "-c", "echo ${BITFUSION_SESSION-none}")
        self.assertEqual((result.returncode, result.stdout), (0, "none\n"), "a task that did not ask has none")

    def test_licences_hold_back_what_would_only_wait(self):
        """As docs/slurm.md sets it up: SLURM itself counts halves of GPUs, so that a job that has no room keeps no node."""
        jobs = [self.submit("--licenses", "bitfusion:1", SCRIPTS + "/job.sh", "sh", "-c", "echo up; exec sleep 600")
                for _ in range(3)]
        wait_until(lambda: all("\nup\n" in self.output(job) for job in jobs[:2]), "two jobs run")
        self.assertEqual(self.slurm("squeue", "-h", "-j", jobs[2], "-o", "%t %r").stdout.strip(), "PD Licenses")
        self.slurm("scancel", jobs[0])
        wait_until(lambda: "\nup\n" in self.output(jobs[2]), "the third runs", 3 * DEADLINE)
        for job in jobs:
            self.slurm("scancel", job)
        for job in jobs:
            self.wait_for_end(job)
        wait_until(lambda: not self.manager.leases(), "the GPUs are back")


if __name__ == "__main__":
    unittest.main(verbosity=2)
