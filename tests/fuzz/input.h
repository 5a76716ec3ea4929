// Input: the fuzzer's bytes, taken from the front as numbers. When none are left everything is 0, so that
// every input means something and a longer one only adds to it.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace bitfusion::fuzz {

class Input {
  public:
    Input(const uint8_t* data, size_t size) : left_(data, size) {}

    template <typename T>
    T take() {
        T value{};
        const std::span<const uint8_t> bytes = take_bytes(sizeof value);
        if (!bytes.empty()) memcpy(&value, bytes.data(), bytes.size());
        return value;
    }
    // At most so many; fewer when no more are there.
    std::span<const uint8_t> take_bytes(size_t most) {
        const auto taken = left_.first(std::min(most, left_.size()));
        left_ = left_.subspan(taken.size());
        return taken;
    }
    bool empty() const { return left_.empty(); }

  private:
    std::span<const uint8_t> left_;
};

}  // namespace bitfusion::fuzz
