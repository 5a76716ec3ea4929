"""driver_table.gen.h/.cpp: one pointer per described function, and the names to fill it by."""

from gen.text import BANNER, in_table


def header(d):
    o = [BANNER, "// A driver: one function pointer per described function of the CUDA driver API; null where the driver has none.",
         "// Filled once before it is used, then read by any thread.\n#pragma once\n",
         '#include "cuda_types.gen.h"\n', "namespace bitfusion {\n", "struct DriverTable {"]
    for f in d.functions:
        if in_table(f):
            types = ", ".join(p.type for p in f.parameters) or "void"
            o.append(f"    CUresult (*{f.symbol})({types}) = nullptr;")
    o += ["};\n", "struct DriverTableField {", "    const char* symbol;", "    size_t offset;  // of the pointer in DriverTable",
          "};\n", "extern const DriverTableField kDriverTableFields[];", "extern const size_t kDriverTableFieldCount;\n",
          "}  // namespace bitfusion"]
    return "\n".join(o) + "\n"


def source(d):
    o = [BANNER, '#include "driver_table.gen.h"\n', "#include <cstddef>\n", "namespace bitfusion {\n",
         "const DriverTableField kDriverTableFields[] = {"]
    fields = [f for f in d.functions if in_table(f)]
    o += [f'    {{"{f.symbol}", offsetof(DriverTable, {f.symbol})}},' for f in fields]
    o += ["};", f"const size_t kDriverTableFieldCount = {len(fields)};\n", "}  // namespace bitfusion"]
    return "\n".join(o) + "\n"
