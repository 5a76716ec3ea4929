"""abi_check.gen.cpp: compiled where a cuda.h is found; compares every enum value, struct layout and prototype with it."""

import re

from dsl import Enum, Struct
from gen.text import BANNER


def field_names(text):
    """Names of the members of a struct that stand at its top level."""
    names, depth, piece = [], 0, ""
    for c in text:
        depth += c == "{"
        depth -= c == "}"
        if c == ";" and depth == 0:
            m = re.search(r"(\w+)\s*(\[[^\]]*\]\s*)*$", re.sub(r"\{.*\}", "", piece).strip())
            if m and m.group(1) not in ("union", "struct"):
                names.append(m.group(1))
            piece = ""
        else:
            piece += c
    return names


def emit(d):
    o = [BANNER, "#include <cstddef>\n#include <cstdint>\n#include <type_traits>\n",
         "namespace ours {\n#include \"cuda_types.gen.h\"\n}  // namespace ours\n",
         "#define __CUDA_API_VERSION_INTERNAL", "#include <cuda.h>", "#include <cudaProfiler.h>\n"]
    for t in d.types:
        if isinstance(t, Enum):
            o += [f'static_assert(static_cast<long long>(::{k}) == {v}, "{k}");' for k, v in t.values]
        elif isinstance(t, Struct):
            o.append(f'static_assert(sizeof(::{t.name}) == {t.size} && alignof(::{t.name}) == alignof(ours::{t.name}), "{t.name}");')
            o += [f'static_assert(offsetof(::{t.name}, {n}) == offsetof(ours::{t.name}, {n}) && '
                  f'sizeof(::{t.name}::{n}) == sizeof(ours::{t.name}::{n}), "{t.name}::{n}");' for n in field_names(t.fields)]
    for f in d.functions:
        types = ", ".join(p.type for p in f.parameters) or "void"
        for symbol in [f.symbol] + ([f.symbol + f.variant] if f.variant else []):
            o.append(f'static_assert(std::is_same_v<decltype(&::{symbol}), CUresult (*)({types})>, "{symbol}");')
    return "\n".join(o) + "\n"
