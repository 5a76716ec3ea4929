#include "worker/kept.h"

#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include <utility>

#include "worker/graph_launch.h"
#include "worker/session.h"

namespace bitfusion::worker {

HostMemory::HostMemory(Session* owner, size_t size, uint64_t gapless)
    : session(owner), bytes(size), run(gapless) {
    if (bytes == 0 || bytes > kMostBytes || session->kept.host_bytes > kMostBytes - bytes) return;
    void* pages = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pages == MAP_FAILED) return;
    data = static_cast<uint8_t*>(pages);
    session->kept.host_bytes += bytes;
    // Our own pages, so that they outlive the context; unpinned they serve as well, only slower.
    pinned = session->driver.cuMemHostRegister_v2(data, bytes, CU_MEMHOSTREGISTER_PORTABLE) == CUDA_SUCCESS;
}

HostMemory::~HostMemory() {
    if (data == nullptr) return;
    session->kept.host_bytes -= bytes;
    if (pinned) {
        CUcontext context = session->some_context();
        const bool pushed =
            context != nullptr && session->driver.cuCtxPushCurrent_v2(context) == CUDA_SUCCESS;
        session->driver.cuMemHostUnregister(data);
        if (pushed) session->driver.cuCtxPopCurrent_v2(&context);
    }
    munmap(data, bytes);
}

KeptTable::Box::Box() : wake(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}
KeptTable::Box::~Box() { close(wake); }

KeptTable::KeptTable(Session* session) : s_(*session), box_(std::make_shared<Box>()) {}

void KeptTable::destroyed(void* destruction) {
    const std::unique_ptr<Destruction> gone(static_cast<Destruction*>(destruction));
    const std::lock_guard<std::mutex> lock(gone->box->lock);
    gone->box->gone.push_back(gone->ticket);
    gone->box->any.store(true, std::memory_order_release);
    eventfd_write(gone->box->wake, 1);
}

Kept* KeptTable::make(Kept::Kind kind, uint64_t ticket, unsigned count, CUresult* result) {
    *result = CUDA_SUCCESS;
    if (kept_.count(ticket) != 0) return nullptr;
    if (kept_.size() >= kMost) *result = CUDA_ERROR_OUT_OF_MEMORY;
    if (s_.driver.cuUserObjectCreate == nullptr) *result = CUDA_ERROR_NOT_SUPPORTED;
    if (*result != CUDA_SUCCESS) return nullptr;
    auto destruction = std::make_unique<Destruction>(Destruction{box_, ticket});
    CUuserObject object = nullptr;
    *result = s_.driver.cuUserObjectCreate(&object, destruction.get(), destroyed, count,
                                           CU_USER_OBJECT_NO_DESTRUCTOR_SYNC);
    if (*result != CUDA_SUCCESS) return nullptr;
    destruction.release();  // destroyed() owns it now
    auto& place = kept_[ticket];
    place = std::make_unique<Kept>();
    place->kind = kind;
    place->ticket = ticket;
    place->object = object;
    if (kind == Kept::Kind::kHostFunction) {
        place->point = s_.host_functions.make_lasting(ticket);
        by_address_[place->point] = place.get();
    }
    return place.get();
}

Kept* KeptTable::find(uint64_t ticket, Kept::Kind kind) {
    const auto found = kept_.find(ticket);
    return found == kept_.end() || found->second->kind != kind ? nullptr : found->second.get();
}

CUresult KeptTable::give_memory(Kept* kept, size_t bytes, uint64_t run) {
    kept->memory = std::make_shared<HostMemory>(&s_, bytes, run);
    if (kept->memory->data == nullptr) return CUDA_ERROR_OUT_OF_MEMORY;
    by_address_[kept->memory->data] = kept;
    return CUDA_SUCCESS;
}

Kept* KeptTable::host_memory_at(const void* address) {
    const auto found = by_address_.find(address);
    return found == by_address_.end() || found->second->kind != Kept::Kind::kHostMemory ? nullptr
                                                                                        : found->second;
}

Kept* KeptTable::host_function_of(const void* point) {
    const auto found = by_address_.find(point);
    return found == by_address_.end() || found->second->kind != Kept::Kind::kHostFunction ? nullptr
                                                                                          : found->second;
}

void KeptTable::place(Kept* kept, CUgraph graph, uint64_t graph_name) {
    if (s_.driver.cuGraphRetainUserObject(graph, kept->object, 1, CU_GRAPH_USER_OBJECT_MOVE) == CUDA_SUCCESS)
        ++kept->held_by[graph_name];
    // If the graph cannot hold it, the reference stays: what its nodes use must never go before them.
}

void KeptTable::give_back(Kept* kept) { s_.driver.cuUserObjectRelease(kept->object, 1); }
void KeptTable::retain(Kept* kept) { s_.driver.cuUserObjectRetain(kept->object, 1); }

void KeptTable::remove_from(Kept* kept, CUgraph graph, uint64_t graph_name) {
    const auto holder = kept->held_by.find(graph_name);
    if (holder == kept->held_by.end()) return;
    if (--holder->second == 0) kept->held_by.erase(holder);
    s_.driver.cuGraphReleaseUserObject(graph, kept->object, 1);
}

void KeptTable::graph_cloned(uint64_t from, uint64_t to) {
    for (const auto& [ticket, kept] : kept_) {
        const auto holder = kept->held_by.find(from);
        if (holder != kept->held_by.end()) kept->held_by[to] = holder->second;
    }
}

void KeptTable::graph_forgotten(uint64_t name) {
    for (const auto& [ticket, kept] : kept_) kept->held_by.erase(name);
}

void KeptTable::reap() {
    if (!any_gone()) return;
    std::deque<uint64_t> gone;
    {
        const std::lock_guard<std::mutex> lock(box_->lock);
        eventfd_t count = 0;
        eventfd_read(box_->wake, &count);
        gone = std::exchange(box_->gone, {});
        box_->any.store(false, std::memory_order_relaxed);
    }
    for (const uint64_t ticket : gone) {
        const auto found = kept_.find(ticket);
        if (found == kept_.end()) continue;
        const std::unique_ptr<Kept> kept = std::move(found->second);
        kept_.erase(found);
        if (kept->memory != nullptr && kept->memory->data != nullptr) by_address_.erase(kept->memory->data);
        if (kept->point != nullptr) {
            by_address_.erase(kept->point);
            s_.host_functions.drop(kept->point);
        }
        if (kept->kind == Kept::Kind::kUserObject) s_.handles.forget(kept->name);
        if (kept->kind == Kept::Kind::kGraphMemory) s_.memory.remove_of_graph(kept->address);
        if (ticket < kOwnTickets) s_.announce(msg::KeptReleased{ticket});
        if (kept->memory == nullptr || !s_.host_functions.any_open()) continue;
        // Unpinning may wait for the GPU, which may be waiting for the client, who is heard on this thread.
        s_.wait({[this] { return s_.host_functions.any_open() ? CUDA_ERROR_NOT_READY : CUDA_SUCCESS; },
                 [memory = kept->memory](CUresult) {}});
    }
}

}  // namespace bitfusion::worker
