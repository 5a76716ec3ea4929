"""Compiles the C++ programs of this folder with the toolkit, and finds the libraries that they link."""
import pathlib
import re
import shutil
import site
import subprocess
import sys

import machine

ARCHITECTURES = ["-gencode", "arch=compute_75,code=[compute_75]", "-gencode", "arch=compute_90,code=sm_90"]


def toolkit():
    found = shutil.which("nvcc") or "/usr/local/cuda/bin/nvcc"
    return pathlib.Path(found).resolve().parents[1]


def folders(name):
    """Folders of that name: the toolkit's, and those of NVIDIA's packages for Python."""
    places = [pathlib.Path(place) for place in [*site.getsitepackages(), *sys.path] if place]
    found = [toolkit() / name] + [folder for place in places for folder in sorted((place / "nvidia").glob(f"*/{name}"))]
    return list(dict.fromkeys(str(folder) for folder in found if folder.is_dir()))


def library_path():
    return ":".join(folders("lib64") + folders("lib"))


def library(name):
    """The file to link for -l<name>: packages for Python bring no name without a version. The driver's is the machine's."""
    if name == "cuda":
        driver = machine.find_driver()
        return driver if pathlib.Path(driver).exists() else None
    for folder in folders("lib64") + folders("lib"):
        for path in sorted(pathlib.Path(folder).glob(f"lib{name}.so*"), key=lambda path: len(path.name)):
            return str(path)
    return None


def compiled(sources, out, rows):
    """Path of the program of each source that could be compiled, by name; the others are in the notes or rows."""
    out.mkdir(parents=True, exist_ok=True)
    nvcc = toolkit() / "bin" / "nvcc"
    if sources and not nvcc.exists():
        rows.note(f"skipped: programs: no nvcc at {nvcc}")
        return {}
    started = {}
    for source in sources:
        text = source.read_text()
        headers = [name for name in re.findall(r"^#include <(\w+\.h)>", text, re.M)
                   if not any((pathlib.Path(folder) / name).exists() for folder in [*folders("include"), "/usr/include"])]
        wanted = re.search(r"^// libraries: (.*)$", text, re.M)
        libraries = {name: library(name) for name in (wanted.group(1).split() if wanted else [])}
        missing = headers + [name for name, path in libraries.items() if path is None]
        if missing:
            rows.note(f"{source.stem}: skipped: not installed: {' '.join(missing)}")
            continue
        command = [str(nvcc), "-std=c++17", "-O1", *ARCHITECTURES, *[f"-I{folder}" for folder in folders("include")],
                   "-o", str(out / source.stem), str(source), *libraries.values()]
        started[source.stem] = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    done = {}
    for name, process in started.items():
        text, _ = process.communicate()
        if process.returncode == 0:
            done[name] = out / name
        else:
            rows.text(f"{name} does not compile", text)
            rows.add(name, "compile", None, None, "", (text.strip().splitlines() or ["no message"])[0])
    return done
