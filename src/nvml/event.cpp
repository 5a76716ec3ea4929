// Event sets. Events of the server's GPUs are not sent to clients: no device supports any type, which
// programs ask before they register, and a wait ends by its time.
#include <chrono>
#include <cstdint>

#include "nvml/device.h"
#include "nvml/library.h"
#include "nvml_hand.gen.h"

namespace bitfusion::nvml {
namespace {

constexpr unsigned long long kSupported = 0;

nvmlReturn_t wait_for_its_end(nvmlEventSet_t set, std::chrono::milliseconds time) {
    Library& l = library();
    std::unique_lock guard(l.lock);
    const auto found = l.event_sets.find(set);
    if (found == l.event_sets.end()) return NVML_ERROR_INVALID_ARGUMENT;
    std::condition_variable ended;
    found->second.insert(&ended);
    const bool freed = ended.wait_until(guard, std::chrono::steady_clock::now() + time,
                                        [&] { return l.event_sets.count(set) == 0; });
    if (freed) return l.references == 0 ? NVML_ERROR_UNINITIALIZED : NVML_ERROR_INVALID_ARGUMENT;
    found->second.erase(&ended);
    return NVML_ERROR_TIMEOUT;
}

}  // namespace

void end_event_sets(Library* l) {
    for (auto& [set, waiting] : l->event_sets)
        for (std::condition_variable* thread : waiting) thread->notify_all();
    l->event_sets.clear();
}

nvmlReturn_t nvmlEventSetCreate(nvmlEventSet_t* set) {
    if (set == nullptr) return NVML_ERROR_INVALID_ARGUMENT;
    Library& l = library();
    const std::lock_guard guard(l.lock);
    static uintptr_t last = 0;  // never used twice: a set that was freed stays unknown
    const auto made = reinterpret_cast<nvmlEventSet_t>(++last);
    l.event_sets.try_emplace(made);
    *set = made;
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlEventSetFree(nvmlEventSet_t set) {
    Library& l = library();
    const std::lock_guard guard(l.lock);
    const auto found = l.event_sets.find(set);
    if (found == l.event_sets.end()) return NVML_ERROR_INVALID_ARGUMENT;
    for (std::condition_variable* thread : found->second) thread->notify_all();
    l.event_sets.erase(found);
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetSupportedEventTypes(nvmlDevice_t device, unsigned long long* eventTypes) {
    unsigned index = 0;
    if (eventTypes == nullptr || nvmlDeviceGetIndex(device, &index) != NVML_SUCCESS)
        return NVML_ERROR_INVALID_ARGUMENT;
    *eventTypes = kSupported;
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceRegisterEvents(nvmlDevice_t device, unsigned long long eventTypes,
                                      nvmlEventSet_t set) {
    Library& l = library();
    const std::lock_guard guard(l.lock);
    size_t index = 0;
    if (!index_of(l, device, &index) || l.event_sets.count(set) == 0) return NVML_ERROR_INVALID_ARGUMENT;
    return (eventTypes & ~kSupported) != 0 ? NVML_ERROR_NOT_SUPPORTED : NVML_SUCCESS;
}

nvmlReturn_t nvmlEventSetWait_v2(nvmlEventSet_t set, nvmlEventData_t* data, unsigned int timeoutms) {
    if (data == nullptr) return NVML_ERROR_INVALID_ARGUMENT;
    return wait_for_its_end(set, std::chrono::milliseconds(timeoutms));
}

nvmlReturn_t nvmlEventSetWait(nvmlEventSet_t set, nvmlEventData_t* data, unsigned int timeoutms) {
    return nvmlEventSetWait_v2(set, data, timeoutms);
}

}  // namespace bitfusion::nvml
