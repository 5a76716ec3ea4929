// Sixteen host threads, each with a stream and its own memory, all at once.
#include <thread>
#include <vector>

#include "check.h"

__global__ void add(unsigned* data, int n, unsigned value) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) data[i] += value;
}

int main() {
    std::vector<std::thread> threads;
    for (unsigned t = 0; t < 16; ++t) {
        threads.emplace_back([t] {
            const int n = 4096;
            cudaStream_t stream;
            CUDA(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
            unsigned *device, *pinned;
            CUDA(cudaMalloc(&device, n * sizeof(unsigned)));
            CUDA(cudaMallocHost(&pinned, n * sizeof(unsigned)));
            CUDA(cudaMemsetAsync(device, 0, n * sizeof(unsigned), stream));
            for (unsigned round = 1; round <= 20; ++round) {
                for (unsigned k = 0; k < 5; ++k) add<<<n / 256, 256, 0, stream>>>(device, n, t + k);
                CUDA(cudaMemcpyAsync(pinned, device, n * sizeof(unsigned), cudaMemcpyDeviceToHost, stream));
                CUDA(cudaStreamSynchronize(stream));
                for (int i = 0; i < n; ++i) EXPECT(pinned[i] == round * (5 * t + 10));
            }
            CUDA(cudaStreamDestroy(stream));
            CUDA(cudaFree(device));
            CUDA(cudaFreeHost(pinned));
        });
    }
    for (std::thread& thread : threads) thread.join();
    return ok("many_threads");
}
