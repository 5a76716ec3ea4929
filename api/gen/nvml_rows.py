"""Snapshots of NVML: nvml_groups.gen.h (which groups there are, how many rows each has), monitor_rows.gen.h/.cpp (the
worker asks every function of a group once per combination of its indexes) and nvml_snapshot.gen.h/.cpp (the client
finds the row of a call). Both sides count rows in the order of the description."""

import math

from gen.text import BANNER, arguments, prototype

TEXT_BYTES = 256  # longer than any text that NVML documents


def groups(d):
    """group -> [(function, number of its first row)], and the number of rows."""
    found = {}
    for f in d.functions:
        if f.mode.word == "snapshot":
            rows = found.setdefault(f.mode.names, [])
            first = rows[-1][1] + count(rows[-1][0]) if rows else 0
            rows.append((f, first))
    return found


def indexes(f):
    return [p for p in f.parameters if p.role and p.role.word == "each"]


def lists(f):
    return [p for p in f.parameters if p.role and p.role.word == "out_list"]


def versions(f):
    """[(type, version)] of the versioned struct, or nothing."""
    for p in f.parameters:
        if p.role and p.role.word == "versioned":
            return [(t, int(v)) for t, v in (pair.split(":") for pair in p.role.size.split(","))]
    return []


def count(f):
    return math.prod([p.role.count for p in indexes(f)]) * max(1, len(versions(f)))


def total(rows):
    return rows[-1][1] + count(rows[-1][0])


def group_name(group):
    return "k" + group.capitalize()


def groups_header(d):
    found = groups(d)
    o = [BANNER, "// The groups of NVML's functions that one snapshot answers, and the number of rows of each.\n#pragma once\n",
         "#include <cstddef>\n#include <cstdint>\n", "namespace bitfusion {\n", "enum class MonitorGroup : uint32_t {"]
    o += [f"    {group_name(g)} = {i}," for i, g in enumerate(found)]
    o += ["};", f"inline constexpr uint32_t kMonitorGroups = {len(found)};",
          "inline constexpr size_t kMonitorRows[kMonitorGroups] = {" + ", ".join(str(total(r)) for r in found.values()) + "};\n",
          "}  // namespace bitfusion"]
    return "\n".join(o) + "\n"


def worker_header(d):
    return "\n".join([
        BANNER, "// Asks the server's NVML everything that one snapshot holds.\n#pragma once\n",
        '#include "nvml_groups.gen.h"', '#include "nvml_table.gen.h"', '#include "wire/rows.h"\n', "namespace bitfusion::worker {\n",
        "void read_rows(const ManagementTable& t, MonitorGroup group, nvmlDevice_t device, nvmlDevice_t other, wire::RowWriter* w);\n",
        "}  // namespace bitfusion::worker"]) + "\n"


def ask(f):
    """The statements that ask one function for all its rows."""
    loops, values, call, pieces, seen_device, text = [], [], [], [], False, ""
    for p in f.parameters:
        role = p.role.word if p.role else ""
        if p.type == "nvmlDevice_t":
            call.append("other" if seen_device else "device")
            seen_device = True
        elif role == "each":
            loops.append(f"for (unsigned i_{p.name} = 0; i_{p.name} < {p.role.count}; ++i_{p.name}) ")
            call.append(f"static_cast<{p.type}>(i_{p.name})")
        elif role == "out":
            values.append(f"{p.pointee} {p.name}{{}};")
            call.append("&" + p.name)
            pieces.append(f"wire::piece({p.name})")
        elif role == "out_string":
            values.append(f"char {p.name}[{TEXT_BYTES}]{{}};")
            call.append(p.name)
            text = p.name
        elif role == "out_list":
            values.append(f"std::array<{p.pointee}, {p.role.count}> {p.name}{{}};")
            call.append(p.name + ".data()")
            pieces.append(f"wire::list_piece({p.name}, {p.role.size})")
        elif any(q.role.size == p.name for q in lists(f)):
            values.append(f"unsigned {p.name} = {lists(f)[0].role.count};")
            call.append("&" + p.name)
        elif role == "versioned":
            call.append(f"reinterpret_cast<{p.type}>(&value)")
            pieces.append("wire::piece(value)")
        elif any(q.role and q.role.word == "out_string" and q.role.size == p.name for q in f.parameters):
            call.append(str(TEXT_BYTES))
        else:
            raise ValueError(f"{f.symbol}: {p.name} has no role")
    if text:
        pieces = [f"wire::text_piece({text}, sizeof {text})"]
    o = []
    for kind, version in versions(f) or [("", 0)]:
        made = [f"{kind} value{{}};", f"value.version = static_cast<unsigned>(sizeof value) | {version}u << 24;"] if kind else values
        body = " ".join(made) + f" const int result = t.{f.symbol} == nullptr ? kMissing : t.{f.symbol}({', '.join(call)});"
        o.append("    " + "".join(loops) + "{ " + body + f" w->row(result, {{{', '.join(pieces)}}}); }}")
    return o


