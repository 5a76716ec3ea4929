// NVRTC: source compiled at run time for this GPU and as PTX, name expressions, compile errors, launched by
// the driver API.
// libraries: nvrtc cuda
#include <cuda.h>
#include <nvrtc.h>

#include "result.h"

namespace {

constexpr const char* SOURCE = R"(
template <typename T>
__global__ void axpy(T a, const T* x, T* y, int count) {
    const int at = blockIdx.x * blockDim.x + threadIdx.x;
    if (at < count) y[at] = a * x[at] + y[at];
}
)";

// The result of one axpy by code that was compiled with the option; ptx says which of the two outputs to
// load.
std::vector<float> axpy(const std::string& option, bool ptx) {
    nvrtcProgram program = nullptr;
    SUCCEEDS(nvrtcCreateProgram(&program, SOURCE, "axpy.cu", 0, nullptr, nullptr));
    SUCCEEDS(nvrtcAddNameExpression(program, "axpy<float>"));
    const char* options[] = {option.c_str(), "-std=c++17"};
    SUCCEEDS(nvrtcCompileProgram(program, 2, options));
    std::size_t size = 0;
    SUCCEEDS(ptx ? nvrtcGetPTXSize(program, &size) : nvrtcGetCUBINSize(program, &size));
    std::vector<char> image(size);
    SUCCEEDS(ptx ? nvrtcGetPTX(program, image.data()) : nvrtcGetCUBIN(program, image.data()));
    const char* lowered = nullptr;
    SUCCEEDS(nvrtcGetLoweredName(program, "axpy<float>", &lowered));

    const OnDevice<float> x(mixed<float>(5000, 51)), y(mixed<float>(5000, 52));
    CUmodule module = nullptr;
    CUfunction function = nullptr;
    SUCCEEDS(cuModuleLoadData(&module, image.data()));
    SUCCEEDS(cuModuleGetFunction(&function, module, lowered));
    float a = 3;
    int count = 5000;
    float* on_x = x.get();
    float* on_y = y.get();
    void* arguments[] = {&a, &on_x, &on_y, &count};
    SUCCEEDS(cuLaunchKernel(function, 20, 1, 1, 256, 1, 1, 0, nullptr, arguments, nullptr));
    const auto result = y.read();
    SUCCEEDS(cuModuleUnload(module));
    SUCCEEDS(nvrtcDestroyProgram(&program));
    return result;
}

void error() {
    nvrtcProgram program = nullptr;
    SUCCEEDS(nvrtcCreateProgram(&program, "__global__ void broken( {}", "broken.cu", 0, nullptr, nullptr));
    holds("an error is told", nvrtcCompileProgram(program, 0, nullptr) == NVRTC_ERROR_COMPILATION);
    std::size_t size = 0;
    SUCCEEDS(nvrtcGetProgramLogSize(program, &size));
    holds("with a log", size > 1);
    SUCCEEDS(nvrtcDestroyProgram(&program));
}

}  // namespace

int main() {
    cudaDeviceProp facts{};
    SUCCEEDS(cudaGetDeviceProperties(&facts, 0));
    const std::string capability = std::to_string(facts.major) + std::to_string(facts.minor);
    auto expected = mixed<float>(5000, 52);
    const auto x = mixed<float>(5000, 51);
    for (std::size_t at = 0; at < expected.size(); ++at) expected[at] = std::fma(3.0f, x[at], expected[at]);
    const auto compiled = axpy("-arch=sm_" + capability, false);
    holds("machine code is right", farthest(compiled, expected) < 1e-6);
    tell("machine code", compiled);
    const auto from_ptx = axpy("-arch=compute_75", true);
    holds("ptx gives the same", farthest(from_ptx, compiled) == 0);
    tell("ptx", from_ptx);
    error();
    return 0;
}
