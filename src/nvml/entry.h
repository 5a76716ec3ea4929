// Entry: what every exported function of libnvidia-ml.so.1 does around its own work. Generated code includes
// it.
#pragma once

#include "nvml/library.h"
#include "nvml_types.gen.h"

namespace bitfusion::nvml {

// NVML_ERROR_NOT_SUPPORTED; logged once per function with its name and the reason.
nvmlReturn_t not_served(const char* symbol, const char* why);

// NVML_SUCCESS, though nothing is done: for private functions that a program only announces something with.
// Logged once per function.
nvmlReturn_t acknowledged(const char* symbol, const char* why);

// NVML_ERROR_NO_PERMISSION: a program may not change the server's GPUs. Logged once per function.
nvmlReturn_t not_permitted(const char* symbol);

// Logged at debug as "entry": which call of the program got which error.
nvmlReturn_t answered(const char* symbol, nvmlReturn_t result);

// No exception may leave an exported function.
nvmlReturn_t caught(const char* symbol) noexcept;

}  // namespace bitfusion::nvml
