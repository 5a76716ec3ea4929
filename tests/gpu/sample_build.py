"""Builds one of NVIDIA's samples with nvcc alone, from what its CMakeLists.txt says."""
import os
import pathlib
import re
import subprocess

import toolkit

# Packages that CMake would look for, and what a sample that needs one is about.
LEFT_OUT = {"OpenGL": "graphics", "GLUT": "graphics", "Vulkan": "graphics", "EGL": "graphics", "GLES": "graphics",
            "OPENGL": "graphics", "NVSCI": "NvSci", "MPI": "several machines", "FreeImage": "FreeImage, not CUDA"}
LIBRARIES = {"cuda_driver": "cuda", "cudart": None, "culibos": "culibos"}
# What CMake's targets bring along.
BRINGS = {"cusolver": ["cusparse", "cublas"]}


class Sample:
    """One folder with a CMakeLists.txt that makes one program."""

    def __init__(self, folder):
        self.folder = folder
        self.text = re.sub(r"#.*", "", (folder / "CMakeLists.txt").read_text(errors="replace"))
        made = re.search(r"add_executable\(\s*(\S+)\s+([^)]*)\)", self.text)
        self.name = made.group(1) if made else folder.name
        self.sources = [folder / word for word in made.group(2).split() if word != "WIN32"] if made else []

    def left_out(self):
        """Why it is not for this script, or an empty text."""
        if not self.sources:
            return "makes no program by itself"
        for package in re.findall(r"find_package\((\w+)", self.text):
            if package in LEFT_OUT:
                return LEFT_OUT[package]
        if "Tegra" in self.folder.parts or "D3D" in self.name:
            return "another platform"
        missing = [source.name for source in self.sources if not source.exists()]
        return f"the checkout lacks {' '.join(missing)}" if missing else ""

    def libraries(self):
        names = re.findall(r"CUDA::(\w+)", self.text) + (["culibos"] if "culibos" in self.text else [])
        names += ["nvJitLink"] if "NVJITLINK_LIB" in self.text else []
        names += [brought for name in names for brought in BRINGS.get(name, [])]
        return [name for name in (LIBRARIES.get(name, name) for name in dict.fromkeys(names)) if name]

    def extra_images(self, out, architecture):
        """Commands for kernels that the program loads from a file: name of the file, kind, source."""
        commands = []
        for kind in ("fatbin", "ptx"):
            file = re.search(rf"CUDA_{kind.upper()}_FILE\s+\"\$\{{CMAKE_CURRENT_BINARY_DIR\}}/([^\"]+)\"", self.text)
            source = re.search(r"CUDA_KERNEL_SOURCE\s+\"\$\{CMAKE_CURRENT_SOURCE_DIR\}/([^\"]+)\"", self.text)
            if file and source:
                target = [f"-gencode=arch=compute_{architecture},code=sm_{architecture}"] if kind == "fatbin" else []
                commands.append([toolkit.nvcc(), *self.includes(), *target, f"-{kind}", "-o", str(out / file.group(1)),
                                 str(self.folder / source.group(1))])
        return commands

    def includes(self):
        places = [self.folder, self.folder / "inc", self.folder.parents[2] / "Common"]
        return [f"-I{place}" for place in places if place.is_dir()] + [f"-I{place}" for place in toolkit.folders("include")]

    def build(self, out, architecture):
        """An empty text, or why there is no program. Nothing is done when it is there already."""
        program = out / self.name
        if program.exists():
            return ""
        libraries = {name: toolkit.library(name) for name in self.libraries()}
        missing = [name for name, path in libraries.items() if path is None]
        if missing:
            return f"not installed: {' '.join(missing)}"
        out.mkdir(parents=True, exist_ok=True)
        lay_out_data(self.folder, out, wants_headers="nvrtc" in self.libraries())
        threads = ["-Xcompiler", "-fopenmp"] if "OpenMP" in self.text else []
        command = [toolkit.nvcc(), "-std=c++17", "-O2", "-w", "-rdc=true", "--extended-lambda", *threads, *self.includes(),
                   f"-gencode=arch=compute_{architecture},code=[compute_{architecture},sm_{architecture}]", "-o",
                   str(program) + ".new", *[str(source) for source in self.sources], *linked(libraries.values()), "-lpthread", "-ldl"]
        for one in [*self.extra_images(out, architecture), command]:
            done = subprocess.run(one, capture_output=True, text=True, errors="replace", check=False, stdin=subprocess.DEVNULL)
            if done.returncode != 0:
                lines = (done.stderr + done.stdout).strip().splitlines()
                return next((text for text in lines if "error" in text or "undefined" in text), lines[0] if lines else "no message")
        os.replace(str(program) + ".new", program)
        return ""


def linked(libraries):
    """The linker takes any file; nvcc by itself none whose name ends in a version."""
    return [word for path in libraries for word in ("-Xlinker", path)]


def lay_out_data(folder, out, wants_headers):
    """Links to what the program may open by a name in its own folder."""
    for path in [*folder.iterdir(), *sorted((folder / "data").glob("*")), *sorted((folder.parents[2] / "Common" / "data").glob("*"))]:
        link(out / path.name, path)
    if wants_headers:
        for place in toolkit.folders("include")[:1]:
            for name in ("cooperative_groups.h", "cooperative_groups", "cccl/nv", "cccl/cuda"):
                link(out / pathlib.Path(name).name, pathlib.Path(place) / name)


def link(where, target):
    if target.exists() and not os.path.lexists(where):
        where.symlink_to(target.resolve())


def samples(checkout):
    """Every sample of a checkout, in the order of its folders."""
    found = [Sample(path.parent) for path in sorted(checkout.glob("Samples/*/*/CMakeLists.txt"))]
    return [sample for sample in found if "7_libNVVM" not in sample.folder.parts]
