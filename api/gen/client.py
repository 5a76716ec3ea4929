"""client_remote.gen.h/.cpp: the functions that travel, as seen from the client: encode, post or call, decode.
client_entries.gen.cpp: every exported symbol.
client_hand.gen.h: what people write: one declaration per function that the client answers by hand."""

from gen.text import BANNER, arguments, by_value_first, extent, prototype

FLAT = ("out", "inout")


def remote_header(d):
    o = [BANNER, "// The generated halves of the client: each encodes its arguments, posts or calls, and fills its outputs.",
         "// Thread-safe; CUDA_ERROR_NOT_INITIALIZED without a session.\n#pragma once\n", '#include "cuda_types.gen.h"\n',
         "namespace bitfusion::client::remote {\n"]
    o += [prototype(f) + ";" for f in d.functions if f.travels]
    return "\n".join(o) + "\n\n}  // namespace bitfusion::client::remote\n"


def hand_header(d):
    o = [BANNER, "// What the client answers by hand, one function a symbol; src/client/<noun>.cpp defines it.\n#pragma once\n",
         '#include "cuda_types.gen.h"\n', "namespace bitfusion::client {\n"]
    for f in d.functions:
        if (f.mode.word == "local" and not f.same_as) or f.hand in ("client", "both"):
            o.append(prototype(f) + ";")
    return "\n".join(o) + "\n\n}  // namespace bitfusion::client\n"


def put(d, p, posted_name):
    """(C++ size expression, write statements) of one parameter of a request."""
    role = p.role.word if p.role else ""
    flag = "1 + " if p.role and p.role.nullable and role.startswith("in_") else ""
    n = p.name
    guard = f"w.put(static_cast<uint8_t>({n} != nullptr)); if ({n} != nullptr) " if flag else ""
    empty = f"({n} == nullptr ? 0 : " if flag else "("
    if role == "out":
        if p.name == posted_name:
            return "8", f"w.put(wire_name(*{n}));"
        return "0", ""
    if role == "inout":
        return f"sizeof(*{n})", f"w.put(*{n});"
    if role in ("out_array", "out_bytes", "out_string"):
        return "0", ""
    if role == "in_struct":
        return f"{flag}{empty}sizeof(*{n}))", guard + f"w.put(*{n});"
    if role == "in_array":
        if p.pointee in d.handles:
            return f"{flag}{empty}8 * static_cast<size_t>({p.role.size}))", \
                guard + f"for (size_t i = 0; i < static_cast<size_t>({p.role.size}); ++i) w.put(wire_name({n}[i]));"
        return f"{flag}{empty}sizeof(*{n}) * static_cast<size_t>({p.role.size}))", \
            guard + f"w.raw({n}, sizeof(*{n}) * static_cast<size_t>({p.role.size}));"
    if role == "in_bytes":
        return f"{flag}{empty}static_cast<size_t>({p.role.size}))", guard + f"w.raw({n}, static_cast<size_t>({p.role.size}));"
    if role == "cstring":
        return f"8 + strlen({n})", f"w.bytes({n}, strlen({n}));"
    if role == "device_pointer":
        return "8", f"w.put(reinterpret_cast<uint64_t>({n}));"
    if p.type in d.handles:
        return "8", f"w.put(wire_name({n}));"
    return f"sizeof({n})", f"w.put({n});"


def take(d, p):
    """Statement that fills one output from a reply, or nothing."""
    role = p.role.word if p.role else ""
    n = p.name
    if role in FLAT:
        value = f"from_wire_name<{p.pointee}>(r.get<uint64_t>())" if p.pointee in d.handles else f"r.get<{p.pointee}>()"
        if p.pointee == "void":
            raise ValueError(f"{p.name}: out() of void")
        if p.role.nullable:
            return f"{{ const auto value = {value}; if ({n} != nullptr) *{n} = value; }}"
        return f"*{n} = {value};"
    if role in ("out_array", "out_bytes", "out_string"):
        element = f"sizeof(*{n}) * " if role == "out_array" else ""
        return f"r.copy({n}, {element}static_cast<size_t>({p.role.size}));"
    return ""


def ranges(f):
    """The device addresses that an operation of memory names, target first."""
    return ", ".join(p.name for p in f.parameters if p.role and p.role.word == "within")


