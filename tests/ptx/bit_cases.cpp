// Bits, fields and logic ("PTX ISA", sections 9.7.1.15 to 9.7.1.23 and 9.7.8).
#include <algorithm>
#include <bit>

#include "ptx/case.h"
#include "ptx/wide.h"

namespace bitfusion::ptx {

namespace {

uint64_t low_bits(unsigned count) { return count >= 64 ? ~uint64_t{0} : (uint64_t{1} << count) - 1; }

void logic(std::vector<Case>& all, unsigned width) {
    const std::string type = "b" + std::to_string(width);
    const std::string three = type + " " + type + " " + type;
    const std::string two = type + " " + type;
    all.push_back(exact("and." + type, three, [](In x) { return x.a & x.b; }));
    all.push_back(exact("or." + type, three, [](In x) { return x.a | x.b; }));
    all.push_back(exact("xor." + type, three, [](In x) { return x.a ^ x.b; }));
    all.push_back(exact("not." + type, two, [](In x) { return ~x.a; }));
    all.push_back(exact("cnot." + type, two, [=](In x) { return (x.a & low_bits(width)) == 0 ? 1 : 0; }));
    const auto amount = [](In x) { return x.b & 0xffffffff; };
    all.push_back(exact("shl." + type, type + " " + type + " n32",
                        [=](In x) { return amount(x) >= width ? 0 : x.a << amount(x); }));
    for (const char kind : {'b', 'u', 's'}) {
        const std::string named = kind + std::to_string(width);
        all.push_back(exact("shr." + named, named + " " + named + " n32", [=](In x) {
            const auto shift = static_cast<unsigned>(std::min<uint64_t>(amount(x), 64));
            return static_cast<uint64_t>(number(x.a, width, kind == 's') >> shift);
        }));
    }
}

void fields(std::vector<Case>& all, unsigned width) {
    const std::string b = "b" + std::to_string(width);
    const auto ones = [=](In x) { return static_cast<uint64_t>(std::popcount(x.a & low_bits(width))); };
    const auto zeros = [=](In x) {
        return static_cast<uint64_t>(std::countl_zero(x.a & low_bits(width))) - (64 - width);
    };
    all.push_back(exact("popc." + b, "u32 " + b, ones));
    all.push_back(exact("clz." + b, "u32 " + b, zeros));
    all.push_back(exact("brev." + b, b + " " + b, [=](In x) {
        uint64_t out = 0;
        for (unsigned i = 0; i < width; ++i) out |= (x.a >> i & 1) << (width - 1 - i);
        return out;
    }));
    for (const bool is_signed : {false, true}) {
        const std::string type = (is_signed ? "s" : "u") + std::to_string(width);
        const auto highest = [=](In x) -> uint64_t {
            uint64_t value = x.a & low_bits(width);
            if (is_signed && (value >> (width - 1)) != 0) value = ~value & low_bits(width);
            return value == 0 ? 0xffffffff : 63 - static_cast<uint64_t>(std::countl_zero(value));
        };
        all.push_back(exact("bfind." + type, "u32 " + type, highest));
        all.push_back(exact("bfind.shiftamt." + type, "u32 " + type, [=](In x) -> uint64_t {
            return highest(x) == 0xffffffff ? 0xffffffff : width - 1 - highest(x);
        }));
        all.push_back(exact("bfe." + type, type + " " + type + " n32 n32", [=](In x) {
            const uint64_t at = x.b & 0xff;
            const uint64_t length = x.c & 0xff;
            const uint64_t top = width - 1;
            const bool sign = is_signed && length != 0 && (x.a >> std::min(at + length - 1, top) & 1) != 0;
            uint64_t out = sign ? ~uint64_t{0} : 0;
            for (uint64_t i = 0; i <= top && i < length; ++i)
                if (at + i <= top) out = (out & ~(uint64_t{1} << i)) | (x.a >> (at + i) & 1) << i;
            return out;
        }));
    }
    all.push_back(exact("bfi." + b, b + " " + b + " " + b + " n32 n32", [=](In x) {
        const uint64_t at = x.c & 0xff;
        const uint64_t length = x.e & 0xff;
        uint64_t out = x.b;
        for (uint64_t i = 0; i < length && at + i < width; ++i)
            out = (out & ~(uint64_t{1} << (at + i))) | (x.a >> i & 1) << (at + i);
        return out;
    }));
}

uint64_t permuted(In x, const unsigned (&picks)[4], const bool (&sign)[4]) {
    const uint64_t bytes = (x.b << 32) | (x.a & 0xffffffff);
    uint64_t out = 0;
    for (unsigned i = 0; i < 4; ++i) {
        uint64_t byte = bytes >> (8 * picks[i]) & 0xff;
        if (sign[i]) byte = (byte & 0x80) != 0 ? 0xff : 0;
        out |= byte << (8 * i);
    }
    return out;
}

void permutations(std::vector<Case>& all) {
    const auto selected = [](std::string name, auto pick) {
        Case one = exact("prmt.b32" + name, "b32 b32 b32 n32", [=](In x) {
            unsigned picks[4];
            bool sign[4] = {};
            for (unsigned i = 0; i < 4; ++i) {
                const unsigned all_bits = pick(static_cast<unsigned>(x.c), i);
                picks[i] = all_bits & 7;
                sign[i] = all_bits > 7;
            }
            return permuted(x, picks, sign);
        });
        one.code = "prmt.b32" + name + " %d, %a, %b, %c;";
        one.threads = scattered(128, 7);
        return one;
    };
    all.push_back(selected("", [](unsigned c, unsigned i) { return c >> (4 * i) & 15; }));
    // the modes as PTX's table of sources for each value of the selector lists them, byte 0 first
    static constexpr unsigned kF4e[4][4] = {{0, 1, 2, 3}, {1, 2, 3, 4}, {2, 3, 4, 5}, {3, 4, 5, 6}};
    static constexpr unsigned kB4e[4][4] = {{0, 7, 6, 5}, {1, 0, 7, 6}, {2, 1, 0, 7}, {3, 2, 1, 0}};
    static constexpr unsigned kRc8[4][4] = {{0, 0, 0, 0}, {1, 1, 1, 1}, {2, 2, 2, 2}, {3, 3, 3, 3}};
    static constexpr unsigned kEcl[4][4] = {{0, 1, 2, 3}, {1, 1, 2, 3}, {2, 2, 2, 3}, {3, 3, 3, 3}};
    static constexpr unsigned kEcr[4][4] = {{0, 0, 0, 0}, {0, 1, 1, 1}, {0, 1, 2, 2}, {0, 1, 2, 3}};
    static constexpr unsigned kRc16[4][4] = {{0, 1, 0, 1}, {2, 3, 2, 3}, {0, 1, 0, 1}, {2, 3, 2, 3}};
    all.push_back(selected(".f4e", [](unsigned c, unsigned i) { return kF4e[c & 3][i]; }));
    all.push_back(selected(".b4e", [](unsigned c, unsigned i) { return kB4e[c & 3][i]; }));
    all.push_back(selected(".rc8", [](unsigned c, unsigned i) { return kRc8[c & 3][i]; }));
    all.push_back(selected(".ecl", [](unsigned c, unsigned i) { return kEcl[c & 3][i]; }));
    all.push_back(selected(".ecr", [](unsigned c, unsigned i) { return kEcr[c & 3][i]; }));
    all.push_back(selected(".rc16", [](unsigned c, unsigned i) { return kRc16[c & 3][i]; }));
}

void tables(std::vector<Case>& all) {
    for (const unsigned table : {0x00u, 0xffu, 0x80u, 0xfeu, 0x96u, 0xe8u, 0xcau, 0x1au, 0xc0u, 0x3cu, 0x55u})
        all.push_back(exact("lop3.b32 table " + std::to_string(table), "b32 b32 b32 b32", [=](In x) {
                          uint64_t out = 0;
                          for (unsigned i = 0; i < 32; ++i) {
                              const uint64_t row = (x.a >> i & 1) << 2 | (x.b >> i & 1) << 1 | (x.c >> i & 1);
                              out |= uint64_t{table >> row & 1} << i;
                          }
                          return out;
                      }).written("lop3.b32 %d, %a, %b, %c, " + std::to_string(table) + ";"));
    const auto xor3 = [](In x) { return (x.a ^ x.b ^ x.c) & 0xffffffff; };
    all.push_back(exact("lop3.or.b32", "u32 b32 b32 b32 pred",
                        [=](In x) { return xor3(x) + (xor3(x) != 0 || (x.e & 1) != 0 ? 1 : 0); })
                      .needs(70)
                      .written(".reg .pred %p; .reg .u32 %x; lop3.or.b32 %x|%p, %a, %b, %c, 0x96, %e; "
                               "selp.u32 %d, 1, 0, %p; add.u32 %d, %d, %x;"));
    all.push_back(
        exact("lop3.and.b32", "u32 b32 b32 b32 pred",
              [=](In x) { return xor3(x) != 0 && (x.e & 1) == 0 ? 1 : 0; })
            .needs(70)
            .written(".reg .pred %p; lop3.and.b32 _|%p, %a, %b, %c, 0x96, !%e; selp.u32 %d, 1, 0, %p;"));
}

}  // namespace

std::vector<Case> bit_cases() {
    std::vector<Case> all;
    for (const unsigned width : {16u, 32u, 64u}) logic(all, width);
    all.push_back(exact("and.pred", "pred pred pred", [](In x) { return x.a & x.b; }));
    all.push_back(exact("or.pred", "pred pred pred", [](In x) { return x.a | x.b; }));
    all.push_back(exact("xor.pred", "pred pred pred", [](In x) { return x.a ^ x.b; }));
    all.push_back(exact("not.pred", "pred pred", [](In x) { return ~x.a; }));
    for (const unsigned width : {32u, 64u}) fields(all, width);
    permutations(all);
    tables(all);
    const auto both = [](In x) { return (x.b << 32) | (x.a & 0xffffffff); };
    const auto clamp = [](uint64_t n) { return std::min<uint64_t>(n & 0xffffffff, 32); };
    const std::string shift = "b32 b32 b32 n32";
    all.push_back(exact("shf.l.clamp.b32", shift, [=](In x) { return both(x) << clamp(x.c) >> 32; }));
    all.push_back(exact("shf.r.clamp.b32", shift, [=](In x) { return both(x) >> clamp(x.c); }));
    all.push_back(exact("shf.l.wrap.b32", shift, [=](In x) { return both(x) << (x.c & 31) >> 32; }));
    all.push_back(exact("shf.r.wrap.b32", shift, [=](In x) { return both(x) >> (x.c & 31); }));
    for (const bool wrap : {false, true}) {
        const std::string mode = wrap ? "wrap" : "clamp";
        const auto count = [=](uint64_t n) { return static_cast<unsigned>(wrap ? n & 31 : clamp(n)); };
        all.push_back(exact("bmsk." + mode + ".b32", "b32 n32 n32", [=](In x) {
                          return low_bits(count(x.b)) << count(x.a);
                      }).needs(70));
        for (const bool is_signed : {false, true}) {
            const std::string type = is_signed ? "s32" : "u32";
            all.push_back(exact("szext." + mode + "." + type, type + " " + type + " n32", [=](In x) {
                              const unsigned width = count(x.b);
                              return width == 0 ? 0 : static_cast<uint64_t>(number(x.a, width, is_signed));
                          }).needs(70));
        }
    }
    Case nth = exact("fns.b32", "b32 b32 b32 b32", [](In x) -> uint64_t {
                   const auto base = static_cast<int>(x.b & 31);
                   const auto offset = static_cast<int>(x.c % 9) - 4;
                   if (offset == 0) return (x.a >> base & 1) != 0 ? static_cast<uint64_t>(base) : 0xffffffff;
                   int left = std::abs(offset);
                   for (int i = base; i >= 0 && i<32; i += offset> 0 ? 1 : -1)
                       if ((x.a >> i & 1) != 0 && --left == 0) return static_cast<uint64_t>(i);
                   return 0xffffffff;
               }).over(scattered(256, 3));
    // a base below 32 and an offset from -4 to 4
    nth.code =
        ".reg .u64 %w; .reg .u32 %x, %y; and.b32 %x, %b, 31; ld.global.u64 %w, [%from+16]; rem.u64 %w, %w, "
        "9; "
        "cvt.u32.u64 %y, %w; sub.s32 %y, %y, 4; fns.b32 %d, %a, %x, %y;";
    all.push_back(std::move(nth));
    return all;
}

}  // namespace bitfusion::ptx
