#include <lz4.h>
#include <zstd.h>

#include <limits>

#include "image/container.h"

namespace bitfusion::image {
namespace {

// An LZ4 block cannot expand more than this: a claim beyond it is a lie and must not be allocated for.
constexpr uint64_t kMostLz4Expansion = 256;

}  // namespace

Result<std::vector<std::byte>> plain_bytes(const Entry& entry, uint64_t most) {
    const auto bad = [](const char* what) {
        return fail(std::string("fat binary entry: ") + what + "; rebuild the program's CUDA code");
    };
    if ((entry.flags & kFlagOpaque) != 0) return bad("stored in a form that only NVIDIA's driver reads");
    if (!entry.compressed()) {
        if (entry.stored.size() > most) return bad("larger than allowed");
        return std::vector<std::byte>(entry.stored.begin(), entry.stored.end());
    }
    const uint64_t wanted = entry.plain_bytes;
    if (wanted == 0) return bad("compressed without a size");
    if (wanted > most) return bad("larger than allowed after decompression");
    if ((entry.flags & kFlagLz4) != 0) {
        constexpr auto kMostInt = static_cast<uint64_t>(std::numeric_limits<int>::max());
        if (wanted > kMostInt || entry.stored.size() > kMostInt) return bad("too large for LZ4");
        if (wanted / kMostLz4Expansion > entry.stored.size()) return bad("impossible LZ4 expansion");
        std::vector<std::byte> plain(wanted);
        const int made = LZ4_decompress_safe(reinterpret_cast<const char*>(entry.stored.data()),
                                             reinterpret_cast<char*>(plain.data()),
                                             static_cast<int>(entry.stored.size()), static_cast<int>(wanted));
        if (made < 0) return bad("damaged LZ4 block");
        if (static_cast<uint64_t>(made) != wanted) return bad("LZ4 block of another size than declared");
        return plain;
    }
    const unsigned long long said = ZSTD_getFrameContentSize(entry.stored.data(), entry.stored.size());
    if (said == ZSTD_CONTENTSIZE_ERROR) return bad("not a zstd frame");
    if (said != ZSTD_CONTENTSIZE_UNKNOWN && said != wanted)
        return bad("zstd frame of another size than declared");
    std::vector<std::byte> plain(wanted);
    const size_t made = ZSTD_decompress(plain.data(), plain.size(), entry.stored.data(), entry.stored.size());
    if (ZSTD_isError(made) != 0) return bad("damaged zstd frame");
    if (made != wanted) return bad("zstd frame of another size than declared");
    return plain;
}

}  // namespace bitfusion::image
