// Handwritten digits in host memory, ready to be copied to a device.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace digits {

constexpr unsigned kPixels = 64;   // 8 x 8
constexpr unsigned kClasses = 10;  // the digits 0 to 9

struct Dataset {
    std::vector<float> images;     // count x kPixels, each pixel from 0 (white) to 1 (black)
    std::vector<uint32_t> labels;  // count

    unsigned count() const { return static_cast<unsigned>(labels.size()); }
};

// Numbers that are the same on every machine and with every library, unlike those of std::shuffle or the
// distributions of <random>: two runs with one seed must print the same losses.
class Random {
  public:
    explicit Random(uint64_t seed) : state_(seed) {}
    uint64_t next();  // SplitMix64
    float uniform(float low, float high);
    unsigned below(unsigned limit);  // limit > 0

  private:
    uint64_t state_;
};

// Reads lines of 64 pixels (0 to 16) and a label (0 to 9). Returns an empty set when the text is malformed.
Dataset parse_csv(std::string_view text);

struct Split {
    Dataset training;
    Dataset unseen;  // every nth digit; never trained on
};
Split split(const Dataset& all, unsigned nth);

// The same digits in another order.
void shuffle(Dataset& set, Random& random);

}  // namespace digits
