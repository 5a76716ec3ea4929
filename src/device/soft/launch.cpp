#include "device/soft/launch.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstring>

#include "base/log.h"
#include "device/soft/conditional.h"
#include "device/soft/driver.h"
#include "device/soft/load.h"
#include "device/soft/module.h"
#include "device/soft/occupancy.h"

namespace bitfusion::soft {
namespace {

constexpr uint64_t kMostGridX = 0x7fffffff;
constexpr uint64_t kMostGridYz = 65535;
constexpr uint64_t kMostBlockXy = 1024;
constexpr uint64_t kMostBlockZ = 64;

CUresult check_shape(const LaunchParameters& launch) {
    const auto& grid = launch.grid;
    const auto& block = launch.block;
    if (grid[0] == 0 || grid[1] == 0 || grid[2] == 0 || block[0] == 0 || block[1] == 0 || block[2] == 0)
        return CUDA_ERROR_INVALID_VALUE;
    if (grid[0] > kMostGridX || grid[1] > kMostGridYz || grid[2] > kMostGridYz)
        return CUDA_ERROR_INVALID_VALUE;
    if (block[0] > kMostBlockXy || block[1] > kMostBlockXy || block[2] > kMostBlockZ)
        return CUDA_ERROR_INVALID_VALUE;
    const uint64_t threads = uint64_t{block[0]} * block[1] * block[2];
    return threads > kMaxThreadsPerBlock ? CUDA_ERROR_INVALID_VALUE : CUDA_SUCCESS;
}

CUresult check_kernel(const LaunchParameters& launch, const ModuleFunction& function, const Gpu& gpu) {
    const Kernel& kernel = function.kernel();
    const uint32_t threads = launch.block[0] * launch.block[1] * launch.block[2];
    if (threads > kernel.max_threads_per_block) return CUDA_ERROR_INVALID_VALUE;
    if (kernel.required_block[0] != 0) {
        for (size_t axis = 0; axis < 3; ++axis) {
            if (launch.block[axis] != std::max(kernel.required_block[axis], 1u))
                return CUDA_ERROR_INVALID_VALUE;
        }
    }
    const FunctionSettings settings = function.settings();
    int most_threads = 0;
    int most_dynamic = 0;
    function_attribute(kernel, settings, gpu, CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK, &most_threads);
    function_attribute(kernel, settings, gpu, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, &most_dynamic);
    if (threads > static_cast<uint32_t>(most_threads)) return CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES;
    if (launch.shared_bytes > static_cast<uint32_t>(std::max(most_dynamic, 0)))
        return CUDA_ERROR_INVALID_VALUE;
    if (uint64_t{launch.shared_bytes} + kernel.static_shared_bytes > gpu.multiprocessor().block_shared_bytes)
        return CUDA_ERROR_INVALID_VALUE;
    if (!launch.cooperative) return CUDA_SUCCESS;
    const uint64_t blocks = uint64_t{launch.grid[0]} * launch.grid[1] * launch.grid[2];
    const uint64_t resident =
        uint64_t{resident_blocks(kernel, gpu.multiprocessor(), threads, launch.shared_bytes)} *
        kMultiprocessors;
    return blocks > resident ? CUDA_ERROR_COOPERATIVE_LAUNCH_TOO_LARGE : CUDA_SUCCESS;
}

// The arguments come as one pointer each, or as one packed block named in a list of keys and values.
CUresult copy_arguments(const Kernel& kernel, const LaunchParameters& launch, std::vector<std::byte>* to) {
    to->assign(kernel.parameter_bytes, std::byte{0});
    if (launch.extra != nullptr) {
        if (launch.kernel_parameters != nullptr) return CUDA_ERROR_INVALID_VALUE;
        const void* buffer = nullptr;
        size_t bytes = 0;
        for (void** entry = launch.extra; *entry != CU_LAUNCH_PARAM_END; entry += 2) {
            if (*entry == CU_LAUNCH_PARAM_BUFFER_POINTER)
                buffer = entry[1];
            else if (*entry == CU_LAUNCH_PARAM_BUFFER_SIZE && entry[1] != nullptr)
                bytes = *static_cast<const size_t*>(entry[1]);
            else
                return CUDA_ERROR_INVALID_VALUE;
        }
        if (kernel.parameter_bytes == 0) return CUDA_SUCCESS;
        if (buffer == nullptr || bytes == 0) return CUDA_ERROR_INVALID_VALUE;
        // A block may end early (driver 580): the parameters behind it are zeros.
        memcpy(to->data(), buffer, std::min<size_t>(bytes, kernel.parameter_bytes));
        return CUDA_SUCCESS;
    }
    if (kernel.parameters.empty()) return CUDA_SUCCESS;
    if (launch.kernel_parameters == nullptr) return CUDA_ERROR_INVALID_VALUE;
    for (size_t i = 0; i < kernel.parameters.size(); ++i) {
        const Parameter& parameter = kernel.parameters[i];
        if (launch.kernel_parameters[i] == nullptr) return CUDA_ERROR_INVALID_VALUE;
        memcpy(to->data() + parameter.offset, launch.kernel_parameters[i], parameter.size);
    }
    return CUDA_SUCCESS;
}

CUresult read_attributes(LaunchParameters* launch, KernelWork* work) {
    if (launch->attribute_count != 0 && launch->attributes == nullptr) return CUDA_ERROR_INVALID_VALUE;
    for (unsigned i = 0; i < launch->attribute_count; ++i) {
        const CUlaunchAttribute& attribute = launch->attributes[i];
        switch (attribute.id) {
            case CU_LAUNCH_ATTRIBUTE_COOPERATIVE:
                launch->cooperative = attribute.value.cooperative != 0;
                break;
            case CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION: {
                const auto& cluster = attribute.value.clusterDim;
                if (cluster.x == 0 || cluster.y == 0 || cluster.z == 0) return CUDA_ERROR_INVALID_VALUE;
                if (cluster.x * uint64_t{cluster.y} * cluster.z != 1) return CUDA_ERROR_INVALID_CLUSTER_SIZE;
                break;
            }
            case CU_LAUNCH_ATTRIBUTE_DEVICE_UPDATABLE_KERNEL_NODE:
                if (attribute.value.deviceUpdatableKernelNode.deviceUpdatable != 0)
                    return CUDA_ERROR_NOT_SUPPORTED;
                break;
            // Hints about caches, domains and overlap: ignoring them is correct, as the driver may.
            case CU_LAUNCH_ATTRIBUTE_IGNORE:
            case CU_LAUNCH_ATTRIBUTE_ACCESS_POLICY_WINDOW:
            case CU_LAUNCH_ATTRIBUTE_SYNCHRONIZATION_POLICY:
            case CU_LAUNCH_ATTRIBUTE_CLUSTER_SCHEDULING_POLICY_PREFERENCE:
            case CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_STREAM_SERIALIZATION:
            case CU_LAUNCH_ATTRIBUTE_PRIORITY:
            case CU_LAUNCH_ATTRIBUTE_MEM_SYNC_DOMAIN_MAP:
            case CU_LAUNCH_ATTRIBUTE_MEM_SYNC_DOMAIN:
            case CU_LAUNCH_ATTRIBUTE_PREFERRED_CLUSTER_DIMENSION:
            case CU_LAUNCH_ATTRIBUTE_PREFERRED_SHARED_MEMORY_CARVEOUT:
            case CU_LAUNCH_ATTRIBUTE_NVLINK_UTIL_CENTRIC_SCHEDULING:
            // Events: recorded by the caller of plan_launch, after the kernel.
            case CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_EVENT:
            case CU_LAUNCH_ATTRIBUTE_LAUNCH_COMPLETION_EVENT:
                break;
            default:
                return CUDA_ERROR_INVALID_VALUE;
        }
        work->attributes.push_back(attribute);
    }
    return CUDA_SUCCESS;
}

// What the kernel may touch: its device's memory, that of enabled peers, and host memory that the driver
// knows.
std::vector<Window> windows_of(Context& context) {
    Driver& all = driver();
    std::vector<Window> windows{context.gpu.arena().window(), all.host_arena->window(),
                                all.virtual_arena->window()};
    std::set<uint64_t> peers;
    {
        const std::lock_guard lock(context.mutex);
        peers = context.peers;
    }
    if (!peers.empty()) {
        std::set<Gpu*> gpus;
        for (const ContextPtr& other : all.contexts.all()) {
            if (peers.contains(other->id) && &other->gpu != &context.gpu) gpus.insert(&other->gpu);
        }
        for (Gpu* gpu : gpus) windows.push_back(gpu->arena().window());
    }
    for (const auto& [base, bytes] : all.memory.registered()) windows.push_back({base, bytes, nullptr, 0});
    std::sort(windows.begin(), windows.end(),
              [](const Window& a, const Window& b) { return a.base < b.base; });
    return windows;
}

CUresult code_of(FaultKind kind) {
    switch (kind) {
        case FaultKind::kIllegalAddress:
            return CUDA_ERROR_ILLEGAL_ADDRESS;
        case FaultKind::kMisalignedAddress:
            return CUDA_ERROR_MISALIGNED_ADDRESS;
        case FaultKind::kIllegalInstruction:
            return CUDA_ERROR_ILLEGAL_INSTRUCTION;
        case FaultKind::kInvalidAddressSpace:
            return CUDA_ERROR_INVALID_ADDRESS_SPACE;
        case FaultKind::kInvalidPc:
            return CUDA_ERROR_INVALID_PC;
        case FaultKind::kStack:
            return CUDA_ERROR_HARDWARE_STACK_ERROR;
        case FaultKind::kAssert:
            return CUDA_ERROR_ASSERT;
        case FaultKind::kTimeout:
        case FaultKind::kDeadlock:
            return CUDA_ERROR_LAUNCH_TIMEOUT;
        case FaultKind::kOutOfResources:
            return CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES;
        default:
            return CUDA_ERROR_LAUNCH_FAILED;
    }
}

void report(Context& context, const Fault& fault) {
    if (fault.kind == FaultKind::kAssert) {
        context.prints.flush();
        dprintf(STDERR_FILENO, "%s\n", fault.message.c_str());
    }
    BF_LOG("soft", kWarn, "kernel %s: %s at block (%u,%u,%u) thread (%u,%u,%u), line %u, %s: %s",
           fault.kernel.c_str(), to_string(fault.kind), fault.block.x, fault.block.y, fault.block.z,
           fault.thread.x, fault.thread.y, fault.thread.z, fault.line, fault.instruction.c_str(),
           fault.message.c_str());
    context.set_fault(code_of(fault.kind));
}

// malloc() and free() of kernels: each piece is its own range of device memory, so that a stray access is
// noticed.
DeviceHeap make_heap(Context& context) {
    size_t limit = 0;
    {
        const std::lock_guard lock(context.mutex);
        limit = context.limits[CU_LIMIT_MALLOC_HEAP_SIZE];
    }
    DeviceHeap heap;
    heap.allocate = [&context, limit](uint64_t bytes) -> uint64_t {
        const uint64_t taken = context.gpu.arena().round_up(std::max<uint64_t>(bytes, 1));
        if (taken < bytes || context.heap_used.fetch_add(taken) + taken > limit) {
            context.heap_used.fetch_sub(taken);
            return 0;
        }
        const uint64_t address = context.gpu.take(taken);
        if (address == 0) {
            context.heap_used.fetch_sub(taken);
            return 0;
        }
        const std::lock_guard lock(context.heap_mutex);
        context.heap[address] = taken;
        return address;
    };
    heap.release = [&context](uint64_t address) {
        uint64_t taken = 0;
        {
            const std::lock_guard lock(context.heap_mutex);
            const auto at = context.heap.find(address);
            if (at == context.heap.end()) return;
            taken = at->second;
            context.heap.erase(at);
        }
        context.gpu.give(address, taken);
        context.heap_used.fetch_sub(taken);
    };
    return heap;
}

}  // namespace

CUresult plan_launch(const ContextPtr& context, const LaunchParameters& given, KernelWork* work) {
    LaunchParameters launch = given;
    FunctionPtr function;
    CUresult result = find_function(context, launch.function, &function);
    if (result == CUDA_SUCCESS) result = read_attributes(&launch, work);
    if (result == CUDA_SUCCESS) result = check_shape(launch);
    if (result == CUDA_SUCCESS) result = check_kernel(launch, *function, context->gpu);
    if (result == CUDA_SUCCESS) result = copy_arguments(function->kernel(), launch, &work->parameters);
    if (result != CUDA_SUCCESS) return result;
    if (const ModulePtr module = function->module.lock()) work->references = bound_references(*module);
    work->function = std::move(function);
    work->handle = launch.function;
    work->grid = {launch.grid[0], launch.grid[1], launch.grid[2]};
    work->block = {launch.block[0], launch.block[1], launch.block[2]};
    work->shared_bytes = launch.shared_bytes;
    work->cooperative = launch.cooperative;
    return CUDA_SUCCESS;
}

void run_kernel(Context& context, const KernelWork& work) {
    const std::vector<Window> windows = windows_of(context);
    const DeviceHeap heap = make_heap(context);
    LaunchRequest request;
    request.program = work.function->program;
    request.kernel = work.function->index;
    request.grid = work.grid;
    request.block = work.block;
    request.cluster = work.cluster;
    request.dynamic_shared_bytes = work.shared_bytes;
    request.cooperative = work.cooperative;
    request.parameters = work.parameters;
    request.windows = windows;
    {
        const std::lock_guard lock(context.mutex);
        request.stack_bytes = static_cast<uint32_t>(context.limits[CU_LIMIT_STACK_SIZE]);
    }
    request.multiprocessors = kMultiprocessors;
    request.grid_id = driver().next_id();
    request.pool = &driver().blocks;
    request.print = [&context](std::string_view text) { context.prints.add(text); };
    request.set_conditional = set_conditional;
    request.heap = &heap;
    const LoadOfKernel load(context.gpu.ordinal());
    const std::shared_ptr<const ImageTable> images = images_of_launch(work.references);
    request.images = images.get();
    request.time_limit = context.gpu.launch_limit();
    const Outcome outcome = run(request);
    if (!outcome) report(context, outcome.fault);
}

}  // namespace bitfusion::soft
