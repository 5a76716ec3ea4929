// Containers of CUDA code: what arrives at cuModuleLoadData and cuLibraryLoadData, and how it is opened.
//
// Four forms exist: the 24-byte wrapper that nvcc emits (pointers inside), the fat binary (a header and a row
// of entries), a single ELF64 image, and NUL-terminated PTX text. The driver calls pass no length, so on the
// client the image is measured by following its own headers (measure: trusted, the bytes belong to this
// process). On the server the same bytes are hostile: every other function here takes a span and checks each
// length before using it, and never follows a pointer. All numbers little endian. Pure functions; any thread.
// Source of the layouts: measurements of CUDA 12 and 13 tools, and the public fatbinary section format.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/result.h"

namespace bitfusion::image {

using Bytes = std::span<const std::byte>;

inline constexpr uint32_t kWrapperMagic = 0x466243B1;
inline constexpr uint32_t kFatbinMagic = 0xBA55ED50;
inline constexpr size_t kFatbinHeaderBytes = 16;
inline constexpr size_t kEntryHeaderBytes = 64;

enum class Form { kWrapper, kFatbin, kElf, kText };

// Decided by the first bytes alone. Text is what is left when no magic matches.
Form form_of(Bytes bytes);

// What a trusted image consists of. The spans point into the caller's image and live as long as it does.
struct Image {
    Form form = Form::kText;       // as the caller passed it
    uint32_t wrapper_version = 0;  // 1 or 2 for kWrapper, else 0
    Bytes code;                    // the fat binary, the ELF or the text with its NUL
    std::vector<Bytes> prelink;    // wrapper version 2: the fat binaries of the objects before device linking
};

// Client only: `image` is a pointer of this process that the CUDA program vouches for. Fails on a magic with
// an impossible header (no such case is known from real tools) and on nullptr.
Result<Image> measure(const void* image);

enum class Kind : uint16_t { kPtx = 1, kElf = 2, kLto = 8 };

// Bits of Entry::flags.
inline constexpr uint64_t kFlagLz4 = 0x2000;
inline constexpr uint64_t kFlagZstd = 0x8000;
inline constexpr uint64_t kFlagOpaque = 0x10000;
inline constexpr uint64_t kFlagArchSpecific = 0x100000;    // sm_90a: exactly this architecture
inline constexpr uint64_t kFlagFamilySpecific = 0x200000;  // sm_100f: this architecture's family

// One entry of a fat binary. Spans point into the parsed bytes.
struct Entry {
    uint16_t kind = 0;  // a Kind, or a number that is not known yet
    uint16_t version_major = 0;
    uint16_t version_minor = 0;
    uint32_t arch = 0;  // 90 for sm_90 or compute_90
    uint64_t flags = 0;
    uint64_t plain_bytes = 0;  // size after decompression; 0 when stored plain
    Bytes whole;               // header and padded payload, as they stand in the container
    Bytes stored;              // the payload without padding, compressed or plain

    bool is(Kind k) const { return kind == static_cast<uint16_t>(k); }
    bool compressed() const { return (flags & (kFlagLz4 | kFlagZstd)) != 0; }
};

// Hostile bytes: fails when any header or size does not fit, when the header's total differs from what is
// there, and when there are more than kMostEntries.
inline constexpr size_t kMostEntries = 65536;
Result<std::vector<Entry>> entries_of(Bytes fatbin);

// Hostile bytes: the number of bytes that an image occupies at the front of `bytes`: a fat binary by its
// header, an ELF by its tables, text to and including its NUL (or all bytes if it has none).
Result<size_t> extent_of(Bytes bytes);

// The entry's plain bytes (a copy). Fails when they would exceed `most`, when the compressed stream is
// damaged or gives another size than declared, and for the undocumented transformation of kFlagOpaque.
inline constexpr uint64_t kMostPlainBytes = uint64_t{1} << 30;
Result<std::vector<std::byte>> plain_bytes(const Entry& entry, uint64_t most = kMostPlainBytes);

}  // namespace bitfusion::image
