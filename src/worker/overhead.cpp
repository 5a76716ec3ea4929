#include "worker/overhead.h"

#include <algorithm>
#include <utility>

namespace bitfusion::worker {
namespace {

// What changed is looked at before the next allocation, but not for each of many small ones.
constexpr std::chrono::milliseconds kAtMostOnce{10};
constexpr uint64_t kLargePart = 8;           // an allocation of more than this part of what is left
constexpr uint64_t kUsualLocalBytes = 1024;  // a thread: the driver's stack of a new context

}  // namespace

Overhead::~Overhead() {
    for (size_t gpu = 0; gpu < gpus_.size(); ++gpu) set(static_cast<int>(gpu), 0);
}

void Overhead::count(std::vector<int> devices, Physical physical) {
    devices_ = std::move(devices);
    physical_ = std::move(physical);
    memory_->count_overhead(this);
}

void Overhead::set(int gpu, uint64_t bytes) {
    memory_->charge_beyond(gpu, std::exchange(of(gpu).bytes, bytes), bytes);
}

uint64_t Overhead::kept_by_pools(int gpu) {
    uint64_t reserved = 0;
    for (const CUmemoryPool pool : of(gpu).pools) {
        uint64_t bytes = 0;
        if (driver_->cuMemPoolGetAttribute(pool, CU_MEMPOOL_ATTR_RESERVED_MEM_CURRENT, &bytes) ==
            CUDA_SUCCESS)
            reserved += bytes;
    }
    const uint64_t given = memory_->own(gpu).pooled;
    return reserved > given ? reserved - given : 0;
}

uint64_t Overhead::kept_by_graphs(int gpu) {
    uint64_t reserved = 0;
    const auto ordinal = static_cast<size_t>(gpu);
    if (driver_->cuDeviceGetGraphMemAttribute == nullptr || ordinal >= devices_.size() ||
        driver_->cuDeviceGetGraphMemAttribute(devices_[ordinal], CU_GRAPH_MEM_ATTR_RESERVED_MEM_CURRENT,
                                              &reserved) != CUDA_SUCCESS)
        return 0;
    return reserved;
}

void Overhead::look(int gpu) {
    if (!physical_) return;
    OfGpu& g = of(gpu);
    g.stale = false;
    g.looked = Clock::now();
    const std::optional<uint64_t> taken = physical_(gpu);
    if (!taken) return;
    const MemoryTable::Own& own = memory_->own(gpu);
    // Managed memory is in no process's list; a graph's memory is taken when it is first launched.
    const uint64_t promised =
        own.of_graphs == 0 ? 0 : own.of_graphs - std::min(own.of_graphs, kept_by_graphs(gpu));
    const uint64_t listed = own.charged - std::min(own.charged, own.managed + promised);
    set(gpu, *taken - std::min(*taken, listed));
    g.reusable = std::min(g.bytes, kept_by_pools(gpu));
}

bool Overhead::fits(int gpu) {
    look(gpu);
    return memory_->partition() == 0 || memory_->used(gpu) <= memory_->partition();
}

void Overhead::prepare(int gpu, uint64_t bytes) {
    const OfGpu& g = of(gpu);
    if (!g.stale || !limits()) return;
    const uint64_t used = std::min(memory_->used(gpu), memory_->partition());
    if (bytes > (memory_->partition() - used) / kLargePart || Clock::now() - g.looked > kAtMostOnce)
        look(gpu);
}

void Overhead::make_room(int gpu) {
    const auto ordinal = static_cast<size_t>(gpu);
    if (!limits() || ordinal >= devices_.size()) return;
    for (const CUmemoryPool pool : of(gpu).pools) driver_->cuMemPoolTrimTo(pool, 0);
    if (driver_->cuDeviceGraphMemTrim != nullptr) driver_->cuDeviceGraphMemTrim(devices_[ordinal]);
    look(gpu);
}

void Overhead::uses_pool(int gpu, CUmemoryPool pool) {
    if (limits() && pool != nullptr) of(gpu).pools.insert(pool);
}

void Overhead::forget_pools() {
    for (OfGpu& gpu : gpus_) gpu.pools.clear();
}

void Overhead::reuse(int gpu, uint64_t bytes) {
    OfGpu& g = of(gpu);
    if (!limits()) return;
    prepare(gpu, bytes);
    const uint64_t again = std::min(bytes, g.reusable);
    g.reusable -= again;
    set(gpu, g.bytes - again);
    g.stale = true;
}

CUresult Overhead::may_take(int gpu, uint64_t context, uint64_t bytes_per_thread, bool now) {
    const auto ordinal = static_cast<size_t>(gpu);
    if (!limits() || ordinal >= devices_.size()) return CUDA_SUCCESS;
    OfGpu& g = of(gpu);
    if (!g.threads) {
        int processors = 0;
        int each = 0;
        driver_->cuDeviceGetAttribute(&processors, CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT,
                                      devices_[ordinal]);
        driver_->cuDeviceGetAttribute(&each, CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_MULTIPROCESSOR,
                                      devices_[ordinal]);
        g.threads = static_cast<uint64_t>(processors) * static_cast<uint64_t>(each);
    }
    const auto [known, fresh] = local_.try_emplace(context, kUsualLocalBytes);
    uint64_t more = 0;
    if (bytes_per_thread > known->second &&
        __builtin_mul_overflow(bytes_per_thread - known->second, *g.threads, &more))
        more = UINT64_MAX;
    if (more != 0 && may_grow(gpu, more) != CUDA_SUCCESS) return CUDA_ERROR_OUT_OF_MEMORY;
    if (more != 0 || now) known->second = bytes_per_thread;
    g.stale = true;
    return CUDA_SUCCESS;
}

CUresult Overhead::may_grow(int gpu, uint64_t bytes) {
    if (!limits()) return CUDA_SUCCESS;
    look(gpu);
    const uint64_t left = memory_->partition() - std::min(memory_->used(gpu), memory_->partition());
    return bytes > left ? CUDA_ERROR_OUT_OF_MEMORY : CUDA_SUCCESS;
}

CUresult Overhead::may_launch(int gpu, uint64_t context, CUfunction function) {
    int bytes = 0;
    if (!limits() ||
        driver_->cuFuncGetAttribute(&bytes, CU_FUNC_ATTRIBUTE_LOCAL_SIZE_BYTES, function) != CUDA_SUCCESS)
        return CUDA_SUCCESS;  // the launch says what is wrong
    return may_take(gpu, context, static_cast<uint64_t>(std::max(bytes, 0)), false);
}

CUresult Overhead::may_stack(int gpu, uint64_t context, uint64_t bytes_per_thread) {
    return may_take(gpu, context, bytes_per_thread, true);
}

void Overhead::forget_context(uint64_t context) { local_.erase(context); }

}  // namespace bitfusion::worker
