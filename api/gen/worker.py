"""worker_handlers.gen.h/.cpp: decode, check, call the driver, answer; and the dispatch table by wire number."""

from gen.text import BANNER, by_value_first, declaration, extent

MOST = "kMostElements"


def hand_header(d):
    o = [BANNER, "// What the worker serves by hand: functions with extra work around the driver's call, and messages.",
         "// src/worker/<noun>.cpp defines them. All run on the worker's dispatch thread.\n#pragma once\n",
         '#include "cuda_types.gen.h"', '#include "messages.gen.h"\n', "namespace bitfusion::worker {\n", "class Session;", "struct Frame;\n"]
    for f in d.functions:
        if f.travels and f.hand in ("worker", "both"):
            o.append(f"CUresult {f.symbol}(Session& s" + "".join(", " + declaration(p) for p in f.parameters) + ");")
    o.append("")
    for m in d.messages:
        if m.mode != "event":
            o.append(f"void serve(Session& s, const Frame& frame, const msg::{m.name}& m);")
    return "\n".join(o) + "\n\n}  // namespace bitfusion::worker\n"


def handler(d, f):
    o = [f"void handle_{f.symbol}(Session& s, const Frame& frame, wire::Reader& r) {{", "    CUresult result = CUDA_SUCCESS;"]
    checks, outs, after = [], [], []
    args = {}  # by parameter: what the driver's function is given
    owners = {p.role.owner for p in f.parameters if p.role}
    for p in by_value_first(f.parameters):
        role = p.role.word if p.role else ""
        n, t = p.name, p.pointee
        if role == "out" and n == f.mode.names:
            o.append(f"    const auto {n}_name = r.get<uint64_t>();")
            o.append(f"    {t} {n}_value{{}};")
            args[n] = f"&{n}_value"
            checks.append(f"if (result == CUDA_SUCCESS && !s.handles.may_name<{t}>({n}_name)) return s.peer_is_wrong(frame, \"{n}\");")
            after.append(f"if (result == CUDA_SUCCESS) s.handles.bind({n}_name, {n}_value, s.context_name());")
        elif role in ("out", "inout"):
            o.append(f"    {t} {n}_value{{}};" if role == "out" else f"    auto {n}_value = r.get<{t}>();")
            args[n] = f"&{n}_value"
            owner = {"": "s.context_name()", "session": "0"}.get(p.role.owner, f"{p.role.owner}_name")
            outs.append(("8", f"w.put(s.handles.name_of({n}_value, {owner}));") if t in d.handles
                        else (f"sizeof({n}_value)", f"s.globalise({n}_value); w.put({n}_value);"))
        elif role == "in_struct":
            o.append(f"    {t} {n}_value{{}};")
            o.append(f"    bool {n}_given = true;" + (f" {n}_given = r.get<uint8_t>() != 0;" if p.role.nullable else ""))
            o.append(f"    if ({n}_given) {n}_value = r.get<{t}>();")
            checks.append(f"if (result == CUDA_SUCCESS) result = s.localise({n}_value);")
            args[n] = f"({n}_given ? &{n}_value : nullptr)"
        elif role == "in_array":
            given = "r.get<uint8_t>() != 0" if p.role.nullable else "true"
            o.append(f"    const bool {n}_given = {given};")
            o.append(f"    std::vector<{t}> {n}_values;")
            o.append(f"    if ({n}_given) {{")
            o.append(f"        const uint64_t {n}_count = ({extent(p.role.size)}).value;")
            wire_size = "8" if t in d.handles else f"sizeof({t})"
            o.append(f"        if (!r.holds({n}_count, {wire_size})) return s.peer_is_wrong(frame, \"{n}\");")
            if t in d.handles:
                o.append(f"        for (uint64_t i = 0; i < {n}_count; ++i) {n}_values.push_back(s.handles.find<{t}>(r.get<uint64_t>(), &result));")
            else:
                o.append(f"        {n}_values.resize({n}_count);")
                o.append(f"        r.copy({n}_values.data(), {n}_count * sizeof({t}));")
                o.append(f"        for (auto& value : {n}_values) if (result == CUDA_SUCCESS) result = s.localise(value);")
            o.append("    }")
            args[n] = f"({n}_given ? {n}_values.data() : nullptr)"
        elif role == "in_bytes":
            o.append(f"    const uint64_t {n}_bytes = ({extent(p.role.size)}).value;")
            o.append(f"    if (!r.holds({n}_bytes, 1)) return s.peer_is_wrong(frame, \"{n}\");")
            o.append(f"    std::vector<uint64_t> {n}_values(({n}_bytes + 7) / 8);  // words, so that any type in it is aligned")
            o.append(f"    r.copy({n}_values.data(), {n}_bytes);")
            args[n] = f"{n}_values.data()"
        elif role in ("out_array", "out_bytes", "out_string"):
            element = f"sizeof({t})" if role == "out_array" else "1"
            held = t if role == "out_array" else "uint64_t"
            o.append(f"    const uint64_t {n}_count = ({extent(p.role.size)}).value;")
            o.append(f"    if ({n}_count > {MOST}) return s.peer_is_wrong(frame, \"{n}\");")
            o.append(f"    std::vector<{held}> {n}_values({n}_count{'' if role == 'out_array' else ' / 8 + 1'});")
            args[n] = f"reinterpret_cast<{p.type.replace('const ', '')}>({n}_values.data())"
            outs.append((f"{n}_count * {element}", f"w.raw({n}_values.data(), {n}_count * {element});"))
        elif role == "cstring":
            o.append(f"    const std::string {n}(r.text());")
            args[n] = f"{n}.c_str()"
        elif role == "device_pointer":
            o.append(f"    const auto {n} = r.get<uint64_t>();")
            checks.append(f"if (result == CUDA_SUCCESS && !s.memory.within({n}, 1)) result = CUDA_ERROR_INVALID_VALUE;")
            args[n] = f"reinterpret_cast<void*>({n})"
        elif p.type in d.handles:
            if role == "ends":
                o.append(f"    const auto {n}_name = r.get<uint64_t>();")
                o.append(f"    const auto {n} = s.handles.find<{p.type}>({n}_name, &result);")
                after.append(f"if (result == CUDA_SUCCESS) s.handles.forget({n}_name);")
            elif n in owners:
                o.append(f"    const auto {n}_name = r.get<uint64_t>();")
                o.append(f"    const auto {n} = s.handles.find<{p.type}>({n}_name, &result);")
            else:
                o.append(f"    const auto {n} = s.handles.find<{p.type}>(r.get<uint64_t>(), &result);")
            args[n] = n
        elif p.type == "CUdevice":
            o.append(f"    const CUdevice {n} = s.device(r.get<int>(), &result);")
            args[n] = n
        else:
            o.append(f"    const auto {n} = r.get<{p.type}>();")
            args[n] = n
            if role == "within":
                checks.append(f"if (result == CUDA_SUCCESS && !s.memory.within({n}, ({extent(p.role.size)}).value)) result = CUDA_ERROR_INVALID_VALUE;")
    given = [args[p.name] for p in f.parameters]
    o.append(f"    if (!r.done()) return s.peer_is_wrong(frame, \"{f.symbol}\");")
    o += ["    " + c for c in checks]
    enter = "enter_if_alive" if f.contextless else "enter"
    o.append(f"    if (result == CUDA_SUCCESS) result = s.{enter}(frame);")
    if f.hand in ("worker", "both"):
        o.append(f"    if (result == CUDA_SUCCESS) result = {f.symbol}({', '.join(['s'] + given)});")
    else:
        o.append(f"    if (result == CUDA_SUCCESS) result = s.driver.{f.symbol} == nullptr ? CUDA_ERROR_NOT_SUPPORTED : s.driver.{f.symbol}({', '.join(given)});")
    o += ["    " + a for a in after]
    if f.mode.word == "post":
        o.append("    s.posted(frame, result);")
    else:
        size = " + ".join(x for x, _ in outs) or "0"
        o.append(f"    s.reply(frame, result, {size}, [&]([[maybe_unused]] wire::Writer& w) {{")
        o += ["        " + w for _, w in outs]
        o.append("    });")
    o.append("}\n")
    return o


