#include <dlfcn.h>

#include <cstring>

#include "device/device.h"

namespace bitfusion {

Status open_driver_library(const std::string& path, DriverTable* table) {
    void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) {
        return fail("cannot load the CUDA driver library " + path + ": " + dlerror() +
                    "; install NVIDIA's driver, or start with --backend soft");
    }
    DriverTable filled;
    size_t found = 0;
    for (size_t i = 0; i < kDriverTableFieldCount; ++i) {
        void* symbol = dlsym(library, kDriverTableFields[i].symbol);
        if (symbol == nullptr) continue;
        ++found;
        memcpy(reinterpret_cast<char*>(&filled) + kDriverTableFields[i].offset, &symbol, sizeof symbol);
    }
    if (filled.cuInit == nullptr || filled.cuDeviceGetCount == nullptr) {
        return fail(path + " has " + std::to_string(found) +
                    " functions of the CUDA driver API and lacks cuInit; is it a driver library?");
    }
    *table = filled;
    return {};
}

bool has_real_driver() {
    DriverTable table;
    int count = 0;
    return open_driver_library(kDriverLibrary, &table) && table.cuInit(0) == CUDA_SUCCESS &&
           table.cuDeviceGetCount(&count) == CUDA_SUCCESS && count > 0;
}

}  // namespace bitfusion
