#include "client/mapped_memory.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "base/log.h"
#include "client/context.h"
#include "client/feedback.h"
#include "client/handover.h"
#include "client/memory_map.h"
#include "client/session.h"
#include "client_hand.gen.h"
#include "wire/changes.h"

namespace bitfusion::client {
namespace {

constexpr uint64_t kPage = 4096;
constexpr size_t kPiece = 4u << 20;  // of changes in one message
// Answers with changes after which a synchronisation returns although kernels go on writing.
constexpr int kMostAnswers = 1024;
// One address that is free in both processes is worth a few round trips, each this far from the last.
constexpr int kMostTries = 5;
constexpr uint64_t kStride = uint64_t{64} << 30;
constexpr const char* kBadChanges = "the server sent changes whose parts do not fit together";

struct Mapping {
    uint8_t* host;
    CUdeviceptr device;          // of the first byte
    CUdeviceptr pages;           // of the worker's pages that hold it
    bool writable;               // by the program, so by the GPU too
    std::vector<uint8_t> known;  // what both sides last agreed on
    uint64_t page_bytes() const { return (device - pages + known.size() + kPage - 1) / kPage * kPage; }
};

// Locks: `sending` around whatever travels, so that changes arrive in the order in which they were found;
// `lock` around the tables, which the receiving thread changes too, and therefore never while waiting for it.
// Mappings come and go under both.
struct Mappings {
    std::mutex sending;
    std::mutex lock;
    std::map<uint64_t, Mapping> by_base;
    std::map<CUdeviceptr, uint64_t> by_device;  // first device byte -> base
    std::atomic<int> count{0};
    std::atomic<uint64_t> page_bytes{0};  // of the worker
};

Mappings& mappings() {
    static Mappings* const made = std::make_unique<Mappings>().release();  // outlives every exit handler
    return *made;
}

// The worker needs a context to map into and out of; pinned memory may be freed without one.
class InContext {
  public:
    explicit InContext(CUcontext context)
        : pushed_(current_context() == nullptr && cuCtxPushCurrent_v2(context) == CUDA_SUCCESS) {}
    ~InContext() {
        if (pushed_) cuCtxPopCurrent_v2(nullptr);
    }
    InContext(const InContext&) = delete;
    InContext& operator=(const InContext&) = delete;

