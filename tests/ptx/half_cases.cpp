// Arithmetic of f16, f16x2, bf16 and bf16x2 ("PTX ISA", section 9.7.4).
#include <cmath>

#include "ptx/case.h"
#include "ptx/number.h"

namespace bitfusion::ptx {

namespace {

using Scalar = std::function<uint64_t(uint64_t a, uint64_t b, uint64_t c)>;

// The form of one half and of two.
void both(std::vector<Case>& all, const std::string& name, const std::string& type, size_t sources,
          unsigned capability, const Scalar& scalar) {
    const auto signature = [&](const std::string& one) {
        std::string out = one;
        for (size_t i = 0; i < sources; ++i) out += " " + one;
        return out;
    };
    all.push_back(exact_or_nan(name + "." + type, signature(type), [=](In x) {
                      return scalar(x.a, x.b, x.c);
                  }).needs(capability));
    Case pair = exact(name + "." + type + "x2", signature(type + "x2"), [](In) { return 0; });
    pair.sm = capability;
    pair.judge = [=](const std::vector<In>& threads, size_t i, uint64_t got) -> std::string {
        for (const unsigned shift : {0u, 16u}) {
            const auto part = [&](uint64_t bits) { return bits >> shift & 0xffff; };
            const In& x = threads[i];
            const uint64_t wanted = scalar(part(x.a), part(x.b), part(x.c));
            if (part(got) != wanted && !(is_nan(type, wanted) && is_nan(type, part(got))))
                return std::to_string(wanted) + " in the half at bit " + std::to_string(shift);
        }
        return {};
    };
    all.push_back(std::move(pair));
}

uint64_t clipped(const std::string& type, const std::string& clip, uint64_t bits) {
    const double value = value_of(type, bits);
    if (clip == ".sat") return !(value > 0) ? 0 : value >= 1 ? rounded(type, 1) : bits;
    if (clip == ".relu") return std::isnan(value) ? rounded(type, NAN) : !(value > 0) ? 0 : bits;
    return bits;
}

void arithmetic(std::vector<Case>& all, const std::string& type) {
    const bool brain = type == "bf16";
    struct Operation {
        const char* name;
        char operation;
        size_t sources;
    };
    for (const Operation& one :
         {Operation{"add", '+', 2}, {"sub", '-', 2}, {"mul", '*', 2}, {"fma.rn", 'f', 3}})
        for (const std::string clip : {"", ".sat", ".relu"})
            for (const bool ftz : {false, true}) {
                if (brain && (ftz || clip == ".sat")) continue;
                if (clip == ".relu" && one.operation != 'f') continue;
                const unsigned capability = brain             ? (one.operation == 'f' ? 80 : 90)
                                            : clip == ".relu" ? 80
                                                              : 53;
                both(all, one.name + std::string(ftz ? ".ftz" : "") + clip, type, one.sources, capability,
                     [=](uint64_t a, uint64_t b, uint64_t c) {
                         const auto read = [&](uint64_t bits) {
                             return value_of(type, ftz ? flushed(type, bits) : bits);
                         };
                         uint64_t out =
                             computed(type, one.operation, Round::kNearest, read(a), read(b), read(c));
                         if (ftz) out = flushed(type, out);
                         return clipped(type, clip, out);
                     });
            }
}

uint64_t extreme(const std::string& type, bool least, bool nan, uint64_t a, uint64_t b) {
    if ((is_nan(type, a) && is_nan(type, b)) || (nan && (is_nan(type, a) || is_nan(type, b)))) return 0x7fff;
    if (is_nan(type, a)) return b;
    if (is_nan(type, b)) return a;
    const double x = value_of(type, a);
    const double y = value_of(type, b);
    return (x < y || (x == y && std::signbit(x) && !std::signbit(y))) == least ? a : b;
}

void rest(std::vector<Case>& all, const std::string& type) {
    const bool brain = type == "bf16";
    for (const bool least : {true, false})
        for (const bool ftz : {false, true})
            for (const bool nan : {false, true})
                for (const bool sign : {false, true}) {
                    if (ftz && brain) continue;
                    const std::string name = std::string(least ? "min" : "max") + (ftz ? ".ftz" : "") +
                                             (nan ? ".NaN" : "") + (sign ? ".xorsign.abs" : "");
                    both(all, name, type, 2, sign ? 86 : 80, [=](uint64_t a, uint64_t b, uint64_t) {
                        if (ftz) a = flushed(type, a);
                        if (ftz) b = flushed(type, b);
                        if (!sign) return extreme(type, least, nan, a, b);
                        const uint64_t size = extreme(type, least, nan, a & 0x7fff, b & 0x7fff);
                        return is_nan(type, size) ? size : size | ((a ^ b) & 0x8000);
                    });
                }
    for (const bool ftz : {false, true}) {
        if (ftz && brain) continue;
        const std::string end = ftz ? ".ftz" : "";
        const unsigned capability = brain ? 80 : 53;
        both(all, "abs" + end, type, 1, capability,
             [=](uint64_t a, uint64_t, uint64_t) { return (ftz ? flushed(type, a) : a) & 0x7fff; });
        both(all, "neg" + end, type, 1, capability,
             [=](uint64_t a, uint64_t, uint64_t) { return (ftz ? flushed(type, a) : a) ^ 0x8000; });
    }
}

}  // namespace

std::vector<Case> half_cases() {
    std::vector<Case> all;
    for (const std::string type : {"f16", "bf16"}) {
        arithmetic(all, type);
        rest(all, type);
    }
    return all;
}

}  // namespace bitfusion::ptx
