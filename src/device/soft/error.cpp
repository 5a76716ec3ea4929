#include "device/soft/entry.h"
#include "device/soft/serve.h"
#include "driver_table.gen.h"
#include "error_texts.gen.h"

namespace bitfusion::soft {
namespace {

CUresult cuGetErrorName(CUresult error, const char** out) {
    if (out == nullptr) return CUDA_ERROR_INVALID_VALUE;
    const ErrorText* found = error_text(error);
    *out = found == nullptr ? nullptr : found->name;
    return found == nullptr ? CUDA_ERROR_INVALID_VALUE : CUDA_SUCCESS;
}

CUresult cuGetErrorString(CUresult error, const char** out) {
    if (out == nullptr) return CUDA_ERROR_INVALID_VALUE;
    const ErrorText* found = error_text(error);
    *out = found == nullptr ? nullptr : found->text;
    return found == nullptr ? CUDA_ERROR_INVALID_VALUE : CUDA_SUCCESS;
}

}  // namespace

void serve_errors(DriverTable* table) {
    BF_SERVE(cuGetErrorName);
    BF_SERVE(cuGetErrorString);
}

}  // namespace bitfusion::soft
