// Staging: pinned buffers between the network and the GPU, allocated when first needed and reused; pinning
// costs milliseconds, so it is never on a path that repeats. One thread: the worker's dispatch thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "cuda_types.gen.h"
#include "driver_table.gen.h"

namespace bitfusion::worker {

class Staging {
  public:
    static constexpr size_t kBytes = (4u << 20) + 65536;  // a piece of a copy and the fields before it
    static constexpr size_t kMost = 16;                   // 64 MiB in all

    struct Buffer {
        uint8_t* data = nullptr;
        CUevent used_until = nullptr;  // recorded after the last use by the GPU
        uint64_t context = 0;          // the name of the event's
        bool busy = false;             // somebody holds it
        bool in_flight = false;        // the GPU may still use it
    };

    explicit Staging(const DriverTable* driver) : driver_(driver) {}

    // A free buffer; nullptr when all are in use (then let the GPU progress) or when none can be made.
    // Needs a current context.
    // `more`: beyond kMost too, when waiting for the GPU would wait for ourselves (host functions).
    Buffer* try_acquire(CUresult* result, bool more);
    // After the GPU's last use was put on the stream; the buffer comes back when that is done.
    CUresult release_after(Buffer* buffer, CUstream stream, uint64_t context);
    void release(Buffer* buffer) { buffer->busy = false; }
    // A context is gone, with its events and whatever used its buffers.
    void forget_events(uint64_t context);

  private:
    const DriverTable* driver_;
    std::vector<std::unique_ptr<Buffer>> buffers_;
};

}  // namespace bitfusion::worker
