#include <limits>

#include "image/bytes_at.h"
#include "image/container.h"
#include "image/elf_extent.h"

namespace bitfusion::image {
namespace {

constexpr size_t kMostImageBytes = size_t{1} << 40;
constexpr size_t kMostPrelinkParts = 65536;

// The bytes of one image that is not a wrapper, found by following its own header.
Result<Bytes> measure_code(const std::byte* image) {
    // Only text may be shorter than four bytes, and it ends with its NUL: compare byte by byte up to it.
    size_t readable = 0;
    while (readable < 4 && image[readable] != std::byte{0}) ++readable;
    if (readable == 4) {
        const Form form = form_of(Bytes(image, 4));
        if (form == Form::kFatbin) {
            const size_t header = at<uint16_t>(image, 6);
            const auto total = at<uint64_t>(image, 8);
            if (header < kFatbinHeaderBytes || total > kMostImageBytes)
                return fail("fat binary: impossible header; rebuild the program's CUDA code");
            return Bytes(image, header + static_cast<size_t>(total));
        }
        if (form == Form::kElf) {
            const auto extent = elf_extent(image, kMostImageBytes);
            if (!extent) return tl::unexpected(extent.error());
            return Bytes(image, *extent);
        }
        if (form == Form::kWrapper)
            return fail("code image: a wrapper inside a wrapper; rebuild the program's CUDA code");
    }
    return Bytes(image, strlen(reinterpret_cast<const char*>(image)) + 1);
}

}  // namespace

Result<Image> measure(const void* image) {
    if (image == nullptr) return fail("code image: null pointer; pass the address of the image");
    const auto* base = static_cast<const std::byte*>(image);
    Image found;
    size_t readable = 0;
    while (readable < 4 && base[readable] != std::byte{0}) ++readable;
    found.form = form_of(Bytes(base, readable));
    if (found.form == Form::kWrapper) {
        found.wrapper_version = at<uint32_t>(base, 4);
        if (found.wrapper_version != 1 && found.wrapper_version != 2)
            return fail("code image: wrapper version " + std::to_string(found.wrapper_version) +
                        " is not known; rebuild with CUDA 13 or older");
        const auto* data = at<const std::byte*>(base, 8);
        if (data == nullptr) return fail("code image: the wrapper points nowhere; rebuild the program");
        const auto code = measure_code(data);
        if (!code) return tl::unexpected(code.error());
        found.code = *code;
        const auto* const* parts = at<const std::byte* const*>(base, 16);
        // Version 1 keeps a file name here that nothing uses any more.
        if (found.wrapper_version == 2 && parts != nullptr) {
            for (size_t i = 0; parts[i] != nullptr; ++i) {
                if (i == kMostPrelinkParts)
                    return fail("code image: more than 65536 parts; link fewer objects in one program");
                const auto part = measure_code(parts[i]);
                if (!part) return tl::unexpected(part.error());
                found.prelink.push_back(*part);
            }
        }
        return found;
    }
    const auto code = measure_code(base);
    if (!code) return tl::unexpected(code.error());
    found.code = *code;
    return found;
}

}  // namespace bitfusion::image
