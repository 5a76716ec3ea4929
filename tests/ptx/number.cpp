#include "ptx/number.h"

#include <mpfr.h>

#include <bit>
#include <cmath>
#include <limits>

namespace bitfusion::ptx {

namespace {

struct Format {
    unsigned exponent;
    unsigned mantissa;
    uint64_t nan;
    unsigned width() const { return 1 + exponent + mantissa; }
    int bias() const { return (1 << (exponent - 1)) - 1; }
};

Format format_of(std::string_view type) {
    if (type == "f16") return {5, 10, 0x7fff};
    if (type == "bf16") return {8, 7, 0x7fff};
    if (type == "f32" || type == "tf32") return {8, 23, 0x7fffffff};
    return {11, 52, 0x7ff8000000000000};
}

mpfr_rnd_t mode_of(Round round) {
    switch (round) {
        case Round::kZero:
            return MPFR_RNDZ;
        case Round::kDown:
            return MPFR_RNDD;
        case Round::kUp:
            return MPFR_RNDU;
        default:
            return MPFR_RNDN;
    }
}

// An MPFR number with the range and precision of a format, subnormal numbers included.
class Number {
  public:
    Number(const Format& format, Round round) : format_(format), round_(mode_of(round)) {
        mpfr_init2(value_, static_cast<mpfr_prec_t>(format.mantissa + 1));
    }
    ~Number() { mpfr_clear(value_); }
    Number(const Number&) = delete;
    Number& operator=(const Number&) = delete;

    mpfr_ptr raw() { return value_; }
    mpfr_rnd_t mode() const { return round_; }
    uint64_t bits(int inexact) {
        // computed with the format's precision and any exponent: now comes the format's range
        mpfr_set_emin(-format_.bias() - static_cast<int>(format_.mantissa) + 2);
        mpfr_set_emax(format_.bias() + 1);
        inexact = mpfr_check_range(value_, inexact, round_);
        mpfr_subnormalize(value_, inexact, round_);
        mpfr_set_emin(mpfr_get_emin_min());
        mpfr_set_emax(mpfr_get_emax_max());
        if (mpfr_nan_p(value_)) return format_.nan;
        const uint64_t sign = mpfr_signbit(value_) ? uint64_t{1} << (format_.width() - 1) : 0;
        const double magnitude = std::fabs(mpfr_get_d(value_, MPFR_RNDN));
        if (std::isinf(magnitude)) return sign | ((uint64_t{1} << format_.exponent) - 1) << format_.mantissa;
        if (magnitude == 0) return sign;
        int exponent = 0;
        std::frexp(magnitude, &exponent);
        const int field = exponent - 1 + format_.bias();
        const int mantissa = static_cast<int>(format_.mantissa);
        if (field <= 0)
            return sign | static_cast<uint64_t>(std::ldexp(magnitude, format_.bias() - 1 + mantissa));
        const auto scaled = static_cast<uint64_t>(std::ldexp(magnitude, mantissa - exponent + 1));
        return sign | static_cast<uint64_t>(field) << mantissa | (scaled & ((uint64_t{1} << mantissa) - 1));
    }

  private:
    Format format_;
    mpfr_rnd_t round_;
    mpfr_t value_;
};

// A double as an exact MPFR number.
class Exact {
  public:
    explicit Exact(double value) {
        mpfr_init2(value_, 53);
        mpfr_set_d(value_, value, MPFR_RNDN);
    }
    ~Exact() { mpfr_clear(value_); }
    Exact(const Exact&) = delete;
    Exact& operator=(const Exact&) = delete;
    mpfr_srcptr raw() const { return value_; }

