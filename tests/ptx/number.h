// Number: the floating-point formats of PTX as bits, and correctly rounded arithmetic on them by GNU MPFR.
//
// Formats go by their PTX names: f16 bf16 f32 f64, and e4m3 e5m2 for decoding. Every value of each of them is
// a double. Results that are no number are the canonical NaN of the format (f64: 0x7ff8...). Any thread.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>
#include <vector>

#include "ptx/wide.h"

namespace bitfusion::ptx {

enum class Round { kNearest, kZero, kDown, kUp };

std::vector<uint64_t> float_edges(std::string_view type, bool few);
bool is_nan(std::string_view type, uint64_t bits);
double value_of(std::string_view type, uint64_t bits);
double largest_of(std::string_view type);
double smallest_normal_of(std::string_view type);
// A subnormal number becomes a zero of its sign (.ftz).
uint64_t flushed(std::string_view type, uint64_t bits);

// A value, which is a double, rounded once to the format.
uint64_t rounded(std::string_view type, double value, Round round = Round::kNearest);
// One operation on exact sources, rounded once: '+', '-', '*', '/', 'f' (a * b + c), 'r' (1 / a), 's' (root).
uint64_t computed(std::string_view type, char operation, Round round, double a, double b = 0, double c = 0);
// An integer rounded to the format.
uint64_t from_integer(std::string_view type, Wide value, Round round = Round::kNearest);

// Elementary functions, correctly rounded to double: "sin", "cos", "lg2", "ex2", "tanh", "rsqrt".
double elementary(std::string_view name, double x);

}  // namespace bitfusion::ptx
