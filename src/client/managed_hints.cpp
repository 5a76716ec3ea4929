#include "client/managed_hints.h"

#include <algorithm>
#include <cstring>
#include <iterator>
#include <map>
#include <memory>
#include <mutex>
#include <set>

namespace bitfusion::client {
namespace {

constexpr CUmemLocation kNowhere{CU_MEM_LOCATION_TYPE_INVALID, 0};

struct Stretch {
    uint64_t end = 0;
    bool read_mostly = false;
    CUmemLocation preferred = kNowhere;
    CUmemLocation prefetched = kNowhere;
    std::set<int> accessed_by;
};

struct Hints {
    std::mutex lock;
    std::map<uint64_t, Stretch> stretches;  // those with a hint; by first byte
};

Hints& hints() {
    static Hints* const made = std::make_unique<Hints>().release();  // outlives every exit handler
    return *made;
}

// Makes `at` the border of two stretches.
void split(std::map<uint64_t, Stretch>* all, uint64_t at) {
    auto it = all->upper_bound(at);
    if (it == all->begin()) return;
    --it;
    if (it->first == at || it->second.end <= at) return;
    Stretch rest = it->second;
    it->second.end = at;
    all->emplace(at, std::move(rest));
}

// Calls `change` for stretches that together are exactly [base, end).
template <typename Change>
void change_locked(std::map<uint64_t, Stretch>* all, uint64_t base, uint64_t end, const Change& change) {
    split(all, base);
    split(all, end);
    for (uint64_t at = base; at < end;) {
        const auto following = all->lower_bound(at);
        if (following == all->end() || following->first != at) {
            Stretch fresh;
            fresh.end = following == all->end() ? end : std::min(end, following->first);
            all->emplace(at, fresh);
            continue;
        }
        change(&following->second);
        at = following->second.end;
    }
}

int device_of(const CUmemLocation& location) {
    if (location.type == CU_MEM_LOCATION_TYPE_DEVICE) return location.id;
    return location.type == CU_MEM_LOCATION_TYPE_INVALID ? CU_DEVICE_INVALID : CU_DEVICE_CPU;
}

bool same(const CUmemLocation& a, const CUmemLocation& b) { return a.type == b.type && a.id == b.id; }

// What holds for all of [base, end): a location that is not everywhere the same is none.
Stretch common_locked(const std::map<uint64_t, Stretch>& all, uint64_t base, uint64_t end) {
    Stretch together;
    bool first = true;
    const auto join = [&](const Stretch& one) {
        if (first) {
            together = one;
            first = false;
            return;
        }
        together.read_mostly &= one.read_mostly;
        if (!same(together.preferred, one.preferred)) together.preferred = kNowhere;
        if (!same(together.prefetched, one.prefetched)) together.prefetched = kNowhere;
        std::erase_if(together.accessed_by, [&](int device) { return one.accessed_by.count(device) == 0; });
    };
    uint64_t at = base;
    auto it = all.upper_bound(base);
    if (it != all.begin() && std::prev(it)->second.end > base) --it;
    for (; it != all.end() && it->first < end; ++it) {
        if (it->first > at) join({});
        join(it->second);
        at = it->second.end;
    }
    if (at < end) join({});
    return together;
}

}  // namespace

CUresult hint_advice(uint64_t base, size_t bytes, CUmem_advise advice, const CUmemLocation& location) {
    if (advice < CU_MEM_ADVISE_SET_READ_MOSTLY || advice > CU_MEM_ADVISE_UNSET_ACCESSED_BY)
        return CUDA_ERROR_INVALID_VALUE;
    Hints& h = hints();
    const std::lock_guard<std::mutex> lock(h.lock);
    change_locked(&h.stretches, base, base + bytes, [&](Stretch* s) {
        switch (advice) {
            case CU_MEM_ADVISE_SET_READ_MOSTLY:
            case CU_MEM_ADVISE_UNSET_READ_MOSTLY:
                s->read_mostly = advice == CU_MEM_ADVISE_SET_READ_MOSTLY;
                break;
            case CU_MEM_ADVISE_SET_PREFERRED_LOCATION:
                s->preferred = location;
                break;
            case CU_MEM_ADVISE_UNSET_PREFERRED_LOCATION:
                s->preferred = kNowhere;
                break;
            case CU_MEM_ADVISE_SET_ACCESSED_BY:
                s->accessed_by.insert(device_of(location));
                break;
            default:
                s->accessed_by.erase(device_of(location));
        }
    });
    return CUDA_SUCCESS;
}

void hint_prefetch(uint64_t base, size_t bytes, const CUmemLocation& location) {
    Hints& h = hints();
    const std::lock_guard<std::mutex> lock(h.lock);
    change_locked(&h.stretches, base, base + bytes, [&](Stretch* s) { s->prefetched = location; });
}

CUresult read_hint(void* data, size_t data_bytes, CUmem_range_attribute attribute, uint64_t base,
                   size_t bytes) {
    if (data == nullptr || data_bytes < sizeof(int) || data_bytes % sizeof(int) != 0)
        return CUDA_ERROR_INVALID_VALUE;
    Stretch s;
    {
        Hints& h = hints();
        const std::lock_guard<std::mutex> lock(h.lock);
        s = common_locked(h.stretches, base, base + bytes);
    }
    const auto put = [&](int value) {
        if (data_bytes != sizeof value) return CUDA_ERROR_INVALID_VALUE;
        memcpy(data, &value, sizeof value);
        return CUDA_SUCCESS;
    };
    switch (attribute) {
        case CU_MEM_RANGE_ATTRIBUTE_READ_MOSTLY:
            return put(s.read_mostly ? 1 : 0);
        case CU_MEM_RANGE_ATTRIBUTE_PREFERRED_LOCATION:
            return put(device_of(s.preferred));
        case CU_MEM_RANGE_ATTRIBUTE_LAST_PREFETCH_LOCATION:
            return put(device_of(s.prefetched));
        case CU_MEM_RANGE_ATTRIBUTE_PREFERRED_LOCATION_TYPE:
            return put(static_cast<int>(s.preferred.type));
        case CU_MEM_RANGE_ATTRIBUTE_PREFERRED_LOCATION_ID:
            return put(s.preferred.id);
        case CU_MEM_RANGE_ATTRIBUTE_LAST_PREFETCH_LOCATION_TYPE:
            return put(static_cast<int>(s.prefetched.type));
        case CU_MEM_RANGE_ATTRIBUTE_LAST_PREFETCH_LOCATION_ID:
            return put(s.prefetched.id);
        case CU_MEM_RANGE_ATTRIBUTE_ACCESSED_BY: {
            auto at = s.accessed_by.begin();
            for (size_t i = 0; i < data_bytes / sizeof(int); ++i) {
                const int device = at == s.accessed_by.end() ? static_cast<int>(CU_DEVICE_INVALID) : *at++;
                memcpy(static_cast<char*>(data) + i * sizeof device, &device, sizeof device);
            }
            return CUDA_SUCCESS;
        }
        default:
            return CUDA_ERROR_INVALID_VALUE;
    }
}

void forget_hints(uint64_t base, size_t bytes) {
    Hints& h = hints();
    const std::lock_guard<std::mutex> lock(h.lock);
    split(&h.stretches, base);
    split(&h.stretches, base + bytes);
    h.stretches.erase(h.stretches.lower_bound(base), h.stretches.lower_bound(base + bytes));
}

}  // namespace bitfusion::client
