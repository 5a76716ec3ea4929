#include "worker/stream_mark.h"

#include <utility>

namespace bitfusion::worker {
namespace {

CUresult make_and_record(const DriverTable& driver, CUstream stream, CUevent* event) {
    CUresult result = driver.cuEventCreate(event, CU_EVENT_DISABLE_TIMING);
    if (result != CUDA_SUCCESS) return result;
    result = driver.cuEventRecord(*event, stream);
    if (result != CUDA_SUCCESS) driver.cuEventDestroy_v2(std::exchange(*event, nullptr));
    return result;
}

}  // namespace

CUresult mark_stream(const DriverTable& driver, CUstream stream, CUevent* event) {
    // Nearly always the stream is of the current context: the driver is asked for it only where it is not.
    CUresult result = make_and_record(driver, stream, event);
    if (result != CUDA_ERROR_INVALID_HANDLE || driver.cuStreamGetCtx == nullptr) return result;
    CUcontext context = nullptr;
    result = driver.cuStreamGetCtx(stream, &context);
    if (result == CUDA_SUCCESS) result = driver.cuCtxPushCurrent_v2(context);
    if (result != CUDA_SUCCESS) return result;
    result = make_and_record(driver, stream, event);
    driver.cuCtxPopCurrent_v2(&context);
    return result;
}

}  // namespace bitfusion::worker
