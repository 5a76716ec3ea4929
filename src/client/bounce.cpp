#include "client/bounce.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <deque>
#include <memory>
#include <mutex>

#include "client/feedback.h"
#include "client/handover.h"
#include "client/session.h"
#include "client/shared_pages.h"
#include "client/stream.h"

namespace bitfusion::client {
namespace {

constexpr size_t kLeastBounced = 256u << 10;
constexpr size_t kSlot = 4u << 20;
constexpr size_t kSlots = 4;
// Small reads are cut in two or more as well, so that both copies work at once.
constexpr size_t kLeastPiece = 128u << 10;

struct Bounce {
    std::mutex lock;                   // whoever reads has it
    const Session* session = nullptr;  // whose worker has the pages
    uint8_t* pages = nullptr;
    CUdeviceptr device = 0;
    bool impossible = false;
};

Bounce& bounce() {
    static Bounce* const made = std::make_unique<Bounce>().release();  // outlives every exit handler
    return *made;
}

struct Piece {
    explicit Piece(DecodeRef decode) : pending(decode) {}
    Pending pending;
    size_t at = 0;
    size_t bytes = 0;
    size_t slot = 0;
};

enum class Way { kToDevice, kToHost };

// The caller has the lock, and the pages are there.
CUresult copy_through(const Bounce& b, Way way, uint8_t* host, CUdeviceptr device, size_t bytes,
                      CUstream stream) {
    Session* s = session();
    CUresult result = hand_over_range(device, bytes);
    if (result != CUDA_SUCCESS) return result;
    touch_stream(stream);
    const uint64_t touch = stream == nullptr || stream == CU_STREAM_LEGACY ? last_touch() : touch_of(stream);
    const size_t most = std::clamp((bytes / kSlots + 4095) / 4096 * 4096, kLeastPiece, kSlot);
    auto nothing = [](wire::Reader&) {};
    std::deque<Piece> under_way;
    uint16_t counted = msg::CopyPagesAwaited::kId;  // the pieces of one copy are one wait
    const auto finish_first = [&] {
        Piece& piece = under_way.front();
        const CUresult one = s->finish_call(&piece.pending, counted);
        counted = 0;
        if (result == CUDA_SUCCESS) result = one;
        if (way == Way::kToHost && result == CUDA_SUCCESS)
            memcpy(host + piece.at, b.pages + piece.slot * kSlot, piece.bytes);
        under_way.pop_front();
    };
    size_t slot = 0;
    for (size_t at = 0; at < bytes && result == CUDA_SUCCESS;) {
        if (under_way.size() == kSlots) finish_first();
        if (result != CUDA_SUCCESS) break;
        Piece& piece = under_way.emplace_back(DecodeRef(nothing));
        piece.at = at;
        piece.bytes = std::min(most, bytes - at);
        piece.slot = slot++ % kSlots;
        const CUdeviceptr shared = b.device + piece.slot * kSlot;
        if (way == Way::kToDevice) memcpy(b.pages + piece.slot * kSlot, host + at, piece.bytes);
        const msg::CopyPagesAwaited m{way == Way::kToDevice ? device + at : shared,
                                      way == Way::kToDevice ? shared : device + at, piece.bytes,
                                      wire_name(stream)};
        s->begin_call(
            msg::CopyPagesAwaited::kId, m.size(), [&](wire::Writer& w) { m.encode(w); }, &piece.pending);
        at += piece.bytes;
    }
    while (!under_way.empty()) finish_first();
    if (result != CUDA_SUCCESS) return result;
    stream_done(stream, touch);
    return take_back();
}

// False: the pages are taken, or there can be none.
bool copy(Way way, uint8_t* host, CUdeviceptr device, size_t bytes, CUstream stream, CUresult* result) {
    if (bytes < kLeastBounced || !session()->shares_memory() || any_capture()) return false;
    Bounce& b = bounce();
    const std::unique_lock<std::mutex> lock(b.lock, std::try_to_lock);
    if (!lock.owns_lock()) return false;
    if (b.session != session()) {
        if (b.pages != nullptr) munmap(b.pages, kSlots * kSlot);
        b.session = session();
        b.pages = nullptr;
        b.impossible = false;
    }
    if (b.pages == nullptr && !b.impossible)
        b.pages = static_cast<uint8_t*>(share_pages(kSlots * kSlot, &b.device));
    b.impossible = b.pages == nullptr;
    if (b.impossible) return false;
    *result = copy_through(b, way, host, device, bytes, stream);
    return true;
}

}  // namespace

bool bounce_out(void* target, CUdeviceptr source, size_t bytes, CUstream stream, CUresult* result) {
    return copy(Way::kToHost, static_cast<uint8_t*>(target), source, bytes, stream, result);
}

bool bounce_in(CUdeviceptr target, const void* source, size_t bytes, CUstream stream, CUresult* result) {
    auto* host = static_cast<uint8_t*>(const_cast<void*>(source));  // is only read
    return copy(Way::kToDevice, host, target, bytes, stream, result);
}

}  // namespace bitfusion::client
