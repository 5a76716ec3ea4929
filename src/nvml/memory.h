// Memory: a partition's numbers and the programs that use it, fresh from the worker at each call: a program
// that has just allocated wants to see it.
#pragma once

#include <cstdint>
#include <vector>

#include "nvml_types.gen.h"
#include "wire/rows.h"

namespace bitfusion::nvml {

struct MemoryUse {
    uint64_t total = 0;
    uint64_t used = 0;
    uint64_t reserved = 0;
    std::vector<wire::ProcessFact> processes;
};

// Checks the handle. Takes the library's lock.
nvmlReturn_t ask_memory(nvmlDevice_t device, MemoryUse* use);

}  // namespace bitfusion::nvml
