// Floating-point arithmetic of f32 and f64 ("PTX ISA", section 9.7.3), correctly rounded.
#include <cmath>

#include "ptx/case.h"
#include "ptx/number.h"

namespace bitfusion::ptx {

namespace {

struct Mode {
    const char* name;
    Round round;
};
constexpr Mode kModes[] = {
    {".rn", Round::kNearest}, {".rz", Round::kZero}, {".rm", Round::kDown}, {".rp", Round::kUp}};

// .sat: to [0, 1], NaN and negative numbers to +0.
uint64_t saturated(const std::string& type, uint64_t bits) {
    const double value = value_of(type, bits);
    if (!(value > 0)) return 0;
    return value >= 1 ? rounded(type, 1) : bits;
}

std::string repeated(const std::string& type, size_t count) {
    std::string out = type;
    for (size_t i = 1; i < count; ++i) out += " " + type;
    return out;
}

void arithmetic(std::vector<Case>& all, const std::string& type, char operation, const std::string& base,
                size_t sources, bool clips) {
    for (const Mode& mode : kModes)
        for (const bool ftz : {false, true})
            for (const bool sat : {false, true}) {
                if ((ftz || sat) && type == "f64") continue;
                if (sat && !clips) continue;
                const std::string name =
                    base + mode.name + (ftz ? ".ftz" : "") + (sat ? ".sat" : "") + "." + type;
                all.push_back(exact_or_nan(name, repeated(type, sources + 1), [=](In x) {
                    const auto read = [&](uint64_t bits) {
                        return value_of(type, ftz ? flushed(type, bits) : bits);
                    };
                    uint64_t out = computed(type, operation, mode.round, read(x.a), read(x.b), read(x.c));
                    if (ftz) out = flushed(type, out);
                    return sat ? saturated(type, out) : out;
                }));
            }
}

uint64_t extreme(const std::string& type, bool least, bool nan, uint64_t a, uint64_t b) {
    const uint64_t canonical = rounded(type, NAN);
    if (is_nan(type, a) && is_nan(type, b)) return canonical;
    if (nan && (is_nan(type, a) || is_nan(type, b))) return canonical;
    if (is_nan(type, a)) return b;
    if (is_nan(type, b)) return a;
    const double x = value_of(type, a);
    const double y = value_of(type, b);
    // -0 is less than +0
    const bool less = x < y || (x == y && std::signbit(x) && !std::signbit(y));
    return less == least ? a : b;
}

void extremes(std::vector<Case>& all, const std::string& type) {
    const uint64_t sign = type == "f32" ? 0x80000000 : 0x8000000000000000;
    for (const bool least : {true, false}) {
        const std::string base = least ? "min" : "max";
        all.push_back(exact_or_nan(base + "." + type, repeated(type, 3),
                                   [=](In x) { return extreme(type, least, false, x.a, x.b); }));
        if (type == "f64") continue;
        all.push_back(exact_or_nan(base + ".ftz.f32", repeated(type, 3), [=](In x) {
            return extreme(type, least, false, flushed(type, x.a), flushed(type, x.b));
        }));
        all.push_back(exact(base + ".NaN.f32", repeated(type, 3), [=](In x) {
                          return extreme(type, least, true, x.a, x.b);
                      }).needs(80));
        const auto signs = [=](In x, bool nan) {
            const uint64_t size = extreme(type, least, nan, x.a & ~sign, x.b & ~sign);
            return is_nan(type, size) ? size : size | ((x.a ^ x.b) & sign);
        };
        all.push_back(exact_or_nan(base + ".xorsign.abs.f32", repeated(type, 3), [=](In x) {
                          return signs(x, false);
                      }).needs(86));
        all.push_back(exact_or_nan(base + ".NaN.xorsign.abs.f32", repeated(type, 3), [=](In x) {
                          return signs(x, true);
                      }).needs(86));
    }
}

void signs(std::vector<Case>& all, const std::string& type) {
    const uint64_t sign = type == "f32" ? 0x80000000 : 0x8000000000000000;
    const std::string two = type + " " + type;
    all.push_back(exact_or_nan("abs." + type, two, [=](In x) { return x.a & ~sign; }));
    all.push_back(exact_or_nan("neg." + type, two, [=](In x) { return x.a ^ sign; }));
    if (type == "f32") {
        all.push_back(exact_or_nan("abs.ftz.f32", two, [=](In x) { return flushed(type, x.a) & ~sign; }));
        all.push_back(exact_or_nan("neg.ftz.f32", two, [=](In x) { return flushed(type, x.a) ^ sign; }));
    }
    all.push_back(
        exact("copysign." + type, repeated(type, 3), [=](In x) { return (x.a & sign) | (x.b & ~sign); }));
    const auto tested = [&](const std::string& name, auto test) {
        all.push_back(exact("testp." + name + "." + type, "pred " + type,
                            [=](In x) { return test(value_of(type, x.a)) ? 1 : 0; }));
    };
    tested("finite", [](double x) { return std::isfinite(x); });
    tested("infinite", [](double x) { return std::isinf(x); });
    tested("number", [](double x) { return !std::isnan(x); });
    tested("notanumber", [](double x) { return std::isnan(x); });
    const double least = smallest_normal_of(type);
    tested("normal", [=](double x) { return std::isfinite(x) && std::fabs(x) >= least; });
    tested("subnormal", [=](double x) { return x != 0 && std::fabs(x) < least; });
}

}  // namespace

std::vector<Case> float_cases() {
    std::vector<Case> all;
    for (const std::string type : {"f32", "f64"}) {
        arithmetic(all, type, '+', "add", 2, true);
        arithmetic(all, type, '-', "sub", 2, true);
        arithmetic(all, type, '*', "mul", 2, true);
        arithmetic(all, type, 'f', "fma", 3, true);
        arithmetic(all, type, '/', "div", 2, false);
        arithmetic(all, type, 'r', "rcp", 1, false);
        arithmetic(all, type, 's', "sqrt", 1, false);
        extremes(all, type);
        signs(all, type);
        // without a mode: to nearest
        const std::string three = repeated(type, 3);
        const auto plain = [=](char operation) {
            return [=](In x) {
                return computed(type, operation, Round::kNearest, value_of(type, x.a), value_of(type, x.b));
            };
        };
        all.push_back(exact_or_nan("add." + type, three, plain('+')));
        all.push_back(exact_or_nan("sub." + type, three, plain('-')));
        all.push_back(exact_or_nan("mul." + type, three, plain('*')));
        all.push_back(exact_or_nan("mad.rn." + type, repeated(type, 4), [=](In x) {
            return computed(type, 'f', Round::kNearest, value_of(type, x.a), value_of(type, x.b),
                            value_of(type, x.c));
        }));
    }
    return all;
}

}  // namespace bitfusion::ptx
