#include "device/soft/ptx/parser.h"

#include <charconv>

namespace bitfusion::soft {

namespace {

constexpr int kUnsupportedPtxVersion = 222;
constexpr int kNoBinaryForGpu = 209;

}  // namespace

Error syntax_error(uint32_t line, std::string what) {
    return Error{"line " + std::to_string(line) + ": " + std::move(what), kInvalidPtx};
}

bool Parser::wrong(std::string what) {
    if (!error_) error_ = syntax_error(token().line, std::move(what));
    return false;
}

bool Parser::wrong(const Error& error) {
    if (!error_) error_ = error;
    return false;
}

bool Parser::accept(char punct) {
    if (!token().is(punct)) return false;
    advance();
    return true;
}

bool Parser::expect(char punct) {
    if (accept(punct)) return true;
    if (token().kind == Token::Kind::kEnd)
        return wrong(std::string("the text ends where '") + punct + "' is due; hand over the whole module");
    return wrong(std::string("expected '") + punct + "' but found '" + std::string(token().text) +
                 "'; check the PTX text");
}

bool Parser::name(std::string_view* out) {
    if (token().kind != Token::Kind::kName)
        return wrong("expected a name but found '" + std::string(token().text) + "'; check the PTX text");
    *out = token().text;
    advance();
    return true;
}

bool Parser::integer(uint64_t* out) {
    int64_t value = 0;
    if (!expression(&value)) return false;
    *out = static_cast<uint64_t>(value);
    return true;
}

bool Parser::skip_to_semicolon() {
    while (!token().is(';')) {
        if (token().kind == Token::Kind::kEnd)
            return wrong("the text ends inside a directive; hand over the whole module");
        advance();
    }
    advance();
    return true;
}

// .section .debug_info { ... }: debug information, which the software GPU has no use for.
bool Parser::skip_section() {
    while (!token().is('{')) {
        if (token().kind == Token::Kind::kEnd)
            return wrong("the text ends inside .section; hand over the whole module");
        advance();
    }
    unsigned depth = 0;
    do {
        if (token().is('{')) ++depth;
        if (token().is('}')) --depth;
        if (token().kind == Token::Kind::kEnd)
            return wrong("the text ends inside .section; hand over the whole module");
        advance();
    } while (depth != 0);
    return true;
}

bool Parser::header() {
    advance();
    if (!token().is_directive("version"))
        return wrong("PTX begins with .version; check that this is PTX text");
    // "8.4" reads as a decimal number; its text is what counts
    advance();
    const std::string_view text = token().text;
    unsigned major = 0;
    unsigned minor = 0;
    const auto dot = text.find('.');
    if (dot == std::string_view::npos ||
        std::from_chars(text.data(), text.data() + dot, major).ptr != text.data() + dot ||
        std::from_chars(text.data() + dot + 1, text.data() + text.size(), minor).ptr !=
            text.data() + text.size() ||
        major > 99 || minor > 9)
        return wrong("'.version " + std::string(text) +
                     "' is not of the form major.minor; check the PTX text");
    module_.version = major * 10 + minor;
    if (module_.version > options_.newest_version)
        return wrong(
            Error{"PTX version " + std::string(text) + " is newer than the software GPU understands (" +
                      std::to_string(options_.newest_version / 10) + "." +
                      std::to_string(options_.newest_version % 10) + "); compile with an older CUDA toolkit",
                  kUnsupportedPtxVersion});
    advance();
    if (!token().is_directive("target")) return wrong(".target must follow .version; check the PTX text");
    do {
        advance();
        std::string_view target;
        if (!name(&target)) return false;
        if (!target.starts_with("sm_")) {
            if (target == "debug" || target == "texmode_unified" || target == "texmode_independent" ||
                target == "map_f64_to_f32")
                continue;
            return wrong("unknown target '" + std::string(target) +
                         "'; compile for compute_75 to compute_120");
        }
        unsigned sm = 0;
        std::from_chars(target.data() + 3, target.data() + target.size(), sm);
        module_.target_sm = sm;
        if (sm > options_.device_sm)
            return wrong(Error{"the PTX asks for " + std::string(target) + " but the software GPU is sm_" +
                                   std::to_string(options_.device_sm) + "; compile for an older architecture",
                               kNoBinaryForGpu});
    } while (token().is(','));
    if (module_.target_sm == 0) return wrong(".target names no sm_ architecture; check the PTX text");
    if (token().is_directive("address_size")) {
        advance();
        uint64_t bits = 0;
        if (!integer(&bits)) return false;
        if (bits != 64) return wrong("only 64-bit addresses are supported; compile with -m64");
    } else {
        return wrong("only 64-bit addresses are supported and .address_size is missing; compile with -m64");
    }
    return true;
}

bool Parser::top_level() {
    Linkage linkage = Linkage::kStatic;
    bool external = false;
    for (;; advance()) {
        if (token().is_directive("visible"))
            linkage = Linkage::kVisible;
        else if (token().is_directive("weak"))
            linkage = Linkage::kWeak;
        else if (token().is_directive("common"))
            linkage = Linkage::kCommon;
        else if (token().is_directive("extern"))
            external = true;
        else
            break;
    }
    if (token().kind != Token::Kind::kDirective) {
        if (accept(';')) return true;
        return wrong("expected a directive but found '" + std::string(token().text) +
                     "'; check the PTX text");
    }
    const std::string_view directive = token().text;
    VariableText base;
    base.linkage = linkage;
    base.external = external;
    if (directive == "entry" || directive == "func") {
        advance();
        return function(directive == "entry", linkage, external);
    }
    if (directive == "global" || directive == "const" || directive == "shared") {
        advance();
        return variable(directive == "global"  ? Space::kGlobal
                        : directive == "const" ? Space::kConst
                                               : Space::kShared,
                        base, false);
    }
    if (directive == "file") {
        advance();
        uint64_t number = 0;
        if (!integer(&number)) return false;
        if (token().kind == Token::Kind::kString) advance();
        while (accept(',')) {
            if (!integer(&number)) return false;
        }
        return true;
    }
    if (directive == "section") return skip_section();
    if (directive == "pragma") return skip_to_semicolon();
    if (directive == "alias") {
        advance();
        std::array<std::string_view, 2> names;
        if (!name(&names[0]) || !expect(',') || !name(&names[1])) return false;
        module_.aliases.push_back(names);
        return expect(';');
    }
    return wrong("directive '." + std::string(directive) +
                 "' is not supported by the software GPU; compile without it");
}

Result<ModuleText> Parser::module() {
    if (header())
        while (token().kind != Token::Kind::kEnd && top_level()) {
        }
    if (error_) return tl::unexpected<Error>(*error_);
    return std::move(module_);
}

Result<ModuleText> parse(std::string_view source, const AssembleOptions& options) {
    return Parser(source, options).module();
}

}  // namespace bitfusion::soft
