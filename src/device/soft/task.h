// Task: one piece of work of the GPU's timeline, and what must be over before it may start.
//
// A launch, a copy, an event's mark and a host function are each a task. Tasks form a graph: a task starts
// when every task that it was submitted after is over, and its end lets its successors start. Streams are
// nothing but chains in that graph (stream.h), so an idle stream holds no thread. All fields except body,
// ready, kind of lane and context are guarded by Scheduler::mutex().
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

namespace bitfusion::soft {

class Context;

enum class Lane : uint8_t {
    kInline,  // a mark without work; the body runs under the scheduler's lock and must be tiny
    kPool,    // kernels, copies, sets: on a pool thread
    kHost,    // host functions of the program: one after the other on one thread of their own
    kPoll,    // waits for memory: `ready` is asked again and again, then the body runs as kInline
};

struct Task {
    enum class State : uint8_t { kWaiting, kReady, kRunning, kDone };

    Lane lane = Lane::kPool;
    int priority = 0;            // as CUDA's: lower runs first
    bool runs_on_fault = false;  // the body runs even though the context has a sticky error
    std::function<void()> body;
    std::function<bool()> ready;       // kPoll only; called under the scheduler's lock
    std::shared_ptr<Context> context;  // whose sticky error counts; may be null

    State state = State::kWaiting;
    uint32_t waits = 0;  // predecessors that are not over
    std::vector<std::shared_ptr<Task>> successors;

    bool done() const { return over.load(std::memory_order_acquire); }
    std::atomic<bool> over{false};
};

using TaskPtr = std::shared_ptr<Task>;

}  // namespace bitfusion::soft
