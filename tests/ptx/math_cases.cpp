// Approximate functions and the error that PTX allows them ("PTX ISA", section 9.7.3: .approx, .full).
#include <cmath>

#include "ptx/case.h"
#include "ptx/number.h"

namespace bitfusion::ptx {

namespace {

constexpr double kUlp = 0x1p-23;

std::vector<In> values(std::initializer_list<double> list) {
    std::vector<In> out;
    for (const double x : list) out.push_back({rounded("f32", x)});
    return out;
}

// Sources over many magnitudes, both signs, besides the edges.
std::vector<In> sweep() {
    std::vector<In> out = combinations({"f32"});
    for (int i = -140; i < 128; i += 3)
        for (const double part : {1.0, 1.37, 1.99})
            for (const double sign : {1.0, -1.0}) out.push_back({rounded("f32", std::ldexp(sign * part, i))});
    return out;
}

Case function(std::string name, double (*reference)(double), Tolerance tolerance) {
    Case one = near(std::move(name), "f32 f32", reference, tolerance);
    one.threads = sweep();
    return one;
}

// div.approx and div.full: 2 ulp where the divisor is neither tiny nor huge.
Case quotient(const std::string& name, bool flushes) {
    Case one = exact(name, "f32 f32 f32", [](In) { return 0; });
    one.threads.clear();
    for (const In& a : sweep())
        for (const double b : {1.0, -3.0, 0.7, 1e20, -1e-20, 12345.678})
            one.threads.push_back({a.a, rounded("f32", b)});
    one.judge = [flushes](const std::vector<In>& threads, size_t i, uint64_t got) -> std::string {
        const double a = value_of("f32", threads[i].a);
        const double wanted = a / value_of("f32", threads[i].b);
        const double value = value_of("f32", got);
        if (std::isnan(wanted)) return std::isnan(value) ? "" : "NaN";
        if (wanted == value) return {};
        // results outside of the normal range: only their size matters
        if (std::fabs(wanted) >= 0x1p127 && std::fabs(value) >= 0x1p126) return {};
        if (std::fabs(wanted) < 0x1p-125 && std::fabs(value) <= 0x1p-125) return {};
        if (flushes && std::fabs(a) < 0x1p-126 && value == 0) return {};
        if (std::fabs(value - wanted) <= 2 * kUlp * std::fabs(wanted)) return {};
        return std::to_string(wanted);
    };
    return one;
}

// f64: the upper half of a double, 2^-20 right (.ftz), or nearly all of its bits.
Case of_double(const std::string& name, double (*reference)(double), double relative) {
    Case one = near(name, "f64 f64", reference, {.relative = relative, .flushed = true});
    std::erase_if(one.threads, [](In x) {
        // sources count with their upper half only: the edges there say nothing of the function
        return std::fabs(value_of("f64", x.a)) < 1e-300 && x.a << 1 != 0;
    });
    for (int i = -300; i < 300; i += 7) one.threads.push_back({rounded("f64", std::ldexp(1.618, i))});
    return one;
}

Case half(const std::string& name, const std::string& type, double (*reference)(double), double relative,
          double absolute, unsigned capability) {
    return near(name, type + " " + type, reference,
                {.absolute = absolute, .relative = relative, .flushed = true})
        .needs(capability);
}

Case pair(const std::string& name, const std::string& type, double (*reference)(double), double relative,
          unsigned capability) {
    Case one = exact(name, type + "x2 " + type + "x2", [](In) { return 0; });
    one.judge = [=](const std::vector<In>& threads, size_t i, uint64_t got) -> std::string {
        for (const unsigned shift : {0u, 16u}) {
            const double wanted = reference(value_of(type, threads[i].a >> shift & 0xffff));
            const double value = value_of(type, got >> shift & 0xffff);
            if (std::isnan(wanted) && std::isnan(value)) continue;
            if (wanted == value || std::fabs(value - wanted) <= relative * std::fabs(wanted)) continue;
            if (std::fabs(wanted) > largest_of(type) && std::isinf(value)) continue;
            if (std::fabs(wanted) < smallest_normal_of(type) && std::fabs(value) <= smallest_normal_of(type))
                continue;
            return std::to_string(wanted) + " in the half at bit " + std::to_string(shift);
        }
        return {};
    };
    one.sm = capability;
    return one;
}

double reciprocal(double x) { return 1 / x; }
double root(double x) { return std::sqrt(x); }
double reciprocal_root(double x) { return x == 0 ? 1 / x : elementary("rsqrt", x); }
double sine(double x) { return elementary("sin", x); }
double cosine(double x) { return elementary("cos", x); }
double logarithm(double x) { return elementary("lg2", x); }
double exponential(double x) { return elementary("ex2", x); }
double tangent(double x) { return elementary("tanh", x); }

}  // namespace

std::vector<Case> math_cases() {
    std::vector<Case> all;
    for (const bool ftz : {false, true}) {
        const std::string end = ftz ? ".ftz.f32" : ".f32";
        const auto relative = [=](double error) {
            return Tolerance{.absolute = 0x1p-149, .relative = error, .flushed = true};
        };
        all.push_back(function("rcp.approx" + end, reciprocal, relative(kUlp)));
        all.push_back(function("sqrt.approx" + end, root, relative(0x1p-22)));
        all.push_back(function("rsqrt.approx" + end, reciprocal_root, relative(0x1p-22)));
        const auto angles = values({0, -0.0, 0.1, -0.7, 1, 1.5707963, -1.5707963, 3.14159265, 4, -5.5,
                                    6.2831853, 1e-20, INFINITY, NAN});
        all.push_back(
            function("sin.approx" + end, sine, {.absolute = 0x1p-20, .flushed = true}).over(angles));
        all.push_back(
            function("cos.approx" + end, cosine, {.absolute = 0x1p-20, .flushed = true}).over(angles));
        all.push_back(function("lg2.approx" + end, logarithm,
                               {.absolute = 0x1p-22, .relative = 0x1p-22, .flushed = true}));
        all.push_back(function("ex2.approx" + end, exponential, relative(0x1p-22)));
        all.push_back(quotient("div.approx" + end, true));
        all.push_back(quotient("div.full" + end, true));
    }
    all.push_back(function("tanh.approx.f32", tangent, {.relative = 0x1p-10, .flushed = true}).needs(75));
    all.push_back(of_double("rcp.approx.ftz.f64", reciprocal, 0x1p-19));
    all.push_back(of_double("rsqrt.approx.f64", reciprocal_root, 0x1p-19));
    all.push_back(of_double("rsqrt.approx.ftz.f64", reciprocal_root, 0x1p-19));
    all.push_back(half("tanh.approx.f16", "f16", tangent, 0x1p-9, 0x1p-10, 75));
    all.push_back(half("tanh.approx.bf16", "bf16", tangent, 0x1p-7, 0, 90));
    all.push_back(half("ex2.approx.f16", "f16", exponential, 0x1p-9, 0, 75));
    all.push_back(half("ex2.approx.ftz.bf16", "bf16", exponential, 0x1p-7, 0, 90));
    all.push_back(pair("tanh.approx.f16x2", "f16", tangent, 0x1p-9, 75));
    all.push_back(pair("tanh.approx.bf16x2", "bf16", tangent, 0x1p-7, 90));
    all.push_back(pair("ex2.approx.f16x2", "f16", exponential, 0x1p-9, 75));
    all.push_back(pair("ex2.approx.ftz.bf16x2", "bf16", exponential, 0x1p-7, 90));
    return all;
}

}  // namespace bitfusion::ptx
