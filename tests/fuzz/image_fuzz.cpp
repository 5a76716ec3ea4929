// Containers of code of any content: fat binaries, ELF, compressed entries. What is taken out of a good
// container is one again.
#include <cstdlib>

#include "fuzz/input.h"
#include "image/select.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    using namespace bitfusion;
    constexpr uint64_t kMostPlain = 1u << 20;
    constexpr size_t kMostEntries = 64;
    fuzz::Input input(data, size);
    const image::Capability gpu{input.take<uint8_t>() % 13, input.take<uint8_t>() % 10};
    const auto rest = input.take_bytes(size);
    // Exactly so many bytes, on the heap: one read past them is seen.
    const std::vector<std::byte> copy(reinterpret_cast<const std::byte*>(rest.data()),
                                      reinterpret_cast<const std::byte*>(rest.data()) + rest.size());
    const image::Bytes bytes(copy);
    static_cast<void>(image::form_of(bytes));
    const auto extent = image::extent_of(bytes);
    if (extent && *extent > bytes.size() && image::form_of(bytes) == image::Form::kElf) abort();
    const auto entries = image::entries_of(bytes);
    if (!entries) return 0;
    static_cast<void>(image::describe(*entries));
    for (size_t i = 0; i < std::min(entries->size(), kMostEntries); ++i) {
        const auto plain = image::plain_bytes((*entries)[i], kMostPlain);
        if (plain && plain->size() > kMostPlain && (*entries)[i].compressed()) abort();
    }
    const auto kept = image::keep_usable(bytes, gpu);
    if (kept && !image::entries_of(*kept)) abort();
    return 0;
}
