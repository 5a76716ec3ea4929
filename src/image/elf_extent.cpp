#include "image/elf_extent.h"

#include <algorithm>

#include "image/bytes_at.h"

namespace bitfusion::image {
namespace {

constexpr uint32_t kSectionWithoutBytes = 8;  // SHT_NOBITS
constexpr size_t kSectionHeaderBytes = 64;
constexpr size_t kProgramHeaderBytes = 56;

class Reach {
  public:
    explicit Reach(size_t limit) : limit_(limit) {}

    // Enlarges the extent to cover [offset, offset + bytes); false when that lies beyond the limit.
    bool cover(uint64_t offset, uint64_t bytes) {
        if (offset > limit_ || bytes > limit_ - offset) return false;
        end_ = std::max(end_, static_cast<size_t>(offset + bytes));
        return true;
    }
    size_t end() const { return end_; }

  private:
    size_t limit_;
    size_t end_ = kElfHeaderBytes;
};

}  // namespace

Result<size_t> elf_extent(const std::byte* elf, size_t limit) {
    const auto bad = [](const char* what) {
        return fail(std::string("ELF image: ") + what + "; pass the whole image, as the compiler wrote it");
    };
    if (limit < kElfHeaderBytes) return bad("shorter than its header");
    if (at<uint8_t>(elf, 4) != 2 || at<uint8_t>(elf, 5) != 1) return bad("not 64-bit little endian");
    const auto program_offset = at<uint64_t>(elf, 32);
    const auto section_offset = at<uint64_t>(elf, 40);
    const uint64_t program_count = at<uint16_t>(elf, 56);
    const uint64_t section_count = at<uint16_t>(elf, 60);
    if (program_count != 0 && at<uint16_t>(elf, 54) != kProgramHeaderBytes)
        return bad("unknown program header size");
    if (section_count != 0 && at<uint16_t>(elf, 58) != kSectionHeaderBytes)
        return bad("unknown section header size");

    Reach reach(limit);
    if (program_count != 0 && !reach.cover(program_offset, program_count * kProgramHeaderBytes))
        return bad("program headers reach past the end");
    if (section_count != 0 && !reach.cover(section_offset, section_count * kSectionHeaderBytes))
        return bad("section headers reach past the end");
    for (uint64_t i = 0; i < section_count; ++i) {
        const std::byte* section = elf + section_offset + i * kSectionHeaderBytes;
        if (at<uint32_t>(section, 4) == kSectionWithoutBytes) continue;
        if (!reach.cover(at<uint64_t>(section, 24), at<uint64_t>(section, 32)))
            return bad("a section reaches past the end");
    }
    for (uint64_t i = 0; i < program_count; ++i) {
        const std::byte* segment = elf + program_offset + i * kProgramHeaderBytes;
        if (!reach.cover(at<uint64_t>(segment, 8), at<uint64_t>(segment, 32)))
            return bad("a segment reaches past the end");
    }
    return reach.end();
}

}  // namespace bitfusion::image
