#include "device/soft/virtual_memory.h"

#include <sys/mman.h>

#include "device/soft/entry.h"
#include "device/soft/serve.h"
#include "driver_table.gen.h"

namespace bitfusion::soft {

PhysicalMemory::PhysicalMemory(Gpu& of, const CUmemAllocationProp& as, SharedFilePtr memory, uint64_t counted)
    : gpu(of), properties(as), file(std::move(memory)), bytes(file->bytes), charged(counted) {}

PhysicalMemory::~PhysicalMemory() { gpu.discharge(charged); }

namespace {

using PhysicalPtr = std::shared_ptr<PhysicalMemory>;

void* pointer_to(uint64_t address) { return reinterpret_cast<void*>(static_cast<uintptr_t>(address)); }

bool aligned(uint64_t value) { return (value & (kVirtualGranule - 1)) == 0; }

CUresult check_properties(const CUmemAllocationProp* properties) {
    if (properties == nullptr || properties->type != CU_MEM_ALLOCATION_TYPE_PINNED)
        return CUDA_ERROR_INVALID_VALUE;
    if (properties->location.type != CU_MEM_LOCATION_TYPE_DEVICE)
        return properties->location.type == CU_MEM_LOCATION_TYPE_INVALID ? CUDA_ERROR_INVALID_VALUE
                                                                         : CUDA_ERROR_NOT_SUPPORTED;
    if (driver().gpu_of(properties->location.id) == nullptr) return CUDA_ERROR_INVALID_DEVICE;
    const bool shareable = properties->requestedHandleTypes == CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR;
    return shareable || properties->requestedHandleTypes == CU_MEM_HANDLE_TYPE_NONE
               ? CUDA_SUCCESS
               : CUDA_ERROR_NOT_SUPPORTED;
}

// True when [address, address + bytes) lies inside one reservation. The caller holds reservations_mutex.
bool reserved(uint64_t address, uint64_t bytes) {
    auto at = driver().reservations.upper_bound(address);
    if (at == driver().reservations.begin()) return false;
    --at;
    const uint64_t offset = address - at->first;
    return offset < at->second && bytes <= at->second - offset;
}

CUresult cuMemGetAllocationGranularity(size_t* granularity, const CUmemAllocationProp* properties,
                                       CUmemAllocationGranularity_flags option) {
    return entry_initialized([&] {
        if (granularity == nullptr || option > CU_MEM_ALLOC_GRANULARITY_RECOMMENDED)
            return CUDA_ERROR_INVALID_VALUE;
        // Host memory cannot be made here, but its granularity may be asked.
        const bool host = properties != nullptr && properties->type == CU_MEM_ALLOCATION_TYPE_PINNED &&
                          properties->location.type == CU_MEM_LOCATION_TYPE_HOST;
        const CUresult result = host ? CUDA_SUCCESS : check_properties(properties);
        if (result == CUDA_SUCCESS) *granularity = kVirtualGranule;
        return result;
    });
}

CUresult cuMemAddressReserve(CUdeviceptr* out, size_t bytes, size_t alignment, CUdeviceptr wanted,
                             unsigned long long flags) {
    return entry_initialized([&] {
        if (out == nullptr || bytes == 0 || !aligned(bytes) || flags != 0) return CUDA_ERROR_INVALID_VALUE;
        if ((alignment & (alignment - 1)) != 0) return CUDA_ERROR_INVALID_VALUE;
        Driver& all = driver();
        const std::lock_guard lock(all.reservations_mutex);
        // The wish is granted where it can be; any other address is allowed.
        uint64_t address = 0;
        if (wanted != 0 && aligned(wanted) && all.virtual_arena->take_at(wanted, bytes)) address = wanted;
        if (address == 0) address = all.virtual_arena->take(bytes, alignment);
        if (address == 0) return CUDA_ERROR_OUT_OF_MEMORY;
        all.virtual_arena->set_open(address, bytes, false);
        all.reservations[address] = bytes;
        *out = address;
        return CUDA_SUCCESS;
    });
}

CUresult cuMemAddressFree(CUdeviceptr address, size_t bytes) {
    return entry_initialized([&] {
        Driver& all = driver();
        const std::lock_guard lock(all.reservations_mutex);
        const auto at = all.reservations.find(address);
        if (at == all.reservations.end() || at->second != bytes) return CUDA_ERROR_INVALID_VALUE;
        if (all.memory.overlaps(address, bytes)) return CUDA_ERROR_INVALID_VALUE;
        all.reservations.erase(at);
        all.virtual_arena->give(address, bytes);
        return CUDA_SUCCESS;
    });
}

CUresult cuMemCreate(CUmemGenericAllocationHandle* out, size_t bytes, const CUmemAllocationProp* properties,
                     unsigned long long flags) {
    return entry_initialized([&] {
        if (out == nullptr || flags != 0 || bytes == 0 || !aligned(bytes)) return CUDA_ERROR_INVALID_VALUE;
        const CUresult result = check_properties(properties);
        if (result != CUDA_SUCCESS) return result;
        Gpu* gpu = driver().gpu_of(properties->location.id);
        if (!gpu->charge(bytes)) return CUDA_ERROR_OUT_OF_MEMORY;
        SharedFilePtr file = SharedFile::make(SharedFile::Use::kPhysical, gpu->ordinal(), bytes);
        if (file == nullptr) {
            gpu->discharge(bytes);
            return CUDA_ERROR_OUT_OF_MEMORY;
        }
        auto physical = std::make_shared<PhysicalMemory>(*gpu, *properties, std::move(file), bytes);
        physical->handle = driver().physical.issue();
        *out = physical->handle;
        driver().physical.add(physical->handle, physical);
        return CUDA_SUCCESS;
    });
}

// The handle goes; the memory stays while it is mapped.
CUresult cuMemRelease(CUmemGenericAllocationHandle handle) {
    return entry_initialized([&] {
        const PhysicalPtr physical = driver().physical.find(handle);
        if (physical == nullptr) return CUDA_ERROR_INVALID_VALUE;
        if (--physical->retained == 0) driver().physical.remove(handle);
        return CUDA_SUCCESS;
    });
}

CUresult cuMemMap(CUdeviceptr address, size_t bytes, size_t offset, CUmemGenericAllocationHandle handle,
                  unsigned long long flags) {
    return entry_initialized([&] {
        if (flags != 0 || bytes == 0 || !aligned(address) || !aligned(bytes) || offset != 0)
            return CUDA_ERROR_INVALID_VALUE;
        PhysicalPtr physical = driver().physical.find(handle);
        if (physical == nullptr || bytes > physical->bytes) return CUDA_ERROR_INVALID_VALUE;
        const std::lock_guard lock(driver().reservations_mutex);
        if (!reserved(address, bytes) || driver().memory.overlaps(address, bytes))
            return CUDA_ERROR_INVALID_VALUE;
        void* at = mmap(pointer_to(address), bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
                        physical->file->descriptor, 0);
        if (at == MAP_FAILED) return CUDA_ERROR_OUT_OF_MEMORY;
        Allocation allocation;
        allocation.base = address;
        allocation.bytes = allocation.taken = bytes;
        allocation.kind = MemoryKind::kMapped;
        allocation.gpu = &physical->gpu;
        allocation.id = driver().memory.next_id();
        allocation.readable = allocation.writable = false;
        allocation.physical = std::move(physical);
        driver().memory.add(std::move(allocation));
        return CUDA_SUCCESS;
    });
}

// The mapped ranges that fill [address, address + bytes) exactly; empty when they do not.
std::vector<Allocation> mapped_in(uint64_t address, uint64_t bytes) {
    std::vector<Allocation> found;
    const uint64_t end = address + bytes;
    while (address < end) {
        const auto at = driver().memory.find(address);
        if (!at || at->kind != MemoryKind::kMapped || at->base != address || at->end() > end) return {};
        address = at->end();
        found.push_back(*at);
    }
    return found;
}

CUresult cuMemUnmap(CUdeviceptr address, size_t bytes) {
    return entry_initialized([&] {
        if (bytes == 0 || address + bytes < address) return CUDA_ERROR_INVALID_VALUE;
        const std::lock_guard lock(driver().reservations_mutex);
        const std::vector<Allocation> ranges = mapped_in(address, bytes);
        if (ranges.empty()) return CUDA_ERROR_INVALID_VALUE;
        for (const Allocation& range : ranges) {
            driver().memory.remove(range.base, {MemoryKind::kMapped});
            driver().virtual_arena->set_open(range.base, range.bytes, false);
            // Empty pages instead of a hole: a copy that is still under way must not bring the process down.
            if (mmap(pointer_to(range.base), range.bytes, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0) == MAP_FAILED)
                return CUDA_ERROR_OPERATING_SYSTEM;
        }
        return CUDA_SUCCESS;
    });
}

CUresult cuMemSetAccess(CUdeviceptr address, size_t bytes, const CUmemAccessDesc* access, size_t count) {
    return entry_initialized([&] {
        if (bytes == 0 || access == nullptr || count == 0 || address + bytes < address)
            return CUDA_ERROR_INVALID_VALUE;
        for (size_t i = 0; i < count; ++i) {
            if (access[i].location.type != CU_MEM_LOCATION_TYPE_DEVICE) return CUDA_ERROR_NOT_SUPPORTED;
            if (driver().gpu_of(access[i].location.id) == nullptr) return CUDA_ERROR_INVALID_DEVICE;
            const auto flags = access[i].flags;
            if (flags != CU_MEM_ACCESS_FLAGS_PROT_NONE && flags != CU_MEM_ACCESS_FLAGS_PROT_READ &&
                flags != CU_MEM_ACCESS_FLAGS_PROT_READWRITE)
                return CUDA_ERROR_INVALID_VALUE;
        }
        const std::lock_guard lock(driver().reservations_mutex);
        const std::vector<Allocation> ranges = mapped_in(address, bytes);
        if (ranges.empty()) return CUDA_ERROR_INVALID_VALUE;
        for (const Allocation& range : ranges) {
            driver().memory.update(range.base, [&](Allocation& allocation) {
                for (size_t i = 0; i < count; ++i) {
                    if (access[i].location.id != allocation.gpu->ordinal()) {
                        allocation.peer_access[access[i].location.id] = access[i].flags;
                        continue;
                    }
                    allocation.readable = access[i].flags != CU_MEM_ACCESS_FLAGS_PROT_NONE;
                    allocation.writable = access[i].flags == CU_MEM_ACCESS_FLAGS_PROT_READWRITE;
                }
                // One table says for all devices what is open.
                bool open = allocation.readable;
                for (const auto& [device, flags] : allocation.peer_access)
                    open = open || flags != CU_MEM_ACCESS_FLAGS_PROT_NONE;
                driver().virtual_arena->set_open(range.base, range.bytes, open);
            });
        }
        return CUDA_SUCCESS;
    });
}

CUresult cuMemGetAccess(unsigned long long* flags, const CUmemLocation* location, CUdeviceptr address) {
    return entry_initialized([&] {
        if (flags == nullptr || location == nullptr) return CUDA_ERROR_INVALID_VALUE;
        if (location->type != CU_MEM_LOCATION_TYPE_DEVICE) return CUDA_ERROR_NOT_SUPPORTED;
        if (driver().gpu_of(location->id) == nullptr) return CUDA_ERROR_INVALID_DEVICE;
        const auto found = driver().memory.find(address);
        if (!found || found->kind != MemoryKind::kMapped) return CUDA_ERROR_INVALID_VALUE;
        CUmemAccess_flags access = CU_MEM_ACCESS_FLAGS_PROT_NONE;
        if (location->id != found->gpu->ordinal()) {
            const auto at = found->peer_access.find(location->id);
            if (at != found->peer_access.end()) access = at->second;
        } else if (found->writable) {
            access = CU_MEM_ACCESS_FLAGS_PROT_READWRITE;
        } else if (found->readable) {
            access = CU_MEM_ACCESS_FLAGS_PROT_READ;
        }
        *flags = access;
        return CUDA_SUCCESS;
    });
}

CUresult cuMemGetAllocationPropertiesFromHandle(CUmemAllocationProp* out,
                                                CUmemGenericAllocationHandle handle) {
    return entry_initialized([&] {
        const PhysicalPtr physical = driver().physical.find(handle);
        if (out == nullptr || physical == nullptr) return CUDA_ERROR_INVALID_VALUE;
        *out = physical->properties;
        return CUDA_SUCCESS;
    });
}

CUresult cuMemRetainAllocationHandle(CUmemGenericAllocationHandle* out, void* pointer) {
    return entry_initialized([&] {
        if (out == nullptr) return CUDA_ERROR_INVALID_VALUE;
        const auto found = driver().memory.find(reinterpret_cast<uintptr_t>(pointer));
        if (!found || found->physical == nullptr) return CUDA_ERROR_INVALID_VALUE;
        // Released, but still mapped: the handle comes back to life.
        if (found->physical->retained++ == 0) driver().physical.add(found->physical->handle, found->physical);
        *out = found->physical->handle;
        return CUDA_SUCCESS;
    });
}

}  // namespace

void serve_virtual_memory(DriverTable* table) {
    BF_SERVE(cuMemGetAllocationGranularity);
    BF_SERVE(cuMemAddressReserve);
    BF_SERVE(cuMemAddressFree);
    BF_SERVE(cuMemCreate);
    BF_SERVE(cuMemRelease);
    BF_SERVE(cuMemMap);
    BF_SERVE(cuMemUnmap);
    BF_SERVE(cuMemSetAccess);
    BF_SERVE(cuMemGetAccess);
    BF_SERVE(cuMemGetAllocationPropertiesFromHandle);
    BF_SERVE(cuMemRetainAllocationHandle);
}

}  // namespace bitfusion::soft
