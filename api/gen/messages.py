"""messages.gen.h: wire numbers, and one struct per hand-served message with its encoding."""

from gen.text import BANNER, CTYPES, SPANS


def members(fields):
    return [f"    {CTYPES.get(t) or SPANS[t]} {n}{{}};" for t, n in fields]


def size(fields):
    fixed = " + ".join(f"sizeof({CTYPES[t]})" for t, _ in fields if t in CTYPES) or "0"
    loose = "".join(f" + 8 + {n}.size()" for t, n in fields if t in ("bytes", "text"))
    return f"    size_t size() const {{ return {fixed}{loose}; }}"


def encode(fields):
    o = ["    void encode([[maybe_unused]] wire::Writer& w) const {"]
    for t, n in fields:
        if t in CTYPES:
            o.append(f"        w.put({n});")
        elif t in ("bytes", "text"):
            o.append(f"        w.bytes({n}.data(), {n}.size());")
    return o + ["    }"]


def decode(fields):
    o = ["    void decode([[maybe_unused]] wire::Reader& r) {"]
    for t, n in fields:
        if t in CTYPES:
            o.append(f"        {n} = r.get<{CTYPES[t]}>();")
        elif t == "bulk":
            o.append(f"        {n} = r.rest();")
        else:
            o.append(f"        {n} = r.{t}();")
    return o + ["    }"]


def body(fields):
    return members(fields) + [size(fields)] + encode(fields) + decode(fields)


def emit(d, ids):
    o = [BANNER, "// The messages of the data path (docs/wire.md). A field of kind bulk is the rest of the body and is written",
         "// and read by the one who has the memory, not by encode().\n#pragma once\n",
         "#include <cstddef>\n#include <cstdint>\n#include <span>\n#include <string_view>\n", '#include "wire/codec.h"\n',
         "namespace bitfusion::msg {\n"]
    o += ["enum Id : uint16_t {"] + [f"    kId_{n} = {i}," for n, i in sorted(ids.items(), key=lambda x: x[1])] + ["};\n"]
    o += [f"constexpr uint16_t kMostId = {max(ids.values())};\n", "const char* name_of(uint16_t id);  // for logs; \"?\" when unknown\n"]
    for m in d.messages:
        o += [f"// {m.doc}", f"struct {m.name} {{", f"    static constexpr uint16_t kId = kId_{m.name};"]
        o += body(m.fields)
        if m.mode == "call":
            o += ["    struct Reply {"] + ["    " + x for x in body(m.reply)] + ["    };"]
        o.append("};\n")
    o.append("}  // namespace bitfusion::msg")
    return "\n".join(o) + "\n"


def names(d, ids):
    o = [BANNER, '#include "messages.gen.h"\n', "namespace bitfusion::msg {\n", "const char* name_of(uint16_t id) {", "    switch (id) {"]
    o += [f'        case kId_{n}: return "{n}";' for n in ids]
    o += ["        default: return \"?\";", "    }", "}\n", "}  // namespace bitfusion::msg"]
    return "\n".join(o) + "\n"
