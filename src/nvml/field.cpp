// nvmlDeviceGetFieldValues: numbers by id, asked of the server's driver as they are.
#include <cstring>
#include <vector>

#include "nvml/device.h"
#include "nvml/library.h"
#include "nvml_hand.gen.h"

namespace bitfusion::nvml {
namespace {

constexpr int kMostAtOnce = 1024;  // as the worker accepts

}  // namespace

nvmlReturn_t nvmlDeviceGetFieldValues(nvmlDevice_t device, int valuesCount, nvmlFieldValue_t* values) {
    if (values == nullptr || valuesCount <= 0 || valuesCount > kMostAtOnce)
        return NVML_ERROR_INVALID_ARGUMENT;
    Library& l = library();
    const std::lock_guard guard(l.lock);
    if (const nvmlReturn_t result = ensure_session(&l); result != NVML_SUCCESS) return result;
    size_t index = 0;
    if (!index_of(l, device, &index)) return NVML_ERROR_INVALID_ARGUMENT;
    // Only the question travels: the rest of the program's structs may be uninitialised.
    std::vector<nvmlFieldValue_t> asked(static_cast<size_t>(valuesCount));
    for (size_t i = 0; i < asked.size(); ++i) {
        asked[i].fieldId = values[i].fieldId;
        asked[i].scopeId = values[i].scopeId;
    }
    msg::MonitorFields m;
    m.device = static_cast<uint32_t>(index);
    m.asked = {reinterpret_cast<const uint8_t*>(asked.data()), asked.size() * sizeof asked[0]};
    return l.session->call(m, [&](const auto& reply) {
        if (reply.result != NVML_SUCCESS) return static_cast<nvmlReturn_t>(reply.result);
        if (reply.values.size() != m.asked.size())
            return l.session->lose("it answered another number of fields");
        memcpy(static_cast<void*>(values), reply.values.data(), reply.values.size());
        return NVML_SUCCESS;
    });
}

}  // namespace bitfusion::nvml
