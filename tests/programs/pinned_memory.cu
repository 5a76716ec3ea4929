// Pinned and registered host memory, asynchronous copies through it, what the runtime says of pointers.
#include <sys/mman.h>

#include "check.h"

__global__ void increment(unsigned* data, int n) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) ++data[i];
}

int main() {
    const int n = 300000;
    const size_t bytes = n * sizeof(unsigned);
    unsigned *pinned, *device;
    CUDA(cudaHostAlloc(&pinned, bytes, cudaHostAllocDefault));
    CUDA(cudaMalloc(&device, bytes));
    void* pages = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    EXPECT(pages != MAP_FAILED);
    auto* registered = static_cast<unsigned*>(pages);
    CUDA(cudaHostRegister(registered, bytes, cudaHostRegisterDefault));

    cudaPointerAttributes attributes{};
    CUDA(cudaPointerGetAttributes(&attributes, pinned));
    EXPECT(attributes.type == cudaMemoryTypeHost);
    CUDA(cudaPointerGetAttributes(&attributes, registered));
    EXPECT(attributes.type == cudaMemoryTypeHost);
    CUDA(cudaPointerGetAttributes(&attributes, device));
    EXPECT(attributes.type == cudaMemoryTypeDevice);
    CUDA(cudaPointerGetAttributes(&attributes, &attributes));
    EXPECT(attributes.type == cudaMemoryTypeUnregistered);

    cudaStream_t stream;
    CUDA(cudaStreamCreate(&stream));
    for (int round = 0; round < 5; ++round) {
        for (int i = 0; i < n; ++i) pinned[i] = static_cast<unsigned>(i + round);
        CUDA(cudaMemcpyAsync(device, pinned, bytes, cudaMemcpyHostToDevice, stream));
        increment<<<(n + 255) / 256, 256, 0, stream>>>(device, n);
        CUDA(cudaMemcpyAsync(registered, device, bytes, cudaMemcpyDeviceToHost, stream));
        CUDA(cudaStreamSynchronize(stream));
        for (int i = 0; i < n; ++i) EXPECT(registered[i] == static_cast<unsigned>(i + round + 1));
    }
    CUDA(cudaStreamDestroy(stream));
    CUDA(cudaHostUnregister(registered));
    CUDA(cudaFreeHost(pinned));
    CUDA(cudaFree(device));
    munmap(pages, bytes);
    return ok("pinned_memory");
}
