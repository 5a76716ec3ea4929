"""error_texts.gen.h: the name and the text of every error, as cuGetErrorName and cuGetErrorString answer them."""

from gen.text import BANNER


def emit(d):
    known = dict(d.error_texts)
    missing = [k for k, _ in d.enums["CUresult"].values if k not in known]
    if missing:
        from dsl import SpecError

        raise SpecError("no error_text for " + " ".join(missing))
    o = [BANNER, "#pragma once\n", '#include "cuda_types.gen.h"\n', "namespace bitfusion {\n", "struct ErrorText {", "    CUresult code;",
         "    const char* name;", "    const char* text;", "};\n", "inline constexpr ErrorText kErrorTexts[] = {"]
    o += [f'    {{{code}, "{code}", "{text}"}},' for code, text in d.error_texts]
    o += ["};\n", "// nullptr for a number that is no CUresult.", "constexpr const ErrorText* error_text(CUresult code) {",
          "    for (const ErrorText& e : kErrorTexts) {", "        if (e.code == code) return &e;", "    }", "    return nullptr;", "}\n",
          "}  // namespace bitfusion"]
    return "\n".join(o) + "\n"
