#include "device/soft/copy_plan.h"

#include <cstring>

#include "device/soft/array.h"
#include "device/soft/driver.h"

namespace bitfusion::soft {
namespace {

std::byte* pointer_to(uint64_t address) {
    return reinterpret_cast<std::byte*>(static_cast<uintptr_t>(address));
}

// a * b + c; false on overflow.
bool multiply_add(uint64_t a, uint64_t b, uint64_t c, uint64_t* out) {
    uint64_t product = 0;
    return !__builtin_mul_overflow(a, b, &product) && !__builtin_add_overflow(product, c, out);
}

// Fills host and pageable from what lies at [address, address + bytes); false when a part is not accessible.
bool classify(CopySide& side, uint64_t bytes, Place place) {
    const auto found = driver().memory.find(side.address);
    if (!found) {
        side.host = side.pageable = true;
        return place != Place::kDevice && side.address + bytes >= bytes;
    }
    side.host = found->kind == MemoryKind::kPinned || found->kind == MemoryKind::kRegistered;
    side.waited_for = found->sync_memops;
    return found->kind != MemoryKind::kArray && driver().memory.covers(side.address, bytes);
}

struct Corner {
    CUmemorytype type;
    uint64_t base;
    CUarray array;
    uint64_t x, y, z, lod, pitch, height;
};

CUresult resolve(const Corner& corner, const CopyPlan& plan, CopySide* side) {
    if (corner.lod != 0) return CUDA_ERROR_INVALID_VALUE;
    if (corner.type == CU_MEMORYTYPE_ARRAY) {
        side->array = driver().arrays.find(corner.array);
        if (side->array == nullptr) return CUDA_ERROR_INVALID_HANDLE;
        const Array& array = *side->array;
        uint64_t end_x = 0;
        uint64_t end_y = 0;
        uint64_t end_z = 0;
        if (__builtin_add_overflow(corner.x, plan.width, &end_x) ||
            __builtin_add_overflow(corner.y, plan.height, &end_y) ||
            __builtin_add_overflow(corner.z, plan.depth, &end_z))
            return CUDA_ERROR_INVALID_VALUE;
        if (end_x > array.row_bytes() || end_y > array.rows() || end_z > array.planes())
            return CUDA_ERROR_INVALID_VALUE;
        side->pitch = array.pitch();
        side->slice = array.slice();
        side->address = array.address + corner.z * side->slice + corner.y * side->pitch + corner.x;
        return CUDA_SUCCESS;
    }
    uint64_t row_end = 0;
    if (__builtin_add_overflow(corner.x, plan.width, &row_end)) return CUDA_ERROR_INVALID_VALUE;
    side->pitch = corner.pitch == 0 ? row_end : corner.pitch;
    const bool many_rows = plan.height > 1 || plan.depth > 1 || corner.y != 0 || corner.z != 0;
    if (many_rows && side->pitch < plan.width) return CUDA_ERROR_INVALID_VALUE;
    uint64_t plane_end = 0;
    if (__builtin_add_overflow(corner.y, plan.height, &plane_end)) return CUDA_ERROR_INVALID_VALUE;
    const uint64_t rows = corner.height == 0 ? plane_end : corner.height;
    if ((plan.depth > 1 || corner.z != 0) && rows < plan.height) return CUDA_ERROR_INVALID_VALUE;
    if (plan.depth > 1 || corner.z != 0) {
        if (__builtin_mul_overflow(side->pitch, rows, &side->slice)) return CUDA_ERROR_INVALID_VALUE;
    }
    uint64_t offset = corner.x;
    if (!multiply_add(side->pitch, corner.y, offset, &offset) ||
        !multiply_add(side->slice, corner.z, offset, &offset) ||
        __builtin_add_overflow(corner.base, offset, &side->address))
        return CUDA_ERROR_INVALID_VALUE;
    uint64_t extent = plan.width;
    if (!multiply_add(side->pitch, plan.height - 1, extent, &extent) ||
        !multiply_add(side->slice, plan.depth - 1, extent, &extent))
        return CUDA_ERROR_INVALID_VALUE;
    Place place = Place::kAny;
    if (corner.type == CU_MEMORYTYPE_HOST)
        place = Place::kHost;
    else if (corner.type == CU_MEMORYTYPE_DEVICE)
        place = Place::kDevice;
    else if (corner.type != CU_MEMORYTYPE_UNIFIED)
        return CUDA_ERROR_INVALID_VALUE;
    if (corner.base == 0) return CUDA_ERROR_INVALID_VALUE;
    return classify(*side, extent, place) ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

uint64_t base_of(CUmemorytype type, const void* host, CUdeviceptr device) {
    return type == CU_MEMORYTYPE_HOST ? reinterpret_cast<uintptr_t>(host) : device;
}

}  // namespace

void run_copy(const CopyPlan& plan) {
    if (plan.bytes() == 0) return;
    if (plan.staged != nullptr) {
        memcpy(pointer_to(plan.to.address), plan.staged->data(), plan.width);
        return;
    }
    for (uint64_t z = 0; z < plan.depth; ++z) {
        const uint64_t to = plan.to.address + z * plan.to.slice;
        const uint64_t from = plan.from.address + z * plan.from.slice;
        const bool dense = plan.to.pitch == plan.width && plan.from.pitch == plan.width;
        if (dense || plan.height == 1) {
            memmove(pointer_to(to), pointer_to(from), plan.width * plan.height);
            continue;
        }
        for (uint64_t y = 0; y < plan.height; ++y)
            memmove(pointer_to(to + y * plan.to.pitch), pointer_to(from + y * plan.from.pitch), plan.width);
    }
}

CUresult plan_row(uint64_t to, Place to_place, uint64_t from, Place from_place, uint64_t bytes,
                  CopyPlan* plan) {
    plan->width = bytes;
    plan->to.address = to;
    plan->from.address = from;
    plan->to.pitch = plan->from.pitch = bytes;
    if (bytes != 0) {
        if (to == 0 || from == 0) return CUDA_ERROR_INVALID_VALUE;
        if (!classify(plan->to, bytes, to_place)) return CUDA_ERROR_INVALID_VALUE;
        if (!classify(plan->from, bytes, from_place)) return CUDA_ERROR_INVALID_VALUE;
    }
    CUDA_MEMCPY3D& box = plan->described;
    box.srcMemoryType = plan->from.host ? CU_MEMORYTYPE_HOST : CU_MEMORYTYPE_DEVICE;
    box.dstMemoryType = plan->to.host ? CU_MEMORYTYPE_HOST : CU_MEMORYTYPE_DEVICE;
    if (plan->from.host)
        box.srcHost = pointer_to(from);
    else
        box.srcDevice = from;
    if (plan->to.host)
        box.dstHost = pointer_to(to);
    else
        box.dstDevice = to;
    box.srcPitch = box.dstPitch = box.WidthInBytes = bytes;
    box.srcHeight = box.dstHeight = box.Height = box.Depth = 1;
    return CUDA_SUCCESS;
}

CUresult plan_box(const CUDA_MEMCPY3D& box, CopyPlan* plan) {
    plan->described = box;
    plan->width = box.WidthInBytes;
    plan->height = box.Height;
    plan->depth = box.Depth;
    uint64_t all = 0;
    if (__builtin_mul_overflow(plan->width, plan->height, &all) ||
        __builtin_mul_overflow(all, plan->depth, &all))
        return CUDA_ERROR_INVALID_VALUE;
    if (all == 0) {
        plan->width = plan->height = plan->depth = 0;
        return CUDA_SUCCESS;
    }
    const Corner from{box.srcMemoryType, base_of(box.srcMemoryType, box.srcHost, box.srcDevice),
                      box.srcArray,      box.srcXInBytes,
                      box.srcY,          box.srcZ,
                      box.srcLOD,        box.srcPitch,
                      box.srcHeight};
    const Corner to{box.dstMemoryType, base_of(box.dstMemoryType, box.dstHost, box.dstDevice),
                    box.dstArray,      box.dstXInBytes,
                    box.dstY,          box.dstZ,
                    box.dstLOD,        box.dstPitch,
                    box.dstHeight};
    const CUresult result = resolve(from, *plan, &plan->from);
    return result != CUDA_SUCCESS ? result : resolve(to, *plan, &plan->to);
}

}  // namespace bitfusion::soft
