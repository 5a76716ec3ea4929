"""Makes the relocatable bundle: programs, our libcuda.so.1 and libnvidia-ml.so.1, and every shared library beyond glibc.

Nothing in it depends on where it lies: bin/bitfusion finds lib/bitfusion from its own path, and the libraries in
lib/bitfusion/private are found by run paths relative to who needs them. Needs patchelf, readelf, strip and ldd.
"""
import argparse
import gzip
import os
import re
import shutil
import subprocess
import sys
import tarfile

HERE = os.path.dirname(os.path.abspath(__file__))
MOST_BYTES = 40 * 1000 * 1000

# Part of every glibc system, and bound to its kernel and its loader: never bundled.
GLIBC = re.compile(r"^(libc|libm|libdl|libpthread|librt|libresolv|libutil)\.so\.\d+$|^ld-linux")
# The machine's driver: found at run time, never ours to ship.
DRIVER = re.compile(r"^lib(cuda|nvidia-)")

# path in the build folder -> whether a bundle without it may be made (with a warning)
PROGRAMS = {"bin/bitfusion": False, "lib/bitfusion/bitfusion-worker": True, "lib/bitfusion/cuda/libcuda.so.1": True,
            "lib/bitfusion/cuda/libnvidia-ml.so.1": True, "lib/bitfusion/bin/nvidia-smi": True}
PRIVATE = "lib/bitfusion/private"
CONSOLE = "share/bitfusion/console"
EXTRAS = {
    "README": "README",
    "bitfusion-manager.service": "share/bitfusion/bitfusion-manager.service",
    "bitfusion-manager.yaml": "share/bitfusion/bitfusion-manager.yaml",
    "bitfusion-limits.conf": "share/bitfusion/bitfusion-limits.conf",
    "servers.conf": "share/bitfusion/servers.conf",
    "slurm/job.sh": "share/bitfusion/slurm/job.sh",
    "slurm/task-prolog.sh": "share/bitfusion/slurm/task-prolog.sh",
    "slurm/task-epilog.sh": "share/bitfusion/slurm/task-epilog.sh",
    "slurm/epilog.sh": "share/bitfusion/slurm/epilog.sh",
    "slurm/slurm.yaml": "share/bitfusion/slurm/slurm.yaml",
    "prometheus/prometheus.yml": "share/bitfusion/prometheus/prometheus.yml",
    "prometheus/bitfusion-alerts.yml": "share/bitfusion/prometheus/bitfusion-alerts.yml",
    "prometheus/bitfusion-grafana.json": "share/bitfusion/prometheus/bitfusion-grafana.json",
}


def output_of(*command):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def is_elf(path):
    with open(path, "rb") as binary:
        return binary.read(4) == b"\x7fELF"


def needed(path):
    return re.findall(r"\(NEEDED\).*\[(.+)\]", output_of("readelf", "-dW", path))


def libraries_of(path):
    """name -> path of every library that the loader would take for it, its libraries' libraries included."""
    found = {}
    for line in output_of("ldd", path).splitlines():
        match = re.match(r"\s*(\S+) => (\S+|not found)", line)
        if match:
            found[match.group(1)] = match.group(2)
    return found


def install(source, target, mode):
    os.makedirs(os.path.dirname(target), exist_ok=True)
    shutil.copyfile(os.path.realpath(source), target)
    os.chmod(target, mode)


def finish(root, path):
    """Strips it and points its run path at the private libraries, or at nothing when it needs none."""
    subprocess.run(["strip", "--strip-unneeded", path], check=True)
    private = os.path.join(root, PRIVATE)
    if any(os.path.exists(os.path.join(private, name)) for name in needed(path)):
        relative = os.path.relpath(private, os.path.dirname(path))
        origin = "$ORIGIN" if relative == "." else "$ORIGIN/" + relative
        subprocess.run(["patchelf", "--set-rpath", origin, path], check=True)
    else:
        subprocess.run(["patchelf", "--remove-rpath", path], check=True)


