// Kernel launches: arguments are packed by the kernel's layout into one block and posted.
#include <algorithm>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>
#include <unordered_map>
#include <vector>

#include "base/log.h"
#include "client/context.h"
#include "client/device.h"
#include "client/feedback.h"
#include "client/function.h"
#include "client/handover.h"
#include "client/managed_pages.h"
#include "client/mapped_memory.h"
#include "client/memory_map.h"
#include "client/session.h"
#include "client/stream.h"
#include "client_hand.gen.h"
#include "client_remote.gen.h"

namespace bitfusion::client {
namespace {

constexpr uint32_t kCooperative = 1;
constexpr uint32_t kWithAttributes = 2;

struct Shape {
    unsigned grid_x, grid_y, grid_z, block_x, block_y, block_z, shared_bytes;
};

// Size of the argument block, or an error; `extra` is CUDA's list of a ready-made block.
CUresult argument_bytes(const Function& f, void** params, void** extra, const void** ready, size_t* bytes) {
    *ready = nullptr;
    *bytes = f.parameter_bytes;
    if (params != nullptr) return extra != nullptr ? CUDA_ERROR_INVALID_VALUE : CUDA_SUCCESS;
    if (extra != nullptr) {
        size_t given = 0;
        bool sized = false;
        for (void** at = extra; *at != CU_LAUNCH_PARAM_END; at += 2) {
            if (*at == CU_LAUNCH_PARAM_BUFFER_POINTER)
                *ready = at[1];
            else if (*at == CU_LAUNCH_PARAM_BUFFER_SIZE)
                given = *static_cast<size_t*>(at[1]), sized = true;
            else
                return CUDA_ERROR_INVALID_VALUE;
        }
        if (*ready == nullptr || !sized) return CUDA_ERROR_INVALID_VALUE;
        if (given < f.parameter_bytes) return CUDA_ERROR_INVALID_VALUE;
        return CUDA_SUCCESS;
    }
    return f.parameters.empty() ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

// The limits that the driver checks before it takes a launch; a program expects their errors from the launch
// itself.
CUresult check_shape(const Function& f, const Shape& s) {
    static const auto limits = [] {
        const auto of = [](CUdevice_attribute a) {
            return static_cast<unsigned>(std::max(0, attribute_of(0, a)));
        };
        struct Limits {
            unsigned grid_x, grid_y, grid_z, block_x, block_y, block_z, threads;
        };
        return Limits{of(CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_X),       of(CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_Y),
                      of(CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_Z),       of(CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_X),
                      of(CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_Y),      of(CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_Z),
                      of(CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_BLOCK)};
    }();
    const bool empty =
        s.grid_x == 0 || s.grid_y == 0 || s.grid_z == 0 || s.block_x == 0 || s.block_y == 0 || s.block_z == 0;
    const bool too_wide = s.grid_x > limits.grid_x || s.grid_y > limits.grid_y || s.grid_z > limits.grid_z ||
                          s.block_x > limits.block_x || s.block_y > limits.block_y ||
                          s.block_z > limits.block_z;
    const uint64_t threads = uint64_t{s.block_x} * s.block_y * s.block_z;
    if (empty || too_wide || threads > limits.threads) return CUDA_ERROR_INVALID_VALUE;
    int most = 0;
    if (attribute_of(f, CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK, &most) == CUDA_SUCCESS &&
        threads > static_cast<uint64_t>(most)) {
        return CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES;
    }
    // How much dynamic shared memory a kernel may have can be set through other handles of it: only what no
    // kernel may have is refused here.
    static const int shared = attribute_of(0, CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN);
    if (s.shared_bytes > static_cast<unsigned>(std::max(0, shared))) return CUDA_ERROR_INVALID_VALUE;
    return CUDA_SUCCESS;
}

CUresult check_cooperative(CUfunction handle, const Shape& shape);

// More dynamic shared memory than this handle's facts allow: it may have been set through another handle of
// the same kernel, or the launch is refused. The one who launches learns it, at the price of one round trip
// the first time.
bool needs_confirmation(const Function& f, const Shape& s) {
    int most = 0;
    return attribute_of(f, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, &most) == CUDA_SUCCESS &&
           s.shared_bytes > static_cast<unsigned>(most);
}
CUresult confirm(Function* f, const Shape& s) {
    CUfunc_cache unused{};
    const CUresult result =
        remote::cuCtxGetCacheConfig(&unused);  // returns the launch's error, if it had one
    if (result == CUDA_SUCCESS)
        f->attributes[CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES].value =
            static_cast<int>(s.shared_bytes);
    return result;
}

CUresult launch(CUfunction handle, const Shape& shape, CUstream stream, void** params, void** extra,
                uint32_t flags, std::span<const uint8_t> attributes) {
    Function* f = function_of(handle);
    if (f == nullptr) return CUDA_ERROR_INVALID_HANDLE;
    if (current_context() == nullptr) return CUDA_ERROR_INVALID_CONTEXT;
    CUresult shaped = check_shape(*f, shape);
    if (shaped == CUDA_SUCCESS && (flags & kCooperative) != 0) shaped = check_cooperative(handle, shape);
    if (shaped != CUDA_SUCCESS) {
        BF_LOG("client", kInfo, "launch of %s refused: error %d", f->symbol.c_str(), shaped);
        return shaped;
    }
    const void* ready = nullptr;
    size_t bytes = 0;
    const CUresult sized = argument_bytes(*f, params, extra, &ready, &bytes);
    if (sized != CUDA_SUCCESS) return sized;
    std::vector<uint8_t> copied;
    if (any_managed()) {  // arguments may lie there, and below they are read under a lock
        copied.resize(bytes);
        if (ready != nullptr) memcpy(copied.data(), ready, bytes);
        for (size_t i = 0; ready == nullptr && i < f->parameters.size(); ++i)
            memcpy(copied.data() + f->parameters[i].offset, params[i], f->parameters[i].size);
        ready = copied.data();
    }
    if (ever_pinned() && ready != nullptr) {
        map_arguments(ready, bytes);
    } else if (ever_pinned()) {
        for (size_t i = 0; i < f->parameters.size(); ++i) map_arguments(params[i], f->parameters[i].size);
    }
    touch_stream(stream);
    if (anything_shared() && !is_capturing(stream)) {
        const CUresult given = hand_over();
        if (given != CUDA_SUCCESS) return given;
    }
    const size_t fixed = msg::Launch{}.size() + attributes.size();
    const CUresult posted = session_post(msg::Launch::kId, fixed + bytes, [&](wire::Writer& w) {
        w.put(f->name);
        w.put(shape);
        w.put(wire_name(stream));
        w.put(flags);
        w.bytes(attributes.data(), attributes.size());
        w.put(static_cast<uint64_t>(bytes));
        if (ready != nullptr) {
            w.raw(ready, bytes);
            return;
        }
        size_t at = 0;
        for (size_t i = 0; i < f->parameters.size(); ++i) {
            constexpr uint8_t kZeros[256]{};
            const auto [offset, size] = f->parameters[i];
            while (at < offset) {  // padding between parameters
                const size_t gap = std::min<size_t>(offset - at, sizeof kZeros);
                w.raw(kZeros, gap);
                at += gap;
            }
            w.raw(params[i], size);
            at += size;
        }
    });
    return posted == CUDA_SUCCESS && needs_confirmation(*f, shape) ? confirm(f, shape) : posted;
}

// A cooperative grid must be resident at once.
CUresult check_cooperative(CUfunction handle, const Shape& shape) {
    int blocks = 0;
    const auto threads = static_cast<int>(shape.block_x * shape.block_y * shape.block_z);
    const CUresult asked =
        cuOccupancyMaxActiveBlocksPerMultiprocessor(&blocks, handle, threads, shape.shared_bytes);
    if (asked != CUDA_SUCCESS) return asked;
    const uint64_t resident =
        static_cast<uint64_t>(blocks) *
        static_cast<uint64_t>(attribute_of(current_device(), CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT));
    return uint64_t{shape.grid_x} * shape.grid_y * shape.grid_z > resident
               ? CUDA_ERROR_COOPERATIVE_LAUNCH_TOO_LARGE
               : CUDA_SUCCESS;
}

// Attributes that say something about other objects are translated into names or refused by name.
CUresult check_attributes(const CUlaunchConfig& config) {
    for (unsigned i = 0; i < config.numAttrs; ++i) {
        const CUlaunchAttribute& a = config.attrs[i];
        if (a.id == CU_LAUNCH_ATTRIBUTE_DEVICE_UPDATABLE_KERNEL_NODE &&
            a.value.deviceUpdatableKernelNode.deviceUpdatable != 0) {
            BF_LOG("client", kWarn, "launch attribute 'device updatable kernel node' is not served yet");
            return CUDA_ERROR_NOT_SUPPORTED;
        }
    }
    return CUDA_SUCCESS;
}

// ---- host functions
// ------------------------------------------------------------------------------------------

struct HostFunction {
    CUhostFn function = nullptr;
    CUstreamCallback callback = nullptr;
    CUstream stream = nullptr;
    void* data = nullptr;
    CUcontext context = nullptr;
};

struct HostFunctions {
    std::mutex lock;
    std::unordered_map<uint64_t, HostFunction> waiting;
    uint64_t last = 0;
    // Due functions run one after the other on a thread of ours, as on the driver's.
    std::condition_variable due_changed;
    struct Due {
        Session* session;  // sessions are never destroyed (open.cpp); one that is over takes no answer
        uint64_t ticket;
        CUresult status;
    };
    std::deque<Due> due;
    bool runner_started = false;
    std::thread runner;
};

HostFunctions& host_functions() {
    static HostFunctions* const made =
        std::make_unique<HostFunctions>().release();  // outlives every exit handler
    return *made;
}

void run_host_functions() {
    HostFunctions& h = host_functions();
    for (;;) {
        std::unique_lock<std::mutex> lock(h.lock);
        h.due_changed.wait(lock, [&] { return !h.due.empty(); });
        const auto [session, ticket, status] = h.due.front();
        h.due.pop_front();
        const auto found = h.waiting.find(ticket);
        if (found == h.waiting.end()) continue;
        const HostFunction function = found->second;
        h.waiting.erase(found);
        lock.unlock();
        // What the stream did before is the function's to see, and what it writes is for the stream to see.
        const bool shared = session == client::session() && anything_shared();
        if (shared && status == CUDA_SUCCESS) take_back();
        if (function.function != nullptr)
            function.function(function.data);
        else
            function.callback(function.stream, status, function.data);
        if (shared) hand_over();
        const msg::HostFunctionDone done{ticket};
        session->post(done.kId, done.size(), [&](wire::Writer& w) { done.encode(w); });
    }
}

CUresult add_host_function(HostFunction function, CUstream stream) {
    if (current_context() == nullptr) return CUDA_ERROR_INVALID_CONTEXT;
    if (is_capturing(stream)) {
        BF_LOG("client", kWarn, "a host function inside a stream capture is not served yet");
        return CUDA_ERROR_NOT_SUPPORTED;
    }
    HostFunctions& h = host_functions();
    uint64_t ticket = 0;
    {
        const std::lock_guard<std::mutex> lock(h.lock);
        ticket = ++h.last;
        h.waiting[ticket] = function;
        if (!h.runner_started) {
            h.runner = std::thread(run_host_functions);
            h.runner_started = true;
        }
    }
    touch_stream(stream);
    return post(msg::HostFunction{ticket, wire_name(stream), function.callback != nullptr ? 1u : 0u});
}

}  // namespace

void host_function_due(uint64_t ticket, CUresult status) {
    Session* s = session();
    if (s == nullptr) return;
    HostFunctions& h = host_functions();
    const std::lock_guard<std::mutex> lock(h.lock);
    h.due.push_back({s, ticket, status});
    h.due_changed.notify_one();
}

CUresult cuLaunchKernel(CUfunction f, unsigned int gridDimX, unsigned int gridDimY, unsigned int gridDimZ,
                        unsigned int blockDimX, unsigned int blockDimY, unsigned int blockDimZ,
                        unsigned int sharedMemBytes, CUstream hStream, void** kernelParams, void** extra) {
    return launch(f, {gridDimX, gridDimY, gridDimZ, blockDimX, blockDimY, blockDimZ, sharedMemBytes},
                  resolve_stream(hStream), kernelParams, extra, 0, {});
}

CUresult cuLaunchCooperativeKernel(CUfunction f, unsigned int gridDimX, unsigned int gridDimY,
                                   unsigned int gridDimZ, unsigned int blockDimX, unsigned int blockDimY,
                                   unsigned int blockDimZ, unsigned int sharedMemBytes, CUstream hStream,
                                   void** kernelParams) {
    return launch(f, {gridDimX, gridDimY, gridDimZ, blockDimX, blockDimY, blockDimZ, sharedMemBytes},
                  resolve_stream(hStream), kernelParams, nullptr, kCooperative, {});
}

CUresult cuLaunchKernelEx(const CUlaunchConfig* config, CUfunction f, void** kernelParams, void** extra) {
    if (config == nullptr || (config->numAttrs != 0 && config->attrs == nullptr))
        return CUDA_ERROR_INVALID_VALUE;
    const CUresult checked = check_attributes(*config);
    if (checked != CUDA_SUCCESS) return checked;
    const Shape shape{config->gridDimX,  config->gridDimY,  config->gridDimZ,      config->blockDimX,
                      config->blockDimY, config->blockDimZ, config->sharedMemBytes};
    // Events inside attributes are names already; the worker turns them into its own.
    const std::span<const uint8_t> attributes(reinterpret_cast<const uint8_t*>(config->attrs),
                                              config->numAttrs * sizeof(CUlaunchAttribute));
    uint32_t flags = kWithAttributes;
    for (unsigned i = 0; i < config->numAttrs; ++i) {
        if (config->attrs[i].id == CU_LAUNCH_ATTRIBUTE_COOPERATIVE && config->attrs[i].value.cooperative != 0)
            flags |= kCooperative;
    }
    return launch(f, shape, resolve_stream(config->hStream), kernelParams, extra, flags, attributes);
}

CUresult cuLaunchHostFunc(CUstream hStream, CUhostFn fn, void* userData) {
    if (fn == nullptr) return CUDA_ERROR_INVALID_VALUE;
    HostFunction function;
    function.function = fn;
    function.data = userData;
    return add_host_function(function, resolve_stream(hStream));
}

CUresult cuStreamAddCallback(CUstream hStream, CUstreamCallback callback, void* userData,
                             unsigned int flags) {
    if (callback == nullptr || flags != 0) return CUDA_ERROR_INVALID_VALUE;
    HostFunction function;
    function.callback = callback;
    function.stream = hStream;
    function.data = userData;
    return add_host_function(function, resolve_stream(hStream));
}

}  // namespace bitfusion::client
