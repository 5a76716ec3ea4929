// Devices: handles of the lease's GPUs, in the order of their PCI addresses. A handle is good in every
// session of the process, as NVML's are after a second nvmlInit.
#pragma once

#include <cstddef>

#include "nvml/library.h"

namespace bitfusion::nvml {

nvmlDevice_t handle_of(size_t index);

// False for what is no handle of a device of this lease. The library's lock is held.
bool index_of(const Library& l, nvmlDevice_t device, size_t* index);

}  // namespace bitfusion::nvml
