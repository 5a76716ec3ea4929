// Lanes: further connections of the session, over which the data of large copies travel.
//
// The session's own connection keeps the order: a message says which copy comes where, and the data follow
// over any lane, in pieces. Opened by the first copy that is large enough; whoever makes only small ones
// never pays. Every lane has a thread that sends and one that receives, so the two directions share no lock
// while bytes move. A lane that breaks ends the session; one that cannot be opened is done without.
#pragma once

#include <array>
#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>

#include "client/connect.h"
#include "cuda_types.gen.h"

namespace bitfusion::client {

class Session;

class Lanes {
  public:
    // Smaller copies go over the session's own connection.
    static constexpr size_t kFrom = 4u << 20;
    static constexpr size_t kMostPiece = 4u << 20;

    // Data of one copy on their way to the worker.
    struct Outgoing {
        uint64_t number = 0;
        const uint8_t* data = nullptr;
        size_t bytes = 0;
        size_t piece = 0;
        size_t taken = 0;    // by lanes
        size_t sent = 0;     // handed to the network
        size_t reading = 0;  // lanes that read the memory at present
    };
    using Sending = std::shared_ptr<Outgoing>;

    Lanes(Session* session, size_t most, OpenLane open);
    ~Lanes();
    Lanes(const Lanes&) = delete;
    Lanes& operator=(const Lanes&) = delete;

    // Whether a copy of so many bytes goes over lanes. The first that does waits for them to open.
    bool carry(size_t bytes);

    // Sends the data under a new number, which `post` tells the worker; in that order, whoever else sends.
    template <typename Post>
    CUresult send(const void* data, size_t bytes, Sending* sending, const Post& post) {
        const std::lock_guard<std::mutex> order(order_);
        const CUresult posted = post(++last_);
        if (posted == CUDA_SUCCESS) *sending = enqueue(last_, data, bytes);
        return posted;
    }
    // Until the memory is no longer read: everything was handed to the network, or the session is over.
    void await_sent(const Sending& sending);
    void await_all_sent();

    // Any thread: nothing is sent or received any more, and everybody that waits here comes back.
    void shut();
    // The same, and the threads are gone.
    void end();
    // In a child of fork: its copies of the connections are dropped.
    void leave_to_parent();

  private:
    struct Lane {
        std::unique_ptr<link::Link> link;
        std::atomic<link::Link*> open{nullptr};  // the same, for whoever shuts it
        std::thread in;                          // connects, then receives
        std::thread out;                         // started by `in`
    };

    void open();
    void run_in(Lane* lane, const wire::LaneKey& key);
    void run_out(Lane* lane);
    Status make(Lane* lane, const wire::LaneKey& key);
    Status receive_piece(link::Link* link);
    Status send_piece(link::Link* link, const Outgoing& from, size_t offset, size_t bytes);
    Sending enqueue(uint64_t number, const void* data, size_t bytes);

    Session* const session_;
    const size_t most_;
    const OpenLane open_;

    std::mutex opening_;
    std::atomic<bool> settled_{false};  // opened, as far as that is waited for
    std::atomic<size_t> ready_{0};

    std::mutex order_;
    uint64_t last_ = 0;

    std::mutex lock_;  // guards what follows
    std::condition_variable work_;
    std::condition_variable changed_;
    std::deque<Sending> queue_;       // with bytes that no lane has taken
    std::deque<Sending> unfinished_;  // with bytes that are not sent; in order
    size_t started_ = 0;
    size_t decided_ = 0;  // lanes that are ready, or never will be
    bool over_ = false;

    std::array<Lane, kMostLanes> lanes_;
};

// Linear copies over lanes; carry() has said so. `stable`: the memory stays as it is until the stream has
// passed, so this need not wait for it to be read.
CUresult copy_in_lanes(CUdeviceptr dst, const void* src, size_t bytes, CUstream stream, bool stable);
CUresult copy_out_lanes(void* dst, CUdeviceptr src, size_t bytes, CUstream stream);

}  // namespace bitfusion::client
