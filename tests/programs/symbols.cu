// Constant memory and device variables by symbol, written and read from the host.
#include <vector>

#include "check.h"

__constant__ float weights[16];
__device__ int counter = 7;
__device__ double table[8];
__device__ const char text[] = "device text";

__global__ void use(float* out, int* length) {
    const int i = threadIdx.x;
    out[i] = weights[i % 16] * 2;
    atomicAdd(&counter, 1);
    if (i < 8) table[i] = i * 0.125;
    if (i == 0) {
        int n = 0;
        while (text[n] != 0) ++n;
        *length = n;
    }
}

int main() {
    float values[16];
    for (int i = 0; i < 16; ++i) values[i] = static_cast<float>(i + 1);
    CUDA(cudaMemcpyToSymbol(weights, values, sizeof values));
    int count = 0;
    CUDA(cudaMemcpyFromSymbol(&count, counter, sizeof count));
    EXPECT(count == 7);
    size_t bytes = 0;
    CUDA(cudaGetSymbolSize(&bytes, table));
    EXPECT(bytes == sizeof(double) * 8);
    void* address = nullptr;
    CUDA(cudaGetSymbolAddress(&address, table));
    EXPECT(address != nullptr);
    float* out;
    int* length;
    CUDA(cudaMalloc(&out, 64 * sizeof(float)));
    CUDA(cudaMalloc(&length, sizeof(int)));
    use<<<1, 64>>>(out, length);
    CUDA(cudaGetLastError());
    float result[64];
    int found = 0;
    double found_table[8];
    CUDA(cudaMemcpy(result, out, sizeof result, cudaMemcpyDeviceToHost));
    CUDA(cudaMemcpy(&found, length, sizeof found, cudaMemcpyDeviceToHost));
    CUDA(cudaMemcpyFromSymbol(&count, counter, sizeof count));
    CUDA(cudaMemcpyFromSymbol(found_table, table, sizeof found_table));
    for (int i = 0; i < 64; ++i) EXPECT(result[i] == values[i % 16] * 2);
    EXPECT(count == 71);
    EXPECT(found == 11);
    for (int i = 0; i < 8; ++i) EXPECT(found_table[i] == i * 0.125);
    CUDA(cudaMemcpyToSymbol(weights, values, 4, 8));  // one float at an offset
    use<<<1, 64>>>(out, length);
    CUDA(cudaMemcpy(result, out, sizeof result, cudaMemcpyDeviceToHost));
    EXPECT(result[2] == values[0] * 2);
    CUDA(cudaFree(out));
    CUDA(cudaFree(length));
    return ok("symbols");
}
