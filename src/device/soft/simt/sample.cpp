#include "device/soft/simt/sample.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>

#include "device/soft/simt/half.h"
#include "device/soft/simt/memory.h"

namespace bitfusion::soft {
namespace {

constexpr double kFarthest = 1099511627776.0;  // coordinates beyond this many texels are as good as infinite
constexpr float kWeights = 256;                // filter weights have 8 bits of fraction

unsigned dimensions_of(ImageGeometry geometry) {
    switch (geometry) {
        case ImageGeometry::k1d:
        case ImageGeometry::k1dLayered:
            return 1;
        case ImageGeometry::k3d:
            return 3;
        default:
            return 2;
    }
}

bool is_layered(ImageGeometry geometry) {
    return geometry == ImageGeometry::k1dLayered || geometry == ImageGeometry::k2dLayered ||
           geometry == ImageGeometry::kCubeLayered;
}

bool is_cube(ImageGeometry geometry) {
    return geometry == ImageGeometry::kCube || geometry == ImageGeometry::kCubeLayered;
}

float float_of(uint32_t bits) { return std::bit_cast<float>(bits); }
uint32_t bits_of(float value) { return std::bit_cast<uint32_t>(value); }

float from_srgb(float value) {
    return value <= 0.04045f ? value / 12.92f : std::pow((value + 0.055f) / 1.055f, 2.4f);
}

float as_fraction(ImageFormat format, uint32_t bits) {
    switch (format) {
        case ImageFormat::kU8:
            return static_cast<float>(bits) / 255.0f;
        case ImageFormat::kU16:
            return static_cast<float>(bits) / 65535.0f;
        case ImageFormat::kS8:
            return std::max(static_cast<float>(static_cast<int32_t>(bits)) / 127.0f, -1.0f);
        case ImageFormat::kS16:
            return std::max(static_cast<float>(static_cast<int32_t>(bits)) / 32767.0f, -1.0f);
        default:
            return static_cast<float>(bits);
    }
}

// Where a texel lies; a negative coordinate: in the border.
struct Place {
    int64_t x = 0;
    int64_t y = 0;
    int64_t z = 0;
};

class Level {
  public:
    Level(const Image& image, const ImageLevel& level, const ImageReach& reach)
        : image_(image), level_(level), reach_(reach) {}

    int64_t size(unsigned axis) const {
        return axis == 0 ? level_.width : axis == 1 ? level_.height : level_.depth;
    }
    bool read(const Place& place, Texel* out) const {
        *out = {};
        if (place.x < 0 || place.y < 0 || place.z < 0) {
            if (!image_.fetched)
                for (unsigned c = 0; c < 4; ++c) (*out)[c] = bits_of(image_.border[c]);
            return true;
        }
        if (image_.blocks != BlockFormat::kNone) return read_block(place, out);
        const uint64_t address = level_.address + static_cast<uint64_t>(place.z) * level_.slice +
                                 static_cast<uint64_t>(place.y) * level_.pitch +
                                 static_cast<uint64_t>(place.x) * image_.texel_bytes();
        if (image_.checked && !reach_.may_read(reach_.context, address, image_.texel_bytes())) return false;
        const auto* at = reinterpret_cast<const std::byte*>(static_cast<uintptr_t>(address));
        for (unsigned c = 0; c < image_.channels; ++c) {
            uint32_t bits = read_channel(image_.format, at + c * bytes_of(image_.format));
            if (image_.normalized_reads) {
                float value = as_fraction(image_.format, bits);
                if (image_.srgb && c < 3) value = from_srgb(value);
                bits = bits_of(value);
            }
            (*out)[c] = bits;
        }
        return true;
    }

