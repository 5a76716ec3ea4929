#include "client/slots.h"

#include <algorithm>
#include <atomic>
#include <iterator>

#include "client/context.h"
#include "client/shared_pages.h"
#include "client_hand.gen.h"

namespace bitfusion::client {
namespace {

constexpr size_t kPage = 4096;
// Fewer do not keep both sides at work; more are not faster.
constexpr size_t kFewest = 4;
constexpr size_t kMost = 16;
constexpr size_t kMostQueued = 16;  // for one slot: bounds what the worker watches
constexpr size_t kCacheLine = 64;   // between turns

}  // namespace

bool can_wait_for_turns() {
    int can = 0;
    return cuDeviceGetAttribute(&can, CU_DEVICE_ATTRIBUTE_CAN_USE_64_BIT_STREAM_MEM_OPS, current_device()) ==
               CUDA_SUCCESS &&
           can != 0;
}

NewSlots make_slots(size_t count) {
    NewSlots made;
    CUdeviceptr device = 0;
    auto* const pages = static_cast<uint8_t*>(share_pages(count * Slots::kBytes + kPage, &device));
    for (size_t i = 0; i < count && pages != nullptr; ++i) {
        auto slot = std::make_unique<Slot>();
        const size_t turn = count * Slots::kBytes + i * kCacheLine;
        slot->here = pages + i * Slots::kBytes;
        slot->there = device + i * Slots::kBytes;
        slot->turn = reinterpret_cast<uint32_t*>(pages + turn);
        slot->turn_there = device + turn;
        made.push_back(std::move(slot));
    }
    return made;
}

void Slot::grant(uint32_t number) {
    granted_.store(number, std::memory_order_release);
    std::atomic_ref<uint32_t>(*turn).store(number, std::memory_order_release);
}

bool Slot::granted(uint32_t number) const {
    return static_cast<int32_t>(granted_.load(std::memory_order_acquire) - number) >= 0;
}

size_t Slots::missing(const Session* session, size_t bytes) const {
    const size_t wanted = std::clamp(bytes / kBytes + (bytes % kBytes != 0), kFewest, kMost);
    const size_t have = session == session_ ? slots_.size() : 0;
    return wanted > have ? wanted - have : 0;
}

void Slots::add(const Session* session, NewSlots slots, bool gated) {
    if (session != session_) {
        std::move(slots_.begin(), slots_.end(), std::back_inserter(former_));
        slots_.clear();
    }
    session_ = session;
    gated_ = gated;
    std::move(slots.begin(), slots.end(), std::back_inserter(slots_));
}

Slot* Slots::pick(uint64_t stream) const {
    Slot* free = nullptr;
    Slot* shortest = nullptr;
    size_t taken = 0;
    for (const auto& slot : slots_) {
        if (slot->pieces.empty()) {
            if (free == nullptr) free = slot.get();
        } else if (slot->stream == stream) {
            ++taken;
            if (slot->pieces.size() < kMostQueued &&
                (shortest == nullptr || slot->pieces.size() < shortest->pieces.size()))
                shortest = slot.get();
        }
    }
    // Where one can queue it leaves the others half.
    if (free != nullptr && (!gated_ || taken < std::max(slots_.size() / 2, kFewest / 2))) return free;
    return gated_ ? shortest : nullptr;
}

}  // namespace bitfusion::client
