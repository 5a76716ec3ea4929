// Launch: checks a kernel launch as the hardware does and runs it.
#pragma once

#include "device/soft/context.h"
#include "device/soft/work.h"

namespace bitfusion::soft {

// What a launch asks for, before it is checked.
struct LaunchParameters {
    CUfunction function = nullptr;
    unsigned grid[3] = {1, 1, 1};
    unsigned block[3] = {1, 1, 1};
    unsigned shared_bytes = 0;
    bool cooperative = false;
    void** kernel_parameters = nullptr;
    void** extra = nullptr;
    const CUlaunchAttribute* attributes = nullptr;
    unsigned attribute_count = 0;
};

// Resolves the function in the context, checks the limits, copies the arguments.
CUresult plan_launch(const ContextPtr& context, const LaunchParameters& launch, KernelWork* work);

// Runs the kernel to its end on the calling thread and the block pool; a fault becomes the context's.
void run_kernel(Context& context, const KernelWork& work);

}  // namespace bitfusion::soft