  private:
    // Blocks lie in arrays only, never in memory that the program can free.
    bool read_block(const Place& place, Texel* out) const {
        const uint64_t x = static_cast<uint64_t>(place.x);
        const uint64_t y = static_cast<uint64_t>(place.y);
        const uint64_t address = level_.address + static_cast<uint64_t>(place.z) * level_.slice +
                                 y / kBlockEdge * level_.pitch + x / kBlockEdge * image_.texel_bytes();
        const auto* at = reinterpret_cast<const std::byte*>(static_cast<uintptr_t>(address));
        CompressedBlock block;
        block.low = load<uint64_t>(at);
        if (image_.texel_bytes() > sizeof block.low) block.high = load<uint64_t>(at + sizeof block.low);
        const BlockTexel texel = decode_texel(image_.blocks, block, static_cast<unsigned>(x % kBlockEdge),
                                              static_cast<unsigned>(y % kBlockEdge));
        for (unsigned c = 0; c < 4; ++c)
            (*out)[c] = bits_of(image_.srgb && c < 3 ? from_srgb(texel[c]) : texel[c]);
        return true;
    }

    const Image& image_;
    const ImageLevel& level_;
    const ImageReach& reach_;
};

// The texel that stands for index `i` of `size`; -1: the border.
int64_t addressed(int64_t i, int64_t size, ImageAddressing mode) {
    switch (mode) {
        case ImageAddressing::kWrap:
            return (i % size + size) % size;
        case ImageAddressing::kMirror: {
            const int64_t m = (i % (2 * size) + 2 * size) % (2 * size);
            return m < size ? m : 2 * size - 1 - m;
        }
        case ImageAddressing::kBorder:
            return i < 0 || i >= size ? -1 : i;
        default:
            return std::clamp<int64_t>(i, 0, size - 1);
    }
}

// A direction as a face of the cube and coordinates on it, both from 0 to 1.
struct CubePlace {
    unsigned face;
    double s, t;
};

CubePlace on_cube(double x, double y, double z) {
    const double ax = std::fabs(x);
    const double ay = std::fabs(y);
    const double az = std::fabs(z);
    CubePlace place{};
    double major = az;
    if (ax >= ay && ax >= az) {
        major = ax;
        place = x >= 0 ? CubePlace{0, -z, -y} : CubePlace{1, z, -y};
    } else if (ay >= az) {
        major = ay;
        place = y >= 0 ? CubePlace{2, x, z} : CubePlace{3, x, -z};
    } else {
        place = z >= 0 ? CubePlace{4, x, -y} : CubePlace{5, -x, -y};
    }
    if (!(major > 0)) return {place.face, 0.5, 0.5};
    place.s = (place.s / major + 1) / 2;
    place.t = (place.t / major + 1) / 2;
    return place;
}

std::array<double, 3> direction(unsigned face, double s, double t) {
    switch (face) {
        case 0:
            return {1, -t, -s};
        case 1:
            return {-1, -t, s};
        case 2:
            return {s, 1, t};
        case 3:
            return {s, -1, -t};
        case 4:
            return {s, -t, 1};
        default:
            return {-s, -t, -1};
    }
}

class Sampler {
  public:
    Sampler(const Image& image, ImageGeometry geometry, const SamplePoint& point, const ImageReach& reach)
        : image_(image), reach_(reach), dimensions_(dimensions_of(geometry)) {
        for (unsigned axis = 0; axis < 3; ++axis) {
            at_[axis] = static_cast<double>(point.at[axis]);
            texel_[axis] = point.texel[axis];
            offset_[axis] = point.offset[axis];
            modes_[axis] = image.addressing[axis];
            const bool repeats =
                modes_[axis] == ImageAddressing::kWrap || modes_[axis] == ImageAddressing::kMirror;
            if (image.seamless || (repeats && !image.normalized)) modes_[axis] = ImageAddressing::kClamp;
        }
        fraction_ = image.normalized || is_cube(geometry);
        whole_ = point.whole;
        if (whole_ && image.fetched) modes_.fill(ImageAddressing::kBorder);
        const uint32_t layers = image.levels[0].depth;
        if (is_cube(geometry)) {
            const CubePlace place = on_cube(at_[0], at_[1], at_[2]);
            at_ = {place.s, place.t, 0};
            const uint32_t cubes = std::max(layers / 6, 1u);
            cube_ = is_layered(geometry) ? std::min(point.layer, cubes - 1) : 0;
            face_ = place.face;
            layer_ = std::min(cube_ * 6 + face_, layers - 1);
            seamless_ = image.seamless && layers >= 6;
        } else if (is_layered(geometry)) {
            layer_ = std::min(point.layer, layers - 1);
        }
    }

