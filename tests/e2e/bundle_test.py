"""The bundle: made, unpacked elsewhere, and run from there with an empty environment."""
import glob
import os
import re
import subprocess
import sys
import tarfile
import tempfile
import unittest

from harness import BUILD, DEADLINE

SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
VERSION = os.environ.get("BITFUSION_VERSION", "0.1.0")
NAME = "bitfusion-%s-linux-x86_64" % VERSION
PARTS = ("bin/bitfusion", "lib/bitfusion/bitfusion-worker", "lib/bitfusion/cuda/libcuda.so.1",
         "lib/bitfusion/cuda/libnvidia-ml.so.1", "lib/bitfusion/bin/nvidia-smi")


def is_elf(path):
    with open(path, "rb") as binary:
        return binary.read(4) == b"\x7fELF"


def sanitized(path):
    return re.search(r"lib[at]san", subprocess.run(
        ["readelf", "-dW", path], capture_output=True, text=True, check=True).stdout) is not None


class Bundle(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        for part in PARTS:
            path = os.path.join(BUILD, part)
            if os.path.exists(path) and not is_elf(path):
                raise unittest.SkipTest("SKIPPED, NOT TESTED: %s is a stand-in, not a program of ours" % path)
            if os.path.exists(path) and sanitized(path):
                raise unittest.SkipTest("SKIPPED, NOT TESTED: a sanitizer's build is not for bundling")
        cls.folder = tempfile.TemporaryDirectory(prefix="bitfusion-bundle-")
        cls.addClassCleanup(cls.folder.cleanup)
        out = os.path.join(cls.folder.name, "out")
        os.mkdir(out)
        subprocess.run([sys.executable, os.path.join(SOURCE, "packaging", "make_bundle.py"), "--build", BUILD,
                        "--out", out, "--version", VERSION], check=True, stdout=subprocess.DEVNULL)
        cls.tarball = os.path.join(out, NAME + ".tar.gz")
        cls.elsewhere = os.path.join(cls.folder.name, "else where")
        with tarfile.open(cls.tarball) as archive:
            cls.names = archive.getnames()
            archive.extractall(cls.elsewhere)
        cls.root = os.path.join(cls.elsewhere, NAME)

    def test_version_with_an_empty_environment(self):
        result = subprocess.run([os.path.join(self.root, "bin", "bitfusion"), "version"], env={}, cwd="/",
                                capture_output=True, text=True, timeout=DEADLINE)
        self.assertEqual((result.returncode, result.stdout), (0, "Bitfusion version: %s release\n" % VERSION),
                         result.stderr)

    def test_is_small_and_under_one_folder(self):
        self.assertLess(os.path.getsize(self.tarball), 40 * 1000 * 1000)
        self.assertEqual({name.split("/")[0] for name in self.names}, {NAME})

    def test_has_its_parts(self):
        for part in ("README", "share/bitfusion/bitfusion-manager.service", "share/bitfusion/bitfusion-limits.conf",
                     "share/bitfusion/servers.conf", "share/bitfusion/bitfusion-manager.yaml", "bin/bitfusion",
                     "share/bitfusion/slurm/job.sh", "share/bitfusion/slurm/epilog.sh"):
            self.assertTrue(os.path.isfile(os.path.join(self.root, part)), part)
        self.assertTrue(os.access(os.path.join(self.root, "share/bitfusion/slurm/epilog.sh"), os.X_OK))
        with open(os.path.join(self.root, "README")) as readme:
            self.assertIn("Bitfusion " + VERSION, readme.readline())
        pages = "share/bitfusion/console/index.html"
        if os.path.exists(os.path.join(BUILD, pages)):
            self.assertTrue(os.path.isfile(os.path.join(self.root, pages)))
        else:
            print("SKIPPED, NOT TESTED: the console is not built", file=sys.stderr)
        for part in PARTS:
            if os.path.exists(os.path.join(BUILD, part)):
                self.assertTrue(os.access(os.path.join(self.root, part), os.X_OK), part)
            else:
                print("SKIPPED, NOT TESTED: %s is not built" % part, file=sys.stderr)

    def test_every_library_is_glibcs_or_inside(self):
        paths = [os.path.join(self.root, part) for part in PARTS if os.path.exists(os.path.join(self.root, part))]
        paths += glob.glob(os.path.join(glob.escape(self.root), "lib/bitfusion/private/*"))
        for path in paths:
            listing = subprocess.run(["ldd", path], env={}, capture_output=True, text=True, check=True).stdout
            for line in listing.splitlines():
                match = re.match(r"\s*(\S+) => (.+?)(?: \(0x[0-9a-f]+\))?$", line)
                if match and not re.match(r"lib(c|m|dl|pthread|rt|resolv)\.so\.", match.group(1)):
                    self.assertTrue(os.path.realpath(match.group(2)).startswith(os.path.realpath(self.root)), line)

    def test_the_samples_parse(self):
        bitfusion = os.path.join(self.root, "bin", "bitfusion")
        result = subprocess.run([bitfusion, "list_gpus", "-s",
                                 os.path.join(self.root, "share/bitfusion/servers.conf")], env={},
                                capture_output=True, text=True, timeout=DEADLINE)
        self.assertNotIn("line", result.stderr)
        if not os.path.exists(os.path.join(self.root, PARTS[1])):
            return
        result = subprocess.run([bitfusion, "manager", "--config",
                                 os.path.join(self.root, "share/bitfusion/bitfusion-manager.yaml"),
                                 "--control-port", "1x"], env={}, capture_output=True, text=True, timeout=DEADLINE)
        self.assertIn("--control-port is '1x'", result.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