  private:
    const bool pushed_;
};

CUresult send(const wire::Changes& changes) {
    const msg::MirrorIn m{changes.run_bytes(), {}};
    return session()->post_bulk(
        msg::MirrorIn::kId, m.size(), [&](wire::Writer& w) { m.encode(w); }, changes.data.data(),
        changes.data.size(), true);
}

// The caller holds `sending`.
CUresult send_changes(Mapping* mapping) {
    for (size_t at = 0; at < mapping->known.size();) {
        wire::Changes changes;
        {
            const std::lock_guard<std::mutex> lock(mappings().lock);
            at += wire::gather_changes(mapping->host + at, mapping->known.data() + at,
                                       mapping->known.size() - at, mapping->device + at, 0, kPiece, &changes);
        }
        const CUresult result = changes.empty() ? CUDA_SUCCESS : send(changes);
        if (result != CUDA_SUCCESS) return result;
    }
    return CUDA_SUCCESS;
}

// One run of the worker's answer; what lies outside of every mapping is the rest of a page and nobody's.
void apply_locked(Mappings& all, uint64_t address, std::span<const uint8_t> data) {
    auto it = all.by_device.lower_bound(address + data.size());
    while (it != all.by_device.begin()) {
        --it;
        Mapping& m = all.by_base[it->second];
        const uint64_t end = std::min<uint64_t>(address + data.size(), m.device + m.known.size());
        const uint64_t first = std::max<uint64_t>(address, m.device);
        if (first >= end) return;
        if (!m.writable) continue;
        memcpy(m.known.data() + (first - m.device), data.data() + (first - address), end - first);
        memcpy(m.host + (first - m.device), data.data() + (first - address), end - first);
    }
}

bool apply(std::span<const uint8_t> runs, std::span<const uint8_t> data) {
    Mappings& all = mappings();
    const std::lock_guard<std::mutex> lock(all.lock);
    return wire::each_change(runs, data, [&](uint64_t address, std::span<const uint8_t> run) {
        apply_locked(all, address, run);
        return true;
    });
}

// The worker's pages for the program's at `host`. Where they are elsewhere, their numbers must be nobody's
// here: kernels' addresses may never be taken for the program's own.
CUresult map_pages(uint64_t host, uint64_t bytes, CUdeviceptr* pages) {
    uint64_t wish = host;
    for (int tries = 1; tries <= kMostTries; ++tries) {
        const CUresult result = call(msg::MirrorMap{wish, bytes},
                                     [&](const msg::MirrorMap::Reply& reply) { *pages = reply.device; });
        if (result != CUDA_SUCCESS) return result;
        if (*pages == host || reserve_addresses(*pages, bytes)) return CUDA_SUCCESS;
        post(msg::MirrorUnmap{*pages});
        wish = free_addresses(wish > kStride ? wish - kStride : 0, bytes);
    }
    BF_LOG(
        "client", kError,
        "no address of the GPU for pinned memory at %#llx is free in this process; start it without a fixed "
        "memory layout",
        static_cast<unsigned long long>(host));
    return CUDA_ERROR_OUT_OF_MEMORY;
}

CUresult map_range(const MemoryRange& range, CUdeviceptr* device) {
    await_tickets(reinterpret_cast<void*>(range.base), range.bytes);
    Mappings& all = mappings();
    const std::lock_guard<std::mutex> sending(all.sending);
    if (const auto found = all.by_base.find(range.base); found != all.by_base.end()) {
        *device = found->second.device;
        return CUDA_SUCCESS;
    }
    const uint64_t offset = range.base % kPage;
    const uint64_t bytes = (offset + range.bytes + kPage - 1) / kPage * kPage;
    CUdeviceptr pages = 0;
    // Counted before the worker counts it: whoever returns from a synchronisation meanwhile asks once too
    // often.
    all.page_bytes += bytes;
    CUresult result = map_pages(range.base - offset, bytes, &pages);
    if (result != CUDA_SUCCESS) {
        all.page_bytes -= bytes;
        return result;
    }
    Mapping mapping;
    mapping.host = reinterpret_cast<uint8_t*>(range.base);
    mapping.device = pages + offset;
    mapping.pages = pages;
    mapping.writable = !range.registered || (range.flags & CU_MEMHOSTREGISTER_READ_ONLY) == 0;
    mapping.known.resize(range.bytes);  // zeros, as the fresh pages
    result = send_changes(&mapping);
    if (result != CUDA_SUCCESS) {
        all.page_bytes -= bytes;
        post(msg::MirrorUnmap{pages});
        return result;
    }
    if (mapping.device != range.base) {
        BF_LOG("client", kDebug, "pinned memory at %p is %#llx to kernels", mapping.host,
               static_cast<unsigned long long>(mapping.device));
        MemoryRange alias = range;
        alias.kind = MemoryRange::Kind::kMapped;
        alias.base = mapping.device;
        alias.owner = range.base;
        remember_range(alias);
    }
    note_mapping(range.base, mapping.device);
    *device = mapping.device;
    const std::lock_guard<std::mutex> lock(all.lock);
    all.by_device[mapping.device] = range.base;
    all.by_base.emplace(range.base, std::move(mapping));
    ++all.count;
    g_sharing = true;
    return CUDA_SUCCESS;
}

}  // namespace

bool any_mapped() { return mappings().count.load(std::memory_order_relaxed) != 0; }

CUresult map_into_gpu(const void* at, CUdeviceptr* address) {
    const auto number = reinterpret_cast<uint64_t>(at);
    const auto range = range_of(number);
    if (!range || range->kind != MemoryRange::Kind::kHost) return CUDA_ERROR_INVALID_VALUE;
    CUdeviceptr device = range->mapped_at;
    if (device == 0) {
        const InContext of_this_call(range->context);
        const CUresult result = map_range(*range, &device);
        if (result != CUDA_SUCCESS) return result;
    }
    *address = device + (number - range->base);
    return CUDA_SUCCESS;
}

void map_arguments(const void* arguments, size_t bytes) {
    const auto* at = static_cast<const uint8_t*>(arguments);
    for (; bytes >= sizeof(uint64_t); at += sizeof(uint64_t), bytes -= sizeof(uint64_t)) {
        uint64_t word = 0;
        memcpy(&word, at, sizeof word);
        if (!may_be_pinned(word)) continue;
        const auto range = range_of(word);
        if (!range || range->kind != MemoryRange::Kind::kHost || range->mapped_at != 0) continue;
        CUdeviceptr device = 0;
        const CUresult result = map_into_gpu(reinterpret_cast<void*>(word), &device);
        // It may be a number that only looks like an address, so the launch goes on.
        if (result != CUDA_SUCCESS || device != word) {
            BF_LOG("client", kWarn,
                   "a kernel is given the host address %#llx of pinned memory, which is not its device "
                   "address (error %d); use cuMemHostGetDevicePointer",
                   static_cast<unsigned long long>(word), result);
        }
    }
}

void unmap_from_gpu(uint64_t base) {
    Mappings& all = mappings();
    CUdeviceptr pages = 0;
    CUcontext context = nullptr;
    uint64_t bytes = 0;
    {
        const std::lock_guard<std::mutex> sending(all.sending);
        const std::lock_guard<std::mutex> lock(all.lock);
        const auto found = all.by_base.find(base);
        if (found == all.by_base.end()) return;
        if (const auto range = range_of(base)) context = range->context;
        pages = found->second.pages;
        bytes = found->second.page_bytes();
        if (found->second.device != base) forget_range(found->second.device, MemoryRange::Kind::kMapped);
        all.by_device.erase(found->second.device);
        all.by_base.erase(found);
        --all.count;
    }
    note_mapping(base, 0);
    const InContext of_this_call(context);
    if (current_context() != nullptr && !all_idle()) synchronize_context(current_context());
    post(msg::MirrorUnmap{pages});
    // From here on the worker announces what it did not announce before.
    const uint64_t now = all.page_bytes.load();
    if (now > wire::kMostAnnounced && now - bytes <= wire::kMostAnnounced) fetch_mapped();
    all.page_bytes -= bytes;
}

CUresult send_mapped() {
    Mappings& all = mappings();
    const std::lock_guard<std::mutex> sending(all.sending);
    for (auto& [base, mapping] : all.by_base) {
        const CUresult result = send_changes(&mapping);
        if (result != CUDA_SUCCESS) return result;
    }
    return CUDA_SUCCESS;
}

CUresult show_mapped() {
    return mappings().page_bytes.load() <= wire::kMostAnnounced ? send_mapped() : CUDA_SUCCESS;
}

void mapped_changed(std::span<const uint8_t> runs, std::span<const uint8_t> data) {
    if (Session* s = session(); !apply(runs, data) && s != nullptr) s->lose(kBadChanges);
}

CUresult fetch_mapped() {
    Mappings& all = mappings();
    if (all.page_bytes.load() <= wire::kMostAnnounced) return CUDA_SUCCESS;
    const std::lock_guard<std::mutex> sending(all.sending);
    bool more = !all.by_base.empty();
    for (int i = 0; more && i < kMostAnswers; ++i) {
        bool good = true;
        const CUresult result = call(msg::MirrorChanges{}, [&](const msg::MirrorChanges::Reply& reply) {
            more = reply.more != 0;
            good = apply(reply.runs, reply.data);
        });
        if (result != CUDA_SUCCESS) return result;
        if (!good) {
            session()->lose(kBadChanges);
            return CUDA_ERROR_DEVICE_UNAVAILABLE;
        }
    }
    return CUDA_SUCCESS;
}

}  // namespace bitfusion::client
