#include "conformance/objects.h"

#include "conformance/kernels.h"

namespace bitfusion::conformance {

Memory::Memory(std::size_t bytes) : bytes_(bytes) {
    EXPECT_EQ(CU_CALL(cuMemAlloc_v2, &address_, bytes), CUDA_SUCCESS)
        << "cuMemAlloc of " << bytes << " bytes";
}

Memory::~Memory() {
    if (ok()) CU_CALL(cuMemFree_v2, address_);
}

std::vector<uint8_t> Memory::content() const {
    std::vector<uint8_t> bytes(bytes_);
    const CUresult code = CU_CALL(cuMemcpyDtoH_v2, bytes.data(), address_, bytes_);
    EXPECT_EQ(code, CUDA_SUCCESS) << "cuMemcpyDtoH of " << bytes_ << " bytes";
    return code == CUDA_SUCCESS ? bytes : std::vector<uint8_t>();
}

std::vector<uint32_t> Memory::words() const {
    std::vector<uint32_t> words(bytes_ / sizeof(uint32_t));
    const CUresult code = CU_CALL(cuMemcpyDtoH_v2, words.data(), address_, words.size() * sizeof(uint32_t));
    EXPECT_EQ(code, CUDA_SUCCESS) << "cuMemcpyDtoH of " << bytes_ << " bytes";
    return code == CUDA_SUCCESS ? words : std::vector<uint32_t>();
}

void Memory::write(const void* from, std::size_t bytes) const {
    EXPECT_EQ(CU_CALL(cuMemcpyHtoD_v2, address_, from, bytes), CUDA_SUCCESS)
        << "cuMemcpyHtoD of " << bytes << " bytes";
}

void Memory::fill(uint8_t value) const {
    EXPECT_EQ(CU_CALL(cuMemsetD8_v2, address_, value, bytes_), CUDA_SUCCESS);
    EXPECT_EQ(CU_CALL(cuCtxSynchronize), CUDA_SUCCESS);
}

Pinned::Pinned(std::size_t bytes, unsigned flags) {
    EXPECT_EQ(CU_CALL(cuMemHostAlloc, &data_, bytes, flags), CUDA_SUCCESS)
        << "cuMemHostAlloc of " << bytes << " bytes";
}

Pinned::~Pinned() {
    if (ok()) CU_CALL(cuMemFreeHost, data_);
}

Stream::Stream(unsigned flags) { EXPECT_EQ(CU_CALL(cuStreamCreate, &handle_, flags), CUDA_SUCCESS); }

Stream::~Stream() {
    if (!ok()) return;
    CUstreamCaptureStatus status = CU_STREAM_CAPTURE_STATUS_NONE;
    if (CU_CALL(cuStreamIsCapturing, handle_, &status) == CUDA_SUCCESS &&
        status != CU_STREAM_CAPTURE_STATUS_NONE) {
        CUgraph graph = nullptr;  // a test that ended early left its capture behind
        if (CU_CALL(cuStreamEndCapture, handle_, &graph) == CUDA_SUCCESS) CU_CALL(cuGraphDestroy, graph);
    }
    CU_CALL(cuStreamDestroy_v2, handle_);
}

Event::Event(unsigned flags) { EXPECT_EQ(CU_CALL(cuEventCreate, &handle_, flags), CUDA_SUCCESS); }

Event::~Event() {
    if (ok()) CU_CALL(cuEventDestroy_v2, handle_);
}

Module::Module(const char* ptx) { EXPECT_EQ(CU_CALL(cuModuleLoadData, &handle_, ptx), CUDA_SUCCESS); }

Module::~Module() {
    if (ok()) CU_CALL(cuModuleUnload, handle_);
}

CUfunction Module::function(const char* name) const {
    CUfunction function = nullptr;
    EXPECT_EQ(CU_CALL(cuModuleGetFunction, &function, handle_, name), CUDA_SUCCESS) << name;
    return function;
}

void WithKernels::SetUp() {
    OnDevice::SetUp();
    if (HasFatalFailure() || IsSkipped()) return;
    ASSERT_EQ(CU_CALL(cuModuleLoadData, &module_, kKernels), CUDA_SUCCESS);
}

void WithKernels::TearDown() {
    OnDevice::TearDown();
    if (module_ != nullptr) {
        EXPECT_EQ(CU_CALL(cuModuleUnload, module_), CUDA_SUCCESS);
    }
}

CUfunction WithKernels::kernel(const char* name) const {
    CUfunction function = nullptr;
    EXPECT_EQ(CU_CALL(cuModuleGetFunction, &function, module_, name), CUDA_SUCCESS) << name;
    // Loading at the first launch may wait for the device, which a test with a gate or a capture cannot
    // afford.
    const CUresult loaded = CU_CALL(cuFuncLoad, function);
    EXPECT_TRUE(loaded == CUDA_SUCCESS || loaded == CUDA_ERROR_NOT_SUPPORTED) << name;
    return function;
}

}  // namespace bitfusion::conformance
