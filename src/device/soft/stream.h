// Stream: a chain of tasks, and the rules by which chains of one context wait for each other.
//
// The legacy default stream waits for every blocking stream of its context and they for it; non-blocking
// streams stand alone (CUDA C++ Programming Guide, "Default Stream"). A stream keeps only its last task. Its
// tail is guarded by Scheduler::mutex().
#pragma once

#include <array>
#include <atomic>
#include <memory>
#include <vector>

#include "cuda_api.gen.h"
#include "device/soft/task.h"
#include "device/soft/work.h"

namespace bitfusion::soft {

class Capture;
class GraphNode;

inline constexpr int kLeastPriority = 0;
inline constexpr int kGreatestPriority = -5;

class Stream {
  public:
    enum class Kind : uint8_t { kLegacy, kPerThread, kCreated };

    Stream(Kind kind, CUstream handle, const std::shared_ptr<Context>& context, unsigned flags, int priority,
           uint64_t id);

    const Kind kind;
    const CUstream handle;
    const std::weak_ptr<Context> context;
    const unsigned flags;
    const int priority;
    const uint64_t id;
    bool blocking() const { return (flags & CU_STREAM_NON_BLOCKING) == 0; }

    TaskPtr tail;  // last task submitted; null or finished: the stream is idle

    // Attributes that are kept and returned (the software GPU has no L2 window or memory domains to set).
    CUaccessPolicyWindow access_policy{};
    CUsynchronizationPolicy synchronization_policy = CU_SYNC_POLICY_AUTO;
    std::array<unsigned char, 2> memory_domain_map{0, 1};
    CUlaunchMemSyncDomain memory_domain = CU_LAUNCH_MEM_SYNC_DOMAIN_DEFAULT;

    // Capture: `capturing` is the cheap question, the rest is guarded by graph_mutex().
    std::atomic<bool> capturing{false};
    std::shared_ptr<Capture> capture;
    std::vector<std::shared_ptr<GraphNode>> capture_nodes;  // what the next captured node depends on
};

using StreamPtr = std::shared_ptr<Stream>;

// The stream that a handle means for the calling thread: 0 and CU_STREAM_LEGACY, CU_STREAM_PER_THREAD of the
// current context, or one that was created. INVALID_HANDLE for anything else, CONTEXT_IS_DESTROYED when its
// context is gone.
CUresult find_stream(const std::shared_ptr<Context>& current, CUstream handle, StreamPtr* stream,
                     std::shared_ptr<Context>* owner);

// Puts a task at the end of the stream by the rules above. The caller holds Scheduler::mutex().
void append_locked(Context& context, Stream& stream, const TaskPtr& task, std::vector<TaskPtr> after = {});

// What has to be over for the stream to be idle now. The caller holds Scheduler::mutex().
std::vector<TaskPtr> tails_locked(Context& context, Stream& stream);

// Submits work to the stream, or adds it to the graph that the stream is capturing.
CUresult submit(const std::shared_ptr<Context>& context, const StreamPtr& stream, Work work);
// The same, and waits for it; an error on a capturing stream. Device printf text is flushed.
CUresult submit_and_wait(const std::shared_ptr<Context>& context, const StreamPtr& stream, Work work);

}  // namespace bitfusion::soft
