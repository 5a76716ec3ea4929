// Handles: what the program holds (CUstream, CUevent, ...) mapped to the object that it names.
//
// A handle is a number that is never used twice and never an address, so a stale or invented handle is
// noticed instead of followed. Objects are shared: a call that has found its object keeps it alive while
// another thread destroys the handle. Any thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <type_traits>
#include <unordered_map>
#include <vector>

namespace bitfusion::soft {

template <typename Handle>
uint64_t handle_number(Handle handle) {
    if constexpr (std::is_pointer_v<Handle>)
        return reinterpret_cast<uintptr_t>(handle);
    else
        return static_cast<uint64_t>(handle);
}

template <typename Handle>
Handle handle_from(uint64_t number) {
    if constexpr (std::is_pointer_v<Handle>)
        return reinterpret_cast<Handle>(static_cast<uintptr_t>(number));
    else
        return static_cast<Handle>(number);
}

template <typename T, typename Handle>
class Handles {
  public:
    // `kind` keeps the numbers of different tables apart: a kernel is never mistaken for a function.
    explicit Handles(uint64_t kind) : kind_(kind) {}

    // A number for an object that is still being made.
    Handle issue() { return handle_from<Handle>((kind_ << 44) | (++last_ << 4)); }

    void add(Handle handle, std::shared_ptr<T> object) {
        const std::unique_lock lock(mutex_);
        objects_[handle_number(handle)] = std::move(object);
    }

    std::shared_ptr<T> find(Handle handle) const {
        const std::shared_lock lock(mutex_);
        const auto at = objects_.find(handle_number(handle));
        return at == objects_.end() ? nullptr : at->second;
    }

    // The object, now without a handle; null if there was none.
    std::shared_ptr<T> remove(Handle handle) {
        const std::unique_lock lock(mutex_);
        const auto at = objects_.find(handle_number(handle));
        if (at == objects_.end()) return nullptr;
        std::shared_ptr<T> object = std::move(at->second);
        objects_.erase(at);
        return object;
    }

    std::vector<std::shared_ptr<T>> all() const {
        const std::shared_lock lock(mutex_);
        std::vector<std::shared_ptr<T>> objects;
        objects.reserve(objects_.size());
        for (const auto& [number, object] : objects_) objects.push_back(object);
        return objects;
    }

    // Forgets all. An object that ends may look for others here.
    void clear() {
        std::unordered_map<uint64_t, std::shared_ptr<T>> gone;
        {
            const std::unique_lock lock(mutex_);
            gone.swap(objects_);
        }
    }

  private:
    const uint64_t kind_;
    std::atomic<uint64_t> last_{0};
    mutable std::shared_mutex mutex_;
    std::unordered_map<uint64_t, std::shared_ptr<T>> objects_;
};

}  // namespace bitfusion::soft
