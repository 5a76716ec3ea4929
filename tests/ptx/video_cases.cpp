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

// Pieces of both sources in any order, and some of the target alone: ".h13" is piece 1 above piece 3 of {b,
// a}.
struct Selection {
    const char* mask;
    const char* a;
    const char* b;
};

void selections(std::vector<Case>& all) {
    const auto digit = [](const std::string& selector, unsigned piece) {
        return static_cast<unsigned>(selector[selector.size() - 1 - piece] - '0');
    };
    const auto add = [&](const std::string& base, unsigned bits, const std::vector<Selection>& chosen,
                         const Operation& operation) {
        for (const Selection& one : chosen)
            for (const bool is_signed : {false, true})
                for (const std::string mode : {"", ".sat", ".add"}) {
                    if (mode == ".sat" && base == "vset") continue;
                    const std::string type = is_signed ? ".s32" : ".u32";
                    const std::string name = base + (bits == 16 ? "2" : "4") +
                                             (base == "vset" ? type + type + ".lt" : type + type + type) +
                                             mode;
                    const std::string mask = one.mask, a = one.a, b = one.b;
                    const unsigned count = 32 / bits;
                    all.push_back(exact(name + mask + a + b, "b32 b32 b32 b32", [=](In x) {
                                      const uint64_t both = x.b << 32 | (x.a & 0xffffffff);
                                      uint64_t out = x.c & 0xffffffff;
                                      for (unsigned k = 0; k < count; ++k) {
                                          const auto has = static_cast<char>('0' + k);
                                          if (!mask.empty() && mask.find(has) == std::string::npos) continue;
                                          const unsigned from_a = a.empty() ? k : digit(a, k);
                                          const unsigned from_b = b.empty() ? k + count : digit(b, k);
                                          Wide value =
                                              operation(number(both >> (bits * from_a), bits, is_signed),
                                                        number(both >> (bits * from_b), bits, is_signed));
                                          if (mode == ".sat") value = clamped(value, bits, is_signed);
                                          const uint64_t whole = ((uint64_t{1} << bits) - 1) << (bits * k);
                                          if (mode == ".add")
                                              out += static_cast<uint64_t>(value);
                                          else
                                              out = (out & ~whole) |
                                                    (static_cast<uint64_t>(value) << (bits * k) & whole);
                                      }
                                      return out & 0xffffffff;
                                  }).written(name + " %d" + mask + ", %a" + a + ", %b" + b + ", %c;"));
                }
    };
    const std::vector<Selection> halves = {{".h0", "", ""},          {".h1", "", ""},
                                           {".h10", ".h01", ".h23"}, {"", ".h33", ".h00"},
                                           {".h1", ".h13", ".h20"},  {"", ".h02", ""}};
    const std::vector<Selection> bytes = {{".b0", "", ""},          {".b3", ".b7654", ".b3210"},
                                          {".b20", "", ".b0000"},   {".b321", ".b0123", ".b4567"},
                                          {"", ".b7070", ".b1616"}, {".b3210", "", ".b5555"}};
    for (const auto& [bits, chosen] : {std::pair(16u, halves), std::pair(8u, bytes)}) {
        add("vadd", bits, chosen, [](Wide x, Wide y) { return x + y; });
        add("vsub", bits, chosen, [](Wide x, Wide y) { return x - y; });
        add("vabsdiff", bits, chosen, [](Wide x, Wide y) { return x < y ? y - x : x - y; });
        add("vset", bits, chosen, [](Wide x, Wide y) -> Wide { return x < y; });
    }
}

}  // namespace

std::vector<Case> video_cases() {
    std::vector<Case> all;
    scalars(all);
    products(all);
    parts(all);
    selections(all);
    return all;
}

}  // namespace bitfusion::ptx