    bool at_level(size_t number, Texel* out) const {
        const Level level(image_, image_.levels[number], reach_);
        if (whole_ || !image_.linear || !image_.reads_float()) {
            Corner corner;
            for (unsigned axis = 0; axis < dimensions_; ++axis)
                corner[axis] = offset_[axis] + (whole_ ? texel_[axis] : to_index(coordinate(level, axis)));
            return read(level, corner, out);
        }
        std::array<int64_t, 3> first{};
        std::array<float, 3> weight{};
        footprint(level, &first, &weight);
        std::array<float, 4> sum{};
        for (unsigned corner = 0; corner < 1u << dimensions_; ++corner) {
            Corner place{};
            float share = 1;
            for (unsigned axis = 0; axis < dimensions_; ++axis) {
                const bool upper = (corner >> axis & 1) != 0;
                place[axis] = first[axis] + (upper ? 1 : 0);
                share *= upper ? weight[axis] : 1 - weight[axis];
            }
            Texel texel;
            if (!read(level, place, &texel)) return false;
            // a texel without weight adds nothing, not even a NaN
            if (share == 0) continue;
            for (unsigned c = 0; c < 4; ++c) sum[c] += share * float_of(texel[c]);
        }
        for (unsigned c = 0; c < 4; ++c) (*out)[c] = bits_of(sum[c]);
        return true;
    }

    bool gathered(unsigned channel, Texel* out) const {
        const Level level(image_, image_.levels[0], reach_);
        std::array<int64_t, 3> first{};
        std::array<float, 3> weight{};
        footprint(level, &first, &weight);
        constexpr unsigned kOrder[4][2] = {{0, 1}, {1, 1}, {1, 0}, {0, 0}};
        for (unsigned i = 0; i < 4; ++i) {
            Texel texel;
            if (!read(level, {first[0] + kOrder[i][0], first[1] + kOrder[i][1], 0}, &texel)) return false;
            (*out)[i] = texel[channel];
        }
        return true;
    }

  private:
    using Corner = std::array<int64_t, 3>;

    // In texels, after the guide's definitions of wrap and mirror.
    double coordinate(const Level& level, unsigned axis) const {
        double at = at_[axis];
        if (modes_[axis] == ImageAddressing::kWrap) at -= std::floor(at);
        if (modes_[axis] == ImageAddressing::kMirror) {
            const double whole = std::floor(at);
            at = std::fmod(whole, 2) == 0 ? at - whole : 1 - (at - whole);
        }
        const double u = fraction_ ? at * static_cast<double>(level.size(axis)) : at;
        return u == u ? std::clamp(u, -kFarthest, kFarthest) : 0;
    }
    static int64_t to_index(double u) { return static_cast<int64_t>(std::floor(u)); }

    void footprint(const Level& level, std::array<int64_t, 3>* first, std::array<float, 3>* weight) const {
        for (unsigned axis = 0; axis < dimensions_; ++axis) {
            const double u = coordinate(level, axis) - 0.5;
            const double whole = std::floor(u);
            (*first)[axis] = static_cast<int64_t>(whole) + offset_[axis];
            (*weight)[axis] = std::floor(static_cast<float>(u - whole) * kWeights + 0.5f) / kWeights;
        }
    }

    bool read(const Level& level, const Corner& corner, Texel* out) const {
        if (seamless_ && image_.linear) return read_seamless(level, corner, out);
        Place place;
        place.x = addressed(corner[0], level.size(0), modes_[0]);
        if (dimensions_ > 1) place.y = addressed(corner[1], level.size(1), modes_[1]);
        place.z = dimensions_ > 2 ? addressed(corner[2], level.size(2), modes_[2]) : layer_;
        return level.read(place, out);
    }

