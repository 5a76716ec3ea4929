#include "wire/shared_charge.h"

#include <algorithm>

#include "wire/usage.h"

namespace bitfusion::wire {
namespace {

constexpr int kCountBits = 16;
constexpr uint64_t kCount = (uint64_t{1} << kCountBits) - 1;
// An id: the record's number in the lower bits, its serial number above.
constexpr int kIndexBits = 16;
static_assert(Usage::kMostShared <= 1 << kIndexBits);

uint64_t serial_of(uint64_t state) { return state >> kCountBits; }
uint64_t id_of(uint64_t serial, int index) { return serial << kIndexBits | static_cast<uint64_t>(index); }

SharedCharge* record_of(Usage* usage, uint64_t id) {
    const uint64_t index = id & ((uint64_t{1} << kIndexBits) - 1);
    return id != 0 && index < Usage::kMostShared ? &usage->shared[index] : nullptr;
}

bool is_slot(int slot) { return slot >= 0 && slot < Usage::kMostWorkers; }
uint64_t bit_of(int slot) { return uint64_t{1} << slot % 64; }
std::atomic<uint64_t>& word_of(SharedCharge* record, int slot) { return record->holders[slot / 64]; }

// The bit first: whoever is killed between the two leaves the record held.
void release(Usage* usage, SharedCharge* record, int slot) {
    std::atomic<uint64_t>& word = word_of(record, slot);
    if ((word.load() & bit_of(slot)) == 0 || (word.fetch_and(~bit_of(slot)) & bit_of(slot)) == 0) return;
    // When it is free, it may be somebody else's at once.
    const uint64_t bytes = record->bytes.load();
    const uint64_t gpu = record->gpu.load() % Usage::kMostGpus;
    uint64_t now = record->state.load();
    do {
        if ((now & kCount) == 0) return;
    } while (!record->state.compare_exchange_weak(now, now - 1));
    if ((now & kCount) == 1) take_out(&usage->bytes[gpu], bytes);
}

}  // namespace

void take_out(std::atomic<uint64_t>* total, uint64_t bytes) {
    uint64_t now = total->load();
    while (!total->compare_exchange_weak(now, now - std::min(bytes, now))) {
    }
}

uint64_t share_charge(Usage* usage, int slot, int gpu, uint64_t bytes) {
    if (!is_slot(slot) || gpu < 0 || gpu >= Usage::kMostGpus) return 0;
    for (int index = 0; index < Usage::kMostShared; ++index) {
        SharedCharge& record = usage->shared[index];
        uint64_t now = record.state.load();
        const uint64_t serial = serial_of(now) + 1;
        if ((now & kCount) != 0 || !record.state.compare_exchange_strong(now, serial << kCountBits | 1))
            continue;
        record.bytes = bytes;
        record.gpu = static_cast<uint64_t>(gpu);
        take_out(&usage->slots[slot].bytes[gpu], bytes);
        word_of(&record, slot) |= bit_of(slot);
        return id_of(serial, index);
    }
    return 0;
}

bool hold_charge(Usage* usage, int slot, uint64_t id) {
    SharedCharge* const record = record_of(usage, id);
    if (record == nullptr || !is_slot(slot)) return false;
    uint64_t now = record->state.load();
    do {
        if (serial_of(now) != id >> kIndexBits || (now & kCount) == 0 || (now & kCount) == kCount)
            return false;
    } while (!record->state.compare_exchange_weak(now, now + 1));
    if ((word_of(record, slot).fetch_or(bit_of(slot)) & bit_of(slot)) == 0) return true;
    record->state -= 1;  // it is held through that bit
    return false;
}

void release_charge(Usage* usage, int slot, uint64_t id) {
    SharedCharge* const record = record_of(usage, id);
    if (record == nullptr || !is_slot(slot)) return;
    if (serial_of(record->state.load()) == id >> kIndexBits) release(usage, record, slot);
}

void release_charges_of(Usage* usage, int slot) {
    if (!is_slot(slot)) return;
    for (SharedCharge& record : usage->shared) release(usage, &record, slot);
}

}  // namespace bitfusion::wire
