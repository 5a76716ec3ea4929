#include "image/container.h"

#include <algorithm>

#include "image/bytes_at.h"
#include "image/elf_extent.h"

namespace bitfusion::image {
namespace {

constexpr std::byte kElfMagic[4] = {std::byte{0x7f}, std::byte{'E'}, std::byte{'L'}, std::byte{'F'}};

constexpr const char* kRebuild = "; rebuild the program's CUDA code or report the tool that made it";

}  // namespace

Form form_of(Bytes bytes) {
    if (bytes.size() < 4) return Form::kText;
    const auto magic = at<uint32_t>(bytes.data(), 0);
    if (magic == kWrapperMagic) return Form::kWrapper;
    if (magic == kFatbinMagic) return Form::kFatbin;
    if (memcmp(bytes.data(), kElfMagic, sizeof kElfMagic) == 0) return Form::kElf;
    return Form::kText;
}

Result<std::vector<Entry>> entries_of(Bytes fatbin) {
    const auto bad = [](const char* what) { return fail(std::string("fat binary: ") + what + kRebuild); };
    if (fatbin.size() < kFatbinHeaderBytes) return bad("shorter than its header");
    if (at<uint32_t>(fatbin.data(), 0) != kFatbinMagic) return bad("does not start with 0xBA55ED50");
    const size_t header = at<uint16_t>(fatbin.data(), 6);
    if (header < kFatbinHeaderBytes || header > fatbin.size()) return bad("impossible header size");
    const auto total = at<uint64_t>(fatbin.data(), 8);
    if (total > fatbin.size() - header) return bad("entries reach past the end");

    std::vector<Entry> entries;
    Bytes rest = fatbin.subspan(header, total);
    while (!rest.empty()) {
        if (rest.size() < kEntryHeaderBytes) return bad("an entry is shorter than its header");
        if (entries.size() == kMostEntries) return bad("more than 65536 entries");
        const std::byte* base = rest.data();
        const uint64_t header_bytes = at<uint32_t>(base, 4);
        const auto payload_bytes = at<uint64_t>(base, 8);
        if (header_bytes < kEntryHeaderBytes || header_bytes > rest.size())
            return bad("an entry has an impossible header size");
        if (payload_bytes > rest.size() - header_bytes) return bad("an entry reaches past the end");
        Entry entry;
        entry.kind = at<uint16_t>(base, 0);
        entry.version_minor = at<uint16_t>(base, 24);
        entry.version_major = at<uint16_t>(base, 26);
        entry.arch = at<uint32_t>(base, 28);
        entry.flags = at<uint64_t>(base, 40);
        entry.plain_bytes = at<uint64_t>(base, 56);
        entry.whole = rest.first(header_bytes + payload_bytes);
        const uint64_t exact = at<uint32_t>(base, 16);
        if (exact > payload_bytes) return bad("an entry's compressed size exceeds its payload");
        entry.stored = rest.subspan(header_bytes, exact != 0 ? exact : payload_bytes);
        entries.push_back(entry);
        rest = rest.subspan(entry.whole.size());
    }
    return entries;
}

Result<size_t> extent_of(Bytes bytes) {
    if (bytes.empty()) return fail("code image: no bytes; pass the whole image");
    switch (form_of(bytes)) {
        case Form::kWrapper:
            return fail("code image: a wrapper holds pointers and cannot be read from bytes; send its parts");
        case Form::kFatbin: {
            if (bytes.size() < kFatbinHeaderBytes)
                return fail("fat binary: shorter than its header; pass the whole image");
            const size_t header = at<uint16_t>(bytes.data(), 6);
            const auto total = at<uint64_t>(bytes.data(), 8);
            if (header < kFatbinHeaderBytes || header > bytes.size() || total > bytes.size() - header)
                return fail("fat binary: its size exceeds the bytes that are there; pass the whole image");
            return header + static_cast<size_t>(total);
        }
        case Form::kElf: {
            if (bytes.size() < kElfHeaderBytes)
                return fail("ELF image: shorter than its header; pass the whole image");
            const auto extent = elf_extent(bytes.data(), bytes.size());
            if (!extent) return tl::unexpected(extent.error());
            return *extent;
        }
        case Form::kText: {
            const auto nul = std::find(bytes.begin(), bytes.end(), std::byte{0});
            const auto text = static_cast<size_t>(nul - bytes.begin());
            return nul == bytes.end() ? text : text + 1;
        }
    }
    return fail("code image: unknown form; report this");
}

}  // namespace bitfusion::image
