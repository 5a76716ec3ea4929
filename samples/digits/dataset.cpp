#include "digits/dataset.h"

#include <algorithm>
#include <charconv>

namespace digits {

uint64_t Random::next() {
    state_ += 0x9E3779B97F4A7C15u;
    uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

float Random::uniform(float low, float high) {
    return low + (high - low) * (static_cast<float>(next() >> 40) * 0x1.0p-24f);
}

unsigned Random::below(unsigned limit) { return static_cast<unsigned>(next() % limit); }

Dataset parse_csv(std::string_view text) {
    Dataset set;
    const char* at = text.data();
    const char* end = at + text.size();
    while (at != end) {
        for (unsigned column = 0; column <= kPixels; ++column) {
            unsigned value = 0;
            const auto [next, error] = std::from_chars(at, end, value);
            const char expected = column == kPixels ? '\n' : ',';
            const unsigned largest = column == kPixels ? kClasses - 1 : 16;
            if (error != std::errc() || next == end || *next != expected || value > largest) return {};
            if (column == kPixels) {
                set.labels.push_back(value);
            } else {
                set.images.push_back(static_cast<float>(value) / 16.0f);
            }
            at = next + 1;
        }
    }
    return set;
}

Split split(const Dataset& all, unsigned nth) {
    Split parts;
    for (unsigned i = 0; i < all.count(); ++i) {
        Dataset& part = (i + 1) % nth == 0 ? parts.unseen : parts.training;
        part.labels.push_back(all.labels[i]);
        const auto first = all.images.begin() + i * kPixels;
        part.images.insert(part.images.end(), first, first + kPixels);
    }
    return parts;
}

void shuffle(Dataset& set, Random& random) {
    for (unsigned i = set.count(); i > 1; --i) {
        const unsigned j = random.below(i);
        std::swap(set.labels[i - 1], set.labels[j]);
        std::swap_ranges(set.images.begin() + (i - 1) * kPixels, set.images.begin() + i * kPixels,
                         set.images.begin() + j * kPixels);
    }
}

}  // namespace digits
