// Video instructions, scalar and of two or four parts ("PTX ISA", sections 9.7.17 and 9.7.18).
#include <algorithm>

#include "ptx/case.h"
#include "ptx/wide.h"

namespace bitfusion::ptx {

namespace {

// A byte, a half or all of a register: ".b2", ".h1", "".
Wide selected(uint64_t bits, const std::string& selector, bool is_signed) {
    if (selector.empty()) return number(bits, 32, is_signed);
    const auto index = static_cast<unsigned>(selector[2] - '0');
    return selector[1] == 'b' ? number(bits >> (8 * index), 8, is_signed)
                              : number(bits >> (16 * index), 16, is_signed);
}

Wide clamped(Wide value, unsigned width, bool is_signed) {
    const Wide one = 1;
    return is_signed ? std::clamp<Wide>(value, -(one << (width - 1)), (one << (width - 1)) - 1)
                     : std::clamp<Wide>(value, 0, (one << width) - 1);
}

unsigned width_of_part(const std::string& selector) {
    return selector.empty() ? 32 : selector[1] == 'b' ? 8 : 16;
}

uint64_t merged(uint64_t value, const std::string& selector, uint64_t c) {
    if (selector.empty()) return value;
    const unsigned width = width_of_part(selector);
    const unsigned shift = static_cast<unsigned>(selector[2] - '0') * width;
    const uint64_t mask = ((uint64_t{1} << width) - 1) << shift;
    return (value << shift & mask) | (c & ~mask & 0xffffffff);
}

using Operation = std::function<Wide(Wide a, Wide b)>;

uint64_t second(const std::string& operation, uint64_t value, uint64_t c, bool is_signed) {
    const Wide x = number(value, 32, is_signed);
    const Wide y = number(c, 32, is_signed);
    return static_cast<uint64_t>(operation == ".add"   ? x + y
                                 : operation == ".min" ? std::min(x, y)
                                                       : std::max(x, y));
}

struct Form {
    std::string base;
    std::string types;  // as written: ".s32.u32.s32"
    bool d_signed, a_signed, b_signed;
    std::string mode;  // vshl and vshr
    Operation operation;
};

void forms(std::vector<Case>& all, const Form& form) {
    const auto add = [&](const std::string& a, const std::string& b, const std::string& sat,
                         const std::string& d, const std::string& op2) {
        const bool third = !d.empty() || !op2.empty();
        const std::string name = form.base + form.types + sat + form.mode + op2;
        all.push_back(exact(name + (a + b + d).c_str(), third ? "b32 b32 b32 b32" : "b32 b32 b32", [=](In x) {
                          Wide value = form.operation(selected(x.a, a, form.a_signed),
                                                      selected(x.b, b, form.b_signed));
                          if (!sat.empty()) value = clamped(value, width_of_part(d), form.d_signed);
                          const uint64_t bits = static_cast<uint64_t>(value) & 0xffffffff;
                          return op2.empty() ? merged(bits, d, x.c) : second(op2, bits, x.c, form.d_signed);
                      }).written(name + " %d" + d + ", %a" + a + ", %b" + b + (third ? ", %c;" : ";")));
    };
    const bool saturates = form.base != "vset";
    add("", "", "", "", "");
    add(".b0", ".h1", "", "", "");
    add(".h0", ".b3", saturates ? ".sat" : "", ".b1", "");
    add(".b2", "", "", ".h1", "");
    add(".h1", ".b1", "", "", ".add");
    if (saturates) add("", "", ".sat", "", "");
    if (saturates) add("", ".h0", ".sat", ".h0", "");
    add("", "", "", "", ".min");
    add(".b3", ".b0", "", "", ".max");
}

void scalars(std::vector<Case>& all) {
    for (const bool d : {false, true})
        for (const bool a : {false, true})
            for (const bool b : {false, true}) {
                const auto named = [](bool is_signed) { return std::string(is_signed ? ".s32" : ".u32"); };
                const std::string types = named(d) + named(a) + named(b);
                const auto form = [&](const std::string& base, Operation operation) {
                    forms(all, {base, types, d, a, b, "", std::move(operation)});
                };
                form("vadd", [](Wide x, Wide y) { return x + y; });
                form("vsub", [](Wide x, Wide y) { return x - y; });
                form("vabsdiff", [](Wide x, Wide y) { return x < y ? y - x : x - y; });
                form("vmin", [](Wide x, Wide y) { return std::min(x, y); });
                form("vmax", [](Wide x, Wide y) { return std::max(x, y); });
                if (b) continue;
                for (const std::string mode : {".clamp", ".wrap"}) {
                    const auto amount = [mode](Wide y) {
                        return static_cast<unsigned>(mode == ".wrap" ? y & 31 : std::min<Wide>(y, 32));
                    };
                    forms(all, {"vshl", types, d, a, b, mode,
                                [=](Wide x, Wide y) { return x * (static_cast<Wide>(1) << amount(y)); }});
                    forms(all,
                          {"vshr", types, d, a, b, mode, [=](Wide x, Wide y) { return x >> amount(y); }});
                }
            }
    for (const std::string how : {"eq", "ne", "lt", "le", "gt", "ge"})
        forms(all, {"vset", ".s32.u32." + how, false, true, false, "", [=](Wide x, Wide y) -> Wide {
                        return how == "eq"   ? x == y
                               : how == "ne" ? x != y
                               : how == "lt" ? x < y
                               : how == "le" ? x <= y
                               : how == "gt" ? x > y
                                             : x >= y;
                    }});
}

void products(std::vector<Case>& all) {
    struct Signs {
        const char* a;
        const char* b;
        const char* c;
    };
    for (const bool a_signed : {false, true})
        for (const bool b_signed : {false, true})
            for (const std::string scale : {"", ".shr7", ".shr15"})
                for (const std::string sat : {"", ".sat"})
                    for (const Signs& signs :
                         {Signs{"", "", ""}, {"-", "", ""}, {"", "-", ""}, {"", "", "-"}, {"po", "", ""}}) {
                        const bool po = std::string(signs.a) == "po";
                        const bool minus_product = !po && (*signs.a != 0) != (*signs.b != 0);
                        const bool minus_c = *signs.c != 0;
                        const bool is_signed = a_signed || b_signed || minus_product || minus_c;
                        const std::string type = std::string(is_signed ? ".s32" : ".u32") +
                                                 (a_signed ? ".s32" : ".u32") + (b_signed ? ".s32" : ".u32");
                        const std::string name = "vmad" + type + (po ? ".po" : "") + sat + scale;
                        all.push_back(exact(name + " " + signs.a + signs.b + signs.c, "b32 b32 b32 b32",
                                            [=](In x) {
                                                const Wide a = selected(x.a, ".h0", a_signed);
                                                const Wide b = selected(x.b, "", b_signed);
                                                const Wide c = number(x.c, 32, is_signed);
                                                Wide value = (minus_product ? -(a * b) : a * b) +
                                                             (minus_c ? -c : c) + (po ? 1 : 0);
                                                value >>= scale == ".shr7" ? 7 : scale == ".shr15" ? 15 : 0;
                                                if (!sat.empty()) value = clamped(value, 32, is_signed);
                                                return static_cast<uint64_t>(value);
                                            })
                                          .written(name + " %d, " + (po ? "" : signs.a) + "%a.h0, " +
                                                   signs.b + "%b, " + signs.c + "%c;"));
                    }
}

// Two halves or four bytes.
void parts(std::vector<Case>& all) {
    for (const unsigned bits : {16u, 8u})
        for (const bool is_signed : {false, true})
            for (const bool sum : {false, true}) {
                const std::string type = is_signed ? ".s32" : ".u32";
                const auto each = [=](In x, bool sat, const Operation& operation) {
                    uint64_t out = sum ? x.c : 0;
                    for (unsigned at = 0; at < 32; at += bits) {
                        Wide value =
                            operation(number(x.a >> at, bits, is_signed), number(x.b >> at, bits, is_signed));
                        if (sat) value = clamped(value, bits, is_signed);
                        if (sum)
                            out += static_cast<uint64_t>(value);
                        else
                            out |= (static_cast<uint64_t>(value) & ((1u << bits) - 1)) << at;
                    }
                    return out;
                };
                const auto add = [&](const std::string& base, bool can_saturate, const Operation& operation) {
                    for (const bool sat : {false, true}) {
                        if (sat && (!can_saturate || sum)) continue;
                        const std::string name = base + (bits == 16 ? "2" : "4") + type + type + type +
                                                 (sat ? ".sat" : "") + (sum ? ".add" : "");
                        all.push_back(
                            exact(name, "b32 b32 b32 b32", [=](In x) { return each(x, sat, operation); }));
                    }
                };
                add("vadd", true, [](Wide a, Wide b) { return a + b; });
                add("vsub", true, [](Wide a, Wide b) { return a - b; });
                add("vavrg", false, [](Wide a, Wide b) { return (a + b + (a + b >= 0 ? 1 : 0)) >> 1; });
                add("vabsdiff", true, [](Wide a, Wide b) { return a < b ? b - a : a - b; });
                add("vmin", false, [](Wide a, Wide b) { return std::min(a, b); });
                add("vmax", false, [](Wide a, Wide b) { return std::max(a, b); });
                for (const std::string how : {"eq", "ne", "lt", "le", "gt", "ge"})
                    all.push_back(exact(std::string(bits == 16 ? "vset2" : "vset4") + type + type + "." +
                                            how + (sum ? ".add" : ""),
                                        "b32 b32 b32 b32", [=](In x) {
                                            return each(x, false, [&](Wide a, Wide b) -> Wide {
                                                return how == "eq"   ? a == b
                                                       : how == "ne" ? a != b
                                                       : how == "lt" ? a < b
                                                       : how == "le" ? a <= b
                                                       : how == "gt" ? a > b
                                                                     : a >= b;
                                            });
                                        }));
            }
}

}  // namespace

std::vector<Case> video_cases() {
    std::vector<Case> all;
    scalars(all);
    products(all);
    parts(all);
    return all;
}

}  // namespace bitfusion::ptx
