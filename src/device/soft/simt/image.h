// Image: what a texture or surface object names, as kernels see it: texels in memory, and how to sample them.
//
// The driver (device/soft/texture.h) makes an Image from CUDA's descriptors and checks it there: every level
// lies in memory that stays mapped as long as the Image is in a table. Linear memory may be freed by the
// program at any time and is therefore checked at each access (Image::checked).
//
// Owner: ImageTable, through shared_ptr. Immutable once in a table; any thread. Units: bytes, sizes in
// texels. Source document: NVIDIA, "CUDA C++ Programming Guide", "Texture and Surface Memory".
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include "device/soft/simt/compressed.h"

namespace bitfusion::soft {

enum class ImageFormat : uint8_t { kU8, kU16, kU32, kS8, kS16, kS32, kF16, kF32 };

constexpr uint32_t bytes_of(ImageFormat format) {
    switch (format) {
        case ImageFormat::kU8:
        case ImageFormat::kS8:
            return 1;
        case ImageFormat::kU16:
        case ImageFormat::kS16:
        case ImageFormat::kF16:
            return 2;
        default:
            return 4;
    }
}

constexpr bool is_float(ImageFormat format) {
    return format == ImageFormat::kF16 || format == ImageFormat::kF32;
}

enum class ImageAddressing : uint8_t { kWrap, kClamp, kMirror, kBorder };

struct ImageLevel {
    uint64_t address = 0;
    uint32_t width = 1;
    uint32_t height = 1;
    uint32_t depth = 1;  // slices of a volume; layers; faces of cubes, six for each
    uint64_t pitch = 0;  // from row to row
    uint64_t slice = 0;  // from slice to slice
};

struct Image {
    ImageFormat format = ImageFormat::kU8;
    uint32_t channels = 1;  // 1, 2 or 4
    // Not kNone: memory holds blocks, texels are made of them, and `format` and `channels` say nothing of
    // memory. Extents of levels still count texels; pitches lead from one row of blocks to the next.
    BlockFormat blocks = BlockFormat::kNone;
    bool layered = false;
    bool cube = false;
    bool checked = false;  // texels lie in memory that the program can free
    std::vector<ImageLevel> levels;

    // How it is sampled; surfaces leave it as it is.
    std::array<ImageAddressing, 3> addressing{ImageAddressing::kClamp, ImageAddressing::kClamp,
                                              ImageAddressing::kClamp};
    bool linear = false;            // filter within a level
    bool linear_levels = false;     // filter between levels
    bool normalized = false;        // coordinates run from 0 to 1
    bool normalized_reads = false;  // integers are read as [0, 1] or [-1, 1]
    bool srgb = false;
    bool seamless = false;
    bool fetched = false;     // linear memory: whatever lies outside reads as zero
    uint32_t anisotropy = 1;  // samples along the longer side of a footprint, at most 16
    float level_bias = 0;
    float least_level = 0;
    float most_level = 0;
    std::array<float, 4> border{};

    // Of one texel, or of one block.
    uint32_t texel_bytes() const {
        return blocks != BlockFormat::kNone ? block_bytes(blocks) : bytes_of(format) * channels;
    }
    bool reads_float() const { return is_float(format) || normalized_reads || blocks != BlockFormat::kNone; }
};

// The images that a launch can reach, by the number that stands in its arguments: a texture or surface
// object, or the address of a .texref or .surfref variable.
class ImageTable {
  public:
    void add(uint64_t number, std::shared_ptr<const Image> image, std::shared_ptr<const void> storage) {
        entries_[number] = {std::move(image), std::move(storage)};
    }
    const Image* find(uint64_t number) const {
        const auto found = entries_.find(number);
        return found == entries_.end() ? nullptr : found->second.image.get();
    }
    bool empty() const { return entries_.empty(); }

  private:
    struct Entry {
        std::shared_ptr<const Image> image;
        std::shared_ptr<const void> storage;  // kept as long as a launch may use it
    };
    std::unordered_map<uint64_t, Entry> entries_;
};

}  // namespace bitfusion::soft
