// Waiting for and writing values in memory, in stream order (cuStreamWaitValue32 and its family).
#pragma once

#include <memory>
#include <vector>

#include "device/soft/context.h"
#include "device/soft/work.h"

namespace bitfusion::soft {

// INVALID_VALUE for unknown operations or flags and for addresses that are not aligned memory of the driver.
CUresult check_values(const CUstreamBatchMemOpParams* operations, unsigned count);

std::vector<TaskPtr> make_value_tasks(const ValueWork& work, const ContextPtr& context, int priority);

}  // namespace bitfusion::soft
