#include "worker/mirror.h"

#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <iterator>

#include "base/log.h"
#include "worker/placement.h"
#include "worker/session.h"
#include "worker_hand.gen.h"

namespace bitfusion::worker {
namespace {

// Of one answer; its runs may take four times as much again, and both must fit into a message.
constexpr size_t kMostChanges = 8u << 20;
// Other messages wait while one is served.
constexpr uint64_t kMostLooks = 64u << 20;

// A kernel may be polling a word of the target: none is seen half written.
void store_words(uint8_t* target, const uint8_t* source, size_t bytes) {
    const auto aligned = [&] { return reinterpret_cast<uintptr_t>(target) % sizeof(uint64_t) == 0; };
    while (bytes != 0) {
        if (bytes >= sizeof(uint64_t) && aligned()) {
            uint64_t word = 0;
            memcpy(&word, source, sizeof word);
            std::atomic_ref<uint64_t>(*reinterpret_cast<uint64_t*>(target))
                .store(word, std::memory_order_relaxed);
            target += sizeof word, source += sizeof word, bytes -= sizeof word;
        } else if (bytes >= sizeof(uint32_t) && reinterpret_cast<uintptr_t>(target) % sizeof(uint32_t) == 0) {
            uint32_t word = 0;
            memcpy(&word, source, sizeof word);
            std::atomic_ref<uint32_t>(*reinterpret_cast<uint32_t*>(target))
                .store(word, std::memory_order_relaxed);
            target += sizeof word, source += sizeof word, bytes -= sizeof word;
        } else {
            std::atomic_ref<uint8_t>(*target).store(*source, std::memory_order_relaxed);
            ++target, ++source, --bytes;
        }
    }
}

// `most`: of RAM, for both copies of every page.
bool fits(uint64_t bytes, uint64_t taken, uint64_t most) {
    if (taken <= most / 2 && bytes <= most / 2 - taken) return true;
    static std::atomic_flag said = ATOMIC_FLAG_INIT;  // a program may try without end
    if (!said.test_and_set()) {
        BF_LOG(
            "worker", kWarn,
            "a program's mapped memory would take more than %llu MiB of this server's RAM, and is refused; "
            "set mapped-memory of the manager to allow another amount",
            static_cast<unsigned long long>(most >> 20));
    }
    return false;
}

}  // namespace

CUresult Mirrors::map(uint64_t wish, uint64_t bytes, CUdeviceptr* device) {
    if (bytes == 0 || bytes % kPage != 0) return CUDA_ERROR_INVALID_VALUE;
    if (!fits(bytes, bytes_, most_ram_) || mirrors_.size() >= kMost) return CUDA_ERROR_OUT_OF_MEMORY;
    Mirror mirror{map_at(wish, bytes, kAnonymous), map_at(0, bytes, kAnonymous), bytes};
    CUresult result =
        mirror.pages == nullptr || mirror.known == nullptr ? CUDA_ERROR_OUT_OF_MEMORY : CUDA_SUCCESS;
    if (result == CUDA_SUCCESS)
        result = driver_->cuMemHostRegister_v2(mirror.pages, bytes,
                                               CU_MEMHOSTREGISTER_PORTABLE | CU_MEMHOSTREGISTER_DEVICEMAP);
    const bool registered = result == CUDA_SUCCESS;
    if (registered) result = driver_->cuMemHostGetDevicePointer_v2(device, mirror.pages, 0);
    if (result == CUDA_SUCCESS) {
        mirrors_[*device] = mirror;
        bytes_ += bytes;
        return result;
    }
    if (registered) driver_->cuMemHostUnregister(mirror.pages);
    if (mirror.pages != nullptr) munmap(mirror.pages, bytes);
    if (mirror.known != nullptr) munmap(mirror.known, bytes);
    return result;
}

bool Mirrors::unmap(CUdeviceptr device) {
    const auto found = mirrors_.find(device);
    if (found == mirrors_.end()) return false;
    const Mirror mirror = found->second;
    mirrors_.erase(found);
    bytes_ -= mirror.bytes;
    // An error here is one of earlier work, or the context is gone and the registration with it.
    driver_->cuMemHostUnregister(mirror.pages);
    munmap(mirror.pages, mirror.bytes);
    munmap(mirror.known, mirror.bytes);
    return true;
}

const Mirrors::Mirror* Mirrors::find(CUdeviceptr device, uint64_t bytes, uint64_t* offset) const {
    auto it = mirrors_.upper_bound(device);
    if (it == mirrors_.begin()) return nullptr;
    --it;
    *offset = device - it->first;
    return *offset < it->second.bytes && bytes <= it->second.bytes - *offset ? &it->second : nullptr;
}

bool Mirrors::holds(CUdeviceptr device, uint64_t bytes) const {
    uint64_t offset = 0;
    return find(device, bytes, &offset) != nullptr;
}

void Mirrors::write(CUdeviceptr device, std::span<const uint8_t> data) {
    uint64_t offset = 0;
    const Mirror* mirror = find(device, data.size(), &offset);
    if (mirror == nullptr) return;
    memcpy(mirror->known + offset, data.data(), data.size());
    store_words(mirror->pages + offset, data.data(), data.size());
}

bool Mirrors::gather(size_t most, uint64_t looks, wire::Changes* changes) {
    auto it = mirrors_.upper_bound(next_);
    if (it != mirrors_.begin() && next_ - std::prev(it)->first < std::prev(it)->second.bytes) --it;
    for (; it != mirrors_.end(); ++it) {
        const Mirror& m = it->second;
        uint64_t seen = next_ > it->first ? next_ - it->first : 0;
        while (seen < m.bytes) {
            const uint64_t piece = std::min(looks, m.bytes - seen);
            if (piece == 0 || changes->data.size() >= most) {
                next_ = it->first + seen;
                return true;
            }
            const size_t looked = wire::gather_changes(m.pages + seen, m.known + seen, piece,
                                                       it->first + seen, 0, most, changes);
            seen += looked;
            looks -= looked;
        }
    }
    next_ = 0;
    return false;
}

void Mirrors::gather_all(wire::Changes* changes) {
    next_ = 0;
    gather(SIZE_MAX, UINT64_MAX, changes);
}

CUstream Mirrors::stream(uint64_t context, CUresult* result) {
    CUstream& stream = streams_[context];
    if (stream == nullptr) *result = driver_->cuStreamCreate(&stream, CU_STREAM_NON_BLOCKING);
    if (*result != CUDA_SUCCESS) streams_.erase(context);
    return *result == CUDA_SUCCESS ? stream : nullptr;
}

void Session::announce_changes() {
    if (!mirrors.announces()) return;
    wire::Changes changes;
    mirrors.gather_all(&changes);
    if (!changes.empty()) announce(msg::MirrorChanged{changes.run_bytes(), changes.data});
}

void serve(Session& s, const Frame& frame, const msg::MirrorMap& m) {
    CUdeviceptr device = 0;
    CUresult result = s.enter(frame);
    if (result == CUDA_SUCCESS) result = s.mirrors.map(m.wish, m.byte_count, &device);
    // Copies and sets take these addresses as they take the GPU's own.
    if (result == CUDA_SUCCESS) s.memory.add(device, {m.byte_count, s.current_device(), 0, 0, false, 0});
    s.reply_with(frame, result, msg::MirrorMap::Reply{device});
}

void serve(Session& s, const Frame& frame, const msg::MirrorUnmap& m) {
    const CUresult result = s.enter(frame);
    const MemoryTable::Range* range = s.memory.range_at(m.device);
    const uint64_t bytes = range != nullptr ? range->bytes : 0;
    const bool known = s.mirrors.unmap(m.device);
    if (known) s.memory.remove_mapped(m.device, bytes);
    s.posted(frame, known ? result : CUDA_ERROR_INVALID_VALUE);
}

void serve(Session& s, const Frame& frame, const msg::MirrorIn& m) {
    CUresult result = s.enter(frame);
    CUstream stream = nullptr;  // once managed memory is among the runs
    const bool good = wire::each_change(m.runs, m.data, [&](uint64_t address, std::span<const uint8_t> data) {
        if (result != CUDA_SUCCESS) return true;
        if (s.mirrors.holds(address, data.size())) {
            s.mirrors.write(address, data);
            return true;
        }
        if (!s.memory.within(address, data.size())) result = CUDA_ERROR_INVALID_VALUE;
        if (result == CUDA_SUCCESS && stream == nullptr) stream = s.mirrors.stream(s.context_name(), &result);
        if (result == CUDA_SUCCESS)
            result = s.driver.cuMemcpyHtoDAsync_v2(address, data.data(), data.size(), stream);
        return true;
    });
    // All work that follows must see it, on whatever stream; the data are this message's.
    if (stream != nullptr) {
        const CUresult waited = s.driver.cuStreamSynchronize(stream);
        if (result == CUDA_SUCCESS) result = waited;
    }
    if (!good) return s.peer_is_wrong(frame, "runs");
    s.posted(frame, result);
}

void serve(Session& s, const Frame& frame, const msg::MirrorChanges&) {
    wire::Changes changes;
    const bool more = s.mirrors.gather(kMostChanges, kMostLooks, &changes);
    s.reply_with(frame, CUDA_SUCCESS,
                 msg::MirrorChanges::Reply{more ? 1u : 0u, changes.run_bytes(), changes.data});
}

}  // namespace bitfusion::worker
