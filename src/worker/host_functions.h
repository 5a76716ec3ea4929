// Host functions: points of a stream or of a graph at which the client runs code. The driver calls us there
// on a thread of its own, which hands the point over to the dispatch thread and waits until the client has
// answered. A point of a graph is passed at each launch, perhaps by several at once: each time has a number.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <unordered_set>

#include "cuda_types.gen.h"

namespace bitfusion::worker {

class HostFunctions {
  public:
    // What the driver is given for one point.
    struct Point {
        HostFunctions* owner;
        uint64_t ticket;
        bool lasting = false;  // of a graph; the others live until they have been passed
    };
    struct Due {
        uint64_t ticket;
        uint64_t pass;
        CUresult status;
    };

    // Any thread of the driver: announces the point and returns when it is done or the session is over.
    void pass(Point* point, CUresult status);

    // Dispatch thread.
    Point* make(uint64_t ticket);
    void drop(uint64_t ticket);
    // Of a graph; lasts until it is dropped.
    Point* make_lasting(uint64_t ticket);
    void drop(Point* lasting);
    // Points that streams have not passed yet. While there are any, the dispatch thread must not wait for the
    // GPU.
    bool any_open() const {
        return open_.load(std::memory_order_acquire) != 0 || graphs_.load(std::memory_order_relaxed) != 0;
    }
    // Graphs with such points begin and end to run.
    void graph_begins() { graphs_.fetch_add(1, std::memory_order_relaxed); }
    void graph_ends() { graphs_.fetch_sub(1, std::memory_order_relaxed); }
    bool any_due() const { return any_due_.load(std::memory_order_acquire); }
    // The points that have been come to since the last call.
    std::deque<Due> take_due();
    void done(uint64_t pass);
    // The session is over: every stream goes on.
    void abandon();
    // A descriptor that polls readable when something is due.
    int wait_descriptor() const { return wake_; }

    // The driver may come to a point long after the session is over. Then these stay where they are,
    // abandoned, until the process ends; and it is to end soon.
    struct Leave {
        void operator()(HostFunctions* left) const;
    };
    using Held = std::unique_ptr<HostFunctions, Leave>;
    static Held make_held();

    HostFunctions();
    ~HostFunctions();
    HostFunctions(const HostFunctions&) = delete;
    HostFunctions& operator=(const HostFunctions&) = delete;

  private:
    std::mutex lock_;
    std::condition_variable changed_;
    void forget(uint64_t ticket);
    std::unordered_map<uint64_t, std::unique_ptr<Point>> points_;
    std::unordered_map<const Point*, std::unique_ptr<Point>> lasting_;
    std::atomic<size_t> open_{0};           // their number
    std::unordered_set<uint64_t> waiting_;  // passes
    uint64_t last_pass_ = 0;
    std::deque<Due> due_;
    std::atomic<bool> any_due_{false};
    std::atomic<int> graphs_{0};
    bool abandoned_ = false;
    int wake_ = -1;
};

// For the driver: userData is the Point.
void pass_host_point(void* point);
void pass_callback_point(CUstream stream, CUresult status, void* point);

}  // namespace bitfusion::worker
