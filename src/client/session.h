// Session: this process's conversation with its worker.
//
// One per process, opened by the first cuInit (or cuDriverGetVersion) and never closed by us: the socket ends
// with the process, and the worker with the socket. Every message of every thread goes through one ring in
// program order. post() appends and returns; call() appends, flushes and waits. The thread that waits also
// sends and receives itself, so a round trip needs no hand-over; when nobody waits, a sender and a receiver
// thread do it.
//
// Locks, in the order in which they may nest: order of lanes (lanes.h) -> post -> send -> externals; send ->
// state (receiving) -> pendings. After fork the child has no session: every call answers
// CUDA_ERROR_NOT_INITIALIZED.
#pragma once

#include <unistd.h>

#include <array>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <type_traits>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "client/connect.h"
#include "client/copy_threads.h"
#include "client/lanes.h"
#include "client/ring.h"
#include "client/stats.h"
#include "cuda_types.gen.h"
#include "handle_kinds.gen.h"
#include "link/link.h"
#include "messages.gen.h"
#include "wire/codec.h"
#include "wire/frame.h"

namespace bitfusion::client {

// A borrowed callable for the time of one call; never stored.
class DecodeRef {
  public:
    template <typename F>
    requires(!std::is_same_v<std::remove_const_t<F>, DecodeRef>) explicit DecodeRef(F& f)
        : object_(const_cast<void*>(static_cast<const void*>(&f))),
          call_([](void* o, wire::Reader& r) { (*static_cast<F*>(o))(r); }) {}
    void operator()(wire::Reader& r) const { call_(object_, r); }

  private:
    void* object_;
    void (*call_)(void*, wire::Reader&);
};

// Whoever takes an answer that no thread waits for.
struct Answered {
    // On the thread that receives, or when the session is over on the one that found out. It must not wait
    // for another answer. What it belongs to may go.
    virtual void answer(CUresult result) = 0;

  protected:
    ~Answered() = default;
};

// One awaited answer. Lives on the stack of the thread that waits, or with whom it is told to.
struct Pending {
    explicit Pending(DecodeRef decode) : decode(decode) {}
    DecodeRef decode;
    void* bulk = nullptr;  // where a bulk answer goes; its size must be exactly bulk_bytes
    size_t bulk_bytes = 0;
    Answered* answered = nullptr;  // told instead of `result` and `done`
    CUresult result = CUDA_ERROR_UNKNOWN;
    std::atomic<bool> done{false};
};

class Session {
  public:
    // Takes the link over; `events` receives what the worker announces (feedback.h).
    explicit Session(Connection connection);
    ~Session();
    Session(const Session&) = delete;
    Session& operator=(const Session&) = delete;

    Status start();
    // Closes the link and ends the session's threads; calls of other threads come back with an error.
    void end();
    // In a child of fork, which uses the session no more: drops its copy of the connection.
    void leave_to_parent() {
        link_->leave_to_parent();
        lanes_.leave_to_parent();
    }

    template <typename Encode>
    CUresult post(uint16_t id, size_t bytes, const Encode& encode);

    // Like post, with `data` as the rest of the body. The data are copied when small; else they are sent from
    // where they lie, and with `wait` this returns only when they have been sent.
    template <typename Encode>
    CUresult post_bulk(uint16_t id, size_t bytes, const Encode& encode, const void* data, size_t data_bytes,
                       bool wait);

    template <typename Encode, typename Decode>
    CUresult call(uint16_t id, size_t bytes, const Encode& encode, Decode&& decode) {
        Pending pending{DecodeRef(decode)};
        begin_call(id, bytes, encode, &pending);
        return finish_call(&pending, id);
    }

    // Like call, with `data` as the rest of the body, sent from where they lie.
    template <typename Encode, typename Decode>
    CUresult call_bulk(uint16_t id, size_t bytes, const Encode& encode, const void* data, size_t data_bytes,
                       Decode&& decode) {
        Pending pending{DecodeRef(decode)};
        begin_call(id, bytes, encode, &pending, data, data_bytes);
        return finish_call(&pending, id);
    }

    // The two halves of call(), for several answers under way at once.
    template <typename Encode>
    void begin_call(uint16_t id, size_t bytes, const Encode& encode, Pending* pending,
                    const void* data = nullptr, size_t data_bytes = 0);
    CUresult finish_call(Pending* pending,
                         uint16_t counted_as);  // 0: part of a round trip that is counted already

    // The worker is on this machine: what is sent costs no network.
    bool shares_memory() const { return link_->shares_memory(); }
    // Ahead of the message that speaks of it; one thread at a time.
    Status give_file(int descriptor) { return link_->give_file(descriptor); }

