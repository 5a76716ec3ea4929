"""docs/software-gpu.md names tests: each of them exists."""

import pathlib
import re
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "software-gpu.md"
MACRO = re.compile(r"\bTEST(?:_F|_P)?\(\s*(\w+),\s*(\w+)\s*\)")


def missing(text, tests):
    """What a row names and is not there: files by their path, tests by suite and name."""
    absent = []
    for name in re.findall(r"`([^`]+)`", text):
        if re.fullmatch(r"[A-Z]\w+\.[A-Z]\w+", name):
            if name not in tests:
                absent.append(name)
        elif "/" in name and "*" not in name and not (ROOT / name).is_file():
            absent.append(name)
    return absent


class Promises(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        sources = [f for folder in ("src", "tests") for f in (ROOT / folder).rglob("*_test.cpp")]
        cls.tests = {f"{suite}.{name}" for f in sources for suite, name in MACRO.findall(f.read_text())}

    def test_every_name_on_the_page_exists(self):
        self.assertEqual(missing(PAGE.read_text(), self.tests), [])

    def test_every_promise_has_a_test(self):
        for line in PAGE.read_text().splitlines():
            columns = [c.strip() for c in line.strip("|").split("|")]
            if not line.startswith("|") or columns[0] in ("promise", "---"):
                continue
            self.assertRegex(columns[-1], r"`[A-Z]\w+\.[A-Z]\w+`|`[\w/]+\.(cpp|cu|py)`", line)

    def test_what_does_not_exist_is_found(self):
        self.assertEqual(missing("| a | `Nobody.WroteThis`, `tests/none_test.py` |", self.tests),
                         ["Nobody.WroteThis", "tests/none_test.py"])


if __name__ == "__main__":
    unittest.main()
