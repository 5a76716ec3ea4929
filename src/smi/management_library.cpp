#include "smi/management_library.h"

#include <dlfcn.h>

namespace bitfusion::smi {

Result<ManagementLibrary> open_management_library() {
    void* file = dlopen("libnvidia-ml.so.1", RTLD_NOW | RTLD_LOCAL);
    if (file == nullptr)
        return fail(
            "libnvidia-ml.so.1 is not found; start this program with: bitfusion run -n 1 -- nvidia-smi");
    ManagementLibrary library;
#define BF_SMI_LOAD(name) library.name = reinterpret_cast<decltype(&::name)>(dlsym(file, #name));
    BF_SMI_FUNCTIONS(BF_SMI_LOAD)
#undef BF_SMI_LOAD
    if (library.nvmlInit_v2 == nullptr || library.nvmlDeviceGetCount_v2 == nullptr ||
        library.nvmlDeviceGetHandleByIndex_v2 == nullptr || library.nvmlErrorString == nullptr)
        return fail("libnvidia-ml.so.1 lacks nvmlInit_v2; is it NVIDIA's or ours?");
    if (const nvmlReturn_t result = library.nvmlInit_v2(); result != NVML_SUCCESS)
        return fail(library.nvmlErrorString(result), static_cast<int>(result));
    return library;
}

}  // namespace bitfusion::smi
