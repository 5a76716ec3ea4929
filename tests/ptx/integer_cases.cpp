// Integer arithmetic ("PTX ISA", section 9.7.1).
#include <algorithm>

#include "ptx/case.h"
#include "ptx/wide.h"

namespace bitfusion::ptx {

namespace {

std::string triple(const std::string& type) { return type + " " + type + " " + type; }

void of_width(std::vector<Case>& all, unsigned width, bool is_signed) {
    const std::string type = (is_signed ? "s" : "u") + std::to_string(width);
    const std::string three = triple(type);
    const std::string four = three + " " + type;
    const auto v = [=](uint64_t bits) { return number(bits, width, is_signed); };
    const auto low = [](Wide value) { return static_cast<uint64_t>(value); };
    all.push_back(exact("add." + type, three, [=](In x) { return x.a + x.b; }));
    all.push_back(exact("sub." + type, three, [=](In x) { return x.a - x.b; }));
    all.push_back(exact("mul.lo." + type, three, [=](In x) { return x.a * x.b; }));
    all.push_back(exact("mul.hi." + type, three, [=](In x) { return high(v(x.a), v(x.b), width); }));
    all.push_back(exact("mad.lo." + type, four, [=](In x) { return x.a * x.b + x.c; }));
    all.push_back(exact("mad.hi." + type, four, [=](In x) { return high(v(x.a), v(x.b), width) + x.c; }));
    all.push_back(exact("sad." + type, four, [=](In x) {
        return low(v(x.c)) + low(v(x.a) < v(x.b) ? v(x.b) - v(x.a) : v(x.a) - v(x.b));
    }));
    // a zero divisor is left to the machine: it is not tried
    Case divide = exact("div." + type, three, [=](In x) { return low(v(x.a) / v(x.b)); });
    std::erase_if(divide.threads, [](In x) { return x.b == 0; });
    Case rest = exact("rem." + type, three, [=](In x) { return low(v(x.a) % v(x.b)); });
    rest.threads = divide.threads;
    all.push_back(std::move(divide));
    all.push_back(std::move(rest));
    all.push_back(exact("min." + type, three, [=](In x) { return low(std::min(v(x.a), v(x.b))); }));
    all.push_back(exact("max." + type, three, [=](In x) { return low(std::max(v(x.a), v(x.b))); }));
    if (is_signed) {
        all.push_back(exact("abs." + type, type + " " + type,
                            [=](In x) { return low(v(x.a) < 0 ? -v(x.a) : v(x.a)); }));
        all.push_back(exact("neg." + type, type + " " + type, [=](In x) { return low(-v(x.a)); }));
    }
    if (width == 64) return;
    const std::string wide = (is_signed ? "s" : "u") + std::to_string(width * 2);
    all.push_back(exact("mul.wide." + type, wide + " " + type + " " + type,
                        [=](In x) { return low(v(x.a)) * low(v(x.b)); }));
    all.push_back(exact("mad.wide." + type, wide + " " + type + " " + type + " " + wide,
                        [=](In x) { return low(v(x.a)) * low(v(x.b)) + x.c; }));
}

Wide clamped(Wide value) { return std::clamp<Wide>(value, INT32_MIN, INT32_MAX); }

void of_pairs(std::vector<Case>& all) {
    const auto each = [](In x, bool is_signed, auto f) {
        uint64_t out = 0;
        for (unsigned shift : {0u, 16u})
            out |= (static_cast<uint64_t>(
                        f(number(x.a >> shift, 16, is_signed), number(x.b >> shift, 16, is_signed))) &
                    0xffff)
                   << shift;
        return out;
    };
    const std::string three = "u16x2 u16x2 u16x2";
    const auto add = [](Wide a, Wide b) { return a + b; };
    const auto least = [](Wide a, Wide b) { return std::min(a, b); };
    const auto most = [](Wide a, Wide b) { return std::max(a, b); };
    all.push_back(exact("add.u16x2", three, [=](In x) { return each(x, false, add); }).needs(90));
    all.push_back(exact("add.s16x2", three, [=](In x) { return each(x, true, add); }).needs(90));
    all.push_back(exact("min.u16x2", three, [=](In x) { return each(x, false, least); }).needs(90));
    all.push_back(exact("min.s16x2", three, [=](In x) { return each(x, true, least); }).needs(90));
    all.push_back(exact("max.u16x2", three, [=](In x) { return each(x, false, most); }).needs(90));
    all.push_back(exact("max.s16x2", three, [=](In x) { return each(x, true, most); }).needs(90));
    all.push_back(exact("min.relu.s16x2", three, [=](In x) {
                      return each(x, true, [](Wide a, Wide b) { return std::max<Wide>(0, std::min(a, b)); });
                  }).needs(90));
    all.push_back(exact("max.relu.s16x2", three, [=](In x) {
                      return each(x, true, [](Wide a, Wide b) { return std::max<Wide>(0, std::max(a, b)); });
                  }).needs(90));
}

}  // namespace

std::vector<Case> integer_cases() {
    std::vector<Case> all;
    for (const unsigned width : {16u, 32u, 64u})
        for (const bool is_signed : {false, true}) of_width(all, width, is_signed);
    const auto s = [](uint64_t bits) { return number(bits, 32, true); };
    const auto low = [](Wide value) { return static_cast<uint64_t>(value); };
    const std::string three = "s32 s32 s32";
    const std::string four = three + " s32";
    all.push_back(exact("add.sat.s32", three, [=](In x) { return low(clamped(s(x.a) + s(x.b))); }));
    all.push_back(exact("sub.sat.s32", three, [=](In x) { return low(clamped(s(x.a) - s(x.b))); }));
    all.push_back(
        exact("mad.hi.sat.s32", four, [=](In x) { return low(clamped((s(x.a) * s(x.b) >> 32) + s(x.c))); }));
    all.push_back(exact("min.relu.s32", three, [=](In x) {
                      return low(std::max<Wide>(0, std::min(s(x.a), s(x.b))));
                  }).needs(90));
    all.push_back(exact("max.relu.s32", three, [=](In x) {
                      return low(std::max<Wide>(0, std::max(s(x.a), s(x.b))));
                  }).needs(90));
    for (const bool is_signed : {false, true}) {
        const std::string type = is_signed ? "s32" : "u32";
        const auto v = [=](uint64_t bits) { return number(bits, 24, is_signed); };
        all.push_back(exact("mul24.lo." + type, triple(type), [=](In x) { return low(v(x.a) * v(x.b)); }));
        all.push_back(
            exact("mul24.hi." + type, triple(type), [=](In x) { return low(v(x.a) * v(x.b) >> 16); }));
        all.push_back(exact("mad24.lo." + type, triple(type) + " " + type,
                            [=](In x) { return low(v(x.a) * v(x.b)) + x.c; }));
        all.push_back(exact("mad24.hi." + type, triple(type) + " " + type,
                            [=](In x) { return low(v(x.a) * v(x.b) >> 16) + x.c; }));
        if (is_signed)
            all.push_back(exact("mad24.hi.sat.s32", four,
                                [=](In x) { return low(clamped((v(x.a) * v(x.b) >> 16) + s(x.c))); }));
    }
    of_pairs(all);
    for (const bool a_signed : {false, true})
        for (const bool b_signed : {false, true}) {
            const std::string types = std::string(a_signed ? ".s32" : ".u32") + (b_signed ? ".s32" : ".u32");
            const auto dot4 = [=](In x) {
                uint64_t sum = x.c;
                for (unsigned i = 0; i < 32; i += 8)
                    sum += low(number(x.a >> i, 8, a_signed) * number(x.b >> i, 8, b_signed));
                return sum;
            };
            const auto dot2 = [=](In x, unsigned first) {
                uint64_t sum = x.c;
                for (unsigned i = 0; i < 2; ++i)
                    sum += low(number(x.a >> 16 * i, 16, a_signed) *
                               number(x.b >> (first + 8 * i), 8, b_signed));
                return sum;
            };
            all.push_back(exact("dp4a" + types, "b32 b32 b32 b32", dot4).needs(61));
            all.push_back(
                exact("dp2a.lo" + types, "b32 b32 b32 b32", [=](In x) { return dot2(x, 0); }).needs(61));
            all.push_back(
                exact("dp2a.hi" + types, "b32 b32 b32 b32", [=](In x) { return dot2(x, 16); }).needs(61));
        }
    return all;
}

// The carry flag travels from one instruction to the next.
std::vector<Case> carry_cases() {
    std::vector<Case> all;
    const auto low = [](Wide value) { return static_cast<uint64_t>(value); };
    for (const unsigned width : {32u, 64u})
        for (const bool is_signed : {false, true}) {
            const std::string type = (is_signed ? "s" : "u") + std::to_string(width);
            const std::string four = type + " " + type + " " + type + " " + type;
            const auto u = [=](uint64_t bits) { return number(bits, width, false); };
            const auto v = [=](uint64_t bits) { return number(bits, width, is_signed); };
            const auto carry = [=](Wide sum) { return low(sum >> width & 1); };
            const std::string temporary = ".reg ." + type + " %x; ";
            all.push_back(
                exact("add.cc." + type, four, [=](In x) {
                    return x.c + carry(u(x.a) + u(x.b));
                }).written(temporary + "add.cc." + type + " %x, %a, %b; addc." + type + " %d, %c, 0;"));
            all.push_back(exact("addc.cc." + type, four, [=](In x) { return carry(u(x.b) + u(x.c) + 1); })
                              .written(temporary + "add.cc." + type + " %x, %a, -1; add.cc." + type +
                                       " %x, 1, -1; addc.cc." + type + " %x, %b, %c; addc." + type +
                                       " %d, 0, 0;"));
            all.push_back(
                exact("sub.cc." + type, four, [=](In x) {
                    return x.c - (u(x.a) < u(x.b) ? 1 : 0);
                }).written(temporary + "sub.cc." + type + " %x, %a, %b; subc." + type + " %d, %c, 0;"));
            all.push_back(
                exact("subc.cc." + type, four, [=](In x) { return 0 - low(u(x.b) < u(x.c) + 1 ? 1 : 0); })
                    .written(temporary + "sub.cc." + type + " %x, 0, 1; subc.cc." + type +
                             " %x, %b, %c; subc." + type + " %d, 0, 0;"));
            all.push_back(
                exact("mad.lo.cc." + type, four, [=](In x) {
                    return carry(u(x.a * x.b) + u(x.c));
                }).written(temporary + "mad.lo.cc." + type + " %x, %a, %b, %c; addc." + type + " %d, 0, 0;"));
            all.push_back(
                exact("mad.hi.cc." + type, four, [=](In x) {
                    return carry(u(high(v(x.a), v(x.b), width)) + u(x.c));
                }).written(temporary + "mad.hi.cc." + type + " %x, %a, %b, %c; addc." + type + " %d, 0, 0;"));
            for (const std::string part : {"lo", "hi"}) {
                const auto product = [=](In x) {
                    return part == "lo" ? x.a * x.b : high(v(x.a), v(x.b), width);
                };
                const std::string set = temporary + "add.cc." + type + " %x, -1, 1; ";
                all.push_back(exact("madc." + part + "." + type, four, [=](In x) {
                                  return product(x) + x.c + 1;
                              }).written(set + "madc." + part + "." + type + " %d, %a, %b, %c;"));
                all.push_back(exact("madc." + part + ".cc." + type, four,
                                    [=](In x) { return carry(u(product(x)) + u(x.c) + 1); })
                                  .written(set + "madc." + part + ".cc." + type + " %x, %a, %b, %c; addc." +
                                           type + " %d, 0, 0;"));
            }
        }
    all.push_back(exact("addc.u32", "u32 u32 u32", [](In x) {
                      return x.a + x.b + 1;
                  }).written(".reg .u32 %x; add.cc.u32 %x, -1, 1; addc.u32 %d, %a, %b;"));
    all.push_back(exact("subc.u32", "u32 u32 u32", [](In x) {
                      return x.a - x.b - 1;
                  }).written(".reg .u32 %x; sub.cc.u32 %x, 0, 1; subc.u32 %d, %a, %b;"));
    return all;
}

}  // namespace bitfusion::ptx
