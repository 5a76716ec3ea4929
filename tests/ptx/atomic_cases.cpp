// Atomics ("PTX ISA", atom and red): on a place of the thread's own, where the result is known, and all
// threads of a block on one place.
#include <algorithm>

#include "ptx/case.h"
#include "ptx/number.h"
#include "ptx/wide.h"

namespace bitfusion::ptx {

namespace {

using Change = std::function<uint64_t(uint64_t old, uint64_t b, uint64_t c)>;

struct Operation {
    std::string name;
    std::string type;
    unsigned capability;
    Change change;
};

std::vector<Operation> operations() {
    std::vector<Operation> all;
    for (const std::string type : {"u32", "s32", "u64", "s64"}) {
        const unsigned width = width_of(type);
        const bool is_signed = type[0] == 's';
        const auto v = [=](uint64_t bits) { return number(bits, width, is_signed); };
        if (type != "s64")
            all.push_back({"add", type, 52, [](uint64_t old, uint64_t b, uint64_t) { return old + b; }});
        all.push_back(
            {"min", type, 52, [=](uint64_t old, uint64_t b, uint64_t) { return v(b) < v(old) ? b : old; }});
        all.push_back(
            {"max", type, 52, [=](uint64_t old, uint64_t b, uint64_t) { return v(b) > v(old) ? b : old; }});
    }
    all.push_back(
        {"inc", "u32", 52, [](uint64_t old, uint64_t b, uint64_t) { return old >= b ? 0 : old + 1; }});
    all.push_back({"dec", "u32", 52,
                   [](uint64_t old, uint64_t b, uint64_t) { return old == 0 || old > b ? b : old - 1; }});
    for (const std::string type : {"b32", "b64"}) {
        all.push_back({"and", type, 52, [](uint64_t old, uint64_t b, uint64_t) { return old & b; }});
        all.push_back({"or", type, 52, [](uint64_t old, uint64_t b, uint64_t) { return old | b; }});
        all.push_back({"xor", type, 52, [](uint64_t old, uint64_t b, uint64_t) { return old ^ b; }});
        all.push_back({"exch", type, 52, [](uint64_t, uint64_t b, uint64_t) { return b; }});
    }
    for (const std::string type : {"b16", "b32", "b64"})
        all.push_back({"cas", type, type == "b16" ? 70u : 52u,
                       [](uint64_t old, uint64_t b, uint64_t c) { return old == b ? c : old; }});
    for (const std::string type : {"f32", "f64"})
        all.push_back({"add", type, type == "f64" ? 60u : 52u, [=](uint64_t old, uint64_t b, uint64_t) {
                           return computed(type, '+', Round::kNearest, value_of(type, old),
                                           value_of(type, b));
                       }});
    for (const std::string type : {"f16", "bf16"}) {
        const auto half = [=](uint64_t old, uint64_t b) {
            return computed(type, '+', Round::kNearest, value_of(type, old & 0xffff),
                            value_of(type, b & 0xffff));
        };
        all.push_back({"add.noftz", type, type == "f16" ? 70u : 90u,
                       [=](uint64_t old, uint64_t b, uint64_t) { return half(old, b); }});
        all.push_back(
            {"add.noftz", type + "x2", type == "f16" ? 60u : 90u, [=](uint64_t old, uint64_t b, uint64_t) {
                 return half(old, b) | half(old >> 16, b >> 16) << 16;
             }});
    }
    return all;
}

std::string declared(const std::string& type) {
    return width_of(type) == 16 ? ".b16" : width_of(type) == 32 ? ".b32" : ".b64";
}

bool is_number(const std::string& type, uint64_t bits) {
    if (type.ends_with("x2")) {
        const std::string half = type.substr(0, type.size() - 2);
        return !is_nan(half, bits & 0xffff) && !is_nan(half, bits >> 16 & 0xffff);
    }
    return (type[0] != 'f' && type[0] != 'b') || type == "b16" || type == "b32" || type == "b64" ||
           !is_nan(type, bits);
}

// The old value and the one in memory afterwards, in one number.
Case alone(const Operation& one, const std::string& space, bool returns) {
    const std::string full = std::string(returns ? "atom" : "red") + space + "." + one.name + "." + one.type;
    const unsigned width = width_of(one.type);
    const bool cas = one.name == "cas";
    const std::string place =
        space == ".shared"
            ? ".shared .align 8 .b8 v[2048]; mov.u64 %p, v; mul.wide.u32 %o, %t, 8; add.u64 %p, %p, %o; "
            : "mul.wide.u32 %o, %i, 8; add.u64 %p, %m, %o; ";
    const std::string b = declared(one.type);
    const std::string memory = b;
    std::string code = ".reg .u64 %p, %o; .reg " + b + " %x, %y; .reg .u64 %w; mov" + b + " %y, 0; " + place +
                       "st" + space + memory + " [%p], %a; " + full +
                       (returns ? " %x, [%p], %b" : " [%p], %b") + (cas ? ", %c; " : "; ") + "ld" + space +
                       memory + " %y, [%p]; ";
    if (!returns) code += "mov" + b + " %x, 0; ";
    code += width == 64   ? "mad.lo.u64 %d, %x, 3, %y;"
            : width == 32 ? "mov.b64 %d, {%x, %y};"
                          : "cvt.u64.u16 %d, %x; cvt.u64.u16 %w, %y; shl.b64 %w, %w, 32; or.b64 %d, %d, %w;";
    Case out = exact(full, "u64 " + one.type + " " + one.type + " " + one.type, [=](In x) {
        const uint64_t mask = width == 64 ? ~uint64_t{0} : (uint64_t{1} << width) - 1;
        const uint64_t old = returns ? x.a & mask : 0;
        const uint64_t now = one.change(x.a & mask, x.b & mask, x.c & mask) & mask;
        return width == 64 ? old * 3 + now : old | now << 32;
    });
    out.code = code;
    out.sm = one.capability;
    // NaN payloads are the machine's own
    std::erase_if(out.threads, [&](In x) { return !is_number(one.type, x.a) || !is_number(one.type, x.b); });
    const std::string half = one.type.ends_with("x2") ? one.type.substr(0, one.type.size() - 2) : one.type;
    if (one.name.starts_with("add") && (half.starts_with("f") || half.starts_with("bf")))
        std::erase_if(out.threads, [&](In x) {
            // sums of infinities and, for f32 in global memory, subnormal numbers too
            for (const unsigned shift : {0u, 16u}) {
                const bool two = one.type.ends_with("x2");
                if (!two && shift != 0) break;
                const auto part = [&](uint64_t bits) { return two ? bits >> shift & 0xffff : bits; };
                const double p = value_of(half, part(x.a));
                const double q = value_of(half, part(x.b));
                if (p + q != p + q) return true;
                if (one.type == "f32" && (flushed(half, x.a) != x.a || flushed(half, x.b) != x.b))
                    return true;
                const uint64_t sum = computed(half, '+', Round::kNearest, p, q);
                if (one.type == "f32" && flushed(half, sum) != sum) return true;
            }
            return false;
        });
    if (!cas) {
        // one of every two of the third source's values is enough
        std::vector<In> fewer;
        for (const In& in : out.threads)
            if (in.c == out.threads[0].c) fewer.push_back(in);
        out.threads = std::move(fewer);
    }
    return out;
}

// All threads of a block on one place: the sum, the least, ... is in memory afterwards.
void contended(std::vector<Case>& all) {
    struct One {
        const char* name;
        const char* start;
        std::function<uint64_t(uint64_t, uint64_t)> fold;
        uint64_t first;
    };
    for (const std::string space : {"", ".global", ".shared"})
        for (const One& one :
             {One{"add.u32", "0", [](uint64_t s, uint64_t x) { return s + x; }, 0},
              One{"max.u32", "0", [](uint64_t s, uint64_t x) { return std::max(s, x & 0xffffffff); }, 0},
              One{"min.u32", "-1", [](uint64_t s, uint64_t x) { return std::min(s, x & 0xffffffff); },
                  0xffffffff},
              One{"xor.b32", "0", [](uint64_t s, uint64_t x) { return s ^ x; }, 0},
              One{"or.b32", "0", [](uint64_t s, uint64_t x) { return s | x; }, 0}})
            for (const bool returns : {false, true}) {
                const std::string full = std::string(returns ? "atom" : "red") + space + "." + one.name;
                const std::string place =
                    space == ".shared"
                        ? ".shared .align 8 .b8 v[8]; mov.u64 %p, v; "
                        : ".reg .u32 %z; mov.u32 %z, %ctaid.x; mul.wide.u32 %p, %z, 8; add.u64 %p, %p, %m; ";
                all.push_back(together(full + " of all threads", "u32 u32",
                                       [=](const std::vector<In>& threads) {
                                           std::vector<uint64_t> out(threads.size());
                                           for (size_t block = 0; block < threads.size(); block += 96) {
                                               uint64_t value = one.first;
                                               for (size_t i = 0; i < 96; ++i)
                                                   value = one.fold(value, threads[block + i].a);
                                               for (size_t i = 0; i < 96; ++i) out[block + i] = value;
                                           }
                                           return out;
                                       })
                                  .in_blocks_of(96)
                                  .over(scattered(288, 6))
                                  .written(".reg .u64 %p; .reg .pred %q; .reg .u32 %x; " + place +
                                           "setp.eq.u32 %q, %t, 0; mov.u32 %x, " + one.start + "; @%q st" +
                                           space + ".u32 [%p], %x; bar.sync 0; " + full +
                                           (returns ? " %x, [%p], %a; " : " [%p], %a; ") +
                                           "bar.sync 0; ld.volatile" + space + ".u32 %d, [%p];"));
            }
}

}  // namespace

std::vector<Case> atomic_cases() {
    std::vector<Case> all;
    for (const Operation& one : operations())
        for (const std::string space : {"", ".global", ".shared"}) {
            all.push_back(alone(one, space, true));
            const bool only_atom = one.name == "cas" || one.name == "exch";
            if (!only_atom) all.push_back(alone(one, space, false));
        }
    contended(all);
    const Operation add{"add", "u32", 70, [](uint64_t old, uint64_t b, uint64_t) { return old + b; }};
    for (const std::string order : {"relaxed", "acquire", "release", "acq_rel"})
        for (const std::string scope : {"cta", "gpu", "sys"}) {
            Operation ordered = add;
            ordered.name = order + "." + scope + ".add";
            Case one = alone(ordered, "", true);
            one.name = "atom." + ordered.name + ".u32";
            one.code.replace(one.code.find("atom." + ordered.name), ("atom." + ordered.name).size(),
                             "atom." + order + "." + scope + ".global.add");
            all.push_back(std::move(one));
        }
    all.push_back(
        exact("atom.global.v2.f32.add", "u64 f32 f32",
              [](In x) {
                  return computed("f32", '+', Round::kNearest, value_of("f32", x.a), 1.0) |
                         computed("f32", '+', Round::kNearest, value_of("f32", x.b), 2.0) << 32;
              })
            .needs(90)
            .over({{0x3f800000, 0x40000000}, {0, 0xbf800000}, {0x4b000000, 0x3f000000}})
            .written(
                ".reg .u64 %p; .reg .f32 %x, %y; mul.wide.u32 %p, %i, 8; add.u64 %p, %p, %m; "
                "st.global.v2.f32 [%p], {%a, %b}; "
                "atom.global.v2.f32.add {%x, %y}, [%p], {0f3F800000, 0f40000000}; ld.global.u64 %d, [%p];"));
    all.push_back(exact("atom.global.b128.exch", "u64 b64 b64", [](In x) { return x.a + x.b * 3; })
                      .needs(90)
                      .over(scattered(64, 8))
                      .written(".reg .u64 %p, %x, %y; .reg .b128 %q, %r; mul.wide.u32 %p, %i, 16; add.u64 "
                               "%p, %p, %m; mov.b128 %q, {%a, %b}; "
                               "atom.global.b128.exch %r, [%p], %q; atom.global.b128.exch %r, [%p], %q; "
                               "mov.b128 {%x, %y}, %r; mad.lo.u64 %d, %y, 3, %x;"));
    all.push_back(
        exact("atom.global.b128.cas", "u64 b64 b64", [](In x) { return x.b + x.a * 3; })
            .needs(90)
            .over(scattered(64, 8))
            .written(
                ".reg .u64 %p, %x, %y; .reg .b128 %q, %r, %s; mul.wide.u32 %p, %i, 16; add.u64 %p, %p, %m; "
                "mov.b128 %q, {%a, %b}; "
                "mov.b128 %s, {%b, %a}; st.global.v2.b64 [%p], {%a, %b}; atom.global.b128.cas %r, [%p], %q, "
                "%s; "
                "atom.global.b128.cas %r, [%p], %q, %s; mov.b128 {%x, %y}, %r; mad.lo.u64 %d, %y, 3, %x;"));
    return all;
}

}  // namespace bitfusion::ptx
