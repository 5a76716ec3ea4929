#!/usr/bin/env python3
"""Adds up what test.sh ran: prints what was skipped and why, what failed, and the counts on the last line.

usage: tally.py FOLDER

FOLDER holds runs.tsv, one line a program that ran tests: its name, the report that it wrote in FOLDER, its exit code;
and checks.tsv, one line a check without a report: passed, failed or skipped, its name, the reason. A report is ctest's or
GoogleTest's XML, the JSON of tests/programs/run.py, or what Python's unittest -v printed. A program that ended badly
without telling of a failed test counts as one failed test. Exit code: 0 when something passed and nothing failed.
"""
import json
import pathlib
import re
import sys
import xml.etree.ElementTree

PASSED, FAILED, SKIPPED = "passed", "failed", "skipped"
# What ctest calls a test that skipped itself; any other test that did not run is a failure.
SKIPPED_ITSELF = ("SKIP_REGULAR_EXPRESSION_MATCHED", "SKIP_RETURN_CODE")


def one_line(text):
    return " ".join(text.split())[:300]


def of_gtest(root):
    for case in root.iter("testcase"):
        name = f"{case.get('classname')}.{case.get('name')}"
        if case.get("status") == "notrun":
            yield SKIPPED, name, "disabled in the source"
        elif case.find("failure") is not None:
            yield FAILED, name, one_line(case.find("failure").get("message", ""))
        elif case.find("skipped") is not None:
            message = case.find("skipped").get("message", "")
            yield SKIPPED, name, one_line(re.sub(r"^\S+:\d+\n", "", message))
        else:
            yield PASSED, name, ""


def raised(text, kind, name):
    """What ended a test: the test's own lines of the traceback, the innermost last, and the exception."""
    report = re.search(rf"^{kind}: {re.escape(name)}.*\n(?:.*\n)?-{{70}}\n((?:.+\n)+)", text, re.MULTILINE)
    if not report:
        return "assertion" if kind == "FAIL" else "exception"
    lines = re.findall(r'^  File ".*/([^/"]+)", line (\d+)', report.group(1), re.MULTILINE)
    ended = re.findall(r"^(?!Traceback )\S.*", report.group(1), re.MULTILINE)
    where = ", ".join(f"{file}:{line}" for file, line in lines if file.endswith("_test.py")) or "elsewhere"
    return one_line(f"{where}: {' '.join(ended)}")


def of_unittest(text):
    """Of the output of unittest -v; a class or a module that cannot be set up counts once."""
    ran = re.search(r"^Ran (\d+) tests? in ", text, re.MULTILINE)
    end = re.search(r"^(OK|FAILED)(?: \((.*)\))?\s*$", text, re.MULTILINE)
    if not ran or not end:
        yield FAILED, "", "it ended in the middle"
        return
    counts = dict(re.findall(r"([a-z ]+)=(\d+)", end.group(2) or ""))
    skipped = re.findall(r"^(\S+ \(\S+\))(?:\n.*)? \.\.\. skipped (.*)$", text, re.MULTILINE)
    # Once a test: each failed subtest has its own heading.
    bad = sorted(set(re.findall(r"^(FAIL|ERROR): (\S+ \(\S+\))", text, re.MULTILINE)))
    unexpected = int(counts.get("unexpected successes", 0))
    for name, reason in skipped:
        yield SKIPPED, name, one_line(reason.strip("'\""))
    for kind, name in bad:
        yield FAILED, name, raised(text, kind, name)
    for _ in range(unexpected):
        yield FAILED, "a test", "it passed although it is marked as failing; its name stands in the output above"
    for _ in range(int(counts.get("skipped", 0)) - len(skipped)):
        yield SKIPPED, "a test", "the reason stands in the output above"
    in_setup = sum(name.startswith("setUp") for name, _ in skipped) + sum(name.startswith("setUp") for _, name in bad)
    listed = max(len(skipped), int(counts.get("skipped", 0))) + len(bad) + unexpected - in_setup
    for _ in range(int(ran.group(1)) - listed):
        yield PASSED, "", ""


def of_ctest(root):
    for case in root.iter("testcase"):
        name = case.get("name")
        output = case.findtext("system-out") or ""
        told = case.find("skipped")
        if re.search(r"^Ran \d+ tests? in ", output, re.MULTILINE):
            inner = [(kind, f"{name}: {test}", reason) for kind, test, reason in of_unittest(output)]
            if case.get("status") == "fail" and all(kind != FAILED for kind, _, _ in inner):
                inner.append((FAILED, name, "it ended with an error, after all its tests"))
            yield from inner
        elif case.get("status") == "disabled":
            yield SKIPPED, name, "disabled in the build"
        elif case.get("status") == "run":
            yield PASSED, name, ""
        elif told is not None and told.get("message") in SKIPPED_ITSELF:
            reason = re.search(r": Skipped\n(.*)", output)
            yield SKIPPED, name, one_line(reason.group(1) if reason else output)
        else:
            failure = case.find("failure") if told is None else told
            message = failure.get("message") if failure is not None else ""
            from_gtest = re.search(r"^\S+: Failure\n(?:.+\n)+", output, re.MULTILINE)
            yield FAILED, name, one_line(message or (from_gtest.group(0) if from_gtest else "see its output above"))


def of_programs(document):
    for result in document["results"]:
        yield (PASSED if result["ok"] else FAILED), result["case"], one_line(result["problem"])


def of_report(path):
    text = path.read_text(encoding="utf-8", errors="replace")
    if path.suffix == ".xml":
        root = xml.etree.ElementTree.fromstring(text)
        yield from of_ctest(root) if root.tag == "testsuite" else of_gtest(root)
    elif path.suffix == ".json":
        yield from of_programs(json.loads(text))
    else:
        yield from of_unittest(text)


def of_run(folder, name, report, code):
    try:
        results = list(of_report(folder / report))
    except (OSError, ValueError, KeyError, xml.etree.ElementTree.ParseError) as error:
        results = [(FAILED, "", f"no report that can be read: {one_line(str(error))}; exit code {code}")]
    if code != "0" and all(kind != FAILED for kind, _, _ in results):
        results.append((FAILED, "", f"exit code {code} although no test failed; see its output above"))
    if not results:
        results.append((FAILED, "", "no test ran"))
    for kind, test, reason in results:
        yield kind, f"{name}: {test}" if test else name, reason


def rows(path):
    return [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    folder = pathlib.Path(sys.argv[1])
    results = [tuple(row) for row in rows(folder / "checks.tsv")]
    for name, report, code in rows(folder / "runs.tsv"):
        results += of_run(folder, name, report, code)
    for kind in (SKIPPED, FAILED):
        listed = [f"  {name}: {reason}" for which, name, reason in results if which == kind]
        if listed:
            print(f"{kind}:", *sorted(listed), sep="\n")
    passed, failed, skipped = (sum(which == kind for which, _, _ in results) for kind in (PASSED, FAILED, SKIPPED))
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 0 if passed > 0 and failed == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
