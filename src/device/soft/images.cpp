#include "device/soft/images.h"

#include <algorithm>

#include "device/soft/array.h"

namespace bitfusion::soft {
namespace {

// Numbers that are no address of this process and no handle of another kind.
constexpr uint64_t kFirstNumber = uint64_t{16} << 44;

}  // namespace

uint64_t Images::add(ImageObject object) {
    const std::lock_guard lock(mutex_);
    const uint64_t number = kFirstNumber + ++last_;
    objects_[number] = std::make_shared<const ImageObject>(std::move(object));
    remembered_ = nullptr;
    return number;
}

std::shared_ptr<const ImageObject> Images::find(uint64_t number, bool surface) const {
    const std::lock_guard lock(mutex_);
    const auto found = objects_.find(number);
    return found == objects_.end() || found->second->surface != surface ? nullptr : found->second;
}

bool Images::remove(uint64_t number, bool surface, std::vector<TaskPtr> users) {
    const std::lock_guard lock(mutex_);
    const auto found = objects_.find(number);
    if (found == objects_.end() || found->second->surface != surface) return false;
    std::erase_if(users, [](const TaskPtr& task) { return task->done(); });
    if (!users.empty()) retired_.push_back({number, std::move(found->second), std::move(users)});
    objects_.erase(found);
    remembered_ = nullptr;
    return true;
}

void Images::remove_context(uint64_t context_id) {
    const std::lock_guard lock(mutex_);
    std::erase_if(objects_, [&](const auto& entry) { return entry.second->context_id == context_id; });
    std::erase_if(retired_, [&](const Retired& one) { return one.object->context_id == context_id; });
    remembered_ = nullptr;
}

void Images::storage_changed() {
    const std::lock_guard lock(mutex_);
    remembered_ = nullptr;
}

std::shared_ptr<const ImageTable> Images::table() {
    const std::lock_guard lock(mutex_);
    if (remembered_ != nullptr) return remembered_;
    auto made = std::make_shared<ImageTable>();
    const auto enter = [&](uint64_t number, const ImageObject& object) {
        std::shared_ptr<const ArrayStorage> storage = object.bound.storage.lock();
        if (storage != nullptr || object.bound.owns_nothing)
            made->add(number, object.bound.image, std::move(storage));
    };
    std::erase_if(retired_, [](const Retired& one) {
        return std::all_of(one.users.begin(), one.users.end(),
                           [](const TaskPtr& task) { return task->done(); });
    });
    for (const Retired& one : retired_) enter(one.number, *one.object);
    for (const auto& [number, object] : objects_) enter(number, *object);
    remembered_ = std::move(made);
    return remembered_;
}

}  // namespace bitfusion::soft
