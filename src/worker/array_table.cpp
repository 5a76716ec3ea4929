#include "worker/array_table.h"

namespace bitfusion::worker {

void ArrayTable::add(uint64_t handle, const Entry& entry) {
    entries_[handle] = entry;
    if (const auto parent = entries_.find(entry.parent); parent != entries_.end())
        parent->second.has_parts = true;
}

std::vector<uint64_t> ArrayTable::parts_of(uint64_t handle) const {
    std::vector<uint64_t> parts;
    const Entry* whole = find(handle);
    if (whole == nullptr || !whole->has_parts) return parts;
    for (const auto& [part, entry] : entries_) {
        if (entry.parent == handle) parts.push_back(part);
    }
    return parts;
}

void ArrayTable::remove(uint64_t handle, MemoryTable* memory) {
    for (const uint64_t part : parts_of(handle)) entries_.erase(part);
    const auto found = entries_.find(handle);
    if (found == entries_.end()) return;
    memory->refund(found->second.device, found->second.charged);
    entries_.erase(found);
}

void ArrayTable::remove_context(uint64_t context, MemoryTable* memory) {
    std::erase_if(entries_, [&](const auto& entry) {
        if (entry.second.context != context) return false;
        memory->refund(entry.second.device, entry.second.charged);
        return true;
    });
}

void ArrayTable::refund_all(MemoryTable* memory) {
    for (const auto& [handle, entry] : entries_) memory->refund(entry.device, entry.charged);
    entries_.clear();
}

}  // namespace bitfusion::worker
