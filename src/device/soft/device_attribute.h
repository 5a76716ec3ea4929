// Attributes of a software GPU: every CUdevice_attribute of CUDA 13.0, true to what the driver does.
#pragma once

#include "cuda_api.gen.h"
#include "device/soft/gpu.h"

namespace bitfusion::soft {

// False for a number that is no attribute.
bool device_attribute(const Gpu& gpu, CUdevice_attribute attribute, int* value);

}  // namespace bitfusion::soft
