#include "client/memory_map.h"

#include <sys/mman.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <shared_mutex>
#include <vector>

#include "base/log.h"
#include "client/feedback.h"

namespace bitfusion::client {
namespace {

// Device memory comes in blocks of this size; reserving whole blocks keeps the list short.
constexpr uint64_t kBlock = 2u << 20;
constexpr uint64_t kHighest = uint64_t{1} << 47;

struct Map {
    std::shared_mutex lock;
    std::map<uint64_t, MemoryRange> ranges;
    uint64_t last_id = 0;
    std::mutex reserve_lock;
    std::set<uint64_t> reserved;  // blocks
    std::atomic<bool> trusting{false};
    std::array<std::atomic<uint64_t>, 1024> pinned{};  // a bit for each block that ever was pinned, by hash
};

Map& map() {
    static Map* const made = std::make_unique<Map>().release();  // outlives every exit handler
    return *made;
}

std::map<uint64_t, MemoryRange>::iterator holding(uint64_t address) {
    auto it = map().ranges.upper_bound(address);
    if (it == map().ranges.begin()) return map().ranges.end();
    --it;
    return address - it->first < it->second.bytes ? it : map().ranges.end();
}

// Kernels reach it under the address that it has in the map.
bool reached(const MemoryRange& range) {
    return range.kind != MemoryRange::Kind::kHost || range.mapped_at == range.base;
}

uint64_t pinned_bit(uint64_t block) { return block * 0x9E3779B97F4A7C15u >> 48; }

}  // namespace

bool may_be_pinned(uint64_t address) {
    const uint64_t bit = pinned_bit(address / kBlock);
    return (map().pinned[bit / 64].load(std::memory_order_relaxed) >> bit % 64 & 1) != 0;
}

void note_mapping(uint64_t base, uint64_t mapped_at) {
    const std::unique_lock<std::shared_mutex> lock(map().lock);
    const auto found = map().ranges.find(base);
    if (found != map().ranges.end() && found->second.kind == MemoryRange::Kind::kHost)
        found->second.mapped_at = mapped_at;
}

bool note_sync_memops(uint64_t address, bool set) {
    const std::unique_lock<std::shared_mutex> lock(map().lock);
    const auto found = holding(address);
    if (found == map().ranges.end()) return false;
    found->second.sync_memops = set;
    return true;
}

void remember_range(MemoryRange range) {
    if (range.kind == MemoryRange::Kind::kHost) {
        g_ever_pinned = true;
        for (uint64_t block = range.base / kBlock; block <= (range.base + range.bytes - 1) / kBlock;
             ++block) {
            const uint64_t bit = pinned_bit(block);
            map().pinned[bit / 64].fetch_or(uint64_t{1} << bit % 64, std::memory_order_relaxed);
        }
    }
    const std::unique_lock<std::shared_mutex> lock(map().lock);
    range.id = ++map().last_id;
    // What the driver hands out again is free: a range that overlaps is one whose end was not told to us.
    auto it = map().ranges.upper_bound(range.base);
    if (it != map().ranges.begin() && std::prev(it)->first + std::prev(it)->second.bytes > range.base) --it;
    while (it != map().ranges.end() && it->first < range.base + range.bytes) it = map().ranges.erase(it);
    map().ranges[range.base] = range;
}

std::vector<MemoryRange> forget_variables(uint64_t owner) {
    std::vector<MemoryRange> gone;
    const std::unique_lock<std::shared_mutex> lock(map().lock);
    std::erase_if(map().ranges, [&](const auto& entry) {
        const MemoryRange& range = entry.second;
        const bool managed = range.kind == MemoryRange::Kind::kManaged;
        if ((range.kind != MemoryRange::Kind::kSymbol && !managed) || range.owner != owner) return false;
        if (managed) gone.push_back(range);
        return true;
    });
    return gone;
}

std::optional<MemoryRange> forget_range(uint64_t base, MemoryRange::Kind kind) {
    const std::unique_lock<std::shared_mutex> lock(map().lock);
    const auto found = map().ranges.find(base);
    if (found == map().ranges.end() || found->second.kind != kind) return std::nullopt;
    const MemoryRange range = found->second;
    map().ranges.erase(found);
    return range;
}

std::optional<MemoryRange> range_of(uint64_t address) {
    const std::shared_lock<std::shared_mutex> lock(map().lock);
    const auto found = holding(address);
    if (found == map().ranges.end()) return std::nullopt;
    return found->second;
}

bool is_device(uint64_t address, size_t bytes) {
    const std::shared_lock<std::shared_mutex> lock(map().lock);
    // Neighbouring virtual mappings form one range to a copy.
    while (true) {
        const auto found = holding(address);
        if (found == map().ranges.end() || !reached(found->second)) return false;
        const size_t left = found->second.bytes - (address - found->first);
        if (bytes <= left) return true;
        if (found->second.kind != MemoryRange::Kind::kVirtual) return false;
        address += left;
        bytes -= left;
    }
}

bool is_pinned(const void* address, size_t bytes) {
    const auto number = reinterpret_cast<uint64_t>(address);
    const std::shared_lock<std::shared_mutex> lock(map().lock);
    const auto found = holding(number);
    return found != map().ranges.end() && found->second.kind == MemoryRange::Kind::kHost &&
           bytes <= found->second.bytes - (number - found->first);
}

bool reserve_addresses(uint64_t base, size_t bytes) {
    Map& m = map();
    if (m.trusting.load() || bytes == 0) return true;
    if (base > kHighest || bytes > kHighest - base) return false;  // no address of a process
    const std::lock_guard<std::mutex> lock(m.reserve_lock);
    const uint64_t end = (base + bytes + kBlock - 1) / kBlock * kBlock;
    for (uint64_t block = base / kBlock * kBlock; block < end; block += kBlock) {
        if (m.reserved.count(block) != 0) continue;
        void* got = mmap(reinterpret_cast<void*>(block), kBlock, PROT_NONE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
        if (got == MAP_FAILED) {
            BF_LOG("client", kInfo, "device address %#llx is in use in this process",
                   static_cast<unsigned long long>(block));
            return false;
        }
        if (reinterpret_cast<uint64_t>(got) != block) {  // a kernel older than MAP_FIXED_NOREPLACE
            munmap(got, kBlock);
            return false;
        }
        m.reserved.insert(block);
    }
    return true;
}

uint64_t free_addresses(uint64_t hint, size_t bytes) {
    if (bytes > kHighest) return 0;
    void* got = mmap(reinterpret_cast<void*>(hint), bytes + 2 * kBlock, PROT_NONE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (got == MAP_FAILED) return 0;
    munmap(got, bytes + 2 * kBlock);
    return (reinterpret_cast<uint64_t>(got) + kBlock - 1) / kBlock * kBlock;
}

void trust_addresses(bool trust) { map().trusting.store(trust); }
bool trusts_addresses() { return map().trusting.load(); }

void forget_objects_of(CUcontext context) {
    const std::unique_lock<std::shared_mutex> lock(map().lock);
    std::erase_if(map().ranges, [&](const auto& entry) {
        return entry.second.context == context && entry.second.kind != MemoryRange::Kind::kHost &&
               entry.second.kind != MemoryRange::Kind::kMapped &&
               entry.second.kind != MemoryRange::Kind::kVirtual;
    });
}

}  // namespace bitfusion::client
