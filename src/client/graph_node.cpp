#include "client/graph_node.h"

#include <cstring>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <utility>

#include "client/function.h"
#include "client/host_function.h"
#include "client/kernel_arguments.h"
#include "client/memory_map.h"
#include "client/session.h"
#include "client_hand.gen.h"

namespace bitfusion::client {
namespace {

// More than the driver takes of a batch, so that it is the driver who refuses.
constexpr unsigned kMostOperations = 4096;
constexpr size_t kMostAccess = 1024;

// What the last answer about a node points at.
struct Told {
    std::vector<uint64_t> block;  // words, so that it is aligned for every type
    std::vector<void*> pointers;
    std::vector<CUgraph> bodies;
};

struct AllTold {
    std::mutex lock;
    std::unordered_map<CUgraph, std::unordered_map<CUgraphNode, std::unique_ptr<Told>>> of_graph;
};

AllTold& told() {
    static AllTold* const made = std::make_unique<AllTold>().release();  // outlives every exit handler
    return *made;
}

Told& told_of(uint64_t graph, CUgraphNode node) {
    auto& place = told().of_graph[from_wire_name<CUgraph>(graph)][node];
    if (place == nullptr) place = std::make_unique<Told>();
    return *place;
}

template <typename T>
void append(std::vector<uint8_t>* bytes, const T* values, size_t count) {
    const auto* first = reinterpret_cast<const uint8_t*>(values);
    bytes->insert(bytes->end(), first, first + count * sizeof(T));
}

// Rows that lie behind each other where the program left it open.
void fill_pitch(size_t x, size_t width, size_t y, size_t rows, size_t* pitch, size_t* height) {
    if (*pitch == 0) *pitch = x + width;
    if (*height == 0) *height = y + rows;
}

}  // namespace

NodeRequest::~NodeRequest() {
    for (const uint64_t ticket : tickets_) release_kept(ticket, true);
}

std::span<const uint8_t> NodeRequest::params() const {
    return {reinterpret_cast<const uint8_t*>(&params_), sizeof params_};
}
std::span<const uint8_t> NodeRequest::sides() const {
    return {reinterpret_cast<const uint8_t*>(&sides_), sizeof sides_};
}

bool host_side(const CUDA_MEMCPY3D& c, bool target, HostBox* box) {
    HostBox::Given given;
    if (target)
        given = {c.dstMemoryType, c.dstHost,     c.dstDevice, c.dstPitch,
                 c.dstHeight,     c.dstXInBytes, c.dstY,      c.dstZ};
    else
        given = {c.srcMemoryType, const_cast<void*>(c.srcHost),
                 c.srcDevice,     c.srcPitch,
                 c.srcHeight,     c.srcXInBytes,
                 c.srcY,          c.srcZ};
    uint8_t* base = nullptr;
    if (given.type == CU_MEMORYTYPE_HOST)
        base = static_cast<uint8_t*>(given.host);
    else if (given.type == CU_MEMORYTYPE_UNIFIED && !is_device(given.device, 1))
        base = reinterpret_cast<uint8_t*>(given.device);
    else
        return false;
    size_t pitch = given.pitch;
    size_t height = given.height;
    fill_pitch(given.x, c.WidthInBytes, given.y, c.Height, &pitch, &height);
    box->given = given;
    box->pitch = pitch;
    box->slice = pitch * height;
    box->first = base + given.z * box->slice + given.y * pitch + given.x;
    box->width = c.WidthInBytes;
    box->height = c.Height;
    box->depth = c.Depth;
    return true;
}

uint64_t NodeRequest::keep(const HostBox& box) {
    tickets_.push_back(new_ticket());
    keep_host_memory(tickets_.back(), box);
    return tickets_.back();
}

CUresult NodeRequest::kernel() {
    auto& k = params_.kernel;
    const void* handle = k.func != nullptr ? static_cast<const void*>(k.func) : k.kern;
    if (handle == nullptr) return CUDA_ERROR_INVALID_VALUE;
    const Function* f = function_of(handle);
    if (f == nullptr) return CUDA_ERROR_INVALID_HANDLE;
    KernelArguments arguments;
    const CUresult taken = arguments.take(*f, k.kernelParams, k.extra);
    if (taken != CUDA_SUCCESS) return taken;
    arguments.map(*f);
    extra_.resize(arguments.bytes);
    wire::Writer w(extra_.data(), extra_.size());
    arguments.pack(*f, w);
    k.kernelParams = nullptr;
    k.extra = nullptr;
    return CUDA_SUCCESS;
}

CUresult NodeRequest::copy() {
    CUDA_MEMCPY3D& c = params_.memcpy.copyParams;
    if (c.srcLOD != 0 || c.dstLOD != 0) return CUDA_ERROR_INVALID_VALUE;
    if (c.WidthInBytes == 0 || c.Height == 0 || c.Depth == 0) return CUDA_ERROR_INVALID_VALUE;
    c.reserved0 = c.reserved1 = nullptr;
    const CUDA_MEMCPY3D given = c;
    HostBox box;
    if (host_side(given, false, &box)) {
        if (box.first == nullptr || box.pitch < box.given.x + box.width) return CUDA_ERROR_INVALID_VALUE;
        sides_.source = keep(box);
        sides_.source_run = box.run();
        c.srcDevice = 0;
    } else if (c.srcMemoryType != CU_MEMORYTYPE_ARRAY) {
        fill_pitch(c.srcXInBytes, c.WidthInBytes, c.srcY, c.Height, &c.srcPitch, &c.srcHeight);
    }
    if (host_side(given, true, &box)) {
        if (box.first == nullptr || box.pitch < box.given.x + box.width) return CUDA_ERROR_INVALID_VALUE;
        sides_.target = keep(box);
        sides_.target_run = box.run();
        c.dstDevice = 0;
    } else if (c.dstMemoryType != CU_MEMORYTYPE_ARRAY) {
        fill_pitch(c.dstXInBytes, c.WidthInBytes, c.dstY, c.Height, &c.dstPitch, &c.dstHeight);
    }
    c.srcHost = nullptr;
    c.dstHost = nullptr;
    return CUDA_SUCCESS;
}

CUresult NodeRequest::host() {
    if (params_.host.fn == nullptr) return CUDA_ERROR_INVALID_VALUE;
    tickets_.push_back(new_ticket());
    keep_host_function(tickets_.back(), params_.host.fn, params_.host.userData);
    start_host_thread();
    sides_.source = tickets_.back();
    params_.host = {};
    return CUDA_SUCCESS;
}

CUresult NodeRequest::operations() {
    auto& o = params_.memOp;
    if (o.count > kMostOperations || (o.count != 0 && o.paramArray == nullptr))
        return CUDA_ERROR_INVALID_VALUE;
    append(&extra_, o.paramArray, o.count);
    o.paramArray = nullptr;
    return CUDA_SUCCESS;
}

CUresult NodeRequest::allocation() {
    auto& a = params_.alloc;
    if (a.accessDescCount > kMostAccess || (a.accessDescCount != 0 && a.accessDescs == nullptr))
        return CUDA_ERROR_INVALID_VALUE;
    append(&extra_, a.accessDescs, a.accessDescCount);
    a.accessDescs = nullptr;
    a.poolProps.win32SecurityAttributes = nullptr;
    tickets_.push_back(new_ticket());
    sides_.source = tickets_.back();
    return CUDA_SUCCESS;
}

CUresult NodeRequest::take(const CUgraphNodeParams& given) {
    params_ = given;
    switch (params_.type) {
        case CU_GRAPH_NODE_TYPE_KERNEL:
            return kernel();
        case CU_GRAPH_NODE_TYPE_MEMCPY:
            return copy();
        case CU_GRAPH_NODE_TYPE_HOST:
            return host();
        case CU_GRAPH_NODE_TYPE_BATCH_MEM_OP:
            return operations();
        case CU_GRAPH_NODE_TYPE_MEM_ALLOC:
            return allocation();
        case CU_GRAPH_NODE_TYPE_CONDITIONAL:
            params_.conditional.phGraph_out = nullptr;
            return CUDA_SUCCESS;
        case CU_GRAPH_NODE_TYPE_EXT_SEMAS_SIGNAL:
        case CU_GRAPH_NODE_TYPE_EXT_SEMAS_WAIT:
            return CUDA_ERROR_NOT_SUPPORTED;  // they belong to the client's machine
        default:
            return CUDA_SUCCESS;
    }
}

// ---- the typed structs
// ---------------------------------------------------------------------------------------

CUgraphNodeParams general(const CUDA_KERNEL_NODE_PARAMS& k) {
    CUgraphNodeParams p{};
    p.type = CU_GRAPH_NODE_TYPE_KERNEL;
    p.kernel = {k.func,      k.gridDimX,       k.gridDimY,     k.gridDimZ, k.blockDimX, k.blockDimY,
                k.blockDimZ, k.sharedMemBytes, k.kernelParams, k.extra,    k.kern,      k.ctx};
    return p;
}
CUgraphNodeParams general(const CUDA_MEMCPY3D& copy, CUcontext context) {
    CUgraphNodeParams p{};
    p.type = CU_GRAPH_NODE_TYPE_MEMCPY;
    p.memcpy.copyCtx = context;
    p.memcpy.copyParams = copy;
    return p;
}
CUgraphNodeParams general(const CUDA_HOST_NODE_PARAMS& host) {
    CUgraphNodeParams p{};
    p.type = CU_GRAPH_NODE_TYPE_HOST;
    p.host = {host.fn, host.userData};
    return p;
}
CUgraphNodeParams general(const CUDA_BATCH_MEM_OP_NODE_PARAMS& o) {
    CUgraphNodeParams p{};
    p.type = CU_GRAPH_NODE_TYPE_BATCH_MEM_OP;
    p.memOp = {o.ctx, o.count, o.paramArray, o.flags};
    return p;
}
CUgraphNodeParams general(const CUDA_MEM_ALLOC_NODE_PARAMS& a) {
    CUgraphNodeParams p{};
    p.type = CU_GRAPH_NODE_TYPE_MEM_ALLOC;
    p.alloc = {a.poolProps, a.accessDescs, a.accessDescCount, a.bytesize, a.dptr};
    return p;
}

// ---- answers
// -------------------------------------------------------------------------------------------------

namespace {

void put_side(const HostBox& box, bool target, CUDA_MEMCPY3D* c) {
    const HostBox::Given& g = box.given;
    if (target) {
        c->dstMemoryType = g.type;
        c->dstHost = g.host;
        c->dstDevice = g.device;
        c->dstPitch = g.pitch;
        c->dstHeight = g.height;
        c->dstXInBytes = g.x;
        c->dstY = g.y;
        c->dstZ = g.z;
    } else {
        c->srcMemoryType = g.type;
        c->srcHost = g.host;
        c->srcDevice = g.device;
        c->srcPitch = g.pitch;
        c->srcHeight = g.height;
        c->srcXInBytes = g.x;
        c->srcY = g.y;
        c->srcZ = g.z;
    }
}

// The answer's `extra` of a kernel: its layout, then the packed arguments.
bool put_arguments(std::span<const uint8_t> extra, Told* told, CUgraphNodeParams* params) {
    wire::Reader r(extra);
    const auto count = r.get<uint64_t>();
    if (!r.holds(count, sizeof(wire::FunctionFacts::Parameter))) return false;
    std::vector<wire::FunctionFacts::Parameter> layout(count);
    r.copy(layout.data(), count * sizeof layout[0]);
    const std::span<const uint8_t> block = r.rest();
    told->block.assign(block.size() / 8 + 1, 0);
    if (!block.empty()) memcpy(told->block.data(), block.data(), block.size());
    told->pointers.clear();
    for (const auto& p : layout) {
        if (uint64_t{p.offset} + p.size > block.size()) return false;
        told->pointers.push_back(reinterpret_cast<uint8_t*>(told->block.data()) + p.offset);
    }
    params->kernel.kernelParams = told->pointers.empty() ? nullptr : told->pointers.data();
    params->kernel.extra = nullptr;
    return true;
}

// Copies an array into what belongs to the node; null when there is none.
template <typename T>
bool put_array(std::span<const uint8_t> extra, size_t count, Told* told, T** array) {
    if (extra.size() != count * sizeof(T)) return false;
    told->block.assign(extra.size() / 8 + 1, 0);
    if (!extra.empty()) memcpy(told->block.data(), extra.data(), extra.size());
    *array = extra.empty() ? nullptr : reinterpret_cast<T*>(told->block.data());
    return true;
}

bool put_answer(const msg::GraphNodeGet::Reply& reply, CUgraphNode node, CUgraphNodeParams* params) {
    wire::GraphSides sides;
    if (reply.params.size() != sizeof *params || reply.sides.size() != sizeof sides) return false;
    memcpy(params, reply.params.data(), sizeof *params);
    memcpy(&sides, reply.sides.data(), sizeof sides);
    const std::lock_guard<std::mutex> lock(told().lock);
    switch (params->type) {
        case CU_GRAPH_NODE_TYPE_KERNEL:
            return put_arguments(reply.extra, &told_of(reply.root, node), params);
        case CU_GRAPH_NODE_TYPE_MEMCPY:
            if (const auto box = kept_host_memory(sides.source))
                put_side(*box, false, &params->memcpy.copyParams);
            if (const auto box = kept_host_memory(sides.target))
                put_side(*box, true, &params->memcpy.copyParams);
            return true;
        case CU_GRAPH_NODE_TYPE_HOST:
            params->host = {};
            return kept_host_function(sides.source, &params->host.fn, &params->host.userData);
        case CU_GRAPH_NODE_TYPE_BATCH_MEM_OP:
            return put_array(reply.extra, params->memOp.count, &told_of(reply.root, node),
                             &params->memOp.paramArray);
        case CU_GRAPH_NODE_TYPE_MEM_ALLOC:
            return put_array(reply.extra, params->alloc.accessDescCount, &told_of(reply.root, node),
                             const_cast<CUmemAccessDesc**>(&params->alloc.accessDescs));
        default:
            return false;
    }
}

}  // namespace

CUresult ask_node(CUgraphNode node, CUgraphNodeType type, CUgraphNodeParams* params) {
    bool good = false;
    const CUresult result =
        call(msg::GraphNodeGet{wire_name(node), static_cast<uint32_t>(type)},
             [&](const msg::GraphNodeGet::Reply& reply) { good = put_answer(reply, node, params); });
    return result == CUDA_SUCCESS && !good ? CUDA_ERROR_UNKNOWN : result;
}

void forget_told_graph(CUgraph graph) {
    const std::lock_guard<std::mutex> lock(told().lock);
    told().of_graph.erase(graph);
}

void forget_told_node(CUgraphNode node) {
    const std::lock_guard<std::mutex> lock(told().lock);
    for (auto& [graph, nodes] : told().of_graph) nodes.erase(node);
}

CUgraph* tell_bodies(CUgraph graph, CUgraphNode node, std::span<const uint8_t> names) {
    const std::lock_guard<std::mutex> lock(told().lock);
    std::vector<CUgraph>& bodies = told_of(wire_name(graph), node).bodies;
    bodies.resize(names.size() / sizeof(CUgraph));
    if (!names.empty()) memcpy(bodies.data(), names.data(), bodies.size() * sizeof(CUgraph));
    return bodies.empty() ? nullptr : bodies.data();
}

}  // namespace bitfusion::client
