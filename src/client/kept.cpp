#include "client/kept.h"

#include <atomic>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <variant>

#include "client/host_function.h"
#include "client/memory_map.h"

namespace bitfusion::client {
namespace {

struct Call {
    CUhostFn function;
    void* data;
};
struct Destructor : Call {};

struct Table {
    std::mutex lock;
    std::unordered_map<uint64_t, std::variant<HostBox, Call, Destructor, CUdeviceptr>> kept;
};

Table& table() {
    static Table* const made = std::make_unique<Table>().release();  // outlives every exit handler
    return *made;
}

template <typename T>
void keep(uint64_t ticket, T value) {
    const std::lock_guard<std::mutex> lock(table().lock);
    table().kept.insert_or_assign(ticket, std::move(value));
}

}  // namespace

uint64_t HostBox::run() const {
    if (height * depth == 1) return bytes();
    if (pitch != width) return width;
    return depth == 1 || slice == pitch * height ? bytes() : width * height;
}

uint8_t* HostBox::at(uint64_t offset) const {
    const uint64_t row = offset / width;
    return first + row / height * slice + row % height * pitch + offset % width;
}

bool HostBox::overlaps(const uint8_t* begin, uint64_t size) const {
    if (bytes() == 0) return false;
    const uint8_t* const end = at(bytes() - 1) + 1;
    return first < begin + size && begin < end;
}

uint64_t new_ticket() {
    static std::atomic<uint64_t> last{0};
    return last.fetch_add(1, std::memory_order_relaxed) + 1;
}

void keep_host_memory(uint64_t ticket, const HostBox& box) { keep(ticket, box); }
void keep_host_function(uint64_t ticket, CUhostFn function, void* data) {
    keep(ticket, Call{function, data});
}
void keep_destructor(uint64_t ticket, CUhostFn destructor, void* object) {
    keep(ticket, Destructor{{destructor, object}});
}
void keep_graph_memory(uint64_t ticket, CUdeviceptr address) { keep(ticket, address); }

std::optional<HostBox> kept_host_memory(uint64_t ticket) {
    const std::lock_guard<std::mutex> lock(table().lock);
    const auto found = table().kept.find(ticket);
    if (found == table().kept.end() || !std::holds_alternative<HostBox>(found->second)) return std::nullopt;
    return std::get<HostBox>(found->second);
}

bool kept_host_function(uint64_t ticket, CUhostFn* function, void** data) {
    const std::lock_guard<std::mutex> lock(table().lock);
    const auto found = table().kept.find(ticket);
    if (found == table().kept.end() || !std::holds_alternative<Call>(found->second)) return false;
    *function = std::get<Call>(found->second).function;
    *data = std::get<Call>(found->second).data;
    return true;
}

void release_kept(uint64_t ticket, bool unused) {
    std::unique_lock<std::mutex> lock(table().lock);
    const auto found = table().kept.find(ticket);
    if (found == table().kept.end()) return;
    const auto kept = found->second;
    table().kept.erase(found);
    lock.unlock();
    if (const auto* destructor = std::get_if<Destructor>(&kept); destructor != nullptr && !unused)
        run_on_host_thread([call = *destructor] { call.function(call.data); });
    if (const auto* address = std::get_if<CUdeviceptr>(&kept))
        forget_range(*address, MemoryRange::Kind::kGraph);
}

}  // namespace bitfusion::client
