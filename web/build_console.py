#!/usr/bin/env python3
"""Builds the console: the sources are mirrored into WORK, npm's packages are fetched there once, Vite builds into OUT.

The registry is asked only when package-lock.json is another than that of the packages which are there. Where it cannot
be reached, or npm fails for another reason, the build goes on without the console: the daemon then answers its address
with a page that says how to build it.

usage: build_console.py --source web --tests tests/console --work build/web/work --out build/share/bitfusion/console
       [--npm npm] [--require]
"""
import argparse
import gzip
import hashlib
import os
import pathlib
import shutil
import subprocess
import sys

SKIPPED = {"node_modules", "dist", "__pycache__"}
PACKED = {".html", ".js", ".css", ".svg"}


def mirror(source, target):
    """Makes target hold the files of source and no others, and leaves alone what has not changed."""
    target.mkdir(parents=True, exist_ok=True)
    wanted = {}
    for path in sorted(source.rglob("*")):
        part = path.relative_to(source)
        if path.is_file() and not SKIPPED & set(part.parts):
            wanted[part] = path
    for path in sorted(target.rglob("*"), reverse=True):
        part = path.relative_to(target)
        if part.parts[0] in SKIPPED or path.is_dir() or part in wanted:
            continue
        path.unlink()
    for part, path in wanted.items():
        copy = target / part
        content = path.read_bytes()
        if copy.is_file() and copy.read_bytes() == content:
            continue
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(content)


def fetch_packages(npm, work):
    """True when the packages of package-lock.json are in work/node_modules."""
    lock = hashlib.sha256((work / "package-lock.json").read_bytes()).hexdigest()
    mark = work / "node_modules" / ".fetched"
    if mark.is_file() and mark.read_text() == lock:
        return True
    # No scripts: nothing of the packages runs but what the build calls.
    command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline",
               "--fetch-retries=1", "--fetch-timeout=30000", "--loglevel=error"]
    if subprocess.run(command, cwd=work, check=False).returncode != 0:
        return False
    mark.write_text(lock)
    return True


def left_out(out, why, required):
    """The build goes on, without a console of an earlier state."""
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    print(f"the console is left out: {why}; touch web/package-lock.json and build again to retry", file=sys.stderr)
    return 1 if required else 0


def main():
    parser = argparse.ArgumentParser()
    for name in ("source", "tests", "work", "out"):
        parser.add_argument("--" + name, type=pathlib.Path, required=True)
    parser.add_argument("--npm", default="npm")
    parser.add_argument("--require", action="store_true", help="fail where the console cannot be built")
    asked = parser.parse_args()
    mirror(asked.source, asked.work)
    mirror(asked.tests, asked.work / "tests")
    if not fetch_packages(asked.npm, asked.work):
        return left_out(asked.out, "npm could not install its packages (see above; is its registry reached?)",
                        asked.require)
    node = shutil.which("node", path=os.path.dirname(asked.npm) + os.pathsep + os.environ["PATH"])
    build = [node or "node", "node_modules/vite/bin/vite.js", "build", "--logLevel", "warn", "--outDir", asked.out.resolve(), "--emptyOutDir"]
    if subprocess.run(build, cwd=asked.work, check=False).returncode != 0:
        return 1
    for path in asked.out.rglob("*"):
        if path.suffix in PACKED:
            path.with_name(path.name + ".gz").write_bytes(gzip.compress(path.read_bytes(), 9, mtime=0))
    return 0


if __name__ == "__main__":
    sys.exit(main())
