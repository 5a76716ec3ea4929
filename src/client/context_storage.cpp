// What CUDA runtimes and libraries keep per context (the context-local storage table). A lookup is on the
// path of nearly every runtime call, so each thread remembers its last answers until anything is put or
// deleted anywhere.
#include <array>
#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "client/context.h"

namespace bitfusion::client {
namespace {

struct Key {
    CUcontext context;
    void* key;
    bool operator<(const Key& o) const { return context != o.context ? context < o.context : key < o.key; }
};
struct Value {
    void* value;
    StorageDestructor destructor;
};
struct Storage {
    std::mutex lock;
    std::map<Key, Value> values;
    std::atomic<uint64_t> version{1};
};

Storage& storage() {
    static Storage* const made = std::make_unique<Storage>().release();  // outlives every exit handler
    return *made;
}

struct Remembered {
    CUcontext context;
    void* key;
    void* value;
    uint64_t version;
};
thread_local std::array<Remembered, 8> t_remembered{};

CUcontext resolve(CUcontext context) {
    // Both are seen for "the current one".
    return context == nullptr || reinterpret_cast<intptr_t>(context) == -1 ? current_context() : context;
}

}  // namespace

CUresult storage_put(CUcontext context, void* key, void* value, StorageDestructor destructor) {
    const CUcontext in = resolve(context);
    if (in == nullptr) return CUDA_ERROR_INVALID_CONTEXT;
    Storage& s = storage();
    const std::lock_guard<std::mutex> lock(s.lock);
    s.values[{in, key}] = {value, destructor};
    s.version.fetch_add(1);
    return CUDA_SUCCESS;
}

CUresult storage_get(CUcontext context, void* key, void** value) {
    const CUcontext in = resolve(context);
    if (in == nullptr) return CUDA_ERROR_INVALID_CONTEXT;
    if (value == nullptr) return CUDA_ERROR_INVALID_VALUE;
    Storage& s = storage();
    Remembered& memory = t_remembered[(reinterpret_cast<uintptr_t>(key) >> 4) % t_remembered.size()];
    const uint64_t version = s.version.load(std::memory_order_acquire);
    if (memory.version == version && memory.context == in && memory.key == key) {
        *value = memory.value;
        return CUDA_SUCCESS;
    }
    const std::lock_guard<std::mutex> lock(s.lock);
    const auto found = s.values.find({in, key});
    if (found == s.values.end()) return CUDA_ERROR_INVALID_HANDLE;
    *value = found->second.value;
    memory = {in, key, *value, s.version.load()};
    return CUDA_SUCCESS;
}

CUresult storage_delete(CUcontext context, void* key) {
    const CUcontext in = resolve(context);
    if (in == nullptr) return CUDA_ERROR_INVALID_CONTEXT;
    Storage& s = storage();
    const std::lock_guard<std::mutex> lock(s.lock);
    s.version.fetch_add(1);
    return s.values.erase({in, key}) != 0 ? CUDA_SUCCESS : CUDA_ERROR_INVALID_HANDLE;
}

void run_storage_destructors(CUcontext context) {
    Storage& s = storage();
    std::vector<std::pair<Key, Value>> gone;
    {
        const std::lock_guard<std::mutex> lock(s.lock);
        for (auto it = s.values.lower_bound({context, nullptr});
             it != s.values.end() && it->first.context == context;) {
            gone.emplace_back(it->first, it->second);
            it = s.values.erase(it);
        }
        s.version.fetch_add(1);
    }
    for (const auto& [key, value] : gone) {  // without the lock: destructors call the driver
        if (value.destructor != nullptr) value.destructor(key.context, key.key, value.value);
    }
}

}  // namespace bitfusion::client
