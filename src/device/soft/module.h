// Module: a program loaded into one context, its functions and variables. Library: a program loaded once for
// all contexts, with a module in each context that uses it, made when it is first needed.
//
// Owner: a module belongs to its context (which unloads it at its end) and to the handles; a library's
// modules also to the library. Threads: any. A module is immutable but for its functions' settings, which
// have their own lock.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "cuda_api.gen.h"
#include "device/soft/context.h"
#include "device/soft/ptx/program.h"

namespace bitfusion::soft {

class ImageReference;
class Library;
class LibraryKernel;
class Module;

// What cuFuncSetAttribute and cuKernelSetAttribute change.
struct FunctionSettings {
    std::optional<int> max_dynamic_shared;
    std::optional<int> carveout;
    std::optional<int> non_portable_cluster;
    std::optional<int> cluster_scheduling;
    std::optional<int> cluster_size[3];
    CUfunc_cache cache_config = CU_FUNC_CACHE_PREFER_NONE;
};

// The value of an attribute of a kernel with these settings; false for an unknown attribute.
bool function_attribute(const Kernel& kernel, const FunctionSettings& settings, const Gpu& gpu,
                        CUfunction_attribute attribute, int* value);
// INVALID_VALUE for attributes that are fixed and values out of range.
CUresult set_function_attribute(const Kernel& kernel, const Gpu& gpu, FunctionSettings* settings,
                                CUfunction_attribute attribute, int value);

class ModuleFunction {
  public:
    CUfunction handle = nullptr;
    std::weak_ptr<Module> module;
    std::weak_ptr<Context> context;
    std::shared_ptr<const LoadedProgram> program;
    uint32_t index = 0;
    std::shared_ptr<LibraryKernel> library_kernel;  // null for a module that was loaded directly

    const Kernel& kernel() const { return program->program()->kernels()[index]; }
    FunctionSettings settings() const;
    void change(const std::function<void(FunctionSettings&)>& change);

  private:
    mutable std::mutex mutex_;
    FunctionSettings settings_;
    bool changed_ = false;
};

using FunctionPtr = std::shared_ptr<ModuleFunction>;

class Module {
  public:
    CUmodule handle = nullptr;
    std::weak_ptr<Context> context;
    std::shared_ptr<const LoadedProgram> loaded;
    std::vector<FunctionPtr> functions;                       // as Program::kernels()
    std::vector<uint64_t> addresses;                          // as Program::variables()
    std::vector<std::shared_ptr<ImageReference>> references;  // .texref and .surfref variables
    bool of_library = false;

    const Program& program() const { return *loaded->program(); }
};

using ModulePtr = std::shared_ptr<Module>;

class LibraryKernel {
  public:
    CUkernel handle = nullptr;
    std::weak_ptr<Library> library;
    uint32_t index = 0;
    std::shared_ptr<const Program> program;

    const Kernel& kernel() const { return program->kernels()[index]; }
    FunctionSettings settings(int device) const;
    void change(int device, const std::function<void(FunctionSettings&)>& change);

  private:
    mutable std::mutex mutex_;
    std::map<int, FunctionSettings> settings_;
};

using KernelPtr = std::shared_ptr<LibraryKernel>;

class Library {
  public:
    CUlibrary handle = nullptr;
    std::shared_ptr<const Program> program;
    std::vector<KernelPtr> kernels;  // as Program::kernels()

    // The library's module in this context, loaded on first use.
    CUresult module_in(const ContextPtr& context, ModulePtr* module);
    std::vector<ModulePtr> take_modules();

  private:
    std::mutex mutex_;
    std::map<uint64_t, ModulePtr> modules_;  // by context id
};

using LibraryPtr = std::shared_ptr<Library>;

// Places the program's variables in the context and enters module and functions into the handles.
CUresult load_module(const ContextPtr& context, std::shared_ptr<const Program> program,
                     const LibraryPtr& library, ModulePtr* module);
// Takes the module out of the handles and frees its variables. The context's work must be over.
void unload(const ModulePtr& module);

// The function that a handle means in the context: a CUfunction, or a CUkernel passed in its place.
CUresult find_function(const ContextPtr& context, CUfunction handle, FunctionPtr* function);

}  // namespace bitfusion::soft
