#include "client/integrity.h"

#include <cstring>

namespace bitfusion::client {
namespace {

constexpr size_t kBlock = 16;

// The substitution table of RFC 1319, section 3.2: a permutation of 0..255 made from the digits of pi.
constexpr std::array<uint8_t, 256> kPi = {
    41,  46,  67,  201, 162, 216, 124, 1,   61,  54,  84,  161, 236, 240, 6,   19,  98,  167, 5,   243,
    192, 199, 115, 140, 152, 147, 43,  217, 188, 76,  130, 202, 30,  155, 87,  60,  253, 212, 224, 22,
    103, 66,  111, 24,  138, 23,  229, 18,  190, 78,  196, 214, 218, 158, 222, 73,  160, 251, 245, 142,
    187, 47,  238, 122, 169, 104, 121, 145, 21,  178, 7,   63,  148, 194, 16,  137, 11,  34,  95,  33,
    128, 127, 93,  154, 90,  144, 50,  39,  53,  62,  204, 231, 191, 247, 151, 3,   255, 25,  48,  179,
    72,  165, 181, 209, 215, 94,  146, 42,  172, 86,  170, 198, 79,  184, 56,  210, 150, 164, 125, 182,
    118, 252, 107, 226, 156, 116, 4,   241, 69,  157, 112, 89,  100, 113, 135, 32,  134, 91,  207, 101,
    230, 45,  168, 2,   27,  96,  37,  173, 174, 176, 185, 246, 28,  70,  97,  105, 52,  64,  126, 15,
    85,  71,  163, 35,  221, 81,  175, 58,  195, 92,  249, 206, 186, 197, 234, 38,  44,  83,  13,  110,
    133, 40,  132, 9,   211, 223, 205, 244, 65,  129, 77,  82,  106, 220, 55,  200, 108, 193, 171, 250,
    36,  225, 123, 8,   12,  189, 177, 74,  120, 136, 149, 139, 227, 99,  232, 109, 233, 203, 213, 254,
    59,  0,   29,  57,  242, 239, 183, 14,  102, 88,  208, 228, 166, 119, 114, 248, 235, 117, 75,  10,
    49,  68,  80,  180, 143, 237, 31,  26,  219, 153, 141, 51,  159, 17,  131, 20,
};

constexpr Digest kKey = {0x14, 0x6A, 0xDD, 0xAE, 0x53, 0xA9, 0xA7, 0x52,
                         0xAA, 0x08, 0x41, 0x36, 0x0B, 0xF5, 0x5A, 0x9F};

class Md2 {
  public:
    void add_block(const uint8_t* block) {
        add_to_checksum(block);
        mix(block);
    }
    Digest finish() {
        const Digest checksum = checksum_;
        mix(checksum.data());
        Digest out{};
        memcpy(out.data(), state_.data(), out.size());
        return out;
    }

  private:
    void add_to_checksum(const uint8_t* block) {
        uint8_t last = checksum_[kBlock - 1];
        for (size_t i = 0; i < kBlock; ++i) last = checksum_[i] ^= kPi[block[i] ^ last];
    }
    void mix(const uint8_t* block) {
        for (size_t i = 0; i < kBlock; ++i) {
            state_[kBlock + i] = block[i];
            state_[2 * kBlock + i] = block[i] ^ state_[i];
        }
        uint8_t t = 0;
        for (unsigned round = 0; round < 18; ++round) {
            for (uint8_t& byte : state_) t = byte ^= kPi[t];
            t = static_cast<uint8_t>(t + round);
        }
    }

    std::array<uint8_t, 3 * kBlock> state_{};
    Digest checksum_{};
};

class Message {
  public:
    template <typename T>
    void add(const T& value) {
        const auto* bytes = reinterpret_cast<const uint8_t*>(&value);
        bytes_.insert(bytes_.end(), bytes, bytes + sizeof value);
    }
    const std::vector<uint8_t>& bytes() const { return bytes_; }

  private:
    std::vector<uint8_t> bytes_;
};

}  // namespace

Digest md2(std::span<const uint8_t> message) {
    std::vector<uint8_t> padded(message.begin(), message.end());
    const size_t padding = kBlock - message.size() % kBlock;
    padded.insert(padded.end(), padding, static_cast<uint8_t>(padding));
    Md2 state;
    for (size_t at = 0; at < padded.size(); at += kBlock) state.add_block(padded.data() + at);
    return state.finish();
}

Digest hmac_md2(const Digest& key, std::span<const uint8_t> message) {
    std::vector<uint8_t> inner;
    std::vector<uint8_t> outer;
    for (const uint8_t byte : key) {
        inner.push_back(byte ^ 0x36);
        outer.push_back(byte ^ 0x5c);
    }
    inner.insert(inner.end(), message.begin(), message.end());
    const Digest first = md2(inner);
    outer.insert(outer.end(), first.begin(), first.end());
    return md2(outer);
}

Digest integrity_answer(const IntegrityQuestion& q) {
    // The first two questions of a runtime have fixed answers.
    constexpr uint64_t kSecond = 0x8ED383AA1F4CD1E8;
    if (q.version % 10 < 2) {
        const uint64_t words[2] = {q.version % 10 == 0 ? uint64_t{0x3341181C03CB675C} : 0x1841181C03CB675C,
                                   kSecond};
        Digest fixed{};
        memcpy(fixed.data(), words, sizeof words);
        return fixed;
    }
    Message m;
    m.add(q.driver_version);
    m.add(q.version);
    m.add(q.process);
    m.add(q.thread);
    m.add(q.runtime_table);
    m.add(q.integrity_table);
    m.add(q.integrity_function);
    m.add(q.seconds);
    for (const IntegrityDevice& d : q.devices) {
        m.add(d.uuid);
        m.add(d.pci_domain);
        m.add(d.pci_bus);
        m.add(d.pci_device);
    }
    return hmac_md2(kKey, m.bytes());
}

}  // namespace bitfusion::client
