"""message_shapes.gen.h/.cpp: what stands in the body of each request, field by field, for tests that write hostile ones."""

import re

from gen.handle_kinds import KINDS
from gen.text import BANNER, CTYPES, by_value_first

# What a field of a message names, where its name says so; every other number is a number.
NAMED = {"context": "Context", "stream": "Stream", "event": "Event", "function": "Function", "kernel": "Kernel",
         "library": "Library", "module": "Module", "owner": "Module", "graph": "Graph", "exec": "GraphExec", "node": "GraphNode",
         "link": "Other"}
NEW = {("PrimaryRetain", "context"): "Context", ("ContextCreate", "context"): "Context", ("ModuleLoad", "name"): "Module",
       ("LinkCreate", "name"): "Other", ("UserObjectCreate", "object"): "UserObject"}

HEADER = '''#pragma once

#include <cstdint>
#include <span>

#include "wire/names.h"

namespace bitfusion::msg {

enum class Sort : uint8_t {
    kNumber,    // an integer or an enum of `bytes`
    kDevice,    // an ordinal, 4 bytes
    kHandle,    // the name of an object of `kind`
    kNewName,   // the name that the client gives to an object of `kind`
    kAddress,   // a device address
    kStruct,    // one struct of `bytes`
    kElements,  // count() elements of `bytes`; names of `kind` if it has one
    kText,      // u64 length, text
    kSized,     // u64 length, bytes
    kBulk,      // the rest of the body
};

struct FieldShape {
    const char* name;
    Sort sort;
    uint32_t bytes;
    wire::Kind kind;
    bool nullable;                             // one byte before it: 0 and nothing follows, or 1
    uint64_t (*count)(const uint64_t* values);  // of kElements, from the values of the fields; else null
};

struct MessageShape {
    uint16_t id;
    const char* name;
    bool answers;
    std::span<const FieldShape> fields;
};

// Every request that the worker serves, by number.
std::span<const MessageShape> message_shapes();

}  // namespace bitfusion::msg
'''


def field(name, sort, size="0", kind="None", nullable=False, count="nullptr"):
    return f'    {{"{name}", Sort::k{sort}, {size}, wire::Kind::k{kind}, {"true" if nullable else "false"}, {count}}},'


def count_of(size, places):
    """The size expression over the values of the fields, in saturating arithmetic."""
    if size.isdigit():
        return f"[](const uint64_t*) -> uint64_t {{ return {size}; }}"
    expression = re.sub(r"\b([A-Za-z_]\w*)", lambda m: f"wire::Extent(v[{places[m.group(1)]}])", size)
    return f"[](const uint64_t* v) -> uint64_t {{ return ({expression}).value; }}"


def function_fields(d, f):
    o, places = [], {}
    for p in by_value_first(f.parameters):
        role = p.role.word if p.role else ""
        nullable = bool(p.role and p.role.nullable)
        t = p.pointee
        if role == "out" and p.name == f.mode.names:
            line = field(p.name, "NewName", "8", KINDS.get(t, "Other"))
        elif role in ("out", "out_array", "out_bytes", "out_string"):
            continue
        elif role in ("in_struct", "inout"):
            line = field(p.name, "Struct", f"sizeof({t})", nullable=nullable and role == "in_struct")
        elif role == "in_array":
            named = t in d.handles
            line = field(p.name, "Elements", "8" if named else f"sizeof({t})", KINDS.get(t, "Other") if named else "None", nullable,
                         count_of(p.role.size, places))
        elif role == "in_bytes":
            line = field(p.name, "Elements", "1", count=count_of(p.role.size, places))
        elif role == "cstring":
            line = field(p.name, "Text")
        elif role in ("device_pointer", "within"):
            line = field(p.name, "Address", "8")
        elif p.type in d.handles:
            line = field(p.name, "Handle", "8", KINDS.get(p.type, "Other"))
        elif p.type == "CUdevice":
            line = field(p.name, "Device", "4")
        else:
            line = field(p.name, "Number", f"sizeof({p.type})")
        places[p.name] = len(o)
        o.append(line)
    return o


def message_fields(m):
    o = []
    for t, n in m.fields:
        if t not in CTYPES:
            o.append(field(n, {"bytes": "Sized", "text": "Text", "bulk": "Bulk"}[t]))
        elif (m.name, n) in NEW:
            o.append(field(n, "NewName", "8", NEW[m.name, n]))
        elif t == "u64" and n in NAMED:
            o.append(field(n, "Handle", "8", NAMED[n]))
        elif t == "u64" and n == "device":
            o.append(field(n, "Address", "8"))
        elif t == "u32" and n == "device":
            o.append(field(n, "Device", "4"))
        else:
            o.append(field(n, "Number", f"sizeof({CTYPES[t]})"))
    return o


def header():
    return BANNER + "\n" + HEADER


def source(d, ids):
    o = [BANNER, '#include "message_shapes.gen.h"\n', '#include "cuda_types.gen.h"', '#include "messages.gen.h"', '#include "wire/codec.h"\n',
         "namespace bitfusion::msg {", "namespace {\n"]
    served = {f.symbol: (f.mode.word == "call", function_fields(d, f)) for f in d.functions if f.travels}
    served |= {m.name: (m.mode == "call", message_fields(m)) for m in d.messages if m.mode != "event"}
    order = sorted(served, key=lambda name: ids[name])
    for name in order:
        if served[name][1]:
            o += [f"constexpr FieldShape k{name}[] = {{"] + served[name][1] + ["};"]
    o.append("constexpr MessageShape kShapes[] = {")
    o += [f'    {{kId_{name}, "{name}", {"true" if served[name][0] else "false"}, {f"k{name}" if served[name][1] else "{}"}}},' for name in order]
    o += ["};\n", "}  // namespace\n", "std::span<const MessageShape> message_shapes() { return kShapes; }\n", "}  // namespace bitfusion::msg"]
    return "\n".join(o) + "\n"
