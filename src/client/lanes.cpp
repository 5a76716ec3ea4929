#include "client/lanes.h"

#include <pthread.h>

#include <algorithm>
#include <chrono>
#include <cstring>

#include "base/log.h"
#include "client/feedback.h"
#include "client/session.h"
#include "client/signals_blocked.h"
#include "messages.gen.h"
#include "wire/frame.h"

namespace bitfusion::client {
namespace {

// A lane that is not there by then joins later; the copy goes with those that are, or the ordinary way.
constexpr std::chrono::seconds kPatience(2);
constexpr size_t kLeastPiece = 256u << 10;

struct DataHead {
    wire::ReplyHead head;
    uint64_t ticket;
    uint64_t offset;
};
static_assert(sizeof(DataHead) == 32);
constexpr size_t kDataFields = sizeof(DataHead) - sizeof(wire::ReplyHead);

Status read_exactly(link::Link* link, void* target, size_t bytes) {
    for (size_t at = 0; at < bytes;) {
        auto got = link->receive(static_cast<uint8_t*>(target) + at, bytes - at, link::Wait::kBlock);
        if (!got) return tl::unexpected<Error>(got.error());
        if (got->closed) return fail("the server closed a lane");
        at += got->bytes;
    }
    return {};
}

}  // namespace

Lanes::Lanes(Session* session, size_t most, OpenLane open)
    : session_(session), most_(open ? std::min(most, kMostLanes) : 0), open_(std::move(open)) {}

Lanes::~Lanes() { end(); }

// ---- opening

bool Lanes::carry(size_t bytes) {
    if (most_ == 0 || bytes < kFrom || session_->lost()) return false;
    if (!settled_.load(std::memory_order_acquire)) open();
    return ready_.load(std::memory_order_acquire) != 0;
}

void Lanes::open() {
    const std::lock_guard<std::mutex> opening(opening_);
    if (settled_.load(std::memory_order_relaxed)) return;
    std::array<wire::LaneKey, kMostLanes> keys{};
    size_t count = 0;
    bool answered = false;
    const CUresult result =
        call(msg::LanesOpen{static_cast<uint32_t>(most_)}, [&](const msg::LanesOpen::Reply& reply) {
            answered = true;
            count = std::min(reply.secrets.size() / sizeof(wire::LaneKey::Secret), most_);
            for (size_t i = 0; i < count; ++i) {
                keys[i].worker = reply.worker;
                memcpy(keys[i].secret.data(), reply.secrets.data() + i * keys[i].secret.size(),
                       keys[i].secret.size());
            }
        });
    // An earlier error of the program's, which this call has been told, is for the program.
    if (answered && result != CUDA_SUCCESS) session_->defer(result);
    {
        const SignalsBlocked quiet;
        std::unique_lock<std::mutex> lock(lock_);
        for (; started_ < count && !over_; ++started_) {
            Lane* const lane = &lanes_[started_];
            lane->in = std::thread([this, lane, key = keys[started_]] { run_in(lane, key); });
        }
        changed_.wait_for(lock, kPatience, [&] { return over_ || decided_ == started_; });
    }
    settled_.store(true, std::memory_order_release);
}

Status Lanes::make(Lane* lane, const wire::LaneKey& key) {
    auto made = open_(key);
    if (!made) return tl::unexpected<Error>(made.error());
    link::Link* const link = made->get();
    {
        const std::lock_guard<std::mutex> lock(lock_);
        if (over_) return fail("the session is over");
        lane->link = std::move(*made);
        lane->open.store(link, std::memory_order_release);
    }
    wire::ReplyHead head{};
    Status read = read_exactly(link, &head, sizeof head);
    if (read && (head.id != msg::kId_LaneReady || head.bytes != 0 || head.call != 0))
        return fail("the server greets a lane with something else");
    return read;
}

void Lanes::run_in(Lane* lane, const wire::LaneKey& key) {
    const Status made = make(lane, key);
    {
        const std::lock_guard<std::mutex> lock(lock_);
        ++decided_;
        if (made && !over_) {
            lane->out = std::thread([this, lane] { run_out(lane); });
            ready_.fetch_add(1, std::memory_order_release);
        }
        changed_.notify_all();
    }
    if (!made) {
        BF_LOG("client", kInfo, "a lane cannot be opened: %s", made.error().what.c_str());
        return;
    }
    for (;;) {
        const Status received = receive_piece(lane->link.get());
        if (!received) return session_->lose(received.error().what);
    }
}

// ---- receiving

Status Lanes::receive_piece(link::Link* link) {
    DataHead data{};
    Status read = read_exactly(link, &data, sizeof data);
    if (!read) return read;
    if (data.head.id != msg::kId_CopyOutData || data.head.call != 0 || data.head.bytes <= kDataFields ||
        data.head.bytes > wire::kMostBody)
        return fail("the server sent something else than data over a lane");
    const size_t bytes = data.head.bytes - kDataFields;
    void* const target = claim_ticket(data.ticket, data.offset, bytes);
    if (target == nullptr) return fail("the server sent data that nobody asked for");
    read = read_exactly(link, target, bytes);
    if (read) stats().received_by_lane(sizeof data + bytes);
    ticket_arrived(data.ticket, bytes, read.has_value());
    return read;
}

// ---- sending

Lanes::Sending Lanes::enqueue(uint64_t number, const void* data, size_t bytes) {
    auto sending = std::make_shared<Outgoing>();
    sending->number = number;
    sending->data = static_cast<const uint8_t*>(data);
    sending->bytes = bytes;
    // Each lane gets some, and the worker's GPU has begun long before the last has come.
    sending->piece =
        std::clamp(bytes / (2 * std::max<size_t>(ready_.load(), 1)) / 65536 * 65536, kLeastPiece, kMostPiece);
    const std::lock_guard<std::mutex> lock(lock_);
    if (over_) return sending;
    queue_.push_back(sending);
    unfinished_.push_back(sending);
    work_.notify_all();
    return sending;
}

void Lanes::run_out(Lane* lane) {
    std::unique_lock<std::mutex> lock(lock_);
    for (;;) {
        work_.wait(lock, [&] { return over_ || !queue_.empty(); });
        if (over_) return;
        const Sending from = queue_.front();
        const size_t offset = from->taken;
        const size_t bytes = std::min(from->piece, from->bytes - offset);
        from->taken += bytes;
        ++from->reading;
        if (from->taken == from->bytes) queue_.pop_front();
        lock.unlock();
        const Status sent = send_piece(lane->link.get(), *from, offset, bytes);
        if (!sent) session_->lose(sent.error().what);
        lock.lock();
        --from->reading;
        if (sent) from->sent += bytes;
        while (!unfinished_.empty() && unfinished_.front()->sent == unfinished_.front()->bytes)
            unfinished_.pop_front();
        changed_.notify_all();
    }
}

Status Lanes::send_piece(link::Link* link, const Outgoing& from, size_t offset, size_t bytes) {
    struct {
        wire::RequestHead head;
        uint64_t copy;
        uint64_t offset;
    } data{{static_cast<uint32_t>(kDataFields + bytes), msg::kId_LaneData, 0, 0, 0}, from.number, offset};
    static_assert(sizeof data == sizeof(DataHead));
    const std::array<iovec, 2> pieces = {iovec{&data, sizeof data},
                                         iovec{const_cast<uint8_t*>(from.data) + offset, bytes}};
    stats().sent_by_lane(sizeof data + bytes);
    return link->send(pieces);
}

void Lanes::await_sent(const Sending& sending) {
    std::unique_lock<std::mutex> lock(lock_);
    changed_.wait(lock, [&] { return sending->sent == sending->bytes || (over_ && sending->reading == 0); });
}

void Lanes::await_all_sent() {
    std::unique_lock<std::mutex> lock(lock_);
    if (unfinished_.empty()) return;
    const uint64_t last = unfinished_.back()->number;
    changed_.wait(lock, [&] {
        if (!over_) return unfinished_.empty() || unfinished_.front()->number > last;
        return std::all_of(unfinished_.begin(), unfinished_.end(),
                           [](const Sending& one) { return one->reading == 0; });
    });
}

// ---- the end

void Lanes::shut() {
    {
        const std::lock_guard<std::mutex> lock(lock_);
        over_ = true;
        queue_.clear();
    }
    for (Lane& lane : lanes_) {
        if (link::Link* const link = lane.open.load(std::memory_order_acquire); link != nullptr) link->shut();
    }
    work_.notify_all();
    changed_.notify_all();
    wake_ticket_waiters();
}

void Lanes::end() {
    shut();
    const std::lock_guard<std::mutex> opening(opening_);
    for (Lane& lane : lanes_) {
        if (lane.in.joinable()) lane.in.join();
        if (lane.out.joinable()) lane.out.join();
    }
}

void Lanes::leave_to_parent() {
    for (Lane& lane : lanes_) {
        if (link::Link* const link = lane.open.load(std::memory_order_acquire); link != nullptr)
            link->leave_to_parent();
    }
}

}  // namespace bitfusion::client
