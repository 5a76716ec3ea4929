"""function_cases.gen.cpp: for every function whose worker half is generated, a case of tests/session: what stands in
the driver's table for it, a call with valid arguments, and one call for every way in which one argument is wrong."""

import re

from gen.text import BANNER, declaration

NEEDS_POINTER = ("out", "inout", "in_struct", "in_array", "in_bytes", "out_array", "out_bytes", "out_string", "cstring")


def sizes(f):
    """Parameters that others take their size from."""
    return {w for p in f.parameters if p.role for w in re.findall(r"[A-Za-z_]\w*", p.role.size)} - {"rows2d"}


def stale(handle):
    """What a handle that stands for nothing is answered with."""
    of_graphs = handle.startswith("CUgraph") or handle == "CUuserObject"
    return "CUDA_ERROR_INVALID_VALUE" if of_graphs else "CUDA_ERROR_INVALID_HANDLE"


def has_case(f):
    return f.travels and f.hand not in ("worker", "both")


def driver(d, f):
    """What the driver's table holds: writes down what it is given, and fills what it is to write."""
    o = [f"CUresult driver_{f.symbol}({', '.join(declaration(p) for p in f.parameters)}) {{", "    Record& saw = driver_record();", "    ++saw.calls;"]
    fills = []
    for p in f.parameters:
        n, role = p.name, p.role.word if p.role else ""
        if role in ("out", "inout"):
            if role == "inout":
                o.append(f"    saw.put(*{n});")
            value = f"object_of<{p.pointee}>(kMadeByDriver)" if p.pointee in d.handles else f"example<{p.pointee}>(kFromDriver)"
            fills.append(f"    *{n} = {value};")
        elif role in ("out_array", "out_bytes", "out_string"):
            element = f" * sizeof(*{n})" if role == "out_array" else ""
            fills.append(f"    memset({n}, kFromDriver, static_cast<size_t>({p.role.size}){element});")
        elif role == "in_struct":
            o.append(f"    saw.put(*{n});")
        elif role == "in_array":
            o.append(f"    saw.put_all({n}, static_cast<size_t>({p.role.size}));")
        elif role == "in_bytes":
            o.append(f"    saw.put_all(static_cast<const uint8_t*>({n}), static_cast<size_t>({p.role.size}));")
        elif role == "cstring":
            o.append(f"    saw.put_all({n}, strlen({n}));")
        else:
            o.append(f"    saw.put({n});")
    return o + fills + ["    return CUDA_SUCCESS;", "}\n"]


