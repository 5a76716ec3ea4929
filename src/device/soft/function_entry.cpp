#include "device/soft/entry.h"
#include "device/soft/module.h"
#include "device/soft/serve.h"
#include "driver_table.gen.h"

namespace bitfusion::soft {
namespace {

// A function about a CUfunction, or a CUkernel in its place, in the current context.
template <typename Body>
CUresult entry_on_function(CUfunction handle, Body&& body) noexcept {
    return entry_in_context([&](const ContextPtr& context) -> CUresult {
        FunctionPtr function;
        const CUresult result = find_function(context, handle, &function);
        return result != CUDA_SUCCESS ? result : body(*function, context);
    });
}

template <typename Body>
CUresult entry_on_kernel(CUkernel handle, Body&& body) noexcept {
    return entry_initialized([&]() -> CUresult {
        const KernelPtr kernel = driver().kernels.find(handle);
        return kernel == nullptr ? CUDA_ERROR_INVALID_HANDLE : body(*kernel);
    });
}

CUresult parameter_of(const Kernel& kernel, size_t index, size_t* offset, size_t* size) {
    if (offset == nullptr || index >= kernel.parameters.size()) return CUDA_ERROR_INVALID_VALUE;
    *offset = kernel.parameters[index].offset;
    if (size != nullptr) *size = kernel.parameters[index].size;
    return CUDA_SUCCESS;
}

bool good_cache(CUfunc_cache config) {
    return config >= CU_FUNC_CACHE_PREFER_NONE && config <= CU_FUNC_CACHE_PREFER_EQUAL;
}

CUresult cuFuncGetAttribute(int* value, CUfunction_attribute attribute, CUfunction handle) {
    return entry_on_function(handle, [&](ModuleFunction& function, const ContextPtr& context) {
        if (value == nullptr) return CUDA_ERROR_INVALID_VALUE;
        return function_attribute(function.kernel(), function.settings(), context->gpu, attribute, value)
                   ? CUDA_SUCCESS
                   : CUDA_ERROR_INVALID_VALUE;
    });
}

CUresult cuFuncSetAttribute(CUfunction handle, CUfunction_attribute attribute, int value) {
    return entry_on_function(handle, [&](ModuleFunction& function, const ContextPtr& context) {
        CUresult result = CUDA_SUCCESS;
        function.change([&](FunctionSettings& settings) {
            result = set_function_attribute(function.kernel(), context->gpu, &settings, attribute, value);
        });
        return result;
    });
}

CUresult cuFuncSetCacheConfig(CUfunction handle, CUfunc_cache config) {
    return entry_on_function(handle, [&](ModuleFunction& function, const ContextPtr&) {
        if (!good_cache(config)) return CUDA_ERROR_INVALID_VALUE;
        function.change([&](FunctionSettings& settings) { settings.cache_config = config; });
        return CUDA_SUCCESS;
    });
}

// Banks are four bytes wide since Maxwell: accepted without effect, as by the driver.
CUresult cuFuncSetSharedMemConfig(CUfunction handle, CUsharedconfig config) {
    return entry_on_function(handle, [&](ModuleFunction&, const ContextPtr&) {
        return config < 0 || config > CU_SHARED_MEM_CONFIG_EIGHT_BYTE_BANK_SIZE ? CUDA_ERROR_INVALID_VALUE
                                                                                : CUDA_SUCCESS;
    });
}

CUresult cuFuncGetModule(CUmodule* out, CUfunction handle) {
    return entry_on_function(handle, [&](ModuleFunction& function, const ContextPtr&) {
        const ModulePtr module = function.module.lock();
        if (out == nullptr) return CUDA_ERROR_INVALID_VALUE;
        if (module == nullptr) return CUDA_ERROR_INVALID_HANDLE;
        *out = module->handle;
        return CUDA_SUCCESS;
    });
}

CUresult cuFuncGetName(const char** out, CUfunction handle) {
    return entry_on_function(handle, [&](ModuleFunction& function, const ContextPtr&) {
        if (out == nullptr) return CUDA_ERROR_INVALID_VALUE;
        *out = function.kernel().name.c_str();
        return CUDA_SUCCESS;
    });
}

CUresult cuFuncGetParamInfo(CUfunction handle, size_t index, size_t* offset, size_t* size) {
    return entry_on_function(handle, [&](ModuleFunction& function, const ContextPtr&) {
        return parameter_of(function.kernel(), index, offset, size);
    });
}

CUresult cuFuncIsLoaded(CUfunctionLoadingState* state, CUfunction handle) {
    return entry_on_function(handle, [&](ModuleFunction&, const ContextPtr&) {
        if (state == nullptr) return CUDA_ERROR_INVALID_VALUE;
        *state = CU_FUNCTION_LOADING_STATE_LOADED;
        return CUDA_SUCCESS;
    });
}

// Finding the function has loaded its module.
CUresult cuFuncLoad(CUfunction handle) {
    return entry_on_function(handle, [&](ModuleFunction&, const ContextPtr&) { return CUDA_SUCCESS; });
}

CUresult cuKernelGetFunction(CUfunction* out, CUkernel handle) {
    return entry_in_context([&](const ContextPtr& context) {
        if (driver().kernels.find(handle) == nullptr) return CUDA_ERROR_INVALID_HANDLE;
        if (out == nullptr) return CUDA_ERROR_INVALID_VALUE;
        FunctionPtr function;
        const CUresult result =
            find_function(context, handle_from<CUfunction>(handle_number(handle)), &function);
        if (result == CUDA_SUCCESS) *out = function->handle;
        return result;
    });
}

CUresult cuKernelGetLibrary(CUlibrary* out, CUkernel handle) {
    return entry_on_kernel(handle, [&](LibraryKernel& kernel) {
        const LibraryPtr library = kernel.library.lock();
        if (out == nullptr) return CUDA_ERROR_INVALID_VALUE;
        if (library == nullptr) return CUDA_ERROR_INVALID_HANDLE;
        *out = library->handle;
        return CUDA_SUCCESS;
    });
}

CUresult cuKernelGetAttribute(int* value, CUfunction_attribute attribute, CUkernel handle, CUdevice device) {
    return entry_on_kernel(handle, [&](LibraryKernel& kernel) {
        if (value == nullptr) return CUDA_ERROR_INVALID_VALUE;
        const Gpu* gpu = driver().gpu_of(device);
        if (gpu == nullptr) return CUDA_ERROR_INVALID_DEVICE;
        return function_attribute(kernel.kernel(), kernel.settings(device), *gpu, attribute, value)
                   ? CUDA_SUCCESS
                   : CUDA_ERROR_INVALID_VALUE;
    });
}

CUresult cuKernelSetAttribute(CUfunction_attribute attribute, int value, CUkernel handle, CUdevice device) {
    return entry_on_kernel(handle, [&](LibraryKernel& kernel) {
        const Gpu* gpu = driver().gpu_of(device);
        if (gpu == nullptr) return CUDA_ERROR_INVALID_DEVICE;
        CUresult result = CUDA_SUCCESS;
        kernel.change(device, [&](FunctionSettings& settings) {
            result = set_function_attribute(kernel.kernel(), *gpu, &settings, attribute, value);
        });
        return result;
    });
}

CUresult cuKernelSetCacheConfig(CUkernel handle, CUfunc_cache config, CUdevice device) {
    return entry_on_kernel(handle, [&](LibraryKernel& kernel) {
        if (!good_cache(config)) return CUDA_ERROR_INVALID_VALUE;
        if (driver().gpu_of(device) == nullptr) return CUDA_ERROR_INVALID_DEVICE;
        kernel.change(device, [&](FunctionSettings& settings) { settings.cache_config = config; });
        return CUDA_SUCCESS;
    });
}

CUresult cuKernelGetName(const char** out, CUkernel handle) {
    return entry_on_kernel(handle, [&](LibraryKernel& kernel) {
        if (out == nullptr) return CUDA_ERROR_INVALID_VALUE;
        *out = kernel.kernel().name.c_str();
        return CUDA_SUCCESS;
    });
}

CUresult cuKernelGetParamInfo(CUkernel handle, size_t index, size_t* offset, size_t* size) {
    return entry_on_kernel(
        handle, [&](LibraryKernel& kernel) { return parameter_of(kernel.kernel(), index, offset, size); });
}

}  // namespace

void serve_functions(DriverTable* table) {
    BF_SERVE(cuFuncGetAttribute);
    BF_SERVE(cuFuncSetAttribute);
    BF_SERVE(cuFuncSetCacheConfig);
    BF_SERVE(cuFuncSetSharedMemConfig);
    BF_SERVE(cuFuncGetModule);
    BF_SERVE(cuFuncGetName);
    BF_SERVE(cuFuncGetParamInfo);
    BF_SERVE(cuFuncIsLoaded);
    BF_SERVE(cuFuncLoad);
    BF_SERVE(cuKernelGetFunction);
    BF_SERVE(cuKernelGetLibrary);
    BF_SERVE(cuKernelGetAttribute);
    BF_SERVE(cuKernelSetAttribute);
    BF_SERVE(cuKernelSetCacheConfig);
    BF_SERVE(cuKernelGetName);
    BF_SERVE(cuKernelGetParamInfo);
}

}  // namespace bitfusion::soft
