"""The CUDA toolkit of this machine: its compiler, and where headers and libraries are."""
import pathlib
import shutil
import site
import sys

import machine


def root():
    found = shutil.which("nvcc") or "/usr/local/cuda/bin/nvcc"
    return pathlib.Path(found).resolve().parents[1]


def nvcc():
    """The compiler, or None where there is none."""
    path = root() / "bin" / "nvcc"
    return str(path) if path.exists() else None


def folders(name):
    """Folders of that name: the toolkit's, and those of NVIDIA's packages for Python."""
    places = [pathlib.Path(place) for place in [*site.getsitepackages(), *sys.path] if place]
    found = [root() / name] + [folder for place in places for folder in sorted((place / "nvidia").glob(f"*/{name}"))]
    return list(dict.fromkeys(str(folder) for folder in found if folder.is_dir()))


def has_header(name):
    return any((pathlib.Path(folder) / name).exists() for folder in [*folders("include"), "/usr/include"])


def library_path():
    return ":".join(folders("lib64") + folders("lib"))


def library(name):
    """The file to link for -l<name>: packages for Python bring no name without a version. The driver's is the machine's."""
    if name == "cuda":
        stubs = [root() / name / "stubs" / "libcuda.so" for name in ("lib64", "lib")]
        return next((str(path) for path in [pathlib.Path(machine.find_driver()), *stubs] if path.exists()), None)
    for folder in folders("lib64") + folders("lib"):
        for pattern in (f"lib{name}.so*", f"lib{name}.a"):
            for path in sorted(pathlib.Path(folder).glob(pattern), key=lambda path: len(path.name)):
                return str(path)
    return None