  private:
    mpfr_t value_;
};

}  // namespace

std::vector<uint64_t> float_edges(std::string_view type, bool few) {
    const Format format = format_of(type);
    const uint64_t sign = uint64_t{1} << (format.width() - 1);
    const uint64_t infinity = ((uint64_t{1} << format.exponent) - 1) << format.mantissa;
    const uint64_t one = static_cast<uint64_t>(format.bias()) << format.mantissa;
    const uint64_t ulp = 1;
    const uint64_t normal = uint64_t{1} << format.mantissa;
    std::vector<uint64_t> out{
        0,          sign,         one,           sign | one, infinity - 1,       infinity, sign | infinity,
        format.nan, normal - ulp, sign | normal, one + ulp,  one + (normal >> 1)};
    if (few) return out;
    for (const uint64_t more :
         {ulp, sign | ulp, normal, sign | (normal - ulp), sign | (infinity - 1), one - ulp, one + normal + 3,
          sign | (one + 5 * normal + 7), one - 3 * normal, one + normal * format.mantissa + 1,
          one + normal * (format.mantissa + 1), sign | (one - normal), normal << 1,
          sign | (one + (normal >> 1) + normal), one + (normal >> 1) - 1, (one + normal * 4) | (normal / 3)})
        out.push_back(more);
    return out;
}

bool is_nan(std::string_view type, uint64_t bits) {
    const Format format = format_of(type);
    const uint64_t infinity = ((uint64_t{1} << format.exponent) - 1) << format.mantissa;
    return (bits & ((uint64_t{1} << (format.width() - 1)) - 1)) > infinity;
}

double value_of(std::string_view type, uint64_t bits) {
    if (type == "e4m3" || type == "e5m2") {
        const unsigned mantissa = type == "e4m3" ? 3 : 2;
        const int bias = type == "e4m3" ? 7 : 15;
        const int field = static_cast<int>(bits >> mantissa & (type == "e4m3" ? 15 : 31));
        const auto rest = static_cast<double>(bits & ((1u << mantissa) - 1));
        double value = field == 0
                           ? std::ldexp(rest, 1 - bias - static_cast<int>(mantissa))
                           : std::ldexp(rest + (1 << mantissa), field - bias - static_cast<int>(mantissa));
        if (type == "e4m3" ? (bits & 0x7f) == 0x7f : (bits & 0x7f) > 0x7c) value = std::nan("");
        if (type == "e5m2" && (bits & 0x7f) == 0x7c) value = INFINITY;
        return (bits & 0x80) != 0 ? -value : value;
    }
    const Format format = format_of(type);
    if (format.mantissa == 52) return std::bit_cast<double>(bits);
    if (is_nan(type, bits)) return std::numeric_limits<double>::quiet_NaN();
    const bool minus = (bits >> (format.width() - 1) & 1) != 0;
    const int field = static_cast<int>(bits >> format.mantissa & ((uint64_t{1} << format.exponent) - 1));
    const auto rest = static_cast<double>(bits & ((uint64_t{1} << format.mantissa) - 1));
    const int mantissa = static_cast<int>(format.mantissa);
    double value = 0;
    if (field == (1 << format.exponent) - 1)
        value = INFINITY;
    else if (field == 0)
        value = std::ldexp(rest, 1 - format.bias() - mantissa);
    else
        value = std::ldexp(rest + std::ldexp(1.0, mantissa), field - format.bias() - mantissa);
    return minus ? -value : value;
}

double largest_of(std::string_view type) {
    const Format format = format_of(type);
    return value_of(type, (((uint64_t{1} << format.exponent) - 1) << format.mantissa) - 1);
}

double smallest_normal_of(std::string_view type) {
    return value_of(type, uint64_t{1} << format_of(type).mantissa);
}

uint64_t flushed(std::string_view type, uint64_t bits) {
    const Format format = format_of(type);
    const uint64_t field = ((uint64_t{1} << format.exponent) - 1) << format.mantissa;
    return (bits & field) == 0 ? bits & (uint64_t{1} << (format.width() - 1)) : bits;
}

uint64_t rounded(std::string_view type, double value, Round round) {
    const Exact from(value);
    Number to(format_of(type), round);
    return to.bits(mpfr_set(to.raw(), from.raw(), to.mode()));
}

uint64_t computed(std::string_view type, char operation, Round round, double a, double b, double c) {
    const Exact x(a);
    const Exact y(b);
    const Exact z(c);
    const Exact one(1.0);
    Number to(format_of(type), round);
    int inexact = 0;
    switch (operation) {
        case '+':
            inexact = mpfr_add(to.raw(), x.raw(), y.raw(), to.mode());
            break;
        case '-':
            inexact = mpfr_sub(to.raw(), x.raw(), y.raw(), to.mode());
            break;
        case '*':
            inexact = mpfr_mul(to.raw(), x.raw(), y.raw(), to.mode());
            break;
        case '/':
            inexact = mpfr_div(to.raw(), x.raw(), y.raw(), to.mode());
            break;
        case 'r':
            inexact = mpfr_div(to.raw(), one.raw(), x.raw(), to.mode());
            break;
        case 's':
            inexact = mpfr_sqrt(to.raw(), x.raw(), to.mode());
            break;
        default:
            inexact = mpfr_fma(to.raw(), x.raw(), y.raw(), z.raw(), to.mode());
            break;
    }
    return to.bits(inexact);
}

uint64_t from_integer(std::string_view type, Wide value, Round round) {
    mpfr_t exact;
    mpfr_init2(exact, 130);
    mpfr_set_si(exact, static_cast<long>(value >> 64), MPFR_RNDN);
    mpfr_mul_2ui(exact, exact, 64, MPFR_RNDN);
    mpfr_add_ui(exact, exact, static_cast<unsigned long>(value), MPFR_RNDN);
    uint64_t bits = 0;
    {
        Number to(format_of(type), round);
        bits = to.bits(mpfr_set(to.raw(), exact, to.mode()));
    }
    mpfr_clear(exact);
    return bits;
}

double elementary(std::string_view name, double x) {
    mpfr_t value;
    mpfr_init2(value, 53);
    mpfr_set_d(value, x, MPFR_RNDN);
    if (name == "sin") mpfr_sin(value, value, MPFR_RNDN);
    if (name == "cos") mpfr_cos(value, value, MPFR_RNDN);
    if (name == "lg2") mpfr_log2(value, value, MPFR_RNDN);
    if (name == "ex2") mpfr_exp2(value, value, MPFR_RNDN);
    if (name == "tanh") mpfr_tanh(value, value, MPFR_RNDN);
    if (name == "rsqrt") mpfr_rec_sqrt(value, value, MPFR_RNDN);
    const double result = mpfr_get_d(value, MPFR_RNDN);
    mpfr_clear(value);
    return result;
}

}  // namespace bitfusion::ptx
