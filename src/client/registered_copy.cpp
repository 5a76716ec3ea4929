#include "client/registered_copy.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <list>
#include <memory>
#include <mutex>
#include <vector>

#include "client/copy_threads.h"
#include "client/feedback.h"
#include "client/handover.h"
#include "client/session.h"
#include "client/slots.h"
#include "client/stream.h"
#include "messages.gen.h"

namespace bitfusion::client {
namespace {

// Small copies are cut in a few pieces as well, so that both sides copy at once.
constexpr size_t kLeastPiece = 512u << 10;
constexpr size_t kLeastPieces = 4;
// What one copy thread takes of a piece.
constexpr size_t kPart = 1u << 20;
constexpr size_t kMostParts = Slots::kBytes / kPart;

enum class Way { kToDevice, kToHost };

constexpr auto kNothing = [](wire::Reader&) {};

struct Crossing;
struct Piece;

struct Part : CopyThreads::Job {
    Piece* piece = nullptr;
};

// What fits in a slot, which it has until it is over: to the device when the GPU has answered, to the host
// when the answer has been emptied into the program's memory.
struct Piece : Answered {
    void answer(CUresult result) override;

    Crossing* crossing = nullptr;
    Slot* slot = nullptr;
    uint8_t* host = nullptr;
    CUdeviceptr device = 0;
    size_t bytes = 0;
    Pending pending{DecodeRef(kNothing)};  // the GPU's copy
    std::array<Part, kMostParts> parts;    // ours
    std::atomic<size_t> parts_left{0};
    bool copying = false;  // guarded by Crossings::lock
};

// One copy. It goes when each of its pieces has been answered, and emptied.
struct Crossing {
    Session* session = nullptr;
    Way way = Way::kToDevice;
    uint8_t* host = nullptr;
    size_t bytes = 0;
    uint64_t ticket = 0;  // to the host
    std::deque<Piece> pieces;
    // Guarded by Crossings::lock.
    size_t unanswered = 0;
    size_t copying = 0;
    std::list<Crossing>::iterator self;
};

struct Crossings {
    std::mutex growing;  // outermost
    std::mutex lock;     // never while anything is copied or posted
    std::condition_variable changed;
    Slots slots;
    std::list<Crossing> open;
};

Crossings& crossings() {
    static Crossings* const made = std::make_unique<Crossings>().release();  // outlives every exit handler
    return *made;
}

void part_copied(CopyThreads::Job* job) {
    Piece* const piece = static_cast<Part*>(job)->piece;
    if (piece->parts_left.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
    const std::lock_guard<std::mutex> lock(crossings().lock);
    piece->copying = false;
    --piece->crossing->copying;
    if (piece->crossing->way == Way::kToHost) piece->slot->taken = false;
    crossings().changed.notify_all();
}

// Begins to copy the piece between the program's memory and its slot.
void copy_parts(Piece* piece) {
    {
        const std::lock_guard<std::mutex> lock(crossings().lock);
        piece->copying = true;
        ++piece->crossing->copying;
    }
    CopyThreads& threads = piece->crossing->session->copy_threads();
    const bool to_device = piece->crossing->way == Way::kToDevice;
    const size_t bytes = piece->bytes;
    const size_t count = (bytes + kPart - 1) / kPart;
    piece->parts_left.store(count, std::memory_order_relaxed);
    for (size_t i = 0; i < count; ++i) {
        Part& part = piece->parts[i];
        uint8_t* const slot = piece->slot->here + i * kPart;
        uint8_t* const host = piece->host + i * kPart;
        part.piece = piece;
        part.target = to_device ? slot : host;
        part.source = to_device ? host : slot;
        part.bytes = std::min(kPart, bytes - i * kPart);
        part.copied = part_copied;
        threads.copy(&part);
    }
}

// All pieces are answered. What is announced behind the last answer may count on the data.
void settle(Crossing* crossing) {
    Crossings& all = crossings();
    {
        std::unique_lock<std::mutex> lock(all.lock);
        all.changed.wait(lock, [&] { return crossing->copying == 0; });
    }
    CopyThreads& threads = crossing->session->copy_threads();
    for (Piece& piece : crossing->pieces)
        for (Part& part : piece.parts) threads.wait(part);
    const std::lock_guard<std::mutex> lock(all.lock);
    if (crossing->way == Way::kToHost) ticket_arrived(crossing->ticket, crossing->bytes, true);
    all.open.erase(crossing->self);
}

// Cuts the copy, or, if a part is wanted, as much of it as there are free slots for. Null: there are not
// enough.
Crossing* cut(Way way, uint8_t* host, CUdeviceptr device, size_t bytes, bool partly) {
    Crossings& all = crossings();
    const size_t most =
        std::clamp((bytes / kLeastPieces + 4095) / 4096 * 4096, kLeastPiece, size_t{Slots::kBytes});
    const std::lock_guard<std::mutex> lock(all.lock);
    const size_t free = all.slots.free();
    if (free == 0 || (!partly && free < (bytes + most - 1) / most)) return nullptr;
    Crossing& crossing = all.open.emplace_back();
    crossing.self = std::prev(all.open.end());
    crossing.session = session();
    crossing.way = way;
    crossing.host = host;
    for (size_t at = 0; at < bytes;) {
        Slot* const slot = all.slots.take();
        if (slot == nullptr) break;
        Piece& piece = crossing.pieces.emplace_back();
        piece.crossing = &crossing;
        piece.slot = slot;
        piece.host = host + at;
        piece.device = device + at;
        piece.bytes = std::min(most, bytes - at);
        piece.pending.answered = &piece;
        at += piece.bytes;
        crossing.bytes = at;
    }
    crossing.unanswered = crossing.pieces.size();
    return &crossing;
}

void post_piece(Session* s, Piece* piece, Way way, CUstream stream) {
    const bool to_device = way == Way::kToDevice;
    const CUdeviceptr slot = piece->slot->there;
    const msg::CopyPagesAwaited m{to_device ? piece->device : slot, to_device ? slot : piece->device,
                                  piece->bytes, wire_name(stream)};
    if (Stats::enabled()) stats().posted(msg::CopyPagesAwaited::kId);
    // From here on the piece may be gone as soon as it is answered.
    s->begin_call(
        msg::CopyPagesAwaited::kId, m.size(), [&](wire::Writer& w) { m.encode(w); }, &piece->pending);
}

bool serves(Session* s, size_t bytes) {
    if (s == nullptr || bytes < kLeastRegisteredCopy || !s->shares_memory() || any_capture()) return false;
    const std::lock_guard<std::mutex> lock(crossings().lock);
    return crossings().slots.serve(s);
}

size_t begin_copy(Way way, uint8_t* host, CUdeviceptr device, size_t bytes, CUstream stream,
                  CUresult* result) {
    Session* const s = session();
    *result = CUDA_SUCCESS;
    if (!serves(s, bytes)) return 0;
    *result = hand_over_range(device, bytes);
    if (*result == CUDA_SUCCESS) *result = s->sticky();
    if (*result != CUDA_SUCCESS) return 0;
    // With an idle stream the other way is as good (bounce.h), for all of the copy.
    Crossing* const crossing = cut(way, host, device, bytes, !stream_idle(stream));
    if (crossing == nullptr) return 0;
    const size_t begun = crossing->bytes;
    if (way == Way::kToHost) crossing->ticket = open_ticket(host, begun);
    touch_stream(stream);
    std::vector<Piece*> pieces;  // the crossing may be gone before the last has been posted
    for (Piece& piece : crossing->pieces) pieces.push_back(&piece);
    // Without threads it is this one that fills, and the GPU has the first when it fills the second.
    const bool ahead = s->copy_threads().count() != 0;
    if (way == Way::kToDevice && ahead)
        for (Piece* const piece : pieces) copy_parts(piece);
    for (Piece* const piece : pieces) {
        if (way == Way::kToDevice) {
            if (!ahead) copy_parts(piece);
            std::unique_lock<std::mutex> lock(crossings().lock);
            crossings().changed.wait(lock, [&] { return !piece->copying; });
        }
        post_piece(s, piece, way, stream);
    }
    return begun;
}

}  // namespace

// On the thread that receives.
void Piece::answer(CUresult result) {
    Crossing* const whole = crossing;
    if (result != CUDA_SUCCESS && !whole->session->lost()) whole->session->defer(result);
    const bool to_empty = whole->way == Way::kToHost && result == CUDA_SUCCESS;
    if (to_empty) copy_parts(this);
    {
        const std::lock_guard<std::mutex> lock(crossings().lock);
        if (!to_empty) slot->taken = false;
        if (--whole->unanswered != 0) return;
    }
    settle(whole);
}

void expect_registered_copies(size_t bytes) {
    Session* const s = session();
    if (s == nullptr || bytes < kLeastRegisteredCopy || !s->shares_memory()) return;
    Crossings& all = crossings();
    const std::lock_guard<std::mutex> growing(all.growing);
    size_t count = 0;
    {
        const std::lock_guard<std::mutex> lock(all.lock);
        count = all.slots.missing(s, bytes);
    }
    if (count == 0) return;
    NewSlots made = make_slots(count);
    const std::lock_guard<std::mutex> lock(all.lock);
    if (!made.empty()) all.slots.add(s, std::move(made));
}

size_t begin_copy_in(CUdeviceptr target, const void* source, size_t bytes, CUstream stream,
                     CUresult* result) {
    auto* host = static_cast<uint8_t*>(const_cast<void*>(source));  // is only read
    return begin_copy(Way::kToDevice, host, target, bytes, stream, result);
}

size_t begin_copy_out(void* target, CUdeviceptr source, size_t bytes, CUstream stream, CUresult* result) {
    return begin_copy(Way::kToHost, static_cast<uint8_t*>(target), source, bytes, stream, result);
}

void await_registered_copies(const void* begin, size_t bytes) {
    Crossings& all = crossings();
    const auto* first = static_cast<const uint8_t*>(begin);
    const auto overlaps = [&](const Crossing& c) {
        return c.host < first + bytes && first < c.host + c.bytes;
    };
    const auto any = [&] {
        const std::lock_guard<std::mutex> lock(all.lock);
        return std::any_of(all.open.begin(), all.open.end(), overlaps);
    };
    Session* const s = session();
    if (s == nullptr || !any() || s->wait_until([&] { return !any(); })) return;
    // The session is over. Nothing more is begun, but what is being copied goes on to its end.
    std::unique_lock<std::mutex> lock(all.lock);
    all.changed.wait(lock, [&] {
        return std::none_of(all.open.begin(), all.open.end(),
                            [&](const Crossing& c) { return overlaps(c) && c.copying != 0; });
    });
}

}  // namespace bitfusion::client
