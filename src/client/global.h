// Variables of modules and libraries, and modules that came from libraries.
#pragma once

#include <cstdint>

#include "cuda_types.gen.h"

namespace bitfusion::client {

// Address and size of a variable; the range is entered into the memory map.
CUresult find_global(uint64_t owner, bool of_library, bool managed, const char* name, CUdeviceptr* address,
                     size_t* bytes);
// Makes a module that the worker named known to the module calls.
void adopt_module(CUmodule module);

}  // namespace bitfusion::client
