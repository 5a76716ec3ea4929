"""handle_kinds.gen.h: which kind of name a handle type has on the wire."""

from gen.text import BANNER

KINDS = {"CUcontext": "Context", "CUmodule": "Module", "CUlibrary": "Library", "CUfunction": "Function", "CUkernel": "Kernel",
         "CUstream": "Stream", "CUevent": "Event", "CUgraph": "Graph", "CUgraphExec": "GraphExec", "CUgraphNode": "GraphNode",
         "CUmemoryPool": "MemoryPool", "CUmemGenericAllocationHandle": "Allocation", "CUarray": "Array",
         "CUmipmappedArray": "MipmappedArray", "CUtexref": "TextureReference", "CUsurfref": "SurfaceReference",
         "CUuserObject": "UserObject"}


def emit(d):
    o = [BANNER, "#pragma once\n", '#include "cuda_types.gen.h"', '#include "wire/names.h"\n', "namespace bitfusion::wire {\n",
         "template <typename Handle>", "constexpr Kind kind_for = Kind::kOther;"]
    o += [f"template <>\ninline constexpr Kind kind_for<{t}> = Kind::k{k};" for t, k in KINDS.items() if t in d.handles]
    return "\n".join(o) + "\n\n}  // namespace bitfusion::wire\n"
