#include "worker/census.h"

#include <signal.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>

namespace bitfusion::worker {
namespace {

bool is_gpu(int gpu) { return gpu >= 0 && gpu < Usage::kMostGpus; }

bool is_alive(uint32_t pid) {
    return pid != 0 && pid < (1u << 30) && (kill(static_cast<pid_t>(pid), 0) == 0 || errno == EPERM);
}

}  // namespace

uint64_t monotonic_ns() {
    return static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(
                                     std::chrono::steady_clock::now().time_since_epoch())
                                     .count());
}

void Census::join(CensusMemory* memory, uint32_t worker, uint32_t process, const std::string& name) {
    memory_ = memory;
    if (memory == nullptr) return;
    for (CensusMemory::Slot& slot : memory->slots) {
        uint32_t before = slot.worker.load();
        if (is_alive(before) || !slot.worker.compare_exchange_strong(before, worker)) continue;
        slot.gpus = 0;
        for (auto& bytes : slot.bytes) bytes = 0;
        for (auto& since : slot.busy_since_ns) since = 0;
        slot.process = process;
        memset(slot.name, 0, sizeof slot.name);
        memcpy(slot.name, name.data(), std::min(name.size(), sizeof slot.name));
        slot_ = &slot;
        return;
    }
}

void Census::leave() {
    CensusMemory::Slot* slot = slot_.exchange(nullptr);
    if (slot == nullptr) return;
    slot->gpus = 0;
    slot->worker = 0;
}

void Census::uses(int gpu) {
    if (auto* slot = slot_.load(); slot != nullptr && is_gpu(gpu)) slot->gpus |= uint64_t{1} << gpu;
}

void Census::charge(int gpu, uint64_t bytes) {
    if (auto* slot = slot_.load(); slot != nullptr && is_gpu(gpu)) slot->bytes[gpu] += bytes;
}

void Census::refund(int gpu, uint64_t bytes) {
    if (auto* slot = slot_.load(); slot != nullptr && is_gpu(gpu)) slot->bytes[gpu] -= bytes;
}

void Census::begin_load(int gpu, uint64_t now_ns) {
    CensusMemory::Slot* slot = slot_.load();
    if (slot == nullptr || !is_gpu(gpu)) return;
    if (running_[static_cast<size_t>(gpu)]++ == 0) slot->busy_since_ns[gpu] = now_ns;
}

void Census::end_load(int gpu, uint64_t now_ns) {
    CensusMemory::Slot* slot = slot_.load();
    if (slot == nullptr || !is_gpu(gpu)) return;
    if (--running_[static_cast<size_t>(gpu)] == 0) {
        const uint64_t since = slot->busy_since_ns[gpu].exchange(0);
        if (since != 0) add_busy(gpu, since, now_ns);
    }
}

void Census::add_busy(int gpu, uint64_t from_ns, uint64_t to_ns) {
    from_ns = std::max(from_ns, to_ns > kWindowNs ? to_ns - kWindowNs : 0);
    while (from_ns < to_ns) {
        const uint64_t slice = from_ns / kSliceNs;
        const uint64_t until = std::min(to_ns, (slice + 1) * kSliceNs);
        CensusMemory::Bucket& bucket = memory_->busy[gpu][slice % CensusMemory::kBuckets];
        uint64_t before = bucket.slice.load();
        if (before != slice && bucket.slice.compare_exchange_strong(before, slice)) bucket.busy_ns = 0;
        bucket.busy_ns += until - from_ns;
        from_ns = until;
    }
}

std::vector<wire::ProcessFact> Census::processes(int gpu, const std::map<uint32_t, uint64_t>& taken) const {
    std::vector<wire::ProcessFact> found;
    if (memory_ == nullptr || !is_gpu(gpu)) return found;
    for (const CensusMemory::Slot& slot : memory_->slots) {
        if ((slot.gpus.load() >> gpu & 1) == 0 || !is_alive(slot.worker.load())) continue;
        char name[CensusMemory::kNameBytes];
        memcpy(name, slot.name, sizeof name);
        const auto said = taken.find(slot.worker.load());
        const uint64_t bytes = said != taken.end() ? said->second : slot.bytes[gpu].load();
        found.push_back({slot.process.load(), bytes, std::string(name, strnlen(name, sizeof name))});
    }
    return found;
}

unsigned Census::busy_percent(int gpu, uint64_t now_ns) const {
    if (memory_ == nullptr || !is_gpu(gpu)) return 0;
    const uint64_t begin = now_ns > kWindowNs ? now_ns - kWindowNs : 0;
    uint64_t busy = 0;
    for (const CensusMemory::Bucket& bucket : memory_->busy[gpu]) {
        const uint64_t slice = bucket.slice.load();
        const uint64_t from = slice > now_ns / kSliceNs ? now_ns : slice * kSliceNs;
        if (from + kSliceNs <= begin || from >= now_ns) continue;
        // Of the slice that the window cuts, as much as is inside it.
        const uint64_t inside = std::min(from + kSliceNs, now_ns) - std::max(from, begin);
        busy += std::min(bucket.busy_ns.load(), inside);
    }
    for (const CensusMemory::Slot& slot : memory_->slots) {
        const uint64_t since = slot.busy_since_ns[gpu].load();
        if (since != 0 && since < now_ns && is_alive(slot.worker.load()))
            busy += now_ns - std::max(since, begin);
    }
    return static_cast<unsigned>(std::min<uint64_t>(100, busy * 100 / kWindowNs));
}

}  // namespace bitfusion::worker
