// Four streams that each copy in, compute and copy out, joined by events; event times.
#include <vector>

#include "check.h"

__global__ void scale(float* data, int n, float factor) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) data[i] *= factor;
}

int main() {
    const int kStreams = 4, n = 1 << 16;
    float *host, *device;
    CUDA(cudaMallocHost(&host, kStreams * n * sizeof(float)));
    CUDA(cudaMalloc(&device, kStreams * n * sizeof(float)));
    for (int i = 0; i < kStreams * n; ++i) host[i] = static_cast<float>(i % 1000);
    cudaStream_t streams[kStreams];
    cudaEvent_t done[kStreams], start, stop;
    CUDA(cudaEventCreate(&start));
    CUDA(cudaEventCreate(&stop));
    for (int s = 0; s < kStreams; ++s) {
        CUDA(cudaStreamCreateWithFlags(&streams[s], cudaStreamNonBlocking));
        CUDA(cudaEventCreateWithFlags(&done[s], cudaEventDisableTiming));
    }
    CUDA(cudaEventRecord(start, streams[0]));
    for (int s = 0; s < kStreams; ++s) {
        float* d = device + s * n;
        float* h = host + s * n;
        CUDA(cudaMemcpyAsync(d, h, n * sizeof(float), cudaMemcpyHostToDevice, streams[s]));
        scale<<<n / 256, 256, 0, streams[s]>>>(d, n, static_cast<float>(s + 2));
        CUDA(cudaMemcpyAsync(h, d, n * sizeof(float), cudaMemcpyDeviceToHost, streams[s]));
        CUDA(cudaEventRecord(done[s], streams[s]));
    }
    for (int s = 1; s < kStreams; ++s) CUDA(cudaStreamWaitEvent(streams[0], done[s], 0));
    CUDA(cudaEventRecord(stop, streams[0]));
    CUDA(cudaEventSynchronize(stop));
    float milliseconds = -1;
    CUDA(cudaEventElapsedTime(&milliseconds, start, stop));
    EXPECT(milliseconds >= 0);
    for (int s = 0; s < kStreams; ++s) {
        CUDA(cudaEventQuery(done[s]));
        for (int i = 0; i < n; ++i)
            EXPECT(host[s * n + i] == static_cast<float>((s * n + i) % 1000 * (s + 2)));
        CUDA(cudaStreamDestroy(streams[s]));
        CUDA(cudaEventDestroy(done[s]));
    }
    CUDA(cudaEventDestroy(start));
    CUDA(cudaEventDestroy(stop));
    CUDA(cudaFreeHost(host));
    CUDA(cudaFree(device));
    return ok("streams_events");
}