def remote_source(d):
    o = [BANNER, '#include "client_remote.gen.h"\n', "#include <cstring>\n", '#include "client/feedback.h"', '#include "client/handover.h"', '#include "client/managed_pages.h"', '#include "client/session.h"', '#include "client/stream.h"', '#include "client_hand.gen.h"', '#include "messages.gen.h"\n',
         "namespace bitfusion::client::remote {\n"]
    for f in d.functions:
        if not f.travels:
            continue
        sizes, writes, nulls = [], [], []
        for p in by_value_first(f.parameters):
            s, w = put(d, p, f.mode.names)
            if s != "0":
                sizes.append(s)
            if w:
                writes.append("        " + w)
            if p.role and p.role.word in ("out", "inout", "in_struct", "in_array", "in_bytes", "out_array", "out_bytes", "out_string",
                                          "cstring") and not p.role.nullable:
                counted = f" && {p.role.size} != 0" if p.role.word.endswith("array") else ""
                nulls.append(f"({p.name} == nullptr{counted})")
        o.append(prototype(f) + " {")
        if nulls:
            o.append(f"    if ({' || '.join(nulls)}) return CUDA_ERROR_INVALID_VALUE;")
        if f.mode.names:
            p = next(p for p in f.parameters if p.name == f.mode.names)
            o.append(f"    *{p.name} = from_wire_name<{p.pointee}>(name_handle(wire::kind_for<{p.pointee}>));")
        for p in f.parameters:
            if p.type == "CUstream" and not (p.role and p.role.word == "ends") and "Get" not in f.symbol and "Capture" not in f.symbol:
                o.append(f"    {p.name} = resolve_stream({p.name});")
                o.append(f"    touch_stream({p.name});")
        if f.symbol == "cuGraphLaunch":
            o.append("    if (const CUresult given = hand_over(); given != CUDA_SUCCESS) return given;")
        for p in f.parameters:
            if p.role and p.role.word == "within":
                aligned = f" || {p.name} % {p.role.align} != 0" if p.role.align > 1 else ""
                n, size = p.name, f"({extent(p.role.size)}).value"
                o.append(f"    if (!reaches_gpu({n}, {size}){aligned}) return CUDA_ERROR_INVALID_VALUE;")
                o.append(f"    if (const CUresult given = hand_over_range({n}, {size}); given != CUDA_SUCCESS) return given;")
        # The program's memory is read and written under the session's locks: managed pages must be there by then.
        for p in f.parameters:
            role = p.role.word if p.role else ""
            count = p.role.size if role in ("in_array", "out_array", "in_bytes", "out_bytes", "out_string") else "1"
            element = "" if p.pointee == "void" or role.endswith("bytes") else f" * sizeof(*{p.name})"
            if role in FLAT or role in ("in_struct", "in_array", "out_array", "in_bytes", "out_bytes", "out_string"):
                written = "true" if role in FLAT or role.startswith("out") else "false"
                o.append(f"    if (any_managed()) touch_managed({p.name}, static_cast<size_t>({count}){element}, {written});")
        if f.noun in ("memset", "copy") and not any(p.type == "CUstream" for p in f.parameters):
            o.append("    touch_stream(nullptr);")
        o.append(f"    const size_t bytes = {' + '.join(sizes) or '0'};")
        o.append("    const auto encode = [&]([[maybe_unused]] wire::Writer& w) {")
        o += writes
        o.append("    };")
        if f.mode.word == "post" and f.noun in ("memset", "copy") and not any(p.type == "CUstream" for p in f.parameters):
            o.append(f"    return finish_synchronous(session_post(msg::kId_{f.symbol}, bytes, encode), nullptr, {ranges(f)});")
        elif f.mode.word == "post":
            o.append(f"    return session_post(msg::kId_{f.symbol}, bytes, encode);")
        else:
            takes = [t for t in (take(d, p) for p in f.parameters) if t]
            o.append(f"    return session_call(msg::kId_{f.symbol}, bytes, encode, [&]([[maybe_unused]] wire::Reader& r) {{")
            o += ["        " + t for t in takes]
            o.append("    });")
        o.append("}\n")
    o.append("}  // namespace bitfusion::client::remote")
    return "\n".join(o) + "\n"


def entry(d, f, symbol, per_thread):
    """The definition of one exported symbol."""
    target = d.function(f.same_as) if f.same_as else f
    args = arguments(f)
    traced = ", ".join([f.symbol, needs_session(target)] + ([args] if args else []))
    if not f.served:
        unused = "".join(f" (void){p.name};" for p in f.parameters)
        return f'{prototype(f, symbol)} {{{unused} return not_served("{symbol}", "{f.mode.why}"); }}'

    def wrapped(call, implicit=""):
        return (f'{prototype(f, symbol)} try {{ BF_ENTRY({traced}); {implicit}const CUresult result = {call}; '
                f'return result == CUDA_SUCCESS ? result : failed("{symbol}", result); }} '
                f'catch (...) {{ return caught("{symbol}"); }}')

    if per_thread and f.variant == "_ptsz":
        args = ", ".join(f"per_thread_stream({p.name})" if p.type == "CUstream" else p.name for p in f.parameters)
    if per_thread and f.ptds_as:
        call = f"client::{f.ptds_as}" if d.function(f.ptds_as).hand in ("client", "both") else f"client::remote::{f.ptds_as}"
        args = (args + ", " if args else "") + "per_thread_stream(nullptr)"
        if ranges(f):
            return wrapped(f"finish_synchronous({call}({args}), per_thread_stream(nullptr), {ranges(f)})")
    elif target.mode.word == "local" or target.hand in ("client", "both"):
        call = f"client::{target.symbol}"
    else:
        call = f"client::remote::{target.symbol}"
    implicit = "const ImplicitStream of_this_call; " if per_thread and f.variant == "_ptds" and not f.ptds_as else ""
    return wrapped(f"{call}({args})", implicit)


BEFORE_INIT = {"cuInit", "cuDriverGetVersion", "cuGetErrorName", "cuGetErrorString", "cuGetProcAddress_v2", "cuGetProcAddress",
               "cuGetExportTable"}


def needs_session(f):
    return "false" if f.symbol in BEFORE_INIT else "true"


def entries(d):
    o = [BANNER, '#include "client/entry.h"', '#include "client/handover.h"', '#include "client_hand.gen.h"', '#include "client_remote.gen.h"\n',
         "using namespace bitfusion;          // NOLINT: the exported names live in the global namespace",
         "using namespace bitfusion::client;  // NOLINT\n", '#define BF_EXPORT extern "C" __attribute__((visibility("default")))\n']
    for f in d.functions:
        o.append("BF_EXPORT " + entry(d, f, f.symbol, False))
        if f.variant:
            o.append("BF_EXPORT " + entry(d, f, f.symbol + f.variant, True))
    return "\n".join(o) + "\n"
