#include "device/soft/occupancy.h"

#include <algorithm>

#include "device/soft/entry.h"
#include "device/soft/module.h"
#include "device/soft/serve.h"
#include "driver_table.gen.h"

namespace bitfusion::soft {
namespace {

constexpr uint32_t kRegisterGranule = 256;
constexpr uint64_t kSharedGranule = 128;
constexpr unsigned kMostOccupancyFlags = CU_OCCUPANCY_DISABLE_CACHING_OVERRIDE;

uint64_t round_up(uint64_t value, uint64_t granule) { return (value + granule - 1) / granule * granule; }

// What threads and registers allow, without shared memory.
uint32_t blocks_by_threads(const Kernel& kernel, const Multiprocessor& on, uint32_t threads) {
    const uint32_t warps = (threads + kWarpSize - 1) / kWarpSize;
    if (warps == 0) return 0;
    const uint32_t by_warps = on.threads / kWarpSize / warps;
    const uint64_t per_warp =
        round_up(uint64_t{std::max(kernel.registers, 1u)} * kWarpSize, kRegisterGranule);
    const auto resident_warps = static_cast<uint32_t>(kRegistersPerMultiprocessor / per_warp);
    return std::min({by_warps, resident_warps / warps, on.blocks});
}

template <typename Body>
CUresult entry_on_function(CUfunction handle, Body&& body) noexcept {
    return entry_in_context([&](const ContextPtr& context) -> CUresult {
        FunctionPtr function;
        const CUresult result = find_function(context, handle, &function);
        return result != CUDA_SUCCESS ? result : body(*function, context);
    });
}

CUresult most_active_blocks(int* blocks, CUfunction handle, int threads, size_t shared, unsigned flags) {
    return entry_on_function(handle, [&](ModuleFunction& function, const ContextPtr& context) {
        if (blocks == nullptr || threads <= 0 || flags > kMostOccupancyFlags) return CUDA_ERROR_INVALID_VALUE;
        const bool fits = static_cast<uint32_t>(threads) <= function.kernel().max_threads_per_block;
        *blocks = fits ? static_cast<int>(resident_blocks(function.kernel(), context->gpu.multiprocessor(),
                                                          static_cast<uint32_t>(threads), shared))
                       : 0;
        return CUDA_SUCCESS;
    });
}

CUresult best_block(int* grid, int* block, CUfunction handle, CUoccupancyB2DSize shared_for, size_t shared,
                    int limit, unsigned flags) {
    return entry_on_function(handle, [&](ModuleFunction& function, const ContextPtr& context) {
        if (grid == nullptr || block == nullptr || limit < 0 || flags > kMostOccupancyFlags)
            return CUDA_ERROR_INVALID_VALUE;
        int most = 0;
        function_attribute(function.kernel(), function.settings(), context->gpu,
                           CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK, &most);
        if (limit != 0) most = std::min(most, limit);
        uint32_t best_threads = 0;
        uint32_t best_blocks = 0;
        uint32_t best_size = 0;
        const auto step = static_cast<int>(kWarpSize);
        for (int size = (most + step - 1) / step * step; size > 0; size -= step) {
            const int threads = std::min(size, most);
            const size_t dynamic = shared_for != nullptr ? shared_for(threads) : shared;
            const uint32_t blocks = resident_blocks(function.kernel(), context->gpu.multiprocessor(),
                                                    static_cast<uint32_t>(threads), dynamic);
            const uint32_t resident = blocks * static_cast<uint32_t>(threads);
            if (resident > best_threads) {
                best_threads = resident;
                best_blocks = blocks;
                best_size = static_cast<uint32_t>(threads);
            }
            if (best_threads == context->gpu.multiprocessor().threads) break;
        }
        *grid = static_cast<int>(best_blocks) * kMultiprocessors;
        *block = static_cast<int>(best_size);
        return CUDA_SUCCESS;
    });
}

CUresult cuOccupancyMaxActiveBlocksPerMultiprocessor(int* blocks, CUfunction function, int threads,
                                                     size_t shared) {
    return most_active_blocks(blocks, function, threads, shared, CU_OCCUPANCY_DEFAULT);
}

CUresult cuOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(int* blocks, CUfunction function, int threads,
                                                              size_t shared, unsigned int flags) {
    return most_active_blocks(blocks, function, threads, shared, flags);
}

CUresult cuOccupancyMaxPotentialBlockSize(int* grid, int* block, CUfunction function,
                                          CUoccupancyB2DSize shared_for, size_t shared, int limit) {
    return best_block(grid, block, function, shared_for, shared, limit, CU_OCCUPANCY_DEFAULT);
}

CUresult cuOccupancyMaxPotentialBlockSizeWithFlags(int* grid, int* block, CUfunction function,
                                                   CUoccupancyB2DSize shared_for, size_t shared, int limit,
                                                   unsigned int flags) {
    return best_block(grid, block, function, shared_for, shared, limit, flags);
}

CUresult cuOccupancyAvailableDynamicSMemPerBlock(size_t* bytes, CUfunction handle, int blocks, int threads) {
    return entry_on_function(handle, [&](ModuleFunction& function, const ContextPtr& context) {
        if (bytes == nullptr || blocks <= 0 || threads <= 0) return CUDA_ERROR_INVALID_VALUE;
        if (static_cast<uint32_t>(threads) > function.kernel().max_threads_per_block)
            return CUDA_ERROR_INVALID_VALUE;
        *bytes = available_shared(function.kernel(), context->gpu.multiprocessor(),
                                  static_cast<uint32_t>(blocks), static_cast<uint32_t>(threads));
        return CUDA_SUCCESS;
    });
}

// The software GPU has no clusters (CU_DEVICE_ATTRIBUTE_CLUSTER_LAUNCH is 0): a cluster is one block.
CUresult cuOccupancyMaxPotentialClusterSize(int* size, CUfunction handle, const CUlaunchConfig* config) {
    return entry_on_function(handle, [&](ModuleFunction&, const ContextPtr&) {
        if (size == nullptr || config == nullptr) return CUDA_ERROR_INVALID_VALUE;
        *size = 1;
        return CUDA_SUCCESS;
    });
}

CUresult cuOccupancyMaxActiveClusters(int* clusters, CUfunction handle, const CUlaunchConfig* config) {
    return entry_on_function(handle, [&](ModuleFunction& function, const ContextPtr& context) {
        if (clusters == nullptr || config == nullptr || (config->numAttrs != 0 && config->attrs == nullptr))
            return CUDA_ERROR_INVALID_VALUE;
        for (unsigned i = 0; i < config->numAttrs; ++i) {
            const CUlaunchAttribute& attribute = config->attrs[i];
            if (attribute.id != CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION) continue;
            const auto& cluster = attribute.value.clusterDim;
            if (uint64_t{cluster.x} * cluster.y * cluster.z != 1) return CUDA_ERROR_INVALID_CLUSTER_SIZE;
        }
        const uint64_t threads = uint64_t{config->blockDimX} * config->blockDimY * config->blockDimZ;
        if (threads == 0 || threads > kMaxThreadsPerBlock) return CUDA_ERROR_INVALID_VALUE;
        *clusters = static_cast<int>(resident_blocks(function.kernel(), context->gpu.multiprocessor(),
                                                     static_cast<uint32_t>(threads), config->sharedMemBytes) *
                                     kMultiprocessors);
        return CUDA_SUCCESS;
    });
}

}  // namespace

uint32_t resident_blocks(const Kernel& kernel, const Multiprocessor& on, uint32_t threads,
                         uint64_t dynamic_shared) {
    if (threads == 0 || threads > kMaxThreadsPerBlock) return 0;
    if (dynamic_shared > on.block_shared_bytes ||
        kernel.static_shared_bytes + dynamic_shared > on.block_shared_bytes)
        return 0;
    const uint64_t shared =
        round_up(kernel.static_shared_bytes + dynamic_shared, kSharedGranule) + on.reserved_shared_bytes;
    const uint32_t blocks = blocks_by_threads(kernel, on, threads);
    return shared == 0 ? blocks : std::min(blocks, static_cast<uint32_t>(on.shared_bytes / shared));
}

uint64_t available_shared(const Kernel& kernel, const Multiprocessor& on, uint32_t blocks, uint32_t threads) {
    if (threads > kMaxThreadsPerBlock || blocks > blocks_by_threads(kernel, on, threads)) return 0;
    const uint64_t share = on.shared_bytes / blocks / kSharedGranule * kSharedGranule;
    const uint64_t taken = uint64_t{on.reserved_shared_bytes} + kernel.static_shared_bytes;
    if (share <= taken) return 0;
    return std::min<uint64_t>(share - taken, on.block_shared_bytes - kernel.static_shared_bytes);
}

void serve_occupancy(DriverTable* table) {
    BF_SERVE(cuOccupancyMaxActiveBlocksPerMultiprocessor);
    BF_SERVE(cuOccupancyMaxActiveBlocksPerMultiprocessorWithFlags);
    BF_SERVE(cuOccupancyMaxPotentialBlockSize);
    BF_SERVE(cuOccupancyMaxPotentialBlockSizeWithFlags);
    BF_SERVE(cuOccupancyAvailableDynamicSMemPerBlock);
    BF_SERVE(cuOccupancyMaxPotentialClusterSize);
    BF_SERVE(cuOccupancyMaxActiveClusters);
}

}  // namespace bitfusion::soft
