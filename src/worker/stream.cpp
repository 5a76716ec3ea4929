#include "worker/session.h"
#include "worker_hand.gen.h"

namespace bitfusion::worker {
namespace {

// Asks a stream in its own context: a stream handle of another context is legal in most calls, but the legacy
// stream means the current one's.
std::function<CUresult()> stream_ready(Session& s, uint64_t name, CUstream stream, bool flush_printed) {
    CUcontext context = nullptr;
    s.driver.cuCtxGetCurrent(&context);
    return [&s, name, stream, context, flush_printed] {
        CUresult known =
            CUDA_SUCCESS;  // destroyed meanwhile by another thread: then there is nothing to wait for
        if (s.handles.find<CUstream>(name, &known) != stream) return CUDA_SUCCESS;
        CUresult state = s.driver.cuCtxPushCurrent_v2(context);
        if (state != CUDA_SUCCESS) return state;
        state = s.driver.cuStreamQuery(stream);
        if (state == CUDA_SUCCESS && flush_printed) state = s.driver.cuStreamSynchronize(stream);
        CUcontext popped = nullptr;
        s.driver.cuCtxPopCurrent_v2(&popped);
        return state;
    };
}

}  // namespace

void serve(Session& s, const Frame& frame, const msg::StreamSynchronize& m) {
    CUresult result = CUDA_SUCCESS;
    const CUstream stream = s.handles.find<CUstream>(m.stream, &result);
    if (result == CUDA_SUCCESS) result = s.enter(frame);
    if (result != CUDA_SUCCESS) return s.reply_status(frame, result);
    s.wait({stream_ready(s, m.stream, stream, true), [&s, frame](CUresult state) {
                s.announce_printed();
                s.reply_status(frame, state);
            }});
}

void serve(Session& s, const Frame& frame, const msg::StreamWatch& m) {
    CUresult result = CUDA_SUCCESS;
    const CUstream stream = s.handles.find<CUstream>(m.stream, &result);
    if (result == CUDA_SUCCESS) result = s.enter(frame);
    if (result != CUDA_SUCCESS) return s.posted(frame, result);
    const uint64_t mark = m.mark;
    s.wait({stream_ready(s, m.stream, stream, false), [&s, mark](CUresult state) {
                s.announce(msg::StreamReached{mark, static_cast<int32_t>(state)});
            }});
}

void serve(Session& s, const Frame& frame, const msg::CaptureInfo& m) {
    CUresult result = CUDA_SUCCESS;
    const CUstream stream = s.handles.find<CUstream>(m.stream, &result);
    if (result == CUDA_SUCCESS) result = s.enter(frame);
    CUstreamCaptureStatus status = CU_STREAM_CAPTURE_STATUS_NONE;
    cuuint64_t id = 0;
    CUgraph graph = nullptr;
    const CUgraphNode* nodes = nullptr;
    const CUgraphEdgeData* edges = nullptr;
    size_t count = 0;
    if (result == CUDA_SUCCESS) {
        if (s.driver.cuStreamGetCaptureInfo_v3 != nullptr) {
            result = s.driver.cuStreamGetCaptureInfo_v3(stream, &status, &id, &graph, &nodes, &edges, &count);
        } else if (s.driver.cuStreamIsCapturing != nullptr) {
            result = s.driver.cuStreamIsCapturing(stream, &status);
        } else {
            result = CUDA_ERROR_NOT_SUPPORTED;
        }
    }
    msg::CaptureInfo::Reply reply;
    std::vector<uint64_t> names;
    reply.status = static_cast<uint32_t>(status);
    if (result == CUDA_SUCCESS && status == CU_STREAM_CAPTURE_STATUS_ACTIVE) {
        reply.id = id;
        reply.graph = s.handles.name_of(graph, s.context_name());
        for (size_t i = 0; i < count; ++i) names.push_back(s.handles.name_of(nodes[i], reply.graph));
        reply.nodes = {reinterpret_cast<const uint8_t*>(names.data()), names.size() * sizeof(uint64_t)};
        if (edges != nullptr) reply.edges = {reinterpret_cast<const uint8_t*>(edges), count * sizeof *edges};
    }
    s.reply_with(frame, result, reply);
}

}  // namespace bitfusion::worker
