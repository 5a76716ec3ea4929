// Errors that do no harm: refused calls are named once and the program goes on.
#include "check.h"

__global__ void nothing() {}

int main() {
    int* data = nullptr;
    EXPECT(cudaMalloc(&data, size_t{1} << 50) == cudaErrorMemoryAllocation);
    EXPECT(cudaGetLastError() == cudaErrorMemoryAllocation);
    EXPECT(cudaGetLastError() == cudaSuccess);
    nothing<<<1, 2048>>>();
    // Drivers name this differently; it must be said by the launch, and kept until it is asked for.
    const cudaError_t refused = cudaPeekAtLastError();
    EXPECT(refused == cudaErrorInvalidConfiguration || refused == cudaErrorInvalidValue);
    EXPECT(cudaGetLastError() == refused);
    EXPECT(cudaSetDevice(99) == cudaErrorInvalidDevice);
    cudaGetLastError();
    int value = 0;
    EXPECT(cudaMemcpy(&value, reinterpret_cast<void*>(64), 4, cudaMemcpyDeviceToHost) ==
           cudaErrorInvalidValue);
    cudaGetLastError();
    nothing<<<1, 32>>>();
    CUDA(cudaGetLastError());
    CUDA(cudaDeviceSynchronize());
    int count = 0;
    CUDA(cudaGetDeviceCount(&count));
    EXPECT(count >= 1);
    cudaDeviceProp properties{};
    CUDA(cudaGetDeviceProperties(&properties, 0));
    EXPECT(properties.warpSize == 32);
    EXPECT(properties.totalGlobalMem > 0);
    EXPECT(properties.name[0] != 0);
    CUDA(cudaDeviceReset());
    CUDA(cudaMalloc(&data, 1024));
    CUDA(cudaFree(data));
    return ok("error_handling");
}
