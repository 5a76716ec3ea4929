#include <algorithm>
#include <cstring>

#include "device/soft/capture.h"
#include "device/soft/entry.h"
#include "device/soft/serve.h"
#include "driver_table.gen.h"

namespace bitfusion::soft {
namespace {

CUresult make_stream(const ContextPtr& context, CUstream* out, unsigned flags, int priority) {
    if (out == nullptr || (flags & ~static_cast<unsigned>(CU_STREAM_NON_BLOCKING)) != 0)
        return CUDA_ERROR_INVALID_VALUE;
    auto stream =
        std::make_shared<Stream>(Stream::Kind::kCreated, driver().streams.issue(), context, flags,
                                 std::clamp(priority, kGreatestPriority, kLeastPriority), driver().next_id());
    {
        const std::lock_guard lock(driver().scheduler.mutex());
        stream->tail = context->barrier;
        context->streams.push_back(stream);
    }
    *out = stream->handle;
    driver().streams.add(stream->handle, stream);
    return CUDA_SUCCESS;
}

CUresult cuStreamCreate(CUstream* out, unsigned int flags) {
    return entry_in_context(
        [&](const ContextPtr& context) { return make_stream(context, out, flags, kLeastPriority); });
}

CUresult cuStreamCreateWithPriority(CUstream* out, unsigned int flags, int priority) {
    return entry_in_context(
        [&](const ContextPtr& context) { return make_stream(context, out, flags, priority); });
}

CUresult cuStreamDestroy_v2(CUstream handle) {
    return entry_in_context([&](const ContextPtr&) {
        if (handle == nullptr || handle == CU_STREAM_LEGACY || handle == CU_STREAM_PER_THREAD)
            return CUDA_ERROR_INVALID_HANDLE;
        const StreamPtr stream = driver().streams.find(handle);
        if (stream == nullptr) return CUDA_ERROR_INVALID_HANDLE;
        if (stream->capturing.load(std::memory_order_acquire)) return forbid_on_capturing(*stream);
        if (driver().streams.remove(handle) == nullptr) return CUDA_ERROR_INVALID_HANDLE;
        const ContextPtr owner = stream->context.lock();
        if (owner == nullptr) return CUDA_SUCCESS;
        // What is queued goes on; the context remembers it so that synchronising still waits for it.
        const std::lock_guard lock(driver().scheduler.mutex());
        std::erase(owner->streams, stream);
        std::erase_if(owner->orphans, [](const Context::Orphan& orphan) { return orphan.tail->done(); });
        if (stream->tail != nullptr && !stream->tail->done())
            owner->orphans.push_back({stream->tail, stream->blocking()});
        return CUDA_SUCCESS;
    });
}

CUresult cuStreamSynchronize(CUstream handle) {
    return entry_on_stream(handle, [&](const ContextPtr& context, const StreamPtr& stream) {
        if (stream->capturing.load(std::memory_order_acquire)) return forbid_on_capturing(*stream);
        const CUresult implicit = forbid_implicit(context, *stream);
        if (implicit != CUDA_SUCCESS) return implicit;
        std::vector<TaskPtr> tails;
        {
            const std::lock_guard lock(driver().scheduler.mutex());
            tails = tails_locked(*context, *stream);
        }
        driver().scheduler.wait(tails);
        context->prints.flush();
        return context->fault();
    });
}

CUresult cuStreamQuery(CUstream handle) {
    return entry_on_stream(handle, [&](const ContextPtr& context, const StreamPtr& stream) {
        if (stream->capturing.load(std::memory_order_acquire)) return forbid_on_capturing(*stream);
        const CUresult implicit = forbid_implicit(context, *stream);
        if (implicit != CUDA_SUCCESS) return implicit;
        const std::lock_guard lock(driver().scheduler.mutex());
        if (!tails_locked(*context, *stream).empty()) return CUDA_ERROR_NOT_READY;
        return context->fault();
    });
}

CUresult cuStreamGetFlags(CUstream handle, unsigned int* flags) {
    return entry_on_stream(handle, [&](const ContextPtr&, const StreamPtr& stream) {
        if (flags == nullptr) return CUDA_ERROR_INVALID_VALUE;
        *flags = stream->flags;
        return CUDA_SUCCESS;
    });
}

CUresult cuStreamGetPriority(CUstream handle, int* priority) {
    return entry_on_stream(handle, [&](const ContextPtr&, const StreamPtr& stream) {
        if (priority == nullptr) return CUDA_ERROR_INVALID_VALUE;
        *priority = stream->priority;
        return CUDA_SUCCESS;
    });
}

CUresult cuStreamGetId(CUstream handle, unsigned long long* id) {
    return entry_on_stream(handle, [&](const ContextPtr&, const StreamPtr& stream) {
        if (id == nullptr) return CUDA_ERROR_INVALID_VALUE;
        *id = stream->id;
        return CUDA_SUCCESS;
    });
}

CUresult cuStreamGetCtx(CUstream handle, CUcontext* out) {
    return entry_on_stream(handle, [&](const ContextPtr& context, const StreamPtr&) {
        if (out == nullptr) return CUDA_ERROR_INVALID_VALUE;
        *out = context->handle;
        return CUDA_SUCCESS;
    });
}

CUresult cuStreamGetCtx_v2(CUstream handle, CUcontext* out, CUgreenCtx* green) {
    return entry_on_stream(handle, [&](const ContextPtr& context, const StreamPtr&) {
        if (out == nullptr || green == nullptr) return CUDA_ERROR_INVALID_VALUE;
        *out = context->handle;
        *green = nullptr;
        return CUDA_SUCCESS;
    });
}

// There are no green contexts here, so no stream belongs to one.
CUresult cuStreamGetGreenCtx(CUstream handle, CUgreenCtx* out) {
    return entry_on_stream(handle, [&](const ContextPtr&, const StreamPtr&) {
        if (out == nullptr) return CUDA_ERROR_INVALID_VALUE;
        *out = nullptr;
        return CUDA_SUCCESS;
    });
}

CUresult cuStreamGetDevice(CUstream handle, CUdevice* out) {
    return entry_on_stream(handle, [&](const ContextPtr& context, const StreamPtr&) {
        if (out == nullptr) return CUDA_ERROR_INVALID_VALUE;
        *out = context->gpu.device();
        return CUDA_SUCCESS;
    });
}

// --- attributes: kept and returned; the software GPU has no L2 window or memory domain that they could steer

CUresult cuStreamGetAttribute(CUstream handle, CUstreamAttrID attribute, CUstreamAttrValue* value) {
    return entry_on_stream(handle, [&](const ContextPtr&, const StreamPtr& stream) {
        if (value == nullptr) return CUDA_ERROR_INVALID_VALUE;
        const std::lock_guard lock(driver().scheduler.mutex());
        switch (attribute) {
            case CU_LAUNCH_ATTRIBUTE_ACCESS_POLICY_WINDOW:
                value->accessPolicyWindow = stream->access_policy;
                return CUDA_SUCCESS;
            case CU_LAUNCH_ATTRIBUTE_SYNCHRONIZATION_POLICY:
                value->syncPolicy = stream->synchronization_policy;
                return CUDA_SUCCESS;
            case CU_LAUNCH_ATTRIBUTE_PRIORITY:
                value->priority = stream->priority;
                return CUDA_SUCCESS;
            case CU_LAUNCH_ATTRIBUTE_MEM_SYNC_DOMAIN_MAP:
                value->memSyncDomainMap.default_ = stream->memory_domain_map[0];
                value->memSyncDomainMap.remote = stream->memory_domain_map[1];
                return CUDA_SUCCESS;
            case CU_LAUNCH_ATTRIBUTE_MEM_SYNC_DOMAIN:
                value->memSyncDomain = stream->memory_domain;
                return CUDA_SUCCESS;
            default:
                return CUDA_ERROR_INVALID_VALUE;
        }
    });
}

CUresult cuStreamSetAttribute(CUstream handle, CUstreamAttrID attribute, const CUstreamAttrValue* value) {
    return entry_on_stream(handle, [&](const ContextPtr&, const StreamPtr& stream) {
        if (value == nullptr) return CUDA_ERROR_INVALID_VALUE;
        const std::lock_guard lock(driver().scheduler.mutex());
        switch (attribute) {
            case CU_LAUNCH_ATTRIBUTE_ACCESS_POLICY_WINDOW:
                if (value->accessPolicyWindow.num_bytes != 0) return CUDA_ERROR_INVALID_VALUE;
                stream->access_policy = value->accessPolicyWindow;
                return CUDA_SUCCESS;
            case CU_LAUNCH_ATTRIBUTE_SYNCHRONIZATION_POLICY:
                if (value->syncPolicy < CU_SYNC_POLICY_AUTO ||
                    value->syncPolicy > CU_SYNC_POLICY_BLOCKING_SYNC)
                    return CUDA_ERROR_INVALID_VALUE;
                stream->synchronization_policy = value->syncPolicy;
                return CUDA_SUCCESS;
            case CU_LAUNCH_ATTRIBUTE_MEM_SYNC_DOMAIN_MAP:
                if (value->memSyncDomainMap.default_ > 3 || value->memSyncDomainMap.remote > 3)
                    return CUDA_ERROR_INVALID_VALUE;
                stream->memory_domain_map = {value->memSyncDomainMap.default_,
                                             value->memSyncDomainMap.remote};
                return CUDA_SUCCESS;
            case CU_LAUNCH_ATTRIBUTE_MEM_SYNC_DOMAIN:
                if (value->memSyncDomain != CU_LAUNCH_MEM_SYNC_DOMAIN_DEFAULT &&
                    value->memSyncDomain != CU_LAUNCH_MEM_SYNC_DOMAIN_REMOTE)
                    return CUDA_ERROR_INVALID_VALUE;
                stream->memory_domain = value->memSyncDomain;
                return CUDA_SUCCESS;
            default:
                return CUDA_ERROR_INVALID_VALUE;
        }
    });
}

CUresult cuStreamCopyAttributes(CUstream to, CUstream from) {
    return entry_on_stream(to, [&](const ContextPtr&, const StreamPtr& target) {
        ContextPtr current;
        StreamPtr source;
        ContextPtr owner;
        CUresult result = current_context(&current);
        if (result == CUDA_SUCCESS) result = find_stream(current, from, &source, &owner);
        if (result != CUDA_SUCCESS) return result;
        const std::lock_guard lock(driver().scheduler.mutex());
        target->access_policy = source->access_policy;
        target->synchronization_policy = source->synchronization_policy;
        target->memory_domain_map = source->memory_domain_map;
        target->memory_domain = source->memory_domain;
        return CUDA_SUCCESS;
    });
}

// --- host functions

CUresult cuLaunchHostFunc(CUstream handle, CUhostFn function, void* data) {
    return entry_on_stream(handle, [&](const ContextPtr& context, const StreamPtr& stream) {
        if (function == nullptr) return CUDA_ERROR_INVALID_VALUE;
        return submit(context, stream, HostWork{function, data});
    });
}

CUresult cuStreamAddCallback(CUstream handle, CUstreamCallback callback, void* data, unsigned int flags) {
    return entry_on_stream(handle, [&](const ContextPtr& context, const StreamPtr& stream) {
        if (callback == nullptr || flags != 0) return CUDA_ERROR_INVALID_VALUE;
        if (stream->capturing.load(std::memory_order_acquire)) return forbid_on_capturing(*stream);
        return submit(context, stream, CallbackWork{callback, handle, data});
    });
}

}  // namespace

void serve_streams(DriverTable* table) {
    BF_SERVE(cuStreamCreate);
    BF_SERVE(cuStreamCreateWithPriority);
    BF_SERVE(cuStreamDestroy_v2);
    BF_SERVE(cuStreamSynchronize);
    BF_SERVE(cuStreamQuery);
    BF_SERVE(cuStreamGetFlags);
    BF_SERVE(cuStreamGetPriority);
    BF_SERVE(cuStreamGetId);
    BF_SERVE(cuStreamGetCtx);
    BF_SERVE(cuStreamGetCtx_v2);
    BF_SERVE(cuStreamGetDevice);
    BF_SERVE(cuStreamGetGreenCtx);
    BF_SERVE(cuStreamGetAttribute);
    BF_SERVE(cuStreamSetAttribute);
    BF_SERVE(cuStreamCopyAttributes);
    BF_SERVE(cuLaunchHostFunc);
    BF_SERVE(cuStreamAddCallback);
}

}  // namespace bitfusion::soft
