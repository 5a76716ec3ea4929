// Sample: texture fetching, from coordinates to the four values that a tex instruction returns.
//
// Pure functions of an Image and a point; they know nothing of warps and instructions. Every texel index is
// brought inside its level before memory is touched, so that no point reads outside of the image. Texels are
// read with relaxed atomics: other threads may be writing them through surfaces. Any thread.
// Source documents: NVIDIA, "CUDA C++ Programming Guide", appendix "Texture Fetching"; of anisotropy:
// Khronos, "EXT_texture_filter_anisotropic".
#pragma once

#include <array>
#include <cstdint>

#include "device/soft/simt/image.h"

namespace bitfusion::soft {

enum class ImageGeometry : uint8_t { k1d, k2d, k3d, k1dLayered, k2dLayered, kCube, kCubeLayered };

struct SamplePoint {
    std::array<float, 3> at{};       // coordinates; of a cube: the direction
    std::array<int32_t, 3> texel{};  // instead of `at`, when `whole`
    bool whole = false;
    std::array<int32_t, 3> offset{};  // in texels of the level that is read
    uint32_t layer = 0;
    float level = 0;
};

// The bits of four floats, or of four integers; channels that the image does not have are zero.
using Texel = std::array<uint32_t, 4>;

// Asks whether memory of a checked image may be read.
struct ImageReach {
    bool (*may_read)(void* context, uint64_t address, uint32_t bytes) = nullptr;
    void* context = nullptr;
};

// The four texels of the bilinear footprint, one channel of each, counter-clockwise from the lower left.
// sample() filters; both return false when memory may not be read.
bool sample(const Image& image, ImageGeometry geometry, const SamplePoint& point, const ImageReach& reach,
            Texel* out);
bool gather(const Image& image, ImageGeometry geometry, const SamplePoint& point, unsigned channel,
            const ImageReach& reach, Texel* out);

// The same, over the footprint of these derivatives of normalized coordinates, which choose the level. An
// image with anisotropy and linear filtering is sampled at several points along the longer derivative.
bool sample_footprint(const Image& image, ImageGeometry geometry, const SamplePoint& point,
                      const std::array<float, 3>& dx, const std::array<float, 3>& dy, const ImageReach& reach,
                      Texel* out);

// The level of detail for these derivatives of normalized coordinates.
float level_of_detail(const Image& image, ImageGeometry geometry, const std::array<float, 3>& dx,
                      const std::array<float, 3>& dy);

// One value of a texel as it lies in memory, widened: integers by sign, floats to f32 bits.
uint32_t read_channel(ImageFormat format, const std::byte* place);
// The reverse: integers saturate, f32 bits become what the format holds.
void write_channel(ImageFormat format, std::byte* place, uint32_t bits);

}  // namespace bitfusion::soft
