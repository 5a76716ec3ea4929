#include "device/soft/module.h"

#include <algorithm>

#include "base/log.h"
#include "device/soft/driver.h"
#include "device/soft/image_reference.h"
#include "device/soft/memory.h"

namespace bitfusion::soft {
namespace {

void free_variables(const Module& module) {
    for (const uint64_t address : module.addresses)
        release(address, {MemoryKind::kModule, MemoryKind::kManaged});
}

CUresult place_variables(const ContextPtr& context, const Program& program, Module* module) {
    for (const Variable& variable : program.variables()) {
        const uint64_t bytes = std::max<uint64_t>(variable.size, 1);
        CUdeviceptr address = 0;
        const CUresult result =
            variable.managed ? allocate_managed(context, bytes, CU_MEM_ATTACH_GLOBAL, &address)
                             : allocate(context, bytes, variable.alignment, MemoryKind::kModule, &address);
        if (result != CUDA_SUCCESS) return result;
        module->addresses.push_back(address);
    }
    return CUDA_SUCCESS;
}

}  // namespace

FunctionSettings ModuleFunction::settings() const {
    {
        const std::lock_guard lock(mutex_);
        if (changed_ || library_kernel == nullptr) return settings_;
    }
    const ContextPtr owner = context.lock();
    return owner == nullptr ? FunctionSettings{} : library_kernel->settings(owner->gpu.ordinal());
}

void ModuleFunction::change(const std::function<void(FunctionSettings&)>& change) {
    // What the program sets on the function itself wins over what it sets on the library's kernel.
    FunctionSettings now = settings();
    const std::lock_guard lock(mutex_);
    if (changed_) now = settings_;
    change(now);
    settings_ = now;
    changed_ = true;
}

FunctionSettings LibraryKernel::settings(int device) const {
    const std::lock_guard lock(mutex_);
    const auto at = settings_.find(device);
    return at == settings_.end() ? FunctionSettings{} : at->second;
}

void LibraryKernel::change(int device, const std::function<void(FunctionSettings&)>& change) {
    const std::lock_guard lock(mutex_);
    change(settings_[device]);
}

CUresult Library::module_in(const ContextPtr& context, ModulePtr* module) {
    const std::lock_guard lock(mutex_);
    ModulePtr& mine = modules_[context->id];
    if (mine == nullptr) {
        const LibraryPtr self = driver().libraries.find(handle);
        if (self == nullptr) return CUDA_ERROR_INVALID_HANDLE;
        const CUresult result = load_module(context, program, self, &mine);
        if (result != CUDA_SUCCESS) {
            modules_.erase(context->id);
            return result;
        }
    }
    *module = mine;
    return CUDA_SUCCESS;
}

std::vector<ModulePtr> Library::take_modules() {
    const std::lock_guard lock(mutex_);
    std::vector<ModulePtr> taken;
    for (auto& [context, module] : modules_) taken.push_back(std::move(module));
    modules_.clear();
    return taken;
}

CUresult load_module(const ContextPtr& context, std::shared_ptr<const Program> program,
                     const LibraryPtr& library, ModulePtr* out) {
    Driver& all = driver();
    auto module = std::make_shared<Module>();
    module->context = context;
    module->of_library = library != nullptr;
    const CUresult placed = place_variables(context, *program, module.get());
    if (placed != CUDA_SUCCESS) {
        free_variables(*module);
        return placed;
    }
    auto loaded = LoadedProgram::load(program, module->addresses);
    if (!loaded) {
        BF_LOG("soft", kWarn, "module not loaded: %s", loaded.error().what.c_str());
        free_variables(*module);
        return loaded.error().code != 0 ? static_cast<CUresult>(loaded.error().code)
                                        : CUDA_ERROR_INVALID_IMAGE;
    }
    module->loaded = std::move(*loaded);
    module->handle = all.modules.issue();
    for (uint32_t i = 0; i < program->kernels().size(); ++i) {
        auto function = std::make_shared<ModuleFunction>();
        function->handle = all.functions.issue();
        function->module = module;
        function->context = context;
        function->program = module->loaded;
        function->index = i;
        if (library != nullptr) function->library_kernel = library->kernels[i];
        all.functions.add(function->handle, function);
        module->functions.push_back(std::move(function));
    }
    add_references(*module);
    all.modules.add(module->handle, module);
    {
        const std::lock_guard lock(context->mutex);
        context->modules.push_back(module);
    }
    *out = std::move(module);
    return CUDA_SUCCESS;
}

void unload(const ModulePtr& module) {
    Driver& all = driver();
    if (all.modules.remove(module->handle) == nullptr) return;
    for (const FunctionPtr& function : module->functions) all.functions.remove(function->handle);
    if (const ContextPtr context = module->context.lock()) {
        const std::lock_guard lock(context->mutex);
        std::erase(context->modules, module);
    }
    remove_references(*module);
    free_variables(*module);
}

CUresult find_function(const ContextPtr& context, CUfunction handle, FunctionPtr* function) {
    *function = driver().functions.find(handle);
    if (*function != nullptr)
        return (*function)->context.lock() == context ? CUDA_SUCCESS : CUDA_ERROR_INVALID_HANDLE;
    const KernelPtr kernel = driver().kernels.find(handle_from<CUkernel>(handle_number(handle)));
    if (kernel == nullptr) return CUDA_ERROR_INVALID_HANDLE;
    const LibraryPtr library = kernel->library.lock();
    if (library == nullptr) return CUDA_ERROR_INVALID_HANDLE;
    ModulePtr module;
    const CUresult result = library->module_in(context, &module);
    if (result == CUDA_SUCCESS) *function = module->functions[kernel->index];
    return result;
}

}  // namespace bitfusion::soft
