#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/log.h"
#include "client/code_image.h"
#include "client/context.h"
#include "client/device.h"
#include "client/function.h"
#include "client/global.h"
#include "client/managed_memory.h"
#include "client/memory_map.h"
#include "client/session.h"
#include "client_hand.gen.h"
#include "client_remote.gen.h"
#include "image/container.h"
#include "image/select.h"

namespace bitfusion::client {
namespace {

// A library whose caller keeps the image (every CUDA runtime does) is sent when something of it is first
// asked for: most libraries of a process never are.
struct Library {
    std::mutex lock;
    const void* image = nullptr;  // to be sent; nullptr once it has been
    CUresult load_result = CUDA_SUCCESS;
    std::unordered_map<std::string, CUkernel> kernels;
    std::unordered_map<CUcontext, CUmodule> modules;
};

struct Libraries {
    std::mutex lock;
    std::unordered_map<CUlibrary, std::shared_ptr<Library>> known;
};

Libraries& libraries() {
    static Libraries* const made = std::make_unique<Libraries>().release();  // outlives every exit handler
    return *made;
}

std::shared_ptr<Library> library_of(CUlibrary handle) {
    const std::lock_guard<std::mutex> lock(libraries().lock);
    const auto found = libraries().known.find(handle);
    return found == libraries().known.end() ? nullptr : found->second;
}

CUresult ensure_loaded(CUlibrary handle, Library* library) {
    if (library->image != nullptr) {
        library->load_result = load_image(library->image, wire_name(handle), true, 0, nullptr, nullptr);
        library->image = nullptr;
    }
    return library->load_result;
}

// The lock of a library is held while it is sent: a second thread that needs it waits for the first.
template <typename Then>
CUresult with_loaded(CUlibrary handle, const Then& then) {
    const std::shared_ptr<Library> library = library_of(handle);
    if (library == nullptr) return CUDA_ERROR_INVALID_HANDLE;
    const std::lock_guard<std::mutex> lock(library->lock);
    const CUresult loaded = ensure_loaded(handle, library.get());
    return loaded == CUDA_SUCCESS ? then(library.get()) : loaded;
}

// Only an image that this GPU can run may be sent late: a load that has to fail fails now.
bool may_be_late(const void* image) {
    const auto measured = image::measure(image);
    if (!measured || image::form_of(measured->code) != image::Form::kFatbin) return false;
    const auto entries = image::entries_of(measured->code);
    if (!entries) return false;
    const image::Capability gpu{attribute_of(0, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR),
                                attribute_of(0, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR)};
    return !image::usable_entries(*entries, image::Kind::kElf, gpu).empty() ||
           !image::usable_entries(*entries, image::Kind::kPtx, gpu).empty();
}

bool preserved(unsigned count, const CUlibraryOption* options, void* const* values) {
    for (unsigned i = 0; i < count; ++i) {
        if (options[i] == CU_LIBRARY_BINARY_IS_PRESERVED) return values[i] != nullptr;
    }
    return false;
}

}  // namespace

CUresult cuLibraryLoadData(CUlibrary* library, const void* code, CUjit_option* jitOptions,
                           void** jitOptionsValues, unsigned int numJitOptions,
                           CUlibraryOption* libraryOptions, void** libraryOptionValues,
                           unsigned int numLibraryOptions) {
    if (library == nullptr || code == nullptr) return CUDA_ERROR_INVALID_VALUE;
    if (numJitOptions != 0 && (jitOptions == nullptr || jitOptionsValues == nullptr))
        return CUDA_ERROR_INVALID_VALUE;
    // cuBLAS names a library option and gives no values; options without values are as good as not given.
    if (libraryOptions == nullptr || libraryOptionValues == nullptr) numLibraryOptions = 0;
    if (device_count() == 0) return CUDA_ERROR_NO_DEVICE;
    const uint64_t name = name_handle(wire::Kind::kLibrary);
    auto made = std::make_shared<Library>();
    if (numJitOptions == 0 && preserved(numLibraryOptions, libraryOptions, libraryOptionValues) &&
        may_be_late(code)) {
        made->image = code;
    } else {
        const CUresult result = load_image(code, name, true, numJitOptions, jitOptions, jitOptionsValues);
        if (result != CUDA_SUCCESS) return result;
    }
    *library = from_wire_name<CUlibrary>(name);
    const std::lock_guard<std::mutex> lock(libraries().lock);
    libraries().known[*library] = std::move(made);
    return CUDA_SUCCESS;
}

CUresult cuLibraryLoadFromFile(CUlibrary* library, const char* fileName, CUjit_option* jitOptions,
                               void** jitOptionsValues, unsigned int numJitOptions, CUlibraryOption*, void**,
                               unsigned int) {
    if (fileName == nullptr) return CUDA_ERROR_INVALID_VALUE;
    const ImageFile file(fileName);
    if (file.data() == nullptr) return CUDA_ERROR_FILE_NOT_FOUND;
    return cuLibraryLoadData(library, file.data(), jitOptions, jitOptionsValues, numJitOptions, nullptr,
                             nullptr, 0);
}

CUresult cuLibraryUnload(CUlibrary library) {
    std::shared_ptr<Library> gone;
    {
        const std::lock_guard<std::mutex> lock(libraries().lock);
        const auto found = libraries().known.find(library);
        if (found == libraries().known.end()) return CUDA_ERROR_INVALID_HANDLE;
        gone = std::move(found->second);
        libraries().known.erase(found);
    }
    const std::lock_guard<std::mutex> lock(gone->lock);
    if (gone->image != nullptr || gone->load_result != CUDA_SUCCESS) return CUDA_SUCCESS;  // never sent
    unpublish_functions(wire_name(library));
    drop_managed_variables(forget_variables(wire_name(library)));
    return post(msg::LibraryUnload{wire_name(library)});
}

CUresult cuLibraryGetKernel(CUkernel* pKernel, CUlibrary library, const char* name) {
    if (pKernel == nullptr || name == nullptr) return CUDA_ERROR_INVALID_VALUE;
    return with_loaded(library, [&](Library* l) {
        if (const auto known = l->kernels.find(name); known != l->kernels.end()) {
            *pKernel = known->second;
            return CUDA_SUCCESS;
        }
        std::vector<Function*> published;
        bool good = false;
        const CUresult result = call(msg::KernelGet{wire_name(library), name}, [&](const auto& reply) {
            good = publish_functions(reply.facts, wire_name(library), &published);
        });
        if (result != CUDA_SUCCESS) return result;
        if (!good || published.size() != 1) return CUDA_ERROR_UNKNOWN;
        *pKernel = from_wire_name<CUkernel>(published[0]->name);
        l->kernels[name] = *pKernel;
        return CUDA_SUCCESS;
    });
}

CUresult cuLibraryGetKernelCount(unsigned int* count, CUlibrary lib) {
    return with_loaded(lib, [&](Library*) { return remote::cuLibraryGetKernelCount(count, lib); });
}

CUresult cuLibraryEnumerateKernels(CUkernel* kernels, unsigned int numKernels, CUlibrary lib) {
    if (kernels == nullptr || numKernels == 0) return CUDA_ERROR_INVALID_VALUE;
    return with_loaded(lib, [&](Library*) {
        std::vector<Function*> published;
        bool good = false;
        const CUresult result = call(msg::KernelList{wire_name(lib), numKernels}, [&](const auto& reply) {
            good = publish_functions(reply.facts, wire_name(lib), &published);
        });
        if (result != CUDA_SUCCESS) return result;
        if (!good) return CUDA_ERROR_UNKNOWN;
        for (size_t i = 0; i < published.size() && i < numKernels; ++i)
            kernels[i] = from_wire_name<CUkernel>(published[i]->name);
        return CUDA_SUCCESS;
    });
}

CUresult cuLibraryGetModule(CUmodule* pMod, CUlibrary library) {
    if (pMod == nullptr) return CUDA_ERROR_INVALID_VALUE;
    if (current_context() == nullptr) return CUDA_ERROR_INVALID_CONTEXT;
    return with_loaded(library, [&](Library* l) {
        CUmodule& module = l->modules[current_context()];
        if (module == nullptr) {
            const CUresult result = call(msg::LibraryModule{wire_name(library)}, [&](const auto& reply) {
                module = from_wire_name<CUmodule>(reply.module);
            });
            if (result != CUDA_SUCCESS) return result;
            adopt_module(module);
        }
        *pMod = module;
        return CUDA_SUCCESS;
    });
}

CUresult cuLibraryGetGlobal(CUdeviceptr* dptr, size_t* bytes, CUlibrary library, const char* name) {
    if (current_context() == nullptr) return CUDA_ERROR_INVALID_CONTEXT;
    return with_loaded(
        library, [&](Library*) { return find_global(wire_name(library), true, false, name, dptr, bytes); });
}

CUresult cuLibraryGetManaged(CUdeviceptr* dptr, size_t* bytes, CUlibrary library, const char* name) {
    return with_loaded(
        library, [&](Library*) { return find_global(wire_name(library), true, true, name, dptr, bytes); });
}

// A function that host and GPU can both call: devices say that they have none (device.cpp), and then CUDA
// finds none.
CUresult cuLibraryGetUnifiedFunction(void** fptr, CUlibrary library, const char* symbol) {
    if (fptr == nullptr || symbol == nullptr) return CUDA_ERROR_INVALID_VALUE;
    return with_loaded(library, [](Library*) { return CUDA_ERROR_NOT_FOUND; });
}

// ---- kernels
// -------------------------------------------------------------------------------------------------

CUresult cuKernelGetFunction(CUfunction* pFunc, CUkernel kernel) {
    if (pFunc == nullptr) return CUDA_ERROR_INVALID_VALUE;
    if (current_context() == nullptr) return CUDA_ERROR_INVALID_CONTEXT;
    Function* k = function_of(kernel);
    if (k == nullptr) return CUDA_ERROR_INVALID_HANDLE;
    // One context is the rule; with several the answer is per context and is asked each time.
    if (!several_contexts() && k->function.load() != 0) {
        *pFunc = from_wire_name<CUfunction>(k->function.load());
        return CUDA_SUCCESS;
    }
    std::vector<Function*> published;
    bool good = false;
    const CUresult result = call(msg::KernelFunction{wire_name(kernel)}, [&](const auto& reply) {
        good = publish_functions(reply.facts, k->owner, &published);
    });
    if (result != CUDA_SUCCESS) return result;
    if (!good || published.size() != 1) return CUDA_ERROR_UNKNOWN;
    published[0]->device.store(current_device());
    k->function.store(published[0]->name);
    *pFunc = from_wire_name<CUfunction>(published[0]->name);
    return CUDA_SUCCESS;
}

CUresult cuKernelGetLibrary(CUlibrary* pLib, CUkernel kernel) {
    const Function* k = function_of(kernel);
    if (pLib == nullptr) return CUDA_ERROR_INVALID_VALUE;
    if (k == nullptr) return CUDA_ERROR_INVALID_HANDLE;
    *pLib = from_wire_name<CUlibrary>(k->owner);
    return CUDA_SUCCESS;
}

CUresult cuKernelGetAttribute(int* pi, CUfunction_attribute attrib, CUkernel kernel, CUdevice dev) {
    Function* k = function_of(kernel);
    if (pi == nullptr) return CUDA_ERROR_INVALID_VALUE;
    if (k == nullptr) return CUDA_ERROR_INVALID_HANDLE;
    if (device_facts(dev) == nullptr) return CUDA_ERROR_INVALID_DEVICE;
    return attribute_of(*facts_on(k, dev), attrib, pi);
}

CUresult cuKernelSetAttribute(CUfunction_attribute attrib, int val, CUkernel kernel, CUdevice dev) {
    Function* k = function_of(kernel);
    if (k == nullptr) return CUDA_ERROR_INVALID_HANDLE;
    if (device_facts(dev) == nullptr) return CUDA_ERROR_INVALID_DEVICE;
    const CUresult result = set_attribute(facts_on(k, dev), attrib, val, [&] {
        forget_occupancy();
        return remote::cuKernelSetAttribute(attrib, val, kernel, dev);
    });
    // What is set on a kernel holds for its function on that device, too.
    Function* f = function_of(reinterpret_cast<const void*>(k->function.load()));
    if (result == CUDA_SUCCESS && f != nullptr && f->device.load() == dev)
        set_attribute(&f->attributes, attrib, val, [] { return CUDA_SUCCESS; });
    return result;
}

CUresult cuKernelGetName(const char** name, CUkernel hfunc) {
    const Function* k = function_of(hfunc);
    if (name == nullptr) return CUDA_ERROR_INVALID_VALUE;
    if (k == nullptr) return CUDA_ERROR_INVALID_HANDLE;
    *name = k->symbol.c_str();
    return CUDA_SUCCESS;
}

CUresult cuKernelGetParamInfo(CUkernel kernel, size_t paramIndex, size_t* paramOffset, size_t* paramSize) {
    return cuFuncGetParamInfo(reinterpret_cast<CUfunction>(kernel), paramIndex, paramOffset, paramSize);
}

}  // namespace bitfusion::client
