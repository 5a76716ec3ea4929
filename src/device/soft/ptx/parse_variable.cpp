// Variables and parameters: sizes, alignments, initial values ("PTX ISA", section 5.4).
#include <bit>
#include <cstring>

#include "device/soft/ptx/parser.h"

namespace bitfusion::soft {

namespace {

constexpr uint64_t kLargestInitialised = uint64_t{1} << 30;
constexpr uint64_t kLargestParameter = 32764;

}  // namespace

bool Parser::declaration_prefix(VariableText* out) {
    uint32_t width = 1;
    bool typed = false;
    bool aligned = false;
    for (; token().kind == Token::Kind::kDirective;) {
        const std::string_view word = token().text;
        if (word == "align") {
            advance();
            if (token().kind != Token::Kind::kInteger || token().bits == 0 || token().bits > 4096 ||
                !std::has_single_bit(token().bits))
                return wrong("an alignment is a power of two up to 4096; check the PTX text");
            out->alignment = static_cast<uint32_t>(token().bits);
            aligned = true;
            advance();
        } else if (word == "v2" || word == "v4" || word == "v8") {
            width = static_cast<uint32_t>(word[1] - '0');
            advance();
        } else if (word == "attribute") {
            advance();
            if (!expect('(')) return false;
            while (!token().is(')')) {
                if (token().is_directive("managed"))
                    out->managed = true;
                else if (token().kind == Token::Kind::kEnd)
                    return wrong("the text ends inside .attribute; hand over the whole module");
                advance();
            }
            advance();
        } else if (word == "ptr") {
            // a hint on what a pointer parameter points at: .ptr .global .align 16
            advance();
            if (token().is_directive("global") || token().is_directive("const") ||
                token().is_directive("shared") || token().is_directive("local"))
                advance();
            if (token().is_directive("align")) {
                advance();
                advance();
            }
        } else if (word == "texref" || word == "surfref") {
            // eight bytes, whose address stands for what the driver has bound
            out->image = word == "texref" ? ImageVariable::kTexture : ImageVariable::kSurface;
            out->type = Type::kB64;
            typed = true;
            advance();
        } else if (const Type type = type_named(word); type != Type::kNone) {
            out->type = type;
            typed = true;
            advance();
        } else {
            return wrong("'." + std::string(word) +
                         "' in a declaration is not supported by the software GPU; compile without it");
        }
    }
    if (!typed || (bytes_of(out->type) == 0 && out->type != Type::kPred))
        return wrong("a declaration needs a type; check the PTX text");
    const uint32_t size = bytes_of(out->type) * width;
    if (!aligned) out->alignment = size == 0 ? 1 : std::bit_ceil(size);
    out->size = size;
    return true;
}

bool Parser::dimensions(std::vector<Dimension>* out) {
    while (accept('[')) {
        if (out->size() == 8) return wrong("an array has at most 8 dimensions; check the PTX text");
        if (accept(']')) {
            out->push_back({0, false});
            continue;
        }
        uint64_t count = 0;
        if (!integer(&count)) return false;
        if (count > kLargestVariable) return wrong("the array is too large; check the PTX text");
        out->push_back({count, true});
        if (!expect(']')) return false;
    }
    return true;
}

bool Parser::variable(Space space, VariableText base, bool in_function) {
    base.space = space;
    if (!declaration_prefix(&base)) return false;
    do {
        VariableText one = base;
        one.line = token().line;
        if (!name(&one.name)) return false;
        std::vector<Dimension> dims;
        // `.param .b32 name<4>` families are for registers only; for .param, name<n> declares several
        // variables
        uint64_t family = 0;
        if (accept('<')) {
            if (!integer(&family) || !expect('>')) return false;
            return wrong("a family of variables '" + std::string(one.name) +
                         "<...>' is not supported; declare them one by one");
        }
        if (!dimensions(&dims)) return false;
        one.unsized = !dims.empty() && !dims[0].given;
        const uint64_t element = one.size;
        for (size_t i = 0; i < dims.size(); ++i) {
            if (!dims[i].given && i != 0)
                return wrong("only the first dimension may be left open; check the PTX text");
            const auto total = static_cast<Wide>(one.size) * (dims[i].given ? dims[i].count : 0);
            if (total > kLargestVariable) return wrong("the variable is too large; check the PTX text");
            one.size = static_cast<uint64_t>(total);
        }
        if (one.image != ImageVariable::kNone && (space != Space::kGlobal || token().is('=')))
            return wrong("a .texref or .surfref is a .global variable without a value; check the PTX text");
        if (token().is('=')) {
            if (space != Space::kGlobal && space != Space::kConst)
                return wrong("only .global and .const variables have initial values; check the PTX text");
            advance();
            if (!dims.empty() && !dims[0].given) {
                // the initialiser tells the first dimension; it grows one.initial
                uint64_t inner = element;
                for (size_t i = 1; i < dims.size(); ++i) inner *= dims[i].count;
                dims[0] = {inner == 0 ? 0 : kLargestInitialised / inner, false};
            } else if (one.size > kLargestInitialised) {
                return wrong("the initialised variable is too large; check the PTX text");
            }
            if (!initializer(&one, dims)) return false;
            if (one.unsized) {
                uint64_t inner = element;
                for (size_t i = 1; i < dims.size(); ++i) inner *= dims[i].count;
                one.size = inner == 0 ? 0 : (one.initial.size() + inner - 1) / inner * inner;
                one.unsized = false;
            }
            if (one.initial.size() > one.size) return wrong("too many initial values; check the PTX text");
        }
        if (space == Space::kShared && one.unsized) one.external = true;
        if (in_function && (space == Space::kLocal || space == Space::kParam)) {
            if (one.unsized) return wrong("a variable of a function needs a size; check the PTX text");
            if (one.size > (space == Space::kParam ? kLargestParameter : uint64_t{1} << 24))
                return wrong("the variable is too large for a thread's stack; make it smaller");
            const auto index = static_cast<uint32_t>(function_->variables.size());
            if (!scopes_.back().variables.emplace(one.name, index).second)
                return wrong("'" + std::string(one.name) + "' is declared twice; check the PTX text");
            function_->variables.push_back(std::move(one));
        } else if (in_function) {
            const auto index = static_cast<uint32_t>(module_.variables.size());
            if (!scopes_.back().module_variables.emplace(one.name, index).second)
                return wrong("'" + std::string(one.name) + "' is declared twice; check the PTX text");
            module_.variables.push_back(std::move(one));
        } else if (!add_module_variable(std::move(one))) {
            return false;
        }
    } while (accept(','));
    return expect(';');
}

bool Parser::add_module_variable(VariableText variable) {
    const auto [at, fresh] =
        module_.variable_names.emplace(variable.name, static_cast<uint32_t>(module_.variables.size()));
    if (!fresh) {
        VariableText& earlier = module_.variables[at->second];
        if (variable.external) return true;
        if (!earlier.external && variable.linkage != Linkage::kCommon)
            return wrong("'" + std::string(variable.name) + "' is declared twice; check the PTX text");
        earlier = std::move(variable);
        return true;
    }
    module_.variables.push_back(std::move(variable));
    return true;
}

bool Parser::initializer(VariableText* out, std::vector<Dimension> dims) {
    // vectors count as an innermost dimension of scalars
    uint64_t scalars = bytes_of(out->type) == 0 ? 0 : 1;
    if (scalars == 0) return wrong("this type cannot have initial values; check the PTX text");
    uint64_t per_element = out->size;
    for (const Dimension& dim : dims)
        if (dim.given && dim.count != 0) per_element /= dim.count;
    if (dims.empty()) per_element = out->size;
    if (!dims.empty() && !dims[0].given) {
        // size is 0 while the first dimension is open
        return initial_values(out, dims, 0, 0);
    }
    if (dims.empty() && per_element > bytes_of(out->type))
        dims.push_back({per_element / bytes_of(out->type), true});
    if (dims.empty()) return initial_element(out, 0);
    return initial_values(out, dims, 0, 0);
}

bool Parser::initial_values(VariableText* out, const std::vector<Dimension>& dims, size_t level,
                            uint64_t base) {
    uint64_t stride = 1;
    for (size_t i = level + 1; i < dims.size(); ++i) stride *= dims[i].count;
    if (!expect('{')) return false;
    uint64_t count = 0;
    while (!token().is('}')) {
        const uint64_t index = base + count * stride;
        if (token().is('{')) {
            if (level + 1 >= dims.size()) {
                // braces around a single scalar
                advance();
                if (!initial_element(out, index) || !expect('}')) return false;
            } else if (!initial_values(out, dims, level + 1, index)) {
                return false;
            }
            ++count;
        } else if (level + 1 < dims.size()) {
            // a flat list fills the inner dimensions in order
            for (uint64_t i = 0;; ++i) {
                if (i >= dims[level].count * stride)
                    return wrong("too many initial values; check the PTX text");
                if (!initial_element(out, base + i)) return false;
                if (!accept(',') || token().is('}')) break;
            }
            break;
        } else {
            if (!initial_element(out, index)) return false;
            ++count;
        }
        if (count > dims[level].count) return wrong("too many initial values; check the PTX text");
        if (!accept(',')) break;
    }
    return expect('}');
}

bool Parser::initial_element(VariableText* out, uint64_t index) {
    const uint32_t size = bytes_of(out->type);
    const uint64_t offset = index * size;
    if (offset + size > kLargestInitialised)
        return wrong("the initialised variable is too large; check the PTX text");
    if (out->initial.size() < offset + size) {
        initial_bytes_ += offset + size - out->initial.size();
        if (initial_bytes_ > kLargestInitialised)
            return wrong("the initial values of the module are too large; copy them from the host");
        out->initial.resize(offset + size);
    }
    std::byte* place = out->initial.data() + offset;
    uint64_t bits = 0;
    const bool minus = token().is('-');
    // -1.5 and -0f... do not exist in PTX, but a minus sign before an integer does
    if (token().kind == Token::Kind::kFloat32 || token().kind == Token::Kind::kFloat64) {
        const double value =
            token().kind == Token::Kind::kFloat32
                ? static_cast<double>(std::bit_cast<float>(static_cast<uint32_t>(token().bits)))
                : std::bit_cast<double>(token().bits);
        if (out->type == Type::kF32)
            bits = token().kind == Token::Kind::kFloat32 ? token().bits
                                                         : std::bit_cast<uint32_t>(static_cast<float>(value));
        else if (out->type == Type::kF64)
            bits = std::bit_cast<uint64_t>(value);
        else if (token().kind == Token::Kind::kFloat32 && size == 4)
            bits = token().bits;
        else if (token().kind == Token::Kind::kFloat64 && size == 8)
            bits = token().bits;
        else
            return wrong("a floating-point value cannot initialise this type; check the PTX text");
        advance();
    } else if (token().kind == Token::Kind::kName && token().text != "WARP_SZ") {
        RelocationText relocation;
        relocation.offset = static_cast<uint32_t>(offset);
        relocation.size = size;
        if (!name(&relocation.name)) return false;
        if (relocation.name == "generic" && token().is('(')) {
            advance();
            if (!name(&relocation.name) || !expect(')')) return false;
        }
        if (token().is('+') || token().is('-')) {
            if (token().is('+')) advance();
            if (!expression(&relocation.addend)) return false;
        }
        if (size != 8 && size != 4) return wrong("an address needs 4 or 8 bytes; check the PTX text");
        out->relocations.push_back(relocation);
    } else {
        int64_t value = 0;
        if (!expression(&value)) return false;
        bits = static_cast<uint64_t>(value);
        if (!minus && accept('(')) {
            // 0xFF00(symbol): one byte of an address
            if (bits == 0 || size != 1 || std::countr_zero(bits) % 8 != 0 ||
                bits >> std::countr_zero(bits) != 0xff)
                return wrong("a mask selects one byte of an address; check the PTX text");
            RelocationText relocation;
            relocation.offset = static_cast<uint32_t>(offset);
            relocation.size = 1;
            relocation.shift = static_cast<uint32_t>(std::countr_zero(bits));
            if (!name(&relocation.name)) return false;
            if (relocation.name == "generic" && accept('(')) {
                if (!name(&relocation.name) || !expect(')')) return false;
            }
            if (token().is('+') || token().is('-')) {
                if (token().is('+')) advance();
                if (!expression(&relocation.addend)) return false;
            }
            if (!expect(')')) return false;
            out->relocations.push_back(relocation);
            bits = 0;
        } else if (out->type == Type::kF32) {
            bits = std::bit_cast<uint32_t>(static_cast<float>(value));
        } else if (out->type == Type::kF64) {
            bits = std::bit_cast<uint64_t>(static_cast<double>(value));
        }
    }
    std::memcpy(place, &bits, size < 8 ? size : 8);
    return true;
}

bool Parser::parameter_list(std::vector<VariableText>* out, FunctionText* owner) {
    if (!expect('(')) return false;
    while (!token().is(')')) {
        VariableText one;
        one.line = token().line;
        const bool in_register = token().is_directive("reg");
        if (!in_register && !token().is_directive("param"))
            return wrong("a parameter is .param or .reg; check the PTX text");
        one.space = Space::kParam;
        advance();
        if (!declaration_prefix(&one)) return false;
        if (one.image != ImageVariable::kNone)
            return wrong("a .texref or .surfref is no parameter here; pass a texture object");
        if (token().kind == Token::Kind::kName) {
            one.name = token().text;
            advance();
        }
        if (in_register) {
            if (owner == nullptr) return wrong("a prototype takes .param only; check the PTX text");
            one.reg = 0;  // numbered when the body begins
            if (one.type == Type::kPred) return wrong("a predicate cannot be passed; pass a .u32");
        }
        std::vector<Dimension> dims;
        if (!dimensions(&dims)) return false;
        for (const Dimension& dim : dims) {
            if (!dim.given) {
                if (&dim != &dims.back() || dims.size() != 1)
                    return wrong("a parameter needs a size; check the PTX text");
                return wrong(
                    "parameters of unknown size are not supported by the software GPU; pass a pointer");
            }
            one.size *= dim.count;
            if (one.size > kLargestParameter) return wrong("the parameter is too large; pass a pointer");
        }
        if (out->size() >= 4096) return wrong("too many parameters; pass a pointer");
        out->push_back(std::move(one));
        if (!accept(',')) break;
    }
    return expect(')');
}

}  // namespace bitfusion::soft
