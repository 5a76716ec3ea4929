#include "worker/host_functions.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <utility>

namespace bitfusion::worker {

HostFunctions::HostFunctions() : wake_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}
HostFunctions::~HostFunctions() { close(wake_); }

void HostFunctions::pass(Point* point) {
    std::unique_lock<std::mutex> lock(lock_);
    due_.emplace_back(point->ticket, point->status);
    any_due_.store(true, std::memory_order_release);
    eventfd_write(wake_, 1);
    changed_.wait(lock, [&] { return point->done || abandoned_; });
    points_.erase(point->ticket);
}

HostFunctions::Point* HostFunctions::make(uint64_t ticket) {
    const std::lock_guard<std::mutex> lock(lock_);
    if (points_.count(ticket) != 0) return nullptr;
    auto& place = points_[ticket];
    place = std::make_unique<Point>(Point{this, ticket});
    return place.get();
}

void HostFunctions::drop(uint64_t ticket) {
    const std::lock_guard<std::mutex> lock(lock_);
    points_.erase(ticket);
}

std::deque<std::pair<uint64_t, CUresult>> HostFunctions::take_due() {
    eventfd_t count = 0;
    eventfd_read(wake_, &count);
    const std::lock_guard<std::mutex> lock(lock_);
    any_due_.store(false, std::memory_order_relaxed);
    return std::exchange(due_, {});
}

bool HostFunctions::any_open() {
    const std::lock_guard<std::mutex> lock(lock_);
    return !points_.empty();
}

void HostFunctions::done(uint64_t ticket) {
    const std::lock_guard<std::mutex> lock(lock_);
    const auto found = points_.find(ticket);
    if (found == points_.end()) return;
    found->second->done = true;
    changed_.notify_all();
}

void HostFunctions::abandon() {
    const std::lock_guard<std::mutex> lock(lock_);
    abandoned_ = true;
    changed_.notify_all();
}

}  // namespace bitfusion::worker
