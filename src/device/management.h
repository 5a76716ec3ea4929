// Management: opens a driver's NVML. A ManagementTable (generated) has one pointer per function that a
// worker may ask; the two fillings are NVIDIA's libnvidia-ml.so.1 and the software GPU (soft/management.h).
// Filled once, read by one thread.
#pragma once

#include <string>

#include "base/result.h"
#include "nvml_table.gen.h"

namespace bitfusion {

// Loads the library and starts it (nvmlInit). It stays loaded for the life of the process.
Status open_management_library(const std::string& path, ManagementTable* table);

constexpr const char* kManagementLibrary = "libnvidia-ml.so.1";

}  // namespace bitfusion
