#include "worker/host_functions.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <utility>
#include <vector>

namespace bitfusion::worker {

HostFunctions::HostFunctions() : wake_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}
HostFunctions::~HostFunctions() { close(wake_); }

void HostFunctions::pass(Point* point, CUresult status) {
    std::unique_lock<std::mutex> lock(lock_);
    if (abandoned_) return;
    const uint64_t number = ++last_pass_;
    waiting_.insert(number);
    due_.push_back({point->ticket, number, status});
    any_due_.store(true, std::memory_order_release);
    eventfd_write(wake_, 1);
    changed_.wait(lock, [&] { return waiting_.count(number) == 0 || abandoned_; });
    waiting_.erase(number);
    if (!point->lasting) forget(point->ticket);
}

HostFunctions::Point* HostFunctions::make(uint64_t ticket) {
    const std::lock_guard<std::mutex> lock(lock_);
    if (points_.count(ticket) != 0) return nullptr;
    auto& place = points_[ticket];
    place = std::make_unique<Point>(Point{this, ticket});
    open_.store(points_.size(), std::memory_order_release);
    return place.get();
}

void HostFunctions::drop(uint64_t ticket) {
    const std::lock_guard<std::mutex> lock(lock_);
    forget(ticket);
}

void HostFunctions::forget(uint64_t ticket) {
    points_.erase(ticket);
    open_.store(points_.size(), std::memory_order_release);
}

HostFunctions::Point* HostFunctions::make_lasting(uint64_t ticket) {
    const std::lock_guard<std::mutex> lock(lock_);
    auto point = std::make_unique<Point>(Point{this, ticket, true});
    Point* const made = point.get();
    lasting_[made] = std::move(point);
    return made;
}

void HostFunctions::drop(Point* lasting) {
    const std::lock_guard<std::mutex> lock(lock_);
    lasting_.erase(lasting);
}

HostFunctions::Held HostFunctions::make_held() { return Held(std::make_unique<HostFunctions>().release()); }

void HostFunctions::Leave::operator()(HostFunctions* left) const {
    std::unique_ptr<HostFunctions> owned(left);
    left->abandon();
    {
        const std::lock_guard<std::mutex> lock(left->lock_);
        if (left->points_.empty() && left->lasting_.empty() && left->waiting_.empty()) left = nullptr;
    }
    if (left == nullptr) return;
    static std::mutex lock;
    // Never destroyed: the driver's threads run until the very end.
    static auto* const kept = std::make_unique<std::vector<std::unique_ptr<HostFunctions>>>().release();
    const std::lock_guard<std::mutex> keeping(lock);
    kept->push_back(std::move(owned));
}

std::deque<HostFunctions::Due> HostFunctions::take_due() {
    eventfd_t count = 0;
    eventfd_read(wake_, &count);
    const std::lock_guard<std::mutex> lock(lock_);
    any_due_.store(false, std::memory_order_relaxed);
    return std::exchange(due_, {});
}

void HostFunctions::done(uint64_t pass) {
    const std::lock_guard<std::mutex> lock(lock_);
    if (waiting_.erase(pass) != 0) changed_.notify_all();
}

void HostFunctions::abandon() {
    const std::lock_guard<std::mutex> lock(lock_);
    abandoned_ = true;
    changed_.notify_all();
}

void pass_host_point(void* point) {
    auto* p = static_cast<HostFunctions::Point*>(point);
    p->owner->pass(p, CUDA_SUCCESS);
}

void pass_callback_point(CUstream, CUresult status, void* point) {
    auto* p = static_cast<HostFunctions::Point*>(point);
    p->owner->pass(p, status);
}

}  // namespace bitfusion::worker
