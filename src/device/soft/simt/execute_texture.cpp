// Texture instructions: tex, tld4, txq and suq ("PTX ISA", 9.7.9).
#include <bit>

#include "device/soft/simt/half.h"
#include "device/soft/simt/image_access.h"
#include "device/soft/simt/image_handlers.h"
#include "device/soft/simt/lanes.h"

namespace bitfusion::soft {
namespace {

constexpr unsigned kGeometryBits = 3;
constexpr unsigned kLevelShift = 3;
constexpr uint32_t kWhole = 1 << 5;
constexpr uint32_t kHalves = 1 << 6;
constexpr uint32_t kPairs = 1 << 7;
constexpr unsigned kChannelShift = 8;
constexpr uint32_t kOffset = 1 << 10;

ImageGeometry geometry_of(uint32_t flags) {
    return static_cast<ImageGeometry>(flags & ((1u << kGeometryBits) - 1));
}

bool may_read(void* context, uint64_t address, uint32_t bytes) {
    Warp& warp = *static_cast<Warp*>(context);
    return inside(warp.window, address, bytes) || find_window(warp, address, bytes);
}

float float_lane(const Warp& warp, uint32_t operand, unsigned lane) {
    return std::bit_cast<float>(source<uint32_t>(warp, operand)[lane]);
}

void write_result(Warp& warp, const Instruction& in, const Image& image, const Texel& texel, unsigned lane) {
    const uint32_t* results = warp.operands + in.extra;
    const auto half = [&](unsigned c) -> uint32_t {
        return image.reads_float() ? to_f16(static_cast<double>(std::bit_cast<float>(texel[c])))
                                   : texel[c] & 0xffff;
    };
    if ((in.flags & kPairs) != 0) {
        for (unsigned i = 0; i < 2; ++i)
            target<uint32_t>(warp, results[i])[lane] = half(2 * i) | half(2 * i + 1) << 16;
        return;
    }
    for (unsigned c = 0; c < 4; ++c)
        target<uint32_t>(warp, results[c])[lane] = (in.flags & kHalves) != 0 ? half(c) : texel[c];
}

void fetch_texture(Warp& warp, const Instruction& in, uint32_t mask) {
    const ImageGeometry geometry = geometry_of(in.flags);
    const auto level = static_cast<TextureLevel>(in.flags >> kLevelShift & 3);
    const uint32_t* coordinates = warp.operands + in.extra + ((in.flags & kPairs) != 0 ? 2 : 4);
    const unsigned count = coordinate_count(geometry);
    const ImageReach reach{may_read, &warp};
    each_lane(mask, [&](unsigned lane) {
        if (warp.grid->stopped()) return;
        const Image* image = image_of(warp, in, lane);
        if (image == nullptr) return;
        SamplePoint point;
        point.whole = (in.flags & kWhole) != 0;
        unsigned at = 0;
        if (has_layer(geometry)) point.layer = source<uint32_t>(warp, coordinates[at++])[lane];
        for (unsigned axis = 0; at < count; ++axis, ++at) {
            if (point.whole)
                point.texel[axis] = static_cast<int32_t>(source<uint32_t>(warp, coordinates[at])[lane]);
            else
                point.at[axis] = float_lane(warp, coordinates[at], lane);
        }
        unsigned further = count;
        std::array<float, 3> steps[2]{};
        if (level == TextureLevel::kGiven) {
            const uint32_t operand = coordinates[further++];
            point.level = point.whole ? static_cast<float>(source<uint32_t>(warp, operand)[lane])
                                      : float_lane(warp, operand, lane);
        } else if (level == TextureLevel::kGradients) {
            const unsigned components = gradient_count(geometry);
            for (unsigned i = 0; i < 2 * components; ++i)
                steps[i / components][i % components] = float_lane(warp, coordinates[further++], lane);
        }
        for (unsigned i = 0; (in.flags & kOffset) != 0 && i < gradient_count(geometry); ++i)
            point.offset[i] = static_cast<int32_t>(source<uint32_t>(warp, coordinates[further++])[lane]);
        Texel texel{};
        bool read = false;
        if (level == TextureLevel::kGather) {
            read = gather(*image, geometry, point, in.flags >> kChannelShift & 3, reach, &texel);
        } else if (level == TextureLevel::kGradients) {
            read = sample_footprint(*image, geometry, point, steps[0], steps[1], reach, &texel);
        } else {
            read = sample(*image, geometry, point, reach, &texel);
        }
        if (!read) {
            warp.fault(FaultKind::kIllegalAddress, lane, image->levels[0].address,
                       "a texture of linear memory reads memory that is not allocated");
            return;
        }
        write_result(warp, in, *image, texel, lane);
    });
}

// The numbers of channel_data_type and channel_order are OpenCL's, as PTX has them.
uint32_t channel_data_type(const Image& image) {
    switch (image.blocks) {
        case BlockFormat::kNone:
            break;
        case BlockFormat::kBc4s:
        case BlockFormat::kBc5s:
            return 0x10d0;
        case BlockFormat::kBc6h:
        case BlockFormat::kBc6hs:
            return 0x10dd;
        default:
            return 0x10d2;
    }
    switch (image.format) {
        case ImageFormat::kU8:
            return image.normalized_reads ? 0x10d2 : 0x10da;
        case ImageFormat::kU16:
            return image.normalized_reads ? 0x10d3 : 0x10db;
        case ImageFormat::kU32:
            return 0x10dc;
        case ImageFormat::kS8:
            return image.normalized_reads ? 0x10d0 : 0x10d7;
        case ImageFormat::kS16:
            return image.normalized_reads ? 0x10d1 : 0x10d8;
        case ImageFormat::kS32:
            return 0x10d9;
        case ImageFormat::kF16:
            return 0x10dd;
        default:
            return 0x10de;
    }
}

enum class Query : uint8_t {
    kWidth,
    kHeight,
    kDepth,
    kArraySize,
    kLevels,
    kSamples,
    kDataType,
    kOrder,
    kNormalized,
};

template <Query Q>
void query(Warp& warp, const Instruction& in, uint32_t mask) {
    const uint32_t* operands = warp.operands + in.extra;
    const bool leveled = in.flags != 0;
    each_lane(mask, [&](unsigned lane) {
        if (warp.grid->stopped()) return;
        const Image* image = image_of(warp, in, lane);
        if (image == nullptr) return;
        const size_t number = leveled ? source<uint32_t>(warp, operands[1])[lane] : 0;
        const ImageLevel level =
            number < image->levels.size() ? image->levels[number] : ImageLevel{0, 0, 0, 0};
        const bool stacked = image->layered || image->cube;
        uint32_t value = 0;
        if (Q == Query::kWidth) value = level.width;
        if (Q == Query::kHeight) value = level.height;
        if (Q == Query::kDepth) value = stacked ? 1 : level.depth;
        if (Q == Query::kArraySize) value = image->cube ? level.depth / 6 : stacked ? level.depth : 1;
        if (Q == Query::kLevels) value = static_cast<uint32_t>(image->levels.size());
        if (Q == Query::kSamples) value = 1;
        if (Q == Query::kDataType) value = channel_data_type(*image);
        if (Q == Query::kOrder)
            value = image->channels == 1 ? 0x10b0 : image->channels == 2 ? 0x10b2 : 0x10b5;
        if (Q == Query::kNormalized) value = image->normalized ? 1 : 0;
        target<uint32_t>(warp, operands[0])[lane] = value;
    });
}

}  // namespace

const Image* image_of(Warp& warp, const Instruction& in, unsigned lane) {
    const uint64_t number = source<uint64_t>(warp, in.op[0])[lane];
    const ImageTable* images = warp.grid->request.images;
    const Image* image = images == nullptr ? nullptr : images->find(number);
    if (image == nullptr)
        warp.fault(FaultKind::kIllegalAddress, lane, number, "there is no such texture or surface");
    return image;
}

uint32_t texture_flags(const TextureForm& form) {
    return static_cast<uint32_t>(form.geometry) | static_cast<uint32_t>(form.level) << kLevelShift |
           (form.whole ? kWhole : 0) | (form.result == Type::kF16 ? kHalves : 0) |
           (form.result == Type::kF16x2 ? kPairs : 0) | form.channel << kChannelShift |
           (form.offset ? kOffset : 0);
}

unsigned gradient_count(ImageGeometry geometry) {
    switch (geometry) {
        case ImageGeometry::k1d:
        case ImageGeometry::k1dLayered:
            return 1;
        case ImageGeometry::k2d:
        case ImageGeometry::k2dLayered:
            return 2;
        default:
            return 3;
    }
}

Handler select_texture() { return fetch_texture; }

Handler select_image_query(std::string_view name) {
    if (name == "width") return query<Query::kWidth>;
    if (name == "height") return query<Query::kHeight>;
    if (name == "depth") return query<Query::kDepth>;
    if (name == "array_size") return query<Query::kArraySize>;
    if (name == "num_mipmap_levels") return query<Query::kLevels>;
    if (name == "num_samples") return query<Query::kSamples>;
    if (name == "channel_data_type") return query<Query::kDataType>;
    if (name == "channel_order") return query<Query::kOrder>;
    if (name == "normalized_coords") return query<Query::kNormalized>;
    return nullptr;
}

}  // namespace bitfusion::soft
