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

constexpr size_t kLeast = 2u << 20;
// Small copies are cut in a few pieces as well, so that both sides copy at once.
constexpr size_t kLeastPiece = 512u << 10;
constexpr size_t kLeastPieces = 4;
// What one copy thread takes of a piece.
constexpr size_t kPart = 1u << 20;
constexpr size_t kMostParts = Slots::kBytes / kPart;

enum class Way { kToDevice, kToHost };

constexpr auto kNothing = [](wire::Reader&) {};

struct Crossing;

struct Part : CopyThreads::Job {
    Piece* piece = nullptr;
};

}  // namespace

// What fits in a slot. It waits for its slot, has it, and is over. To the device it is filled while it has
// the slot, and over when the GPU has answered; to the host it is over when the answer has been emptied into
// the program's memory.
struct Piece : Answered {
    void answer(CUresult result) override;

    Crossing* crossing = nullptr;
    Slot* slot = nullptr;
    uint32_t number = 0;  // of the slot's pieces
    uint8_t* host = nullptr;
    CUdeviceptr device = 0;
    size_t bytes = 0;
    Pending pending{DecodeRef(kNothing)};  // the GPU's copy
    std::array<Part, kMostParts> parts;    // ours
    std::atomic<size_t> parts_left{0};
    // Guarded by Crossings::lock.
    bool begun = false;
    bool copying = false;
    bool over = false;
};

namespace {

// One copy. It goes when each of its pieces has been answered and has left its slot.
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
    size_t in_slots = 0;
    bool settled = false;  // all are answered, and none is being copied
    std::list<Crossing>::iterator self;
};