    // Returns when everything posted so far has been handed to the link.
    void flush();
    // Further connections, for the data of large copies.
    Lanes& lanes() { return lanes_; }
    // For large copies within this process.
    CopyThreads& copy_threads() { return copy_threads_; }

    // Receives what is there without waiting; for queries that are answered from announcements.
    void poll();

    // Blocks until `ready()` holds or the session is over; receives meanwhile.
    template <typename Ready>
    bool wait_until(const Ready& ready);

    // The earliest error of a posted call that nobody has been told of; CUDA_SUCCESS when there is none. An
    // error that killed the context stays, any other is handed out once.
    CUresult take_deferred();
    CUresult sticky() const { return sticky_.load(std::memory_order_relaxed); }
    void defer(CUresult result);

    bool lost() const { return lost_.load(std::memory_order_acquire); }
    // Ends the session because the peer broke the protocol or went away. Whoever waits for an answer is let
    // go when nobody receives any more: until then bytes may still be written where the answer was to go.
    void lose(const std::string& why);

    uint64_t new_name(wire::Kind kind) {
        return wire::make_name(kind, false, counter_.fetch_add(1, std::memory_order_relaxed));
    }

  private:
    static constexpr size_t kSmallBulk = 64u << 10;
    // Fields of a message. No call of a program comes near it: only a count that is not meant does.
    static constexpr size_t kMostInRing = Ring::kBytes / 2;

    struct External {  // bytes that are sent from the program's memory, after ring position `at`
        uint64_t at;
        const void* data;
        size_t bytes;
    };

    uint8_t* open_message(uint16_t id, size_t ring_bytes, size_t body_bytes, uint32_t* call);
    void close_message(size_t ring_bytes);
    void push_external(size_t ring_bytes, const void* data, size_t bytes) {
        const std::lock_guard<std::mutex> lock(externals_lock_);
        externals_.push_back({ring_.head() + sizeof(wire::RequestHead) + ring_bytes, data, bytes});
        externals_waiting_.fetch_add(1, std::memory_order_release);
    }
    void drain_locked();
    void wake_sender();
    void run_sender();
    void run_receiver();
    // `woken`: a sleep on the link's descriptor has ended just before.
    void stop_reading(bool woken = false);
    void release_orphans();
    bool receive_some(link::Wait wait);
    bool consume();
    bool take_body(void* target, size_t fields, size_t bytes);
    void complete(Pending* pending, uint32_t call, CUresult result);
    void wait_for(Pending* pending);
    Pending* pending_of(uint32_t call);

    std::unique_ptr<link::Link> link_;
    Lanes lanes_;
    CopyThreads copy_threads_;
    Ring ring_;

    std::mutex post_;
    uint32_t last_call_ = 0;

    std::mutex send_;
    std::mutex externals_lock_;
    std::deque<External> externals_;
    std::atomic<int> externals_waiting_{0};
    std::atomic<uint32_t> sender_sleeps_{0};
    std::atomic<bool> stopping_{false};

    std::mutex pendings_lock_;
    std::unordered_map<uint32_t, Pending*> pendings_;

    std::mutex state_;
    std::condition_variable state_changed_;
    std::condition_variable rest_;  // of the receiver thread; nobody wakes it but the end
    bool reader_active_ = false;

    std::vector<uint8_t> inbox_;
    size_t inbox_begin_ = 0;
    size_t inbox_end_ = 0;
    std::array<uint8_t, 16> inbox_fields_{};

    std::mutex deferred_lock_;
    CUresult deferred_ = CUDA_SUCCESS;
    std::atomic<bool> has_deferred_{false};
    std::atomic<CUresult> sticky_{CUDA_SUCCESS};
    std::atomic<bool> lost_{false};
    std::atomic<uint32_t> counter_{1024};  // names below are for contexts (context.cpp)

