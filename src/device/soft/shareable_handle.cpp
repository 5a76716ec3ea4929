// Memory that travels between processes as a file descriptor: physical memory (cuMemExportToShareableHandle)
// and pools with their allocations (cuMemPoolExportToShareableHandle). A pool is the memory of its device:
// what of it another process may map is said by the pointers that are exported one by one.
#include <cstring>

#include "device/soft/entry.h"
#include "device/soft/imported_memory.h"
#include "device/soft/memory_pool.h"
#include "device/soft/serve.h"
#include "device/soft/virtual_memory.h"
#include "driver_table.gen.h"

namespace bitfusion::soft {
namespace {

constexpr auto kDescriptor = CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR;

// Where an allocation of a pool lies in the memory of the pool's device.
struct PointerData {
    char magic[8];
    uint64_t inode;
    uint64_t offset;
    uint64_t bytes;
};
static_assert(sizeof(PointerData) <= sizeof(CUmemPoolPtrExportData));
constexpr char kPointer[8] = {'s', 'o', 'f', 't', 'p', 'o', 'o', 'l'};

CUresult give_out(const SharedFile& file, void* out) {
    const int descriptor = file.duplicate();
    if (descriptor < 0) return CUDA_ERROR_OPERATING_SYSTEM;
    memcpy(out, &descriptor, sizeof descriptor);
    return CUDA_SUCCESS;
}

// The descriptor is passed in the place of a pointer.
SharedFilePtr taken_in(void* handle, SharedFile::Use use) {
    const auto number = reinterpret_cast<uintptr_t>(handle);
    SharedFilePtr file = number > INT32_MAX ? nullptr : SharedFile::adopt(static_cast<int>(number));
    return file == nullptr || file->use != use ? nullptr : file;
}

CUresult cuMemExportToShareableHandle(void* out, CUmemGenericAllocationHandle handle,
                                      CUmemAllocationHandleType type, unsigned long long flags) {
    return entry_initialized([&] {
        if (out == nullptr || flags != 0) return CUDA_ERROR_INVALID_VALUE;
        const auto physical = driver().physical.find(handle);
        if (physical == nullptr) return CUDA_ERROR_INVALID_VALUE;
        if (type != kDescriptor || physical->properties.requestedHandleTypes != kDescriptor)
            return CUDA_ERROR_INVALID_VALUE;
        return give_out(*physical->file, out);
    });
}

CUresult cuMemImportFromShareableHandle(CUmemGenericAllocationHandle* out, void* handle,
                                        CUmemAllocationHandleType type) {
    return entry_initialized([&] {
        if (out == nullptr || type != kDescriptor) return CUDA_ERROR_INVALID_VALUE;
        SharedFilePtr file = taken_in(handle, SharedFile::Use::kPhysical);
        if (file == nullptr) return CUDA_ERROR_INVALID_VALUE;
        Gpu* gpu = driver().gpu_of(file->gpu);
        if (gpu == nullptr) return CUDA_ERROR_INVALID_DEVICE;
        CUmemAllocationProp properties{};
        properties.type = CU_MEM_ALLOCATION_TYPE_PINNED;
        properties.requestedHandleTypes = kDescriptor;
        properties.location = {CU_MEM_LOCATION_TYPE_DEVICE, gpu->ordinal()};
        auto physical = std::make_shared<PhysicalMemory>(*gpu, properties, std::move(file), 0);
        physical->handle = driver().physical.issue();
        *out = physical->handle;
        driver().physical.add(physical->handle, physical);
        return CUDA_SUCCESS;
    });
}

CUresult cuMemPoolExportToShareableHandle(void* out, CUmemoryPool handle, CUmemAllocationHandleType type,
                                          unsigned long long flags) {
    return entry_initialized([&] {
        const auto pool = driver().pools.find(handle);
        if (out == nullptr || pool == nullptr || flags != 0) return CUDA_ERROR_INVALID_VALUE;
        if (type != kDescriptor || !pool->shareable) return CUDA_ERROR_INVALID_VALUE;
        const SharedFilePtr& file = pool->gpu.arena().file();
        return file == nullptr ? CUDA_ERROR_NOT_SUPPORTED : give_out(*file, out);
    });
}

CUresult cuMemPoolImportFromShareableHandle(CUmemoryPool* out, void* handle, CUmemAllocationHandleType type,
                                            unsigned long long flags) {
    return entry_initialized([&] {
        if (out == nullptr || flags != 0 || type != kDescriptor) return CUDA_ERROR_INVALID_VALUE;
        SharedFilePtr file = taken_in(handle, SharedFile::Use::kDevice);
        if (file == nullptr) return CUDA_ERROR_INVALID_VALUE;
        Gpu* gpu = driver().gpu_of(file->gpu);
        if (gpu == nullptr) return CUDA_ERROR_INVALID_DEVICE;
        auto pool = std::make_shared<MemoryPool>(driver().pools.issue(), *gpu, 0);
        pool->imported_from = std::move(file);
        *out = pool->handle;
        driver().pools.add(pool->handle, pool);
        return CUDA_SUCCESS;
    });
}

CUresult cuMemPoolExportPointer(CUmemPoolPtrExportData* out, CUdeviceptr address) {
    return entry_initialized([&] {
        if (out == nullptr) return CUDA_ERROR_INVALID_VALUE;
        const auto found = driver().memory.find(address);
        if (!found || found->kind != MemoryKind::kPooled || found->base != address ||
            found->pool == nullptr || !found->pool->shareable)
            return CUDA_ERROR_INVALID_VALUE;
        const Arena& arena = found->gpu->arena();
        PointerData data{};
        memcpy(data.magic, kPointer, sizeof kPointer);
        data.inode = arena.file()->inode;
        data.offset = arena.offset_of(address);
        data.bytes = found->bytes;
        memset(out, 0, sizeof *out);
        memcpy(out, &data, sizeof data);
        return CUDA_SUCCESS;
    });
}

CUresult cuMemPoolImportPointer(CUdeviceptr* out, CUmemoryPool handle, CUmemPoolPtrExportData* exported) {
    return entry_in_context([&](const ContextPtr& context) {
        const auto pool = driver().pools.find(handle);
        if (out == nullptr || exported == nullptr || pool == nullptr || pool->imported_from == nullptr)
            return CUDA_ERROR_INVALID_VALUE;
        PointerData data{};
        memcpy(&data, exported, sizeof data);
        if (memcmp(data.magic, kPointer, sizeof kPointer) != 0 || data.inode != pool->imported_from->inode)
            return CUDA_ERROR_INVALID_VALUE;
        auto imported = ImportedMemory::map(pool->imported_from, data.offset, data.bytes);
        if (imported == nullptr) return CUDA_ERROR_MAP_FAILED;
        Allocation allocation;
        allocation.base = imported->address();
        allocation.bytes = allocation.taken = data.bytes;
        allocation.kind = MemoryKind::kPooled;
        allocation.gpu = &pool->gpu;
        allocation.context_id = context->id;
        allocation.context = context->handle;
        allocation.id = driver().memory.next_id();
        allocation.pool = pool;
        allocation.imported = std::move(imported);
        *out = allocation.base;
        driver().memory.add(std::move(allocation));
        return CUDA_SUCCESS;
    });
}

}  // namespace

void serve_shareable_handles(DriverTable* table) {
    BF_SERVE(cuMemExportToShareableHandle);
    BF_SERVE(cuMemImportFromShareableHandle);
    BF_SERVE(cuMemPoolExportToShareableHandle);
    BF_SERVE(cuMemPoolImportFromShareableHandle);
    BF_SERVE(cuMemPoolExportPointer);
    BF_SERVE(cuMemPoolImportPointer);
}

}  // namespace bitfusion::soft
