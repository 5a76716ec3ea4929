"""nvml_entries.gen.cpp: every exported name of libnvidia-ml.so.1; nvml_hand.gen.h: those that people write; the version
script; the table of a driver's NVML; the comparison with NVIDIA's header."""

from dsl import Enum, Struct
from gen.abi_check import field_names
from gen.nvml_rows import call_of
from gen.text import BANNER, prototype

# NVML answers these without nvmlInit: they ask nothing of a device.
BEFORE_INIT = {"nvmlInit", "nvmlInit_v2", "nvmlInitWithFlags", "nvmlErrorString", "nvmlInternalGetExportTable",
               "nvmlSystemGetNVMLVersion", "nvmlSystemGetCudaDriverVersion", "nvmlSystemGetCudaDriverVersion_v2"}


def hand_header(d):
    o = [BANNER, "// What is answered by hand, one function a symbol; src/nvml/<noun>.cpp defines it.\n#pragma once\n",
         '#include "nvml_types.gen.h"\n', "namespace bitfusion::nvml {\n"]
    o += [prototype(f) + ";" for f in d.functions if f.mode.word == "local"]
    return "\n".join(o) + "\n\n}  // namespace bitfusion::nvml\n"


def entry(f):
    unused = "".join(f" (void){p.name};" for p in f.parameters)
    if f.result != "nvmlReturn_t":
        return f"{prototype(f)} {{ return nvml::{call_of(f)}; }}"
    needs = "" if f.symbol in BEFORE_INIT else "if (!initialised()) return NVML_ERROR_UNINITIALIZED; "
    if not f.served:
        refusal = f'not_permitted("{f.symbol}")' if f.mode.word == "forbidden" else f'not_served("{f.symbol}", "{f.mode.why}")'
        return f'{prototype(f)} try {{{unused} {needs}return {refusal}; }} catch (...) {{ return caught("{f.symbol}"); }}'
    return f'{prototype(f)} try {{ {needs}return answered("{f.symbol}", nvml::{call_of(f)}); }} catch (...) {{ return caught("{f.symbol}"); }}'


def entries(d):
    o = [BANNER, '#include "nvml/entry.h"', '#include "nvml_hand.gen.h"', '#include "nvml_snapshot.gen.h"\n',
         "using namespace bitfusion;        // NOLINT: the exported names live in the global namespace",
         "using namespace bitfusion::nvml;  // NOLINT\n", '#define BF_EXPORT extern "C" __attribute__((visibility("default")))\n']
    o += ["BF_EXPORT " + entry(f) for f in d.functions]
    return "\n".join(o) + "\n"


def version_script(d):
    return "{\n  global:\n" + "".join(f"    {n};\n" for n in sorted(f.symbol for f in d.functions)) + "  local: *;\n};\n"


def in_table(f):
    return f.mode.word == "snapshot" or f.symbol in FOR_THE_WORKER


# What the worker itself asks, beside snapshots.
FOR_THE_WORKER = {"nvmlInit_v2", "nvmlDeviceGetHandleByPciBusId_v2", "nvmlDeviceGetMemoryInfo", "nvmlDeviceGetMemoryInfo_v2",
                  "nvmlDeviceGetFieldValues", "nvmlDeviceGetComputeRunningProcesses_v3", "nvmlDeviceGetSupportedGraphicsClocks"}


def table_header(d):
    o = [BANNER, "// The NVML of a driver: one function pointer per function that a worker may ask; null where it has none.",
         "// Filled once before it is used, then read by any thread.\n#pragma once\n", '#include "nvml_types.gen.h"\n',
         "namespace bitfusion {\n", "struct ManagementTable {"]
    for f in d.functions:
        if in_table(f):
            o.append(f"    {f.result} (*{f.symbol})({', '.join(p.type for p in f.parameters) or 'void'}) = nullptr;")
    o += ["};\n", "struct ManagementTableField {", "    const char* symbol;", "    size_t offset;  // of the pointer in ManagementTable",
          "};\n", "extern const ManagementTableField kManagementTableFields[];", "extern const size_t kManagementTableFieldCount;\n",
          "}  // namespace bitfusion"]
    return "\n".join(o) + "\n"


def table_source(d):
    o = [BANNER, '#include "nvml_table.gen.h"\n', "#include <cstddef>\n", "namespace bitfusion {\n",
         "const ManagementTableField kManagementTableFields[] = {"]
    fields = [f for f in d.functions if in_table(f)]
    o += [f'    {{"{f.symbol}", offsetof(ManagementTable, {f.symbol})}},' for f in fields]
    o += ["};", f"const size_t kManagementTableFieldCount = {len(fields)};\n", "}  // namespace bitfusion"]
    return "\n".join(o) + "\n"


def api_header(d):
    o = [BANNER, "// NVML's functions, for programs that call the library by its exported names.\n#pragma once\n",
         '#include "nvml_types.gen.h"\n', 'extern "C" {']
    o += [prototype(f) + ";" for f in d.functions]
    return "\n".join(o) + '\n}  // extern "C"\n'


# Exported by the library, declared by no header.
UNDECLARED = {"nvmlInternalGetExportTable", "nvmlGetBlacklistDeviceCount", "nvmlGetBlacklistDeviceInfoByIndex"}


def abi_check(d):
    o = [BANNER, "#include <cstddef>\n#include <cstdint>\n#include <type_traits>\n",
         'namespace ours {\n#include "nvml_types.gen.h"\n}  // namespace ours\n', "#define NVML_NO_UNVERSIONED_FUNC_DEFS", "#include <nvml.h>\n"]
    for t in d.types:
        if isinstance(t, Enum):
            o += [f'static_assert(static_cast<long long>(::{k}) == {v}, "{k}");' for k, v in t.values]
        elif isinstance(t, Struct):
            o.append(f'static_assert(sizeof(::{t.name}) == {t.size} && alignof(::{t.name}) == alignof(ours::{t.name}), "{t.name}");')
            o += [f'static_assert(offsetof(::{t.name}, {n}) == offsetof(ours::{t.name}, {n}), "{t.name}::{n}");' for n in field_names(t.fields)]
    o.append('#pragma GCC diagnostic ignored "-Wdeprecated-declarations"')
    for f in d.functions:
        if f.symbol not in UNDECLARED:
            types = ", ".join(p.type for p in f.parameters) or "void"
            o.append(f'static_assert(std::is_same_v<decltype(&::{f.symbol}), {f.result} (*)({types})>, "{f.symbol}");')
    return "\n".join(o) + "\n"


