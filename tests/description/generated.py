"""The generator, as the tests of the description use it: on the real spec and on small ones."""

import functools
import pathlib
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.dont_write_bytecode = True
sys.path.insert(0, str(ROOT / "api"))

import dsl  # noqa: E402
import generate  # noqa: E402
import load  # noqa: E402


@functools.cache
def real_spec():
    return load.description(ROOT / "api/spec/cuda")


@functools.cache
def real_ids():
    return load.numbers(real_spec(), ROOT / "api/ids.lock")[0]


@functools.cache
def of_the_real_spec():
    return generate.outputs(real_spec(), real_ids())


@functools.cache
def nvml_spec():
    return load.description(ROOT / "api/spec/nvml")


@functools.cache
def of_nvml():
    return generate.nvml_outputs(nvml_spec())


def spec_of(**texts):
    """The description of a spec whose files have these texts, e.g. spec_of(types="...", memory="...")."""
    with tempfile.TemporaryDirectory() as folder:
        for noun, text in texts.items():
            (pathlib.Path(folder) / f"{noun}.py").write_text(text)
        return load.description(folder)


def numbers_of(description, lock_text):
    with tempfile.TemporaryDirectory() as folder:
        lock = pathlib.Path(folder) / "ids.lock"
        lock.write_text(lock_text)
        return load.numbers(description, lock)


__all__ = ["ROOT", "dsl", "generate", "load", "numbers_of", "nvml_spec", "of_nvml", "of_the_real_spec", "real_ids", "real_spec", "spec_of"]
