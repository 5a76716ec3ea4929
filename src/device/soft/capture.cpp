#include "device/soft/capture.h"

#include <algorithm>

#include "device/soft/driver.h"
#include "device/soft/entry.h"
#include "device/soft/serve.h"
#include "driver_table.gen.h"

namespace bitfusion::soft {
namespace {

CUstreamCaptureMode& thread_mode() {
    thread_local CUstreamCaptureMode mode = CU_STREAM_CAPTURE_MODE_GLOBAL;
    return mode;
}

bool captures_go_on() { return driver().capture_count.load(std::memory_order_acquire) != 0; }

// Guarded by graph_mutex, as everything below that takes a Capture.
void join(const CapturePtr& capture, const StreamPtr& stream, const ContextPtr& context,
          std::vector<GraphNodePtr> after) {
    stream->capture = capture;
    stream->capture_nodes = std::move(after);
    stream->capturing.store(true, std::memory_order_release);
    capture->streams.push_back(stream);
    if (stream->blocking() && stream->kind != Stream::Kind::kLegacy) ++context->blocking_captures;
}

void end(const CapturePtr& capture) {
    for (const StreamPtr& stream : capture->streams) {
        stream->capturing.store(false, std::memory_order_release);
        stream->capture = nullptr;
        stream->capture_nodes.clear();
        const ContextPtr context = stream->context.lock();
        if (context != nullptr && stream->blocking() && stream->kind != Stream::Kind::kLegacy)
            --context->blocking_captures;
    }
    std::erase(driver().captures, capture);
    driver().capture_count.store(driver().captures.size(), std::memory_order_release);
}

// Whether every stream's last work leads into what the origin has captured.
bool all_joined(const Capture& capture) {
    std::vector<const GraphNode*> reached;
    for (const GraphNodePtr& node : capture.origin->capture_nodes) reached.push_back(node.get());
    for (size_t i = 0; i < reached.size(); ++i) {
        for (const GraphNode* before : reached[i]->after) {
            if (std::find(reached.begin(), reached.end(), before) == reached.end()) reached.push_back(before);
        }
    }
    return std::all_of(capture.streams.begin(), capture.streams.end(), [&](const StreamPtr& stream) {
        return std::all_of(stream->capture_nodes.begin(), stream->capture_nodes.end(),
                           [&](const GraphNodePtr& node) {
                               return std::find(reached.begin(), reached.end(), node.get()) != reached.end();
                           });
    });
}

void merge(std::vector<GraphNodePtr>& nodes, const std::vector<GraphNodePtr>& more) {
    for (const GraphNodePtr& node : more) {
        if (std::find(nodes.begin(), nodes.end(), node) == nodes.end()) nodes.push_back(node);
    }
}

CUresult begin_capture(const ContextPtr& context, const StreamPtr& stream, CUstreamCaptureMode mode,
                       GraphPtr graph, std::vector<GraphNodePtr> after) {
    if (stream->kind == Stream::Kind::kLegacy) return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
    if (stream->capture != nullptr) return CUDA_ERROR_ILLEGAL_STATE;
    auto capture = std::make_shared<Capture>();
    capture->id = driver().next_id();
    capture->mode = mode;
    capture->thread = thread_number();
    capture->origin = stream;
    capture->to_graph = graph != nullptr;
    capture->graph = graph != nullptr ? std::move(graph) : std::make_shared<Graph>(driver().graphs.issue());
    // Visible at once: cuStreamGetCaptureInfo hands the unfinished graph out.
    driver().graphs.add(capture->graph->handle, capture->graph);
    join(capture, stream, context, std::move(after));
    driver().captures.push_back(std::move(capture));
    driver().capture_count.store(driver().captures.size(), std::memory_order_release);
    return CUDA_SUCCESS;
}

bool good_mode(CUstreamCaptureMode mode) {
    return mode >= CU_STREAM_CAPTURE_MODE_GLOBAL && mode <= CU_STREAM_CAPTURE_MODE_RELAXED;
}

CUresult find_nodes(const Graph& graph, const CUgraphNode* handles, size_t count,
                    std::vector<GraphNodePtr>* nodes) {
    if (count != 0 && handles == nullptr) return CUDA_ERROR_INVALID_VALUE;
    if (count > graph.nodes.size()) return CUDA_ERROR_INVALID_VALUE;
    for (size_t i = 0; i < count; ++i) {
        GraphNodePtr node = driver().nodes.find(handles[i]);
        if (node == nullptr || node->graph != &graph) return CUDA_ERROR_INVALID_VALUE;
        nodes->push_back(std::move(node));
    }
    return CUDA_SUCCESS;
}

// --- entries

CUresult cuStreamBeginCapture_v2(CUstream handle, CUstreamCaptureMode mode) {
    return entry_on_stream(handle, [&](const ContextPtr& context, const StreamPtr& stream) {
        if (!good_mode(mode)) return CUDA_ERROR_INVALID_VALUE;
        const std::lock_guard lock(driver().graph_mutex);
        return begin_capture(context, stream, mode, nullptr, {});
    });
}

CUresult cuStreamBeginCaptureToGraph(CUstream handle, CUgraph graph_handle, const CUgraphNode* after,
                                     const CUgraphEdgeData*, size_t count, CUstreamCaptureMode mode) {
    return entry_on_stream(handle, [&](const ContextPtr& context, const StreamPtr& stream) {
        if (!good_mode(mode)) return CUDA_ERROR_INVALID_VALUE;
        const std::lock_guard lock(driver().graph_mutex);
        GraphPtr graph = driver().graphs.find(graph_handle);
        if (graph == nullptr) return CUDA_ERROR_INVALID_HANDLE;
        std::vector<GraphNodePtr> nodes;
        const CUresult result = find_nodes(*graph, after, count, &nodes);
        if (result != CUDA_SUCCESS) return result;
        return begin_capture(context, stream, mode, std::move(graph), std::move(nodes));
    });
}

CUresult cuStreamEndCapture(CUstream handle, CUgraph* out) {
    return entry_on_stream(handle, [&](const ContextPtr&, const StreamPtr& stream) {
        const std::lock_guard lock(driver().graph_mutex);
        const CapturePtr capture = stream->capture;
        // The graph of a capture into a graph is known, and need not be told (so does driver 580).
        const bool told = out != nullptr;
        if (!told && (capture == nullptr || !capture->to_graph)) return CUDA_ERROR_INVALID_VALUE;
        if (capture == nullptr) return CUDA_ERROR_ILLEGAL_STATE;
        if (told) *out = nullptr;
        if (capture->origin != stream) {
            capture->invalid = true;
            return CUDA_ERROR_STREAM_CAPTURE_UNMATCHED;
        }
        CUresult result = CUDA_SUCCESS;
        // On the wrong thread it is over all the same, and gives no graph (so does driver 580).
        if (capture->mode != CU_STREAM_CAPTURE_MODE_RELAXED && capture->thread != thread_number())
            result = CUDA_ERROR_STREAM_CAPTURE_WRONG_THREAD;
        else if (capture->invalid)
            result = CUDA_ERROR_STREAM_CAPTURE_INVALIDATED;
        else if (!all_joined(*capture))
            result = CUDA_ERROR_STREAM_CAPTURE_UNJOINED;
        end(capture);
        if (result == CUDA_SUCCESS && told) *out = capture->graph->handle;
        if (result != CUDA_SUCCESS && !capture->to_graph) driver().graphs.remove(capture->graph->handle);
        return result;
    });
}

CUresult cuStreamIsCapturing(CUstream handle, CUstreamCaptureStatus* status) {
    return entry_on_stream(handle, [&](const ContextPtr& context, const StreamPtr& stream) {
        if (status == nullptr) return CUDA_ERROR_INVALID_VALUE;
        *status = CU_STREAM_CAPTURE_STATUS_NONE;
        if (stream->kind == Stream::Kind::kLegacy && context->blocking_captures.load() != 0)
            return CUDA_ERROR_STREAM_CAPTURE_IMPLICIT;
        if (!stream->capturing.load(std::memory_order_acquire)) return CUDA_SUCCESS;
        const std::lock_guard lock(driver().graph_mutex);
        if (stream->capture != nullptr)
            *status = stream->capture->invalid ? CU_STREAM_CAPTURE_STATUS_INVALIDATED
                                               : CU_STREAM_CAPTURE_STATUS_ACTIVE;
        return CUDA_SUCCESS;
    });
}

CUresult cuStreamGetCaptureInfo_v3(CUstream handle, CUstreamCaptureStatus* status, cuuint64_t* id,
                                   CUgraph* graph, const CUgraphNode** nodes, const CUgraphEdgeData** data,
                                   size_t* count) {
    return entry_on_stream(handle, [&](const ContextPtr& context, const StreamPtr& stream) {
        if (status == nullptr) return CUDA_ERROR_INVALID_VALUE;
        if (stream->kind == Stream::Kind::kLegacy && context->blocking_captures.load() != 0)
            return CUDA_ERROR_STREAM_CAPTURE_IMPLICIT;
        const std::lock_guard lock(driver().graph_mutex);
        const CapturePtr capture = stream->capture;
        *status = CU_STREAM_CAPTURE_STATUS_NONE;
        if (capture == nullptr) return CUDA_SUCCESS;
        *status = capture->invalid ? CU_STREAM_CAPTURE_STATUS_INVALIDATED : CU_STREAM_CAPTURE_STATUS_ACTIVE;
        if (capture->invalid) return CUDA_SUCCESS;
        if (id != nullptr) *id = capture->id;
        if (graph != nullptr) *graph = capture->graph->handle;
        capture->told.clear();
        for (const GraphNodePtr& node : stream->capture_nodes) capture->told.push_back(node->handle);
        capture->told_data.assign(capture->told.size(), CUgraphEdgeData{});
        if (nodes != nullptr) *nodes = capture->told.data();
        if (data != nullptr) *data = capture->told_data.data();
        if (count != nullptr) *count = capture->told.size();
        return CUDA_SUCCESS;
    });
}

CUresult update_dependencies(CUstream handle, const CUgraphNode* handles, size_t count, unsigned flags) {
    return entry_on_stream(handle, [&](const ContextPtr&, const StreamPtr& stream) {
        if (flags > CU_STREAM_SET_CAPTURE_DEPENDENCIES) return CUDA_ERROR_INVALID_VALUE;
        const std::lock_guard lock(driver().graph_mutex);
        const CapturePtr capture = stream->capture;
        if (capture == nullptr) return CUDA_ERROR_ILLEGAL_STATE;
        if (capture->invalid) return CUDA_ERROR_STREAM_CAPTURE_INVALIDATED;
        std::vector<GraphNodePtr> nodes;
        const CUresult result = find_nodes(*capture->graph, handles, count, &nodes);
        if (result != CUDA_SUCCESS) return result;
        if (flags == CU_STREAM_SET_CAPTURE_DEPENDENCIES) stream->capture_nodes.clear();
        merge(stream->capture_nodes, nodes);
        return CUDA_SUCCESS;
    });
}

CUresult cuStreamUpdateCaptureDependencies(CUstream stream, CUgraphNode* nodes, size_t count,
                                           unsigned int flags) {
    return update_dependencies(stream, nodes, count, flags);
}

CUresult cuStreamUpdateCaptureDependencies_v2(CUstream stream, CUgraphNode* nodes, const CUgraphEdgeData*,
                                              size_t count, unsigned int flags) {
    return update_dependencies(stream, nodes, count, flags);
}

CUresult cuThreadExchangeStreamCaptureMode(CUstreamCaptureMode* mode) {
    return entry_initialized([&] {
        if (mode == nullptr || !good_mode(*mode)) return CUDA_ERROR_INVALID_VALUE;
        std::swap(*mode, thread_mode());
        return CUDA_SUCCESS;
    });
}

}  // namespace

void end_captures_of(const std::vector<StreamPtr>& streams) {
    const std::lock_guard lock(driver().graph_mutex);
    for (const StreamPtr& stream : streams) {
        const CapturePtr capture = stream->capture;
        if (capture == nullptr) continue;
        end(capture);
        if (!capture->to_graph) driver().graphs.remove(capture->graph->handle);
    }
}

CUresult forbid_in_capture(const ContextPtr&) {
    if (!captures_go_on() || thread_mode() == CU_STREAM_CAPTURE_MODE_RELAXED) return CUDA_SUCCESS;
    const std::lock_guard lock(driver().graph_mutex);
    CUresult result = CUDA_SUCCESS;
    for (const CapturePtr& capture : driver().captures) {
        const bool own = capture->thread == thread_number();
        const bool forbids = own ? capture->mode != CU_STREAM_CAPTURE_MODE_RELAXED
                                 : capture->mode == CU_STREAM_CAPTURE_MODE_GLOBAL &&
                                       thread_mode() == CU_STREAM_CAPTURE_MODE_GLOBAL;
        if (!forbids) continue;
        capture->invalid = true;
        result = CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
    }
    return result;
}

CUresult forbid_implicit(const ContextPtr& context, const Stream& stream) {
    if (stream.kind != Stream::Kind::kLegacy || context->blocking_captures.load() == 0) return CUDA_SUCCESS;
    const std::lock_guard lock(driver().graph_mutex);
    CUresult result = CUDA_SUCCESS;
    for (const CapturePtr& capture : driver().captures) {
        for (const StreamPtr& part : capture->streams) {
            if (!part->blocking() || part->context.lock() != context) continue;
            capture->invalid = true;
            result = CUDA_ERROR_STREAM_CAPTURE_IMPLICIT;
        }
    }
    return result;
}

CUresult forbid_on_capturing(Stream& stream) {
    const std::lock_guard lock(driver().graph_mutex);
    if (stream.capture != nullptr) stream.capture->invalid = true;
    return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
}

CUresult capture_work(const ContextPtr& context, Stream& stream, Work work) {
    Capture& capture = *stream.capture;
    if (capture.invalid) return CUDA_ERROR_STREAM_CAPTURE_INVALIDATED;
    const GraphNodePtr node = capture.graph->add(std::move(work), context, stream.capture_nodes);
    stream.capture_nodes.assign(1, node);
    return CUDA_SUCCESS;
}

CUresult capture_record(Stream& stream, Event& event, bool external, bool* handled) {
    *handled = false;
    if (!captures_go_on()) return CUDA_SUCCESS;
    const std::lock_guard lock(driver().graph_mutex);
    event.capture.reset();
    event.capture_nodes.clear();
    if (stream.capture == nullptr) return CUDA_SUCCESS;
    if (stream.capture->invalid) return CUDA_ERROR_STREAM_CAPTURE_INVALIDATED;
    // An external record becomes a node, by way of submit().
    if (external) return CUDA_SUCCESS;
    *handled = true;
    event.capture = stream.capture;
    event.capture_nodes = stream.capture_nodes;
    return CUDA_SUCCESS;
}

CUresult capture_wait(const ContextPtr& context, const StreamPtr& stream, Event& event, bool external,
                      bool* handled) {
    *handled = false;
    if (!captures_go_on()) return CUDA_SUCCESS;
    const std::lock_guard lock(driver().graph_mutex);
    const CapturePtr theirs = event.capture.lock();
    const CapturePtr mine = stream->capture;
    if (mine == nullptr && theirs == nullptr) return CUDA_SUCCESS;
    if (mine != nullptr && mine->invalid) return CUDA_ERROR_STREAM_CAPTURE_INVALIDATED;
    if (mine != nullptr && external) return CUDA_SUCCESS;
    *handled = true;
    if (mine == nullptr) {
        if (theirs->invalid) return CUDA_ERROR_STREAM_CAPTURE_INVALIDATED;
        if (stream->kind == Stream::Kind::kLegacy) {
            theirs->invalid = true;
            return CUDA_ERROR_STREAM_CAPTURE_IMPLICIT;
        }
        join(theirs, stream, context, event.capture_nodes);
        return CUDA_SUCCESS;
    }
    if (mine == theirs) {
        merge(stream->capture_nodes, event.capture_nodes);
        return CUDA_SUCCESS;
    }
    mine->invalid = true;
    if (theirs == nullptr) return CUDA_ERROR_STREAM_CAPTURE_ISOLATION;
    theirs->invalid = true;
    return CUDA_ERROR_STREAM_CAPTURE_MERGE;
}

CUresult forbid_captured(Event& event) {
    if (!captures_go_on()) return CUDA_SUCCESS;
    const std::lock_guard lock(driver().graph_mutex);
    const CapturePtr capture = event.capture.lock();
    if (capture == nullptr) return CUDA_SUCCESS;
    capture->invalid = true;
    return CUDA_ERROR_CAPTURED_EVENT;
}

void serve_captures(DriverTable* table) {
    BF_SERVE(cuStreamBeginCapture_v2);
    BF_SERVE(cuStreamBeginCaptureToGraph);
    BF_SERVE(cuStreamEndCapture);
    BF_SERVE(cuStreamIsCapturing);
    BF_SERVE(cuStreamGetCaptureInfo_v3);
    BF_SERVE(cuStreamUpdateCaptureDependencies);
    BF_SERVE(cuStreamUpdateCaptureDependencies_v2);
    BF_SERVE(cuThreadExchangeStreamCaptureMode);
}

}  // namespace bitfusion::soft
