#include "image/select.h"

#include <algorithm>

namespace bitfusion::image {
namespace {

int major_of(uint32_t arch) { return static_cast<int>(arch / 10); }
int minor_of(uint32_t arch) { return static_cast<int>(arch % 10); }

std::string arch_name(const Entry& entry, const char* prefix) {
    std::string name = prefix + std::to_string(entry.arch);
    if ((entry.flags & kFlagArchSpecific) != 0) name += 'a';
    if ((entry.flags & kFlagFamilySpecific) != 0) name += 'f';
    return name;
}

std::string arch_list(const std::vector<Entry>& entries, Kind kind, const char* prefix) {
    std::vector<std::string> names;
    for (const Entry& entry : entries) {
        if (!entry.is(kind)) continue;
        std::string name = arch_name(entry, prefix);
        if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(std::move(name));
    }
    std::string text;
    for (const std::string& name : names) text += (text.empty() ? "" : " ") + name;
    return text;
}

void put_u64(std::byte* to, uint64_t value) {
    for (int i = 0; i < 8; ++i) to[i] = static_cast<std::byte>(value >> (8 * i));
}

}  // namespace

bool usable(const Entry& entry, Capability gpu) {
    if (entry.arch > 10000) return false;
    if ((entry.flags & kFlagArchSpecific) != 0) return static_cast<int>(entry.arch) == gpu.arch();
    const bool same_major = major_of(entry.arch) == gpu.major && minor_of(entry.arch) <= gpu.minor;
    if (entry.is(Kind::kElf) || (entry.flags & kFlagFamilySpecific) != 0) return same_major;
    return static_cast<int>(entry.arch) <= gpu.arch();
}

std::vector<Entry> usable_entries(const std::vector<Entry>& entries, Kind kind, Capability gpu) {
    std::vector<Entry> found;
    for (const Entry& entry : entries) {
        if (entry.is(kind) && usable(entry, gpu)) found.push_back(entry);
    }
    const auto rank = [](const Entry& entry) {
        return uint64_t{entry.arch} * 4 + ((entry.flags & kFlagArchSpecific) != 0     ? 2
                                           : (entry.flags & kFlagFamilySpecific) != 0 ? 1
                                                                                      : 0);
    };
    std::stable_sort(found.begin(), found.end(),
                     [&](const Entry& a, const Entry& b) { return rank(a) > rank(b); });
    return found;
}

Result<std::vector<std::byte>> keep_usable(Bytes fatbin, Capability gpu) {
    const auto entries = entries_of(fatbin);
    if (!entries) return tl::unexpected(entries.error());
    size_t header = fatbin.size();
    if (!entries->empty()) header = static_cast<size_t>(entries->front().whole.data() - fatbin.data());
    header = std::min(header, kFatbinHeaderBytes);
    std::vector<std::byte> kept(fatbin.begin(), fatbin.begin() + static_cast<std::ptrdiff_t>(header));
    for (const Entry& entry : *entries) {
        if (entry.is(Kind::kElf) && !usable(entry, gpu)) continue;
        kept.insert(kept.end(), entry.whole.begin(), entry.whole.end());
    }
    // The header that was copied may have been longer than the fields that are known.
    kept[6] = static_cast<std::byte>(kFatbinHeaderBytes);
    kept[7] = std::byte{0};
    put_u64(kept.data() + 8, kept.size() - kFatbinHeaderBytes);
    return kept;
}

std::string describe(const std::vector<Entry>& entries) {
    std::string text = arch_list(entries, Kind::kElf, "sm_");
    const auto add = [&](Kind kind, const char* what) {
        const std::string list = arch_list(entries, kind, "compute_");
        if (list.empty()) return;
        if (!text.empty()) text += " and ";
        text += what + list;
    };
    add(Kind::kPtx, "PTX for ");
    add(Kind::kLto, "LTO code for ");
    return text.empty() ? "no code" : text;
}

}  // namespace bitfusion::image
