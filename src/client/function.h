// Functions and kernels that the program has got: their parameter layout and attributes, told once by the
// worker. Looking one up is on the path of every launch: a table by the name's counter, without a lock. Facts
// are published before the handle is returned to the program and unpublished when their module ends; a
// program that uses a handle after that breaks CUDA's rules, and gets CUDA_ERROR_INVALID_HANDLE as long as it
// does not race.
#pragma once

#include <array>
#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "cuda_types.gen.h"
#include "wire/codec.h"
#include "wire/facts.h"

namespace bitfusion::client {

using AttributeFacts = std::vector<wire::AttributeFact>;

struct Function {
    uint64_t name = 0;
    uint64_t owner = 0;  // module or library
    std::string symbol;
    std::vector<wire::FunctionFacts::Parameter> parameters;
    AttributeFacts attributes;
    std::vector<AttributeFacts> on_further_devices;  // of a kernel: what may be set on each by itself
    size_t parameter_bytes = 0;
    std::atomic<uint64_t> function{0};  // of a kernel: its CUfunction's name once asked for
    std::atomic<CUdevice> device{-1};   // of such a CUfunction: the one whose context it is of
};

inline constexpr size_t kFunctionsOfPage = 8192;
inline constexpr size_t kFunctionPages = 4096;  // 33 million functions
using FunctionPage = std::array<std::atomic<Function*>, kFunctionsOfPage>;
// By the counter of the name; filled by function.cpp alone. No destructor: exit handlers still launch.
inline constinit std::array<std::atomic<FunctionPage*>, kFunctionPages> g_function_pages{};

// nullptr when the handle is no function or kernel of this session. Inline: every launch asks.
inline Function* function_of(const void* handle) {
    const auto name = reinterpret_cast<uint64_t>(handle);
    const uint64_t counter = name & 0x7fffffffu;
    if (counter / kFunctionsOfPage >= kFunctionPages) return nullptr;
    const FunctionPage* page = g_function_pages[counter / kFunctionsOfPage].load(std::memory_order_acquire);
    if (page == nullptr) return nullptr;
    Function* function = (*page)[counter % kFunctionsOfPage].load(std::memory_order_acquire);
    return function != nullptr && function->name == name ? function : nullptr;
}
// Decodes facts of the worker (a list of FunctionFacts) and publishes them. False when they do not decode.
bool publish_functions(std::span<const uint8_t> facts, uint64_t owner, std::vector<Function*>* published);
void unpublish_functions(uint64_t owner);

inline CUresult attribute_of(const AttributeFacts& facts, int attribute, int* value) {
    if (attribute < 0 || static_cast<size_t>(attribute) >= facts.size()) return CUDA_ERROR_INVALID_VALUE;
    const wire::AttributeFact& fact = facts[static_cast<size_t>(attribute)];
    if (fact.result == CUDA_SUCCESS) *value = fact.value;
    return static_cast<CUresult>(fact.result);
}
inline CUresult attribute_of(const Function& function, int attribute, int* value) {
    return attribute_of(function.attributes, attribute, value);
}
// A kernel's on one device, which is one of the session's.
inline AttributeFacts* facts_on(Function* kernel, CUdevice device) {
    const auto further = static_cast<size_t>(device) - 1;
    return device > 0 && further < kernel->on_further_devices.size() ? &kernel->on_further_devices[further]
                                                                     : &kernel->attributes;
}
// Sets an attribute on the server unless it has this value already.
template <typename Set>
CUresult set_attribute(AttributeFacts* facts, int attribute, int value, const Set& set) {
    int now = 0;
    if (attribute_of(*facts, attribute, &now) == CUDA_SUCCESS && now == value) return CUDA_SUCCESS;
    const CUresult result = set();
    // Libraries also set attributes that no header names; those are not kept.
    if (result == CUDA_SUCCESS && attribute >= 0 && static_cast<size_t>(attribute) < facts->size())
        (*facts)[static_cast<size_t>(attribute)] = {CUDA_SUCCESS, value};
    return result;
}
// Answers that depend on a function's attributes are forgotten (occupancy.cpp).
void forget_occupancy();

}  // namespace bitfusion::client
