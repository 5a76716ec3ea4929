"""Compiles the C++ programs of this folder with the toolkit."""
import re
import subprocess

import toolkit

ARCHITECTURES = ["-gencode", "arch=compute_75,code=[compute_75]", "-gencode", "arch=compute_90,code=sm_90"]


def compiled(sources, out, rows):
    """Path of the program of each source that could be compiled, by name; the others are in the notes or rows."""
    out.mkdir(parents=True, exist_ok=True)
    if sources and toolkit.nvcc() is None:
        rows.note("skipped: programs: there is no nvcc")
        return {}
    started = {}
    for source in sources:
        text = source.read_text()
        headers = [name for name in re.findall(r"^#include <(\w+\.h)>", text, re.M) if not toolkit.has_header(name)]
        wanted = re.search(r"^// libraries: (.*)$", text, re.M)
        libraries = {name: toolkit.library(name) for name in (wanted.group(1).split() if wanted else [])}
        missing = headers + [name for name, path in libraries.items() if path is None]
        if missing:
            rows.note(f"{source.stem}: skipped: not installed: {' '.join(missing)}")
            continue
        command = [toolkit.nvcc(), "-std=c++17", "-O1", *ARCHITECTURES, *[f"-I{folder}" for folder in toolkit.folders("include")],
                   "-o", str(out / source.stem), str(source),
                   *[word for path in libraries.values() for word in ("-Xlinker", path)]]
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
