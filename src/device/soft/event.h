// Event: a mark that a stream passes.
//
// Each cuEventRecord makes a new Record; the event names the last one. Waiting and querying use the record
// that was current when they were called, as CUDA demands. `record` is guarded by Scheduler::mutex().
#pragma once

#include <chrono>
#include <memory>

#include "cuda_api.gen.h"
#include "device/soft/task.h"

namespace bitfusion::soft {

class Capture;
class GraphNode;
class SharedRecords;

struct Record {
    TaskPtr mark;
    // Written once by the mark, read only after it is over.
    std::chrono::steady_clock::time_point passed;
};

class Event {
  public:
    Event(CUevent handle, std::shared_ptr<Context> context, unsigned flags);

    const CUevent handle;
    const std::weak_ptr<Context> context;
    const unsigned flags;
    bool timed() const { return (flags & CU_EVENT_DISABLE_TIMING) == 0; }
    // Of an interprocess event: what all its processes see instead of `record`.
    std::shared_ptr<SharedRecords> shared;

    std::shared_ptr<Record> record;

    // Set while the event's last record was captured instead of executed; guarded by graph_mutex().
    std::weak_ptr<Capture> capture;
    std::vector<std::shared_ptr<GraphNode>> capture_nodes;
};

using EventPtr = std::shared_ptr<Event>;

// A task that sets the record when it is passed; the record becomes the event's at once. The caller holds
// Scheduler::mutex() and submits the task.
TaskPtr make_record(Event& event, const std::shared_ptr<Context>& context);

// What is over when the event's last record has passed; null when it has already, or was never recorded. The
// caller holds Scheduler::mutex().
TaskPtr last_mark_locked(const Event& event);

}  // namespace bitfusion::soft
