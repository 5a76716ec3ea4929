// Host functions: points of a stream at which the client runs code. The driver calls us there on a thread of
// its own, which hands the ticket to the dispatch thread and blocks the stream until the client has answered.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <unordered_map>

#include "cuda_types.gen.h"

namespace bitfusion::worker {

class HostFunctions {
  public:
    // What one point of a stream carries; lives until it has been passed.
    struct Point {
        HostFunctions* owner;
        uint64_t ticket;
        CUresult status = CUDA_SUCCESS;
        bool done = false;
    };

    // Any thread of the driver: announces the point and returns when it is done or the session is over.
    void pass(Point* point);

    // Dispatch thread.
    Point* make(uint64_t ticket);
    void drop(uint64_t ticket);
    // Points that streams have not passed yet. While there are any, the dispatch thread must not wait for the
    // GPU.
    bool any_open();
    bool any_due() const { return any_due_.load(std::memory_order_acquire); }
    // The points that have been come to since the last call.
    std::deque<std::pair<uint64_t, CUresult>> take_due();
    void done(uint64_t ticket);
    // The session is over: every stream goes on.
    void abandon();
    // A descriptor that polls readable when something is due.
    int wait_descriptor() const { return wake_; }

    HostFunctions();
    ~HostFunctions();
    HostFunctions(const HostFunctions&) = delete;
    HostFunctions& operator=(const HostFunctions&) = delete;

  private:
    std::mutex lock_;
    std::condition_variable changed_;
    std::unordered_map<uint64_t, std::unique_ptr<Point>> points_;
    std::deque<std::pair<uint64_t, CUresult>> due_;
    std::atomic<bool> any_due_{false};
    bool abandoned_ = false;
    int wake_ = -1;
};

}  // namespace bitfusion::worker
