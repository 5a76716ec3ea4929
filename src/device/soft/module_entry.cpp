#include <algorithm>
#include <fstream>
#include <iterator>

#include "device/soft/entry.h"
#include "device/soft/jit.h"
#include "device/soft/module.h"
#include "device/soft/serve.h"
#include "driver_table.gen.h"

namespace bitfusion::soft {
namespace {

CUresult load_image(CUmodule* out, const void* image, unsigned count, const CUjit_option* options,
                    void** values) {
    return entry_in_context([&](const ContextPtr& context) {
        if (out == nullptr || image == nullptr) return CUDA_ERROR_INVALID_VALUE;
        JitOptions jit;
        CUresult result = JitOptions::read(count, options, values, &jit);
        std::shared_ptr<const Program> program;
        if (result == CUDA_SUCCESS) result = load_program(image, context->gpu, jit, &program);
        ModulePtr module;
        if (result == CUDA_SUCCESS) result = load_module(context, std::move(program), nullptr, &module);
        if (result == CUDA_SUCCESS) *out = module->handle;
        return result;
    });
}

CUresult cuModuleLoadData(CUmodule* out, const void* image) {
    return load_image(out, image, 0, nullptr, nullptr);
}

CUresult cuModuleLoadDataEx(CUmodule* out, const void* image, unsigned int count, CUjit_option* options,
                            void** values) {
    return load_image(out, image, count, options, values);
}

CUresult cuModuleLoadFatBinary(CUmodule* out, const void* image) {
    return load_image(out, image, 0, nullptr, nullptr);
}

CUresult cuModuleLoad(CUmodule* out, const char* path) {
    return entry_in_context([&](const ContextPtr&) {
        if (out == nullptr || path == nullptr) return CUDA_ERROR_INVALID_VALUE;
        std::ifstream file(path, std::ios::binary);
        if (!file) return CUDA_ERROR_FILE_NOT_FOUND;
        std::vector<char> bytes((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
        bytes.push_back('\0');
        // A file has a length: an image that claims more than the file holds must not be followed.
        const auto extent = image::extent_of(std::as_bytes(std::span(bytes)));
        if (!extent) return CUDA_ERROR_INVALID_IMAGE;
        return load_image(out, bytes.data(), 0, nullptr, nullptr);
    });
}

// A function about one module.
template <typename Body>
CUresult entry_on_module(CUmodule handle, Body&& body) noexcept {
    return entry_in_context([&](const ContextPtr& context) -> CUresult {
        const ModulePtr module = driver().modules.find(handle);
        if (module == nullptr) return CUDA_ERROR_INVALID_HANDLE;
        return body(context, module);
    });
}

CUresult cuModuleUnload(CUmodule handle) {
    return entry_on_module(handle, [&](const ContextPtr&, const ModulePtr& module) {
        if (module->of_library) return CUDA_ERROR_INVALID_HANDLE;
        const ContextPtr owner = module->context.lock();
        if (owner != nullptr) synchronize(*owner);
        unload(module);
        return CUDA_SUCCESS;
    });
}

CUresult cuModuleGetLoadingMode(CUmoduleLoadingMode* mode) {
    return entry_initialized([&] {
        if (mode == nullptr) return CUDA_ERROR_INVALID_VALUE;
        *mode = CU_MODULE_LAZY_LOADING;
        return CUDA_SUCCESS;
    });
}

CUresult cuModuleGetFunction(CUfunction* out, CUmodule handle, const char* name) {
    return entry_on_module(handle, [&](const ContextPtr&, const ModulePtr& module) {
        if (out == nullptr || name == nullptr || *name == '\0') return CUDA_ERROR_INVALID_VALUE;
        const auto index = module->program().find_kernel(name);
        if (!index) return CUDA_ERROR_NOT_FOUND;
        *out = module->functions[*index]->handle;
        return CUDA_SUCCESS;
    });
}

CUresult cuModuleGetFunctionCount(unsigned int* count, CUmodule handle) {
    return entry_on_module(handle, [&](const ContextPtr&, const ModulePtr& module) {
        if (count == nullptr) return CUDA_ERROR_INVALID_VALUE;
        *count = static_cast<unsigned>(module->functions.size());
        return CUDA_SUCCESS;
    });
}

CUresult cuModuleEnumerateFunctions(CUfunction* functions, unsigned int count, CUmodule handle) {
    return entry_on_module(handle, [&](const ContextPtr&, const ModulePtr& module) {
        if (functions == nullptr || count == 0) return CUDA_ERROR_INVALID_VALUE;
        const size_t most = std::min<size_t>(count, module->functions.size());
        for (size_t i = 0; i < most; ++i) functions[i] = module->functions[i]->handle;
        return CUDA_SUCCESS;
    });
}

CUresult get_variable(const Module& module, const char* name, bool managed_only, CUdeviceptr* address,
                      size_t* bytes) {
    if (name == nullptr || (address == nullptr && bytes == nullptr)) return CUDA_ERROR_INVALID_VALUE;
    const auto index = module.program().find_variable(name);
    if (!index) return CUDA_ERROR_NOT_FOUND;
    const Variable& variable = module.program().variables()[*index];
    if (managed_only && !variable.managed) return CUDA_ERROR_NOT_FOUND;
    if (address != nullptr) *address = module.addresses[*index];
    if (bytes != nullptr) *bytes = variable.size;
    return CUDA_SUCCESS;
}

CUresult cuModuleGetGlobal_v2(CUdeviceptr* address, size_t* bytes, CUmodule handle, const char* name) {
    return entry_on_module(handle, [&](const ContextPtr&, const ModulePtr& module) {
        return get_variable(*module, name, false, address, bytes);
    });
}

// --- libraries

CUresult load_library(CUlibrary* out, const void* code, unsigned jit_count, const CUjit_option* jit_options,
                      void** jit_values, unsigned option_count, const CUlibraryOption* options) {
    if (out == nullptr || code == nullptr) return CUDA_ERROR_INVALID_VALUE;
    if (option_count != 0 && options == nullptr) return CUDA_ERROR_INVALID_VALUE;
    for (unsigned i = 0; i < option_count; ++i) {
        if (options[i] < 0 || options[i] >= CU_LIBRARY_NUM_OPTIONS) return CUDA_ERROR_INVALID_VALUE;
    }
    if (driver().gpus.empty()) return CUDA_ERROR_NO_DEVICE;
    JitOptions jit;
    CUresult result = JitOptions::read(jit_count, jit_options, jit_values, &jit);
    auto library = std::make_shared<Library>();
    if (result == CUDA_SUCCESS) result = load_program(code, *driver().gpus.front(), jit, &library->program);
    if (result != CUDA_SUCCESS) return result;
    library->handle = driver().libraries.issue();
    for (uint32_t i = 0; i < library->program->kernels().size(); ++i) {
        auto kernel = std::make_shared<LibraryKernel>();
        kernel->handle = driver().kernels.issue();
        kernel->library = library;
        kernel->index = i;
        kernel->program = library->program;
        driver().kernels.add(kernel->handle, kernel);
        library->kernels.push_back(std::move(kernel));
    }
    *out = library->handle;
    driver().libraries.add(library->handle, library);
    return CUDA_SUCCESS;
}

CUresult cuLibraryLoadData(CUlibrary* out, const void* code, CUjit_option* jit_options, void** jit_values,
                           unsigned int jit_count, CUlibraryOption* options, void** values,
                           unsigned int count) {
    return entry_initialized([&] {
        if (count != 0 && values == nullptr) return CUDA_ERROR_INVALID_VALUE;
        return load_library(out, code, jit_count, jit_options, jit_values, count, options);
    });
}

CUresult cuLibraryLoadFromFile(CUlibrary* out, const char* path, CUjit_option* jit_options, void** jit_values,
                               unsigned int jit_count, CUlibraryOption* options, void** values,
                               unsigned int count) {
    return entry_initialized([&] {
        if (out == nullptr || path == nullptr || (count != 0 && values == nullptr))
            return CUDA_ERROR_INVALID_VALUE;
        std::ifstream file(path, std::ios::binary);
        if (!file) return CUDA_ERROR_FILE_NOT_FOUND;
        std::vector<char> bytes((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
        bytes.push_back('\0');
        if (!image::extent_of(std::as_bytes(std::span(bytes)))) return CUDA_ERROR_INVALID_IMAGE;
        return load_library(out, bytes.data(), jit_count, jit_options, jit_values, count, options);
    });
}

template <typename Body>
CUresult entry_on_library(CUlibrary handle, Body&& body) noexcept {
    return entry_initialized([&]() -> CUresult {
        const LibraryPtr library = driver().libraries.find(handle);
        if (library == nullptr) return CUDA_ERROR_INVALID_HANDLE;
        return body(library);
    });
}

// The library's module in the calling thread's context.
template <typename Body>
CUresult entry_on_library_module(CUlibrary handle, Body&& body) noexcept {
    return entry_in_context([&](const ContextPtr& context) -> CUresult {
        const LibraryPtr library = driver().libraries.find(handle);
        if (library == nullptr) return CUDA_ERROR_INVALID_HANDLE;
        ModulePtr module;
        const CUresult result = library->module_in(context, &module);
        return result != CUDA_SUCCESS ? result : body(module);
    });
}

CUresult cuLibraryUnload(CUlibrary handle) {
    return entry_initialized([&] {
        const LibraryPtr library = driver().libraries.remove(handle);
        if (library == nullptr) return CUDA_ERROR_INVALID_HANDLE;
        for (const KernelPtr& kernel : library->kernels) driver().kernels.remove(kernel->handle);
        for (const ModulePtr& module : library->take_modules()) {
            if (const ContextPtr owner = module->context.lock()) synchronize(*owner);
            unload(module);
        }
        return CUDA_SUCCESS;
    });
}

CUresult cuLibraryGetKernel(CUkernel* out, CUlibrary handle, const char* name) {
    return entry_on_library(handle, [&](const LibraryPtr& library) {
        if (out == nullptr || name == nullptr) return CUDA_ERROR_INVALID_VALUE;
        const auto index = library->program->find_kernel(name);
        if (!index) return CUDA_ERROR_NOT_FOUND;
        *out = library->kernels[*index]->handle;
        return CUDA_SUCCESS;
    });
}

CUresult cuLibraryGetKernelCount(unsigned int* count, CUlibrary handle) {
    return entry_on_library(handle, [&](const LibraryPtr& library) {
        if (count == nullptr) return CUDA_ERROR_INVALID_VALUE;
        *count = static_cast<unsigned>(library->kernels.size());
        return CUDA_SUCCESS;
    });
}

CUresult cuLibraryEnumerateKernels(CUkernel* kernels, unsigned int count, CUlibrary handle) {
    return entry_on_library(handle, [&](const LibraryPtr& library) {
        if (kernels == nullptr || count == 0) return CUDA_ERROR_INVALID_VALUE;
        const size_t most = std::min<size_t>(count, library->kernels.size());
        for (size_t i = 0; i < most; ++i) kernels[i] = library->kernels[i]->handle;
        return CUDA_SUCCESS;
    });
}

CUresult cuLibraryGetModule(CUmodule* out, CUlibrary handle) {
    return entry_on_library_module(handle, [&](const ModulePtr& module) {
        if (out == nullptr) return CUDA_ERROR_INVALID_VALUE;
        *out = module->handle;
        return CUDA_SUCCESS;
    });
}

CUresult cuLibraryGetGlobal(CUdeviceptr* address, size_t* bytes, CUlibrary handle, const char* name) {
    return entry_on_library_module(
        handle, [&](const ModulePtr& module) { return get_variable(*module, name, false, address, bytes); });
}

// A managed variable has one address for all devices; the module of the first device's context holds it.
CUresult cuLibraryGetManaged(CUdeviceptr* address, size_t* bytes, CUlibrary handle, const char* name) {
    return entry_on_library_module(
        handle, [&](const ModulePtr& module) { return get_variable(*module, name, true, address, bytes); });
}

CUresult cuLibraryGetUnifiedFunction(void** out, CUlibrary handle, const char* symbol) {
    return entry_on_library(handle, [&](const LibraryPtr&) {
        if (out == nullptr || symbol == nullptr) return CUDA_ERROR_INVALID_VALUE;
        // Unified function pointers need CU_DEVICE_ATTRIBUTE_UNIFIED_FUNCTION_POINTERS, which is 0.
        return CUDA_ERROR_NOT_FOUND;
    });
}

}  // namespace

void serve_modules(DriverTable* table) {
    BF_SERVE(cuModuleLoad);
    BF_SERVE(cuModuleLoadData);
    BF_SERVE(cuModuleLoadDataEx);
    BF_SERVE(cuModuleLoadFatBinary);
    BF_SERVE(cuModuleUnload);
    BF_SERVE(cuModuleGetLoadingMode);
    BF_SERVE(cuModuleGetFunction);
    BF_SERVE(cuModuleGetFunctionCount);
    BF_SERVE(cuModuleEnumerateFunctions);
    BF_SERVE(cuModuleGetGlobal_v2);
}

void serve_libraries(DriverTable* table) {
    BF_SERVE(cuLibraryLoadData);
    BF_SERVE(cuLibraryLoadFromFile);
    BF_SERVE(cuLibraryUnload);
    BF_SERVE(cuLibraryGetKernel);
    BF_SERVE(cuLibraryGetKernelCount);
    BF_SERVE(cuLibraryEnumerateKernels);
    BF_SERVE(cuLibraryGetModule);
    BF_SERVE(cuLibraryGetGlobal);
    BF_SERVE(cuLibraryGetManaged);
    BF_SERVE(cuLibraryGetUnifiedFunction);
}

}  // namespace bitfusion::soft
