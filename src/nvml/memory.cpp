#include "nvml/memory.h"

#include <algorithm>

#include "nvml/device.h"
#include "nvml/library.h"
#include "nvml/snapshot.h"
#include "nvml_hand.gen.h"

namespace bitfusion::nvml {

nvmlReturn_t ask_memory(nvmlDevice_t device, MemoryUse* use) {
    Library& l = library();
    const std::lock_guard guard(l.lock);
    if (const nvmlReturn_t result = ensure_session(&l); result != NVML_SUCCESS) return result;
    size_t index = 0;
    if (!index_of(l, device, &index)) return NVML_ERROR_INVALID_ARGUMENT;
    msg::MonitorMemory m;
    m.device = static_cast<uint32_t>(index);
    return l.session->call(m, [&](const auto& reply) {
        if (reply.result != NVML_SUCCESS) return static_cast<nvmlReturn_t>(reply.result);
        use->total = reply.total;
        use->used = std::min(reply.used, reply.total);
        use->reserved = std::min(reply.reserved, reply.total - use->used);
        wire::Reader reader(reply.processes);
        if (!wire::decode(reader, &use->processes))
            return l.session->lose("its list of programs cannot be read");
        return NVML_SUCCESS;
    });
}

// Here, as in the first version of the struct, used memory includes what the driver keeps for itself.
nvmlReturn_t nvmlDeviceGetMemoryInfo(nvmlDevice_t device, nvmlMemory_t* memory) {
    if (memory == nullptr) return NVML_ERROR_INVALID_ARGUMENT;
    MemoryUse use;
    const nvmlReturn_t result = ask_memory(device, &use);
    if (result != NVML_SUCCESS) return result;
    memory->total = use.total;
    memory->used = use.used + use.reserved;
    memory->free = use.total - memory->used;
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetMemoryInfo_v2(nvmlDevice_t device, nvmlMemory_v2_t* memory) {
    if (memory == nullptr) return NVML_ERROR_INVALID_ARGUMENT;
    if (!has_version(memory, sizeof(nvmlMemory_v2_t), 2)) return NVML_ERROR_ARGUMENT_VERSION_MISMATCH;
    MemoryUse use;
    const nvmlReturn_t result = ask_memory(device, &use);
    if (result != NVML_SUCCESS) return result;
    memory->total = use.total;
    memory->used = use.used;
    memory->reserved = use.reserved;
    memory->free = use.total - use.used - use.reserved;
    return NVML_SUCCESS;
}

}  // namespace bitfusion::nvml
