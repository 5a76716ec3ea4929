#include "device/soft/array.h"

#include <algorithm>

#include "device/soft/driver.h"
#include "device/soft/memory.h"
#include "device/soft/texture_limits.h"

namespace bitfusion::soft {
namespace {

// Rows begin at multiples of the largest access of a surface.
constexpr uint64_t kPitchUnit = 16;

uint64_t pitch_of(const CUDA_ARRAY3D_DESCRIPTOR& description) {
    const Rows rows = rows_of(description);
    return (rows.per_row * rows.unit + kPitchUnit - 1) & ~(kPitchUnit - 1);
}

// False when the product does not fit 64 bits.
bool bytes_of(const CUDA_ARRAY3D_DESCRIPTOR& description, uint64_t* bytes) {
    return !__builtin_mul_overflow(pitch_of(description), rows_of(description).count, bytes) &&
           !__builtin_mul_overflow(*bytes, std::max<uint64_t>(description.Depth, 1), bytes);
}

bool fits(const CUDA_ARRAY3D_DESCRIPTOR& d, int width, int height, int depth) {
    return d.Width <= static_cast<uint64_t>(attribute_limit(width)) &&
           d.Height <= static_cast<uint64_t>(attribute_limit(height)) &&
           d.Depth <= static_cast<uint64_t>(attribute_limit(depth));
}

}  // namespace

ArrayStorage::~ArrayStorage() { release(address, {MemoryKind::kArray}); }

uint64_t Array::row_bytes() const {
    const Rows rows = rows_of(description);
    return rows.per_row * rows.unit;
}
uint64_t Array::rows() const { return rows_of(description).count; }
uint64_t Array::pitch() const { return pitch_of(description); }

CUresult check_array(const CUDA_ARRAY3D_DESCRIPTOR& d, bool mipmapped) {
    constexpr unsigned kKnown = CUDA_ARRAY3D_LAYERED | CUDA_ARRAY3D_SURFACE_LDST | CUDA_ARRAY3D_CUBEMAP |
                                CUDA_ARRAY3D_TEXTURE_GATHER | CUDA_ARRAY3D_DEPTH_TEXTURE |
                                CUDA_ARRAY3D_COLOR_ATTACHMENT | CUDA_ARRAY3D_VIDEO_ENCODE_DECODE;
    if ((d.Flags & ~kKnown) != 0) return CUDA_ERROR_NOT_SUPPORTED;
    const bool layered = (d.Flags & CUDA_ARRAY3D_LAYERED) != 0;
    const bool surface = (d.Flags & CUDA_ARRAY3D_SURFACE_LDST) != 0;
    const bool compressed = block_format(d) != BlockFormat::kNone;
    const bool planar = !planes_of(d).empty();
    if ((element_bytes(d) == 0 && !compressed && !planar) || d.Width == 0) return CUDA_ERROR_INVALID_VALUE;
    // A block is flat and has no element that a surface could name; a plane is one picture.
    if (compressed && (d.Height == 0 || surface)) return CUDA_ERROR_INVALID_VALUE;
    if (planar && (mipmapped || (d.Flags & (CUDA_ARRAY3D_LAYERED | CUDA_ARRAY3D_CUBEMAP)) != 0))
        return CUDA_ERROR_INVALID_VALUE;
    // Pictures of films are for those who decode and encode them (driver 580; cuda.h says nothing of it).
    if (planar && (d.Flags & CUDA_ARRAY3D_VIDEO_ENCODE_DECODE) == 0) return CUDA_ERROR_INVALID_VALUE;
    bool good = false;
    if ((d.Flags & CUDA_ARRAY3D_CUBEMAP) != 0) {
        good = d.Width == d.Height && (layered ? d.Depth != 0 && d.Depth % 6 == 0 : d.Depth == 6) &&
               d.Width <=
                   static_cast<uint64_t>(attribute_limit(CU_DEVICE_ATTRIBUTE_MAXIMUM_TEXTURECUBEMAP_WIDTH)) &&
               d.Depth <= static_cast<uint64_t>(
                              attribute_limit(CU_DEVICE_ATTRIBUTE_MAXIMUM_TEXTURECUBEMAP_LAYERED_LAYERS));
    } else if (layered && d.Height == 0) {
        good = d.Depth != 0 && fits(d, CU_DEVICE_ATTRIBUTE_MAXIMUM_TEXTURE1D_LAYERED_WIDTH, 0,
                                    CU_DEVICE_ATTRIBUTE_MAXIMUM_TEXTURE1D_LAYERED_LAYERS);
    } else if (layered) {
        good = d.Depth != 0 && fits(d, CU_DEVICE_ATTRIBUTE_MAXIMUM_TEXTURE2D_LAYERED_WIDTH,
                                    CU_DEVICE_ATTRIBUTE_MAXIMUM_TEXTURE2D_LAYERED_HEIGHT,
                                    CU_DEVICE_ATTRIBUTE_MAXIMUM_TEXTURE2D_LAYERED_LAYERS);
    } else if (d.Depth != 0) {
        good = d.Height != 0 && (fits(d, CU_DEVICE_ATTRIBUTE_MAXIMUM_TEXTURE3D_WIDTH,
                                      CU_DEVICE_ATTRIBUTE_MAXIMUM_TEXTURE3D_HEIGHT,
                                      CU_DEVICE_ATTRIBUTE_MAXIMUM_TEXTURE3D_DEPTH) ||
                                 (!surface && fits(d, CU_DEVICE_ATTRIBUTE_MAXIMUM_TEXTURE3D_WIDTH_ALTERNATE,
                                                   CU_DEVICE_ATTRIBUTE_MAXIMUM_TEXTURE3D_HEIGHT_ALTERNATE,
                                                   CU_DEVICE_ATTRIBUTE_MAXIMUM_TEXTURE3D_DEPTH_ALTERNATE)));
    } else if (d.Height != 0) {
        const bool gather = (d.Flags & CUDA_ARRAY3D_TEXTURE_GATHER) != 0;
        if (gather)
            good = fits(d, CU_DEVICE_ATTRIBUTE_MAXIMUM_TEXTURE2D_GATHER_WIDTH,
                        CU_DEVICE_ATTRIBUTE_MAXIMUM_TEXTURE2D_GATHER_HEIGHT, 0);
        else if (mipmapped)
            good = fits(d, CU_DEVICE_ATTRIBUTE_MAXIMUM_TEXTURE2D_MIPMAPPED_WIDTH,
                        CU_DEVICE_ATTRIBUTE_MAXIMUM_TEXTURE2D_MIPMAPPED_HEIGHT, 0);
        else
            good = fits(d, CU_DEVICE_ATTRIBUTE_MAXIMUM_TEXTURE2D_WIDTH,
                        CU_DEVICE_ATTRIBUTE_MAXIMUM_TEXTURE2D_HEIGHT, 0);
    } else {
        good = fits(d,
                    mipmapped ? CU_DEVICE_ATTRIBUTE_MAXIMUM_TEXTURE1D_MIPMAPPED_WIDTH
                    : surface ? CU_DEVICE_ATTRIBUTE_MAXIMUM_SURFACE1D_WIDTH
                              : CU_DEVICE_ATTRIBUTE_MAXIMUM_TEXTURE1D_WIDTH,
                    0, 0);
    }
    return good ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

CUDA_ARRAY3D_DESCRIPTOR level_description(const CUDA_ARRAY3D_DESCRIPTOR& base, unsigned level) {
    const auto smaller = [level](size_t extent) {
        return extent == 0 ? 0 : std::max<size_t>(extent >> level, 1);
    };
    CUDA_ARRAY3D_DESCRIPTOR d = base;
    d.Width = smaller(base.Width);
    d.Height = smaller(base.Height);
    if ((base.Flags & (CUDA_ARRAY3D_LAYERED | CUDA_ARRAY3D_CUBEMAP)) == 0) d.Depth = smaller(base.Depth);
    return d;
}

CUresult allocate_array(const ContextPtr& context, const std::vector<CUDA_ARRAY3D_DESCRIPTOR>& parts,
                        std::vector<uint64_t>* offsets, std::shared_ptr<const ArrayStorage>* storage) {
    uint64_t total = 0;
    for (const CUDA_ARRAY3D_DESCRIPTOR& part : parts) {
        offsets->push_back(total);
        uint64_t bytes = 0;
        if (!bytes_of(part, &bytes) || __builtin_add_overflow(total, bytes, &total) ||
            total > context->gpu.memory_bytes())
            return CUDA_ERROR_OUT_OF_MEMORY;
        total = (total + kTextureAlignment - 1) & ~(kTextureAlignment - 1);
    }
    CUdeviceptr address = 0;
    const CUresult result = allocate(context, total, kTextureAlignment, MemoryKind::kArray, &address);
    if (result != CUDA_SUCCESS) return result;
    *storage = std::make_shared<ArrayStorage>(address, total);
    // Kernels reach arrays through textures and surfaces only, never by address.
    context->gpu.arena().set_open(address, total, false);
    return CUDA_SUCCESS;
}

void forget_arrays(const ContextPtr& context) {
    Driver& all = driver();
    for (const auto& array : all.arrays.all()) {
        if (array->context.lock() == context) all.arrays.remove(array->handle);
    }
    for (const auto& pyramid : all.mipmapped_arrays.all()) {
        if (pyramid->context.lock() == context) all.mipmapped_arrays.remove(pyramid->handle);
    }
}

}  // namespace bitfusion::soft
