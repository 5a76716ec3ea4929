"""cuda_types.gen.h and cuda_api.gen.h: the C declarations of the driver API, from the description alone.

Types stand alone, because code that defines functions of the same names in a namespace must not see the global ones:
argument-dependent lookup would find both."""

from dsl import Enum, Struct
from gen.text import BANNER, prototype


def types(d, api="The CUDA driver API", macro="#define CUDA_CB\n"):
    o = [BANNER, f"// {api}'s types, by their public names and layouts.\n#pragma once\n",
         "#include <cstddef>\n#include <cstdint>\n"]
    for t in d.types:
        if isinstance(t, Enum):
            values = ", ".join(f"{k} = {v if -(1 << 31) <= v < (1 << 31) else hex(v)}" for k, v in t.values)
            o.append(f"typedef enum {t.name} {{ {values} }} {t.name};")
    o.append("\n" + macro)
    # cuda.h tags its structs <name>_st; a tag that another type already declared keeps one definition per name
    for t in d.types:
        if isinstance(t, Enum):
            continue
        if isinstance(t, Struct):
            kind = "union" if t.union else "struct"
            aligned = f" alignas({t.align})" if t.align > 16 else ""
            o.append(f"typedef {kind}{aligned} {t.tag or t.name + '_st'} {{ {t.fields} }} {t.name};")
            o.append(f"static_assert(sizeof({t.name}) == {t.size}, \"{t.name}\");")
        elif t[0] == "handle":
            o.append(f"typedef struct {t[2]} *{t[1]};")
        elif t[0] == "alias":
            o.append(f"typedef {t[2]} {t[1]};")
        elif t[0] == "opaque":
            o.append(f"typedef struct {t[1]}_st {t[1]};")
        elif t[0] == "callback":
            o.append(f"typedef {t[2]};")
    o.append("")
    for t in d.types:
        if not isinstance(t, (Enum, Struct)) and t[0] == "constant":
            o.append(f"#define {t[1]} {t[2]}")
    return "\n".join(o) + "\n"


def functions(d):
    o = [BANNER, "// The CUDA driver API's functions.\n#pragma once\n", '#include "cuda_types.gen.h"\n', 'extern "C" {']
    for f in d.functions:
        o.append(prototype(f) + ";")
        if f.variant:
            o.append(prototype(f, f.symbol + f.variant) + ";")
    o.append('}  // extern "C"')
    return "\n".join(o) + "\n"
