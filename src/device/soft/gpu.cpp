#include "device/soft/gpu.h"

#include <fstream>
#include <functional>
#include <string>

#include "device/soft/context.h"
#include "device/soft/memory_pool.h"

namespace bitfusion::soft {
namespace {

// The same machine shows the same GPUs every time; two machines show different ones.
std::string machine_name() {
    std::ifstream file("/etc/machine-id");
    std::string name;
    std::getline(file, name);
    if (name.empty()) {
        std::ifstream host("/proc/sys/kernel/hostname");
        std::getline(host, name);
    }
    return name;
}

}  // namespace

Gpu::Gpu(int ordinal, const SoftOptions& options, std::unique_ptr<Arena> arena)
    : ordinal_(ordinal),
      options_(options),
      multiprocessor_(multiprocessor_of(options.cc_major, options.cc_minor)),
      arena_(std::move(arena)) {}

Gpu::~Gpu() = default;

void Gauge::add(uint64_t bytes) {
    const uint64_t now = now_.fetch_add(bytes, std::memory_order_relaxed) + bytes;
    uint64_t high = high_.load(std::memory_order_relaxed);
    while (now > high && !high_.compare_exchange_weak(high, now, std::memory_order_relaxed)) {
    }
}

std::array<uint8_t, 16> Gpu::uuid() const {
    const std::string name = machine_name() + "/software-gpu/" + std::to_string(ordinal_);
    std::array<uint8_t, 16> uuid{};
    // FNV-1a, twice with different starts.
    for (size_t half = 0; half < 2; ++half) {
        uint64_t hash = 0xcbf29ce484222325ULL + half * 0x9e3779b97f4a7c15ULL;
        for (const char c : name) hash = (hash ^ static_cast<uint8_t>(c)) * 0x100000001b3ULL;
        for (size_t i = 0; i < 8; ++i) uuid[half * 8 + i] = static_cast<uint8_t>(hash >> (8 * i));
    }
    uuid[6] = static_cast<uint8_t>((uuid[6] & 0x0f) | 0x40);
    uuid[8] = static_cast<uint8_t>((uuid[8] & 0x3f) | 0x80);
    return uuid;
}

bool Gpu::charge(uint64_t bytes) {
    uint64_t used = used_.load(std::memory_order_relaxed);
    do {
        if (bytes > options_.memory_bytes - used) return false;
    } while (!used_.compare_exchange_weak(used, used + bytes, std::memory_order_relaxed));
    return true;
}

void Gpu::discharge(uint64_t bytes) { used_.fetch_sub(bytes, std::memory_order_relaxed); }

uint64_t Gpu::take(uint64_t bytes, uint64_t alignment) {
    const uint64_t wanted = arena_->round_up(bytes);
    if (wanted < bytes || !charge(wanted)) return 0;
    const uint64_t address = arena_->take(wanted, alignment);
    if (address == 0) discharge(wanted);
    return address;
}

void Gpu::give(uint64_t address, uint64_t bytes) {
    arena_->give(address, bytes);
    discharge(arena_->round_up(bytes));
}

}  // namespace bitfusion::soft
