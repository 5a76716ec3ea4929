// Histograms with atomics in shared and in global memory; min, max and compare-and-swap as well.
#include <algorithm>
#include <vector>

#include "check.h"

__global__ void histogram(const unsigned char* data, int n, unsigned* bins) {
    __shared__ unsigned local[256];
    for (int i = threadIdx.x; i < 256; i += blockDim.x) local[i] = 0;
    __syncthreads();
    for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x)
        atomicAdd(&local[data[i]], 1u);
    __syncthreads();
    for (int i = threadIdx.x; i < 256; i += blockDim.x) atomicAdd(&bins[i], local[i]);
}

__global__ void extremes(const unsigned char* data, int n, int* least, int* most, float* sum_by_swap) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    atomicMin(least, data[i] * 3);
    atomicMax(most, data[i] * 3);
    if (i % 64 == 0) {
        auto* word = reinterpret_cast<unsigned*>(sum_by_swap);
        unsigned old = *word;
        for (;;) {
            const unsigned seen = atomicCAS(word, old, __float_as_uint(__uint_as_float(old) + 1.0f));
            if (seen == old) break;
            old = seen;
        }
    }
}

int main() {
    const int n = 64 * 1000;
    std::vector<unsigned char> data(n);
    std::vector<unsigned> expected(256), bins(256);
    for (int i = 0; i < n; ++i) ++expected[data[i] = static_cast<unsigned char>((i * 2654435761u) >> 24)];
    unsigned char* device;
    unsigned* device_bins;
    int* device_extremes;
    float* device_sum;
    CUDA(cudaMalloc(&device, n));
    CUDA(cudaMalloc(&device_bins, 256 * sizeof(unsigned)));
    CUDA(cudaMalloc(&device_extremes, 2 * sizeof(int)));
    CUDA(cudaMalloc(&device_sum, sizeof(float)));
    CUDA(cudaMemcpy(device, data.data(), n, cudaMemcpyHostToDevice));
    CUDA(cudaMemset(device_bins, 0, 256 * sizeof(unsigned)));
    CUDA(cudaMemset(device_sum, 0, sizeof(float)));
    const int start[2] = {1 << 30, -1};
    CUDA(cudaMemcpy(device_extremes, start, sizeof start, cudaMemcpyHostToDevice));
    histogram<<<20, 256>>>(device, n, device_bins);
    extremes<<<(n + 127) / 128, 128>>>(device, n, device_extremes, device_extremes + 1, device_sum);
    CUDA(cudaGetLastError());
    int found[2];
    float sum = 0;
    CUDA(cudaMemcpy(bins.data(), device_bins, 256 * sizeof(unsigned), cudaMemcpyDeviceToHost));
    CUDA(cudaMemcpy(found, device_extremes, sizeof found, cudaMemcpyDeviceToHost));
    CUDA(cudaMemcpy(&sum, device_sum, sizeof sum, cudaMemcpyDeviceToHost));
    EXPECT(bins == expected);
    EXPECT(found[0] == 3 * *std::min_element(data.begin(), data.end()));
    EXPECT(found[1] == 3 * *std::max_element(data.begin(), data.end()));
    EXPECT(sum == 1000.0f);
    CUDA(cudaFree(device));
    CUDA(cudaFree(device_bins));
    CUDA(cudaFree(device_extremes));
    CUDA(cudaFree(device_sum));
    return ok("histogram_atomics");
}
