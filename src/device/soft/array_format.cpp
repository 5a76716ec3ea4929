#include "device/soft/array_format.h"

#include <algorithm>

namespace bitfusion::soft {
namespace {

// How a planar format is put together.
struct Planar {
    CUarray_format component = CU_AD_FORMAT_MAX;
    unsigned across = 1;  // elements of luminance for one of colour, in a row
    unsigned down = 1;    // and in a column
    bool apart = false;   // the two colour differences have planes of their own
};

Planar planar(CUarray_format format) {
    switch (format) {
        case CU_AD_FORMAT_NV12:
            return {CU_AD_FORMAT_UNSIGNED_INT8, 2, 2, false};
        case CU_AD_FORMAT_P010:
        case CU_AD_FORMAT_P016:
            return {CU_AD_FORMAT_UNSIGNED_INT16, 2, 2, false};
        case CU_AD_FORMAT_NV16:
            return {CU_AD_FORMAT_UNSIGNED_INT8, 2, 1, false};
        case CU_AD_FORMAT_P210:
        case CU_AD_FORMAT_P216:
            return {CU_AD_FORMAT_UNSIGNED_INT16, 2, 1, false};
        case CU_AD_FORMAT_YUV444_8bit_SemiPlanar:
            return {CU_AD_FORMAT_UNSIGNED_INT8, 1, 1, false};
        case CU_AD_FORMAT_YUV444_16bit_SemiPlanar:
            return {CU_AD_FORMAT_UNSIGNED_INT16, 1, 1, false};
        case CU_AD_FORMAT_Y444_PLANAR8:
            return {CU_AD_FORMAT_UNSIGNED_INT8, 1, 1, true};
        case CU_AD_FORMAT_Y444_PLANAR10:
            return {CU_AD_FORMAT_UNSIGNED_INT16, 1, 1, true};
        default:
            return {};
    }
}

uint64_t blocks(uint64_t texels) { return texels / kBlockEdge + (texels % kBlockEdge == 0 ? 0 : 1); }

}  // namespace

uint64_t element_bytes(CUarray_format format, unsigned channels) {
    if (channels != 1 && channels != 2 && channels != 4) return 0;
    switch (format) {
        case CU_AD_FORMAT_UNSIGNED_INT8:
        case CU_AD_FORMAT_SIGNED_INT8:
            return channels;
        case CU_AD_FORMAT_UNSIGNED_INT16:
        case CU_AD_FORMAT_SIGNED_INT16:
        case CU_AD_FORMAT_HALF:
            return uint64_t{2} * channels;
        case CU_AD_FORMAT_UNSIGNED_INT32:
        case CU_AD_FORMAT_SIGNED_INT32:
        case CU_AD_FORMAT_FLOAT:
            return uint64_t{4} * channels;
        // Normalized formats carry the number of channels in their name.
        case CU_AD_FORMAT_UNORM_INT8X1:
        case CU_AD_FORMAT_SNORM_INT8X1:
            return channels == 1 ? 1 : 0;
        case CU_AD_FORMAT_UNORM_INT8X2:
        case CU_AD_FORMAT_SNORM_INT8X2:
            return channels == 2 ? 2 : 0;
        case CU_AD_FORMAT_UNORM_INT8X4:
        case CU_AD_FORMAT_SNORM_INT8X4:
            return channels == 4 ? 4 : 0;
        case CU_AD_FORMAT_UNORM_INT16X1:
        case CU_AD_FORMAT_SNORM_INT16X1:
            return channels == 1 ? 2 : 0;
        case CU_AD_FORMAT_UNORM_INT16X2:
        case CU_AD_FORMAT_SNORM_INT16X2:
            return channels == 2 ? 4 : 0;
        case CU_AD_FORMAT_UNORM_INT16X4:
        case CU_AD_FORMAT_SNORM_INT16X4:
            return channels == 4 ? 8 : 0;
        default:
            return 0;
    }
}

uint64_t element_bytes(const CUDA_ARRAY3D_DESCRIPTOR& description) {
    return element_bytes(description.Format, description.NumChannels);
}

BlockFormat block_format(CUarray_format format, unsigned channels) {
    BlockFormat blocks = BlockFormat::kNone;
    switch (format) {
        case CU_AD_FORMAT_BC1_UNORM:
        case CU_AD_FORMAT_BC1_UNORM_SRGB:
            blocks = BlockFormat::kBc1;
            break;
        case CU_AD_FORMAT_BC2_UNORM:
        case CU_AD_FORMAT_BC2_UNORM_SRGB:
            blocks = BlockFormat::kBc2;
            break;
        case CU_AD_FORMAT_BC3_UNORM:
        case CU_AD_FORMAT_BC3_UNORM_SRGB:
            blocks = BlockFormat::kBc3;
            break;
        case CU_AD_FORMAT_BC4_UNORM:
            blocks = BlockFormat::kBc4;
            break;
        case CU_AD_FORMAT_BC4_SNORM:
            blocks = BlockFormat::kBc4s;
            break;
        case CU_AD_FORMAT_BC5_UNORM:
            blocks = BlockFormat::kBc5;
            break;
        case CU_AD_FORMAT_BC5_SNORM:
            blocks = BlockFormat::kBc5s;
            break;
        case CU_AD_FORMAT_BC6H_UF16:
            blocks = BlockFormat::kBc6h;
            break;
        case CU_AD_FORMAT_BC6H_SF16:
            blocks = BlockFormat::kBc6hs;
            break;
        case CU_AD_FORMAT_BC7_UNORM:
        case CU_AD_FORMAT_BC7_UNORM_SRGB:
            blocks = BlockFormat::kBc7;
            break;
        default:
            return BlockFormat::kNone;
    }
    return channels == channels_of(blocks) ? blocks : BlockFormat::kNone;
}

BlockFormat block_format(const CUDA_ARRAY3D_DESCRIPTOR& description) {
    return block_format(description.Format, description.NumChannels);
}

bool is_srgb(CUarray_format format) {
    return format == CU_AD_FORMAT_BC1_UNORM_SRGB || format == CU_AD_FORMAT_BC2_UNORM_SRGB ||
           format == CU_AD_FORMAT_BC3_UNORM_SRGB || format == CU_AD_FORMAT_BC7_UNORM_SRGB;
}

Rows rows_of(const CUDA_ARRAY3D_DESCRIPTOR& d) {
    const BlockFormat format = block_format(d);
    if (format != BlockFormat::kNone)
        return {block_bytes(format), blocks(d.Width), std::max<uint64_t>(blocks(d.Height), 1)};
    return {element_bytes(d), d.Width, std::max<uint64_t>(d.Height, 1)};
}

std::vector<CUDA_ARRAY3D_DESCRIPTOR> planes_of(const CUDA_ARRAY3D_DESCRIPTOR& d) {
    const Planar how = planar(d.Format);
    const bool flat = d.Width != 0 && d.Height != 0 && d.Depth == 0;
    if (how.component == CU_AD_FORMAT_MAX || d.NumChannels != 3 || !flat || d.Width % how.across != 0 ||
        d.Height % how.down != 0)
        return {};
    CUDA_ARRAY3D_DESCRIPTOR luminance = d;
    luminance.Format = how.component;
    luminance.NumChannels = 1;
    CUDA_ARRAY3D_DESCRIPTOR colour = luminance;
    colour.Width /= how.across;
    colour.Height /= how.down;
    if (how.apart) return {luminance, colour, colour};
    colour.NumChannels = 2;
    return {luminance, colour};
}

}  // namespace bitfusion::soft