def fill(build, root, version):
    elves = []
    for part, optional in PROGRAMS.items():
        source = os.path.join(build, part)
        if not os.path.exists(source):
            if not optional:
                sys.exit("make_bundle: %s does not exist; build it first" % source)
            print("make_bundle: WARNING: %s does not exist; the bundle is made without it" % source)
            continue
        target = os.path.join(root, part)
        install(source, target, 0o755)
        if not is_elf(target):
            sys.exit("make_bundle: %s is not a program of ours; remove it and build again" % source)
        for name, path in libraries_of(source).items():
            if GLIBC.match(name):
                continue
            if DRIVER.match(name):
                sys.exit("make_bundle: %s is linked with %s; the driver is opened at run time" % (part, name))
            if "/cuda/" in part:
                sys.exit("make_bundle: %s needs %s; it lives in other people's processes and may need glibc only"
                         % (part, name))
            if path == "not found":
                sys.exit("make_bundle: %s needs %s, which is not installed" % (part, name))
            install(path, os.path.join(root, PRIVATE, name), 0o644)
        elves.append(target)
    private = os.path.join(root, PRIVATE)
    if os.path.isdir(private):
        elves += [os.path.join(private, name) for name in sorted(os.listdir(private))]
    for path in elves:
        finish(root, path)
    pages = os.path.join(build, CONSOLE)
    if not os.path.exists(os.path.join(pages, "index.html")):
        print("make_bundle: WARNING: %s holds no console; the bundle is made without it (it needs npm)" % pages)
    for folder, _, names in os.walk(pages):
        for name in names:
            path = os.path.join(folder, name)
            install(path, os.path.join(root, os.path.relpath(path, build)), 0o644)
    for source, target in EXTRAS.items():
        path = os.path.join(root, target)
        install(os.path.join(HERE, source), path, 0o755 if source.endswith(".sh") else 0o644)
        with open(path) as text:
            content = text.read()
        with open(path, "w") as out:
            out.write(content.replace("@VERSION@", version))


def pack(root, tarball):
    """Equal content gives equal bytes: sorted, owned by root, one time stamp."""
    stamp = int(os.environ.get("SOURCE_DATE_EPOCH", "0"))

    def plain(entry):
        entry.uid = entry.gid = 0
        entry.uname = entry.gname = "root"
        entry.mtime = stamp
        return entry
    parent = os.path.dirname(root)
    with open(tarball, "wb") as raw, gzip.GzipFile("", "wb", 9, raw, mtime=stamp) as packed, \
            tarfile.open(fileobj=packed, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for folder, folders, files in os.walk(root):
            folders.sort()
            archive.add(folder, os.path.relpath(folder, parent), recursive=False, filter=plain)
            for name in sorted(files):
                path = os.path.join(folder, name)
                archive.add(path, os.path.relpath(path, parent), recursive=False, filter=plain)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", required=True, help="build folder with bin and lib/bitfusion")
    parser.add_argument("--out", required=True, help="where the folder and the tarball go")
    parser.add_argument("--version", required=True)
    options = parser.parse_args()
    for tool in ("patchelf", "readelf", "strip", "ldd"):
        if shutil.which(tool) is None:
            sys.exit("make_bundle: %s is missing; install it (packages patchelf, binutils, libc-bin)" % tool)
    name = "bitfusion-%s-linux-x86_64" % options.version
    root = os.path.join(os.path.abspath(options.out), name)
    tarball = root + ".tar.gz"
    shutil.rmtree(root, ignore_errors=True)
    fill(os.path.abspath(options.build), root, options.version)
    pack(root, tarball)
    size = os.path.getsize(tarball)
    print("%s: %.1f MB" % (tarball, size / 1e6))
    if size > MOST_BYTES:
        sys.exit("make_bundle: the tarball has more than 40 MB; see what is in it: tar tvf " + tarball)


if __name__ == "__main__":
    main()
