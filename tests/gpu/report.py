"""The report: rows, the Markdown table, and how the output of the benchmarks and of gtest is read."""
import dataclasses
import json
import math
import re


class Rows:
    """All rows of a results folder, the old ones of earlier calls included. A new row replaces one of the same name."""

    def __init__(self, folder):
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / "results.json"
        old = json.loads(self.path.read_text()) if self.path.exists() else {"rows": [], "notes": []}
        self.rows = {(row["phase"], row["case"]): row for row in old["rows"]}
        self.notes = old["notes"]
        self.log_file = open(folder / "log.txt", "a", encoding="utf-8")

    def add(self, phase, case, native, remote, unit, problem, ran=True, ratio=True):
        status = "not run" if not ran else "FAIL" if problem else "ok"
        if not ran and (phase, case) in self.rows:
            return  # an earlier call has done it
        row = {"phase": phase, "case": case, "native": native, "remote": remote, "unit": unit, "ratio": None,
               "status": status, "problem": problem}
        if ratio and is_time(unit) and native and remote is not None:
            row["ratio"] = round(remote / native, 3)
        self.rows[(phase, case)] = row
        print(f"{status:8} {phase:12} {case:40} {shown(native):>10} {shown(remote):>10} {unit:10} "
              f"{shown(row['ratio']):>7} {problem}", flush=True)

    def has(self, phase, case):
        """Whether there is a row of that name, or of one of its runs, that was run."""
        return any(row["phase"] == phase and row["status"] != "not run" and re.fullmatch(re.escape(case) + r"( \d+)?", row["case"])
                   for row in self.rows.values())

    def note(self, text):
        if text not in self.notes:
            self.notes.append(text)

    def log(self, title, run):
        self.text(title, f"exit code {run.code} after {run.seconds:.1f} s\n--- stdout\n{run.out[-20000:]}\n"
                         f"--- stderr\n{run.err[-20000:]}")

    def text(self, title, text):
        self.log_file.write(f"=== {title}\n{text}\n")
        self.log_file.flush()

    def all_ok(self):
        return all(row["status"] == "ok" for row in self.rows.values())

    def summary(self):
        counts = {}
        for row in self.rows.values():
            counts[row["status"]] = counts.get(row["status"], 0) + 1
        return ", ".join(f"{count} {status}" for status, count in sorted(counts.items())) or "nothing was run"

    def save(self):
        rows = list(self.rows.values())
        self.path.write_text(json.dumps({"schema": 1, "notes": self.notes, "rows": rows}, indent=1))
        lines = ["# Native and remote on one machine", ""] + [f"- {note}" for note in self.notes]
        lines += [f"- {self.summary()}", "", "| case | native | remote | unit | ratio | status |", "|---|---:|---:|---|---:|---|"]
        for row in rows:
            status = row["status"] + (f": {row['problem']}" if row["problem"] else "")
            cells = [f"{row['phase']}: {row['case']}", shown(row["native"]), shown(row["remote"]), row["unit"],
                     shown(row["ratio"]), status]
            lines.append("| " + " | ".join(cell.replace("|", "/").replace("\n", " ") for cell in cells) + " |")
        (self.folder / "results.md").write_text("\n".join(lines) + "\n")

    def close(self):
        self.save()
        self.log_file.close()


def shown(value):
    return "" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)


def is_time(unit):
    return unit in ("s", "ms", "ms/iter")


@dataclasses.dataclass
class Line:
    """One line of a benchmark: a measured value, a checked result, or an error."""
    value: float | None
    unit: str
    problem: str


def bench_lines(out):
    """The JSON lines of torch_bench.py (case, value, unit) and others_bench.py (case and ms, s, ok or err), by case."""
    lines = {}
    for text in out.splitlines():
        try:
            data = json.loads(text)
        except ValueError:
            continue
        if isinstance(data, dict) and "case" in data and data["case"] not in ("import_torch", "whole_process_so_far"):
            lines[data["case"]] = bench_line(data)
    return lines


def bench_line(data):
    if "error" in data:
        return Line(None, "", str(data["error"]))
    for key, unit in (("value", data.get("unit", "")), ("ms", "ms"), ("s", "s"), ("err", "error"), ("loss", "loss"), ("s0", "")):
        if isinstance(data.get(key), (int, float)):
            value = float(data[key])
            wrong = not math.isfinite(value) or (unit in ("abs", "error") and value > 1e-3)
            return Line(value, unit, f"wrong result {value}" if wrong else "")
    return Line(None, "", "" if data.get("ok", True) else "the program's own check failed")


def bench_problem(line):
    return "no line for this case" if line is None else line.problem


def gtest_counts(out):
    """(number passed, names skipped, names failed) of one run of a gtest program."""
    def names(word):
        return sorted(set(re.findall(rf"^\[\s*{word}\s*\] ([\w./]+)", out, re.M)))
    # The totals at the end ("[  SKIPPED ] 1 test") have the same form but no dot.
    skipped, failed = ([name for name in names(word) if "." in name] for word in ("SKIPPED", "FAILED"))
    return len(names("OK")), skipped, failed
