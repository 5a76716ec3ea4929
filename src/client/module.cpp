#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "client/code_image.h"
#include "client/context.h"
#include "client/function.h"
#include "client/global.h"
#include "client/managed_memory.h"
#include "client/memory_map.h"
#include "client/session.h"
#include "client_hand.gen.h"
#include "client_remote.gen.h"

namespace bitfusion::client {
namespace {

struct Module {
    std::unordered_map<std::string, CUfunction> functions;
};

struct Modules {
    std::mutex lock;
    std::unordered_map<CUmodule, Module> known;
};

Modules& modules() {
    static Modules* const made = std::make_unique<Modules>().release();  // outlives every exit handler
    return *made;
}

}  // namespace

CUresult find_global(uint64_t owner, bool of_library, bool managed, const char* name, CUdeviceptr* address,
                     size_t* bytes) {
    if (name == nullptr) return CUDA_ERROR_INVALID_VALUE;
    uint64_t found = 0;
    size_t size = 0;
    bool is_managed = false;
    const CUresult result = call(msg::GlobalGet{owner, of_library ? 1u : 0u, managed ? 1u : 0u, name},
                                 [&](const msg::GlobalGet::Reply& reply) {
                                     found = reply.address;
                                     size = reply.byte_count;
                                     is_managed = reply.is_managed != 0;
                                 });
    if (result != CUDA_SUCCESS) return result;
    if (!range_of(found)) {
        MemoryRange range;
        range.kind = MemoryRange::Kind::kSymbol;
        range.base = found;
        range.bytes = size;
        range.owner = owner;
        range.context = current_context();
        range.device = current_device();
        if (is_managed) {
            const CUresult adopted = adopt_managed_variable(range);
            if (adopted != CUDA_SUCCESS) return adopted;
        } else {
            reserve_addresses(found, size);
            remember_range(range);
        }
    }
    if (address != nullptr) *address = found;
    if (bytes != nullptr) *bytes = size;
    return CUDA_SUCCESS;
}

CUresult cuModuleLoadDataEx(CUmodule* module, const void* image, unsigned int numOptions,
                            CUjit_option* options, void** optionValues) {
    if (current_context() == nullptr) return CUDA_ERROR_INVALID_CONTEXT;
    if (module == nullptr || image == nullptr ||
        (numOptions != 0 && (options == nullptr || optionValues == nullptr)))
        return CUDA_ERROR_INVALID_VALUE;
    const uint64_t name = name_handle(wire::Kind::kModule);
    const CUresult result = load_image(image, name, false, numOptions, options, optionValues);
    if (result != CUDA_SUCCESS) return result;
    *module = from_wire_name<CUmodule>(name);
    adopt_module(*module);
    return CUDA_SUCCESS;
}

void adopt_module(CUmodule module) {
    const std::lock_guard<std::mutex> lock(modules().lock);
    modules().known.try_emplace(module);
}

CUresult cuModuleLoadData(CUmodule* module, const void* image) {
    return cuModuleLoadDataEx(module, image, 0, nullptr, nullptr);
}
CUresult cuModuleLoadFatBinary(CUmodule* module, const void* fatCubin) {
    return cuModuleLoadDataEx(module, fatCubin, 0, nullptr, nullptr);
}

CUresult cuModuleLoad(CUmodule* module, const char* fname) {
    if (fname == nullptr) return CUDA_ERROR_INVALID_VALUE;
    const ImageFile file(fname);
    if (file.data() == nullptr) return CUDA_ERROR_FILE_NOT_FOUND;
    return cuModuleLoadDataEx(module, file.data(), 0, nullptr, nullptr);
}

CUresult cuModuleUnload(CUmodule hmod) {
    {
        const std::lock_guard<std::mutex> lock(modules().lock);
        if (modules().known.erase(hmod) == 0) return CUDA_ERROR_INVALID_HANDLE;
    }
    unpublish_functions(wire_name(hmod));
    drop_managed_variables(forget_variables(wire_name(hmod)));
    return post(msg::ModuleUnload{wire_name(hmod)});
}

CUresult cuModuleGetLoadingMode(CUmoduleLoadingMode* mode) {
    if (mode == nullptr) return CUDA_ERROR_INVALID_VALUE;
    const char* asked = getenv("CUDA_MODULE_LOADING");
    *mode = asked != nullptr && std::string_view(asked) == "EAGER" ? CU_MODULE_EAGER_LOADING
                                                                   : CU_MODULE_LAZY_LOADING;
    return CUDA_SUCCESS;
}

CUresult cuModuleGetFunction(CUfunction* hfunc, CUmodule hmod, const char* name) {
    if (hfunc == nullptr || name == nullptr) return CUDA_ERROR_INVALID_VALUE;
    {
        const std::lock_guard<std::mutex> lock(modules().lock);
        const auto found = modules().known.find(hmod);
        if (found == modules().known.end()) return CUDA_ERROR_INVALID_HANDLE;
        if (const auto known = found->second.functions.find(name); known != found->second.functions.end()) {
            *hfunc = known->second;
            return CUDA_SUCCESS;
        }
    }
    std::vector<Function*> published;
    bool good = false;
    const CUresult result = call(msg::FunctionGet{wire_name(hmod), name}, [&](const auto& reply) {
        good = publish_functions(reply.facts, wire_name(hmod), &published);
    });
    if (result != CUDA_SUCCESS) return result;
    if (!good || published.size() != 1) return CUDA_ERROR_UNKNOWN;
    *hfunc = from_wire_name<CUfunction>(published[0]->name);
    const std::lock_guard<std::mutex> lock(modules().lock);
    if (const auto found = modules().known.find(hmod); found != modules().known.end())
        found->second.functions[name] = *hfunc;
    return CUDA_SUCCESS;
}

CUresult cuModuleEnumerateFunctions(CUfunction* functions, unsigned int numFunctions, CUmodule mod) {
    if (functions == nullptr || numFunctions == 0) return CUDA_ERROR_INVALID_VALUE;
    std::vector<Function*> published;
    bool good = false;
    const CUresult result = call(msg::FunctionList{wire_name(mod), numFunctions}, [&](const auto& reply) {
        good = publish_functions(reply.facts, wire_name(mod), &published);
    });
    if (result != CUDA_SUCCESS) return result;
    if (!good) return CUDA_ERROR_UNKNOWN;
    for (size_t i = 0; i < published.size() && i < numFunctions; ++i)
        functions[i] = from_wire_name<CUfunction>(published[i]->name);
    return CUDA_SUCCESS;
}

CUresult cuModuleGetGlobal_v2(CUdeviceptr* dptr, size_t* bytes, CUmodule hmod, const char* name) {
    return find_global(wire_name(hmod), false, false, name, dptr, bytes);
}

CUresult cuFuncGetAttribute(int* pi, CUfunction_attribute attrib, CUfunction hfunc) {
    const Function* function = function_of(hfunc);
    if (pi == nullptr) return CUDA_ERROR_INVALID_VALUE;
    if (function == nullptr) return CUDA_ERROR_INVALID_HANDLE;
    return attribute_of(*function, attrib, pi);
}

CUresult cuFuncSetAttribute(CUfunction hfunc, CUfunction_attribute attrib, int value) {
    Function* function = function_of(hfunc);
    if (function == nullptr) return CUDA_ERROR_INVALID_HANDLE;
    return set_attribute(&function->attributes, attrib, value, [&] {
        forget_occupancy();
        return remote::cuFuncSetAttribute(hfunc, attrib, value);
    });
}

CUresult cuFuncGetName(const char** name, CUfunction hfunc) {
    const Function* function = function_of(hfunc);
    if (name == nullptr) return CUDA_ERROR_INVALID_VALUE;
    if (function == nullptr) return CUDA_ERROR_INVALID_HANDLE;
    *name = function->symbol.c_str();
    return CUDA_SUCCESS;
}

CUresult cuFuncGetParamInfo(CUfunction func, size_t paramIndex, size_t* paramOffset, size_t* paramSize) {
    const Function* function = function_of(func);
    if (function == nullptr) return CUDA_ERROR_INVALID_HANDLE;
    if (paramOffset == nullptr || paramIndex >= function->parameters.size()) return CUDA_ERROR_INVALID_VALUE;
    *paramOffset = function->parameters[paramIndex].offset;
    if (paramSize != nullptr) *paramSize = function->parameters[paramIndex].size;
    return CUDA_SUCCESS;
}

}  // namespace bitfusion::client
