#include "device/soft/memory_map.h"

#include <algorithm>
#include <mutex>

namespace bitfusion::soft {

void MemoryMap::add(Allocation allocation) {
    const std::unique_lock lock(mutex_);
    const uint64_t base = allocation.base;
    if (allocation.kind == MemoryKind::kRegistered) registered_[base] = allocation.bytes;
    ranges_[base] = std::move(allocation);
}

std::optional<Allocation> MemoryMap::remove(uint64_t base, std::initializer_list<MemoryKind> kinds) {
    const std::unique_lock lock(mutex_);
    const auto at = ranges_.find(base);
    if (at == ranges_.end()) return std::nullopt;
    if (std::find(kinds.begin(), kinds.end(), at->second.kind) == kinds.end()) return std::nullopt;
    std::optional<Allocation> found = std::move(at->second);
    ranges_.erase(at);
    registered_.erase(base);
    return found;
}

const Allocation* MemoryMap::containing(uint64_t address) const {
    auto at = ranges_.upper_bound(address);
    if (at == ranges_.begin()) return nullptr;
    --at;
    const Allocation& allocation = at->second;
    return address - allocation.base < allocation.bytes ? &allocation : nullptr;
}

std::optional<Allocation> MemoryMap::find(uint64_t address) const {
    const std::shared_lock lock(mutex_);
    const Allocation* found = containing(address);
    if (found == nullptr) return std::nullopt;
    return *found;
}

bool MemoryMap::update(uint64_t address, const std::function<void(Allocation&)>& change) {
    const std::unique_lock lock(mutex_);
    const Allocation* found = containing(address);
    if (found == nullptr) return false;
    change(ranges_.at(found->base));
    return true;
}

bool MemoryMap::covers(uint64_t address, uint64_t bytes) const {
    if (bytes == 0) return true;
    const std::shared_lock lock(mutex_);
    while (true) {
        const Allocation* found = containing(address);
        if (found == nullptr) return false;
        const uint64_t here = found->end() - address;
        if (bytes <= here) return true;
        if (found->kind != MemoryKind::kMapped) return false;
        bytes -= here;
        address = found->end();
    }
}

bool MemoryMap::overlaps(uint64_t address, uint64_t bytes) const {
    const std::shared_lock lock(mutex_);
    auto at = ranges_.upper_bound(address);
    if (at != ranges_.end() && at->first - address < bytes) return true;
    if (at == ranges_.begin()) return false;
    --at;
    return address - at->first < at->second.bytes;
}

std::vector<Allocation> MemoryMap::of_context(uint64_t context_id) const {
    const std::shared_lock lock(mutex_);
    std::vector<Allocation> found;
    for (const auto& [base, allocation] : ranges_) {
        if (allocation.context_id == context_id) found.push_back(allocation);
    }
    return found;
}

std::vector<std::pair<uint64_t, uint64_t>> MemoryMap::registered() const {
    const std::shared_lock lock(mutex_);
    return {registered_.begin(), registered_.end()};
}

void MemoryMap::clear() {
    std::map<uint64_t, Allocation> gone;  // what is mapped there ends outside of the lock
    const std::unique_lock lock(mutex_);
    gone.swap(ranges_);
    registered_.clear();
}

}  // namespace bitfusion::soft
