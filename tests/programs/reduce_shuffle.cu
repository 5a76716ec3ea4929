// A sum over warps with shuffles, over blocks with shared memory and atomics; votes of a warp.
#include <vector>

#include "check.h"

__global__ void sum(const int* data, int n, unsigned long long* total, int* warps_with_odd) {
    __shared__ long long partial[32];
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    const int value = i < n ? data[i] : 0;
    long long mine = value;
    for (int offset = 16; offset > 0; offset /= 2) mine += __shfl_down_sync(0xFFFFFFFF, mine, offset);
    const unsigned odd = __ballot_sync(0xFFFFFFFF, value & 1);
    if (threadIdx.x % 32 == 0) {
        partial[threadIdx.x / 32] = mine;
        if (odd != 0) atomicAdd(warps_with_odd, 1);
    }
    __syncthreads();
    if (threadIdx.x < 32) {
        mine = threadIdx.x < blockDim.x / 32 ? partial[threadIdx.x] : 0;
        for (int mask = 16; mask > 0; mask /= 2) mine += __shfl_xor_sync(0xFFFFFFFF, mine, mask);
        if (threadIdx.x == 0) atomicAdd(total, static_cast<unsigned long long>(mine));
    }
}

int main() {
    const int n = 50000;
    std::vector<int> data(n);
    long long expected = 0;
    for (int i = 0; i < n; ++i) expected += data[i] = (i * 37) % 1001 - 500;
    int expected_odd = 0;
    for (int first = 0; first < n; first += 32) {
        bool odd = false;
        for (int i = first; i < n && i < first + 32; ++i) odd = odd || (data[i] & 1) != 0;
        expected_odd += odd;
    }
    int* device;
    unsigned long long* total;
    int* odd;
    CUDA(cudaMalloc(&device, n * sizeof(int)));
    CUDA(cudaMalloc(&total, sizeof *total));
    CUDA(cudaMalloc(&odd, sizeof *odd));
    CUDA(cudaMemset(total, 0, sizeof *total));
    CUDA(cudaMemset(odd, 0, sizeof *odd));
    CUDA(cudaMemcpy(device, data.data(), n * sizeof(int), cudaMemcpyHostToDevice));
    sum<<<(n + 255) / 256, 256>>>(device, n, total, odd);
    CUDA(cudaGetLastError());
    unsigned long long result = 0;
    int result_odd = 0;
    CUDA(cudaMemcpy(&result, total, sizeof result, cudaMemcpyDeviceToHost));
    CUDA(cudaMemcpy(&result_odd, odd, sizeof result_odd, cudaMemcpyDeviceToHost));
    EXPECT(static_cast<long long>(result) == expected);
    EXPECT(result_odd == expected_odd);
    CUDA(cudaFree(device));
    CUDA(cudaFree(total));
    CUDA(cudaFree(odd));
    return ok("reduce_shuffle");
}
