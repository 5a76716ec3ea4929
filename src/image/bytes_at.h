// Unaligned little-endian reads of the container headers. The caller has checked that the bytes are there.
#pragma once

#include <cstring>

#include "image/container.h"

namespace bitfusion::image {

template <typename T>
T at(const std::byte* base, size_t offset) {
    T value;
    memcpy(&value, base + offset, sizeof value);
    return value;
}

}  // namespace bitfusion::image
