#include "client/context.h"

#include <array>
#include <atomic>
#include <map>
#include <mutex>

#include "base/log.h"
#include "client/array.h"
#include "client/device.h"
#include "client/feedback.h"
#include "client/handover.h"
#include "client/managed_pages.h"
#include "client/session.h"
#include "client/thread_state.h"
#include "client_hand.gen.h"
#include "client_remote.gen.h"
#include "wire/names.h"

namespace bitfusion::client {
namespace {

constexpr uint32_t kFirstPrimary = 1;  // counters of primary contexts: 1 + device
constexpr int kMostDevices = 64;
constexpr unsigned kApiVersion = 3020;  // of every context made since CUDA 3.2

struct Created {
    CUdevice device;
    unsigned flags;
    int uses = 1;  // made once, attached since
};

struct Primary {
    std::atomic<int> retained{0};
    std::atomic<unsigned> flags{0};
    bool made = false;  // the worker has it: false again after a reset, until it is next retained
};

struct State {
    std::mutex lock;
    std::map<CUcontext, Created> created;
    Primary primaries[kMostDevices];
};

State& state() {
    static State* const made = std::make_unique<State>().release();  // outlives every exit handler
    return *made;
}

// Plain memory without a destructor: exit handlers of other libraries call the driver after the main thread's
// destructors have run.
constexpr size_t kDeepest = 256;
struct ContextStack {
    std::array<CUcontext, kDeepest> at;
    size_t depth;
    bool empty() const { return depth == 0; }
    bool full() const { return depth == kDeepest; }
    CUcontext back() const { return at[depth - 1]; }
    void push_back(CUcontext context) { at[depth++] = context; }
    void pop_back() { --depth; }
};
struct ThreadContexts {
    ContextStack stack;
};
thread_local ThreadContexts t_contexts{};
constinit thread_local ThreadState t_state;

void settle() {
    t_state.context = t_contexts.stack.empty() ? nullptr : t_contexts.stack.back();
    t_state.device = -1;
    if (t_state.context != nullptr) device_of(t_state.context, &t_state.device);
}

bool primary_device(CUcontext context, CUdevice* device) {
    const auto name = reinterpret_cast<uint64_t>(context);
    if (wire::kind_of(name) != wire::Kind::kContext || name >> 48 != 0) return false;
    const auto counter = static_cast<uint32_t>(name);
    if (counter < kFirstPrimary || counter >= kFirstPrimary + static_cast<uint32_t>(device_count()))
        return false;
    *device = static_cast<CUdevice>(counter - kFirstPrimary);
    return true;
}

Primary* primary_of(CUdevice device) {
    if (device < 0 || device >= device_count()) return nullptr;
    return &state().primaries[device];
}

void note_flags(unsigned flags) {
    if ((flags & CU_CTX_SYNC_MEMOPS) != 0) g_ever_wanted = true;
}

// Who took too small a part of a GPU sees no more than CUDA's "out of memory".
CUresult explained(CUresult result) {
    if (result == CUDA_ERROR_OUT_OF_MEMORY)
        BF_LOG(
            "client", kWarn,
            "there is no room for a context in the memory of this lease; a context takes 0.3 to 0.7 GiB of a "
            "GPU, ask for more with -m or -p");
    return result;
}

CUresult create(CUcontext* context, unsigned flags, CUdevice device) {
    if (context == nullptr) return CUDA_ERROR_INVALID_VALUE;
    if (primary_of(device) == nullptr) return CUDA_ERROR_INVALID_DEVICE;
    if (t_contexts.stack.full()) return CUDA_ERROR_OUT_OF_MEMORY;
    const uint64_t name = name_handle(wire::Kind::kContext);
    const CUresult result =
        call(msg::ContextCreate{static_cast<uint32_t>(device), flags, name}, [](const auto&) {});
    if (result != CUDA_SUCCESS) return explained(result);
    *context = from_wire_name<CUcontext>(name);
    note_flags(flags);
    {
        const std::lock_guard<std::mutex> lock(state().lock);
        state().created[*context] = {device, flags};
        ++g_contexts_made;
    }
    t_contexts.stack.push_back(*context);
    settle();
    return CUDA_SUCCESS;
}

}  // namespace

ThreadState& thread_state() { return t_state; }
uint32_t current_context_name() { return t_state.context_name(); }
CUcontext current_context() { return t_state.context; }
CUdevice current_device() { return t_state.device; }

CUcontext primary_context(CUdevice device) {
    return from_wire_name<CUcontext>(
        wire::make_name(wire::Kind::kContext, false, kFirstPrimary + static_cast<uint32_t>(device)));
}

bool device_of(CUcontext context, CUdevice* device) {
    if (primary_device(context, device)) return true;
    const std::lock_guard<std::mutex> lock(state().lock);
    const auto found = state().created.find(context);
    if (found == state().created.end()) return false;
    *device = found->second.device;
    return true;
}

uint64_t id_of(CUcontext context) { return reinterpret_cast<uint64_t>(context) & 0xffffffffu; }

void forget_contexts() {
    t_contexts.stack.depth = 0;
    settle();
    const std::lock_guard<std::mutex> lock(state().lock);
    state().created.clear();
    g_contexts_made = 0;
    for (Primary& p : state().primaries) {
        p.retained = 0;
        p.flags = 0;
        p.made = false;
    }
}

// ---- primary contexts
// ----------------------------------------------------------------------------------------

CUresult cuDevicePrimaryCtxRetain(CUcontext* pctx, CUdevice dev) {
    if (pctx == nullptr) return CUDA_ERROR_INVALID_VALUE;
    Primary* primary = primary_of(dev);
    if (primary == nullptr) return CUDA_ERROR_INVALID_DEVICE;
    const std::lock_guard<std::mutex> lock(state().lock);
    if (!primary->made) {
        unsigned flags = 0;
        const CUresult result =
            call(msg::PrimaryRetain{static_cast<uint32_t>(dev), wire_name(primary_context(dev))},
                 [&](const auto& reply) { flags = reply.flags; });
        if (result != CUDA_SUCCESS) return explained(result);
        // That one flag is kept here: it is the client who waits.
        primary->flags = flags | (primary->flags & CU_CTX_SYNC_MEMOPS);
        primary->made = true;
        ++g_contexts_made;
    }
    ++primary->retained;
    *pctx = primary_context(dev);
    return CUDA_SUCCESS;
}

CUresult cuDevicePrimaryCtxRelease_v2(CUdevice dev) {
    Primary* primary = primary_of(dev);
    if (primary == nullptr) return CUDA_ERROR_INVALID_DEVICE;
    {
        const std::lock_guard<std::mutex> lock(state().lock);
        if (primary->retained == 0) return CUDA_ERROR_INVALID_CONTEXT;
        if (--primary->retained != 0) return CUDA_SUCCESS;
        if (!primary->made) return CUDA_SUCCESS;
        primary->made = false;
    }
    run_storage_destructors(primary_context(dev));
    return call(msg::PrimaryRelease{static_cast<uint32_t>(dev), wire_name(primary_context(dev))},
                [](const auto&) {});
}

CUresult cuDevicePrimaryCtxReset_v2(CUdevice dev) {
    Primary* primary = primary_of(dev);
    if (primary == nullptr) return CUDA_ERROR_INVALID_DEVICE;
    run_storage_destructors(primary_context(dev));
    {
        const std::lock_guard<std::mutex> lock(state().lock);
        if (!primary->made) return CUDA_SUCCESS;
        primary->made = false;
    }
    unmanage_pages_of(primary_context(dev));
    forget_objects_of(primary_context(dev));
    forget_arrays_of(primary_context(dev));
    forget_textures_of(primary_context(dev));
    return call(msg::PrimaryReset{static_cast<uint32_t>(dev), wire_name(primary_context(dev))},
                [](const auto&) {});
}

CUresult cuDevicePrimaryCtxSetFlags_v2(CUdevice dev, unsigned int flags) {
    Primary* primary = primary_of(dev);
    if (primary == nullptr) return CUDA_ERROR_INVALID_DEVICE;
    const CUresult result = call(msg::PrimarySetFlags{static_cast<uint32_t>(dev), flags}, [](const auto&) {});
    if (result != CUDA_SUCCESS) return result;
    primary->flags = flags;
    note_flags(flags);
    return result;
}

CUresult cuDevicePrimaryCtxGetState(CUdevice dev, unsigned int* flags, int* active) {
    const Primary* primary = primary_of(dev);
    if (primary == nullptr) return CUDA_ERROR_INVALID_DEVICE;
    if (flags == nullptr || active == nullptr) return CUDA_ERROR_INVALID_VALUE;
    *flags = primary->flags.load(std::memory_order_relaxed);
    *active = primary->retained.load(std::memory_order_relaxed) != 0 ? 1 : 0;
    return CUDA_SUCCESS;
}

// ---- created contexts
// ----------------------------------------------------------------------------------------

CUresult cuCtxCreate_v4(CUcontext* pctx, CUctxCreateParams* ctxCreateParams, unsigned int flags,
                        CUdevice dev) {
    // Execution affinity and graphics interop need the client's own hardware.
    if (ctxCreateParams != nullptr &&
        (ctxCreateParams->numExecAffinityParams != 0 || ctxCreateParams->cigParams != nullptr)) {
        return CUDA_ERROR_NOT_SUPPORTED;
    }
    return create(pctx, flags, dev);
}

CUresult cuCtxCreate_v3(CUcontext* pctx, CUexecAffinityParam* paramsArray, int numParams, unsigned int flags,
                        CUdevice dev) {
    if (numParams != 0 && paramsArray != nullptr) return CUDA_ERROR_NOT_SUPPORTED;
    return create(pctx, flags, dev);
}

CUresult cuCtxCreate_v2(CUcontext* pctx, unsigned int flags, CUdevice dev) {
    return create(pctx, flags, dev);
}

CUresult cuCtxDestroy_v2(CUcontext ctx) {
    CUdevice device = -1;
    if (primary_device(ctx, &device))
        return CUDA_ERROR_INVALID_CONTEXT;  // primary contexts are released, not destroyed
    {
        const std::lock_guard<std::mutex> lock(state().lock);
        if (state().created.find(ctx) == state().created.end()) return CUDA_ERROR_INVALID_CONTEXT;
    }
    run_storage_destructors(ctx);
    const CUresult result = call(msg::ContextDestroy{wire_name(ctx)}, [](const auto&) {});
    if (result != CUDA_SUCCESS) return result;
    {
        const std::lock_guard<std::mutex> lock(state().lock);
        state().created.erase(ctx);
    }
    if (!t_contexts.stack.empty() && t_contexts.stack.back() == ctx) t_contexts.stack.pop_back();
    settle();
    unmanage_pages_of(ctx);
    forget_objects_of(ctx);
    forget_arrays_of(ctx);
    forget_textures_of(ctx);
    return CUDA_SUCCESS;
}

// Calls of CUDA 2: a count of uses, of created contexts alone.
CUresult cuCtxAttach(CUcontext* pctx, unsigned int flags) {
    if (pctx == nullptr || flags != 0) return CUDA_ERROR_INVALID_VALUE;
    const std::lock_guard<std::mutex> lock(state().lock);
    const auto found = state().created.find(t_state.context);
    if (found == state().created.end()) return CUDA_ERROR_INVALID_CONTEXT;
    ++found->second.uses;
    *pctx = t_state.context;
    return CUDA_SUCCESS;
}

CUresult cuCtxDetach(CUcontext ctx) {
    {
        const std::lock_guard<std::mutex> lock(state().lock);
        const auto found = state().created.find(ctx);
        if (found == state().created.end() || ctx != t_state.context) return CUDA_ERROR_INVALID_CONTEXT;
        if (--found->second.uses != 0) return CUDA_SUCCESS;
    }
    return cuCtxDestroy_v2(ctx);
}

// ---- the thread's stack
// --------------------------------------------------------------------------------------

CUresult cuCtxPushCurrent_v2(CUcontext ctx) {
    CUdevice device = -1;
    if (!device_of(ctx, &device)) return CUDA_ERROR_INVALID_CONTEXT;
    if (t_contexts.stack.full()) return CUDA_ERROR_OUT_OF_MEMORY;
    t_contexts.stack.push_back(ctx);
    settle();
    return CUDA_SUCCESS;
}

CUresult cuCtxPopCurrent_v2(CUcontext* pctx) {
    if (t_contexts.stack.empty()) return CUDA_ERROR_INVALID_CONTEXT;
    if (pctx != nullptr) *pctx = t_contexts.stack.back();
    t_contexts.stack.pop_back();
    settle();
    return CUDA_SUCCESS;
}

CUresult cuCtxSetCurrent(CUcontext ctx) {
    if (ctx == t_state.context) return CUDA_SUCCESS;
    CUdevice device = -1;
    if (ctx != nullptr && !device_of(ctx, &device)) return CUDA_ERROR_INVALID_CONTEXT;
    if (!t_contexts.stack.empty()) t_contexts.stack.pop_back();
    if (ctx != nullptr) t_contexts.stack.push_back(ctx);
    settle();
    return CUDA_SUCCESS;
}

CUresult cuCtxGetCurrent(CUcontext* pctx) {
    if (pctx == nullptr) return CUDA_ERROR_INVALID_VALUE;
    *pctx = t_state.context;
    return CUDA_SUCCESS;
}

CUresult cuCtxGetDevice(CUdevice* device) {
    if (t_state.context == nullptr) return CUDA_ERROR_INVALID_CONTEXT;
    if (device == nullptr) return CUDA_ERROR_INVALID_VALUE;
    *device = t_state.device;
    return CUDA_SUCCESS;
}

CUresult cuCtxGetDevice_v2(CUdevice* device, CUcontext ctx) {
    if (ctx == nullptr) return cuCtxGetDevice(device);
    if (device == nullptr) return CUDA_ERROR_INVALID_VALUE;
    return device_of(ctx, device) ? CUDA_SUCCESS : CUDA_ERROR_INVALID_CONTEXT;
}

CUresult cuCtxGetFlags(unsigned int* flags) {
    if (t_state.context == nullptr) return CUDA_ERROR_INVALID_CONTEXT;
    if (flags == nullptr) return CUDA_ERROR_INVALID_VALUE;
    CUdevice device = -1;
    if (primary_device(t_state.context, &device)) {
        *flags = state().primaries[device].flags;
        return CUDA_SUCCESS;
    }
    const std::lock_guard<std::mutex> lock(state().lock);
    *flags = state().created[t_state.context].flags;
    return CUDA_SUCCESS;
}

CUresult cuCtxSetFlags(unsigned int flags) {
    if (t_state.context == nullptr) return CUDA_ERROR_INVALID_CONTEXT;
    CUdevice device = -1;
    if (primary_device(t_state.context, &device)) return cuDevicePrimaryCtxSetFlags_v2(device, flags);
    const unsigned schedule = flags & CU_CTX_SCHED_MASK;
    if ((flags & ~static_cast<unsigned>(CU_CTX_FLAGS_MASK)) != 0 || (schedule & (schedule - 1)) != 0)
        return CUDA_ERROR_INVALID_VALUE;
    const std::lock_guard<std::mutex> lock(state().lock);
    state().created[t_state.context].flags = flags;
    note_flags(flags);
    return CUDA_SUCCESS;
}

CUresult cuCtxGetId(CUcontext ctx, unsigned long long* ctxId) {
    if (ctxId == nullptr) return CUDA_ERROR_INVALID_VALUE;
    const CUcontext asked = ctx == nullptr ? t_state.context : ctx;
    CUdevice device = -1;
    if (asked == nullptr || !device_of(asked, &device)) return CUDA_ERROR_INVALID_CONTEXT;
    *ctxId = id_of(asked);
    return CUDA_SUCCESS;
}

CUresult cuCtxGetApiVersion(CUcontext ctx, unsigned int* version) {
    if (version == nullptr) return CUDA_ERROR_INVALID_VALUE;
    CUdevice device = -1;
    const CUcontext asked = ctx == nullptr ? t_state.context : ctx;
    if (asked == nullptr || !device_of(asked, &device)) return CUDA_ERROR_INVALID_CONTEXT;
    *version = kApiVersion;
    return CUDA_SUCCESS;
}

CUresult cuCtxSynchronize(void) {
    if (t_state.context == nullptr) return CUDA_ERROR_INVALID_CONTEXT;
    return synchronize_context(t_state.context);
}

CUresult cuCtxSynchronize_v2(CUcontext ctx) {
    const CUcontext asked = ctx == nullptr ? t_state.context : ctx;
    CUdevice device = -1;
    if (asked == nullptr || !device_of(asked, &device)) return CUDA_ERROR_INVALID_CONTEXT;
    return synchronize_context(asked);
}

}  // namespace bitfusion::client
