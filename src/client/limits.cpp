// Facts of contexts that change only when the program changes them.
#include <map>
#include <memory>
#include <mutex>

#include "client/context.h"
#include "client/session.h"
#include "client_hand.gen.h"
#include "client_remote.gen.h"

namespace bitfusion::client {
namespace {

struct Known {
    std::mutex lock;
    std::map<std::pair<CUcontext, CUlimit>, size_t> limits;
    std::map<CUcontext, std::pair<int, int>> priorities;
};

Known& known() {
    static Known* const made = std::make_unique<Known>().release();  // outlives every exit handler
    return *made;
}

}  // namespace

CUresult cuCtxGetLimit(size_t* pvalue, CUlimit limit) {
    if (current_context() == nullptr) return CUDA_ERROR_INVALID_CONTEXT;
    if (pvalue == nullptr) return CUDA_ERROR_INVALID_VALUE;
    const std::lock_guard<std::mutex> lock(known().lock);
    const auto key = std::make_pair(current_context(), limit);
    if (const auto found = known().limits.find(key); found != known().limits.end()) {
        *pvalue = found->second;
        return CUDA_SUCCESS;
    }
    const CUresult result = remote::cuCtxGetLimit(pvalue, limit);
    if (result == CUDA_SUCCESS) known().limits[key] = *pvalue;
    return result;
}

CUresult cuCtxSetLimit(CUlimit limit, size_t value) {
    const std::lock_guard<std::mutex> lock(known().lock);
    known().limits.erase(std::make_pair(current_context(), limit));  // the driver may round the value
    return remote::cuCtxSetLimit(limit, value);
}

CUresult cuCtxGetStreamPriorityRange(int* leastPriority, int* greatestPriority) {
    if (current_context() == nullptr) return CUDA_ERROR_INVALID_CONTEXT;
    const std::lock_guard<std::mutex> lock(known().lock);
    auto found = known().priorities.find(current_context());
    if (found == known().priorities.end()) {
        int least = 0;
        int greatest = 0;
        const CUresult result = remote::cuCtxGetStreamPriorityRange(&least, &greatest);
        if (result != CUDA_SUCCESS) return result;
        found = known().priorities.emplace(current_context(), std::make_pair(least, greatest)).first;
    }
    if (leastPriority != nullptr) *leastPriority = found->second.first;
    if (greatestPriority != nullptr) *greatestPriority = found->second.second;
    return CUDA_SUCCESS;
}

}  // namespace bitfusion::client
