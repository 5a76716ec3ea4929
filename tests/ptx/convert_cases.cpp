// Conversions ("PTX ISA", section 9.7.9: cvt, cvt.pack).
#include <algorithm>
#include <cmath>

#include "ptx/case.h"
#include "ptx/number.h"
#include "ptx/wide.h"

namespace bitfusion::ptx {

namespace {

struct Mode {
    const char* name;
    Round round;
};
constexpr Mode kModes[] = {
    {".rn", Round::kNearest}, {".rz", Round::kZero}, {".rm", Round::kDown}, {".rp", Round::kUp}};

bool is_signed(const std::string& type) { return type[0] == 's'; }

Wide least_of(const std::string& type) {
    return is_signed(type) ? -(static_cast<Wide>(1) << (width_of(type) - 1)) : 0;
}
Wide most_of(const std::string& type) {
    return (static_cast<Wide>(1) << (width_of(type) - (is_signed(type) ? 1 : 0))) - 1;
}

// 8-bit values travel in 16-bit registers; the rest of the source register is not looked at, the result is
// extended to the register.
uint64_t in_register(const std::string& type, Wide value) {
    return static_cast<uint64_t>(number(static_cast<uint64_t>(value), width_of(type), is_signed(type)));
}

void integers(std::vector<Case>& all) {
    for (const std::string from : {"u8", "s8", "u16", "s16", "u32", "s32", "u64", "s64"})
        for (const std::string to : {"u8", "s8", "u16", "s16", "u32", "s32", "u64", "s64"})
            for (const bool sat : {false, true}) {
                if (from == to && from.ends_with("64")) continue;
                // where every value fits, .sat may not stand
                if (sat && least_of(to) <= least_of(from) && most_of(to) >= most_of(from)) continue;
                const auto value = [=](In x) { return number(x.a, width_of(from), is_signed(from)); };
                const std::string wide = width_of(to) == 8 ? (is_signed(to) ? "s16" : "u16") : to;
                const std::string source = width_of(from) == 8 ? "b16" : from;
                const std::string name = std::string("cvt") + (sat ? ".sat." : ".") + to + "." + from;
                all.push_back(exact(name, wide + " " + source, [=](In x) {
                    if (!sat) return in_register(to, value(x));
                    return in_register(to, std::clamp(value(x), least_of(to), most_of(to)));
                }));
            }
}

double whole(double value, Round round) {
    switch (round) {
        case Round::kNearest:
            return std::nearbyint(value);
        case Round::kZero:
            return std::trunc(value);
        case Round::kDown:
            return std::floor(value);
        default:
            return std::ceil(value);
    }
}

// Out of range: the nearest limit. NaN is left to the machine: it is not tried.
Wide clamped(double value, const std::string& to) {
    if (value <= static_cast<double>(least_of(to))) return least_of(to);
    if (value >= std::ldexp(1.0, static_cast<int>(width_of(to)) - (is_signed(to) ? 1 : 0)))
        return most_of(to);
    return static_cast<Wide>(value);
}

void to_integers(std::vector<Case>& all, const std::string& from) {
    for (const std::string to : {"u8", "s8", "u16", "s16", "u32", "s32", "u64", "s64"})
        for (const Mode& mode : kModes)
            for (const bool ftz : {false, true}) {
                if (ftz && from != "f32") continue;
                if (from == "bf16" && width_of(to) == 8) continue;
                const std::string name =
                    std::string("cvt") + mode.name + "i" + (ftz ? ".ftz." : ".") + to + "." + from;
                const std::string wide = width_of(to) == 8 ? (is_signed(to) ? "s16" : "u16") : to;
                Case one = exact(name, wide + " " + from,
                                 [=](In x) {
                                     const double value = value_of(from, ftz ? flushed(from, x.a) : x.a);
                                     return in_register(to, clamped(whole(value, mode.round), to));
                                 })
                               .needs(from == "f16"    ? 53
                                      : from == "bf16" ? 90
                                                       : 52);
                std::erase_if(one.threads, [&](In x) { return is_nan(from, x.a); });
                for (const double value :
                     {2.5, -2.5, 0.5, -0.5, 127.5, 128.0, -129.0, 255.5, 32767.5, 65535.5, 1e9, 2147483648.0,
                      4294967295.5, -2147483649.0, 1e19, 9.3e18, -1e19, 1.8e19})
                    one.threads.push_back({rounded(from, value)});
                all.push_back(std::move(one));
            }
}

void from_integers(std::vector<Case>& all, const std::string& to) {
    for (const std::string from : {"u8", "s8", "u16", "s16", "u32", "s32", "u64", "s64"})
        for (const Mode& mode : kModes) {
            if (to == "bf16" && width_of(from) == 8) continue;
            const std::string source = width_of(from) == 8 ? "b16" : from;
            Case one =
                exact(std::string("cvt") + mode.name + "." + to + "." + from, to + " " + source,
                      [=](In x) {
                          return from_integer(to, number(x.a, width_of(from), is_signed(from)), mode.round);
                      })
                    .needs(to == "f16"    ? 53
                           : to == "bf16" ? 90
                                          : 52);
            for (const uint64_t bits :
                 {uint64_t{0x1000001}, uint64_t{0xffffff7f}, uint64_t{0xffffff80}, uint64_t{2049},
                  uint64_t{65519}, uint64_t{65520}, uint64_t{0x20000000000001}, uint64_t{0xfffffffffffffbff},
                  uint64_t{0x7fffffffffffffff}, uint64_t{257}, uint64_t{385}})
                one.threads.push_back({bits});
            all.push_back(std::move(one));
        }
}

void between_floats(std::vector<Case>& all) {
    const auto form = [&](const std::string& name, const std::string& to, const std::string& from,
                          unsigned capability, Reference reference) {
        Case one = exact_or_nan(name, to + " " + from, std::move(reference)).needs(capability);
        for (const double value :
             {1e-8,        6e-8,   2.98e-8,      2.99e-8,       65519.0,  65520.0,    1e30,
              -3e38,       3.4e38, 1.0009765625, 1.00048828125, 1.001464, 1.00390625, 1.01171875,
              -1.00390625, 1e-40,  9e-41,        1e-310,        1e300,    0.99999,    0.3})
            one.threads.push_back({rounded(from, value)});
        all.push_back(std::move(one));
    };
    const auto read = [](const std::string& type, bool ftz, uint64_t bits) {
        return value_of(type, ftz && type == "f32" ? flushed(type, bits) : bits);
    };
    for (const Mode& mode : kModes)
        for (const bool ftz : {false, true}) {
            const std::string middle = std::string(mode.name) + (ftz ? ".ftz" : "");
            form("cvt" + middle + ".f32.f64", "f32", "f64", 52, [=](In x) {
                const uint64_t bits = rounded("f32", value_of("f64", x.a), mode.round);
                return ftz ? flushed("f32", bits) : bits;
            });
            form("cvt" + middle + ".f16.f32", "f16", "f32", 53,
                 [=](In x) { return rounded("f16", read("f32", ftz, x.a), mode.round); });
            if (!ftz)
                form("cvt" + middle + ".f16.f64", "f16", "f64", 53,
                     [=](In x) { return rounded("f16", value_of("f64", x.a), mode.round); });
        }
    for (const bool zero : {false, true})
        for (const bool relu : {false, true}) {
            const Round round = zero ? Round::kZero : Round::kNearest;
            const std::string middle = std::string(zero ? ".rz" : ".rn") + (relu ? ".relu" : "");
            const auto positive = [=](double value) { return relu && value <= 0 ? 0.0 : value; };
            form("cvt" + middle + ".bf16.f32", "bf16", "f32", 80,
                 [=](In x) { return rounded("bf16", positive(value_of("f32", x.a)), round); });
            if (relu)
                form("cvt" + middle + ".f16.f32", "f16", "f32", 80,
                     [=](In x) { return rounded("f16", positive(value_of("f32", x.a)), round); });
            for (const std::string type : {"f16", "bf16"}) {
                const std::string name = "cvt" + middle + "." + type + "x2.f32";
                all.push_back(exact(name, type + "x2 f32 f32", [=](In x) {
                                  const auto half = [&](uint64_t bits) {
                                      return rounded(type, positive(value_of("f32", bits)), round);
                                  };
                                  return half(x.a) << 16 | half(x.b);
                              }).needs(80));
            }
        }
    for (const bool ftz : {false, true})
        form(std::string("cvt") + (ftz ? ".ftz" : "") + ".f64.f32", "f64", "f32", 52,
             [=](In x) { return rounded("f64", read("f32", ftz, x.a)); });
    form("cvt.f64.f16", "f64", "f16", 53, [](In x) { return rounded("f64", value_of("f16", x.a)); });
    form("cvt.f32.f16", "f32", "f16", 53, [](In x) { return rounded("f32", value_of("f16", x.a)); });
    form("cvt.ftz.f32.f16", "f32", "f16", 53, [](In x) { return rounded("f32", value_of("f16", x.a)); });
    form("cvt.f32.bf16", "f32", "bf16", 90, [](In x) { return rounded("f32", value_of("bf16", x.a)); });
    form("cvt.f64.bf16", "f64", "bf16", 90, [](In x) { return rounded("f64", value_of("bf16", x.a)); });
    const auto saturated = [](const std::string& type, double value) {
        return !(value > 0) ? 0 : rounded(type, std::min(value, 1.0));
    };
    form("cvt.sat.f32.f32", "f32", "f32", 52, [=](In x) { return saturated("f32", value_of("f32", x.a)); });
    form("cvt.ftz.sat.f32.f32", "f32", "f32", 52,
         [=](In x) { return saturated("f32", read("f32", true, x.a)); });
    form("cvt.rn.sat.f32.f64", "f32", "f64", 52,
         [=](In x) { return saturated("f32", value_of("f64", x.a)); });
    form("cvt.rn.sat.f16.f32", "f16", "f32", 53,
         [=](In x) { return saturated("f16", value_of("f32", x.a)); });
    form("cvt.sat.f64.f32", "f64", "f32", 52, [=](In x) { return saturated("f64", value_of("f32", x.a)); });
    for (const std::string type : {"f16", "f32", "f64"})
        for (const Mode& mode : kModes)
            form(std::string("cvt") + mode.name + "i." + type + "." + type, type, type,
                 type == "f16" ? 53 : 52,
                 [=](In x) { return rounded(type, whole(value_of(type, x.a), mode.round)); });
}

// tf32: 10 bits of mantissa; the rest of the register is not looked at by the matrix instructions.
void to_tf32(std::vector<Case>& all) {
    const auto nearest = [](uint64_t bits, bool away) {
        if (is_nan("f32", bits) || (bits & 0x7f800000) == 0x7f800000) return bits >> 13;
        const uint64_t magnitude = bits & 0x7fffffff;
        const uint64_t even = magnitude >> 13 & 1;
        return (bits >> 31) << 18 | (magnitude + (away ? 0x1000 : 0xfff + even)) >> 13;
    };
    struct Form {
        const char* name;
        unsigned capability;
        bool away;
        bool relu;
        bool zero;
    };
    for (const Form& form : {Form{"cvt.rna.tf32.f32", 80, true, false, false},
                             {"cvt.rn.tf32.f32", 90, false, false, false},
                             {"cvt.rz.tf32.f32", 90, false, false, true},
                             {"cvt.rn.relu.tf32.f32", 90, false, true, false}}) {
        Case one = exact(form.name, "b32 f32", [](In) { return 0; }).needs(form.capability);
        std::erase_if(one.threads, [](In x) { return is_nan("f32", x.a); });
        for (const uint64_t bits :
             {0x3f801000u, 0x3f803000u, 0x3f800fffu, 0x3f801001u, 0xbf801000u, 0xbf802fffu})
            one.threads.push_back({bits});
        one.judge = [=](const std::vector<In>& threads, size_t i, uint64_t got) -> std::string {
            const uint64_t bits = threads[i].a;
            uint64_t wanted = form.zero ? bits >> 13 : nearest(bits, form.away);
            if (form.relu && (bits >> 31) != 0) wanted = 0;
            return (got & 0xffffffff) >> 13 == wanted ? "" : std::to_string(wanted);
        };
        all.push_back(std::move(one));
    }
}

// fp8: the nearest of all finite values, ties to an even mantissa; beyond them the largest.
uint64_t to_small(const std::string& type, double value, bool relu) {
    if (std::isnan(value)) return 0x7f;
    if (relu && value <= 0) return 0;
    const uint64_t sign = std::signbit(value) ? 0x80 : 0;
    const uint64_t largest = type == "e4m3" ? 0x7e : 0x7b;
    if (std::fabs(value) >= value_of(type, largest)) return sign | largest;
    uint64_t best = 0;
    for (uint64_t bits = 0; bits <= largest; ++bits) {
        const double distance = std::fabs(value_of(type, bits) - std::fabs(value));
        const double least = std::fabs(value_of(type, best) - std::fabs(value));
        if (distance < least || (distance == least && (bits & 1) == 0)) best = bits;
    }
    return sign | best;
}

void small(std::vector<Case>& all) {
    for (const std::string type : {"e4m3", "e5m2"})
        for (const bool relu : {false, true}) {
            const std::string middle = std::string(".satfinite") + (relu ? ".relu." : ".") + type + "x2.";
            Case one = exact("cvt.rn" + middle + "f32", "b16 f32 f32", [=](In x) {
                           return to_small(type, value_of("f32", x.a), relu) << 8 |
                                  to_small(type, value_of("f32", x.b), relu);
                       }).needs(89);
            for (const double value :
                 {448.0, 464.0, 465.0, 57344.0, 61440.0, 61441.0, 0.001953125, 0.0009765625, 0.0009766,
                  1.0625, 1.1875, 17.0, 19.0, -0.0029296875, 1.5e-5, 7.6e-6, 7.7e-6})
                for (const double other : {value, -1.1 * value})
                    one.threads.push_back({rounded("f32", value), rounded("f32", other)});
            all.push_back(std::move(one));
            all.push_back(exact("cvt.rn" + middle + "f16x2", "b16 f16x2", [=](In x) {
                              return to_small(type, value_of("f16", x.a >> 16 & 0xffff), relu) << 8 |
                                     to_small(type, value_of("f16", x.a & 0xffff), relu);
                          }).needs(89));
            Case back = exact("cvt.rn." + std::string("f16x2.") + type + "x2", "f16x2 b16", [=](In x) {
                            const auto half = [&](uint64_t bits) {
                                return rounded("f16", value_of(type, bits & 0xff));
                            };
                            return half(x.a >> 8) << 16 | half(x.a);
                        }).needs(89);
            back.threads.clear();
            for (uint64_t bits = 0; bits < 256; ++bits)
                back.threads.push_back({bits | ((bits * 37 + 11) & 0xff) << 8});
            if (!relu) all.push_back(std::move(back));
        }
}

// cvt.pack.sat: two 32-bit integers, saturated, beside what is already packed.
void packed(std::vector<Case>& all) {
    for (const std::string to : {"u16", "s16"})
        all.push_back(exact("cvt.pack.sat." + to + ".s32", "b32 s32 s32", [=](In x) {
                          const auto half = [&](uint64_t bits) {
                              return static_cast<uint64_t>(
                                         std::clamp(number(bits, 32, true), least_of(to), most_of(to))) &
                                     0xffff;
                          };
                          return half(x.a) << 16 | half(x.b);
                      }).needs(72));
    for (const std::string to : {"u8", "s8"})
        all.push_back(exact("cvt.pack.sat." + to + ".s32.b32", "b32 s32 s32 b32", [=](In x) {
                          const auto byte = [&](uint64_t bits) {
                              return static_cast<uint64_t>(
                                         std::clamp(number(bits, 32, true), least_of(to), most_of(to))) &
                                     0xff;
                          };
                          return (x.c & 0xffff) << 16 | byte(x.a) << 8 | byte(x.b);
                      }).needs(72));
    for (const std::string to : {"u4", "s4"})
        all.push_back(exact("cvt.pack.sat." + to + ".s32.b32", "b32 s32 s32 b32", [=](In x) {
                          const auto nibble = [&](uint64_t bits) {
                              const Wide value = number(bits, 32, true);
                              return static_cast<uint64_t>(to == "u4" ? std::clamp<Wide>(value, 0, 15)
                                                                      : std::clamp<Wide>(value, -8, 7)) &
                                     15;
                          };
                          return x.c << 8 | nibble(x.a) << 4 | nibble(x.b);
                      }).needs(75));
    for (const std::string to : {"u2", "s2"})
        all.push_back(exact("cvt.pack.sat." + to + ".s32.b32", "b32 s32 s32 b32", [=](In x) {
                          const auto part = [&](uint64_t bits) {
                              const Wide value = number(bits, 32, true);
                              return static_cast<uint64_t>(to == "u2" ? std::clamp<Wide>(value, 0, 3)
                                                                      : std::clamp<Wide>(value, -2, 1)) &
                                     3;
                          };
                          return x.c << 4 | part(x.a) << 2 | part(x.b);
                      }).needs(75));
}

}  // namespace

std::vector<Case> convert_cases() {
    std::vector<Case> all;
    integers(all);
    for (const std::string type : {"f16", "bf16", "f32", "f64"}) {
        to_integers(all, type);
        from_integers(all, type);
    }
    between_floats(all);
    to_tf32(all);
    small(all);
    packed(all);
    return all;
}

}  // namespace bitfusion::ptx
