// Codec: how fields stand in a message body (docs/wire.md, "fields"): little endian, packed, no padding.
//
// A Writer fills memory that its owner has sized exactly. A Reader walks over bytes of a peer that is not
// trusted: a short read sets one sticky fault and yields zeros from then on, so a decoder needs no check per
// field and asks done() once, before it acts. Neither allocates. One thread at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <span>
#include <string_view>

namespace bitfusion::wire {

class Writer {
  public:
    Writer(uint8_t* at, size_t bytes) : at_(at), end_(at + bytes) {}

    template <typename T>
    void put(const T& value) {
        raw(&value, sizeof value);
    }
    void raw(const void* data, size_t bytes) {
        if (bytes > left()) __builtin_trap();  // our own size arithmetic is wrong
        if (bytes != 0) memcpy(at_, data, bytes);
        at_ += bytes;
    }
    // The next so many bytes, to be filled by the caller.
    uint8_t* place(size_t bytes) {
        if (bytes > left()) __builtin_trap();
        uint8_t* const here = at_;
        at_ += bytes;
        return here;
    }
    // A length (u64) and that many bytes.
    void bytes(const void* data, size_t size) {
        put(static_cast<uint64_t>(size));
        raw(data, size);
    }
    size_t left() const { return static_cast<size_t>(end_ - at_); }

  private:
    uint8_t* at_;
    uint8_t* end_;
};

class Reader {
  public:
    Reader(const uint8_t* at, size_t bytes) : at_(at), end_(at + bytes) {}
    explicit Reader(std::span<const uint8_t> bytes) : Reader(bytes.data(), bytes.size()) {}

    template <typename T>
    T get() {
        T value{};
        copy(&value, sizeof value);
        return value;
    }
    void copy(void* target, uint64_t bytes) {
        if (bytes > left()) return fault();
        if (bytes != 0) memcpy(target, at_, bytes);
        at_ += bytes;
    }
    // A length (u64) and that many bytes, in place: valid as long as the message is.
    std::span<const uint8_t> bytes() {
        const auto size = get<uint64_t>();
        if (size > left()) {
            fault();
            return {};
        }
        const std::span<const uint8_t> found(at_, size);
        at_ += size;
        return found;
    }
    std::string_view text() {
        const auto found = bytes();
        return {reinterpret_cast<const char*>(found.data()), found.size()};
    }
    std::span<const uint8_t> rest() {
        const std::span<const uint8_t> found(at_, left());
        at_ = end_;
        return found;
    }
    // Whether `count` elements of `size` bytes can still follow; asked before anything is allocated for them.
    bool holds(uint64_t count, uint64_t size) {
        if (size != 0 && count > left() / size) fault_ = true;
        return !fault_;
    }
    size_t left() const { return static_cast<size_t>(end_ - at_); }
    bool faulty() const { return fault_; }
    // Everything was there and nothing is left over.
    bool done() const { return !fault_ && at_ == end_; }

  private:
    void fault() {
        fault_ = true;
        at_ = end_;
    }

    const uint8_t* at_;
    const uint8_t* end_;
    bool fault_ = false;
};

// Size arithmetic on numbers of a peer: saturates instead of wrapping, so that a product of hostile factors
// is too large for every range instead of small.
struct Extent {
    uint64_t value;
    template <typename T>
    constexpr Extent(T v)
        : value(static_cast<uint64_t>(v)) {}  // NOLINT: size expressions read like arithmetic
};
constexpr Extent operator*(Extent a, Extent b) {
    uint64_t r = 0;
    return __builtin_mul_overflow(a.value, b.value, &r) ? Extent(std::numeric_limits<uint64_t>::max())
                                                        : Extent(r);
}
constexpr Extent operator+(Extent a, Extent b) {
    uint64_t r = 0;
    return __builtin_add_overflow(a.value, b.value, &r) ? Extent(std::numeric_limits<uint64_t>::max())
                                                        : Extent(r);
}
constexpr Extent operator-(Extent a, Extent b) {
    return a.value < b.value ? Extent(0) : Extent(a.value - b.value);
}

// Bytes from the first to one past the last of `height` rows of `width` bytes that lie `pitch` apart.
constexpr Extent rows2d(Extent pitch, Extent width, Extent height) {
    if (width.value == 0 || height.value == 0) return 0;
    return pitch * (height - Extent(1)) + width;
}

}  // namespace bitfusion::wire
