#include "worker/graph_node.h"

#include <cstring>

#include "worker/session.h"

namespace bitfusion::worker {
namespace {

template <typename T>
T by_name(const Session& s, T name, CUresult* result) {
    return s.handles.find<T>(reinterpret_cast<uint64_t>(name), result);
}

template <typename T>
bool array_of(std::span<const uint8_t> bytes, std::vector<T>* values) {
    if (bytes.size() % sizeof(T) != 0) return false;
    values->resize(bytes.size() / sizeof(T));
    if (!bytes.empty()) memcpy(values->data(), bytes.data(), bytes.size());
    return true;
}

// The driver's allocations in graphs are multiples of this.
constexpr uint64_t kUnit = 512;

}  // namespace

CUresult check_box(Session& s, CUmemorytype type, CUdeviceptr device, uint64_t pitch, uint64_t slice,
                   uint64_t x, uint64_t y, uint64_t z, uint64_t width, uint64_t height, uint64_t depth) {
    if (type != CU_MEMORYTYPE_DEVICE && type != CU_MEMORYTYPE_UNIFIED) return CUDA_ERROR_INVALID_VALUE;
    using wire::Extent;
    // Rows or slices that overlap would make the box look smaller than what the driver makes of a pitch of 0.
    const bool pitched = height > 1 || depth > 1 || y != 0 || z != 0;
    const bool sliced = depth > 1 || z != 0;
    if (pitched && (Extent(x) + Extent(width)).value > pitch) return CUDA_ERROR_INVALID_VALUE;
    if (sliced && (Extent(y) + Extent(height)).value > slice) return CUDA_ERROR_INVALID_VALUE;
    const Extent first = (Extent(z) * Extent(slice) + Extent(y)) * Extent(pitch) + Extent(x);
    const Extent slices = depth == 0 ? Extent(0) : Extent(depth - 1) * Extent(slice) * Extent(pitch);
    const Extent spanned = slices + wire::rows2d(pitch, width, height);
    return s.memory.within((Extent(device) + first).value, spanned.value) ? CUDA_SUCCESS
                                                                          : CUDA_ERROR_INVALID_VALUE;
}

CUresult check_array_box(const Session& s, CUarray array, uint64_t x, uint64_t y, uint64_t z, uint64_t width,
                         uint64_t height, uint64_t depth) {
    const ArrayTable::Entry* entry = s.arrays.find(reinterpret_cast<uint64_t>(array));
    if (array == nullptr || entry == nullptr) return CUDA_ERROR_INVALID_HANDLE;
    return wire::holds_box(entry->shape, x, y, z, width, height, depth) ? CUDA_SUCCESS
                                                                        : CUDA_ERROR_INVALID_VALUE;
}

CUresult Session::localise(CUstreamBatchMemOpParams& operation) {
    uint64_t bytes = 0;
    switch (operation.operation) {
        case CU_STREAM_MEM_OP_WAIT_VALUE_32:
        case CU_STREAM_MEM_OP_WRITE_VALUE_32:
            bytes = 4;
            break;
        case CU_STREAM_MEM_OP_WAIT_VALUE_64:
        case CU_STREAM_MEM_OP_WRITE_VALUE_64:
            bytes = 8;
            break;
        case CU_STREAM_MEM_OP_FLUSH_REMOTE_WRITES:
        case CU_STREAM_MEM_OP_BARRIER:
            return CUDA_SUCCESS;
        default:
            return CUDA_ERROR_INVALID_VALUE;
    }
    // Both kinds have the address in the same place; the alias is the driver's own affair.
    operation.waitValue.alias = 0;
    return memory.within(operation.waitValue.address, bytes) ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

NodeParams::~NodeParams() {
    for (Kept* kept : made_) s_.kept.give_back(kept);
    if (charged_ != 0) s_.memory.refund(charged_device_, charged_);
}

Kept* NodeParams::make(Kept::Kind kind, uint64_t ticket, CUresult* result, bool* peer) {
    if (ticket == 0 || ticket >= KeptTable::kOwnTickets) {
        *peer = true;
        return nullptr;
    }
    Kept* kept = s_.kept.make(kind, ticket, 1, result);
    if (kept == nullptr && *result == CUDA_SUCCESS) *peer = true;
    if (kept == nullptr) return nullptr;
    made_.push_back(kept);
    s_.graphs.may_touch_client();
    return kept;
}

CUcontext NodeParams::context(CUcontext name, CUresult* result) {
    names_context_ = name != nullptr;
    if (names_context_) return by_name(s_, name, result);
    CUcontext current = nullptr;
    s_.driver.cuCtxGetCurrent(&current);
    return current;
}

CUresult NodeParams::kernel(std::span<const uint8_t> extra) {
    CUresult result = CUDA_SUCCESS;
    auto& k = params.kernel;
    const uint64_t name = reinterpret_cast<uint64_t>(k.func != nullptr ? static_cast<void*>(k.func) : k.kern);
    if (name == 0) return CUDA_ERROR_INVALID_VALUE;
    k.func = nullptr;
    k.kern = nullptr;
    if (wire::kind_of(name) == wire::Kind::kKernel)
        k.kern = s_.handles.find<CUkernel>(name, &result);
    else
        k.func = s_.handles.find<CUfunction>(name, &result);
    k.ctx = by_name(s_, k.ctx, &result);
    if (result == CUDA_SUCCESS) result = arguments_.unpack(s_, name, extra);
    if (result == CUDA_SUCCESS && !arguments_.launched_before())
        result = s_.overhead.may_launch(s_.current_device(), s_.context_name(),
                                        k.func != nullptr ? k.func : reinterpret_cast<CUfunction>(k.kern));
    k.kernelParams = arguments_.pointers();
    k.extra = nullptr;
    return result;
}

CUresult NodeParams::copy(const wire::GraphSides& sides, uint64_t graph, bool* peer) {
    CUresult result = CUDA_SUCCESS;
    params.memcpy.copyCtx = context(params.memcpy.copyCtx, &result);
    CUDA_MEMCPY3D& c = params.memcpy.copyParams;
    c.reserved0 = c.reserved1 = nullptr;
    c.srcArray = by_name(s_, c.srcArray, &result);
    c.dstArray = by_name(s_, c.dstArray, &result);
    if (result != CUDA_SUCCESS) return result;
    const uint64_t bytes =
        (wire::Extent(c.WidthInBytes) * wire::Extent(c.Height) * wire::Extent(c.Depth)).value;
    const auto host_memory = [&](uint64_t ticket, uint64_t run, PlanItem::Kind kind) -> void* {
        if (s_.graphs.in_body(graph)) {
            result = CUDA_ERROR_NOT_SUPPORTED;
            return nullptr;
        }
        if (run == 0) *peer = true;
        Kept* kept = *peer ? nullptr : make(Kept::Kind::kHostMemory, ticket, &result, peer);
        if (kept == nullptr) return nullptr;
        result = s_.kept.give_memory(kept, bytes, run);
        items_.push_back({kind, nullptr, ticket});
        return kept->memory->data;
    };
    if (sides.source != 0) {
        c.srcMemoryType = CU_MEMORYTYPE_HOST;
        c.srcHost = host_memory(sides.source, sides.source_run, PlanItem::Kind::kInput);
        c.srcDevice = 0;
        c.srcXInBytes = c.srcY = c.srcZ = 0;
        c.srcPitch = c.WidthInBytes;
        c.srcHeight = c.Height;
    } else {
        c.srcHost = nullptr;
        if (c.srcMemoryType == CU_MEMORYTYPE_ARRAY)
            result = check_array_box(s_, c.srcArray, c.srcXInBytes, c.srcY, c.srcZ, c.WidthInBytes, c.Height,
                                     c.Depth);
        else
            result = check_box(s_, c.srcMemoryType, c.srcDevice, c.srcPitch, c.srcHeight, c.srcXInBytes,
                               c.srcY, c.srcZ, c.WidthInBytes, c.Height, c.Depth);
    }
    if (result != CUDA_SUCCESS || *peer) return result;
    if (sides.target != 0) {
        c.dstMemoryType = CU_MEMORYTYPE_HOST;
        c.dstHost = host_memory(sides.target, sides.target_run, PlanItem::Kind::kOutput);
        c.dstDevice = 0;
        c.dstXInBytes = c.dstY = c.dstZ = 0;
        c.dstPitch = c.WidthInBytes;
        c.dstHeight = c.Height;
    } else {
        c.dstHost = nullptr;
        if (c.dstMemoryType == CU_MEMORYTYPE_ARRAY)
            result = check_array_box(s_, c.dstArray, c.dstXInBytes, c.dstY, c.dstZ, c.WidthInBytes, c.Height,
                                     c.Depth);
        else
            result = check_box(s_, c.dstMemoryType, c.dstDevice, c.dstPitch, c.dstHeight, c.dstXInBytes,
                               c.dstY, c.dstZ, c.WidthInBytes, c.Height, c.Depth);
    }
    return result;
}

CUresult NodeParams::host(const wire::GraphSides& sides, uint64_t graph, bool* peer) {
    if (s_.graphs.in_body(graph)) return CUDA_ERROR_NOT_SUPPORTED;
    CUresult result = CUDA_SUCCESS;
    const Kept* kept = make(Kept::Kind::kHostFunction, sides.source, &result, peer);
    if (kept == nullptr) return result;
    params.host.fn = pass_host_point;
    params.host.userData = kept->point;
    items_.push_back({PlanItem::Kind::kFunction, nullptr, sides.source});
    return result;
}

CUresult NodeParams::allocation(const wire::GraphSides& sides, std::span<const uint8_t> extra, bool* peer) {
    auto& a = params.alloc;
    if (!array_of(extra, &access_)) return CUDA_ERROR_INVALID_VALUE;
    const int ordinal = a.poolProps.location.id;
    CUresult result = s_.localise(a.poolProps);
    for (CUmemAccessDesc& access : access_) {
        if (result == CUDA_SUCCESS) result = s_.localise(access);
    }
    a.accessDescs = access_.empty() ? nullptr : access_.data();
    a.accessDescCount = access_.size();
    a.dptr = 0;
    if (result != CUDA_SUCCESS) return result;
    if (a.bytesize == 0) return CUDA_ERROR_INVALID_VALUE;
    const uint64_t charge =
        a.bytesize > UINT64_MAX - kUnit ? UINT64_MAX : (a.bytesize + kUnit - 1) / kUnit * kUnit;
    charged_device_ = s_.gpu_of_lease(ordinal);
    if (!s_.memory.charge(charged_device_, charge)) return CUDA_ERROR_OUT_OF_MEMORY;
    charged_ = charge;
    make(Kept::Kind::kGraphMemory, sides.source, &result, peer);
    return result;
}

bool NodeParams::decode(std::span<const uint8_t> from, std::span<const uint8_t> sides_from,
                        std::span<const uint8_t> extra, uint64_t graph, CUresult* result) {
    wire::GraphSides sides;
    if (from.size() != sizeof params || sides_from.size() != sizeof sides) return false;
    memcpy(&params, from.data(), sizeof params);
    memcpy(&sides, sides_from.data(), sizeof sides);
    if (*result != CUDA_SUCCESS) return true;
    bool peer = false;
    switch (params.type) {
        case CU_GRAPH_NODE_TYPE_KERNEL:
            *result = kernel(extra);
            break;
        case CU_GRAPH_NODE_TYPE_MEMCPY:
            *result = copy(sides, graph, &peer);
            break;
        case CU_GRAPH_NODE_TYPE_MEMSET: {
            params.memset.ctx = context(params.memset.ctx, result);
            const auto& set = params.memset;
            CUDA_MEMSET_NODE_PARAMS checked{set.dst,         set.pitch, set.value,
                                            set.elementSize, set.width, set.height};
            if (*result == CUDA_SUCCESS) *result = s_.localise(checked);
            break;
        }
        case CU_GRAPH_NODE_TYPE_HOST:
            *result = host(sides, graph, &peer);
            break;
        case CU_GRAPH_NODE_TYPE_GRAPH:
            params.graph.graph = by_name(s_, params.graph.graph, result);
            break;
        case CU_GRAPH_NODE_TYPE_EMPTY:
            break;
        case CU_GRAPH_NODE_TYPE_WAIT_EVENT:
            params.eventWait.event = by_name(s_, params.eventWait.event, result);
            break;
        case CU_GRAPH_NODE_TYPE_EVENT_RECORD: {
            const uint64_t name = reinterpret_cast<uint64_t>(params.eventRecord.event);
            params.eventRecord.event = by_name(s_, params.eventRecord.event, result);
            items_.push_back({PlanItem::Kind::kEvent, nullptr, name, params.eventRecord.event});
            s_.graphs.may_touch_client();
            break;
        }
        case CU_GRAPH_NODE_TYPE_BATCH_MEM_OP:
            if (!array_of(extra, &operations_)) return false;
            params.memOp.ctx = context(params.memOp.ctx, result);
            params.memOp.count = static_cast<unsigned>(operations_.size());
            params.memOp.paramArray = operations_.empty() ? nullptr : operations_.data();
            for (CUstreamBatchMemOpParams& operation : operations_) {
                if (*result == CUDA_SUCCESS) *result = s_.localise(operation);
            }
            break;
        case CU_GRAPH_NODE_TYPE_MEM_ALLOC:
            *result = allocation(sides, extra, &peer);
            break;
        case CU_GRAPH_NODE_TYPE_MEM_FREE:
            if (!s_.memory.within(params.free.dptr, 1)) *result = CUDA_ERROR_INVALID_VALUE;
            break;
        case CU_GRAPH_NODE_TYPE_CONDITIONAL:
            params.conditional.phGraph_out = nullptr;
            params.conditional.ctx = context(params.conditional.ctx, result);
            if (params.conditional.size == 0 || params.conditional.size > wire::kMostBodies ||
                s_.conditionals.count(params.conditional.handle) == 0)
                *result = CUDA_ERROR_INVALID_VALUE;
            break;
        case CU_GRAPH_NODE_TYPE_EXT_SEMAS_SIGNAL:
        case CU_GRAPH_NODE_TYPE_EXT_SEMAS_WAIT:
            *result = CUDA_ERROR_NOT_SUPPORTED;
            break;
        default:
            *result = CUDA_ERROR_INVALID_VALUE;
            break;
    }
    return !peer;
}

std::vector<PlanItem> NodeParams::items(CUgraphNode node) const {
    std::vector<PlanItem> placed = items_;
    for (PlanItem& item : placed) item.top = node;
    return placed;
}

void NodeParams::place(CUgraph graph, uint64_t graph_name) {
    for (Kept* kept : take()) s_.kept.place(kept, graph, graph_name);
}

void NodeParams::keep_memory(CUgraph graph, uint64_t graph_name, CUdeviceptr address) {
    const uint64_t charge = std::exchange(charged_, 0);
    s_.memory.add(address, {params.alloc.bytesize, charged_device_, charge, 0, false, 0, nullptr, true});
    for (Kept* kept : made_) kept->address = address;
    place(graph, graph_name);
}

}  // namespace bitfusion::worker
