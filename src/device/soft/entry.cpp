#include "device/soft/entry.h"

#include <exception>

#include "base/log.h"

namespace bitfusion::soft {

CUresult current_context(ContextPtr* context) {
    const std::vector<CUcontext>& stack = context_stack();
    if (stack.empty() || stack.back() == nullptr) return CUDA_ERROR_INVALID_CONTEXT;
    *context = driver().contexts.find(stack.back());
    return *context == nullptr ? CUDA_ERROR_CONTEXT_IS_DESTROYED : CUDA_SUCCESS;
}

CUresult context_of(CUcontext handle, ContextPtr* context) {
    if (handle == nullptr) return current_context(context);
    *context = driver().contexts.find(handle);
    return *context == nullptr ? CUDA_ERROR_INVALID_CONTEXT : CUDA_SUCCESS;
}

CUresult report_exception() noexcept {
    try {
        throw;
    } catch (const std::bad_alloc&) {
        return CUDA_ERROR_OUT_OF_MEMORY;
    } catch (const std::exception& thrown) {
        BF_LOG("soft", kError, "a driver call failed on the host: %s", thrown.what());
        return CUDA_ERROR_OPERATING_SYSTEM;
    } catch (...) {
        return CUDA_ERROR_UNKNOWN;
    }
}

}  // namespace bitfusion::soft
