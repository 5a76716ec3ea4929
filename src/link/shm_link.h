// ShmLink: a link whose bytes pass through shared memory (shm_ring.h), for two processes of one machine.
//
// Three sockets stand beside the rings. Two carry no data: a byte on the first says "something was put", a
// byte on the second "there is room again"; their end is the peer's end. The third carries files. While both
// sides are busy nobody uses them, and no system call is made. How two processes come to share the memory:
// shm_meet.h.
#pragma once

#include <memory>
#include <utility>

#include "base/descriptor.h"
#include "base/result.h"
#include "link/link.h"
#include "link/shm_ring.h"

namespace bitfusion::link {

enum class ShmSide { kClient, kWorker };  // the client puts into ring 0, the worker into ring 1

struct ShmSockets {
    Descriptor data_bell;
    Descriptor room_bell;
    Descriptor files;  // what give_file() gives
};

std::unique_ptr<Link> over_shm(ShmSide side, ShmMemory memory, ShmSockets sockets);

// A connected pair of stream sockets, close-on-exec.
Result<std::pair<Descriptor, Descriptor>> socket_pair();

// Both ends in this process, for tests: the client's and the worker's.
Result<std::pair<std::unique_ptr<Link>, std::unique_ptr<Link>>> shm_pair();

}  // namespace bitfusion::link
