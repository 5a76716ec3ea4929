// Capture: a stream that records a graph instead of working.
//
// A capture begins on one stream and spreads to others through events (cuEventRecord on a captured stream,
// cuStreamWaitEvent elsewhere); it ends on the stream where it began, when all others have joined again.
// Guarded by Driver::graph_mutex. Source document: CUDA C++ Programming Guide, "Creating a Graph Using Stream
// Capture".
#pragma once

#include <memory>
#include <vector>

#include "device/soft/graph.h"

namespace bitfusion::soft {

class Capture {
  public:
    uint64_t id = 0;
    CUstreamCaptureMode mode = CU_STREAM_CAPTURE_MODE_GLOBAL;
    uint64_t thread = 0;  // thread_number() of the one that began it
    StreamPtr origin;
    GraphPtr graph;
    bool to_graph = false;  // cuStreamBeginCaptureToGraph: the graph was there before
    bool invalid = false;
    std::vector<StreamPtr> streams;  // all that take part, the origin first
    std::vector<CUgraphNode> told;   // what the last cuStreamGetCaptureInfo pointed at
    std::vector<CUgraphEdgeData> told_data;
};

using CapturePtr = std::shared_ptr<Capture>;

// For calls that are unsafe while a capture goes on (allocation, synchronisation): CUDA_SUCCESS when none
// forbids it, else STREAM_CAPTURE_UNSUPPORTED, and the captures concerned become invalid.
CUresult forbid_in_capture(const ContextPtr& context);

// For work on the legacy default stream: STREAM_CAPTURE_IMPLICIT while a blocking stream of the context
// captures.
CUresult forbid_implicit(const ContextPtr& context, const Stream& stream);

// For calls that a capturing stream does not allow: STREAM_CAPTURE_UNSUPPORTED, and the capture becomes
// invalid.
CUresult forbid_on_capturing(Stream& stream);

// Adds the work as a node after what the stream has captured so far.
CUresult capture_work(const ContextPtr& context, Stream& stream, Work work);

// cuEventRecord and cuStreamWaitEvent where a capture is involved. `handled` says whether it was.
CUresult capture_record(Stream& stream, Event& event, bool external, bool* handled);
CUresult capture_wait(const ContextPtr& context, const StreamPtr& stream, Event& event, bool external,
                      bool* handled);

// The streams end: their captures are over, and what they have captured is gone. Not under graph_mutex.
void end_captures_of(const std::vector<StreamPtr>& streams);

// CAPTURED_EVENT when the event was last recorded in a capture that goes on.
CUresult forbid_captured(Event& event);

}  // namespace bitfusion::soft
