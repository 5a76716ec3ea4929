// Functions and kernels that the program has got: their parameter layout and attributes, told once by the
// worker. Looking one up is on the path of every launch: a table by the name's counter, without a lock. Facts
// are published before the handle is returned to the program and unpublished when their module ends; a
// program that uses a handle after that breaks CUDA's rules, and gets CUDA_ERROR_INVALID_HANDLE as long as it
// does not race.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "cuda_types.gen.h"
#include "wire/codec.h"
#include "wire/facts.h"

namespace bitfusion::client {

struct Function {
    uint64_t name = 0;
    uint64_t owner = 0;  // module or library
    std::string symbol;
    std::vector<wire::FunctionFacts::Parameter> parameters;
    std::vector<wire::AttributeFact> attributes;
    size_t parameter_bytes = 0;
    std::atomic<uint64_t> function{0};  // of a kernel: its CUfunction's name once asked for
};

// nullptr when the handle is no function or kernel of this session.
Function* function_of(const void* handle);
// Decodes facts of the worker (a list of FunctionFacts) and publishes them. False when they do not decode.
bool publish_functions(std::span<const uint8_t> facts, uint64_t owner, std::vector<Function*>* published);
void unpublish_functions(uint64_t owner);

CUresult attribute_of(const Function& function, int attribute, int* value);
// Sets an attribute on the server unless it has this value already.
template <typename Set>
CUresult set_attribute(Function* function, int attribute, int value, const Set& set) {
    int now = 0;
    if (attribute_of(*function, attribute, &now) == CUDA_SUCCESS && now == value) return CUDA_SUCCESS;
    const CUresult result = set();
    // Libraries also set attributes that no header names; those are not kept.
    if (result == CUDA_SUCCESS && attribute >= 0 &&
        static_cast<size_t>(attribute) < function->attributes.size()) {
        function->attributes[static_cast<size_t>(attribute)] = {CUDA_SUCCESS, value};
    }
    return result;
}
// Answers that depend on a function's attributes are forgotten (occupancy.cpp).
void forget_occupancy();

}  // namespace bitfusion::client
