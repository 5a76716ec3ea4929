#include "device/soft/texture.h"

#include <algorithm>

#include "device/soft/array.h"
#include "device/soft/driver.h"
#include "device/soft/texture_limits.h"

namespace bitfusion::soft {
namespace {

constexpr unsigned kMostAnisotropy = 16;

struct Texels {
    ImageFormat format = ImageFormat::kU8;
    uint32_t channels = 0;
    bool fraction = false;  // a format that is always read as [0, 1] or [-1, 1]
    BlockFormat blocks = BlockFormat::kNone;
};

Texels texels_of(CUarray_format format, unsigned channels) {
    switch (format) {
        case CU_AD_FORMAT_UNSIGNED_INT8:
            return {ImageFormat::kU8, channels, false};
        case CU_AD_FORMAT_UNSIGNED_INT16:
            return {ImageFormat::kU16, channels, false};
        case CU_AD_FORMAT_UNSIGNED_INT32:
            return {ImageFormat::kU32, channels, false};
        case CU_AD_FORMAT_SIGNED_INT8:
            return {ImageFormat::kS8, channels, false};
        case CU_AD_FORMAT_SIGNED_INT16:
            return {ImageFormat::kS16, channels, false};
        case CU_AD_FORMAT_SIGNED_INT32:
            return {ImageFormat::kS32, channels, false};
        case CU_AD_FORMAT_HALF:
            return {ImageFormat::kF16, channels, false};
        case CU_AD_FORMAT_FLOAT:
            return {ImageFormat::kF32, channels, false};
        case CU_AD_FORMAT_UNORM_INT8X1:
        case CU_AD_FORMAT_UNORM_INT8X2:
        case CU_AD_FORMAT_UNORM_INT8X4:
            return {ImageFormat::kU8, channels, true};
        case CU_AD_FORMAT_UNORM_INT16X1:
        case CU_AD_FORMAT_UNORM_INT16X2:
        case CU_AD_FORMAT_UNORM_INT16X4:
            return {ImageFormat::kU16, channels, true};
        case CU_AD_FORMAT_SNORM_INT8X1:
        case CU_AD_FORMAT_SNORM_INT8X2:
        case CU_AD_FORMAT_SNORM_INT8X4:
            return {ImageFormat::kS8, channels, true};
        case CU_AD_FORMAT_SNORM_INT16X1:
        case CU_AD_FORMAT_SNORM_INT16X2:
        case CU_AD_FORMAT_SNORM_INT16X4:
            return {ImageFormat::kS16, channels, true};
        default: {
            const BlockFormat blocks = block_format(format, channels);
            if (blocks == BlockFormat::kNone) return {};
            return {ImageFormat::kF32, channels, false, blocks};
        }
    }
}

// View formats come in threes: one, two and four channels of each kind.
Texels texels_of(CUresourceViewFormat format) {
    constexpr ImageFormat kKinds[] = {ImageFormat::kU8,  ImageFormat::kS8,  ImageFormat::kU16,
                                      ImageFormat::kS16, ImageFormat::kU32, ImageFormat::kS32,
                                      ImageFormat::kF16, ImageFormat::kF32};
    const auto index = static_cast<unsigned>(format) - CU_RES_VIEW_FORMAT_UINT_1X8;
    constexpr BlockFormat kBlocks[] = {
        BlockFormat::kBc1, BlockFormat::kBc2,  BlockFormat::kBc3,  BlockFormat::kBc4,   BlockFormat::kBc4s,
        BlockFormat::kBc5, BlockFormat::kBc5s, BlockFormat::kBc6h, BlockFormat::kBc6hs, BlockFormat::kBc7};
    const auto compressed = static_cast<unsigned>(format) - CU_RES_VIEW_FORMAT_UNSIGNED_BC1;
    if (compressed < std::size(kBlocks))
        return {ImageFormat::kF32, channels_of(kBlocks[compressed]), false, kBlocks[compressed]};
    if (index / 3 >= std::size(kKinds)) return {};
    return {kKinds[index / 3], 1u << index % 3, false};
}

ImageLevel level_of(const Array& array) {
    ImageLevel level;
    level.address = array.address;
    level.width = static_cast<uint32_t>(array.description.Width);
    level.height = static_cast<uint32_t>(std::max<uint64_t>(array.description.Height, 1));
    level.depth = static_cast<uint32_t>(array.planes());
    level.pitch = array.pitch();
    level.slice = array.slice();
    return level;
}

void set_texels(const Texels& texels, Image* image) {
    image->format = texels.format;
    image->channels = texels.channels;
    image->normalized_reads = texels.fraction;
    image->blocks = texels.blocks;
}

CUresult describe(const Array& array, Image* image, BoundImage* out) {
    const CUDA_ARRAY3D_DESCRIPTOR& d = array.description;
    if (!array.components.empty()) return CUDA_ERROR_INVALID_VALUE;
    set_texels(texels_of(d.Format, d.NumChannels), image);
    image->layered = (d.Flags & CUDA_ARRAY3D_LAYERED) != 0;
    image->cube = (d.Flags & CUDA_ARRAY3D_CUBEMAP) != 0;
    image->srgb = is_srgb(d.Format);
    image->levels.push_back(level_of(array));
    out->storage = array.storage;
    return CUDA_SUCCESS;
}

CUresult describe_linear(const CUDA_RESOURCE_DESC& resource, Image* image) {
    const auto& linear = resource.res.linear;
    const uint64_t element = element_bytes(linear.format, linear.numChannels);
    if (element == 0 || linear.devPtr == 0 || linear.devPtr % kTextureAlignment != 0)
        return CUDA_ERROR_INVALID_VALUE;
    const uint64_t count = linear.sizeInBytes / element;
    if (count == 0 ||
        count > static_cast<uint64_t>(attribute_limit(CU_DEVICE_ATTRIBUTE_MAXIMUM_TEXTURE1D_LINEAR_WIDTH)))
        return CUDA_ERROR_INVALID_VALUE;
    // It may reach past the allocation (driver 580); a fetch from there faults.
    if (!driver().memory.covers(linear.devPtr, element)) return CUDA_ERROR_INVALID_VALUE;
    set_texels(texels_of(linear.format, linear.numChannels), image);
    image->checked = image->fetched = true;
    image->levels.push_back({linear.devPtr, static_cast<uint32_t>(count), 1, 1, count * element, 0});
    return CUDA_SUCCESS;
}

CUresult describe_pitched(const CUDA_RESOURCE_DESC& resource, Image* image) {
    const auto& plane = resource.res.pitch2D;
    const uint64_t element = element_bytes(plane.format, plane.numChannels);
    const auto most = [](int attribute) { return static_cast<uint64_t>(attribute_limit(attribute)); };
    if (element == 0 || plane.devPtr == 0 || plane.devPtr % kTextureAlignment != 0 || plane.width == 0 ||
        plane.height == 0 || plane.width > most(CU_DEVICE_ATTRIBUTE_MAXIMUM_TEXTURE2D_LINEAR_WIDTH) ||
        plane.height > most(CU_DEVICE_ATTRIBUTE_MAXIMUM_TEXTURE2D_LINEAR_HEIGHT) ||
        plane.pitchInBytes > most(CU_DEVICE_ATTRIBUTE_MAXIMUM_TEXTURE2D_LINEAR_PITCH) ||
        plane.pitchInBytes % kTexturePitchAlignment != 0 || plane.pitchInBytes < plane.width * element)
        return CUDA_ERROR_INVALID_VALUE;
    const uint64_t bytes = (plane.height - 1) * plane.pitchInBytes + plane.width * element;
    if (!driver().memory.covers(plane.devPtr, bytes)) return CUDA_ERROR_INVALID_VALUE;
    set_texels(texels_of(plane.format, plane.numChannels), image);
    image->checked = true;
    image->levels.push_back({plane.devPtr, static_cast<uint32_t>(plane.width),
                             static_cast<uint32_t>(plane.height), 1, plane.pitchInBytes, 0});
    return CUDA_SUCCESS;
}

CUresult describe(const CUDA_RESOURCE_DESC& resource, Image* image, BoundImage* out) {
    if (resource.flags != 0) return CUDA_ERROR_INVALID_VALUE;
    switch (resource.resType) {
        case CU_RESOURCE_TYPE_ARRAY: {
            const auto array = driver().arrays.find(resource.res.array.hArray);
            if (array == nullptr) return CUDA_ERROR_INVALID_HANDLE;
            return describe(*array, image, out);
        }
        case CU_RESOURCE_TYPE_MIPMAPPED_ARRAY: {
            const auto pyramid = driver().mipmapped_arrays.find(resource.res.mipmap.hMipmappedArray);
            if (pyramid == nullptr) return CUDA_ERROR_INVALID_HANDLE;
            const CUresult result = describe(*pyramid->levels.front(), image, out);
            if (result != CUDA_SUCCESS) return result;
            for (size_t i = 1; i < pyramid->levels.size(); ++i)
                image->levels.push_back(level_of(*pyramid->levels[i]));
            return CUDA_SUCCESS;
        }
        case CU_RESOURCE_TYPE_LINEAR:
            out->owns_nothing = true;
            return describe_linear(resource, image);
        case CU_RESOURCE_TYPE_PITCH2D:
            out->owns_nothing = true;
            return describe_pitched(resource, image);
        default:
            return CUDA_ERROR_INVALID_VALUE;
    }
}

// Blocks in an array of 32-bit integers, one element each: extents grow by the edge of a block. A level has
// no texels beyond the elements that it has.
void view_blocks(const Texels& texels, Image* image) {
    const uint32_t width = image->levels.front().width * kBlockEdge;
    const uint32_t height = image->levels.front().height * kBlockEdge;
    for (size_t i = 0; i < image->levels.size(); ++i) {
        ImageLevel& level = image->levels[i];
        level.width = std::min(level.width * kBlockEdge, std::max(width >> i, 1u));
        level.height = std::min(level.height * kBlockEdge, std::max(height >> i, 1u));
    }
    set_texels(texels, image);
}

CUresult view_format(CUresourceViewFormat format, Image* image) {
    if (format == CU_RES_VIEW_FORMAT_NONE) return CUDA_SUCCESS;
    const Texels texels = texels_of(format);
    if (texels.blocks != BlockFormat::kNone) {
        if (image->format != ImageFormat::kU32 || image->texel_bytes() != block_bytes(texels.blocks))
            return CUDA_ERROR_INVALID_VALUE;
        view_blocks(texels, image);
        return CUDA_SUCCESS;
    }
    if (texels.channels == 0 || bytes_of(texels.format) * texels.channels != image->texel_bytes())
        return CUDA_ERROR_INVALID_VALUE;
    set_texels(texels, image);
    return CUDA_SUCCESS;
}

CUresult apply_view(const CUDA_RESOURCE_VIEW_DESC& view, Image* image) {
    if (image->checked || image->blocks != BlockFormat::kNone) return CUDA_ERROR_INVALID_VALUE;
    const CUresult result = view_format(view.format, image);
    if (result != CUDA_SUCCESS) return result;
    const ImageLevel& base = image->levels.front();
    const auto same = [](size_t wanted, uint32_t given) {
        return wanted == given || (wanted == 0 && given == 1);
    };
    const bool stacked = image->layered || image->cube;
    if (view.width != base.width || !same(view.height, base.height) || !same(view.depth, base.depth))
        return CUDA_ERROR_INVALID_VALUE;
    if (view.firstMipmapLevel > view.lastMipmapLevel || view.lastMipmapLevel >= image->levels.size())
        return CUDA_ERROR_INVALID_VALUE;
    if (view.firstLayer > view.lastLayer || view.lastLayer >= (stacked ? base.depth : 1))
        return CUDA_ERROR_INVALID_VALUE;
    const std::vector<ImageLevel> all = image->levels;
    image->levels.assign(all.begin() + view.firstMipmapLevel, all.begin() + view.lastMipmapLevel + 1);
    if (!stacked) return CUDA_SUCCESS;
    const uint32_t layers = view.lastLayer - view.firstLayer + 1;
    if (image->cube && layers % 6 != 0) return CUDA_ERROR_INVALID_VALUE;
    for (ImageLevel& level : image->levels) {
        level.address += view.firstLayer * level.slice;
        level.depth = layers;
    }
    return CUDA_SUCCESS;
}

bool may_be_srgb(const Image& image) {
    switch (image.blocks) {
        case BlockFormat::kNone:
            return image.format == ImageFormat::kU8;
        case BlockFormat::kBc1:
        case BlockFormat::kBc2:
        case BlockFormat::kBc3:
        case BlockFormat::kBc7:
            return true;
        default:
            return false;
    }
}

bool good(const CUDA_TEXTURE_DESC& t) {
    constexpr unsigned kKnown = CU_TRSF_READ_AS_INTEGER | CU_TRSF_NORMALIZED_COORDINATES | CU_TRSF_SRGB |
                                CU_TRSF_DISABLE_TRILINEAR_OPTIMIZATION | CU_TRSF_SEAMLESS_CUBEMAP;
    for (const CUaddress_mode mode : t.addressMode)
        if (mode < CU_TR_ADDRESS_MODE_WRAP || mode > CU_TR_ADDRESS_MODE_BORDER) return false;
    for (const CUfilter_mode mode : {t.filterMode, t.mipmapFilterMode})
        if (mode != CU_TR_FILTER_MODE_POINT && mode != CU_TR_FILTER_MODE_LINEAR) return false;
    return (t.flags & ~kKnown) == 0;
}

}  // namespace

CUresult make_texture(const CUDA_RESOURCE_DESC& resource, const CUDA_TEXTURE_DESC& texture,
                      const CUDA_RESOURCE_VIEW_DESC* view, BoundImage* out) {
    auto image = std::make_shared<Image>();
    CUresult result = describe(resource, image.get(), out);
    if (result == CUDA_SUCCESS && !good(texture)) result = CUDA_ERROR_INVALID_VALUE;
    // An array whose format is sRGB is sampled as such, and the caller has to say so (driver 580).
    if (result == CUDA_SUCCESS && image->srgb && (texture.flags & CU_TRSF_SRGB) == 0)
        result = CUDA_ERROR_INVALID_VALUE;
    if (result == CUDA_SUCCESS && view != nullptr) result = apply_view(*view, image.get());
    if (result != CUDA_SUCCESS) return result;
    image->normalized = (texture.flags & CU_TRSF_NORMALIZED_COORDINATES) != 0;
    image->seamless = (texture.flags & CU_TRSF_SEAMLESS_CUBEMAP) != 0;
    if (image->seamless && !image->cube) return CUDA_ERROR_INVALID_VALUE;
    const bool small = !is_float(image->format) && bytes_of(image->format) < 4;
    if (small && (texture.flags & CU_TRSF_READ_AS_INTEGER) == 0) image->normalized_reads = true;
    if ((texture.flags & CU_TRSF_SRGB) != 0 && may_be_srgb(*image)) image->srgb = true;
    for (size_t axis = 0; axis < 3; ++axis) {
        constexpr ImageAddressing kModes[] = {ImageAddressing::kWrap, ImageAddressing::kClamp,
                                              ImageAddressing::kMirror, ImageAddressing::kBorder};
        image->addressing[axis] = kModes[texture.addressMode[axis]];
    }
    image->linear = texture.filterMode == CU_TR_FILTER_MODE_LINEAR;
    image->linear_levels = texture.mipmapFilterMode == CU_TR_FILTER_MODE_LINEAR;
    image->anisotropy = std::clamp(texture.maxAnisotropy, 1u, kMostAnisotropy);
    image->level_bias = texture.mipmapLevelBias;
    image->least_level = texture.minMipmapLevelClamp;
    image->most_level = texture.maxMipmapLevelClamp;
    for (size_t c = 0; c < 4; ++c) image->border[c] = texture.borderColor[c];
    if (image->fetched) {  // linear memory knows neither address modes nor filters
        image->linear = false;
        image->normalized = false;
        image->addressing.fill(ImageAddressing::kBorder);
    }
    out->image = std::move(image);
    return CUDA_SUCCESS;
}

CUresult make_surface(const CUDA_RESOURCE_DESC& resource, BoundImage* out) {
    if (resource.resType != CU_RESOURCE_TYPE_ARRAY || resource.flags != 0) return CUDA_ERROR_INVALID_VALUE;
    const auto array = driver().arrays.find(resource.res.array.hArray);
    if (array == nullptr) return CUDA_ERROR_INVALID_HANDLE;
    auto image = std::make_shared<Image>();
    const CUresult result = describe(*array, image.get(), out);
    if (result != CUDA_SUCCESS) return result;
    if (image->blocks != BlockFormat::kNone) return CUDA_ERROR_INVALID_VALUE;
    out->image = std::move(image);
    return CUDA_SUCCESS;
}

}  // namespace bitfusion::soft
