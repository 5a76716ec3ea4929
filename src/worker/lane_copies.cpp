#include "worker/lane_copies.h"

#include <algorithm>

#include "worker/session.h"
#include "worker_hand.gen.h"

namespace bitfusion::worker {
namespace {

// Of a copy out. What a client awaits comes in messages of up to 8 MiB: four pieces. What it does not await
// is staged in few large pieces, because nothing else is served while there is no room for one.
size_t piece_out(uint64_t bytes, size_t lanes) {
    constexpr uint64_t kUnit = 65536;
    constexpr uint64_t kAwaited = 8u << 20;
    if (bytes <= kAwaited) return (bytes + 4 * kUnit - 1) / (4 * kUnit) * kUnit;
    return std::clamp<uint64_t>(bytes / (2 * lanes) / kUnit * kUnit, kAwaited / 4, Lanes::kMostPiece);
}

// Makes the context of a message current, and what was current before again: the handler that waits here has
// a context of its own.
class Entered {
  public:
    explicit Entered(Session* s) : session_(s) {
        before_.head.context = static_cast<uint32_t>(s->context_name());
    }
    ~Entered() { session_->enter_if_alive(before_); }
    Entered(const Entered&) = delete;
    Entered& operator=(const Entered&) = delete;

  private:
    Session* const session_;
    Frame before_{};
};

}  // namespace

// The threads of the lanes use the buffers.
LaneCopies::~LaneCopies() { lanes.end(); }

void LaneCopies::peer_is_wrong(const char* what) {
    const Frame frame{{0, msg::kId_LaneData, 0, 0, 0}};
    session_->peer_is_wrong(frame, what);
}

// ---- in

void LaneCopies::begin_in(const Frame& frame, const msg::CopyInLanes& m, CUstream stream, CUresult result) {
    if (lanes.open_count() == 0 || m.copy <= last_number_ || m.byte_count == 0)
        return session_->peer_is_wrong(frame, "copy");
    last_number_ = m.copy;
    ins_.push_back({frame, m.copy, m.device, m.byte_count, m.stream, stream, result});
}

void LaneCopies::finish_ins() {
    while (any_in() && !session_->ended()) {
        if (!session_->progress()) session_->rest();
    }
}

bool LaneCopies::may_overtake(uint64_t stream) const {
    const auto own = [](uint64_t name) { return wire::kind_of(name) == wire::Kind::kStream; };
    return own(stream) && std::all_of(ins_.begin(), ins_.end(), [&](const In& in) {
               return own(in.stream_name) && in.stream_name != stream;
           });
}

bool LaneCopies::play_piece(In* in, const Lanes::Piece& piece) {
    if (piece.offset > in->bytes || piece.bytes > in->bytes - piece.offset ||
        piece.bytes > in->bytes - in->played) {
        peer_is_wrong("offset");
        return false;
    }
    in->played += piece.bytes;
    Session& s = *session_;
    const bool pinned = piece.buffer != &scraps_[piece.lane].buffer;
    if (in->result == CUDA_SUCCESS) in->result = s.enter(in->frame);
    // From ordinary memory the driver takes a copy before it returns; from a staging buffer it reads later.
    if (in->result == CUDA_SUCCESS) {
        in->result = s.driver.cuMemcpyHtoDAsync_v2(in->device + piece.offset, piece.buffer->data, piece.bytes,
                                                   in->stream);
        if (in->result == CUDA_SUCCESS && pinned) {
            in->result = s.staging.release_after(piece.buffer, in->stream, s.context_name());
            --held_[piece.lane];
            return true;
        }
    }
    free_buffer(piece);
    return true;
}

void LaneCopies::free_buffer(const Lanes::Piece& piece) {
    --held_[piece.lane];
    if (piece.buffer == &scraps_[piece.lane].buffer)
        scraps_[piece.lane].given = false;
    else
        session_->staging.release(piece.buffer);
}

// What has come for the copies whose turn it is.
bool LaneCopies::play() {
    bool moved = false;
    while (!session_->ended()) {
        const uint64_t turn = ins_.empty() ? last_number_ + 1 : ins_.front().number;
        if (std::any_of(early_.begin(), early_.end(),
                        [&](const auto& piece) { return piece.number < turn; })) {
            peer_is_wrong("copy");
            return moved;
        }
        if (ins_.empty()) return moved;
        In& in = ins_.front();
        for (auto at = early_.begin(); at != early_.end();) {
            if (at->number != turn) {
                ++at;
                continue;
            }
            if (!play_piece(&in, *at)) return moved;
            at = early_.erase(at);
            moved = true;
        }
        if (in.played < in.bytes) return moved;
        session_->posted(in.frame, in.result);
        ins_.pop_front();
        moved = true;
    }
    return moved;
}

Staging::Buffer* LaneCopies::buffer_for(const In& in, size_t lane) {
    CUresult result = in.result;
    if (result == CUDA_SUCCESS) result = session_->enter(in.frame);
    if (result == CUDA_SUCCESS) {
        Staging::Buffer* const buffer =
            session_->staging.try_acquire(&result, session_->host_functions.any_open());
        if (buffer != nullptr) return buffer;
    }
    if (result == CUDA_SUCCESS) return nullptr;  // all are in use
    Scrap& scrap = scraps_[lane];
    if (scrap.given) return nullptr;
    scrap.bytes.resize(Lanes::kMostPiece);
    scrap.buffer.data = scrap.bytes.data();
    scrap.given = true;
    return &scrap.buffer;
}

void LaneCopies::feed() {
    hungry_ = false;
    if (ins_.empty()) return take_back();
    const size_t share = std::max<size_t>(kMostIn / std::max<size_t>(lanes.open_count(), 1), 1);
    // Each lane has one before any has two: whichever it is that brings what comes next.
    for (size_t most = 1; most <= share; ++most) {
        for (size_t lane = 0; lane < lanes.invited(); ++lane) {
            if (held_[lane] >= most || !lanes.is_open(lane)) continue;
            Staging::Buffer* const buffer = buffer_for(ins_.front(), lane);
            if (buffer == nullptr) {
                hungry_ = hungry_ || held_[lane] == 0;
                continue;
            }
            ++held_[lane];
            lanes.give(lane, buffer);
        }
    }
}

void LaneCopies::take_back() {
    for (size_t lane = 0; lane < lanes.invited(); ++lane) {
        if (held_[lane] == 0) continue;
        for (Staging::Buffer* buffer : lanes.take_back(lane)) free_buffer({0, 0, 0, buffer, lane});
    }
}

// ---- out

struct LaneCopies::Out {
    Sent told;
    uint64_t sent = 0;
    CUresult status = CUDA_SUCCESS;
    size_t left = 1;  // pieces whose data are not there yet, and the one that stages them

