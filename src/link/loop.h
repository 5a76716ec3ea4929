// Loop: two ends of a link inside one process, for tests of what stands on links. Faults can be asked for: a
// delay per direction, a cut after so many bytes, one flipped byte. Over a socket pair, or, with
// BITFUSION_LOOP=shm in the environment, over shared memory: the same tests run over both.
#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <utility>

#include "base/result.h"
#include "link/link.h"

namespace bitfusion::link {

constexpr uint64_t kNever = std::numeric_limits<uint64_t>::max();

// What happens to the bytes from the first end to the second.
struct LoopFaults {
    unsigned delay_us = 0;         // before each piece is passed on
    uint64_t cut_after = kNever;   // bytes; then both ends see the peer gone
    uint64_t corrupt_at = kNever;  // offset of the byte whose bits are all flipped
};

Result<std::pair<std::unique_ptr<Link>, std::unique_ptr<Link>>> loop_pair(const LoopFaults& faults = {});

}  // namespace bitfusion::link
