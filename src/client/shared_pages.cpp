#include "client/shared_pages.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <memory>
#include <mutex>

#include "base/descriptor.h"
#include "base/log.h"
#include "client/feedback.h"
#include "client/handover.h"
#include "client/memory_map.h"
#include "client/session.h"
#include "client/stream.h"

namespace bitfusion::client {
namespace {

constexpr int kSeals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
// One address for both processes is worth a few round trips.
constexpr int kMostTries = 5;
constexpr uint64_t kPage = 4096;
constexpr uint64_t kLowest = 1u << 20;
constexpr uint64_t kHighest = uint64_t{1} << 47;
constexpr uint64_t kStride = uint64_t{64} << 30;

std::atomic<bool> g_any{false};

// A file and the message that speaks of it go out together.
std::mutex& giving() {
    static std::mutex* const made = std::make_unique<std::mutex>().release();  // outlives every exit handler
    return *made;
}

Descriptor make_file(size_t bytes) {
    Descriptor file(memfd_create("bitfusion-pinned", MFD_CLOEXEC | MFD_ALLOW_SEALING));
    if (!file || ftruncate(file.get(), static_cast<off_t>(bytes)) != 0 ||
        fcntl(file.get(), F_ADD_SEALS, kSeals) != 0)
        return {};
    return file;
}

uint8_t* map_here(uint64_t address, size_t bytes, const Descriptor& file) {
    // Pinned memory is there from the start, and this process is whom the kernel charges for it.
    void* got = mmap(reinterpret_cast<void*>(address), bytes, PROT_READ | PROT_WRITE,
                     MAP_SHARED | MAP_POPULATE | (address != 0 ? MAP_FIXED_NOREPLACE : 0), file.get(), 0);
    if (got == MAP_FAILED) return nullptr;
    if (address == 0 || reinterpret_cast<uint64_t>(got) == address) return static_cast<uint8_t*>(got);
    munmap(got, bytes);  // a kernel older than MAP_FIXED_NOREPLACE
    return nullptr;
}

// The program has no pointer yet: where the address that was wished for is taken in the worker, the worker's
// may be free here. It comes from the server, so it must be one for pages of a program, and replaces nothing.
uint8_t* move_to(CUdeviceptr device, uint8_t* pages, size_t bytes, const Descriptor& file) {
    if (reinterpret_cast<uint64_t>(pages) == device) return pages;
    if (device % kPage != 0 || device < kLowest || device >= kHighest || bytes > kHighest - device)
        return pages;
    uint8_t* const there = map_here(device, bytes, file);
    if (there == nullptr) return pages;
    munmap(pages, bytes);
    return there;
}

CUresult give(Session* s, const Descriptor& file, const msg::PagesShare& m, CUdeviceptr* device) {
    const std::lock_guard<std::mutex> lock(giving());
    if (!s->give_file(file.get())) return CUDA_ERROR_OPERATING_SYSTEM;
    return call(m, [&](const msg::PagesShare::Reply& reply) { *device = reply.device; });
}

}  // namespace

void* share_pages(size_t bytes, CUdeviceptr* device) {
    Session* s = session();
    // Memory may be allocated while a stream captures; the worker's driver might call that a violation.
    if (s == nullptr || !s->shares_memory() || any_capture()) return nullptr;
    const Descriptor file = make_file(bytes);
    if (!file) {
        BF_LOG("client", kInfo, "pinned memory is not shared with the worker: %s", strerror(errno));
        return nullptr;
    }
    // Away from the places that the kernel gives first, in both processes, when those clash.
    uint64_t wish = 0;
    for (int tries = 0; tries < kMostTries; ++tries) {
        uint8_t* pages = map_here(wish, bytes, file);
        if (pages == nullptr && wish == 0) break;
        if (pages != nullptr) {
            wish = reinterpret_cast<uint64_t>(pages);
            const CUresult result = give(s, file, msg::PagesShare{wish, bytes}, device);
            if (result != CUDA_SUCCESS) {
                BF_LOG("client", kInfo, "the worker cannot share %zu bytes of pinned memory: error %d", bytes,
                       result);
                munmap(pages, bytes);
                break;
            }
            g_any = true;
            pages = move_to(*device, pages, bytes, file);
            if (reinterpret_cast<uint64_t>(pages) == *device || trusts_addresses()) return pages;
            // Something of the program's lies there, and must not be taken for the GPU's.
            BF_LOG("client", kDebug, "pinned memory at %p would be %#llx to kernels", pages,
                   static_cast<unsigned long long>(*device));
            post(msg::PagesUnshare{*device});
            munmap(pages, bytes);
        }
        if (wish < kLowest + kStride) break;
        wish -= kStride;
    }
    return nullptr;
}

CUdeviceptr in_shared_pages(const void* host, size_t bytes) {
    if (!g_any.load(std::memory_order_relaxed)) return 0;
    const auto number = reinterpret_cast<uint64_t>(host);
    if (!may_be_pinned(number)) return 0;
    const auto range = range_of(number);
    if (!range || !range->shared || bytes > range->bytes - (number - range->base)) return 0;
    return range->mapped_at + (number - range->base);
}

CUresult copy_pages(CUdeviceptr target, CUdeviceptr source, size_t bytes, CUstream stream, bool awaited) {
    CUresult result = hand_over_range(target, bytes);
    if (result == CUDA_SUCCESS) result = hand_over_range(source, bytes);
    if (result != CUDA_SUCCESS) return result;
    touch_stream(stream);
    if (!awaited) return post(msg::CopyPages{target, source, bytes, wire_name(stream)});
    const uint64_t touch = stream == nullptr || stream == CU_STREAM_LEGACY ? last_touch() : touch_of(stream);
    result = call(msg::CopyPagesAwaited{target, source, bytes, wire_name(stream)}, [](const auto&) {});
    if (result != CUDA_SUCCESS) return result;
    stream_done(stream, touch);
    return take_back();
}

}  // namespace bitfusion::client
