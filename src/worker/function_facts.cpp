#include "worker/function_facts.h"

namespace bitfusion::worker {
namespace {

// CUDA's limit on parameter bytes bounds the number of parameters too.
constexpr size_t kMostParameters = 32764;

template <typename Ask>
std::vector<wire::FunctionFacts::Parameter> parameters(const Ask& ask) {
    std::vector<wire::FunctionFacts::Parameter> found;
    size_t offset = 0;
    size_t size = 0;
    while (found.size() < kMostParameters && ask(found.size(), &offset, &size) == CUDA_SUCCESS) {
        found.push_back({static_cast<uint32_t>(offset), static_cast<uint32_t>(size)});
    }
    return found;
}

template <typename Ask>
std::vector<wire::AttributeFact> attributes(const Ask& ask) {
    std::vector<wire::AttributeFact> found(CU_FUNC_ATTRIBUTE_MAX);
    for (int i = 0; i < CU_FUNC_ATTRIBUTE_MAX; ++i) {
        found[static_cast<size_t>(i)].result =
            ask(&found[static_cast<size_t>(i)].value, static_cast<CUfunction_attribute>(i));
    }
    return found;
}

// Runtimes may ask for a kernel before a context is current; its facts need one. Whichever the session has
// will do, and if it has none yet, the first device's primary context for this moment.
class InSomeContext {
  public:
    explicit InSomeContext(Session& s) : s_(s) {
        CUcontext current = nullptr;
        if (s.driver.cuCtxGetCurrent(&current) == CUDA_SUCCESS && current != nullptr) return;
        CUcontext context = s.some_context();
        if (context == nullptr) {
            CUresult found = CUDA_SUCCESS;
            device_ = s.device(0, &found);
            retained_ =
                found == CUDA_SUCCESS && s.driver.cuDevicePrimaryCtxRetain(&context, device_) == CUDA_SUCCESS;
        }
        pushed_ = context != nullptr && s.driver.cuCtxPushCurrent_v2(context) == CUDA_SUCCESS;
    }
    ~InSomeContext() {
        CUcontext popped = nullptr;
        if (pushed_) s_.driver.cuCtxPopCurrent_v2(&popped);
        if (retained_) s_.driver.cuDevicePrimaryCtxRelease_v2(device_);
    }
    InSomeContext(const InSomeContext&) = delete;
    InSomeContext& operator=(const InSomeContext&) = delete;

  private:
    Session& s_;
    CUdevice device_ = 0;
    bool pushed_ = false;
    bool retained_ = false;
};

}  // namespace

wire::FunctionFacts facts_of_function(Session& s, CUfunction function, const std::string& symbol,
                                      uint64_t owner) {
    wire::FunctionFacts facts;
    facts.name = s.handles.name_of(function, owner);
    facts.symbol = symbol;
    if (s.driver.cuFuncGetParamInfo != nullptr) {
        facts.parameters = parameters([&](size_t i, size_t* offset, size_t* size) {
            return s.driver.cuFuncGetParamInfo(function, i, offset, size);
        });
    }
    facts.attributes = attributes(
        [&](int* value, CUfunction_attribute a) { return s.driver.cuFuncGetAttribute(value, a, function); });
    s.layouts[facts.name].parameters = facts.parameters;
    return facts;
}

wire::FunctionFacts facts_of_kernel(Session& s, CUkernel kernel, const std::string& symbol, uint64_t owner) {
    const InSomeContext context(s);
    wire::FunctionFacts facts;
    facts.name = s.handles.name_of(kernel, owner);
    facts.symbol = symbol;
    if (s.driver.cuKernelGetParamInfo != nullptr) {
        facts.parameters = parameters([&](size_t i, size_t* offset, size_t* size) {
            return s.driver.cuKernelGetParamInfo(kernel, i, offset, size);
        });
    }
    CUfunction function = nullptr;
    if (facts.parameters.empty() && s.driver.cuKernelGetFunction != nullptr &&
        s.driver.cuFuncGetParamInfo != nullptr &&
        s.driver.cuKernelGetFunction(&function, kernel) == CUDA_SUCCESS) {
        // A kernel without parameters, or one that the driver has not loaded yet.
        facts.parameters = parameters([&](size_t i, size_t* offset, size_t* size) {
            return s.driver.cuFuncGetParamInfo(function, i, offset, size);
        });
    }
    CUdevice device = 0;
    if (s.driver.cuCtxGetDevice(&device) != CUDA_SUCCESS) {
        CUresult unused = CUDA_SUCCESS;
        device = s.device(0, &unused);
    }
    facts.attributes = attributes([&](int* value, CUfunction_attribute a) {
        return s.driver.cuKernelGetAttribute(value, a, kernel, device);
    });
    s.layouts[facts.name].parameters = facts.parameters;
    return facts;
}

}  // namespace bitfusion::worker
