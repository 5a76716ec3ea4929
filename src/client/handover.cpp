#include "client/handover.h"

#include <atomic>

#include "client/feedback.h"
#include "client/managed_memory.h"
#include "client/managed_pages.h"
#include "client/mapped_memory.h"
#include "client/memory_map.h"
#include "client_hand.gen.h"

namespace bitfusion::client {
namespace {

// Handovers are counted; those up to `settled` have been taken back after the GPU had become idle.
std::atomic<uint64_t> g_given{0};
std::atomic<uint64_t> g_settled{0};

bool shares(uint64_t address) {
    const auto range = range_of(address);
    if (!range) return false;
    if (range->kind == MemoryRange::Kind::kHost) return range->mapped_at == range->base;
    return range->kind == MemoryRange::Kind::kMapped || range->kind == MemoryRange::Kind::kManaged;
}

}  // namespace

bool is_shared(uint64_t address, size_t bytes) {
    return (anything_shared() || ever_pinned()) &&
           (shares(address) || (bytes != 0 && shares(address + bytes - 1)));
}

bool is_wanted_synchronous(uint64_t address) {
    const auto range = range_of(address);
    if (range && range->sync_memops) return true;
    unsigned flags = 0;
    return cuCtxGetFlags(&flags) == CUDA_SUCCESS && (flags & CU_CTX_SYNC_MEMOPS) != 0;
}

CUresult finish_synchronous(CUresult posted, CUstream stream, uint64_t target, uint64_t source) {
    if (posted != CUDA_SUCCESS || !(waits_for_gpu(target, 1) || (source != 0 && waits_for_gpu(source, 1))))
        return posted;
    return cuStreamSynchronize(stream);
}

CUresult hand_over_shared() {
    g_given.fetch_add(1);
    const CUresult result = any_mapped() ? send_mapped() : CUDA_SUCCESS;
    return result == CUDA_SUCCESS && any_managed() ? send_managed() : result;
}

CUresult show_shared() { return any_mapped() ? show_mapped() : CUDA_SUCCESS; }

CUresult take_back_shared() {
    const uint64_t given = g_given.load();
    uint64_t settled = g_settled.load();
    if (settled >= given) return CUDA_SUCCESS;
    const bool idle = all_idle();
    const CUresult result = any_mapped() ? fetch_mapped() : CUDA_SUCCESS;
    if (any_managed()) {
        refresh_managed();
        finish_prefetches();
    }
    if (result == CUDA_SUCCESS && idle) {
        while (settled < given && !g_settled.compare_exchange_weak(settled, given)) {
        }
    }
    return result;
}

bool reaches_gpu(uint64_t address, size_t bytes) {
    if (is_device(address, bytes)) return true;
    if (!may_be_pinned(address) || !is_pinned(reinterpret_cast<void*>(address), bytes)) return false;
    CUdeviceptr device = 0;
    return map_into_gpu(reinterpret_cast<void*>(address), &device) == CUDA_SUCCESS && device == address;
}

}  // namespace bitfusion::client
