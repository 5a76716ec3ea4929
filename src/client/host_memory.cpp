// Pinned host memory: the client's own pages, and the worker's as well where it is on this machine. What
// pinning buys over the network is that copies from and into it need not wait; the GPU itself cannot reach
// it.
#include <sys/mman.h>

#include "client/context.h"
#include "client/feedback.h"
#include "client/mapped_memory.h"
#include "client/memory_map.h"
#include "client/registered_copy.h"
#include "client/session.h"
#include "client/shared_pages.h"
#include "client_hand.gen.h"

namespace bitfusion::client {
namespace {

constexpr unsigned kAllocFlags =
    CU_MEMHOSTALLOC_PORTABLE | CU_MEMHOSTALLOC_DEVICEMAP | CU_MEMHOSTALLOC_WRITECOMBINED;
constexpr unsigned kRegisterFlags = CU_MEMHOSTREGISTER_PORTABLE | CU_MEMHOSTREGISTER_DEVICEMAP |
                                    CU_MEMHOSTREGISTER_IOMEMORY | CU_MEMHOSTREGISTER_READ_ONLY;

void remember(void* base, size_t bytes, unsigned flags, size_t mapped, CUdeviceptr shared_at) {
    MemoryRange range;
    range.kind = MemoryRange::Kind::kHost;
    range.base = reinterpret_cast<uint64_t>(base);
    range.bytes = bytes;
    range.context = current_context();
    range.device = current_device();
    range.flags = flags;
    range.registered = mapped == 0;
    range.mapped_bytes = mapped;
    range.mapped_at = shared_at;
    range.shared = shared_at != 0;
    remember_range(range);
    if (shared_at != 0 && shared_at != range.base) {
        MemoryRange alias = range;
        alias.kind = MemoryRange::Kind::kMapped;
        alias.base = shared_at;
        alias.owner = range.base;
        remember_range(alias);
    }
}

// Nothing that was posted may still read these pages, and no copy may still write them.
void let_go(const void* base, size_t bytes) {
    if (Session* s = session(); s != nullptr) {
        s->flush();
        s->lanes().await_all_sent();
    }
    await_tickets(base, bytes);
    await_registered_copies(base, bytes);
    if (any_mapped()) unmap_from_gpu(reinterpret_cast<uint64_t>(base));
}

}  // namespace

CUresult cuMemHostAlloc(void** pp, size_t bytesize, unsigned int Flags) {
    if (current_context() == nullptr) return CUDA_ERROR_INVALID_CONTEXT;
    if (pp == nullptr || bytesize == 0 || (Flags & ~kAllocFlags) != 0) return CUDA_ERROR_INVALID_VALUE;
    const size_t mapped = (bytesize + 4095) / 4096 * 4096;
    CUdeviceptr shared_at = 0;
    void* pages = share_pages(mapped, &shared_at);
    if (pages == nullptr)
        pages = mmap(nullptr, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pages == MAP_FAILED) return CUDA_ERROR_OUT_OF_MEMORY;
    remember(pages, bytesize, Flags, mapped, shared_at);
    *pp = pages;
    return CUDA_SUCCESS;
}

CUresult cuMemAllocHost_v2(void** pp, size_t bytesize) { return cuMemHostAlloc(pp, bytesize, 0); }

CUresult cuMemFreeHost(void* p) {
    const auto range = range_of(reinterpret_cast<uint64_t>(p));
    if (!range || range->kind != MemoryRange::Kind::kHost || range->registered ||
        range->base != reinterpret_cast<uint64_t>(p)) {
        return CUDA_ERROR_INVALID_VALUE;
    }
    let_go(p, range->bytes);
    forget_range(range->base, MemoryRange::Kind::kHost);
    if (range->shared) {
        if (range->mapped_at != range->base) forget_range(range->mapped_at, MemoryRange::Kind::kMapped);
        post(msg::PagesUnshare{range->mapped_at});
    }
    munmap(p, range->mapped_bytes);
    return CUDA_SUCCESS;
}

CUresult cuMemHostRegister_v2(void* p, size_t bytesize, unsigned int Flags) {
    if (current_context() == nullptr) return CUDA_ERROR_INVALID_CONTEXT;
    if (p == nullptr || bytesize == 0 || (Flags & ~kRegisterFlags) != 0) return CUDA_ERROR_INVALID_VALUE;
    if ((Flags & CU_MEMHOSTREGISTER_IOMEMORY) != 0) return CUDA_ERROR_NOT_SUPPORTED;
    const auto number = reinterpret_cast<uint64_t>(p);
    if (range_of(number) || range_of(number + bytesize - 1)) return CUDA_ERROR_HOST_MEMORY_ALREADY_REGISTERED;
    remember(p, bytesize, Flags, 0, 0);
    expect_registered_copies(bytesize);
    return CUDA_SUCCESS;
}

CUresult cuMemHostUnregister(void* p) {
    const auto range = range_of(reinterpret_cast<uint64_t>(p));
    if (!range || range->kind != MemoryRange::Kind::kHost || !range->registered)
        return CUDA_ERROR_HOST_MEMORY_NOT_REGISTERED;
    if (range->base != reinterpret_cast<uint64_t>(p)) return CUDA_ERROR_INVALID_VALUE;
    let_go(p, range->bytes);
    forget_range(range->base, MemoryRange::Kind::kHost);
    return CUDA_SUCCESS;
}

CUresult cuMemHostGetFlags(unsigned int* pFlags, void* p) {
    const auto range = range_of(reinterpret_cast<uint64_t>(p));
    if (pFlags == nullptr || !range || range->kind != MemoryRange::Kind::kHost)
        return CUDA_ERROR_INVALID_VALUE;
    *pFlags = range->flags;
    return CUDA_SUCCESS;
}

CUresult cuMemHostGetDevicePointer_v2(CUdeviceptr* pdptr, void* p, unsigned int Flags) {
    if (pdptr == nullptr || Flags != 0) return CUDA_ERROR_INVALID_VALUE;
    if (current_context() == nullptr) return CUDA_ERROR_INVALID_CONTEXT;
    return map_into_gpu(p, pdptr);
}

}  // namespace bitfusion::client
