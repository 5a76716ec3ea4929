// Comparison and selection ("PTX ISA", sections 9.7.5 and 9.7.6).
#include <cmath>

#include "ptx/case.h"
#include "ptx/number.h"
#include "ptx/wide.h"

namespace bitfusion::ptx {

namespace {

template <class T>
bool holds(const std::string& how, T a, T b) {
    const bool unordered = a != a || b != b;
    if (how == "num") return !unordered;
    if (how == "nan") return unordered;
    const bool u = how.size() == 3;  // equ neu ltu ...
    if (unordered) return u;
    const std::string base = how.substr(0, 2);
    if (base == "eq") return a == b;
    if (base == "ne") return a != b;
    if (base == "lt" || base == "lo") return a < b;
    if (base == "le" || base == "ls") return a <= b;
    if (base == "gt" || base == "hi") return a > b;
    return a >= b;
}

std::vector<std::string> comparisons(const std::string& type) {
    if (type[0] == 'b' && type[1] != 'f') return {"eq", "ne"};
    if (type[0] == 's') return {"eq", "ne", "lt", "le", "gt", "ge"};
    if (type[0] == 'u') return {"eq", "ne", "lt", "le", "gt", "ge", "lo", "ls", "hi", "hs"};
    return {"eq", "ne", "lt", "le", "gt", "ge", "equ", "neu", "ltu", "leu", "gtu", "geu", "num", "nan"};
}

bool compared(const std::string& how, const std::string& type, bool ftz, uint64_t a, uint64_t b) {
    if (type[0] == 'f' || type.starts_with("bf")) {
        const auto read = [&](uint64_t bits) { return value_of(type, ftz ? flushed(type, bits) : bits); };
        return holds(how, read(a), read(b));
    }
    const unsigned width = width_of(type);
    return holds(how, number(a, width, type[0] == 's'), number(b, width, type[0] == 's'));
}

unsigned capability_of(const std::string& type) {
    return type.starts_with("bf") ? 90 : type.starts_with("f16") ? 53 : 52;
}

void predicates(std::vector<Case>& all, const std::string& type) {
    for (const std::string& how : comparisons(type))
        for (const bool ftz : {false, true}) {
            if (ftz && type != "f32" && type != "f16") continue;
            const std::string name = "setp." + how + (ftz ? ".ftz." : ".") + type;
            all.push_back(exact(name, "pred " + type + " " + type, [=](In x) {
                              return compared(how, type, ftz, x.a, x.b) ? 1 : 0;
                          }).needs(capability_of(type)));
        }
    const std::string how = "ne";
    for (const std::string combine : {"and", "or", "xor"}) {
        const auto value = [=](In x, bool first) -> uint64_t {
            const bool c = (x.c & 1) != 0;
            const bool r = compared(how, type, false, x.a, x.b) == first;
            return combine == "and" ? r && c : combine == "or" ? r || c : r != c;
        };
        const std::string form = "setp." + how + "." + combine + "." + type;
        if (capability_of(type) != 52) {  // one predicate only
            all.push_back(exact(form, "pred " + type + " " + type + " pred", [=](In x) {
                              return value(x, true);
                          }).needs(capability_of(type)));
            continue;
        }
        all.push_back(exact(form, "u32 " + type + " " + type + " pred",
                            [=](In x) { return value(x, true) | value(x, false) << 1; })
                          .needs(capability_of(type))
                          .written(".reg .pred %p, %q; .reg .u32 %x; " + form +
                                   " %p|%q, %a, %b, %c; selp.u32 %d, 1, 0, %p; selp.u32 %x, 2, 0, %q; "
                                   "or.b32 %d, %d, %x;"));
    }
}

void pairs(std::vector<Case>& all, const std::string& type) {
    for (const std::string& how : comparisons(type)) {
        const std::string form = "setp." + how + "." + type + "x2";
        const auto half = [=](In x, unsigned shift) -> uint64_t {
            return compared(how, type, false, x.a >> shift & 0xffff, x.b >> shift & 0xffff) ? 1 : 0;
        };
        all.push_back(
            exact(form, "u32 " + type + "x2 " + type + "x2",
                  [=](In x) { return half(x, 0) | half(x, 16) << 1; })
                .needs(capability_of(type))
                .written(".reg .pred %p, %q; .reg .u32 %x; " + form +
                         " %p|%q, %a, %b; selp.u32 %d, 1, 0, %p; selp.u32 %x, 2, 0, %q; or.b32 %d, %d, %x;"));
        all.push_back(exact("set." + how + "." + type + "x2." + type + "x2",
                            "u32 " + type + "x2 " + type + "x2",
                            [=](In x) {
                                const uint64_t one = type == "f16" ? 0x3c00 : 0x3f80;
                                return half(x, 0) * one | (half(x, 16) * one) << 16;
                            })
                          .needs(capability_of(type)));
    }
}

void values(std::vector<Case>& all, const std::string& type) {
    struct Result {
        const char* type;
        uint64_t yes;
    };
    for (const Result& result : {Result{"u32", 0xffffffff}, {"s32", 0xffffffff}, {"f32", 0x3f800000}})
        for (const std::string& how : comparisons(type)) {
            if (capability_of(type) != 52 && result.type[0] == 'f') continue;
            const std::string name = "set." + how + "." + result.type + "." + type;
            all.push_back(exact(name, std::string(result.type) + " " + type + " " + type, [=](In x) {
                              return compared(how, type, false, x.a, x.b) ? result.yes : 0;
                          }).needs(capability_of(type)));
        }
    for (const std::string combine : {"and", "or", "xor"})
        all.push_back(
            exact("set.eq." + combine + ".u32." + type, "u32 " + type + " " + type + " pred",
                  [=](In x) {
                      const bool c = (x.c & 1) == 0;  // negated
                      const bool r = compared("eq", type, false, x.a, x.b);
                      return (combine == "and" ? r && c : combine == "or" ? r || c : r != c) ? 0xffffffff : 0;
                  })
                .needs(capability_of(type))
                .written("set.eq." + combine + ".u32." + type + " %d, %a, %b, !%c;"));
}

}  // namespace

std::vector<Case> compare_cases() {
    std::vector<Case> all;
    for (const std::string type :
         {"b16", "b32", "b64", "u16", "u32", "u64", "s16", "s32", "s64", "f16", "bf16", "f32", "f64"}) {
        predicates(all, type);
        values(all, type);
    }
    for (const std::string type : {"f16", "bf16"}) pairs(all, type);
    for (const std::string type :
         {"b16", "b32", "b64", "u16", "u32", "u64", "s16", "s32", "s64", "f32", "f64"}) {
        all.push_back(exact("selp." + type, type + " " + type + " " + type + " pred",
                            [](In x) { return (x.c & 1) != 0 ? x.a : x.b; }));
        all.push_back(exact("slct." + type + ".s32", type + " " + type + " " + type + " s32",
                            [](In x) { return (x.c >> 31 & 1) == 0 ? x.a : x.b; }));
        for (const bool ftz : {false, true})
            all.push_back(exact(std::string("slct") + (ftz ? ".ftz." : ".") + type + ".f32",
                                type + " " + type + " " + type + " f32", [=](In x) {
                                    const double c = value_of("f32", ftz ? flushed("f32", x.c) : x.c);
                                    return c >= 0 ? x.a : x.b;
                                }));
    }
    return all;
}

}  // namespace bitfusion::ptx
