// Two translation units linked on the device (-rdc=true): functions, variables and constants across them.
#include "check.h"
#include "relocatable_parts.h"

__constant__ int factor = 3;

__global__ void run(int* out) {
    out[threadIdx.x] = combine(threadIdx.x, factor) + shared_table[threadIdx.x % 4];
}

int main() {
    int* out;
    CUDA(cudaMalloc(&out, 32 * sizeof(int)));
    run<<<1, 32>>>(out);
    CUDA(cudaGetLastError());
    int result[32];
    CUDA(cudaMemcpy(result, out, sizeof result, cudaMemcpyDeviceToHost));
    const int table[4] = {10, 20, 30, 40};
    for (int i = 0; i < 32; ++i) EXPECT(result[i] == i * 3 + 100 + table[i % 4]);
    launch_double(out, 32);
    CUDA(cudaMemcpy(result, out, sizeof result, cudaMemcpyDeviceToHost));
    for (int i = 0; i < 32; ++i) EXPECT(result[i] == 2 * (i * 3 + 100 + table[i % 4]));
    CUDA(cudaFree(out));
    return ok("relocatable");
}
