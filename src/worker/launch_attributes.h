// Launch attributes as they travel: an array of CUlaunchAttribute whose events are names.
#pragma once

#include <span>
#include <vector>

#include "cuda_types.gen.h"

namespace bitfusion::worker {

class Session;

// One attribute, in place: names become the driver's events, addresses are checked; what means something on
// the client only is refused.
CUresult localise_attribute(Session& s, CUlaunchAttribute* attribute);

// Names become the driver's events, addresses are checked; attributes that mean something on the client only
// are refused.
CUresult decode_attributes(Session& s, std::span<const uint8_t> bytes,
                           std::vector<CUlaunchAttribute>* attributes);

}  // namespace bitfusion::worker
