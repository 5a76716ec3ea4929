// Device: opens a driver. A DriverTable (generated) has one pointer per function of the CUDA driver API; who
// holds one can run CUDA without knowing whose it is.
//
// Two fillings: a driver library (NVIDIA's libcuda.so.1, or any library with its symbols, such as our own
// client library in tests), and the software GPU (soft/soft_device.h). Filled once at start, read by any
// thread.
#pragma once

#include <string>

#include "base/result.h"
#include "driver_table.gen.h"

namespace bitfusion {

// Loads a driver library by name or path and fills the table by symbol; functions that it lacks stay null.
// The library stays loaded for the life of the process. The error says which library and what to install.
Status open_driver_library(const std::string& path, DriverTable* table);

// Whether NVIDIA's driver is on this machine (its library loads and finds at least one device).
bool has_real_driver();

constexpr const char* kDriverLibrary = "libcuda.so.1";

}  // namespace bitfusion
