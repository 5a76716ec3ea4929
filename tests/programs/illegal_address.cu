// A kernel that writes where it must not: the error is named and sticks to the process.
#include "check.h"

__global__ void crash(int* where) { *where = 1; }

int main() {
    int* good;
    CUDA(cudaMalloc(&good, sizeof(int)));
    crash<<<1, 1>>>(reinterpret_cast<int*>(64));
    CUDA(cudaGetLastError());
    EXPECT(cudaDeviceSynchronize() == cudaErrorIllegalAddress);
    EXPECT(cudaGetLastError() == cudaErrorIllegalAddress);
    int value = 0;
    EXPECT(cudaMemcpy(&value, good, sizeof value, cudaMemcpyDeviceToHost) == cudaErrorIllegalAddress);
    int* more = nullptr;
    EXPECT(cudaMalloc(&more, 16) == cudaErrorIllegalAddress);
    return ok("illegal_address");
}
