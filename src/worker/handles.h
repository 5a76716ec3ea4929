// Handles: what the names of the wire mean in this process.
//
// The client names what it creates by posting; the worker names everything else. A name belongs to one kind,
// and a look-up asks for it: a stream's name never finds an event. Unknown names are the program's fault (a
// stale handle) and answer CUDA_ERROR_INVALID_HANDLE (of graphs, as the driver does,
// CUDA_ERROR_INVALID_VALUE); naming twice or naming as the worker does is the peer's fault.
//
// Each object may have an owner, by name: the nodes of a graph, the functions of a module. What is owned is
// forgotten with its owner, and what it owns with it. One thread: the worker's dispatch thread.
#pragma once

#include <cstdint>
#include <functional>
#include <type_traits>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "cuda_types.gen.h"
#include "handle_kinds.gen.h"

namespace bitfusion::worker {

class Handles {
  public:
    // No program has more live objects than this; it keeps a hostile client from filling memory with names.
    static constexpr size_t kMost = 4u << 20;

    template <typename T>
    T find(uint64_t name, CUresult* result) const {
        if (name == 0) return T{};
        if constexpr (std::is_same_v<T, CUstream>) {
            if (name == reinterpret_cast<uint64_t>(CU_STREAM_LEGACY)) return CU_STREAM_LEGACY;
        }
        const auto found = objects_.find(name);
        if (found == objects_.end() || !fits<T>(wire::kind_of(name))) {
            if (*result == CUDA_SUCCESS) *result = stale<T>();
            return T{};
        }
        return from_word<T>(found->second.object);
    }

    // Whether the client may give this name to an object of this type.
    template <typename T>
    bool may_name(uint64_t name) const {
        return wire::is_name(name) && wire::kind_of(name) == wire::kind_for<T> &&
               !wire::named_by_worker(name) && objects_.count(name) == 0 && objects_.size() < kMost;
    }

    template <typename T>
    void bind(uint64_t name, T object, uint64_t owner) {
        const auto [place, fresh] = objects_.try_emplace(name, Object{to_word(object), owner});
        if (!fresh) {
            disown(place->second.owner, name);
            place->second = {to_word(object), owner};
        }
        if (owner != 0) owned_[owner].insert(name);
        if constexpr (std::is_same_v<T, CUstream>) streams_[owner][name] = object;
        names_[Key{to_word(object), wire::kind_of(name)}] = name;
    }

    // The object's name; gives it one if it has none. 0 for null.
    template <typename T>
    uint64_t name_of(T object, uint64_t owner) {
        if (to_word(object) == 0) return 0;
        const auto known = names_.find(Key{to_word(object), wire::kind_for<T>});
        if (known != names_.end()) return known->second;
        const uint64_t name = wire::make_name(wire::kind_for<T>, true, ++counter_);
        bind(name, object, owner);
        return name;
    }

    // The object's name if it has one; 0: it has none.
    template <typename T>
    uint64_t known_name(T object) const {
        const auto known = names_.find(Key{to_word(object), wire::kind_for<T>});
        return known == names_.end() ? 0 : known->second;
    }

    // The object, and everything that it owns, and so on.
    void forget(uint64_t name) {
        std::vector<uint64_t> gone{name};
        while (!gone.empty()) {
            const uint64_t next = gone.back();
            gone.pop_back();
            if (const auto owned = owned_.find(next); owned != owned_.end()) {
                gone.insert(gone.end(), owned->second.begin(), owned->second.end());
                owned_.erase(owned);
            }
            forget_one(next);
        }
    }
    // What the object owns, but not itself.
    void forget_owned(uint64_t owner) {
        const auto found = owned_.find(owner);
        if (found == owned_.end()) return;
        const std::unordered_set<uint64_t> gone = std::move(found->second);
        owned_.erase(found);
        for (const uint64_t name : gone) forget(name);
    }
    // Called with each name that is forgotten: for what others keep by name.
    std::function<void(uint64_t)> forgotten;

    size_t size() const { return objects_.size(); }
    uint64_t owner_of(uint64_t name) const {
        const auto found = objects_.find(name);
        return found == objects_.end() ? 0 : found->second.owner;
    }

    // The streams of a context; asked at every look at the GPU, so they are kept apart.
    template <typename Visit>
    void each_stream(uint64_t context, const Visit& visit) const {
        const auto found = streams_.find(context);
        if (found == streams_.end()) return;
        for (const auto& [name, stream] : found->second) visit(stream);
    }

  private:
    struct Object {
        uint64_t object;
        uint64_t owner;
    };
    struct Key {
        uint64_t object;
        wire::Kind kind;
        bool operator==(const Key&) const = default;
    };
    struct Hash {
        size_t operator()(const Key& k) const {
            return std::hash<uint64_t>()(k.object ^ static_cast<uint64_t>(k.kind) << 56);
        }
    };

    void disown(uint64_t owner, uint64_t name) {
        const auto found = owned_.find(owner);
        if (found == owned_.end()) return;
        found->second.erase(name);
        if (found->second.empty()) owned_.erase(found);
    }
    void forget_one(uint64_t name) {
        const auto found = objects_.find(name);
        if (found == objects_.end()) return;
        const Object object = found->second;
        if (wire::kind_of(name) == wire::Kind::kStream) {
            const auto streams = streams_.find(object.owner);
            if (streams != streams_.end()) streams->second.erase(name);
            if (streams != streams_.end() && streams->second.empty()) streams_.erase(streams);
        }
        disown(object.owner, name);
        const auto named = names_.find(Key{object.object, wire::kind_of(name)});
        if (named != names_.end() && named->second == name) names_.erase(named);
        objects_.erase(found);
        if (forgotten) forgotten(name);
    }

    template <typename T>
    static constexpr CUresult stale() {
        return std::is_same_v<T, CUgraph> || std::is_same_v<T, CUgraphExec> ||
                       std::is_same_v<T, CUgraphNode> || std::is_same_v<T, CUuserObject>
                   ? CUDA_ERROR_INVALID_VALUE
                   : CUDA_ERROR_INVALID_HANDLE;
    }

    // CUDA lets a kernel stand wherever a function is expected.
    template <typename T>
    static bool fits(wire::Kind kind) {
        return kind == wire::kind_for<T> || (std::is_same_v<T, CUfunction> && kind == wire::Kind::kKernel);
    }
    template <typename T>
    static uint64_t to_word(T object) {
        if constexpr (std::is_pointer_v<T>)
            return reinterpret_cast<uint64_t>(object);
        else
            return static_cast<uint64_t>(object);
    }
    template <typename T>
    static T from_word(uint64_t word) {
        if constexpr (std::is_pointer_v<T>)
            return reinterpret_cast<T>(word);
        else
            return static_cast<T>(word);
    }

    std::unordered_map<uint64_t, Object> objects_;
    std::unordered_map<Key, uint64_t, Hash> names_;
    std::unordered_map<uint64_t, std::unordered_set<uint64_t>> owned_;              // by owner
    std::unordered_map<uint64_t, std::unordered_map<uint64_t, CUstream>> streams_;  // by context, by name
    uint32_t counter_ = 0;
};

}  // namespace bitfusion::worker
