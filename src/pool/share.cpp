#include "pool/share.h"

#include <cmath>

namespace bitfusion::pool {

Share Share::of(uint64_t part, uint64_t all) {
    if (all == 0) return {};
    if (part >= all) return whole(1);
    // part < all <= 2^24 MiB (server.h), so that the product fits.
    return {static_cast<int64_t>((part * kWhole + all - 1) / all)};
}

Share Share::from(double gpus) {
    if (!(gpus > 0.0)) return {};
    if (gpus >= 1e6) return whole(1'000'000);
    return {std::llround(gpus * kWhole)};
}

std::string text_of(Share share) {
    const bool negative = share.millionths < 0;
    const int64_t size = negative ? -share.millionths : share.millionths;
    std::string text = (negative ? "-" : "") + std::to_string(size / Share::kWhole);
    std::string digits = std::to_string(Share::kWhole + size % Share::kWhole).substr(1);
    digits.erase(digits.find_last_not_of('0') + 1);
    return digits.empty() ? text : text + "." + digits;
}

}  // namespace bitfusion::pool
