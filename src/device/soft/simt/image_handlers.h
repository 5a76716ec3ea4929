// Image handlers: the functions that execute texture and surface instructions, for the decoder.
//
// op[0] is the image: a 64-bit register or constant with the object's number, or the address of a .texref or
// .surfref variable. All other operands stand in operands[extra..] in the order that is said here; every
// instruction takes geometry() coordinates, an array's layer first, as PTX writes them. The select functions
// return null for what there is not. Any thread. Source document: "PTX ISA", 9.7.9 and 9.7.10.
#pragma once

#include <string_view>

#include "device/soft/ptx/code.h"
#include "device/soft/ptx/types.h"
#include "device/soft/simt/sample.h"

namespace bitfusion::soft {

// Coordinates that an instruction of this geometry looks at, the layer included.
constexpr unsigned coordinate_count(ImageGeometry geometry) {
    switch (geometry) {
        case ImageGeometry::k1d:
            return 1;
        case ImageGeometry::k2d:
        case ImageGeometry::k1dLayered:
            return 2;
        case ImageGeometry::kCubeLayered:
            return 4;
        default:
            return 3;
    }
}

constexpr bool has_layer(ImageGeometry geometry) {
    return geometry == ImageGeometry::k1dLayered || geometry == ImageGeometry::k2dLayered ||
           geometry == ImageGeometry::kCubeLayered;
}

// execute_texture.cpp. tex and tld4: results, coordinates, the level or the two gradients, then the offset.
enum class TextureLevel : uint8_t { kBase, kGiven, kGradients, kGather };
struct TextureForm {
    ImageGeometry geometry = ImageGeometry::k1d;
    TextureLevel level = TextureLevel::kBase;
    bool whole = false;        // integer coordinates
    Type result = Type::kF32;  // kF16: four halves, kF16x2: two pairs
    unsigned channel = 0;      // tld4
    bool offset = false;       // in texels, one number a dimension
};
uint32_t texture_flags(const TextureForm& form);
Handler select_texture();
// Components of one gradient, and of an offset; a cube has no offset.
unsigned gradient_count(ImageGeometry geometry);
// txq, suq: one result and, for levels, the level. Null for an unknown query.
Handler select_image_query(std::string_view name);

// execute_surface.cpp. suld, sust, sured: values, then coordinates; the first one in bytes unless formatted.
enum class SurfaceBounds : uint8_t { kTrap, kClamp, kZero };
struct SurfaceForm {
    ImageGeometry geometry = ImageGeometry::k1d;
    SurfaceBounds bounds = SurfaceBounds::kTrap;
    uint32_t bytes = 4;  // of one value: 1, 2, 4 or 8
    uint32_t count = 1;  // values: 1, 2 or 4
};
uint32_t surface_flags(const SurfaceForm& form);
Handler select_surface_load();
Handler select_surface_store(bool formatted);
// sured: op = {image, value}; the coordinates stand in operands[extra..].
Handler select_surface_reduction(std::string_view operation, Type type, bool formatted);

}  // namespace bitfusion::soft
