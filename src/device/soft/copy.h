// Copy: carrying out a planned copy in stream order, with CUDA's rules for pageable memory.
#pragma once

#include "device/soft/context.h"
#include "device/soft/copy_plan.h"

namespace bitfusion::soft {

// When the source has to be read: as the stream gets there, or before the call returns.
enum class SourceRead : uint8_t { kInStream, kDuringCall };

// Submits the copy. A pageable source is copied aside or waited for, a pageable destination always waited
// for.
CUresult copy_later(const ContextPtr& context, const StreamPtr& stream, CopyPlan plan,
                    SourceRead read = SourceRead::kInStream);

}  // namespace bitfusion::soft
