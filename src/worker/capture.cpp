// Stream capture. A capture that fails takes its graph along, and with it the names of its nodes; copies with
// the client's memory and host functions become nodes that hold what they need.
#include "worker/capture.h"

#include <cstring>
#include <string>
#include <vector>

#include "wire/block.h"
#include "worker/graph_node.h"
#include "worker/kept.h"
#include "worker/session.h"
#include "worker_hand.gen.h"

namespace bitfusion::worker {
namespace {

struct Info {
    CUstreamCaptureStatus status = CU_STREAM_CAPTURE_STATUS_NONE;
    cuuint64_t id = 0;
    CUgraph graph = nullptr;
    const CUgraphNode* nodes = nullptr;
    const CUgraphEdgeData* edges = nullptr;
    size_t count = 0;
};

CUresult info_of(Session& s, CUstream stream, Info* info) {
    if (s.driver.cuStreamGetCaptureInfo_v3 == nullptr) return CUDA_ERROR_NOT_SUPPORTED;
    return s.driver.cuStreamGetCaptureInfo_v3(stream, &info->status, &info->id, &info->graph, &info->nodes,
                                              &info->edges, &info->count);
}

// The graph that the stream's capture makes, for what its nodes hold.
CUresult graph_of(Session& s, CUstream stream, CUgraph* graph, uint64_t* name) {
    Info info;
    const CUresult result = info_of(s, stream, &info);
    if (result != CUDA_SUCCESS) return result;
    if (info.status == CU_STREAM_CAPTURE_STATUS_INVALIDATED) return CUDA_ERROR_STREAM_CAPTURE_INVALIDATED;
    if (info.status != CU_STREAM_CAPTURE_STATUS_ACTIVE) return CUDA_ERROR_ILLEGAL_STATE;
    *graph = info.graph;
    *name = s.handles.name_of(info.graph, 0);
    return s.graphs.in_body(*name) ? CUDA_ERROR_NOT_SUPPORTED : CUDA_SUCCESS;
}

// Something for a node of the stream's capture; null with a result when it cannot be had.
Kept* make_for(Session& s, const Frame& frame, Kept::Kind kind, uint64_t ticket, CUresult* result) {
    Kept* kept = nullptr;
    if (ticket != 0 && ticket < KeptTable::kOwnTickets) kept = s.kept.make(kind, ticket, 1, result);
    if (kept == nullptr && *result == CUDA_SUCCESS) s.peer_is_wrong(frame, "ticket");
    if (kept != nullptr) s.graphs.may_touch_client();
    return kept;
}

CUresult record_copy(Session& s, const wire::Block& b, Kept* kept, bool to_host, CUstream stream) {
    uint8_t* const host = kept->memory->data;
    const uint64_t bytes = kept->memory->bytes;
    if (b.array == 0 && b.height == 1 && b.depth == 1) {  // a copy of one row can be updated, others cannot
        const CUdeviceptr device = b.device + (b.z * b.slice + b.y) * b.pitch + b.x;
        return to_host ? s.driver.cuMemcpyDtoHAsync_v2(host, device, bytes, stream)
                       : s.driver.cuMemcpyHtoDAsync_v2(device, host, bytes, stream);
    }
    CUresult result = CUDA_SUCCESS;
    CUDA_MEMCPY3D c{};
    c.WidthInBytes = b.width;
    c.Height = b.height;
    c.Depth = b.depth;
    const CUarray array = s.handles.find<CUarray>(b.array, &result);
    if (result != CUDA_SUCCESS) return result;
    const CUmemorytype type = array != nullptr ? CU_MEMORYTYPE_ARRAY : CU_MEMORYTYPE_DEVICE;
    const auto side = [&](CUmemorytype* kind, CUdeviceptr* device, CUarray* of, size_t* pitch, size_t* slice,
                          size_t* x, size_t* y, size_t* z) {
        *kind = type;
        *device = array != nullptr ? 0 : b.device;
        *of = array;
        *pitch = array != nullptr ? 0 : b.pitch;
        *slice = array != nullptr ? 0 : b.slice;
        *x = b.x;
        *y = b.y;
        *z = b.z;
    };
    if (to_host) {
        side(&c.srcMemoryType, &c.srcDevice, &c.srcArray, &c.srcPitch, &c.srcHeight, &c.srcXInBytes, &c.srcY,
             &c.srcZ);
        c.dstMemoryType = CU_MEMORYTYPE_HOST;
        c.dstHost = host;
        c.dstPitch = b.width;
        c.dstHeight = b.height;
    } else {
        side(&c.dstMemoryType, &c.dstDevice, &c.dstArray, &c.dstPitch, &c.dstHeight, &c.dstXInBytes, &c.dstY,
             &c.dstZ);
        c.srcMemoryType = CU_MEMORYTYPE_HOST;
        c.srcHost = host;
        c.srcPitch = b.width;
        c.srcHeight = b.height;
    }
    return s.driver.cuMemcpy3DAsync_v2(&c, stream);
}

}  // namespace

bool Session::is_capturing(CUstream stream) const {
    if (captures.empty()) return false;
    CUstreamCaptureStatus status = CU_STREAM_CAPTURE_STATUS_NONE;
    return driver.cuStreamIsCapturing(stream, &status) == CUDA_SUCCESS &&
           status != CU_STREAM_CAPTURE_STATUS_NONE;
}

CUresult cuStreamBeginCapture_v2(Session& s, CUstream hStream, CUstreamCaptureMode mode) {
    if (s.driver.cuStreamBeginCapture_v2 == nullptr) return CUDA_ERROR_NOT_SUPPORTED;
    const CUresult result = s.driver.cuStreamBeginCapture_v2(hStream, mode);
    if (result == CUDA_SUCCESS) s.captures[hStream] = false;
    return result;
}

CUresult cuStreamBeginCaptureToGraph(Session& s, CUstream hStream, CUgraph hGraph,
                                     const CUgraphNode* dependencies, const CUgraphEdgeData* dependencyData,
                                     size_t numDependencies, CUstreamCaptureMode mode) {
    if (s.driver.cuStreamBeginCaptureToGraph == nullptr) return CUDA_ERROR_NOT_SUPPORTED;
    if (hGraph == nullptr) return CUDA_ERROR_INVALID_VALUE;
    const CUresult result = s.driver.cuStreamBeginCaptureToGraph(hStream, hGraph, dependencies,
                                                                 dependencyData, numDependencies, mode);
    if (result == CUDA_SUCCESS) s.captures[hStream] = true;
    return result;
}

CUresult cuStreamEndCapture(Session& s, CUstream hStream, CUgraph* phGraph) {
    const auto begun = s.captures.find(hStream);
    Info info;
    const uint64_t name =
        begun != s.captures.end() && !begun->second && info_of(s, hStream, &info) == CUDA_SUCCESS
            ? s.handles.known_name(info.graph)
            : 0;
    const CUresult result = s.driver.cuStreamEndCapture(hStream, phGraph);
    if (begun == s.captures.end() || result == CUDA_ERROR_STREAM_CAPTURE_UNMATCHED) return result;
    // An invalid capture does not tell its graph: whatever was named of it is gone too.
    if (result != CUDA_SUCCESS) s.handles.forget(name != 0 ? name : s.capture_graphs[hStream]);
    s.capture_graphs.erase(hStream);
    s.captures.erase(begun);
    return result;
}

void serve(Session& s, const Frame& frame, const msg::CaptureInfo& m) {
    CUresult result = CUDA_SUCCESS;
    const CUstream stream = s.handles.find<CUstream>(m.stream, &result);
    if (result == CUDA_SUCCESS) result = s.enter(frame);
    Info info;
    if (result == CUDA_SUCCESS) result = info_of(s, stream, &info);
    msg::CaptureInfo::Reply reply;
    std::vector<uint64_t> names;
    reply.status = static_cast<uint32_t>(info.status);
    if (result == CUDA_SUCCESS && info.status == CU_STREAM_CAPTURE_STATUS_ACTIVE) {
        reply.id = info.id;
        reply.graph = s.handles.name_of(info.graph, 0);
        const auto begun = s.captures.find(stream);
        if (begun != s.captures.end() && !begun->second) s.capture_graphs[stream] = reply.graph;
        for (size_t i = 0; i < info.count; ++i)
            names.push_back(s.handles.name_of(info.nodes[i], reply.graph));
        reply.nodes = {reinterpret_cast<const uint8_t*>(names.data()), names.size() * sizeof(uint64_t)};
        if (info.edges != nullptr)
            reply.edges = {reinterpret_cast<const uint8_t*>(info.edges), info.count * sizeof *info.edges};
    }
    s.reply_with(frame, result, reply);
}

void serve(Session& s, const Frame& frame, const msg::CaptureCopy& m) {
    wire::Block b;
    wire::GraphSides sides;
    if (m.block.size() != sizeof b) return s.peer_is_wrong(frame, "block");
    if (m.side.size() != sizeof sides) return s.peer_is_wrong(frame, "side");
    memcpy(&b, m.block.data(), sizeof b);
    memcpy(&sides, m.side.data(), sizeof sides);
    const bool to_host = m.to_host != 0;
    const uint64_t ticket = to_host ? sides.target : sides.source;
    const uint64_t run = to_host ? sides.target_run : sides.source_run;
    const uint64_t bytes = (wire::Extent(b.width) * wire::Extent(b.height) * wire::Extent(b.depth)).value;
    if (run == 0) return s.peer_is_wrong(frame, "side");
    CUresult result = CUDA_SUCCESS;
    const CUstream stream = s.handles.find<CUstream>(m.stream, &result);
    if (result == CUDA_SUCCESS && b.array == 0)
        result = check_box(s, CU_MEMORYTYPE_DEVICE, b.device, b.pitch, b.slice, b.x, b.y, b.z, b.width,
                           b.height, b.depth);
    const CUarray array = s.handles.find<CUarray>(b.array, &result);
    if (result == CUDA_SUCCESS && b.array != 0)
        result = check_array_box(s, array, b.x, b.y, b.z, b.width, b.height, b.depth);
    if (result == CUDA_SUCCESS) result = s.enter(frame);
    CUgraph graph = nullptr;
    uint64_t name = 0;
    if (result == CUDA_SUCCESS) result = graph_of(s, stream, &graph, &name);
    if (result == CUDA_SUCCESS) s.capture_graphs.try_emplace(stream, name);
    if (result != CUDA_SUCCESS) {
        s.announce(msg::KeptReleased{ticket});  // it never was
        return s.posted(frame, result);
    }
    Kept* kept = make_for(s, frame, Kept::Kind::kHostMemory, ticket, &result);
    if (kept == nullptr) return s.posted(frame, result);
    result = s.kept.give_memory(kept, bytes, run);
    if (result == CUDA_SUCCESS) result = record_copy(s, b, kept, to_host, stream);
    if (result == CUDA_SUCCESS)
        s.kept.place(kept, graph, name);
    else
        s.kept.give_back(kept);
    s.posted(frame, result);
}

CUresult record_host_function(Session& s, const Frame& frame, CUstream stream, uint64_t ticket) {
    CUgraph graph = nullptr;
    uint64_t name = 0;
    CUresult result =
        s.driver.cuLaunchHostFunc == nullptr ? CUDA_ERROR_NOT_SUPPORTED : graph_of(s, stream, &graph, &name);
    if (result != CUDA_SUCCESS) {
        s.announce(msg::KeptReleased{ticket});
        return result;
    }
    Kept* kept = make_for(s, frame, Kept::Kind::kHostFunction, ticket, &result);
    if (kept == nullptr) return result;
    result = s.driver.cuLaunchHostFunc(stream, pass_host_point, kept->point);
    if (result == CUDA_SUCCESS)
        s.kept.place(kept, graph, name);
    else
        s.kept.give_back(kept);
    return result;
}

void keep_captured_memory(Session& s, CUstream stream, CUdeviceptr address, uint64_t bytes, int device,
                          uint64_t charged) {
    s.memory.add(address, {bytes, device, charged, 0, false, 0, nullptr, true});
    CUgraph graph = nullptr;
    uint64_t name = 0;
    if (graph_of(s, stream, &graph, &name) != CUDA_SUCCESS) return;
    CUresult result = CUDA_SUCCESS;
    Kept* kept = s.kept.make(Kept::Kind::kGraphMemory, s.kept.own_ticket(), 1, &result);
    if (kept == nullptr) return;
    kept->address = address;
    s.kept.place(kept, graph, name);
}

}  // namespace bitfusion::worker
