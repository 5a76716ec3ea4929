#include <list>
#include <memory>

#include "base/log.h"
#include "worker/session.h"
#include "worker/stream_wait.h"
#include "worker_hand.gen.h"

namespace bitfusion::worker {
namespace {

// A context that the client may name: of the right kind, its own naming, and new.
bool may_be_context(const Session& s, uint64_t name) { return s.handles.may_name<CUcontext>(name); }

// The client waits where this flag asks for it: a driver that did would hold up all of the session.
unsigned of_driver(unsigned flags) { return flags & ~static_cast<unsigned>(CU_CTX_SYNC_MEMOPS); }

// What is released or reset is what the name stands for: its memory is given back with the name.
CUresult check_primary(const Session& s, uint32_t device, uint64_t name) {
    return name != 0 && s.primary_name(static_cast<int>(device)) == name ? CUDA_SUCCESS
                                                                         : CUDA_ERROR_INVALID_CONTEXT;
}

// A new context is there and takes its part of the partition; false: it is more than that.
bool context_fits(Session& s, int ordinal) {
    const int gpu = s.gpu_of_lease(ordinal);
    if (s.overhead.fits(gpu)) return true;
    BF_LOG(
        "worker", kWarn,
        "a context needs more than is left of the partition of %llu MiB, and is refused; take a larger one "
        "(-m or -p)",
        static_cast<unsigned long long>(s.memory.partition() >> 20));
    return false;
}

// A stream of a context that is synchronised, until what was on it is done.
struct BusyStream {
    uint64_t name;
    CUstream stream;
    StreamWait wait;
};

CUresult ask_all(Session& s, std::list<BusyStream>* busy) {
    CUresult result = CUDA_SUCCESS;
    std::erase_if(*busy, [&](BusyStream& one) {
        CUresult known = CUDA_SUCCESS;  // it may have been destroyed since
        if (one.name != 0 && s.handles.find<CUstream>(one.name, &known) != one.stream) return true;
        const CUresult state = one.wait.ask();
        if (state == CUDA_SUCCESS || one.wait.passed()) return true;
        if (result == CUDA_SUCCESS || result == CUDA_ERROR_NOT_READY) result = state;
        return false;
    });
    return result;
}

}  // namespace

void serve(Session& s, const Frame& frame, const msg::PrimaryRetain& m) {
    CUresult result = CUDA_SUCCESS;
    const CUdevice device = s.device(static_cast<int>(m.device), &result);
    if (result == CUDA_SUCCESS && !may_be_context(s, m.context)) return s.peer_is_wrong(frame, "context");
    // One name each: with a second one the release of the first would give back memory that is still there.
    const int ordinal = static_cast<int>(m.device);
    if (result == CUDA_SUCCESS && s.primary_name(ordinal) != 0) return s.peer_is_wrong(frame, "context");
    CUcontext context = nullptr;
    if (result == CUDA_SUCCESS) result = s.driver.cuDevicePrimaryCtxRetain(&context, device);
    msg::PrimaryRetain::Reply reply;
    if (result == CUDA_SUCCESS) {
        s.bind_context(m.context, context, ordinal, true);
        int active = 0;
        s.driver.cuDevicePrimaryCtxGetState(device, &reply.flags, &active);
        if (!context_fits(s, ordinal)) {
            result = CUDA_ERROR_OUT_OF_MEMORY;
            s.forget_context(m.context);
            s.driver.cuDevicePrimaryCtxRelease_v2(device);
            s.overhead.look(s.gpu_of_lease(ordinal));
        }
    }
    s.reply_with(frame, result, reply);
}

void serve(Session& s, const Frame& frame, const msg::PrimaryRelease& m) {
    CUresult result = CUDA_SUCCESS;
    const CUdevice device = s.device(static_cast<int>(m.device), &result);
    if (result == CUDA_SUCCESS) result = check_primary(s, m.device, m.context);
    if (result == CUDA_SUCCESS) {
        s.forget_context(m.context);
        result = s.driver.cuDevicePrimaryCtxRelease_v2(device);
        s.overhead.look(s.gpu_of_lease(static_cast<int>(m.device)));
    }
    s.reply_status(frame, result);
}

void serve(Session& s, const Frame& frame, const msg::PrimaryReset& m) {
    CUresult result = CUDA_SUCCESS;
    const CUdevice device = s.device(static_cast<int>(m.device), &result);
    if (result == CUDA_SUCCESS) result = check_primary(s, m.device, m.context);
    if (result == CUDA_SUCCESS) {
        // The name is free again: the client retains the context anew before it is next used.
        s.forget_context(m.context);
        result = s.driver.cuDevicePrimaryCtxReset_v2(device);
        s.overhead.look(s.gpu_of_lease(static_cast<int>(m.device)));
    }
    s.reply_status(frame, result);
}

void serve(Session& s, const Frame& frame, const msg::PrimarySetFlags& m) {
    CUresult result = CUDA_SUCCESS;
    const CUdevice device = s.device(static_cast<int>(m.device), &result);
    if (result == CUDA_SUCCESS) result = s.driver.cuDevicePrimaryCtxSetFlags_v2(device, of_driver(m.flags));
    s.reply_status(frame, result);
}

void serve(Session& s, const Frame& frame, const msg::ContextCreate& m) {
    CUresult result = CUDA_SUCCESS;
    const CUdevice device = s.device(static_cast<int>(m.device), &result);
    if (!may_be_context(s, m.context)) return s.peer_is_wrong(frame, "context");
    CUcontext context = nullptr;
    if (result == CUDA_SUCCESS) {
        // Drivers before CUDA 13 lack the newest form; without parameters all mean the same.
        if (s.driver.cuCtxCreate_v4 != nullptr)
            result = s.driver.cuCtxCreate_v4(&context, nullptr, of_driver(m.flags), device);
        else
            result = CUDA_ERROR_NOT_SUPPORTED;
    }
    if (result == CUDA_SUCCESS) {
        // Creation makes it current on this thread; which context is current is the client's to say.
        CUcontext popped = nullptr;
        s.driver.cuCtxPopCurrent_v2(&popped);
        s.bind_context(m.context, context, static_cast<int>(m.device), false);
        if (!context_fits(s, static_cast<int>(m.device))) {
            result = CUDA_ERROR_OUT_OF_MEMORY;
            s.forget_context(m.context);
            s.driver.cuCtxDestroy_v2(context);
            s.overhead.look(s.gpu_of_lease(static_cast<int>(m.device)));
        }
    }
    s.reply_status(frame, result);
}

void serve(Session& s, const Frame& frame, const msg::ContextDestroy& m) {
    CUresult result = CUDA_SUCCESS;
    const CUcontext context = s.handles.find<CUcontext>(m.context, &result);
    if (result == CUDA_SUCCESS && s.is_primary(m.context)) result = CUDA_ERROR_INVALID_CONTEXT;
    if (result == CUDA_SUCCESS && context != nullptr) {
        const int gpu = s.gpu_of_context(m.context);
        s.forget_context(m.context);
        result = s.driver.cuCtxDestroy_v2(context);
        s.overhead.look(gpu);
    }
    s.reply_status(frame, result);
}

void serve(Session& s, const Frame& frame, const msg::ContextSynchronize& m) {
    CUresult result = CUDA_SUCCESS;
    const CUcontext context = s.handles.find<CUcontext>(m.context, &result);
    if (result != CUDA_SUCCESS || context == nullptr)
        return s.reply_status(frame, result != CUDA_SUCCESS ? result : CUDA_ERROR_INVALID_CONTEXT);
    auto busy = std::make_shared<std::list<BusyStream>>();
    busy->push_back({0, CU_STREAM_LEGACY, {&s, m.context, CU_STREAM_LEGACY}});
    s.handles.each_stream(m.context, [&](CUstream stream) {
        busy->push_back({s.handles.known_name(stream), stream, {&s, m.context, stream}});
    });
    const uint64_t name = m.context;
    s.wait({[&s, context, name, busy] {
                CUresult state = s.driver.cuCtxPushCurrent_v2(context);
                if (state != CUDA_SUCCESS) return state;
                state = ask_all(s, busy.get());
                // What came meanwhile is waited for too: the driver's own synchronisation, which flushes what
                // kernels printed, must have nothing left to wait for.
                if (state == CUDA_SUCCESS) state = s.driver.cuStreamQuery(CU_STREAM_LEGACY);
                s.handles.each_stream(name, [&](CUstream stream) {
                    if (state == CUDA_SUCCESS) state = s.driver.cuStreamQuery(stream);
                });
                if (state == CUDA_SUCCESS) state = s.driver.cuCtxSynchronize();
                CUcontext popped = nullptr;
                s.driver.cuCtxPopCurrent_v2(&popped);
                return state;
            },
            [&s, frame](CUresult state) {
                s.announce_printed(true);
                s.reply_status(frame, state);
            }});
}

CUresult cuCtxSetLimit(Session& s, CUlimit limit, size_t value) {
    const int gpu = s.current_device();
    CUresult room = CUDA_SUCCESS;
    if (limit == CU_LIMIT_STACK_SIZE) room = s.overhead.may_stack(gpu, s.context_name(), value);
    if (limit == CU_LIMIT_MALLOC_HEAP_SIZE || limit == CU_LIMIT_PRINTF_FIFO_SIZE)
        room = s.overhead.may_grow(gpu, value);
    if (room != CUDA_SUCCESS) return room;
    const CUresult result = s.driver.cuCtxSetLimit(limit, value);
    s.overhead.changed(gpu);
    return result;
}

}  // namespace bitfusion::worker
