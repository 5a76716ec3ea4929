"""entry_table.gen.cpp: what cuGetProcAddress answers, from the variants and their versions; and the version script."""

from gen.text import BANNER


def variants(d):
    """base name -> [(since, symbol, per-thread since, per-thread symbol)], oldest first."""
    table = {}
    for f in d.functions:
        table.setdefault(f.base, []).append((f.since, f.symbol, f.ptsz, f.symbol + f.variant if f.variant else ""))
    for rows in table.values():
        rows.sort()
    return dict(sorted(table.items()))


def emit(d):
    o = [BANNER, '#include "client/entry_table.h"\n', '#include "cuda_api.gen.h"\n', "namespace bitfusion::client {\n",
         "const EntryVariant kEntryVariants[] = {"]
    count = 0
    for base, rows in variants(d).items():
        for since, symbol, pt_since, pt_symbol in rows:
            pt = f"reinterpret_cast<void*>(&::{pt_symbol})" if pt_symbol else "nullptr"
            o.append(f'    {{"{base}", {since}, reinterpret_cast<void*>(&::{symbol}), {pt_since}, {pt}}},')
            count += 1
    o += ["};", f"const size_t kEntryVariantCount = {count};\n", "}  // namespace bitfusion::client"]
    return "\n".join(o) + "\n"


def exports(d):
    """All symbols of the driver library, one a line."""
    names = []
    for f in d.functions:
        names.append(f.symbol)
        if f.variant:
            names.append(f.symbol + f.variant)
    return sorted(names)


def version_script(d):
    # no version node has a name: programs look the symbols up without versions
    return "{\n  global:\n" + "".join(f"    {n};\n" for n in exports(d)) + "  local: *;\n};\n"
