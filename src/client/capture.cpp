// Capture: a mirror of which streams and events belong to a stream capture, so that the hot question (is this
// stream capturing?) never leaves the client, and nothing waits for work that is only being recorded.
#include <array>
#include <atomic>
#include <memory>
#include <mutex>
#include <thread>
#include <unordered_map>
#include <vector>

#include "client/context.h"
#include "client/feedback.h"
#include "client/session.h"
#include "client/stream.h"
#include "client/thread_state.h"
#include "client_hand.gen.h"
#include "client_remote.gen.h"

namespace bitfusion::client {
namespace {

struct Captures {
    std::mutex lock;
    uint64_t last = 0;
    struct Begun {
        std::thread::id thread;
        bool relaxed;
        bool to_graph;  // one that the program made before
    };
    std::unordered_map<CUstream, Begun> begun;       // where captures began
    std::unordered_map<CUstream, uint64_t> streams;  // which capture
    std::unordered_map<CUevent, uint64_t> events;
};

Captures& captures() {
    static Captures* const made = std::make_unique<Captures>().release();  // outlives every exit handler
    return *made;
}

std::atomic<int> g_under_way{0};

// What cuStreamGetCaptureInfo hands out stays valid until the thread's next call on the stream.
struct Answer {
    std::vector<CUgraphNode> nodes;
    std::vector<CUgraphEdgeData> edges;
};
Answer& answer_of_thread() {
    // Freed with the thread; an exit handler that asks afterwards gets a new one, which stays.
    thread_local Answer* t_answer = nullptr;
    struct Owner {
        ~Owner() {
            const std::unique_ptr<Answer> gone(t_answer);
            t_answer = nullptr;
        }
    };
    if (t_answer == nullptr) {
        t_answer = std::make_unique<Answer>().release();
        thread_local const Owner owner;
        (void)owner;
    }
    return *t_answer;
}

struct Info {
    CUstreamCaptureStatus status = CU_STREAM_CAPTURE_STATUS_NONE;
    cuuint64_t id = 0;
    CUgraph graph = nullptr;
};

CUresult ask(CUstream stream, Info* info) {
    return call(msg::CaptureInfo{wire_name(stream)}, [&](const msg::CaptureInfo::Reply& reply) {
        info->status = static_cast<CUstreamCaptureStatus>(reply.status);
        info->id = reply.id;
        info->graph = from_wire_name<CUgraph>(reply.graph);
        answer_of_thread().nodes.resize(reply.nodes.size() / sizeof(uint64_t));
        if (!reply.nodes.empty())
            memcpy(answer_of_thread().nodes.data(), reply.nodes.data(),
                   answer_of_thread().nodes.size() * sizeof(uint64_t));
        answer_of_thread().edges.resize(reply.edges.size() / sizeof(CUgraphEdgeData));
        if (!reply.edges.empty())
            memcpy(answer_of_thread().edges.data(), reply.edges.data(),
                   answer_of_thread().edges.size() * sizeof(CUgraphEdgeData));
    });
}

void begin(CUstream stream, CUstreamCaptureMode mode, bool to_graph) {
    const std::lock_guard<std::mutex> lock(captures().lock);
    captures().streams[stream] = ++captures().last;
    captures().begun[stream] = {std::this_thread::get_id(), mode == CU_STREAM_CAPTURE_MODE_RELAXED, to_graph};
    ++g_under_way;
}

}  // namespace

uint16_t current_capture_mode() { return thread_state().capture_mode; }
bool any_capture() { return g_under_way.load(std::memory_order_relaxed) != 0; }

bool is_capturing(CUstream stream) {
    if (!any_capture()) return false;
    const std::lock_guard<std::mutex> lock(captures().lock);
    return captures().streams.count(stream) != 0;
}

void capture_event(CUevent event, CUstream stream) {
    const std::lock_guard<std::mutex> lock(captures().lock);
    const auto found = captures().streams.find(stream);
    if (found != captures().streams.end()) captures().events[event] = found->second;
}

void capture_wait(CUstream stream, CUevent event) {
    const std::lock_guard<std::mutex> lock(captures().lock);
    const auto found = captures().events.find(event);
    if (found != captures().events.end()) captures().streams.emplace(stream, found->second);
}

CUresult cuThreadExchangeStreamCaptureMode(CUstreamCaptureMode* mode) {
    if (mode == nullptr || *mode < CU_STREAM_CAPTURE_MODE_GLOBAL || *mode > CU_STREAM_CAPTURE_MODE_RELAXED)
        return CUDA_ERROR_INVALID_VALUE;
    const auto before = static_cast<CUstreamCaptureMode>(thread_state().capture_mode);
    thread_state().capture_mode = static_cast<uint16_t>(*mode);
    *mode = before;
    return CUDA_SUCCESS;
}

CUresult cuStreamBeginCapture_v2(CUstream hStream, CUstreamCaptureMode mode) {
    const CUstream stream = resolve_stream(hStream);
    const CUresult result = remote::cuStreamBeginCapture_v2(stream, mode);
    if (result == CUDA_SUCCESS) begin(stream, mode, false);
    return result;
}

CUresult cuStreamBeginCaptureToGraph(CUstream hStream, CUgraph hGraph, const CUgraphNode* dependencies,
                                     const CUgraphEdgeData* dependencyData, size_t numDependencies,
                                     CUstreamCaptureMode mode) {
    const CUstream stream = resolve_stream(hStream);
    const CUresult result = remote::cuStreamBeginCaptureToGraph(stream, hGraph, dependencies, dependencyData,
                                                                numDependencies, mode);
    if (result == CUDA_SUCCESS) begin(stream, mode, true);
    return result;
}

CUresult cuStreamBeginCapture(CUstream hStream) {
    return cuStreamBeginCapture_v2(hStream, CU_STREAM_CAPTURE_MODE_GLOBAL);
}

CUresult cuStreamEndCapture(CUstream hStream, CUgraph* phGraph) {
    const CUstream stream = resolve_stream(hStream);
    bool elsewhere = false;
    bool known = false;  // the graph: the caller gave it, and need not be told
    {
        // All threads of the program are one thread to the driver: which one began it is known here only.
        const std::lock_guard<std::mutex> lock(captures().lock);
        const auto begun = captures().begun.find(stream);
        if (begun != captures().begun.end() && !begun->second.relaxed &&
            begun->second.thread != std::this_thread::get_id())
            elsewhere = true;
        known = begun != captures().begun.end() && begun->second.to_graph;
    }
    CUgraph untold = nullptr;
    if (phGraph == nullptr && known) phGraph = &untold;
    CUresult result = remote::cuStreamEndCapture(stream, phGraph);
    if (elsewhere && result == CUDA_SUCCESS) {  // the capture is over all the same, and there is no graph
        const CUgraph graph = std::exchange(*phGraph, nullptr);
        if (!known) cuGraphDestroy(graph);
        result = CUDA_ERROR_STREAM_CAPTURE_WRONG_THREAD;
    }
    if (result == CUDA_ERROR_STREAM_CAPTURE_UNMATCHED) return result;
    const std::lock_guard<std::mutex> lock(captures().lock);
    const auto found = captures().streams.find(stream);
    if (found == captures().streams.end()) return result;
    const uint64_t ended = found->second;
    captures().begun.erase(stream);
    std::erase_if(captures().streams, [&](const auto& s) { return s.second == ended; });
    std::erase_if(captures().events, [&](const auto& e) { return e.second == ended; });
    --g_under_way;
    return result;
}

CUresult cuStreamIsCapturing(CUstream hStream, CUstreamCaptureStatus* captureStatus) {
    if (captureStatus == nullptr) return CUDA_ERROR_INVALID_VALUE;
    *captureStatus = CU_STREAM_CAPTURE_STATUS_NONE;
    const CUstream stream = resolve_stream(hStream);
    if (!any_capture()) return CUDA_SUCCESS;
    if (!is_capturing(stream)) {
        // The legacy stream may not even be asked while a capture could implicitly depend on it.
        return stream == nullptr || stream == CU_STREAM_LEGACY ? CUDA_ERROR_STREAM_CAPTURE_IMPLICIT
                                                               : CUDA_SUCCESS;
    }
    Info info;  // active or invalidated: only the driver knows
    const CUresult result = ask(stream, &info);
    if (result == CUDA_SUCCESS) *captureStatus = info.status;
    return result;
}

CUresult cuStreamGetCaptureInfo_v3(CUstream hStream, CUstreamCaptureStatus* captureStatus_out,
                                   cuuint64_t* id_out, CUgraph* graph_out,
                                   const CUgraphNode** dependencies_out, const CUgraphEdgeData** edgeData_out,
                                   size_t* numDependencies_out) {
    if (captureStatus_out == nullptr) return CUDA_ERROR_INVALID_VALUE;
    Info info;
    answer_of_thread().nodes.clear();
    answer_of_thread().edges.clear();
    const CUstream stream = resolve_stream(hStream);
    if (is_capturing(stream)) {
        const CUresult result = ask(stream, &info);
        if (result != CUDA_SUCCESS) return result;
    } else if (any_capture() && (stream == nullptr || stream == CU_STREAM_LEGACY)) {
        return CUDA_ERROR_STREAM_CAPTURE_IMPLICIT;
    }
    *captureStatus_out = info.status;
    if (info.status != CU_STREAM_CAPTURE_STATUS_ACTIVE) return CUDA_SUCCESS;
    if (id_out != nullptr) *id_out = info.id;
    if (graph_out != nullptr) *graph_out = info.graph;
    if (dependencies_out != nullptr)
        *dependencies_out = answer_of_thread().nodes.empty() ? nullptr : answer_of_thread().nodes.data();
    if (edgeData_out != nullptr)
        *edgeData_out = answer_of_thread().edges.empty() ? nullptr : answer_of_thread().edges.data();
    if (numDependencies_out != nullptr) *numDependencies_out = answer_of_thread().nodes.size();
    return CUDA_SUCCESS;
}

CUresult cuStreamGetCaptureInfo(CUstream hStream, CUstreamCaptureStatus* captureStatus_out,
                                cuuint64_t* id_out) {
    return cuStreamGetCaptureInfo_v3(hStream, captureStatus_out, id_out, nullptr, nullptr, nullptr, nullptr);
}

CUresult cuStreamGetCaptureInfo_v2(CUstream hStream, CUstreamCaptureStatus* captureStatus_out,
                                   cuuint64_t* id_out, CUgraph* graph_out,
                                   const CUgraphNode** dependencies_out, size_t* numDependencies_out) {
    return cuStreamGetCaptureInfo_v3(hStream, captureStatus_out, id_out, graph_out, dependencies_out, nullptr,
                                     numDependencies_out);
}

}  // namespace bitfusion::client
