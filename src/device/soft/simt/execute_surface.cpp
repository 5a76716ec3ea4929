// Surface instructions: suld, sust and sured ("PTX ISA", 9.7.10).
#include <algorithm>

#include "device/soft/simt/image_access.h"
#include "device/soft/simt/image_handlers.h"
#include "device/soft/simt/lanes.h"
#include "device/soft/simt/memory.h"

namespace bitfusion::soft {
namespace {

constexpr unsigned kBoundsShift = 3;
constexpr unsigned kBytesShift = 5;
constexpr unsigned kCountShift = 9;

struct Access {
    ImageGeometry geometry;
    SurfaceBounds bounds;
    uint32_t bytes;
    uint32_t count;
};

Access access_of(uint32_t flags) {
    return {static_cast<ImageGeometry>(flags & 7), static_cast<SurfaceBounds>(flags >> kBoundsShift & 3),
            flags >> kBytesShift & 15, flags >> kCountShift & 7};
}

// Where an access of `bytes` begins; null: outside, which kTrap has reported as a fault. `unit` is what the
// first coordinate counts.
std::byte* locate(Warp& warp, const Image& image, const Access& access, const uint32_t* coordinates,
                  uint32_t unit, uint32_t bytes, unsigned lane) {
    const ImageLevel& level = image.levels[0];
    const auto coordinate = [&](unsigned i) {
        return static_cast<int64_t>(static_cast<int32_t>(source<uint32_t>(warp, coordinates[i])[lane]));
    };
    const bool layered = has_layer(access.geometry);
    const unsigned first = layered ? 1 : 0;
    const unsigned count = coordinate_count(access.geometry);
    int64_t x = coordinate(first) * unit;
    int64_t y = count > first + 1 ? coordinate(first + 1) : 0;
    int64_t z = layered ? coordinate(0) : count > 2 ? coordinate(2) : 0;
    if (x % bytes != 0) {
        warp.fault(FaultKind::kMisalignedAddress, lane, static_cast<uint64_t>(x),
                   "a surface is accessed at an offset that is not a multiple of the access");
        return nullptr;
    }
    const int64_t last_x = static_cast<int64_t>(level.width) * image.texel_bytes() - bytes;
    const int64_t last_y = int64_t{level.height} - 1;
    const int64_t last_z = int64_t{level.depth} - 1;
    const bool within = x >= 0 && x <= last_x && y >= 0 && y <= last_y && z >= 0 && z <= last_z;
    if (!within) {
        if (access.bounds == SurfaceBounds::kTrap)
            warp.fault(FaultKind::kTrap, lane, static_cast<uint64_t>(x),
                       "a surface is accessed outside of its bounds");
        if (access.bounds != SurfaceBounds::kClamp || last_x < 0) return nullptr;
        x = std::clamp<int64_t>(x, 0, last_x / bytes * bytes);
        y = std::clamp<int64_t>(y, 0, last_y);
        z = std::clamp<int64_t>(z, 0, last_z);
    }
    const uint64_t address = level.address + static_cast<uint64_t>(z) * level.slice +
                             static_cast<uint64_t>(y) * level.pitch + static_cast<uint64_t>(x);
    return reinterpret_cast<std::byte*>(static_cast<uintptr_t>(address));
}

uint64_t load_value(const std::byte* place, uint32_t bytes) {
    switch (bytes) {
        case 1:
            return load<uint8_t>(place);
        case 2:
            return load<uint16_t>(place);
        case 4:
            return load<uint32_t>(place);
        default:
            return load<uint64_t>(place);
    }
}

void store_value(std::byte* place, uint32_t bytes, uint64_t value) {
    switch (bytes) {
        case 1:
            return store<uint8_t>(place, static_cast<uint8_t>(value));
        case 2:
            return store<uint16_t>(place, static_cast<uint16_t>(value));
        case 4:
            return store<uint32_t>(place, static_cast<uint32_t>(value));
        default:
            return store<uint64_t>(place, value);
    }
}

void load_surface(Warp& warp, const Instruction& in, uint32_t mask) {
    const Access access = access_of(in.flags);
    const uint32_t* values = warp.operands + in.extra;
    each_lane(mask, [&](unsigned lane) {
        if (warp.grid->stopped()) return;
        const Image* image = image_of(warp, in, lane);
        if (image == nullptr) return;
        const std::byte* place =
            locate(warp, *image, access, values + access.count, 1, access.bytes * access.count, lane);
        for (uint32_t i = 0; i < access.count; ++i) {
            const uint64_t value = place == nullptr ? 0 : load_value(place + i * access.bytes, access.bytes);
            if (access.bytes == 8)
                target<uint64_t>(warp, values[i])[lane] = value;
            else
                target<uint32_t>(warp, values[i])[lane] = static_cast<uint32_t>(value);
        }
    });
}

void store_surface(Warp& warp, const Instruction& in, uint32_t mask) {
    const Access access = access_of(in.flags);
    const uint32_t* values = warp.operands + in.extra;
    each_lane(mask, [&](unsigned lane) {
        if (warp.grid->stopped()) return;
        const Image* image = image_of(warp, in, lane);
        if (image == nullptr) return;
        std::byte* place =
            locate(warp, *image, access, values + access.count, 1, access.bytes * access.count, lane);
        for (uint32_t i = 0; i < access.count && place != nullptr; ++i) {
            const uint64_t value = access.bytes == 8 ? source<uint64_t>(warp, values[i])[lane]
                                                     : source<uint32_t>(warp, values[i])[lane];
            store_value(place + i * access.bytes, access.bytes, value);
        }
    });
}

// sust.p: 32-bit values become the surface's format.
void store_formatted(Warp& warp, const Instruction& in, uint32_t mask) {
    const Access access = access_of(in.flags);
    const uint32_t* values = warp.operands + in.extra;
    each_lane(mask, [&](unsigned lane) {
        if (warp.grid->stopped()) return;
        const Image* image = image_of(warp, in, lane);
        if (image == nullptr) return;
        const uint32_t texel = image->texel_bytes();
        std::byte* place = locate(warp, *image, access, values + access.count, texel, texel, lane);
        for (uint32_t c = 0; c < std::min(access.count, image->channels) && place != nullptr; ++c)
            write_channel(image->format, place + c * bytes_of(image->format),
                          source<uint32_t>(warp, values[c])[lane]);
    });
}

enum class Reduction : uint8_t { kAdd, kMin, kMax, kAnd, kOr };

template <Reduction R, class T, bool Formatted>
void reduce_surface(Warp& warp, const Instruction& in, uint32_t mask) {
    const Access access = access_of(in.flags);
    const uint32_t* coordinates = warp.operands + in.extra;
    const auto* values = source<LaneOf<T>>(warp, in.op[1]);
    each_lane(mask, [&](unsigned lane) {
        if (warp.grid->stopped()) return;
        const Image* image = image_of(warp, in, lane);
        if (image == nullptr) return;
        std::byte* place =
            locate(warp, *image, access, coordinates, Formatted ? image->texel_bytes() : 1, sizeof(T), lane);
        if (place == nullptr) return;
        const T value = get<T>(values[lane]);
        T old = load<T>(place);
        T next{};
        do {
            if (R == Reduction::kAdd)
                next = static_cast<T>(static_cast<BitsOf<T>>(old) + static_cast<BitsOf<T>>(value));
            if (R == Reduction::kMin) next = std::min(old, value);
            if (R == Reduction::kMax) next = std::max(old, value);
            if (R == Reduction::kAnd) next = static_cast<T>(old & value);
            if (R == Reduction::kOr) next = static_cast<T>(old | value);
        } while (!__atomic_compare_exchange_n(reinterpret_cast<T*>(place), &old, next, false,
                                              __ATOMIC_RELAXED, __ATOMIC_RELAXED));
    });
}

template <Reduction R, class T>
Handler reduction(bool formatted) {
    return formatted ? reduce_surface<R, T, true> : reduce_surface<R, T, false>;
}

template <class T>
Handler arithmetic(std::string_view operation, bool formatted) {
    if (operation == "add") return reduction<Reduction::kAdd, T>(formatted);
    if (operation == "min") return reduction<Reduction::kMin, T>(formatted);
    if (operation == "max") return reduction<Reduction::kMax, T>(formatted);
    return nullptr;
}

template <class T>
Handler bitwise(std::string_view operation, bool formatted) {
    if (operation == "and") return reduction<Reduction::kAnd, T>(formatted);
    if (operation == "or") return reduction<Reduction::kOr, T>(formatted);
    return nullptr;
}

}  // namespace

uint32_t surface_flags(const SurfaceForm& form) {
    return static_cast<uint32_t>(form.geometry) | static_cast<uint32_t>(form.bounds) << kBoundsShift |
           form.bytes << kBytesShift | form.count << kCountShift;
}

Handler select_surface_load() { return load_surface; }

Handler select_surface_store(bool formatted) { return formatted ? store_formatted : store_surface; }

Handler select_surface_reduction(std::string_view operation, Type type, bool formatted) {
    switch (type) {
        case Type::kU32:
            return arithmetic<uint32_t>(operation, formatted);
        case Type::kS32:
            return arithmetic<int32_t>(operation, formatted);
        case Type::kU64:
            return arithmetic<uint64_t>(operation, formatted);
        case Type::kS64:
            return arithmetic<int64_t>(operation, formatted);
        case Type::kB32:
            return bitwise<uint32_t>(operation, formatted);
        case Type::kB64:
            return bitwise<uint64_t>(operation, formatted);
        default:
            return nullptr;
    }
}

}  // namespace bitfusion::soft
