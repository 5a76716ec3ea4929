#include "device/management.h"

#include <dlfcn.h>

#include <cstring>

namespace bitfusion {

Status open_management_library(const std::string& path, ManagementTable* table) {
    void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) {
        return fail("cannot load NVIDIA's management library " + path + ": " + dlerror() +
                    "; install it with the driver (Debian: libnvidia-ml1)");
    }
    ManagementTable filled;
    for (size_t i = 0; i < kManagementTableFieldCount; ++i) {
        if (void* symbol = dlsym(library, kManagementTableFields[i].symbol); symbol != nullptr) {
            memcpy(reinterpret_cast<char*>(&filled) + kManagementTableFields[i].offset, &symbol,
                   sizeof symbol);
        }
    }
    if (filled.nvmlInit_v2 == nullptr || filled.nvmlDeviceGetHandleByPciBusId_v2 == nullptr)
        return fail(path + " lacks nvmlInit_v2; is it NVIDIA's management library?");
    if (const nvmlReturn_t result = filled.nvmlInit_v2(); result != NVML_SUCCESS) {
        return fail(path + " does not start: error " + std::to_string(result) + "; look at 'nvidia-smi'",
                    static_cast<int>(result));
    }
    *table = filled;
    return {};
}

}  // namespace bitfusion
