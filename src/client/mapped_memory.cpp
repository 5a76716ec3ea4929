#include "client/mapped_memory.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "client_hand.gen.h"

namespace bitfusion::client {
namespace {

struct Shadow {
    size_t bytes = 0;
    CUdeviceptr device = 0;
    std::vector<uint8_t> known;  // what host and shadow last agreed on
};

struct Shadows {
    std::recursive_mutex lock;  // the copies below synchronise nothing, but run through the public calls
    std::map<uint8_t*, Shadow> by_base;
    std::atomic<int> count{0};
};

Shadows& shadows() {
    static Shadows* const made = std::make_unique<Shadows>().release();  // outlives every exit handler
    return *made;
}

// First and one past the last byte that differ.
std::pair<size_t, size_t> changed(const uint8_t* now, const std::vector<uint8_t>& known) {
    const auto first = std::mismatch(known.begin(), known.end(), now).first;
    if (first == known.end()) return {0, 0};
    size_t end = known.size();
    while (known[end - 1] == now[end - 1]) --end;
    return {static_cast<size_t>(first - known.begin()), end};
}

}  // namespace

bool any_mapped() { return shadows().count.load(std::memory_order_relaxed) != 0; }

CUresult map_into_gpu(void* base, size_t bytes, const void* at, CUdeviceptr* address) {
    if (bytes > kMostMapped) return CUDA_ERROR_NOT_SUPPORTED;
    Shadows& s = shadows();
    const std::lock_guard<std::recursive_mutex> lock(s.lock);
    auto* const host = static_cast<uint8_t*>(base);
    Shadow& shadow = s.by_base[host];
    if (shadow.device == 0) {
        CUresult result = cuMemAlloc_v2(&shadow.device, bytes);
        if (result == CUDA_SUCCESS) result = cuMemcpyHtoD_v2(shadow.device, host, bytes);
        if (result != CUDA_SUCCESS) {
            if (shadow.device != 0) cuMemFree_v2(shadow.device);
            s.by_base.erase(host);
            return result;
        }
        shadow.bytes = bytes;
        shadow.known.assign(host, host + bytes);
        ++s.count;
    }
    *address = shadow.device + static_cast<uint64_t>(static_cast<const uint8_t*>(at) - host);
    return CUDA_SUCCESS;
}

void unmap_from_gpu(void* base) {
    Shadows& s = shadows();
    const std::lock_guard<std::recursive_mutex> lock(s.lock);
    const auto found = s.by_base.find(static_cast<uint8_t*>(base));
    if (found == s.by_base.end()) return;
    cuMemFree_v2(found->second.device);
    s.by_base.erase(found);
    --s.count;
}

CUresult send_mapped(CUstream stream) {
    Shadows& s = shadows();
    const std::lock_guard<std::recursive_mutex> lock(s.lock);
    for (auto& [host, shadow] : s.by_base) {
        const auto [first, end] = changed(host, shadow.known);
        if (first == end) continue;
        std::copy(host + first, host + end, shadow.known.begin() + static_cast<std::ptrdiff_t>(first));
        // From our own copy: pageable, so it has left before the program can change the original again.
        const CUresult result =
            cuMemcpyHtoDAsync_v2(shadow.device + first, shadow.known.data() + first, end - first, stream);
        if (result != CUDA_SUCCESS) return result;
    }
    return CUDA_SUCCESS;
}

CUresult fetch_mapped() {
    Shadows& s = shadows();
    const std::lock_guard<std::recursive_mutex> lock(s.lock);
    for (auto& [host, shadow] : s.by_base) {
        std::vector<uint8_t> now(shadow.bytes);
        const CUresult result = cuMemcpyDtoH_v2(now.data(), shadow.device, shadow.bytes);
        if (result != CUDA_SUCCESS) return result;
        // Only what the GPU changed: the program may have written other bytes since the last launch.
        for (size_t i = 0; i < now.size(); ++i) {
            if (now[i] != shadow.known[i]) host[i] = shadow.known[i] = now[i];
        }
    }
    return CUDA_SUCCESS;
}

}  // namespace bitfusion::client
