// Builds fat binaries and ELF images by hand for the tests of this room.
#pragma once

#include <cstring>
#include <string>

#include "image/container.h"

namespace bitfusion::image::test {

template <typename T>
void put(std::vector<std::byte>& bytes, size_t offset, T value) {
    if (bytes.size() < offset + sizeof value) bytes.resize(offset + sizeof value);
    memcpy(bytes.data() + offset, &value, sizeof value);
}

inline std::vector<std::byte> to_bytes(const std::string& text) {
    const auto* data = reinterpret_cast<const std::byte*>(text.data());
    return {data, data + text.size()};
}

// One entry; compressed = 0 means stored plain.
inline std::vector<std::byte> make_entry(Kind kind, uint32_t arch, uint64_t flags,
                                         std::vector<std::byte> payload, uint64_t plain = 0,
                                         uint32_t header_bytes = 64) {
    std::vector<std::byte> entry(header_bytes);
    const auto exact = static_cast<uint32_t>(payload.size());
    payload.resize((payload.size() + 7) / 8 * 8);
    put<uint16_t>(entry, 0, static_cast<uint16_t>(kind));
    put<uint16_t>(entry, 2, 0x0101);
    put<uint32_t>(entry, 4, header_bytes);
    put<uint64_t>(entry, 8, payload.size());
    put<uint32_t>(entry, 16, (flags & (kFlagLz4 | kFlagZstd)) != 0 ? exact : 0);
    put<uint16_t>(entry, 24, 0);
    put<uint16_t>(entry, 26, 9);
    put<uint32_t>(entry, 28, arch);
    put<uint64_t>(entry, 40, flags);
    put<uint64_t>(entry, 56, plain);
    entry.insert(entry.end(), payload.begin(), payload.end());
    return entry;
}

inline std::vector<std::byte> make_fatbin(const std::vector<std::vector<std::byte>>& entries) {
    std::vector<std::byte> fatbin(kFatbinHeaderBytes);
    put<uint32_t>(fatbin, 0, kFatbinMagic);
    put<uint16_t>(fatbin, 4, 1);
    put<uint16_t>(fatbin, 6, 16);
    for (const auto& entry : entries) fatbin.insert(fatbin.end(), entry.begin(), entry.end());
    put<uint64_t>(fatbin, 8, fatbin.size() - kFatbinHeaderBytes);
    return fatbin;
}

// An ELF64 with one section of `payload` bytes, then the section table, then one program header.
inline std::vector<std::byte> make_elf(size_t payload) {
    std::vector<std::byte> elf(64 + payload);
    put<uint32_t>(elf, 0, 0x464c457f);
    put<uint8_t>(elf, 4, 2);
    put<uint8_t>(elf, 5, 1);
    const size_t sections = elf.size();
    put<uint64_t>(elf, 40, sections);
    put<uint16_t>(elf, 58, 64);
    put<uint16_t>(elf, 60, 2);
    put<uint32_t>(elf, sections + 64 + 4, 1);
    put<uint64_t>(elf, sections + 64 + 24, 64);
    put<uint64_t>(elf, sections + 64 + 32, payload);
    elf.resize(sections + 128);
    put<uint64_t>(elf, 32, elf.size());
    put<uint16_t>(elf, 54, 56);
    put<uint16_t>(elf, 56, 1);
    const size_t program = elf.size();
    elf.resize(program + 56);
    put<uint64_t>(elf, program + 8, 64);
    put<uint64_t>(elf, program + 32, payload);
    return elf;
}

}  // namespace bitfusion::image::test