def call(d, f):
    """(the function `call_<symbol>`, the ways in which an argument is wrong, as C++ initialisers)."""
    o, given, expects, checks, wrongs = [], [], [], [], []

    def wrong(what, error):
        wrongs.append(f'{{"{what}", {error}}}')
        return f"wrong == {len(wrongs) - 1}"

    counts = sizes(f)
    for i, p in enumerate(f.parameters):
        n, t, role = p.name, p.pointee, p.role.word if p.role else ""
        size = f"static_cast<size_t>({p.role.size})" if p.role and p.role.size else "0"
        argument = n
        if role in ("out", "inout"):
            if role == "inout":
                o.append(f"    {t} {n} = example<{t}>(kFromProgram);")
                expects.append(f"    wanted.put({n});")
            else:
                o.append(f"    {t} {n}{{}};")
            argument = f"&{n}"
            if n != f.mode.names:
                checks.append(f'    EXPECT_NE({n}, {t}{{}}) << "{n}";' if t in d.handles else f'    EXPECT_TRUE(same({n}, example<{t}>(kFromDriver))) << "{n}";')
            else:
                checks.append(f'    EXPECT_NE({n}, {t}{{}}) << "{n}";')
        elif role in ("out_array", "out_bytes", "out_string"):
            element = t if role == "out_array" else "uint8_t"
            o.append(f"    std::vector<{element}> {n}({size});")
            argument = f"reinterpret_cast<{p.type}>({n}.data())"
            checks.append(f'    EXPECT_TRUE(all_are({n}.data(), {n}.size() * sizeof({element}), kFromDriver)) << "{n}";')
        elif role == "in_struct":
            o.append(f"    {t} {n} = example<{t}>(kFromProgram);")
            argument = f"&{n}"
            expects.append(f"    wanted.put({n});")
        elif role == "in_array":
            if t in d.handles:
                o.append(f"    std::vector<{t}> {n};")
                dead = wrong(f"{n}: one is dead", stale(t))
                o.append(f"    for (size_t i = 0; i < {size}; ++i) {n}.push_back(given.handle<{t}>(i + 1 == {size} && {dead} ? Handle::kDead : Handle::kGood));")
                expects.append(f"    for (const auto each : {n}) wanted.put(given.object(each));")
            else:
                o.append(f"    std::vector<{t}> {n}({size}, example<{t}>(kFromProgram));")
                expects.append(f"    wanted.put_all({n}.data(), {n}.size());")
            argument = f"{n}.data()"
        elif role == "in_bytes":
            o.append(f"    std::vector<uint8_t> {n}({size}, kFromProgram);")
            argument = f"{n}.data()"
            expects.append(f"    wanted.put_all({n}.data(), {n}.size());")
        elif role == "cstring":
            o.append(f'    const char* const {n} = "{f.symbol}";')
            expects.append(f"    wanted.put_all({n}, strlen({n}));")
        elif role == "device_pointer" or role == "within":
            outside = wrong(f"{n} is the program's own memory", "CUDA_ERROR_INVALID_VALUE")
            o.append(f"    CUdeviceptr {n} = {outside} ? Given::host() : given.memory();")
            if role == "within" and p.role.size != "1":
                past = wrong(f"{n} reaches past the end", "CUDA_ERROR_INVALID_VALUE")
                o.append(f"    if ({past}) {n} = given.end_of_memory();")
            if role == "device_pointer":
                argument = f"reinterpret_cast<void*>({n})"
            expects.append(f"    wanted.put({argument});")
        elif p.type in d.handles:
            dead, other = wrong(f"{n} is dead", stale(p.type)), wrong(f"{n} is of another kind", stale(p.type))
            o.append(f"    const {p.type} {n} = given.handle<{p.type}>({dead} ? Handle::kDead : {other} ? Handle::kOfAnotherKind : Handle::kGood);")
            expects.append(f"    wanted.put(given.object({n}));")
        elif p.type == "CUdevice":
            none = wrong(f"{n} is none", "CUDA_ERROR_INVALID_DEVICE")
            o.append(f"    const CUdevice {n} = {none} ? 99 : 1;")
            expects.append(f"    wanted.put({n});")
        else:
            value = "64" if "itch" in n and n in counts else "3" if n in counts else str(5 + i)
            o.append(f"    const auto {n} = static_cast<{p.type}>({value});")
            expects.append(f"    wanted.put({n});")
        if role in NEEDS_POINTER and not p.role.nullable:
            null = wrong(f"{n} is null", "CUDA_ERROR_INVALID_VALUE")
            argument = f"{null} ? nullptr : {argument}"
        given.append(argument)
    # Sizes first: arrays take theirs from them, whatever the order of the parameters.
    o.sort(key=lambda line: 0 if line.startswith("    const auto ") else 1)
    head = [f"CUresult call_{f.symbol}([[maybe_unused]] Given& given, [[maybe_unused]] int wrong) {{"]
    body = [f"    const CUresult result = given.settled(client::remote::{f.symbol}({', '.join(given)}));",
            "    if (wrong >= 0 || result != CUDA_SUCCESS) return result;"]
    body += ["    Record wanted;", "    wanted.calls = 1;"] + expects + ["    given.compare(wanted);"] + checks + ["    return result;", "}\n"]
    return head + o + body, wrongs


def emit(d):
    o = [BANNER, '#include "session/function_case.h"\n', "#include <cstring>", "#include <vector>\n", '#include "client_remote.gen.h"\n',
         "namespace bitfusion::session_test {", "namespace {\n"]
    table = []
    for f in d.functions:
        if not has_case(f):
            continue
        lines, wrongs = call(d, f)
        o += driver(d, f) + lines
        table.append(f'        {{"{f.symbol}", [](DriverTable* t) {{ t->{f.symbol} = driver_{f.symbol}; }}, call_{f.symbol}, {{{", ".join(wrongs)}}}}},')
    o += ["}  // namespace\n", "const std::vector<FunctionCase>& function_cases() {", "    static const std::vector<FunctionCase> cases = {"]
    o += table + ["    };", "    return cases;", "}\n", "}  // namespace bitfusion::session_test"]
    return "\n".join(o) + "\n"
