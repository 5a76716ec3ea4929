// Case: one tiny kernel for one form of one PTX instruction, with what each thread must compute.
//
// A case is data: the instruction's text, the values that the threads get, and a judge that knows what PTX
// promises. Judges compute with integers or with MPFR, never with the engine under test. Every case runs
// against any driver (ptx_tests --target=...); docs/ptx.md is made from the same lists (document.cpp).
// Source document: NVIDIA, "PTX ISA", chapter 9.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace bitfusion::ptx {

// What one thread gets: the bits of its sources.
struct In {
    uint64_t a = 0;
    uint64_t b = 0;
    uint64_t c = 0;
    uint64_t e = 0;
};

// Empty when `got`, the result of thread `i`, is right; else what it should have been.
using Judge = std::function<std::string(const std::vector<In>& threads, size_t i, uint64_t got)>;

struct Case {
    std::string name;  // the form, as the document lists it: "add.sat.s32"
    // Computes %d from %a %b %c %e. It may use %t (thread), %m (64 KiB of zeroed global memory) and
    // declare what else it needs; it stands in braces of its own.
    std::string code;
    // Registers, the result first: h 16 bits, r 32, l 64, p predicate.
    std::string types;
    std::vector<In> threads;
    Judge judge;
    unsigned sm = 52;          // the least capability that has it
    unsigned block = 128;      // threads a block
    std::string declarations;  // module scope

    Case&& needs(unsigned capability) && {
        sm = capability;
        return std::move(*this);
    }
    Case&& written(std::string text) && {
        code = std::move(text);
        return std::move(*this);
    }
    Case&& over(std::vector<In> inputs) && {
        threads = std::move(inputs);
        return std::move(*this);
    }
    Case&& in_blocks_of(unsigned count) && {
        block = count;
        return std::move(*this);
    }
    Case&& after(std::string text) && {
        declarations = std::move(text);
        return std::move(*this);
    }
};

// A text that the software GPU refuses by name: not part of PTX for sm_50 to sm_89.
struct Refused {
    std::string name;    // the instruction
    std::string code;    // a statement that uses it
    std::string reason;  // for the document
};

using Reference = std::function<uint64_t(In)>;

// `signature` names the types, the result first, e.g. "u64 u32 u32": they choose registers and edge values.
// Types: b/u/s with 8, 16, 32 or 64, f16 bf16 f32 f64, x2 forms, n32 (a count of bits), pred.
// The results must equal the reference in the bits of the result's type.
Case exact(std::string name, std::string_view signature, Reference reference);
// The same, but any NaN is right where the reference gives one. `bits`: of the floating-point result.
Case exact_or_nan(std::string name, std::string_view signature, Reference reference);
// All threads of a launch together; `expected(threads)` gives every result.
using WarpReference = std::function<std::vector<uint64_t>(const std::vector<In>&)>;
Case together(std::string name, std::string_view signature, WarpReference reference);
// Approximate f32 and f16 results: `reference` gives the exact value, `fits` the freedom that PTX leaves.
struct Tolerance {
    double absolute = 0;
    double relative = 0;
    bool flushed = false;  // subnormal sources and results may be zero
};
Case near(std::string name, std::string_view signature, std::function<double(double)> reference,
          Tolerance tolerance);

// The edge values of a type by name: zero, one, limits, and for floats infinities, NaN, subnormals, ties.
std::vector<uint64_t> edges(std::string_view type, bool few = false);
// Bits of a type; 1 for pred.
unsigned width_of(std::string_view type);
// All combinations of edge values of the sources.
std::vector<In> combinations(const std::vector<std::string>& sources);
// `count` threads of pseudo-random 64-bit values, the same on every run.
std::vector<In> scattered(size_t count, uint64_t seed = 1);

inline int64_t sign_extended(uint64_t bits, unsigned width) {
    return static_cast<int64_t>(bits << (64 - width)) >> (64 - width);
}

// The module that runs the case: kernel `k` with (inputs, results, scratch, count).
std::string module_of(const Case& one);

// Every list of cases by the name of its group, in the order of the document.
struct Group {
    std::string name;
    std::vector<Case> cases;
};
const std::vector<Group>& groups();
const std::vector<Refused>& refused();

std::vector<Case> integer_cases();
std::vector<Case> carry_cases();
std::vector<Case> bit_cases();
std::vector<Case> float_cases();
std::vector<Case> math_cases();
std::vector<Case> half_cases();
std::vector<Case> compare_cases();
std::vector<Case> convert_cases();
std::vector<Case> move_cases();
std::vector<Case> memory_cases();
std::vector<Case> atomic_cases();
std::vector<Case> control_cases();
std::vector<Case> barrier_cases();
std::vector<Case> warp_cases();
std::vector<Case> matrix_cases();
std::vector<Case> video_cases();
std::vector<Case> special_cases();
std::vector<Refused> refused_cases();

}  // namespace bitfusion::ptx
