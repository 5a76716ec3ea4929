// Image access: from the operand of a texture or surface instruction to its Image.
#pragma once

#include "device/soft/simt/image.h"
#include "device/soft/simt/warp.h"

namespace bitfusion::soft {

// The image that op[0] names for a lane; null after the fault has been reported.
const Image* image_of(Warp& warp, const Instruction& in, unsigned lane);

}  // namespace bitfusion::soft
