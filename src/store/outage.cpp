#include "store/outage.h"

#include <utility>

#include "base/log.h"

namespace bitfusion::store {

Outage::Outage(std::function<bool()> answers, std::chrono::milliseconds every)
    : answers_(std::move(answers)), every_(every) {}

Outage::~Outage() = default;

std::optional<Error> Outage::now() {
    const std::lock_guard lock(mutex_);
    return why_;
}

void Outage::begin(Error why) {
    const std::lock_guard lock(mutex_);
    if (why_) return;
    BF_LOG("store", kWarn, "%s", why.what.c_str());
    why_ = std::move(why);
    if (!thread_.joinable()) thread_ = std::jthread([this](const std::stop_token& stop) { watch(stop); });
    changed_.notify_all();
}

void Outage::watch(const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    while (changed_.wait(lock, stop, [this] { return why_.has_value(); })) {
        // Nothing to be told of before its time: only the end of the object.
        changed_.wait_for(lock, stop, every_, [] { return false; });
        if (stop.stop_requested()) return;
        lock.unlock();
        const bool over = answers_();
        lock.lock();
        if (!over) continue;
        why_.reset();
        BF_LOG("store", kInfo, "the store answers again");
    }
}

}  // namespace bitfusion::store
