"""Which test sources use a function: what docs/coverage.md links to, and what tests/description holds every served
function to. A use is the function's name in the code of a test, not in a comment; a function whose halves are wholly
generated has its generated case besides (gen/function_cases.py)."""

import re

from gen.function_cases import has_case

CASES = "tests/session/function_case_test.cpp"
FOLDERS = {"tests/conformance": "*.cpp", "tests/session": "*.cpp", "src": "*_test.cpp"}


def names_in(text):
    """Every name of the driver API in the code of a C++ source."""
    code = re.sub(r"//[^\n]*|/\*.*?\*/", "", text, flags=re.S)
    return set(re.findall(r"\bcu[A-Z]\w*", code))


def find(d, root):
    """The test sources of each function, by its symbol; paths are relative to root and sorted."""
    found = {f.symbol: [] for f in d.functions}
    for folder, pattern in FOLDERS.items():
        for path in sorted((root / folder).rglob(pattern)):
            for name in names_in(path.read_text(encoding="utf-8")) & found.keys():
                found[name].append(path.relative_to(root).as_posix())
    for f in d.functions:
        if has_case(f):
            found[f.symbol].append(CASES)
    for f in d.functions:  # an old name of the same code
        if f.same_as:
            found[f.symbol] = sorted(set(found[f.symbol] + found.get(f.same_as, [])))
    return found
