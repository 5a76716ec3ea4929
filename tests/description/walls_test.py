"""The walls of the house (docs/walls.txt), and what no file of the project may contain."""

import pathlib
import re
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
SOURCE = {".cpp", ".h", ".py", ".cu"}
INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"')
MOST_LINES = 500
VAGUE = {"utils", "util", "common", "helpers", "helper", "misc"}


def sections(text):
    """Title -> rows; a row is the list of a line's columns."""
    found, rows = {}, None
    for line in text.splitlines():
        title = re.fullmatch(r"== ([^:]+?)(?::.*)? ==", line)
        if title:
            rows = found.setdefault(title.group(1), [])
        elif rows is not None and line.strip():
            rows.append([column.strip() for column in line.split("|")])
    return found


class Walls:
    def __init__(self, text):
        table = sections(text)
        self.rooms = {room: set(re.split(r",\s*", may)) - {""} for room, may, _ in table["rooms"]}
        self.generated = {name: group for group, names, _ in table["generated files"] for name in names.split()}
        self.of_generated = {group: set(re.split(r",\s*", may)) for group, may, _ in table["generated files may include"]}
        self.doors = {path: set(re.split(r",\s*", may)) for path, may, _ in table["doors"]}
        self.long_files = {row[0] for row in table["long files"]}
        self.pauses = {row[0] for row in table["pauses"]}
        self.reasons = [row for rows in table.values() for row in rows]

    def may(self, owner, allowed, included):
        """Whether a file of `owner` that may have `allowed` may include `included`."""
        if included in self.generated:
            return self.generated[included] in allowed
        room = included.split("/")[0]
        return room == owner or room in allowed or included in allowed


def includes(text):
    for number, line in enumerate(text.splitlines(), 1):
        match = INCLUDE.match(line)
        if match:
            yield number, match.group(1)


def breaches(walls, path, text):
    """Lines 'path:line: ...' for each include of a file under src/ that no row allows."""
    room = path.split("/")[1]
    if room not in walls.rooms:
        return [f"{path}:1: the room {room} is not in docs/walls.txt"]
    allowed = walls.rooms[room] | walls.doors.get(path, set())
    found = []
    for number, included in includes(text):
        if included not in walls.generated and not (ROOT / "src" / included).exists():
            found.append(f"{path}:{number}: {included} is not rooted at src/ or is not there")
        elif not walls.may(room, allowed, included):
            found.append(f"{path}:{number}: {room} may not include {included} (docs/walls.txt)")
    return found


def files(*folders):
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*")):
            if path.is_file() and path.suffix in SOURCE and "__pycache__" not in path.parts:
                yield path.relative_to(ROOT).as_posix(), path


def without_comments_and_texts(text):
    """C++ with comments, texts, characters and lines for the preprocessor blanked; line numbers stay."""
    pattern = re.compile(r'^\s*#[^\n]*|R"(\w*)\(.*?\)\1"|//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])+\'', re.S | re.M)
    return pattern.sub(lambda m: "\n" * m.group(0).count("\n") or " ", text)


def lines_with(pattern, path, text):
    return [f"{path}:{number}: {line.strip()}" for number, line in enumerate(text.splitlines(), 1) if re.search(pattern, line)]


