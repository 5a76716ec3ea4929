#include "worker/shared_pages.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "worker/placement.h"
#include "worker/session.h"
#include "worker_hand.gen.h"

namespace bitfusion::worker {
namespace {

// Only files in memory have seals at all; one that cannot shrink has every page of a mapping for good.
bool is_sealed(int file, uint64_t bytes) {
    struct stat status {};
    const int seals = fcntl(file, F_GET_SEALS);
    return seals >= 0 && (seals & F_SEAL_SHRINK) != 0 && fstat(file, &status) == 0 &&
           static_cast<uint64_t>(status.st_size) >= bytes;
}

uint64_t half_of_ram() {
    return static_cast<uint64_t>(sysconf(_SC_PHYS_PAGES)) * static_cast<uint64_t>(sysconf(_SC_PAGESIZE)) / 2;
}

}  // namespace

SharedPages::SharedPages(const DriverTable* driver) : driver_(driver), most_bytes_(half_of_ram()) {}

CUresult SharedPages::map(const Descriptor& file, uint64_t wish, uint64_t bytes, CUdeviceptr* device) {
    if (bytes == 0 || bytes % kPage != 0) return CUDA_ERROR_INVALID_VALUE;
    if (bytes_ > most_bytes_ || bytes > most_bytes_ - bytes_ || mapped_.size() >= kMost)
        return CUDA_ERROR_OUT_OF_MEMORY;
    if (!is_sealed(file.get(), bytes)) return CUDA_ERROR_INVALID_VALUE;
    const Pages mapping{map_at(wish, bytes, file.get()), bytes};
    if (mapping.pages == nullptr) return CUDA_ERROR_OUT_OF_MEMORY;
    CUresult result = driver_->cuMemHostRegister_v2(
        mapping.pages, bytes, CU_MEMHOSTREGISTER_PORTABLE | CU_MEMHOSTREGISTER_DEVICEMAP);
    const bool registered = result == CUDA_SUCCESS;
    if (registered) result = driver_->cuMemHostGetDevicePointer_v2(device, mapping.pages, 0);
    if (result == CUDA_SUCCESS) {
        mapped_[*device] = mapping;
        bytes_ += bytes;
        return result;
    }
    if (registered) driver_->cuMemHostUnregister(mapping.pages);
    munmap(mapping.pages, bytes);
    return result;
}

uint64_t SharedPages::unmap(CUdeviceptr device) {
    const auto found = mapped_.find(device);
    if (found == mapped_.end()) return 0;
    const Pages mapping = found->second;
    mapped_.erase(found);
    bytes_ -= mapping.bytes;
    // An error here is one of earlier work, or the context is gone and the registration with it.
    driver_->cuMemHostUnregister(mapping.pages);
    munmap(mapping.pages, mapping.bytes);
    return mapping.bytes;
}

uint8_t* SharedPages::host_of(CUdeviceptr device, uint64_t bytes) const {
    auto it = mapped_.upper_bound(device);
    if (it == mapped_.begin()) return nullptr;
    --it;
    const uint64_t offset = device - it->first;
    if (offset >= it->second.bytes || bytes > it->second.bytes - offset) return nullptr;
    return it->second.pages + offset;
}

void serve(Session& s, const Frame& frame, const msg::PagesShare& m) {
    CUdeviceptr device = 0;
    CUresult result = s.enter(frame);
    // Taken in any case, so that the next message finds its own.
    auto file = s.take_file();
    if (result == CUDA_SUCCESS && !file) result = CUDA_ERROR_INVALID_VALUE;
    if (result == CUDA_SUCCESS) result = s.shared_pages.map(*file, m.wish, m.byte_count, &device);
    // Kernels, copies and sets take these addresses as they take the GPU's own.
    if (result == CUDA_SUCCESS) s.memory.add(device, {m.byte_count, s.current_device(), 0, 0, false, 0});
    s.reply_with(frame, result, msg::PagesShare::Reply{device});
}

void serve(Session& s, const Frame& frame, const msg::PagesUnshare& m) {
    // The context in which they were registered may be gone; these go all the same.
    s.enter_if_alive(frame);
    const uint64_t bytes = s.shared_pages.unmap(m.device);
    if (bytes != 0) s.memory.remove_mapped(m.device, bytes);
    s.posted(frame, bytes != 0 ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE);
}

}  // namespace bitfusion::worker
