// MemoryPool: where stream-ordered allocations come from.
//
// A pool accounts for what it has given out. It keeps no cache: memory goes back to the device when the
// stream reaches the free, so the reserved bytes are the used bytes, and a release threshold changes nothing
// but its own value. Owner: the Driver's handles, the device for its default pool, and every allocation from
// it. Any thread.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>

#include "cuda_api.gen.h"
#include "device/soft/shared_file.h"

namespace bitfusion::soft {

class Gpu;

class MemoryPool {
  public:
    MemoryPool(CUmemoryPool handle, Gpu& gpu, uint64_t most_bytes);

    const CUmemoryPool handle;
    Gpu& gpu;
    const uint64_t most_bytes;  // 0: no limit but the device's
    bool is_default = false;
    bool shareable = false;       // made for cuMemPoolExportToShareableHandle
    SharedFilePtr imported_from;  // of another process: the memory of its device; gives out nothing itself

    bool charge(uint64_t bytes);
    void discharge(uint64_t bytes);

    std::mutex mutex;  // guards what follows
    uint64_t release_threshold = 0;
    int reuse_event_dependencies = 1;
    int reuse_opportunistic = 1;
    int reuse_internal_dependencies = 1;
    uint64_t used = 0;
    uint64_t used_high = 0;
    std::map<int, CUmemAccess_flags> access;  // of other devices
};

}  // namespace bitfusion::soft
