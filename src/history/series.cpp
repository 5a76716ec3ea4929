#include "history/series.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <utility>

namespace bitfusion::history {
namespace {

constexpr char kMagic[8] = {'B', 'F', 'H', 'I', 'S', 'T', '0', '1'};

struct Header {
    char magic[8];
    uint32_t name_bytes;
    uint32_t tiers;
    Tier layout[4];
    char name[kMostNameBytes];
    uint32_t check;  // of everything before it
};
static_assert(sizeof(Header) <= kHeaderBytes);
static_assert(kTiers.size() == 4);

// FNV-1a: notices damage; nobody is kept from forging, who may write the folder may write anything.
uint32_t check_of(const Header& header) {
    uint32_t sum = 2166136261u;
    const auto* bytes = reinterpret_cast<const unsigned char*>(&header);
    for (size_t i = 0; i < offsetof(Header, check); ++i) sum = (sum ^ bytes[i]) * 16777619u;
    return sum;
}

Header header_of(const std::string& name) {
    Header header{};
    memcpy(header.magic, kMagic, sizeof kMagic);
    header.name_bytes = static_cast<uint32_t>(name.size());
    header.tiers = kTiers.size();
    std::copy(kTiers.begin(), kTiers.end(), header.layout);
    memcpy(header.name, name.data(), name.size());
    header.check = check_of(header);
    return header;
}

off_t offset_of(size_t tier, uint32_t step) {
    size_t before = 0;
    for (size_t i = 0; i < tier; ++i) before += kTiers[i].slots;
    return static_cast<off_t>(kHeaderBytes + (before + step % kTiers[tier].slots) * sizeof(Slot));
}

uint32_t step_at(size_t tier, int64_t time) { return static_cast<uint32_t>(time / kTiers[tier].step_s); }

bool sane(const Slot& slot, size_t tier, uint32_t place) {
    return slot.count != 0 && slot.step % kTiers[tier].slots == place && std::isfinite(slot.mean) &&
           std::isfinite(slot.peak);
}

Result<std::vector<Slot>> read_tier(int descriptor, size_t tier) {
    std::vector<Slot> ring(kTiers[tier].slots);
    const size_t bytes = ring.size() * sizeof(Slot);
    const ssize_t got = pread(descriptor, ring.data(), bytes, offset_of(tier, 0));
    if (got != static_cast<ssize_t>(bytes))
        return fail("cannot read the history: " + std::string(strerror(got < 0 ? errno : EIO)), errno);
    for (uint32_t place = 0; place < ring.size(); ++place) {
        if (!sane(ring[place], tier, place)) ring[place] = {};
    }
    return ring;
}

// The finest tier that still has `from` and needs at most `most` points for the range.
size_t tier_for(int64_t from, int64_t to, int64_t now, size_t most) {
    for (size_t tier = 0; tier < kTiers.size(); ++tier) {
        const bool reaches = now - from <= static_cast<int64_t>(kTiers[tier].reach_s());
        const auto points = static_cast<uint64_t>((to - from) / kTiers[tier].step_s + 1);
        if (reaches && points <= most) return tier;
    }
    return kTiers.size() - 1;
}

tl::unexpected<Error> damaged(const std::filesystem::path& file, const std::string& why) {
    return fail(file.string() + " is not a history of this release (" + why +
                "); move it away or restore a backup");
}

}  // namespace

Result<std::string> series_name(const std::string& bytes) {
    Header header{};
    if (bytes.size() != kSeriesBytes) return fail("its size is " + std::to_string(bytes.size()));
    memcpy(&header, bytes.data(), sizeof header);
    if (memcmp(header.magic, kMagic, sizeof kMagic) != 0) return fail("it does not begin like one");
    if (header.check != check_of(header) || header.name_bytes > kMostNameBytes)
        return fail("its header is damaged");
    const std::string name(header.name, header.name_bytes);
    const Header ours = header_of(name);
    if (memcmp(&header, &ours, sizeof header) != 0) return fail("it has another layout");
    return name;
}

Result<Series> Series::open(const std::filesystem::path& file, const std::string& name) {
    if (name.empty() || name.size() > kMostNameBytes) return fail("a series needs a name of 1 to 200 bytes");
    const int descriptor = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
    if (descriptor < 0)
        return fail("cannot open " + file.string() + ": " + strerror(errno) + "; check its folder", errno);
    Series series(descriptor, name);
    const off_t size = lseek(descriptor, 0, SEEK_END);
    if (size == 0) {
        // The header comes last: a file that was cut short by a crash here is refused, not half believed.
        const int full = posix_fallocate(descriptor, 0, kSeriesBytes);
        const Header header = header_of(name);
        if (full != 0 || pwrite(descriptor, &header, sizeof header, 0) != sizeof header) {
            const int why = full != 0 ? full : errno;
            unlink(file.c_str());
            return fail(
                "cannot keep history in " + file.string() + ": " + strerror(why) + "; make room on its disk",
                why);
        }
        return series;
    }
    std::string bytes(kSeriesBytes, '\0');
    if (size != static_cast<off_t>(kSeriesBytes) ||
        pread(descriptor, bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) {
        return damaged(file, "its size is " + std::to_string(size));
    }
    const auto found = series_name(bytes);
    if (!found) return damaged(file, found.error().what);
    if (*found != name) return damaged(file, "it is of " + *found);
    for (size_t tier = 0; tier < kTiers.size(); ++tier) {
        const auto ring = read_tier(descriptor, tier);
        if (!ring) return tl::unexpected(ring.error());
        for (const Slot& slot : *ring) {
            if (slot.count != 0 && slot.step >= series.newest_[tier].step) series.newest_[tier] = slot;
        }
    }
    return series;
}

Series::Series(Series&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)),
      name_(std::move(other.name_)),
      newest_(other.newest_) {}

Series& Series::operator=(Series&& other) noexcept {
    std::swap(descriptor_, other.descriptor_);
    std::swap(name_, other.name_);
    std::swap(newest_, other.newest_);
    return *this;
}

Series::~Series() {
    if (descriptor_ >= 0) close(descriptor_);
}

Status Series::record(int64_t time, double value) {
    if (time < 0 || !std::isfinite(value))
        return fail("a measurement needs a time after 1970 and a finite value");
    if (step_at(0, time) < newest_[0].step)
        return fail("the clock went back behind the history of " + name_ + "; set the clock right");
    for (size_t tier = 0; tier < kTiers.size(); ++tier) {
        Slot& slot = newest_[tier];
        const uint32_t step = step_at(tier, time);
        if (slot.step != step || slot.count == 0) slot = {step, 0, 0, 0};
        const auto measured = static_cast<float>(value);
        slot.peak = slot.count == 0 ? measured : std::max(slot.peak, measured);
        ++slot.count;
        slot.mean += (measured - slot.mean) / static_cast<float>(slot.count);
        if (pwrite(descriptor_, &slot, sizeof slot, offset_of(tier, step)) != sizeof slot)
            return fail("cannot write the history of " + name_ + ": " + strerror(errno), errno);
    }
    return {};
}

Result<Range> Series::range(int64_t from, int64_t to, int64_t now, size_t most_points) const {
    if (from < 0 || to < from || most_points == 0)
        return fail("a range needs 0 <= from <= to and at least one point");
    from = std::max(from, now - static_cast<int64_t>(kTiers.back().reach_s()));
    to = std::min(to, now);
    Range range;
    const size_t tier = tier_for(from, to, now, most_points);
    range.step_s = kTiers[tier].step_s;
    if (to < from) return range;
    const auto ring = read_tier(descriptor_, tier);
    if (!ring) return tl::unexpected(ring.error());
    const uint64_t first = step_at(tier, from);
    const uint64_t last = step_at(tier, to);
    const uint64_t joined = (last - first) / most_points + 1;
    range.step_s *= static_cast<uint32_t>(joined);
    for (uint64_t begin = first; begin <= last; begin += joined) {
        Point point{static_cast<int64_t>(begin * kTiers[tier].step_s), 0, 0};
        double count = 0;
        for (uint64_t step = begin; step < begin + joined && step <= last; ++step) {
            const Slot& slot = (*ring)[step % kTiers[tier].slots];
            if (slot.count == 0 || slot.step != step) continue;
            point.peak = count == 0 ? slot.peak : std::max(point.peak, static_cast<double>(slot.peak));
            point.mean += static_cast<double>(slot.mean) * slot.count;
            count += slot.count;
        }
        if (count == 0) continue;
        point.mean /= count;
        range.points.push_back(point);
    }
    return range;
}

}  // namespace bitfusion::history