def word(truth):
    return "true" if truth else "false"


def source(d, ids):
    o = [BANNER, "#include <array>\n#include <string>\n#include <vector>\n", '#include "worker/dispatch.h"', '#include "worker/session.h"',
         '#include "worker_hand.gen.h"\n', "namespace bitfusion::worker {", "namespace {\n",
         "// Larger output arrays than this are asked for by no program; the cap keeps a hostile count from allocating.",
         f"constexpr uint64_t {MOST} = 1 << 20;\n"]
    for f in d.functions:
        if f.travels:
            o += handler(d, f)
    for m in d.messages:
        if m.mode != "event":
            o += [f"void handle_{m.name}(Session& s, const Frame& frame, wire::Reader& r) {{", f"    msg::{m.name} m;", "    m.decode(r);",
                  f"    if (!r.done()) return s.peer_is_wrong(frame, \"{m.name}\");", "    serve(s, frame, m);", "}\n"]
    o.append("constexpr std::array<Handler, msg::kMostId + 1> make_table() {")
    o.append("    std::array<Handler, msg::kMostId + 1> table{};")
    for f in d.functions:
        if f.travels:
            o.append(f"    table[msg::kId_{f.symbol}] = {{handle_{f.symbol}, {word(f.mode.word == 'call')}, false, {word(f.waits)}}};")
    for m in d.messages:
        if m.mode != "event":
            bulk = any(t == "bulk" for t, _ in m.fields)
            o.append(f"    table[msg::kId_{m.name}] = {{handle_{m.name}, {word(m.mode == 'call')}, {word(bulk)}, {word(m.waits)}}};")
    o += ["    return table;", "}\n", "constexpr auto kTable = make_table();\n", "}  // namespace\n",
          "const Handler* handler_of(uint16_t id) {", "    if (id > msg::kMostId || kTable[id].serve == nullptr) return nullptr;",
          "    return &kTable[id];", "}\n", "}  // namespace bitfusion::worker"]
    return "\n".join(o) + "\n"