    // A texel beyond one edge of its face lies on the neighbour; beyond a corner there is none, and the
    // three that meet there are averaged.
    bool read_seamless(const Level& level, const Corner& corner, Texel* out) const {
        const int64_t n = level.size(0);
        const bool out_x = corner[0] < 0 || corner[0] >= n;
        const bool out_y = corner[1] < 0 || corner[1] >= n;
        if (out_x && out_y) {
            const int64_t x = std::clamp<int64_t>(corner[0], 0, n - 1);
            const int64_t y = std::clamp<int64_t>(corner[1], 0, n - 1);
            Texel texels[3];
            if (!read_seamless(level, {x, y, 0}, &texels[0]) ||
                !read_seamless(level, {corner[0], y, 0}, &texels[1]) ||
                !read_seamless(level, {x, corner[1], 0}, &texels[2]))
                return false;
            for (unsigned c = 0; c < 4; ++c)
                (*out)[c] =
                    bits_of((float_of(texels[0][c]) + float_of(texels[1][c]) + float_of(texels[2][c])) / 3);
            return true;
        }
        if (!out_x && !out_y) return level.read({corner[0], corner[1], layer_}, out);
        const auto centre = [n](int64_t i) {
            return 2 * (static_cast<double>(i) + 0.5) / static_cast<double>(n) - 1;
        };
        const std::array<double, 3> way = direction(face_, centre(corner[0]), centre(corner[1]));
        const CubePlace place = on_cube(way[0], way[1], way[2]);
        const auto index = [n](double s) {
            return std::clamp<int64_t>(to_index(s * static_cast<double>(n)), 0, n - 1);
        };
        return level.read({index(place.s), index(place.t), cube_ * 6 + place.face}, out);
    }

