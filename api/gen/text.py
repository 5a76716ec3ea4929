"""Small pieces of C++ text that several emitters write."""

BANNER = "// Generated from api/spec by api/generate.py. Do not edit: change the description.\n"


def declaration(parameter):
    t = parameter.type
    return t + ("" if t.endswith("*") else " ") + parameter.name


def prototype(function, name=None):
    inside = ", ".join(declaration(p) for p in function.parameters) or "void"
    space = "" if function.result.endswith("*") else " "
    return f"{function.result}{space}{name or function.symbol}({inside})"


def arguments(function):
    return ", ".join(p.name for p in function.parameters)


def extent(size):
    """A size expression of the description, in saturating arithmetic."""
    import re

    if size.isdigit():
        return f"wire::Extent({size})"
    return re.sub(r"\b(?!rows2d\b)([A-Za-z_]\w*)", r"wire::Extent(\1)", size).replace("rows2d", "wire::rows2d")


def in_table(function):
    """Symbols that a driver may be asked for: the newest variant of everything, and old ones that are served."""
    return not function.old or function.served


def by_value_first(parameters):
    """The order of fields on the wire: sizes of arrays stand before the arrays."""
    return sorted(parameters, key=lambda p: p.is_pointer)


CTYPES = {"u8": "uint8_t", "u16": "uint16_t", "u32": "uint32_t", "u64": "uint64_t", "i32": "int32_t", "f32": "float"}
SPANS = {"bytes": "std::span<const uint8_t>", "bulk": "std::span<const uint8_t>", "text": "std::string_view"}