def worker_source(d):
    o = [BANNER, '#include "monitor_rows.gen.h"\n', "#include <array>\n", "namespace bitfusion::worker {", "namespace {\n",
         "constexpr int kMissing = NVML_ERROR_NOT_SUPPORTED;  // the server's driver is older\n"]
    found = groups(d)
    for g, rows in found.items():
        o.append(f"void read_{g}(const ManagementTable& t, [[maybe_unused]] nvmlDevice_t device, [[maybe_unused]] nvmlDevice_t other, "
                 "wire::RowWriter* w) {")
        for f, _ in rows:
            o += ask(f)
        o.append("}\n")
    o += ["}  // namespace\n",
          "void read_rows(const ManagementTable& t, MonitorGroup group, nvmlDevice_t device, nvmlDevice_t other, wire::RowWriter* w) {",
          "    switch (group) {"]
    o += [f"        case MonitorGroup::{group_name(g)}: return read_{g}(t, device, other, w);" for g in found]
    o += ["    }", "}\n", "}  // namespace bitfusion::worker"]
    return "\n".join(o) + "\n"


def client_header(d):
    o = [BANNER, "// What is answered from a snapshot: checks the arguments and copies the row. Any thread.\n#pragma once\n",
         '#include "nvml_types.gen.h"\n', "namespace bitfusion::nvml::snapshot {\n"]
    o += [prototype(f) + ";" for f in d.functions if f.mode.word == "snapshot"]
    return "\n".join(o) + "\n\n}  // namespace bitfusion::nvml::snapshot\n"


def find(f, first):
    o, outs, devices, row, text = [], [], [], str(first), None
    nullable = [p.name for p in f.parameters if p.role and p.role.word == "out" and p.role.nullable]
    if nullable:
        o.append(f"    if ({' && '.join(n + ' == nullptr' for n in nullable)}) return NVML_ERROR_INVALID_ARGUMENT;")
    for p in f.parameters:
        role = p.role.word if p.role else ""
        if p.type == "nvmlDevice_t":
            devices.append(p.name)
        elif role == "each":
            o.append(f"    if (static_cast<unsigned>({p.name}) >= {p.role.count}u) return NVML_ERROR_INVALID_ARGUMENT;")
        elif role in ("out", "out_string", "versioned"):
            if p.name not in nullable:
                o.append(f"    if ({p.name} == nullptr) return NVML_ERROR_INVALID_ARGUMENT;")
            if role == "out":
                outs.append(f"{{{p.name}, sizeof *{p.name}}}")
            elif role == "out_string":
                text = p
    scale = max(1, len(versions(f)))
    terms = []
    for p in reversed(indexes(f)):
        terms.append(f"static_cast<size_t>({p.name})" + (f" * {scale}" if scale > 1 else ""))
        scale *= p.role.count
    row = " + ".join([str(first)] + terms)
    where = f"MonitorGroup::{group_name(f.mode.names)}, {devices[0] if devices else 'nullptr'}, {devices[1] if len(devices) > 1 else 'nullptr'}"
    if lists(f):
        size = lists(f)[0].role.size
        places = "".join(f" || (*{size} != 0 && {p.name} == nullptr)" for p in lists(f))
        elements = ", ".join(f"{{{p.name}, sizeof *{p.name}}}" for p in lists(f))
        o.append(f"    if ({size} == nullptr{places}) return NVML_ERROR_INVALID_ARGUMENT;")
        o.append(f"    return take_lists({where}, {row}, {size}, {{{elements}}});")
    elif text is not None:
        o.append(f"    return take_text({where}, {row}, {text.name}, {text.role.size});")
    elif versions(f):
        p = next(p for p in f.parameters if p.role and p.role.word == "versioned")
        for i, (kind, version) in enumerate(versions(f)):
            o.append(f"    if (has_version({p.name}, sizeof({kind}), {version})) return take({where}, {row} + {i}, {{{{{p.name}, sizeof({kind})}}}});")
        o.append("    return NVML_ERROR_ARGUMENT_VERSION_MISMATCH;")
    else:
        o.append(f"    return take({where}, {row}, {{{', '.join(outs)}}});")
    return o


def client_source(d):
    o = [BANNER, '#include "nvml_snapshot.gen.h"\n', '#include "nvml/snapshot.h"\n', "namespace bitfusion::nvml::snapshot {\n"]
    for rows in groups(d).values():
        for f, first in rows:
            o += [prototype(f) + " {"] + find(f, first) + ["}\n"]
    return "\n".join(o) + "}  // namespace bitfusion::nvml::snapshot\n"


def call_of(f):
    return f"{'snapshot::' if f.mode.word == 'snapshot' else ''}{f.symbol}({arguments(f)})"
