#include "client/session.h"

#include <poll.h>
#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <climits>

#include "base/futex.h"
#include "base/log.h"
#include "client/feedback.h"
#include "client/signals_blocked.h"
#include "client/thread_state.h"

namespace bitfusion::client {
namespace {

using Clock = std::chrono::steady_clock;
constexpr size_t kInboxBytes = 1u << 20;
constexpr size_t kBatchBytes = 8u << 10;
constexpr std::chrono::microseconds kBatchTime(8);

// How long an idle sender or a waiting receiver burns a core before it sleeps. On small machines the peer
// needs the core more than we do.
std::chrono::microseconds spin_time() {
    static const std::chrono::microseconds time(std::thread::hardware_concurrency() > 2 ? 60 : 5);
    return time;
}

template <typename Condition>
bool spin_until(const Condition& holds) {
    const auto end = Clock::now() + spin_time();
    do {
        for (int i = 0; i < 32; ++i) {
            if (holds()) return true;
            __builtin_ia32_pause();
        }
    } while (Clock::now() < end);
    return holds();
}

}  // namespace

bool kills_context(CUresult result) {
    switch (result) {
        case CUDA_ERROR_ILLEGAL_ADDRESS:
        case CUDA_ERROR_LAUNCH_TIMEOUT:
        case CUDA_ERROR_ASSERT:
        case CUDA_ERROR_HARDWARE_STACK_ERROR:
        case CUDA_ERROR_ILLEGAL_INSTRUCTION:
        case CUDA_ERROR_MISALIGNED_ADDRESS:
        case CUDA_ERROR_INVALID_ADDRESS_SPACE:
        case CUDA_ERROR_INVALID_PC:
        case CUDA_ERROR_LAUNCH_FAILED:
        case CUDA_ERROR_ECC_UNCORRECTABLE:
        case CUDA_ERROR_NVLINK_UNCORRECTABLE:
        case CUDA_ERROR_CONTAINED:
        case CUDA_ERROR_TENSOR_MEMORY_LEAK:
            return true;
        default:
            return false;
    }
}

Session::Session(Connection connection)
    : link_(std::move(connection.link)),
      lanes_(this, connection.lanes, std::move(connection.open_lane)),
      copy_threads_(connection.copy_threads),
      inbox_(kInboxBytes) {}

Session::~Session() { end(); }

void Session::end() {
    stopping_.store(true);
    link_->shut();
    wake_sender();
    lose("");
    lanes_.end();
    copy_threads_.end();
    rest_.notify_all();
    if (sender_.joinable()) sender_.join();
    if (receiver_.joinable()) receiver_.join();
}

Status Session::start() {
    Status opened = ring_.open();
    if (!opened) return opened;
    forget_tickets();
    const SignalsBlocked quiet;
    sender_ = std::thread([this] { run_sender(); });
    receiver_ = std::thread([this] { run_receiver(); });
    return {};
}

// ---- sending
// -------------------------------------------------------------------------------------------------

uint8_t* Session::open_message(uint16_t id, size_t ring_bytes, size_t body_bytes, uint32_t* call) {
    post_.lock();
    const size_t needed = sizeof(wire::RequestHead) + ring_bytes;
    uint8_t* place = ring_.room(needed);
    while (place == nullptr) {  // the ring is full: whoever posts sends
        const std::lock_guard<std::mutex> lock(send_);
        drain_locked();
        place = ring_.room(needed);
    }
    if (++last_call_ == 0) ++last_call_;  // 0 means an event
    *call = last_call_;
    const ThreadState& caller = thread_state();
    const wire::RequestHead head{static_cast<uint32_t>(body_bytes), id, caller.capture_mode,
                                 caller.context_name(), *call};
    memcpy(place, &head, sizeof head);
    return place + sizeof head;
}

void Session::close_message(size_t ring_bytes) {
    ring_.publish(sizeof(wire::RequestHead) + ring_bytes);
    post_.unlock();
    if (sender_sleeps_.load(std::memory_order_seq_cst) != 0) wake_sender();
}

void Session::wake_sender() {
    if (sender_sleeps_.exchange(0) != 0) base::futex_wake(&sender_sleeps_);
}

// Sends everything that stood in the ring when it was called. The caller holds send_.
void Session::drain_locked() {
    const uint64_t target = ring_.head();
    uint64_t at = ring_.tail();
    while (at < target) {
        External external{target, nullptr, 0};
        if (externals_waiting_.load(std::memory_order_acquire) != 0) {
            const std::lock_guard<std::mutex> lock(externals_lock_);
            if (!externals_.empty() && externals_.front().at <= target) {
                external = externals_.front();
                externals_.pop_front();
                externals_waiting_.fetch_sub(1, std::memory_order_relaxed);
            }
        }
        std::array<iovec, 2> pieces{};
        pieces[0] = {const_cast<uint8_t*>(ring_.at(at)), external.at - at};
        pieces[1] = {const_cast<void*>(external.data), external.bytes};
        if (!lost()) {
            Status sent = link_->send({pieces.data(), external.bytes != 0 ? 2u : 1u});
            if (!sent) lose(sent.error().what);
            stats().sent(pieces[0].iov_len + external.bytes);
        }
        at = external.at;
        ring_.release(at);
    }
}

void Session::flush() {
    const std::lock_guard<std::mutex> lock(send_);
    drain_locked();
}

void Session::run_sender() {
    while (!stopping_.load()) {
        const auto something = [this] { return ring_.head() != ring_.tail() || stopping_.load(); };
        if (!spin_until(something)) {
            sender_sleeps_.store(1, std::memory_order_seq_cst);
            if (!something()) base::futex_wait(&sender_sleeps_, 1);
            sender_sleeps_.store(0, std::memory_order_seq_cst);
        }
        // A program that posts without waiting posts again soon: give it a moment, so that one system call
        // takes several messages. Whoever waits sends by himself and is not held up by this.
        const auto enough = [this] { return ring_.head() - ring_.tail() >= kBatchBytes || stopping_.load(); };
        const auto end = Clock::now() + kBatchTime;
        while (!enough() && Clock::now() < end) __builtin_ia32_pause();
        flush();
    }
}

// ---- receiving
// -----------------------------------------------------------------------------------------------

CUresult Session::finish_call(Pending* pending, uint16_t counted_as) {
    if (counted_as != 0) stats().waited(counted_as);
    flush();
    wait_for(pending);
    CUresult result = pending->result;
    if (result == CUDA_SUCCESS && has_deferred_.load(std::memory_order_acquire)) result = take_deferred();
    if (kills_context(result)) defer(result);
    return result;
}

void Session::wait_for(Pending* pending) {
    while (!pending->done.load(std::memory_order_acquire)) {
        std::unique_lock<std::mutex> lock(state_);
        if (pending->done.load(std::memory_order_acquire)) return;
        if (reader_active_) {
            state_changed_.wait(lock);
            continue;
        }
        reader_active_ = true;
        lock.unlock();
        while (!pending->done.load(std::memory_order_relaxed) && receive_some(link::Wait::kBlock)) {
        }
        stop_reading();
    }
}

// The thread that received does so no longer; another may, or all that wait are let go.
void Session::stop_reading(bool woken) {
    // From here on the receiver thread may sleep, so what comes has to wake it.
    while (!link_->prepare_wait(woken) && receive_some(link::Wait::kNo)) {
    }
    const std::lock_guard<std::mutex> lock(state_);
    reader_active_ = false;
    if (lost()) release_orphans();
    state_changed_.notify_all();
}

void Session::poll() {
    std::unique_lock<std::mutex> lock(state_, std::try_to_lock);
    if (!lock.owns_lock() || reader_active_ || lost()) return;
    reader_active_ = true;
    lock.unlock();
    while (receive_some(link::Wait::kNo)) {
    }
    stop_reading();
}

// Serves announcements while no thread of the program waits for an answer.
void Session::run_receiver() {
    while (!stopping_.load() && !lost()) {
        std::unique_lock<std::mutex> lock(state_);
        if (reader_active_) {
            // A waiting thread reads what woke us; do not be woken again for each of its answers.
            rest_.wait_for(lock, std::chrono::milliseconds(1));
            lock.unlock();
        } else {
            reader_active_ = true;
            lock.unlock();
            while (receive_some(link::Wait::kNo)) {
            }
            stop_reading(true);
        }
        pollfd ready{link_->wait_descriptor(), POLLIN, 0};
        if (::poll(&ready, 1, -1) < 0 && errno != EINTR) return;
    }
}

// One receive and everything that it completes. False: nothing came (kNo), or the session is over.
bool Session::receive_some(link::Wait wait) {
    if (lost()) return false;
    if (inbox_begin_ == inbox_end_) inbox_begin_ = inbox_end_ = 0;
    if (inbox_end_ == inbox_.size()) {
        memmove(inbox_.data(), inbox_.data() + inbox_begin_, inbox_end_ - inbox_begin_);
        inbox_end_ -= inbox_begin_;
        inbox_begin_ = 0;
    }
    link::Received received;
    const auto try_receive = [&](link::Wait how) -> bool {
        auto got = link_->receive(inbox_.data() + inbox_end_, inbox_.size() - inbox_end_, how);
        if (!got) {
            lose(got.error().what);
            return true;
        }
        received = *got;
        return received.bytes != 0 || received.closed;
    };
    if (wait == link::Wait::kNo) {
        if (!try_receive(link::Wait::kNo)) return false;
    } else if (!spin_until([&] { return try_receive(link::Wait::kNo); })) {
        try_receive(link::Wait::kBlock);
    }
    if (received.closed) lose("the server closed the connection");
    if (lost()) return false;
    inbox_end_ += received.bytes;
    stats().received(received.bytes);
    return consume();
}

// Serves every complete message of the inbox.
bool Session::consume() {
    for (;;) {
        const size_t have = inbox_end_ - inbox_begin_;
        if (have < sizeof(wire::ReplyHead)) return true;
        wire::ReplyHead head{};
        memcpy(&head, inbox_.data() + inbox_begin_, sizeof head);
        if (head.bytes > wire::kMostBody) {
            lose("the server sent a message that is too long");
            return false;
        }
        Pending* pending = head.call == 0 ? nullptr : pending_of(head.call);
        if (head.call != 0 && pending == nullptr) {
            lose("the server answered a call that was not made");
            return false;
        }
        const bool bulk = pending != nullptr && pending->bulk != nullptr && head.result == CUDA_SUCCESS;
        void* target = nullptr;
        if (head.id == msg::kId_CopyOutData && have >= sizeof head + 16) {
            target = copy_out_target(inbox_.data() + inbox_begin_ + sizeof head, head.bytes);
            if (target == nullptr) {
                lose("the server sent data that nobody asked for");
                return false;
            }
        }
        if (bulk || target != nullptr) {
            const size_t fields = bulk ? 0 : 16;
            if (bulk && head.bytes != pending->bulk_bytes) {
                lose("the server answered with another size than asked for");
                return false;
            }
            const bool whole = take_body(bulk ? pending->bulk : target, fields, head.bytes - fields);
            if (!bulk) copy_out_done(inbox_fields_.data(), head.bytes, whole);
            if (!whole) return false;
            if (bulk) complete(pending, head.call, CUDA_SUCCESS);
            continue;
        }
        if (have < sizeof head + head.bytes) {
            if (sizeof head + head.bytes > inbox_.size()) inbox_.resize(sizeof head + head.bytes);
            if (inbox_begin_ != 0) {
                memmove(inbox_.data(), inbox_.data() + inbox_begin_, have);
                inbox_begin_ = 0;
                inbox_end_ = have;
            }
            return true;
        }
        wire::Reader reader(inbox_.data() + inbox_begin_ + sizeof head, head.bytes);
        if (pending == nullptr) {
            serve_event(head, reader);
        } else {
            if (head.result == CUDA_SUCCESS) pending->decode(reader);
            if (reader.faulty()) {
                lose("the server sent a message that is cut short");
                return false;
            }
            complete(pending, head.call, static_cast<CUresult>(head.result));
        }
        inbox_begin_ += sizeof head + head.bytes;
    }
}

// The rest of the message at the front of the inbox goes straight to `target`: what has come is copied, what
// is still under way is received there.
bool Session::take_body(void* target, size_t fields, size_t bytes) {
    const uint8_t* front = inbox_.data() + inbox_begin_ + sizeof(wire::ReplyHead);
    memcpy(inbox_fields_.data(), front, fields);
    const size_t here = std::min(bytes, inbox_end_ - inbox_begin_ - sizeof(wire::ReplyHead) - fields);
    memcpy(target, front + fields, here);
    inbox_begin_ += sizeof(wire::ReplyHead) + fields + here;
    for (size_t at = here; at < bytes;) {
        auto got = link_->receive(static_cast<uint8_t*>(target) + at, bytes - at, link::Wait::kBlock);
        if (!got || got->closed) {
            lose(got ? "the server closed the connection" : got.error().what);
            return false;
        }
        at += got->bytes;
        stats().received(got->bytes);
    }
    return true;
}

Pending* Session::pending_of(uint32_t call) {
    const std::lock_guard<std::mutex> lock(pendings_lock_);
    const auto found = pendings_.find(call);
    return found == pendings_.end() ? nullptr : found->second;
}

void Session::complete(Pending* pending, uint32_t call, CUresult result) {
    {
        const std::lock_guard<std::mutex> lock(pendings_lock_);
        pendings_.erase(call);
    }
    if (pending->answered != nullptr) {
        pending->answered->answer(result);
    } else {
        pending->result = result;
        pending->done.store(true, std::memory_order_release);
    }
    // Its owner may be gone from here on.
    // The answer may be another thread's, which sleeps while this one receives; with the lock taken between,
    // it has either seen the answer or is asleep by now.
    { const std::lock_guard<std::mutex> lock(state_); }
    state_changed_.notify_all();
}

void Session::lose(const std::string& why) {
    if (!lost_.exchange(true) && !why.empty() && !stopping_.load()) {
        BF_LOG("client", kError,
               "the session with the server is over: %s; start the program again with 'bitfusion run'",
               why.c_str());
    }
    sticky_.store(CUDA_ERROR_DEVICE_UNAVAILABLE);
    link_->shut();
    lanes_.shut();
    const std::lock_guard<std::mutex> lock(state_);
    if (!reader_active_) release_orphans();
    state_changed_.notify_all();
}

// The calls whose answers will not come end. The caller holds state_, and no thread receives.
void Session::release_orphans() {
    std::unordered_map<uint32_t, Pending*> orphans;
    {
        const std::lock_guard<std::mutex> lock(pendings_lock_);
        orphans.swap(pendings_);
    }
    for (auto& [call, pending] : orphans) {
        if (pending->answered != nullptr) {
            pending->answered->answer(CUDA_ERROR_DEVICE_UNAVAILABLE);
            continue;
        }
        pending->result = CUDA_ERROR_DEVICE_UNAVAILABLE;
        pending->done.store(true, std::memory_order_release);
    }
}

// ---- deferred errors
// -----------------------------------------------------------------------------------------

void Session::defer(CUresult result) {
    const std::lock_guard<std::mutex> lock(deferred_lock_);
    if (kills_context(result)) {
        sticky_.store(result);
        return;
    }
    if (deferred_ == CUDA_SUCCESS) deferred_ = result;
    has_deferred_.store(true, std::memory_order_release);
}

CUresult Session::take_deferred() {
    if (const CUresult dead = sticky(); dead != CUDA_SUCCESS) return dead;
    const std::lock_guard<std::mutex> lock(deferred_lock_);
    const CUresult result = deferred_;
    deferred_ = CUDA_SUCCESS;
    has_deferred_.store(false, std::memory_order_relaxed);
    return result;
}

}  // namespace bitfusion::client
