// nvmlDeviceGetSupportedGraphicsClocks: a list for each memory clock, asked of the server's driver when
// wanted.
#include <cstring>

#include "nvml/device.h"
#include "nvml/library.h"
#include "nvml_hand.gen.h"

namespace bitfusion::nvml {

nvmlReturn_t nvmlDeviceGetSupportedGraphicsClocks(nvmlDevice_t device, unsigned int memoryClockMHz,
                                                  unsigned int* count, unsigned int* clocksMHz) {
    if (count == nullptr || (*count != 0 && clocksMHz == nullptr)) return NVML_ERROR_INVALID_ARGUMENT;
    Library& l = library();
    const std::lock_guard guard(l.lock);
    if (const nvmlReturn_t result = ensure_session(&l); result != NVML_SUCCESS) return result;
    size_t index = 0;
    if (!index_of(l, device, &index)) return NVML_ERROR_INVALID_ARGUMENT;
    msg::MonitorClocks m;
    m.device = static_cast<uint32_t>(index);
    m.memory_clock = memoryClockMHz;
    return l.session->call(m, [&](const auto& reply) {
        if (reply.result != NVML_SUCCESS) return static_cast<nvmlReturn_t>(reply.result);
        if (reply.clocks.size() % sizeof *clocksMHz != 0)
            return l.session->lose("its list of clocks ends within one");
        const unsigned room = *count;
        *count = static_cast<unsigned>(reply.clocks.size() / sizeof *clocksMHz);
        if (*count > room) return NVML_ERROR_INSUFFICIENT_SIZE;
        if (*count != 0) memcpy(clocksMHz, reply.clocks.data(), reply.clocks.size());
        return NVML_SUCCESS;
    });
}

}  // namespace bitfusion::nvml