    void finish_one() {
        if (--left == 0) told(sent, status);
    }
};

Staging::Buffer* LaneCopies::buffer_out(CUresult* result) {
    Session& s = *session_;
    *result = CUDA_SUCCESS;
    while (!s.ended()) {
        const bool more = s.host_functions.any_open();
        if (outs_ + lanes.open_count() < Staging::kMost || more) {
            Staging::Buffer* const buffer = s.staging.try_acquire(result, more);
            if (buffer != nullptr || *result != CUDA_SUCCESS) return buffer;
        }
        if (s.progress()) continue;
        // Nobody tells when the GPU has read a buffer.
        short_of_buffers_ = true;
        s.rest();
        short_of_buffers_ = false;
    }
    *result = CUDA_ERROR_UNKNOWN;
    return nullptr;
}

CUresult LaneCopies::begin_out(CUdeviceptr device, uint64_t bytes, CUstream stream, uint64_t ticket,
                               const Sent& told) {
    Session& s = *session_;
    const auto out = std::make_shared<Out>(Out{told});
    const size_t piece = piece_out(bytes, lanes.open_count());
    CUresult result = CUDA_SUCCESS;
    for (uint64_t at = 0; at < bytes && result == CUDA_SUCCESS; at += piece) {
        const size_t count = std::min<uint64_t>(piece, bytes - at);
        Staging::Buffer* const buffer = buffer_out(&result);
        if (buffer == nullptr) break;
        result = s.driver.cuMemcpyDtoHAsync_v2(buffer->data, device + at, count, stream);
        std::function<CUresult()> ready;
        if (result == CUDA_SUCCESS) ready = s.when_reached(stream, &result);
        if (result != CUDA_SUCCESS) {
            s.staging.release(buffer);
            break;
        }
        ++outs_;
        ++out->left;
        s.wait_copy(stream, {std::move(ready), [this, out, buffer, count, at, ticket](CUresult state) {
                                 // After a fault the bytes are whatever is there, as on hardware.
                                 if (out->status == CUDA_SUCCESS) out->status = state;
                                 out->sent += count;
                                 lanes.send({ticket, at, count, buffer, 0});
                                 out->finish_one();
                             }});
    }
    if (out->status == CUDA_SUCCESS) out->status = result;
    out->finish_one();
    return result;
}

// ---- both

bool LaneCopies::look() {
    if (!lanes.has_news()) return false;
    Lanes::News news = lanes.take_news();
    for (Staging::Buffer* buffer : news.sent) {
        session_->staging.release(buffer);
        --outs_;
    }
    early_.insert(early_.end(), news.arrived.begin(), news.arrived.end());
    if (failed_.empty()) failed_ = news.failed;
    if (news.wrong) session_->end(news.failed);
    return true;
}

bool LaneCopies::progress() {
    if (lanes.invited() == 0) return false;
    bool moved = look();
    // A client that ends closes its lanes too; what it has sent before on its own connection still counts.
    if (!failed_.empty() && (any_in() || outs_ != 0)) session_->end(failed_);
    if (ins_.empty() && !moved) return false;
    const Entered back(session_);
    moved = play() || moved;
    feed();
    return moved;
}

}  // namespace bitfusion::worker
