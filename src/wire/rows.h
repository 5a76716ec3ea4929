// Rows: what a worker tells of NVML (docs/wire.md, "rows"): one row for each question of a snapshot, and the
// programs that use a GPU. Plain data and its encoding; a row is what the function returned and, where that
// was success, the bytes that it wrote. Which row answers what follows from the description, on both sides.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <span>
#include <string>
#include <vector>

#include "wire/codec.h"

namespace bitfusion::wire {

template <typename T>
std::span<const uint8_t> piece(const T& value) {
    return {reinterpret_cast<const uint8_t*>(&value), sizeof value};
}
// Text without its NUL.
inline std::span<const uint8_t> text_piece(const char* text, size_t room) {
    return {reinterpret_cast<const uint8_t*>(text), strnlen(text, room)};
}
// The first `count` elements of a list.
template <typename T, size_t Most>
std::span<const uint8_t> list_piece(const std::array<T, Most>& list, size_t count) {
    return {reinterpret_cast<const uint8_t*>(list.data()), std::min(count, Most) * sizeof(T)};
}

class RowWriter {
  public:
    // `pieces` are written when the result is 0, NVML's success.
    void row(int32_t result, std::initializer_list<std::span<const uint8_t>> pieces);
    const std::vector<uint8_t>& bytes() const { return bytes_; }

  private:
    std::vector<uint8_t> bytes_;
};

struct Row {
    int32_t result = 0;
    std::vector<uint8_t> bytes;
};

// False when the bytes are not exactly `count` rows.
bool decode(Reader& reader, size_t count, std::vector<Row>* rows);

// A program of the lease with a context on the GPU, as the client's machine knows it.
struct ProcessFact {
    uint32_t pid = 0;
    uint64_t used_bytes = 0;
    std::string name;
};

std::vector<uint8_t> encode(const std::vector<ProcessFact>& processes);
bool decode(Reader& reader, std::vector<ProcessFact>* processes);

}  // namespace bitfusion::wire
