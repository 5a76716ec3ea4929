// Shared pages: pinned memory of a client on this machine. The client made it as a file in memory and gave
// the file over the link; here it is mapped and registered with the driver, so that copies and kernels reach
// the program's own pages and nothing is copied between the two processes. Mirrors (mirror.h) are what stands
// in for this when the client is elsewhere.
//
// The file is the client's, so it is trusted with nothing: its seals must say that it cannot shrink under a
// mapping, this process never reads or writes the pages itself, and they are bounded, because a registered
// page stays in RAM. One thread: the worker's dispatch thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>

#include "base/descriptor.h"
#include "cuda_types.gen.h"
#include "driver_table.gen.h"

namespace bitfusion::worker {

class SharedPages {
  public:
    static constexpr uint64_t kPage = 4096;
    static constexpr size_t kMost = 16384;  // each is a mapping of the kernel's

    explicit SharedPages(const DriverTable* driver);
    // Nothing is unmapped at the end: as with Mirrors.
    ~SharedPages() = default;
    SharedPages(const SharedPages&) = delete;
    SharedPages& operator=(const SharedPages&) = delete;

    // The file's pages, which kernels then reach at *device. Needs a current context.
    CUresult map(const Descriptor& file, uint64_t wish, uint64_t bytes, CUdeviceptr* device);
    // The bytes that were mapped there; 0: none begin there.
    uint64_t unmap(CUdeviceptr device);
    // Where [device, device + bytes) lies in this process; null when not in one mapping.
    uint8_t* host_of(CUdeviceptr device, uint64_t bytes) const;

  private:
    struct Pages {
        uint8_t* pages;
        uint64_t bytes;
    };

    const DriverTable* driver_;
    const uint64_t most_bytes_;  // of a session: half of the machine's RAM
    std::map<CUdeviceptr, Pages> mapped_;
    uint64_t bytes_ = 0;
};

}  // namespace bitfusion::worker
