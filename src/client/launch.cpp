// Kernel launches: arguments are packed by the kernel's layout into one block and posted.
#include <algorithm>
#include <cstdint>
#include <span>

#include "base/log.h"
#include "client/context.h"
#include "client/device.h"
#include "client/feedback.h"
#include "client/function.h"
#include "client/handover.h"
#include "client/kernel_arguments.h"
#include "client/session.h"
#include "client/stream.h"
#include "client/thread_state.h"
#include "client_hand.gen.h"
#include "client_remote.gen.h"

namespace bitfusion::client {
namespace {

constexpr uint32_t kCooperative = 1;
constexpr uint32_t kWithAttributes = 2;

struct Shape {
    unsigned grid_x, grid_y, grid_z, block_x, block_y, block_z, shared_bytes;
};

// The fields of a Launch before its attributes, as they stand in the message.
#pragma pack(push, 1)
struct Fields {
    uint64_t function;
    Shape shape;
    uint64_t stream;
    uint32_t flags;
};
#pragma pack(pop)

// The limits that the driver checks before it takes a launch; a program expects their errors from the launch
// itself.
CUresult check_shape(const Function& f, const Shape& s) {
    static const auto limits = [] {
        const auto of = [](CUdevice_attribute a) {
            return static_cast<unsigned>(std::max(0, attribute_of(0, a)));
        };
        struct Limits {
            unsigned grid_x, grid_y, grid_z, block_x, block_y, block_z, threads, shared;
        };
        return Limits{of(CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_X),
                      of(CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_Y),
                      of(CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_Z),
                      of(CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_X),
                      of(CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_Y),
                      of(CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_Z),
                      of(CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_BLOCK),
                      of(CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN)};
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
    return s.shared_bytes > limits.shared ? CUDA_ERROR_INVALID_VALUE : CUDA_SUCCESS;
}

CUresult check_cooperative(CUfunction handle, const Shape& shape);

// More dynamic shared memory than this handle's facts allow: it may have been set through another handle of
// the same kernel, or the launch is refused. The one who launches learns it, at the price of one round trip
// the first time.
AttributeFacts* facts_here(Function* f) {
    return f->on_further_devices.empty() ? &f->attributes : facts_on(f, current_device());
}
bool needs_confirmation(Function* f, const Shape& s) {
    if (s.shared_bytes == 0) return false;  // as nearly always
    int most = 0;
    return attribute_of(*facts_here(f), CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, &most) ==
               CUDA_SUCCESS &&
           s.shared_bytes > static_cast<unsigned>(most);
}
CUresult confirm(Function* f, const Shape& s) {
    CUfunc_cache unused{};
    const CUresult result =
        remote::cuCtxGetCacheConfig(&unused);  // returns the launch's error, if it had one
    if (result == CUDA_SUCCESS)
        (*facts_here(f))[CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES].value =
            static_cast<int>(s.shared_bytes);
    return result;
}

CUresult launch(CUfunction handle, const Shape& shape, CUstream stream, void** params, void** extra,
                uint32_t flags, std::span<const uint8_t> attributes) {
    Function* f = function_of(handle);
    if (f == nullptr) return CUDA_ERROR_INVALID_HANDLE;
    const ThreadState& caller = thread_state();
    if (caller.context == nullptr) return CUDA_ERROR_INVALID_CONTEXT;
    CUresult shaped = check_shape(*f, shape);
    if (shaped == CUDA_SUCCESS && (flags & kCooperative) != 0) shaped = check_cooperative(handle, shape);
    if (shaped != CUDA_SUCCESS) {
        BF_LOG("client", kInfo, "launch of %s refused: error %d", f->symbol.c_str(), shaped);
        return shaped;
    }
    KernelArguments arguments;
    const CUresult taken = arguments.take(*f, params, extra);
    if (taken != CUDA_SUCCESS) return taken;
    arguments.map(*f);
    touch_stream(stream, caller);
    if (anything_shared() && !is_capturing(stream)) {
        const CUresult given = hand_over();
        if (given != CUDA_SUCCESS) return given;
    }
    const size_t fixed = msg::Launch{}.size() + attributes.size();
    const Fields fields{f->name, shape, wire_name(stream), flags};
    const CUresult posted = session_post(msg::Launch::kId, fixed + arguments.bytes, [&](wire::Writer& w) {
        w.put(fields);
        w.bytes(attributes.data(), attributes.size());
        w.put(static_cast<uint64_t>(arguments.bytes));
        arguments.pack(*f, w);
    });
    return posted == CUDA_SUCCESS && needs_confirmation(f, shape) ? confirm(f, shape) : posted;
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

}  // namespace

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

}  // namespace bitfusion::client
