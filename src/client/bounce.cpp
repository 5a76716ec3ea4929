#include "client/bounce.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>

#include "client/copy_threads.h"
#include "client/feedback.h"
#include "client/handover.h"
#include "client/session.h"
#include "client/shared_pages.h"
#include "client/stream.h"

namespace bitfusion::client {
namespace {

constexpr size_t kLeastBounced = 256u << 10;
constexpr size_t kSlot = 2u << 20;
constexpr size_t kSlots = 8;
// Small copies are cut in a few pieces as well, so that both sides copy at once.
constexpr size_t kLeastPiece = 128u << 10;
constexpr size_t kLeastPieces = 4;
// To wake a thread costs more than it saves in less.
constexpr size_t kLeastForThreads = 2u << 20;

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

enum class Way { kToDevice, kToHost };

constexpr auto kNothing = [](wire::Reader&) {};

struct Piece {
    Pending pending{DecodeRef(kNothing)};  // the GPU's copy
    CopyThreads::Job ours;                 // between the caller's memory and the slot
    size_t at = 0;
    size_t bytes = 0;
    size_t slot = 0;
    bool asked = false;  // the GPU
};

// One copy, in pieces that follow each other through the slots. The caller has the lock, and the pages are
// there. Whatever fails, nobody writes to the caller's memory or to the slots any more when run() returns.
class Passage {
  public:
    Passage(const Bounce& bounce, Way way, uint8_t* host, CUdeviceptr device, size_t bytes, CUstream stream)
        : bounce_(bounce),
          session_(session()),
          threads_(session_->copy_threads()),
          way_(way),
          host_(host),
          device_(device),
          bytes_(bytes),
          stream_(stream),
          piece_(std::clamp((bytes / kLeastPieces + 4095) / 4096 * 4096, kLeastPiece, kSlot)),
          by_threads_(threads_.count() != 0 && bytes >= kLeastForThreads) {}

    CUresult run() {
        // What the caller's own thread fills, it gives to the GPU before it fills the next.
        const size_t ahead = way_ == Way::kToHost || by_threads_ ? kSlots : 1;
        while (true) {
            while (more() && pieces_.size() < kSlots && pieces_.size() - passed_ < ahead) cut();
            if (passed_ < pieces_.size())
                pass_on();
            else if (pieces_.empty())
                return result_;
            // A slot is wanted back only when there is none left, and late: so both sides have work.
            if (pieces_.size() == kSlots ? passed_ >= kSlots / 2 : !more() && passed_ == pieces_.size())
                finish_first();
        }
    }

  private:
    bool more() const { return cut_ < bytes_ && result_ == CUDA_SUCCESS; }
    // First half: to the device our copy, to the host the GPU's.
    void cut() {
        Piece& piece = pieces_.emplace_back();
        piece.at = cut_;
        piece.bytes = std::min(piece_, bytes_ - cut_);
        piece.slot = slot_++ % kSlots;
        cut_ += piece.bytes;
        way_ == Way::kToDevice ? copy_ours(&piece) : copy_gpu(&piece);
    }
    // The first half of the first piece whose second has not begun is awaited, and its second begins.
    void pass_on() {
        Piece& piece = pieces_[passed_++];
        if (way_ == Way::kToDevice) {
            threads_.wait(piece.ours);
            if (result_ == CUDA_SUCCESS) copy_gpu(&piece);
        } else {
            await_gpu(&piece);
            if (result_ == CUDA_SUCCESS) copy_ours(&piece);
        }
    }
    void finish_first() {
        Piece& piece = pieces_.front();
        way_ == Way::kToDevice ? await_gpu(&piece) : threads_.wait(piece.ours);
        pieces_.pop_front();
        --passed_;
    }

    void copy_ours(Piece* piece) {
        uint8_t* const slot = bounce_.pages + piece->slot * kSlot;
        uint8_t* const host = host_ + piece->at;
        piece->ours.target = way_ == Way::kToDevice ? slot : host;
        piece->ours.source = way_ == Way::kToDevice ? host : slot;
        piece->ours.bytes = piece->bytes;
        by_threads_ ? threads_.copy(&piece->ours) : CopyThreads::carry_out(piece->ours);
    }
    void copy_gpu(Piece* piece) {
        const CUdeviceptr slot = bounce_.device + piece->slot * kSlot;
        const CUdeviceptr device = device_ + piece->at;
        const msg::CopyPagesAwaited m{way_ == Way::kToDevice ? device : slot,
                                      way_ == Way::kToDevice ? slot : device, piece->bytes,
                                      wire_name(stream_)};
        session_->begin_call(
            msg::CopyPagesAwaited::kId, m.size(), [&](wire::Writer& w) { m.encode(w); }, &piece->pending);
        piece->asked = true;
    }
    void await_gpu(Piece* piece) {
        if (!piece->asked) return;
        const CUresult one = session_->finish_call(&piece->pending, counted_);
        counted_ = 0;
        if (result_ == CUDA_SUCCESS) result_ = one;
    }

    const Bounce& bounce_;
    Session* const session_;
    CopyThreads& threads_;
    const Way way_;
    uint8_t* const host_;
    const CUdeviceptr device_;
    const size_t bytes_;
    const CUstream stream_;
    const size_t piece_;
    const bool by_threads_;

    std::deque<Piece> pieces_;
    size_t passed_ = 0;  // how many of them have begun their second half
    size_t cut_ = 0;     // bytes of the copy
    size_t slot_ = 0;
    uint16_t counted_ = msg::CopyPagesAwaited::kId;  // the pieces of one copy are one wait
    CUresult result_ = CUDA_SUCCESS;
};

CUresult copy_through(const Bounce& b, Way way, uint8_t* host, CUdeviceptr device, size_t bytes,
                      CUstream stream) {
    CUresult result = hand_over_range(device, bytes);
    if (result != CUDA_SUCCESS) return result;
    touch_stream(stream);
    const uint64_t touch = stream == nullptr || stream == CU_STREAM_LEGACY ? last_touch() : touch_of(stream);
    result = Passage(b, way, host, device, bytes, stream).run();
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