class TheWalls(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.walls = Walls((ROOT / "docs/walls.txt").read_text())

    def none(self, found):
        self.assertFalse(found, "\n" + "\n".join(found))

    def test_every_row_has_a_reason(self):
        self.none([" | ".join(row) for row in self.walls.reasons if len(row) < 2 or not row[-1]])

    def test_every_room_is_there(self):
        rooms = {path.split("/")[1] for path, _ in files("src")}
        self.none([f"src/{room} has no row" for room in rooms - set(self.walls.rooms)])

    def test_no_room_may_be_included_by_a_room_that_it_includes(self):
        reach = {room: {r for r in may if r in self.walls.rooms} for room, may in self.walls.rooms.items()}
        for room in reach:
            seen, left = set(), list(reach[room])
            while left:
                following = left.pop()
                if following not in seen:
                    seen.add(following)
                    left += reach[following]
            self.assertNotIn(room, seen)

    def test_sources_keep_to_the_walls(self):
        found = [b for path, file in files("src") for b in breaches(self.walls, path, file.read_text())]
        self.none(found)

    def test_generated_files_keep_to_the_walls(self):
        import generated

        outputs = generated.of_the_real_spec() | generated.of_nvml()
        found = [f"{name} is in no group of docs/walls.txt" for name in outputs
                 if name.endswith((".h", ".cpp")) and name not in self.walls.generated]
        for name, text in outputs.items():
            group = self.walls.generated.get(name)
            for number, included in includes(text) if group else []:
                if not self.walls.may("", self.walls.of_generated[group], included):
                    found.append(f"{name}:{number}: {group} may not include {included}")
        self.none(found)

    def test_doors_are_used(self):
        for path, may in self.walls.doors.items():
            used = {included.split("/")[0] for _, included in includes((ROOT / path).read_text())}
            self.assertFalse(may - used, path)

    def test_files_are_short(self):
        long = {path for path, file in files("src", "api", "tests", "bench") if len(file.read_text().splitlines()) > MOST_LINES}
        self.none([f"{path}:1: more than {MOST_LINES} lines and not in docs/walls.txt" for path in long - self.walls.long_files])
        self.none([f"{path} is short now: take it out of docs/walls.txt" for path in self.walls.long_files - long])

    def test_names_say_something(self):
        found = []
        for path, _ in files("src", "api", "tests", "samples", "bench"):
            words = re.split(r"[/_.]", path)
            found += [f"{path}:1: '{word}' says nothing" for word in words if word in VAGUE]
        for path, file in files("src", "tests"):
            found += lines_with(r"namespace\s+(\w+::)*(" + "|".join(VAGUE) + r")\b", path, file.read_text())
        self.none(found)

    def test_no_naked_new_and_no_detached_thread(self):
        found = []
        for path, file in files("src", "tests", "samples", "bench"):
            if path.endswith((".cpp", ".h", ".cu")):
                text = without_comments_and_texts(file.read_text())
                found += lines_with(r"\bnew\b(?!\s*\()|\.\s*detach\s*\(\s*\)", path, text)
        self.none(found)

    def test_no_test_sleeps(self):
        found = []
        for path, file in files("src", "tests", "bench"):
            is_test = path.startswith("tests/") or re.search(r"_test\.\w+$|/test_\w+\.h$", path)
            if not is_test or path in self.walls.pauses:
                continue
            text = file.read_text()
            if not path.endswith(".py"):
                text = without_comments_and_texts(text)
            found += lines_with(r"\b(u?sleep|nanosleep|sleep_for|sleep_until)\s*\(|\btime\.sleep\b", path, text)
        self.none([line for line in found if not line.startswith("tests/description/walls_test.py")])


class TheCheckItself(unittest.TestCase):
    """A check that finds nothing may be one that looks at nothing."""

    @classmethod
    def setUpClass(cls):
        cls.walls = Walls((ROOT / "docs/walls.txt").read_text())

    def test_a_forbidden_edge_is_found_with_its_line(self):
        found = breaches(self.walls, "src/daemon/x.cpp", '#include "daemon/lease.h"\n\n#include "worker/session.h"\n')
        self.assertEqual(found, ["src/daemon/x.cpp:3: daemon may not include worker/session.h (docs/walls.txt)"])

    def test_a_generated_header_is_behind_a_wall_too(self):
        self.assertEqual(len(breaches(self.walls, "src/daemon/x.cpp", '#include "messages.gen.h"\n')), 1)
        self.assertEqual(len(breaches(self.walls, "src/client/x.cpp", '#include "worker_hand.gen.h"\n')), 1)
        self.assertEqual(breaches(self.walls, "src/worker/x.cpp", '#include "worker_hand.gen.h"\n'), [])

    def test_a_single_header_may_be_all_that_a_room_may_have(self):
        self.assertEqual(breaches(self.walls, "src/daemon/x.cpp", '#include "wire/hello.h"\n'), [])
        self.assertEqual(len(breaches(self.walls, "src/daemon/x.cpp", '#include "wire/frame.h"\n')), 1)

    def test_a_door_opens_for_its_file_only(self):
        self.assertEqual(breaches(self.walls, "src/cli/main.cpp", '#include "daemon/manager.h"\n'), [])
        self.assertEqual(len(breaches(self.walls, "src/cli/program.cpp", '#include "daemon/manager.h"\n')), 1)

    def test_an_include_that_is_not_rooted_is_found(self):
        self.assertEqual(len(breaches(self.walls, "src/worker/x.cpp", '#include "session.h"\n')), 1)

    def test_new_and_detach_are_found_outside_of_comments_and_texts(self):
        text = without_comments_and_texts('auto a = "new b";  // new c\nauto d = new E;\nt.detach();\nchar f = \'"\';\n')
        self.assertEqual(len(lines_with(r"\bnew\b", "x", text)), 1)
        self.assertEqual(len(lines_with(r"detach", "x", text)), 1)
        self.assertEqual(text.count("\n"), 4)


if __name__ == "__main__":
    unittest.main()