    const Image& image_;
    const ImageReach& reach_;
    const unsigned dimensions_;
    std::array<double, 3> at_{};
    std::array<int64_t, 3> texel_{};
    std::array<int64_t, 3> offset_{};
    std::array<ImageAddressing, 3> modes_{};
    bool fraction_ = false;  // coordinates run from 0 to 1
    bool whole_ = false;
    bool seamless_ = false;
    uint32_t layer_ = 0;
    uint32_t cube_ = 0;
    uint32_t face_ = 0;
};

}  // namespace

uint32_t read_channel(ImageFormat format, const std::byte* place) {
    switch (format) {
        case ImageFormat::kU8:
            return load<uint8_t>(place);
        case ImageFormat::kS8:
            return static_cast<uint32_t>(static_cast<int32_t>(load<int8_t>(place)));
        case ImageFormat::kU16:
            return load<uint16_t>(place);
        case ImageFormat::kS16:
            return static_cast<uint32_t>(static_cast<int32_t>(load<int16_t>(place)));
        case ImageFormat::kF16:
            return bits_of(from_f16(load<uint16_t>(place)));
        default:
            return load<uint32_t>(place);
    }
}

void write_channel(ImageFormat format, std::byte* place, uint32_t bits) {
    const auto value = static_cast<int32_t>(bits);
    switch (format) {
        case ImageFormat::kU8:
            return store<uint8_t>(place, static_cast<uint8_t>(std::min(bits, 255u)));
        case ImageFormat::kS8:
            return store<int8_t>(place, static_cast<int8_t>(std::clamp(value, -128, 127)));
        case ImageFormat::kU16:
            return store<uint16_t>(place, static_cast<uint16_t>(std::min(bits, 65535u)));
        case ImageFormat::kS16:
            return store<int16_t>(place, static_cast<int16_t>(std::clamp(value, -32768, 32767)));
        case ImageFormat::kF16:
            return store<uint16_t>(place, to_f16(static_cast<double>(float_of(bits))));
        default:
            return store<uint32_t>(place, bits);
    }
}

bool sample(const Image& image, ImageGeometry geometry, const SamplePoint& point, const ImageReach& reach,
            Texel* out) {
    const Sampler sampler(image, geometry, point, reach);
    const auto last = static_cast<float>(image.levels.size() - 1);
    if (last == 0) return sampler.at_level(0, out);
    float level = point.level + image.level_bias;
    level = std::clamp(level == level ? level : 0, image.least_level,
                       std::max(image.least_level, image.most_level));
    level = level >= 0 ? std::min(level, last) : 0;  // a NaN of the descriptor's clamps counts as 0
    if (!image.linear_levels || !image.reads_float())
        return sampler.at_level(static_cast<size_t>(std::min(std::floor(level + 0.5f), last)), out);
    const float whole = std::floor(level);
    const float weight = std::floor((level - whole) * kWeights + 0.5f) / kWeights;
    if (!sampler.at_level(static_cast<size_t>(whole), out)) return false;
    if (weight == 0 || whole >= last) return true;
    Texel next;
    if (!sampler.at_level(static_cast<size_t>(whole) + 1, &next)) return false;
    for (unsigned c = 0; c < 4; ++c)
        (*out)[c] = bits_of((1 - weight) * float_of((*out)[c]) + weight * float_of(next[c]));
    return true;
}

bool gather(const Image& image, ImageGeometry geometry, const SamplePoint& point, unsigned channel,
            const ImageReach& reach, Texel* out) {
    return Sampler(image, geometry, point, reach).gathered(channel, out);
}

namespace {

// How many texels of the first level a step of the coordinates crosses.
float length_of(const Image& image, ImageGeometry geometry, const std::array<float, 3>& step) {
    const ImageLevel& base = image.levels[0];
    const std::array<uint32_t, 3> sizes{base.width, base.height, base.depth};
    float square = 0;
    for (unsigned axis = 0; axis < (is_cube(geometry) ? 3 : dimensions_of(geometry)); ++axis) {
        // a face of a cube spans two units of direction
        const float scale = is_cube(geometry)  ? static_cast<float>(base.width) / 2
                            : image.normalized ? static_cast<float>(sizes[axis])
                                               : 1;
        square += step[axis] * scale * step[axis] * scale;
    }
    return std::sqrt(square);
}

float level_of(const Image& image, float length) {
    return length > 0 ? std::log2(length) : image.least_level;
}

}  // namespace

float level_of_detail(const Image& image, ImageGeometry geometry, const std::array<float, 3>& dx,
                      const std::array<float, 3>& dy) {
    return level_of(image, std::max(length_of(image, geometry, dx), length_of(image, geometry, dy)));
}

bool sample_footprint(const Image& image, ImageGeometry geometry, const SamplePoint& point,
                      const std::array<float, 3>& dx, const std::array<float, 3>& dy, const ImageReach& reach,
                      Texel* out) {
    SamplePoint at = point;
    const float lengths[] = {length_of(image, geometry, dx), length_of(image, geometry, dy)};
    const float longer = std::max(lengths[0], lengths[1]);
    const float shorter = std::min(lengths[0], lengths[1]);
    const auto most = static_cast<float>(image.anisotropy);
    // also 1 when a derivative is no number
    const float count = longer > shorter ? std::min(std::ceil(longer / shorter), most) : 1;
    if (count <= 1 || !image.linear || !image.reads_float() || point.whole || is_cube(geometry)) {
        at.level = level_of(image, longer);
        return sample(image, geometry, at, reach, out);
    }
    at.level = level_of(image, longer / count);
    const std::array<float, 3>& way = lengths[0] >= lengths[1] ? dx : dy;
    std::array<float, 4> sum{};
    for (float i = 0; i < count; ++i) {
        for (unsigned axis = 0; axis < 3; ++axis)
            at.at[axis] = point.at[axis] + way[axis] * ((i + 0.5f) / count - 0.5f);
        Texel one;
        if (!sample(image, geometry, at, reach, &one)) return false;
        for (unsigned c = 0; c < 4; ++c) sum[c] += float_of(one[c]);
    }
    for (unsigned c = 0; c < 4; ++c) (*out)[c] = bits_of(sum[c] / count);
    return true;
}

}  // namespace bitfusion::soft
