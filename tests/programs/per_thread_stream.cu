// Built with --default-stream per-thread: every thread has its own default stream.
#include <thread>
#include <vector>

#include "check.h"

__global__ void fill(int* data, int n, int value) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) data[i] = value + i;
}

int main() {
    std::vector<std::thread> threads;
    for (int t = 0; t < 8; ++t) {
        threads.emplace_back([t] {
            const int n = 10000;
            std::vector<int> host(n);
            int* device;
            CUDA(cudaMalloc(&device, n * sizeof(int)));
            for (int round = 0; round < 10; ++round) {
                fill<<<(n + 255) / 256, 256>>>(device, n, t * 100000 + round);
                CUDA(cudaGetLastError());
                CUDA(cudaMemcpyAsync(host.data(), device, n * sizeof(int), cudaMemcpyDeviceToHost,
                                     cudaStreamPerThread));
                CUDA(cudaStreamSynchronize(cudaStreamPerThread));
                for (int i = 0; i < n; ++i) EXPECT(host[i] == t * 100000 + round + i);
            }
            CUDA(cudaFree(device));
        });
    }
    for (std::thread& thread : threads) thread.join();
    return ok("per_thread_stream");
}
