// Which code of a fat binary a GPU can use.
//
// The rule of CUDA: an ELF runs on its own major version from its minor upwards (sm_80 on 8.6), an
// architecture-specific one (sm_90a) only on exactly that GPU, a family-specific one (sm_100f) inside its
// family; the closest wins. Without one, PTX of the highest version that is not newer than the GPU is
// compiled for it. Pure functions over the entries of container.h; any thread.
#pragma once

#include <string>

#include "image/container.h"

namespace bitfusion::image {

struct Capability {
    int major = 0;
    int minor = 0;
    int arch() const { return major * 10 + minor; }
};

// True when this entry's code could run on such a GPU: directly for ELF, after compilation for PTX and LTO.
bool usable(const Entry& entry, Capability gpu);

// The entries of one kind that the GPU can use, the best first: highest architecture, then the specific
// target before the plain one, then the first in the container.
std::vector<Entry> usable_entries(const std::vector<Entry>& entries, Kind kind, Capability gpu);

// The same fat binary without the ELF entries that can never run on that GPU. PTX, LTO and unknown kinds
// stay.
Result<std::vector<std::byte>> keep_usable(Bytes fatbin, Capability gpu);

// For a log line: "sm_80 sm_90a and PTX for compute_75 compute_90"; "no code" for none.
std::string describe(const std::vector<Entry>& entries);

}  // namespace bitfusion::image
