// nvmlInternalGetExportTable: nvidia-smi asks for one table of private functions, which no header describes.
#include <cstring>

#include "base/log.h"
#include "nvml_hand.gen.h"

namespace bitfusion::nvml {
namespace {

// A table that is empty by its own size word: nvidia-smi then does with NVML's public functions.
struct EmptyTable {
    size_t bytes = 0;
    const void* none[512] = {};
};
const EmptyTable g_empty;

constexpr unsigned char kOfNvidiaSmi[16] = {0xc4, 0xfe, 0x3e, 0x6c, 0xc9, 0x8f, 0x6c, 0x4e,
                                            0xa3, 0x27, 0xee, 0x69, 0x6e, 0x12, 0xf7, 0xc4};

}  // namespace

nvmlReturn_t nvmlInternalGetExportTable(const void** table, const void* id) {
    if (table == nullptr || id == nullptr) return NVML_ERROR_INVALID_ARGUMENT;
    *table = nullptr;
    if (memcmp(id, kOfNvidiaSmi, sizeof kOfNvidiaSmi) == 0) {
        *table = &g_empty;
        return NVML_SUCCESS;
    }
    const auto* b = static_cast<const unsigned char*>(id);
    BF_LOG("nvml", kInfo,
           "no private table %02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[3],
           b[2], b[1], b[0], b[5], b[4], b[7], b[6], b[8], b[9], b[10], b[11], b[12], b[13], b[14], b[15]);
    return NVML_ERROR_NOT_SUPPORTED;
}

}  // namespace bitfusion::nvml
