#include "worker/memory_table.h"

#include <utility>

#include "worker/census.h"
#include "worker/overhead.h"

namespace bitfusion::worker {

bool MemoryTable::take(int device, uint64_t bytes) {
    std::atomic<uint64_t>& used = usage_->bytes[device];
    uint64_t now = used.load();
    do {
        if (partition_ != 0 && (now > partition_ || bytes > partition_ - now)) return false;
    } while (!used.compare_exchange_weak(now, now + bytes));
    // The total first: whoever is killed between the two lines holds too much, never too little.
    usage_->slots[slot_].bytes[device].fetch_add(bytes);
    if (census_ != nullptr) census_->charge(device, bytes);
    own_[static_cast<size_t>(device)].charged += bytes;
    return true;
}

bool MemoryTable::charge_or_make_room(int device, uint64_t bytes) {
    if (take(device, bytes)) return true;
    if (overhead_ == nullptr) return false;
    overhead_->make_room(device);
    return take(device, bytes);
}

bool MemoryTable::charge(int device, uint64_t bytes) {
    if (usage_ == nullptr) return true;
    if (overhead_ != nullptr) overhead_->prepare(device, bytes);
    return charge_or_make_room(device, bytes);
}

bool MemoryTable::charge_pooled(int device, uint64_t bytes) {
    if (usage_ == nullptr) return true;
    if (overhead_ != nullptr) overhead_->reuse(device, bytes);
    return charge_or_make_room(device, bytes);
}

void MemoryTable::refund(int device, uint64_t bytes) {
    if (usage_ == nullptr || bytes == 0) return;
    usage_->slots[slot_].bytes[device].fetch_sub(bytes);
    usage_->bytes[device].fetch_sub(bytes);
    if (census_ != nullptr) census_->refund(device, bytes);
    own_[static_cast<size_t>(device)].charged -= bytes;
}

void MemoryTable::charge_beyond(int device, uint64_t before, uint64_t now) {
    if (usage_ == nullptr || before == now) return;
    // Whoever is killed in between holds too much, never too little.
    if (now > before) {
        usage_->bytes[device].fetch_add(now - before);
        usage_->slots[slot_].bytes[device].fetch_add(now - before);
        if (census_ != nullptr) census_->charge(device, now - before);
    } else {
        usage_->slots[slot_].bytes[device].fetch_sub(before - now);
        usage_->bytes[device].fetch_sub(before - now);
        if (census_ != nullptr) census_->refund(device, before - now);
    }
}

void MemoryTable::enter(const Range& range, bool in) {
    Own& own = own_[static_cast<size_t>(range.device)];
    const auto add = [&](bool counts, uint64_t* sum) {
        if (counts) *sum += in ? range.charged : -range.charged;
    };
    add(range.managed, &own.managed);
    add(range.pooled, &own.pooled);
    add(range.of_graph, &own.of_graphs);
}

std::map<uint64_t, MemoryTable::Range>::iterator MemoryTable::drop(std::map<uint64_t, Range>::iterator at) {
    enter(at->second, false);
    refund(at->second.device, at->second.charged);
    return ranges_.erase(at);
}

MemoryTable::Charge::~Charge() {
    if (shared_ == 0) {
        table_->refund(device_, bytes_);
        return;
    }
    table_->shared_.erase(shared_);
    table_->own_[static_cast<size_t>(device_)].charged -= bytes_;
    wire::release_charge(table_->usage_, table_->slot_, shared_);
    if (table_->census_ != nullptr) table_->census_->refund(device_, bytes_);
}

bool MemoryTable::share(const std::shared_ptr<Charge>& charge, uint64_t* id) {
    *id = 0;
    if (usage_ == nullptr || charge == nullptr) return true;  // nothing is counted
    if (charge->shared_ == 0) {
        charge->shared_ = wire::share_charge(usage_, slot_, charge->device_, charge->bytes_);
        if (charge->shared_ != 0) shared_[charge->shared_] = charge;
    }
    *id = charge->shared_;
    return *id != 0;
}

bool MemoryTable::share(uint64_t base, uint64_t* id) {
    const auto found = ranges_.find(base);
    if (found == ranges_.end()) return false;
    Range& range = found->second;
    if (range.physical == nullptr) {
        enter(range, false);
        range.physical = std::make_shared<Charge>(this, range.device, std::exchange(range.charged, 0));
    }
    return share(range.physical, id);
}

std::shared_ptr<MemoryTable::Charge> MemoryTable::hold(uint64_t id) {
    if (const auto known = shared_.find(id); known != shared_.end()) {
        if (auto charge = known->second.lock()) return charge;
    }
    if (usage_ == nullptr || !wire::hold_charge(usage_, slot_, id)) return nullptr;
    auto charge = std::make_shared<Charge>(this, Charge::Held{id});
    shared_[id] = charge;
    return charge;
}

void MemoryTable::add(uint64_t base, const Range& range) {
    auto it = ranges_.upper_bound(base);
    if (it != ranges_.begin() && std::prev(it)->first + std::prev(it)->second.bytes > base) --it;
    while (it != ranges_.end() && it->first < base + range.bytes) {
        it = drop(it);
    }
    ranges_[base] = range;
    enter(range, true);
}

void MemoryTable::remove_variables(uint64_t owner) {
    std::erase_if(ranges_, [&](const auto& entry) {
        return !entry.second.owned && !entry.second.of_graph && entry.second.owner == owner;
    });
}

bool MemoryTable::remove(uint64_t base) {
    const auto found = ranges_.find(base);
    if (found == ranges_.end() || !found->second.owned) return false;
    drop(found);
    return true;
}

void MemoryTable::remove_of_graph(uint64_t base) {
    const auto found = ranges_.find(base);
    if (found == ranges_.end() || !found->second.of_graph) return;
    drop(found);
}

void MemoryTable::remove_context(uint64_t context) {
    for (auto it = ranges_.begin(); it != ranges_.end();) {
        it = it->second.context == context ? drop(it) : std::next(it);
    }
}

void MemoryTable::remove_mapped(uint64_t base, uint64_t bytes) {
    auto it = ranges_.lower_bound(base);
    while (it != ranges_.end() && it->first - base < bytes)
        it = it->second.owned || it->second.of_graph ? std::next(it) : ranges_.erase(it);
}

void MemoryTable::refund_all() {
    for (auto it = ranges_.begin(); it != ranges_.end();) it = drop(it);
}

bool MemoryTable::within(uint64_t address, uint64_t bytes) const {
    // Ranges that touch form one: a copy may run over neighbouring mappings.
    while (true) {
        auto it = ranges_.upper_bound(address);
        if (it == ranges_.begin()) return false;
        --it;
        const uint64_t offset = address - it->first;
        if (offset >= it->second.bytes) return bytes == 0 && offset == it->second.bytes;
        const uint64_t left = it->second.bytes - offset;
        if (bytes <= left) return true;
        address += left;
        bytes -= left;
    }
}

const MemoryTable::Range* MemoryTable::range_holding(uint64_t address) const {
    auto it = ranges_.upper_bound(address);
    if (it == ranges_.begin()) return nullptr;
    --it;
    return address - it->first < it->second.bytes ? &it->second : nullptr;
}

const MemoryTable::Range* MemoryTable::range_at(uint64_t base) const {
    const auto found = ranges_.find(base);
    return found == ranges_.end() ? nullptr : &found->second;
}

}  // namespace bitfusion::worker
