"""argument_printer.gen.h: one line of text per call for BITFUSION_LOG=entry=trace."""

from gen.text import BANNER, declaration


def emit(d):
    o = [BANNER, "// print_arguments_<symbol>: the arguments of a call as text, for traces. Pointers are printed, never followed.",
         "#pragma once\n", "#include <cstdio>\n", '#include "cuda_types.gen.h"\n', "namespace bitfusion::client {\n"]
    for f in d.functions:
        formats, values = [], []
        for p in f.parameters:
            if p.is_pointer or p.type in d.handles - d.number_handles or p.type in ("CUhostFn", "CUstreamCallback", "CUoccupancyB2DSize",
                                                                                    "CUasyncCallback", "CUlogsCallback", "CUlogsCallbackHandle",
                                                                                    "CUasyncCallbackHandle"):
                formats.append(f"{p.name} %p")
                values.append(f"reinterpret_cast<const void*>({p.name})" if not p.type.startswith("CUstreamCallback") else f"reinterpret_cast<const void*>({p.name})")
            elif p.type == "float":
                formats.append(f"{p.name} %g")
                values.append(f"static_cast<double>({p.name})")
            elif p.type in d.structs or d.aliases.get(p.type) in d.structs:
                formats.append(f"{p.name} {{...}}")
            else:
                formats.append(f"{p.name} %lld")
                values.append(f"static_cast<long long>({p.name})")
        unused = "".join(f" (void){p.name};" for p in f.parameters)
        o.append(f"inline void print_arguments_{f.symbol}(char* to_, size_t room_" + "".join(", " + declaration(p) for p in f.parameters) + ") {")
        o.append(f"   {unused} snprintf(to_, room_, \"%s{', '.join(formats)}\", \"\"" + "".join(", " + v for v in values) + ");" + "\n}")
    return "\n".join(o) + "\n}  // namespace bitfusion::client\n"
