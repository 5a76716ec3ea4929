"""What a script of this folder tells about its results: one JSON line each, which run.py compares between runs.

    {"result": NAME, "bits": DIGEST, "values": [...]}   a result: all its bits, and some of its numbers
    {"holds": NAME, "ok": BOOL, "text": DETAIL}         something that must be true in every run
    {"error": CASE, "text": MESSAGE}                    a case that ended in an exception
    {"skip": CASE, "text": REASON}                      a case, or the whole script, that cannot run here

A script registers functions with @case and ends with main(). Each case runs alone; those named as arguments, else all.
"""
import hashlib
import importlib
import json
import sys
import traceback

SAMPLES = 64
CASES = {}


class Skip(Exception):
    """Raised by a case that cannot run on this machine; the text says why."""


def line(**fields):
    print(json.dumps(fields), flush=True)


def need(name):
    """The module of that name; without it the script ends as skipped."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        line(skip="all", text=f"{name} cannot be imported: {error}")
        sys.exit(0)


def tell(name, value):
    """A result that two runs should have in common: an array of any framework, a number or a text."""
    raw, values = contents(value)
    line(result=name, bits=hashlib.sha256(raw).hexdigest()[:32], values=values)


def holds(name, condition, text=""):
    line(holds=name, ok=bool(condition), text=str(text))


def contents(value):
    """All bytes of a value, and at most SAMPLES of its numbers, evenly spread."""
    if isinstance(value, str):
        return value.encode(), []
    if isinstance(value, (int, float)):
        return repr(value).encode(), [float(value)]
    if type(value).__module__.startswith("torch"):
        import torch
        flat = value.detach().cpu().contiguous().reshape(-1)
        raw = flat.view(torch.uint8).numpy().tobytes()
        numbers = (torch.view_as_real(flat).reshape(-1) if flat.is_complex() else flat).double()
        return raw, [float(number) for number in numbers[::stride(len(numbers))]]
    import numpy
    if hasattr(value, "get") and type(value).__module__.startswith("cupy"):
        value = value.get()
    flat = numpy.ascontiguousarray(value).reshape(-1)
    numbers = flat.view(flat.real.dtype) if numpy.iscomplexobj(flat) else flat
    return flat.tobytes(), [float(number) for number in numbers[::stride(len(numbers))]]


def stride(count):
    return max(1, count // SAMPLES)


def case(function):
    CASES[function.__name__] = function
    return function


def main():
    wanted = sys.argv[1:] or list(CASES)
    unknown = [name for name in wanted if name not in CASES]
    if unknown:
        sys.exit(f"no such case: {' '.join(unknown)}; there are {' '.join(CASES)}")
    for name in wanted:
        try:
            CASES[name]()
        except Skip as reason:
            line(skip=name, text=str(reason))
        except Exception as error:  # pylint: disable=broad-except
            traceback.print_exc()
            line(error=name, text=f"{type(error).__name__}: {error}"[:400])
