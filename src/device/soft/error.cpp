#include <algorithm>
#include <array>

#include "device/soft/entry.h"
#include "device/soft/serve.h"
#include "driver_table.gen.h"

namespace bitfusion::soft {
namespace {

struct Text {
    CUresult code;
    const char* name;
    const char* text;
};

#define BF_ERROR(code, text) \
    { code, #code, text }

constexpr Text kTexts[] = {
    BF_ERROR(CUDA_SUCCESS, "no error"),
    BF_ERROR(CUDA_ERROR_INVALID_VALUE, "invalid argument"),
    BF_ERROR(CUDA_ERROR_OUT_OF_MEMORY, "out of memory"),
    BF_ERROR(CUDA_ERROR_NOT_INITIALIZED, "initialization error"),
    BF_ERROR(CUDA_ERROR_DEINITIALIZED, "driver shutting down"),
    BF_ERROR(CUDA_ERROR_PROFILER_DISABLED, "profiler disabled while using external profiling tool"),
    BF_ERROR(CUDA_ERROR_PROFILER_NOT_INITIALIZED, "profiler not initialized: call cudaProfilerInitialize()"),
    BF_ERROR(CUDA_ERROR_PROFILER_ALREADY_STARTED, "profiler already started"),
    BF_ERROR(CUDA_ERROR_PROFILER_ALREADY_STOPPED, "profiler already stopped"),
    BF_ERROR(CUDA_ERROR_STUB_LIBRARY, "CUDA driver is a stub library"),
    BF_ERROR(CUDA_ERROR_CALL_REQUIRES_NEWER_DRIVER, "API call is not supported in the installed CUDA driver"),
    BF_ERROR(CUDA_ERROR_DEVICE_UNAVAILABLE, "CUDA-capable device(s) is/are busy or unavailable"),
    BF_ERROR(CUDA_ERROR_NO_DEVICE, "no CUDA-capable device is detected"),
    BF_ERROR(CUDA_ERROR_INVALID_DEVICE, "invalid device ordinal"),
    BF_ERROR(CUDA_ERROR_DEVICE_NOT_LICENSED, "device doesn't have valid Grid license"),
    BF_ERROR(CUDA_ERROR_INVALID_IMAGE, "device kernel image is invalid"),
    BF_ERROR(CUDA_ERROR_INVALID_CONTEXT, "invalid device context"),
    BF_ERROR(CUDA_ERROR_CONTEXT_ALREADY_CURRENT, "context already current"),
    BF_ERROR(CUDA_ERROR_MAP_FAILED, "mapping of buffer object failed"),
    BF_ERROR(CUDA_ERROR_UNMAP_FAILED, "unmapping of buffer object failed"),
    BF_ERROR(CUDA_ERROR_ARRAY_IS_MAPPED, "array is mapped"),
    BF_ERROR(CUDA_ERROR_ALREADY_MAPPED, "resource already mapped"),
    BF_ERROR(CUDA_ERROR_NO_BINARY_FOR_GPU, "no kernel image is available for execution on the device"),
    BF_ERROR(CUDA_ERROR_ALREADY_ACQUIRED, "resource already acquired"),
    BF_ERROR(CUDA_ERROR_NOT_MAPPED, "resource not mapped"),
    BF_ERROR(CUDA_ERROR_NOT_MAPPED_AS_ARRAY, "resource not mapped as array"),
    BF_ERROR(CUDA_ERROR_NOT_MAPPED_AS_POINTER, "resource not mapped as pointer"),
    BF_ERROR(CUDA_ERROR_ECC_UNCORRECTABLE, "uncorrectable ECC error encountered"),
    BF_ERROR(CUDA_ERROR_UNSUPPORTED_LIMIT, "limit is not supported on this architecture"),
    BF_ERROR(CUDA_ERROR_CONTEXT_ALREADY_IN_USE,
             "exclusive-thread device already in use by a different thread"),
    BF_ERROR(CUDA_ERROR_PEER_ACCESS_UNSUPPORTED, "peer access is not supported between these two devices"),
    BF_ERROR(CUDA_ERROR_INVALID_PTX, "a PTX JIT compilation failed"),
    BF_ERROR(CUDA_ERROR_INVALID_GRAPHICS_CONTEXT, "invalid OpenGL or DirectX context"),
    BF_ERROR(CUDA_ERROR_NVLINK_UNCORRECTABLE, "uncorrectable NVLink error detected during the execution"),
    BF_ERROR(CUDA_ERROR_JIT_COMPILER_NOT_FOUND, "PTX JIT compiler library not found"),
    BF_ERROR(CUDA_ERROR_UNSUPPORTED_PTX_VERSION,
             "the provided PTX was compiled with an unsupported toolchain."),
    BF_ERROR(CUDA_ERROR_JIT_COMPILATION_DISABLED, "PTX JIT compilation was disabled"),
    BF_ERROR(CUDA_ERROR_UNSUPPORTED_EXEC_AFFINITY, "the provided execution affinity is not supported"),
    BF_ERROR(CUDA_ERROR_UNSUPPORTED_DEVSIDE_SYNC,
             "the operation is not supported in the device-side synchronization mode"),
    BF_ERROR(CUDA_ERROR_CONTAINED, "the error has been contained to the process"),
    BF_ERROR(CUDA_ERROR_INVALID_SOURCE, "device kernel image is invalid"),
    BF_ERROR(CUDA_ERROR_FILE_NOT_FOUND, "file not found"),
    BF_ERROR(CUDA_ERROR_SHARED_OBJECT_SYMBOL_NOT_FOUND, "shared object symbol not found"),
    BF_ERROR(CUDA_ERROR_SHARED_OBJECT_INIT_FAILED, "shared object initialization failed"),
    BF_ERROR(CUDA_ERROR_OPERATING_SYSTEM, "OS call failed or operation not supported on this OS"),
    BF_ERROR(CUDA_ERROR_INVALID_HANDLE, "invalid resource handle"),
    BF_ERROR(CUDA_ERROR_ILLEGAL_STATE, "the operation cannot be performed in the present state"),
    BF_ERROR(CUDA_ERROR_LOSSY_QUERY, "attempted introspection would be semantically lossy"),
    BF_ERROR(CUDA_ERROR_NOT_FOUND, "named symbol not found"),
    BF_ERROR(CUDA_ERROR_NOT_READY, "device not ready"),
    BF_ERROR(CUDA_ERROR_ILLEGAL_ADDRESS, "an illegal memory access was encountered"),
    BF_ERROR(CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES, "too many resources requested for launch"),
    BF_ERROR(CUDA_ERROR_LAUNCH_TIMEOUT, "the launch timed out and was terminated"),
    BF_ERROR(CUDA_ERROR_LAUNCH_INCOMPATIBLE_TEXTURING, "launch uses incompatible texturing mode"),
    BF_ERROR(CUDA_ERROR_PEER_ACCESS_ALREADY_ENABLED, "peer access is already enabled"),
    BF_ERROR(CUDA_ERROR_PEER_ACCESS_NOT_ENABLED, "peer access has not been enabled"),
    BF_ERROR(CUDA_ERROR_PRIMARY_CONTEXT_ACTIVE, "cannot set while device is active in this process"),
    BF_ERROR(CUDA_ERROR_CONTEXT_IS_DESTROYED, "context is destroyed"),
    BF_ERROR(CUDA_ERROR_ASSERT, "device-side assert triggered"),
    BF_ERROR(CUDA_ERROR_TOO_MANY_PEERS, "peer mapping resources exhausted"),
    BF_ERROR(CUDA_ERROR_HOST_MEMORY_ALREADY_REGISTERED,
             "part or all of the requested memory range is already mapped"),
    BF_ERROR(CUDA_ERROR_HOST_MEMORY_NOT_REGISTERED,
             "pointer does not correspond to a registered memory region"),
    BF_ERROR(CUDA_ERROR_HARDWARE_STACK_ERROR, "hardware stack error"),
    BF_ERROR(CUDA_ERROR_ILLEGAL_INSTRUCTION, "an illegal instruction was encountered"),
    BF_ERROR(CUDA_ERROR_MISALIGNED_ADDRESS, "misaligned address"),
    BF_ERROR(CUDA_ERROR_INVALID_ADDRESS_SPACE, "operation not supported on global/shared address space"),
    BF_ERROR(CUDA_ERROR_INVALID_PC, "invalid program counter"),
    BF_ERROR(CUDA_ERROR_LAUNCH_FAILED, "unspecified launch failure"),
    BF_ERROR(CUDA_ERROR_COOPERATIVE_LAUNCH_TOO_LARGE, "too many blocks in cooperative launch"),
    BF_ERROR(CUDA_ERROR_TENSOR_MEMORY_LEAK, "tensor memory not completely freed"),
    BF_ERROR(CUDA_ERROR_NOT_PERMITTED, "operation not permitted"),
    BF_ERROR(CUDA_ERROR_NOT_SUPPORTED, "operation not supported"),
    BF_ERROR(CUDA_ERROR_SYSTEM_NOT_READY, "system not yet initialized"),
    BF_ERROR(CUDA_ERROR_SYSTEM_DRIVER_MISMATCH,
             "system has unsupported display driver / cuda driver combination"),
    BF_ERROR(CUDA_ERROR_COMPAT_NOT_SUPPORTED_ON_DEVICE,
             "forward compatibility was attempted on non supported HW"),
    BF_ERROR(CUDA_ERROR_MPS_CONNECTION_FAILED,
             "MPS client failed to connect to the MPS control daemon or the MPS server"),
    BF_ERROR(CUDA_ERROR_MPS_RPC_FAILURE,
             "the remote procedural call between the MPS server and the MPS client failed"),
    BF_ERROR(CUDA_ERROR_MPS_SERVER_NOT_READY, "MPS server is not ready to accept new MPS client requests"),
    BF_ERROR(CUDA_ERROR_MPS_MAX_CLIENTS_REACHED,
             "the hardware resources required to create MPS client have been exhausted"),
    BF_ERROR(CUDA_ERROR_MPS_MAX_CONNECTIONS_REACHED,
             "the hardware resources required to support device connections have been exhausted"),
    BF_ERROR(CUDA_ERROR_MPS_CLIENT_TERMINATED, "the MPS client has been terminated by the server"),
    BF_ERROR(CUDA_ERROR_CDP_NOT_SUPPORTED, "CUDA dynamic parallelism is not supported by this device"),
    BF_ERROR(CUDA_ERROR_CDP_VERSION_MISMATCH,
             "unsupported interaction between different versions of CUDA dynamic parallelism"),
    BF_ERROR(CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED, "operation not permitted when stream is capturing"),
    BF_ERROR(CUDA_ERROR_STREAM_CAPTURE_INVALIDATED,
             "operation failed due to a previous error during capture"),
    BF_ERROR(CUDA_ERROR_STREAM_CAPTURE_MERGE,
             "operation would result in a merge of separate capture sequences"),
    BF_ERROR(CUDA_ERROR_STREAM_CAPTURE_UNMATCHED, "capture was not ended in the same stream as it began"),
    BF_ERROR(CUDA_ERROR_STREAM_CAPTURE_UNJOINED, "capturing stream has unjoined work"),
    BF_ERROR(CUDA_ERROR_STREAM_CAPTURE_ISOLATION, "dependency created on uncaptured work in another stream"),
    BF_ERROR(CUDA_ERROR_STREAM_CAPTURE_IMPLICIT,
             "operation would make the legacy stream depend on a capturing blocking stream"),
    BF_ERROR(CUDA_ERROR_CAPTURED_EVENT,
             "operation not permitted on an event last recorded in a capturing stream"),
    BF_ERROR(CUDA_ERROR_STREAM_CAPTURE_WRONG_THREAD,
             "attempt to terminate a thread-local capture sequence from another thread"),
    BF_ERROR(CUDA_ERROR_TIMEOUT, "wait operation timed out"),
    BF_ERROR(CUDA_ERROR_GRAPH_EXEC_UPDATE_FAILURE,
             "the graph update was not performed because it included changes which violated constraints "
             "specific to instantiated graph update"),
    BF_ERROR(CUDA_ERROR_EXTERNAL_DEVICE, "an async error has occured in external entity outside of CUDA"),
    BF_ERROR(CUDA_ERROR_INVALID_CLUSTER_SIZE, "invalid cluster size"),
    BF_ERROR(CUDA_ERROR_FUNCTION_NOT_LOADED, "function not loaded"),
    BF_ERROR(CUDA_ERROR_INVALID_RESOURCE_TYPE, "invalid resource type"),
    BF_ERROR(CUDA_ERROR_INVALID_RESOURCE_CONFIGURATION, "invalid resource configuration"),
    BF_ERROR(CUDA_ERROR_KEY_ROTATION, "key rotation event"),
    BF_ERROR(CUDA_ERROR_UNKNOWN, "unknown error"),
};

const Text* find_text(CUresult code) {
    const auto* at = std::find_if(std::begin(kTexts), std::end(kTexts),
                                  [&](const Text& text) { return text.code == code; });
    return at == std::end(kTexts) ? nullptr : at;
}

CUresult cuGetErrorName(CUresult error, const char** out) {
    if (out == nullptr) return CUDA_ERROR_INVALID_VALUE;
    const Text* found = find_text(error);
    *out = found == nullptr ? nullptr : found->name;
    return found == nullptr ? CUDA_ERROR_INVALID_VALUE : CUDA_SUCCESS;
}

CUresult cuGetErrorString(CUresult error, const char** out) {
    if (out == nullptr) return CUDA_ERROR_INVALID_VALUE;
    const Text* found = find_text(error);
    *out = found == nullptr ? nullptr : found->text;
    return found == nullptr ? CUDA_ERROR_INVALID_VALUE : CUDA_SUCCESS;
}

}  // namespace

void serve_errors(DriverTable* table) {
    BF_SERVE(cuGetErrorName);
    BF_SERVE(cuGetErrorString);
}

}  // namespace bitfusion::soft