struct Crossings {
    // Around the choice of slots and the messages that speak of it: a stream's pieces have a slot in the
    // order in which the stream comes to them. Before `lock`.
    std::mutex posting;
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

// ---- with the lock: what happens next ----

void close_if_done(Crossing* crossing) {
    if (!crossing->settled || crossing->in_slots != 0) return;
    if (crossing->way == Way::kToHost) ticket_arrived(crossing->ticket, crossing->bytes, true);
    crossings().open.erase(crossing->self);
}

// The piece has its slot. `to_copy` are to be copied when the lock has been let go.
void begin(Piece* piece, std::vector<Piece*>* to_copy) {
    piece->begun = true;
    if (piece->crossing->way == Way::kToHost) return piece->slot->grant(piece->number);
    piece->copying = true;
    ++piece->crossing->copying;
    to_copy->push_back(piece);
}

// Pieces that are over leave the slot; one may be over before its turn, when the GPU has refused it.
void advance(Slot* slot, std::vector<Piece*>* to_copy) {
    while (!slot->pieces.empty()) {
        Piece* const first = slot->pieces.front();
        if (!first->over) {
            if (!first->begun) begin(first, to_copy);
            return;
        }
        slot->grant(first->number);
        slot->pieces.pop_front();
        --first->crossing->in_slots;
        close_if_done(first->crossing);
    }
}

// ---- without it ----

void copy_parts(Piece* piece);

void part_copied(CopyThreads::Job* job) {
    Piece* const piece = static_cast<Part*>(job)->piece;
    if (piece->parts_left.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
    Crossings& all = crossings();
    std::vector<Piece*> to_copy;
    {
        const std::lock_guard<std::mutex> lock(all.lock);
        piece->copying = false;
        --piece->crossing->copying;
        if (piece->crossing->way == Way::kToDevice) {
            piece->slot->grant(piece->number);
        } else {
            piece->over = true;
            advance(piece->slot, &to_copy);
        }
        all.changed.notify_all();
    }
    // The piece may be gone.
    for (Piece* const next : to_copy) copy_parts(next);
}

void copy_parts(Piece* piece) {
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
    crossing->settled = true;
    close_if_done(crossing);
}

// Cuts as much of the copy as slots can be had for. The caller has `posting`.
Crossing* cut(Way way, uint8_t* host, CUdeviceptr device, size_t bytes, uint64_t stream,
              std::vector<Piece*>* to_copy) {
    Crossings& all = crossings();
    const size_t most =
        std::clamp((bytes / kLeastPieces + 4095) / 4096 * 4096, kLeastPiece, size_t{Slots::kBytes});
    const std::lock_guard<std::mutex> lock(all.lock);
    Crossing& crossing = all.open.emplace_back();
    crossing.self = std::prev(all.open.end());
    crossing.session = session();
    crossing.way = way;
    crossing.host = host;
    for (size_t at = 0; at < bytes;) {
        Slot* const slot = all.slots.pick(stream);
        if (slot == nullptr) break;
        Piece& piece = crossing.pieces.emplace_back();
        piece.crossing = &crossing;
        piece.slot = slot;
        piece.number = ++slot->last;
        piece.host = host + at;
        piece.device = device + at;
        piece.bytes = std::min(most, bytes - at);
        piece.pending.answered = &piece;
        slot->stream = stream;
        slot->pieces.push_back(&piece);
        at += piece.bytes;
        crossing.bytes = at;
        if (slot->pieces.size() == 1) begin(&piece, to_copy);
    }
    crossing.unanswered = crossing.in_slots = crossing.pieces.size();
    if (!crossing.pieces.empty()) return &crossing;
    all.open.erase(crossing.self);
    return nullptr;
}

void post_piece(Session* s, Piece* piece, Way way, CUstream stream, bool gated) {
    const Slot& slot = *piece->slot;
    if (gated && !slot.granted(piece->number)) {
        const auto gate = [&](wire::Writer& w) {
            w.put(wire_name(stream));
            w.put(slot.turn_there);
            w.put(piece->number);
            w.put(uint32_t{CU_STREAM_WAIT_VALUE_GEQ});
        };
        session_post(msg::kId_cuStreamWaitValue32_v2, 24, gate);
    }
    const bool to_device = way == Way::kToDevice;
    const msg::CopyPagesAwaited m{to_device ? piece->device : slot.there,
                                  to_device ? slot.there : piece->device, piece->bytes, wire_name(stream)};
    if (Stats::enabled()) stats().posted(msg::CopyPagesAwaited::kId);
    // From here on the piece may be gone as soon as it is answered.
    s->begin_call(
        msg::CopyPagesAwaited::kId, m.size(), [&](wire::Writer& w) { m.encode(w); }, &piece->pending);
}

bool serves(Session* s, size_t bytes) {
    if (s == nullptr || bytes < kLeast || !s->shares_memory() || any_capture()) return false;
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
    Crossings& all = crossings();
    const std::lock_guard<std::mutex> posting(all.posting);
    const bool legacy = stream == nullptr || stream == CU_STREAM_LEGACY;
    std::vector<Piece*> to_copy;
    Crossing* const crossing =
        cut(way, host, device, bytes, legacy ? current_context_name() : wire_name(stream), &to_copy);
    if (crossing == nullptr) return 0;
    const size_t begun = crossing->bytes;
    if (way == Way::kToHost) crossing->ticket = open_ticket(host, begun);
    touch_stream(stream);
    std::vector<Piece*> pieces;  // the crossing may be gone before the last has been posted
    for (Piece& piece : crossing->pieces) pieces.push_back(&piece);
    bool gated = false;
    {
        const std::lock_guard<std::mutex> lock(all.lock);
        gated = all.slots.gated();
    }
    // Without threads it is this one that fills, and the GPU has the first when it fills the second.
    const bool ahead = s->copy_threads().count() != 0;
    if (ahead)
        for (Piece* const piece : to_copy) copy_parts(piece);
    auto next = to_copy.begin();
    for (Piece* const piece : pieces) {
        if (!ahead && next != to_copy.end() && *next == piece) copy_parts(*next++);
        if (!gated) {
            std::unique_lock<std::mutex> lock(all.lock);
            all.changed.wait(lock, [&] { return !piece->copying; });
        }
        post_piece(s, piece, way, stream, gated);
    }
    return begun;
}

}  // namespace

// On the thread that receives.
void Piece::answer(CUresult result) {
    Crossings& all = crossings();
    Crossing* const whole = crossing;
    if (result != CUDA_SUCCESS && !whole->session->lost()) whole->session->defer(result);
    std::vector<Piece*> to_copy;
    {
        std::unique_lock<std::mutex> lock(all.lock);
        if (whole->way == Way::kToHost && result == CUDA_SUCCESS) {
            copying = true;
            ++whole->copying;
            to_copy.push_back(this);
        } else {
            all.changed.wait(lock, [this] { return !copying; });
            over = true;
            advance(slot, &to_copy);
        }
    }
    for (Piece* const piece : to_copy) copy_parts(piece);
    {
        const std::lock_guard<std::mutex> lock(all.lock);
        if (--whole->unanswered != 0) return;
    }
    settle(whole);
}

void expect_registered_copies(size_t bytes) {
    Session* const s = session();
    if (s == nullptr || bytes < kLeast || !s->shares_memory()) return;
    Crossings& all = crossings();
    const std::lock_guard<std::mutex> growing(all.growing);
    size_t count = 0;
    {
        const std::lock_guard<std::mutex> lock(all.lock);
        count = all.slots.missing(s, bytes);
    }
    if (count == 0) return;
    NewSlots made = make_slots(count);
    const bool gated = !made.empty() && can_wait_for_turns();
    const std::lock_guard<std::mutex> lock(all.lock);
    if (!made.empty()) all.slots.add(s, std::move(made), gated);
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
