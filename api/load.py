"""Reads the spec files of one API into a Description, in a fixed order, with the words of dsl.py in scope."""

import pathlib

import dsl

HERE = pathlib.Path(__file__).parent
FIRST = ["enums", "types", "constants"]  # the nouns follow in alphabetical order


def description(folder):
    d = dsl.Description()
    words = {n: getattr(dsl, n) for n in ("out", "inout", "in_struct", "in_array", "out_array", "in_bytes", "out_bytes",
                                          "cstring", "out_string", "out_list", "within", "ends", "device_pointer", "call", "post",
                                          "local", "refused", "later", "each", "versioned", "snapshot", "forbidden", "CLIENT", "WORKER", "BOTH")}
    words |= {n: getattr(d, n) for n in ("handle", "number_handle", "opaque", "alias", "callback", "constant", "enum", "error_text",
                                         "struct", "fn", "message", "gap")}
    files = {p.stem: p for p in sorted(pathlib.Path(folder).glob("*.py"))}
    for noun in FIRST + [n for n in files if n not in FIRST]:
        if noun not in files:
            continue
        d.noun = noun
        code = compile(files[noun].read_text(), str(files[noun]), "exec")
        exec(code, dict(words))
    for f in d.functions:
        if f.same_as:
            target = d.function(f.same_as)
            if [p.type for p in target.parameters] != [p.type for p in f.parameters]:
                raise dsl.SpecError(f"{f.symbol}: same_as {f.same_as}, but the prototypes differ")
        if f.ptds_as:
            d.function(f.ptds_as)
    return d


def numbers(d, lock_path, append=False):
    """Wire numbers of everything that travels: name -> number, from ids.lock.

    Released numbers are for ever: a name without a number fails (run `python3 api/generate.py --lock`), and so does
    a number without a name."""
    lock = {}
    path = pathlib.Path(lock_path)
    for line in path.read_text().splitlines() if path.exists() else []:
        if line and not line.startswith("#"):
            number, name = line.split()
            if name in lock or int(number) in lock.values():
                raise dsl.SpecError(f"ids.lock: {line!r} stands twice")
            lock[name] = int(number)
    names = [m.name for m in d.messages] + [f.symbol for f in d.functions if f.travels]
    missing = [n for n in names if n not in lock]
    if missing and append:
        following = max(lock.values(), default=0)
        with path.open("a") as out:
            for n in missing:
                following += 1
                lock[n] = following
                out.write(f"{following} {n}\n")
        missing = []
    if missing:
        raise dsl.SpecError("no wire number for " + " ".join(missing) + "; run python3 api/generate.py --lock")
    return {n: lock[n] for n in names}, sorted(set(lock) - set(names))
