#include "client/slots.h"

#include <algorithm>
#include <iterator>

#include "client/shared_pages.h"

namespace bitfusion::client {
namespace {

// Fewer do not keep both sides at work; more are not faster.
constexpr size_t kFewest = 4;
constexpr size_t kMost = 16;

}  // namespace

NewSlots make_slots(size_t count) {
    NewSlots made;
    CUdeviceptr device = 0;
    auto* const pages = static_cast<uint8_t*>(share_pages(count * Slots::kBytes, &device));
    for (size_t i = 0; i < count && pages != nullptr; ++i) {
        auto slot = std::make_unique<Slot>();
        slot->here = pages + i * Slots::kBytes;
        slot->there = device + i * Slots::kBytes;
        made.push_back(std::move(slot));
    }
    return made;
}

size_t Slots::missing(const Session* session, size_t bytes) const {
    const size_t wanted = std::clamp(bytes / kBytes + (bytes % kBytes != 0), kFewest, kMost);
    const size_t have = session == session_ ? slots_.size() : 0;
    return wanted > have ? wanted - have : 0;
}

void Slots::add(const Session* session, NewSlots slots) {
    if (session != session_) {
        std::move(slots_.begin(), slots_.end(), std::back_inserter(former_));
        slots_.clear();
    }
    session_ = session;
    std::move(slots.begin(), slots.end(), std::back_inserter(slots_));
}

size_t Slots::free() const {
    return static_cast<size_t>(
        std::count_if(slots_.begin(), slots_.end(), [](const auto& slot) { return !slot->taken; }));
}

Slot* Slots::take() {
    const auto found =
        std::find_if(slots_.begin(), slots_.end(), [](const auto& slot) { return !slot->taken; });
    if (found == slots_.end()) return nullptr;
    (*found)->taken = true;
    return found->get();
}

}  // namespace bitfusion::client
