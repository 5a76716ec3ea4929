#include "worker/placement.h"

#include <sys/mman.h>

#include <initializer_list>

namespace bitfusion::worker {
namespace {

constexpr uint64_t kPage = 4096;
// The least address that may be wished for: what is below is the kernel's or a null pointer with an offset.
constexpr uint64_t kLowest = 1u << 20;
constexpr uint64_t kHighest = uint64_t{1} << 47;

}  // namespace

uint8_t* map_at(uint64_t wish, uint64_t bytes, int file) {
    const bool possible = wish % kPage == 0 && wish >= kLowest && bytes < kHighest && wish < kHighest - bytes;
    const int kind = file == kAnonymous ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED;
    for (const bool wished : {possible, false}) {
        void* const got = mmap(wished ? reinterpret_cast<void*>(wish) : nullptr, bytes,
                               PROT_READ | PROT_WRITE, kind | (wished ? MAP_FIXED_NOREPLACE : 0), file, 0);
        if (got == MAP_FAILED) continue;
        if (!wished || reinterpret_cast<uint64_t>(got) == wish) return static_cast<uint8_t*>(got);
        munmap(got, bytes);  // a kernel older than MAP_FIXED_NOREPLACE
    }
    return nullptr;
}

}  // namespace bitfusion::worker
