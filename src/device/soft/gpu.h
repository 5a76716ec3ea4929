// Gpu: one software device: its memory, its identity, its primary context.
//
// Owner: the Driver, for the life of the process. Immutable but for the byte count and the primary context,
// which have their own locks. Units: bytes.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>

#include "cuda_api.gen.h"
#include "device/soft/arena.h"
#include "device/soft/multiprocessor.h"
#include "device/soft/soft_device.h"

namespace bitfusion::soft {

class Context;
class MemoryPool;

inline constexpr char kDeviceName[] = "bitfusion Software GPU";
inline constexpr int kMultiprocessors = 8;
inline constexpr uint32_t kRegistersPerMultiprocessor = 65536;
inline constexpr uint32_t kDefaultSharedBytesPerBlock = 48 * 1024;

// A number of bytes that remembers its highest value. Any thread.
class Gauge {
  public:
    void add(uint64_t bytes);
    void subtract(uint64_t bytes) { now_.fetch_sub(bytes, std::memory_order_relaxed); }
    uint64_t now() const { return now_.load(std::memory_order_relaxed); }
    uint64_t high() const { return high_.load(std::memory_order_relaxed); }
    void reset_high() { high_.store(now(), std::memory_order_relaxed); }

  private:
    std::atomic<uint64_t> now_{0};
    std::atomic<uint64_t> high_{0};
};

class Gpu {
  public:
    Gpu(int ordinal, const SoftOptions& options, std::unique_ptr<Arena> arena);
    ~Gpu();

    int ordinal() const { return ordinal_; }
    CUdevice device() const { return ordinal_; }
    int cc_major() const { return options_.cc_major; }
    int cc_minor() const { return options_.cc_minor; }
    std::chrono::milliseconds launch_limit() const { return options_.launch_limit; }
    const Multiprocessor& multiprocessor() const { return multiprocessor_; }
    uint64_t memory_bytes() const { return options_.memory_bytes; }
    int pci_bus() const { return 0x10 + ordinal_; }
    std::array<uint8_t, 16> uuid() const;
    Arena& arena() { return *arena_; }

    // Memory of this device, counted against memory_bytes(): the address, or 0 when it does not fit.
    uint64_t take(uint64_t bytes, uint64_t alignment = 512);
    void give(uint64_t address, uint64_t bytes);
    // Counts bytes that do not lie in the arena (cuMemCreate); false when they do not fit.
    bool charge(uint64_t bytes);
    void discharge(uint64_t bytes);
    uint64_t used_bytes() const { return used_.load(std::memory_order_relaxed); }

    Gauge& graph_memory() { return graph_memory_; }

    // The primary context: one handle for ever, a Context only while it is retained.
    struct Primary {
        std::mutex mutex;
        CUcontext handle = nullptr;
        unsigned flags = 0;
        unsigned retained = 0;
        std::shared_ptr<Context> context;
    };
    Primary& primary() { return primary_; }

    // Stream-ordered memory: the default pool and the current one.
    struct Pools {
        std::mutex mutex;
        std::shared_ptr<MemoryPool> fallback;
        std::shared_ptr<MemoryPool> current;
    };
    Pools& pools() { return pools_; }

  private:
    const int ordinal_;
    const SoftOptions options_;
    const Multiprocessor multiprocessor_;
    std::unique_ptr<Arena> arena_;
    std::atomic<uint64_t> used_{0};
    Gauge graph_memory_;
    Primary primary_;
    Pools pools_;
};

}  // namespace bitfusion::soft
