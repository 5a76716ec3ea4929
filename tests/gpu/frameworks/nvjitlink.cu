// nvJitLink: two parts compiled by NVRTC, linked at run time as PTX and as LTO code, and launched.
// libraries: nvrtc nvJitLink cuda
#include <cuda.h>
#include <nvJitLink.h>
#include <nvrtc.h>

#include "result.h"

namespace {

constexpr const char* PART = "__device__ int twice(int x) { return 2 * x; }";
constexpr const char* MAIN = R"(
extern __device__ int twice(int x);
extern "C" __global__ void apply(int* values, int count) {
    const int at = blockIdx.x * blockDim.x + threadIdx.x;
    if (at < count) values[at] = twice(values[at]) + 1;
}
)";

std::vector<char> compiled(const char* source, bool lto) {
    nvrtcProgram program = nullptr;
    SUCCEEDS(nvrtcCreateProgram(&program, source, "part.cu", 0, nullptr, nullptr));
    const char* options[] = {"-arch=compute_75", "-rdc=true", "-dlto"};
    SUCCEEDS(nvrtcCompileProgram(program, lto ? 3 : 2, options));
    std::size_t size = 0;
    SUCCEEDS(lto ? nvrtcGetLTOIRSize(program, &size) : nvrtcGetPTXSize(program, &size));
    std::vector<char> image(size);
    SUCCEEDS(lto ? nvrtcGetLTOIR(program, image.data()) : nvrtcGetPTX(program, image.data()));
    SUCCEEDS(nvrtcDestroyProgram(&program));
    return image;
}

std::vector<int> linked(const std::string& architecture, bool lto) {
    nvJitLinkHandle linker = nullptr;
    const char* options[] = {architecture.c_str(), "-lto"};
    SUCCEEDS(nvJitLinkCreate(&linker, lto ? 2 : 1, options));
    for (const char* source : {PART, MAIN}) {
        const auto image = compiled(source, lto);
        SUCCEEDS(nvJitLinkAddData(linker, lto ? NVJITLINK_INPUT_LTOIR : NVJITLINK_INPUT_PTX, image.data(),
                                  image.size(), "part"));
    }
    SUCCEEDS(nvJitLinkComplete(linker));
    std::size_t size = 0;
    SUCCEEDS(nvJitLinkGetLinkedCubinSize(linker, &size));
    std::vector<char> image(size);
    SUCCEEDS(nvJitLinkGetLinkedCubin(linker, image.data()));
    SUCCEEDS(nvJitLinkDestroy(&linker));

    std::vector<int> numbers(1000);
    for (int at = 0; at < 1000; ++at) numbers[at] = at;
    const OnDevice<int> values(numbers);
    CUmodule module = nullptr;
    CUfunction function = nullptr;
    SUCCEEDS(cuModuleLoadData(&module, image.data()));
    SUCCEEDS(cuModuleGetFunction(&function, module, "apply"));
    int* pointer = values.get();
    int count = 1000;
    void* arguments[] = {&pointer, &count};
    SUCCEEDS(cuLaunchKernel(function, 4, 1, 1, 256, 1, 1, 0, nullptr, arguments, nullptr));
    const auto result = values.read();
    SUCCEEDS(cuModuleUnload(module));
    return result;
}

}  // namespace

int main() {
    cudaDeviceProp facts{};
    SUCCEEDS(cudaGetDeviceProperties(&facts, 0));
    const std::string architecture = "-arch=sm_" + std::to_string(facts.major) + std::to_string(facts.minor);
    for (const bool lto : {false, true}) {
        const auto values = linked(architecture, lto);
        bool right = true;
        for (int at = 0; at < 1000; ++at) right = right && values[at] == 2 * at + 1;
        holds(lto ? "lto is right" : "ptx is right", right);
    }
    return 0;
}
