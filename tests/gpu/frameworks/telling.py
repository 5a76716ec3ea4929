"""What a run of a script told: its lines (result.py, result.h) read again."""
import dataclasses
import json
import math


@dataclasses.dataclass
class Result:
    """All bits of a result as a digest, and some of its numbers."""
    bits: str
    values: list

    def shown(self):
        return float(self.values[0]) if self.values and self.values[0] is not None else self.bits[:8]

    def distance(self, other):
        """The largest difference of a number, relative to the largest number; infinite when they cannot be compared."""
        if len(self.values) != len(other.values) or not self.values:
            return math.inf
        pairs = list(zip(self.values, other.values))
        if any(a is None or b is None for a, b in pairs):
            return math.inf
        scale = max(max(abs(a), abs(b)) for a, b in pairs) or 1.0
        return max(abs(a - b) for a, b in pairs) / scale


class Told:
    """One run: results, what holds, what was skipped, what failed, and how the process ended."""

    def __init__(self, run):
        self.seconds = run.seconds
        self.results, self.holds, self.skips, self.errors = {}, {}, {}, {}
        for text in run.out.splitlines():
            self._read(text)
        told = self.results or self.holds or self.skips or self.errors
        self.problem = run.problem() or ("" if told else "it told nothing")

    def _read(self, text):
        try:
            fields = json.loads(text)
        except ValueError:
            return  # other output of the script
        if not isinstance(fields, dict):
            return
        if "result" in fields:
            self.results[fields["result"]] = Result(fields["bits"], [finite(value) for value in fields["values"]])
        elif "holds" in fields:
            self.holds[fields["holds"]] = (fields["ok"], fields["text"])
        elif "skip" in fields:
            self.skips[fields["skip"]] = fields["text"]
        elif "error" in fields:
            self.errors[fields["error"]] = fields["text"]

    def skipped_whole(self):
        return self.skips.get("all", "")


def finite(value):
    return value if math.isfinite(value) else None
