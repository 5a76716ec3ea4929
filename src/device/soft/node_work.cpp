#include "device/soft/node_work.h"

#include "device/soft/conditional.h"
#include "device/soft/driver.h"
#include "device/soft/entry.h"
#include "device/soft/graph.h"
#include "device/soft/graph_memory.h"
#include "device/soft/launch.h"
#include "device/soft/memset.h"
#include "device/soft/module.h"
#include "device/soft/stream_value.h"

namespace bitfusion::soft {
namespace {

CUresult live_context(CUcontext handle, ContextPtr* context) {
    const CUresult result = context_of(handle, context);
    return result != CUDA_SUCCESS ? result : (*context)->fault();
}

}  // namespace

CUresult place_kernel(const CUDA_KERNEL_NODE_PARAMS* parameters, PlacedWork* out) {
    if (parameters == nullptr) return CUDA_ERROR_INVALID_VALUE;
    LaunchParameters launch;
    launch.function = parameters->func != nullptr ? parameters->func
                                                  : handle_from<CUfunction>(handle_number(parameters->kern));
    // A CUfunction brings its own context along; a CUkernel runs where the parameters or the thread say.
    const FunctionPtr function = driver().functions.find(launch.function);
    CUresult result = CUDA_SUCCESS;
    if (function != nullptr) {
        out->context = function->context.lock();
        if (out->context == nullptr) return CUDA_ERROR_CONTEXT_IS_DESTROYED;
        result = out->context->fault();
    } else {
        result = live_context(parameters->ctx, &out->context);
    }
    if (result != CUDA_SUCCESS) return result;
    launch.grid[0] = parameters->gridDimX;
    launch.grid[1] = parameters->gridDimY;
    launch.grid[2] = parameters->gridDimZ;
    launch.block[0] = parameters->blockDimX;
    launch.block[1] = parameters->blockDimY;
    launch.block[2] = parameters->blockDimZ;
    launch.shared_bytes = parameters->sharedMemBytes;
    launch.kernel_parameters = parameters->kernelParams;
    launch.extra = parameters->extra;
    KernelWork work;
    result = plan_launch(out->context, launch, &work);
    if (result == CUDA_SUCCESS) out->work = std::move(work);
    return result;
}

CUresult place_copy(const CUDA_MEMCPY3D* copy, CUcontext context, PlacedWork* out) {
    if (copy == nullptr) return CUDA_ERROR_INVALID_VALUE;
    CUresult result = live_context(context, &out->context);
    CopyWork work;
    if (result == CUDA_SUCCESS) result = plan_box(*copy, &work.plan);
    if (result == CUDA_SUCCESS) out->work = std::move(work);
    return result;
}

CUresult place_set(const CUDA_MEMSET_NODE_PARAMS* set, CUcontext context, PlacedWork* out) {
    if (set == nullptr) return CUDA_ERROR_INVALID_VALUE;
    CUresult result = live_context(context, &out->context);
    if (result == CUDA_SUCCESS) result = check_set(*set);
    if (result == CUDA_SUCCESS) out->work = SetWork{*set};
    return result;
}

CUresult place_host(const CUDA_HOST_NODE_PARAMS* host, PlacedWork* out) {
    if (host == nullptr || host->fn == nullptr) return CUDA_ERROR_INVALID_VALUE;
    // A host function belongs to no context; it runs in the one that launches it.
    out->context = nullptr;
    out->work = HostWork{host->fn, host->userData};
    return CUDA_SUCCESS;
}

CUresult place_child(CUgraph handle, PlacedWork* out) {
    const GraphPtr graph = driver().graphs.find(handle);
    if (graph == nullptr) return CUDA_ERROR_INVALID_VALUE;
    GraphPtr copy = graph->clone();
    copy->child = true;
    driver().graphs.add(copy->handle, copy);
    out->work = ChildWork{std::move(copy)};
    return CUDA_SUCCESS;
}

CUresult place_record(CUevent handle, PlacedWork* out) {
    const EventPtr event = driver().events.find(handle);
    if (event == nullptr) return CUDA_ERROR_INVALID_HANDLE;
    out->context = event->context.lock();
    out->work = RecordWork{event};
    return out->context == nullptr ? CUDA_ERROR_CONTEXT_IS_DESTROYED : CUDA_SUCCESS;
}

CUresult place_wait(CUevent handle, PlacedWork* out) {
    const EventPtr event = driver().events.find(handle);
    if (event == nullptr) return CUDA_ERROR_INVALID_HANDLE;
    out->context = event->context.lock();
    out->work = WaitWork{event};
    return out->context == nullptr ? CUDA_ERROR_CONTEXT_IS_DESTROYED : CUDA_SUCCESS;
}

CUresult place_values(const CUDA_BATCH_MEM_OP_NODE_PARAMS* values, PlacedWork* out) {
    constexpr unsigned kMostOperations = 256;
    if (values == nullptr || values->count > kMostOperations || values->flags != 0)
        return CUDA_ERROR_INVALID_VALUE;
    if (values->count != 0 && values->paramArray == nullptr) return CUDA_ERROR_INVALID_VALUE;
    CUresult result = live_context(values->ctx, &out->context);
    if (result == CUDA_SUCCESS) result = check_values(values->paramArray, values->count);
    if (result != CUDA_SUCCESS) return result;
    ValueWork work;
    work.context = out->context->handle;
    work.operations.assign(values->paramArray, values->paramArray + values->count);
    out->work = std::move(work);
    return CUDA_SUCCESS;
}

CUresult place_any(const CUgraphNodeParams* parameters, PlacedWork* out) {
    if (parameters == nullptr) return CUDA_ERROR_INVALID_VALUE;
    switch (parameters->type) {
        case CU_GRAPH_NODE_TYPE_KERNEL: {
            const auto& kernel = parameters->kernel;
            CUDA_KERNEL_NODE_PARAMS known{};
            known.func = kernel.func;
            known.gridDimX = kernel.gridDimX;
            known.gridDimY = kernel.gridDimY;
            known.gridDimZ = kernel.gridDimZ;
            known.blockDimX = kernel.blockDimX;
            known.blockDimY = kernel.blockDimY;
            known.blockDimZ = kernel.blockDimZ;
            known.sharedMemBytes = kernel.sharedMemBytes;
            known.kernelParams = kernel.kernelParams;
            known.extra = kernel.extra;
            known.kern = kernel.kern;
            known.ctx = kernel.ctx;
            return place_kernel(&known, out);
        }
        case CU_GRAPH_NODE_TYPE_MEMCPY:
            return place_copy(&parameters->memcpy.copyParams, parameters->memcpy.copyCtx, out);
        case CU_GRAPH_NODE_TYPE_MEMSET: {
            const auto& set = parameters->memset;
            CUDA_MEMSET_NODE_PARAMS known{};
            known.dst = set.dst;
            known.pitch = set.pitch;
            known.value = set.value;
            known.elementSize = set.elementSize;
            known.width = set.width;
            known.height = set.height;
            return place_set(&known, set.ctx, out);
        }
        case CU_GRAPH_NODE_TYPE_HOST: {
            const CUDA_HOST_NODE_PARAMS host{parameters->host.fn, parameters->host.userData};
            return place_host(&host, out);
        }
        case CU_GRAPH_NODE_TYPE_GRAPH:
            if (parameters->graph.ownership != CU_GRAPH_CHILD_GRAPH_OWNERSHIP_CLONE)
                return CUDA_ERROR_NOT_SUPPORTED;
            return place_child(parameters->graph.graph, out);
        case CU_GRAPH_NODE_TYPE_EMPTY:
            out->work = EmptyWork{};
            return CUDA_SUCCESS;
        case CU_GRAPH_NODE_TYPE_WAIT_EVENT:
            return place_wait(parameters->eventWait.event, out);
        case CU_GRAPH_NODE_TYPE_EVENT_RECORD:
            return place_record(parameters->eventRecord.event, out);
        case CU_GRAPH_NODE_TYPE_BATCH_MEM_OP: {
            const auto& values = parameters->memOp;
            const CUDA_BATCH_MEM_OP_NODE_PARAMS known{values.ctx, values.count, values.paramArray,
                                                      values.flags};
            return place_values(&known, out);
        }
        case CU_GRAPH_NODE_TYPE_MEM_ALLOC: {
            const auto& a = parameters->alloc;
            const CUDA_MEM_ALLOC_NODE_PARAMS known{a.poolProps, a.accessDescs, a.accessDescCount, a.bytesize,
                                                   a.dptr};
            AllocateWork work;
            const CUresult result = plan_allocation(known, &work);
            if (result == CUDA_SUCCESS) out->work = std::move(work);
            return result;
        }
        case CU_GRAPH_NODE_TYPE_MEM_FREE:
            out->work = FreeWork{parameters->free.dptr};
            return is_graph_memory(parameters->free.dptr) ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
        case CU_GRAPH_NODE_TYPE_EXT_SEMAS_SIGNAL:
        case CU_GRAPH_NODE_TYPE_EXT_SEMAS_WAIT:
            return CUDA_ERROR_NOT_SUPPORTED;
        case CU_GRAPH_NODE_TYPE_CONDITIONAL: {
            CUDA_CONDITIONAL_NODE_PARAMS known = parameters->conditional;
            ConditionalWork work;
            CUresult result = live_context(known.ctx, &out->context);
            if (result == CUDA_SUCCESS) result = plan_conditional(&known, &work);
            if (result == CUDA_SUCCESS) out->work = std::move(work);
            return result;
        }
        default:
            return CUDA_ERROR_INVALID_VALUE;
    }
}

CUDA_KERNEL_NODE_PARAMS kernel_parameters(KernelWork& work, const ContextPtr& context,
                                          std::vector<void*>* pointers) {
    pointers->clear();
    for (const Parameter& parameter : work.function->kernel().parameters)
        pointers->push_back(work.parameters.data() + parameter.offset);
    CUDA_KERNEL_NODE_PARAMS known{};
    if (driver().kernels.find(handle_from<CUkernel>(handle_number(work.handle))) != nullptr)
        known.kern = handle_from<CUkernel>(handle_number(work.handle));
    else
        known.func = work.handle;
    known.ctx = context != nullptr ? context->handle : nullptr;
    known.gridDimX = work.grid.x;
    known.gridDimY = work.grid.y;
    known.gridDimZ = work.grid.z;
    known.blockDimX = work.block.x;
    known.blockDimY = work.block.y;
    known.blockDimZ = work.block.z;
    known.sharedMemBytes = work.shared_bytes;
    known.kernelParams = pointers->empty() ? nullptr : pointers->data();
    return known;
}

}  // namespace bitfusion::soft