    std::thread sender_;
    std::thread receiver_;
};

// Set by cuInit, and taken back by the end of a session and in a forked child (open.cpp).
inline constinit std::atomic<Session*> g_usable_session{nullptr};
// The process's session, or nullptr before cuInit and in a forked child.
inline Session* session() { return g_usable_session.load(std::memory_order_acquire); }
// Opens it when need be; the error text has been logged.
CUresult ensure_session();
// For tests: another link than BITFUSION_SESSION names. Before the first cuInit.
void use_link(std::unique_ptr<link::Link> link, size_t lanes = 0, OpenLane open_lane = {},
              size_t copy_threads = 2);

// What the head of each message says of the calling thread; context.cpp and capture.cpp keep them.
uint32_t current_context_name();
uint16_t current_capture_mode();

// Announcements of the worker (feedback.cpp); all run on the thread that receives.
void serve_event(const wire::ReplyHead& head, wire::Reader& reader);
// Where the data of a CopyOutData with these leading fields (ticket, offset) go; nullptr when nobody asked
// for them.
void* copy_out_target(const uint8_t* fields, size_t body_bytes);
void copy_out_done(const uint8_t* fields, size_t body_bytes, bool whole);

// Errors after which a context runs nothing any more.
bool kills_context(CUresult result);

template <typename Handle>
uint64_t wire_name(Handle handle) {
    if constexpr (std::is_pointer_v<Handle>)
        return reinterpret_cast<uint64_t>(handle);
    else
        return static_cast<uint64_t>(handle);
}
template <typename Handle>
Handle from_wire_name(uint64_t name) {
    if constexpr (std::is_pointer_v<Handle>)
        return reinterpret_cast<Handle>(name);
    else
        return static_cast<Handle>(name);
}
inline uint64_t name_handle(wire::Kind kind) {
    Session* s = session();
    return s == nullptr ? 0 : s->new_name(kind);
}

template <typename Encode>
CUresult Session::post(uint16_t id, size_t bytes, const Encode& encode) {
    if (const CUresult dead = sticky(); dead != CUDA_SUCCESS) return dead;
    if (bytes > kMostInRing) return CUDA_ERROR_INVALID_VALUE;
    uint32_t number = 0;
    uint8_t* body = open_message(id, bytes, bytes, &number);
    wire::Writer writer(body, bytes);
    encode(writer);
    close_message(bytes);
    if (Stats::enabled()) stats().posted(id);
    return CUDA_SUCCESS;
}

template <typename Encode>
CUresult Session::post_bulk(uint16_t id, size_t bytes, const Encode& encode, const void* data,
                            size_t data_bytes, bool wait) {
    if (const CUresult dead = sticky(); dead != CUDA_SUCCESS) return dead;
    uint32_t number = 0;
    const bool small = data_bytes <= kSmallBulk;
    const size_t in_ring = bytes + (small ? data_bytes : 0);
    uint8_t* body = open_message(id, in_ring, bytes + data_bytes, &number);
    wire::Writer writer(body, in_ring);
    encode(writer);
    if (small) {
        writer.raw(data, data_bytes);
    } else {
        push_external(in_ring, data, data_bytes);
    }
    close_message(in_ring);
    if (Stats::enabled()) stats().posted(id);
    if (!small && wait) flush();
    return CUDA_SUCCESS;
}

template <typename Encode>
void Session::begin_call(uint16_t id, size_t bytes, const Encode& encode, Pending* pending, const void* data,
                         size_t data_bytes) {
    if (bytes > kMostInRing) {
        pending->result = CUDA_ERROR_INVALID_VALUE;
        pending->done.store(true, std::memory_order_relaxed);
        return;
    }
    uint32_t number = 0;
    uint8_t* body = open_message(id, bytes, bytes + data_bytes, &number);
    wire::Writer writer(body, bytes);
    encode(writer);
    if (data_bytes != 0) push_external(bytes, data, data_bytes);
    {
        const std::lock_guard<std::mutex> lock(pendings_lock_);
        pendings_[number] = pending;
    }
    close_message(bytes);
}

template <typename Ready>
bool Session::wait_until(const Ready& ready) {
    auto nothing = [](wire::Reader&) {};
    Pending unused{DecodeRef(nothing)};
    flush();
    while (!ready()) {
        if (lost()) return false;
        std::unique_lock<std::mutex> lock(state_);
        if (reader_active_) {
            state_changed_.wait_for(lock, std::chrono::milliseconds(1));
            continue;
        }
        reader_active_ = true;
        lock.unlock();
        while (!ready() && receive_some(link::Wait::kBlock)) {
        }
        stop_reading();
    }
    return true;
}

template <typename Encode>
CUresult session_post(uint16_t id, size_t bytes, const Encode& encode) {
    Session* s = session();
    return s == nullptr ? CUDA_ERROR_NOT_INITIALIZED : s->post(id, bytes, encode);
}

template <typename Encode, typename Decode>
CUresult session_call(uint16_t id, size_t bytes, const Encode& encode, Decode&& decode) {
    Session* s = session();
    return s == nullptr ? CUDA_ERROR_NOT_INITIALIZED : s->call(id, bytes, encode, decode);
}

// A hand-written message without bulk.
template <typename Message>
CUresult post(const Message& m) {
    return session_post(Message::kId, m.size(), [&](wire::Writer& w) { m.encode(w); });
}

// `reply` is valid inside `then` only: its spans lie in the receive buffer.
template <typename Message, typename Then>
CUresult call(const Message& m, Then&& then) {
    return session_call(
        Message::kId, m.size(), [&](wire::Writer& w) { m.encode(w); },
        [&](wire::Reader& r) {
            typename Message::Reply reply;
            reply.decode(r);
            if (!r.faulty()) then(reply);
        });
}

}  // namespace bitfusion::client
