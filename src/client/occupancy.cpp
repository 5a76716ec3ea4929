// Occupancy: answers depend on the kernel, the sizes and the device alone, so each is asked once.
#include <array>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "client/context.h"
#include "client/device.h"
#include "client/function.h"
#include "client/session.h"
#include "client_hand.gen.h"
#include "client_remote.gen.h"

namespace bitfusion::client {
namespace {

using Question = std::vector<uint64_t>;

struct Answers {
    std::mutex lock;
    std::map<Question, uint64_t> known;
};

Answers& answers() {
    static Answers* const made = std::make_unique<Answers>().release();  // outlives every exit handler
    return *made;
}

template <typename T, typename Ask>
CUresult remembered(const Question& question, T* value, const Ask& ask) {
    if (value == nullptr) return CUDA_ERROR_INVALID_VALUE;
    {
        const std::lock_guard<std::mutex> lock(answers().lock);
        if (const auto found = answers().known.find(question); found != answers().known.end()) {
            *value = static_cast<T>(found->second);
            return CUDA_SUCCESS;
        }
    }
    const CUresult result = ask();
    if (result != CUDA_SUCCESS) return result;
    const std::lock_guard<std::mutex> lock(answers().lock);
    answers().known[question] = static_cast<uint64_t>(*value);
    return CUDA_SUCCESS;
}

enum Which : uint64_t { kBlocks, kSharedBytes, kActiveClusters, kClusterSize };

CUresult clusters(int* value, CUfunction func, const CUlaunchConfig* config, Which which) {
    if (value == nullptr || config == nullptr || (config->numAttrs != 0 && config->attrs == nullptr))
        return CUDA_ERROR_INVALID_VALUE;
    Question question{which,
                      wire_name(func),
                      config->gridDimX,
                      config->gridDimY,
                      config->gridDimZ,
                      config->blockDimX,
                      config->blockDimY,
                      config->blockDimZ,
                      config->sharedMemBytes};
    for (unsigned i = 0; i < config->numAttrs; ++i) {
        std::array<uint64_t, sizeof(CUlaunchAttribute) / 8> words{};
        memcpy(words.data(), &config->attrs[i], sizeof(CUlaunchAttribute));
        question.insert(question.end(), words.begin(), words.end());
    }
    return remembered(question, value, [&] {
        msg::OccupancyClusters m;
        m.function = wire_name(func);
        m.potential = which == kClusterSize ? 1 : 0;
        m.grid_x = config->gridDimX;
        m.grid_y = config->gridDimY;
        m.grid_z = config->gridDimZ;
        m.block_x = config->blockDimX;
        m.block_y = config->blockDimY;
        m.block_z = config->blockDimZ;
        m.shared_bytes = config->sharedMemBytes;
        m.stream = wire_name(config->hStream);
        m.attributes = {reinterpret_cast<const uint8_t*>(config->attrs),
                        config->numAttrs * sizeof(CUlaunchAttribute)};
        return call(m, [&](const auto& reply) { *value = reply.value; });
    });
}

}  // namespace

void forget_occupancy() {
    const std::lock_guard<std::mutex> lock(answers().lock);
    answers().known.clear();
}

CUresult cuOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(int* numBlocks, CUfunction func, int blockSize,
                                                              size_t dynamicSMemSize, unsigned int flags) {
    return remembered({kBlocks, wire_name(func), static_cast<uint64_t>(blockSize), dynamicSMemSize, flags},
                      numBlocks, [&] {
                          return remote::cuOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(
                              numBlocks, func, blockSize, dynamicSMemSize, flags);
                      });
}

CUresult cuOccupancyMaxActiveBlocksPerMultiprocessor(int* numBlocks, CUfunction func, int blockSize,
                                                     size_t dynamicSMemSize) {
    return cuOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(numBlocks, func, blockSize, dynamicSMemSize,
                                                                CU_OCCUPANCY_DEFAULT);
}

CUresult cuOccupancyAvailableDynamicSMemPerBlock(size_t* dynamicSmemSize, CUfunction func, int numBlocks,
                                                 int blockSize) {
    return remembered(
        {kSharedBytes, wire_name(func), static_cast<uint64_t>(numBlocks), static_cast<uint64_t>(blockSize)},
        dynamicSmemSize, [&] {
            return remote::cuOccupancyAvailableDynamicSMemPerBlock(dynamicSmemSize, func, numBlocks,
                                                                   blockSize);
        });
}

CUresult cuOccupancyMaxActiveClusters(int* numClusters, CUfunction func, const CUlaunchConfig* config) {
    return clusters(numClusters, func, config, kActiveClusters);
}
CUresult cuOccupancyMaxPotentialClusterSize(int* clusterSize, CUfunction func, const CUlaunchConfig* config) {
    return clusters(clusterSize, func, config, kClusterSize);
}

// The block size that keeps most threads resident. The search runs here because the program's callback does;
// the largest block wins among equals, as fewer blocks then fill the GPU.
CUresult cuOccupancyMaxPotentialBlockSizeWithFlags(int* minGridSize, int* blockSize, CUfunction func,
                                                   CUoccupancyB2DSize blockSizeToDynamicSMemSize,
                                                   size_t dynamicSMemSize, int blockSizeLimit,
                                                   unsigned int flags) {
    if (minGridSize == nullptr || blockSize == nullptr) return CUDA_ERROR_INVALID_VALUE;
    const Function* f = function_of(func);
    if (f == nullptr) return CUDA_ERROR_INVALID_HANDLE;
    const CUdevice device = current_device();
    if (device < 0) return CUDA_ERROR_INVALID_CONTEXT;
    const int warp = attribute_of(device, CU_DEVICE_ATTRIBUTE_WARP_SIZE);
    const int resident = attribute_of(device, CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_MULTIPROCESSOR);
    int limit = attribute_of(device, CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_BLOCK);
    int of_function = limit;
    if (attribute_of(*f, CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK, &of_function) == CUDA_SUCCESS)
        limit = std::min(limit, of_function);
    if (blockSizeLimit > 0) limit = std::min(limit, blockSizeLimit);
    int best_threads = 0;
    int best_blocks = 0;
    for (int size = (limit + warp - 1) / warp * warp; size > 0; size -= warp) {
        const int tried = std::min(size, limit);
        const size_t shared =
            blockSizeToDynamicSMemSize != nullptr ? blockSizeToDynamicSMemSize(tried) : dynamicSMemSize;
        int blocks = 0;
        const CUresult result =
            cuOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(&blocks, func, tried, shared, flags);
        if (result != CUDA_SUCCESS) return result;
        if (tried * blocks > best_threads) {
            best_threads = tried * blocks;
            best_blocks = blocks;
            *blockSize = tried;
        }
        if (best_threads >= resident) break;
    }
    if (best_threads == 0) *blockSize = 0;
    *minGridSize = best_blocks * attribute_of(device, CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT);
    return CUDA_SUCCESS;
}

CUresult cuOccupancyMaxPotentialBlockSize(int* minGridSize, int* blockSize, CUfunction func,
                                          CUoccupancyB2DSize blockSizeToDynamicSMemSize,
                                          size_t dynamicSMemSize, int blockSizeLimit) {
    return cuOccupancyMaxPotentialBlockSizeWithFlags(minGridSize, blockSize, func, blockSizeToDynamicSMemSize,
                                                     dynamicSMemSize, blockSizeLimit, CU_OCCUPANCY_DEFAULT);
}

}  // namespace bitfusion::client
