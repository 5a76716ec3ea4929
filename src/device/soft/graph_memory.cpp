#include "device/soft/graph_memory.h"

#include <algorithm>

#include "device/soft/capture.h"
#include "device/soft/graph_entry.h"
#include "device/soft/serve.h"
#include "driver_table.gen.h"

namespace bitfusion::soft {

std::shared_ptr<GraphMemory> GraphMemory::take(Gpu& gpu, uint64_t bytes) {
    const uint64_t address = gpu.take(bytes);
    if (address == 0) return nullptr;
    auto memory = std::make_shared<GraphMemory>(gpu, address, bytes);
    Allocation allocation;
    allocation.base = address;
    allocation.bytes = bytes;
    allocation.taken = bytes;
    allocation.kind = MemoryKind::kGraph;
    allocation.gpu = &gpu;
    allocation.id = driver().memory.next_id();
    driver().memory.add(std::move(allocation));
    return memory;
}

GraphMemory::GraphMemory(Gpu& of, uint64_t at, uint64_t size) : gpu(of), address(at), bytes(size) {
    gpu.graph_memory().add(gpu.arena().round_up(bytes));
}

GraphMemory::~GraphMemory() {
    driver().memory.remove(address, {MemoryKind::kGraph});
    gpu.graph_memory().subtract(gpu.arena().round_up(bytes));
    gpu.give(address, bytes);
}

CUresult capture_allocation(const ContextPtr& context, Stream& stream, uint64_t bytes, CUdeviceptr* out) {
    if (stream.capture->invalid) return CUDA_ERROR_STREAM_CAPTURE_INVALIDATED;
    AllocateWork work;
    work.memory = GraphMemory::take(context->gpu, bytes);
    if (work.memory == nullptr) return CUDA_ERROR_OUT_OF_MEMORY;
    work.parameters.poolProps.allocType = CU_MEM_ALLOCATION_TYPE_PINNED;
    work.parameters.poolProps.location.type = CU_MEM_LOCATION_TYPE_DEVICE;
    work.parameters.poolProps.location.id = context->gpu.ordinal();
    work.parameters.bytesize = bytes;
    work.parameters.dptr = work.memory->address;
    *out = work.memory->address;
    return capture_work(context, stream, std::move(work));
}

CUresult plan_allocation(const CUDA_MEM_ALLOC_NODE_PARAMS& parameters, AllocateWork* work) {
    const CUmemPoolProps& properties = parameters.poolProps;
    if (parameters.bytesize == 0 || properties.allocType != CU_MEM_ALLOCATION_TYPE_PINNED)
        return CUDA_ERROR_INVALID_VALUE;
    if (properties.location.type != CU_MEM_LOCATION_TYPE_DEVICE ||
        properties.handleTypes != CU_MEM_HANDLE_TYPE_NONE)
        return CUDA_ERROR_NOT_SUPPORTED;
    if (parameters.accessDescCount != 0 && parameters.accessDescs == nullptr) return CUDA_ERROR_INVALID_VALUE;
    Gpu* gpu = driver().gpu_of(properties.location.id);
    if (gpu == nullptr) return CUDA_ERROR_INVALID_DEVICE;
    work->memory = GraphMemory::take(*gpu, parameters.bytesize);
    if (work->memory == nullptr) return CUDA_ERROR_OUT_OF_MEMORY;
    work->parameters = parameters;
    work->parameters.dptr = work->memory->address;
    // The list of peers belongs to the caller; every device of this driver may copy to and from the memory.
    work->parameters.accessDescs = nullptr;
    work->parameters.accessDescCount = 0;
    return CUDA_SUCCESS;
}

bool is_graph_memory(CUdeviceptr address) {
    const auto found = driver().memory.find(address);
    return found && found->base == address && found->kind == MemoryKind::kGraph;
}

namespace {

CUresult cuGraphAddMemAllocNode(CUgraphNode* out, CUgraph handle, const CUgraphNode* after, size_t count,
                                CUDA_MEM_ALLOC_NODE_PARAMS* parameters) {
    return entry_on_graph(handle, [&](const GraphPtr& graph) {
        if (out == nullptr || parameters == nullptr) return CUDA_ERROR_INVALID_VALUE;
        AllocateWork work;
        CUresult result = plan_allocation(*parameters, &work);
        if (result != CUDA_SUCCESS) return result;
        const CUdeviceptr address = work.parameters.dptr;
        result = graph->add(std::move(work), nullptr, after, nullptr, count, out);
        if (result == CUDA_SUCCESS) parameters->dptr = address;
        return result;
    });
}

CUresult cuGraphMemAllocNodeGetParams(CUgraphNode handle, CUDA_MEM_ALLOC_NODE_PARAMS* out) {
    return entry_on_node(handle, [&](GraphNode& node) {
        const auto* work = std::get_if<AllocateWork>(&node.work);
        if (work == nullptr || out == nullptr) return CUDA_ERROR_INVALID_VALUE;
        *out = work->parameters;
        return CUDA_SUCCESS;
    });
}

CUresult cuGraphAddMemFreeNode(CUgraphNode* out, CUgraph handle, const CUgraphNode* after, size_t count,
                               CUdeviceptr address) {
    return entry_on_graph(handle, [&](const GraphPtr& graph) {
        if (out == nullptr || !is_graph_memory(address)) return CUDA_ERROR_INVALID_VALUE;
        return graph->add(FreeWork{address}, nullptr, after, nullptr, count, out);
    });
}

CUresult cuGraphMemFreeNodeGetParams(CUgraphNode handle, CUdeviceptr* out) {
    return entry_on_node(handle, [&](GraphNode& node) {
        const auto* work = std::get_if<FreeWork>(&node.work);
        if (work == nullptr || out == nullptr) return CUDA_ERROR_INVALID_VALUE;
        *out = work->address;
        return CUDA_SUCCESS;
    });
}

CUresult cuDeviceGraphMemTrim(CUdevice device) {
    return entry_initialized([&] {
        // Memory goes back with the last graph that uses it; there is never a rest to trim.
        return driver().gpu_of(device) == nullptr ? CUDA_ERROR_INVALID_DEVICE : CUDA_SUCCESS;
    });
}

CUresult cuDeviceGetGraphMemAttribute(CUdevice device, CUgraphMem_attribute attribute, void* value) {
    return entry_initialized([&] {
        Gpu* gpu = driver().gpu_of(device);
        if (gpu == nullptr) return CUDA_ERROR_INVALID_DEVICE;
        if (value == nullptr) return CUDA_ERROR_INVALID_VALUE;
        auto* out = static_cast<cuuint64_t*>(value);
        switch (attribute) {
            case CU_GRAPH_MEM_ATTR_USED_MEM_CURRENT:
            case CU_GRAPH_MEM_ATTR_RESERVED_MEM_CURRENT:
                *out = gpu->graph_memory().now();
                return CUDA_SUCCESS;
            case CU_GRAPH_MEM_ATTR_USED_MEM_HIGH:
            case CU_GRAPH_MEM_ATTR_RESERVED_MEM_HIGH:
                *out = gpu->graph_memory().high();
                return CUDA_SUCCESS;
            default:
                return CUDA_ERROR_INVALID_VALUE;
        }
    });
}

CUresult cuDeviceSetGraphMemAttribute(CUdevice device, CUgraphMem_attribute attribute, void* value) {
    return entry_initialized([&] {
        Gpu* gpu = driver().gpu_of(device);
        if (gpu == nullptr) return CUDA_ERROR_INVALID_DEVICE;
        if (value == nullptr || *static_cast<const cuuint64_t*>(value) != 0) return CUDA_ERROR_INVALID_VALUE;
        if (attribute != CU_GRAPH_MEM_ATTR_USED_MEM_HIGH && attribute != CU_GRAPH_MEM_ATTR_RESERVED_MEM_HIGH)
            return CUDA_ERROR_INVALID_VALUE;
        gpu->graph_memory().reset_high();
        return CUDA_SUCCESS;
    });
}

}  // namespace

void serve_graph_memory(DriverTable* table) {
    BF_SERVE(cuGraphAddMemAllocNode);
    BF_SERVE(cuGraphMemAllocNodeGetParams);
    BF_SERVE(cuGraphAddMemFreeNode);
    BF_SERVE(cuGraphMemFreeNodeGetParams);
    BF_SERVE(cuDeviceGraphMemTrim);
    BF_SERVE(cuDeviceGetGraphMemAttribute);
    BF_SERVE(cuDeviceSetGraphMemAttribute);
}

}  // namespace bitfusion::soft
