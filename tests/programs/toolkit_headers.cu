// The toolkit's device headers: cuda::std, cuda::atomic, cuda::barrier, cuda::pipeline with memcpy_async,
// cooperative groups with tiles, reductions and scans.
#include <cooperative_groups.h>
#include <cooperative_groups/reduce.h>
#include <cooperative_groups/scan.h>

#include <cuda/atomic>
#include <cuda/barrier>
#include <cuda/pipeline>
#include <cuda/std/array>
#include <cuda/std/complex>
#include <cuda/std/tuple>
#include <vector>

#include "check.h"

// The barriers and the pipeline are set up by hand, as their documentation has it.
#pragma nv_diag_suppress 20054

namespace cg = cooperative_groups;

__device__ cuda::atomic<int, cuda::thread_scope_device> arrivals{0};

__global__ void standard(int* out) {
    cuda::std::array<int, 4> values{1, 2, 3, 4};
    const auto [a, b] = cuda::std::make_tuple(values[threadIdx.x % 4], 10);
    const cuda::std::complex<float> z = cuda::std::complex<float>(1.0f, 2.0f) * cuda::std::complex<float>(3.0f, -1.0f);
    out[threadIdx.x] = a * b + static_cast<int>(z.real()) + static_cast<int>(z.imag());
    arrivals.fetch_add(1, cuda::std::memory_order_relaxed);
}

// Each block reverses its part in shared memory; the copies are asynchronous, in two stages.
__global__ void reversed(const int* in, int* out) {
    constexpr int kStage = 128;
    __shared__ int stage[2][kStage];
    __shared__ cuda::pipeline_shared_state<cuda::thread_scope_block, 2> state;
    const cg::thread_block block = cg::this_thread_block();
    auto pipeline = cuda::make_pipeline(block, &state);
    const int* from = in + blockIdx.x * 2 * kStage;
    for (int i = 0; i < 2; ++i) {
        pipeline.producer_acquire();
        cuda::memcpy_async(block, stage[i], from + i * kStage, sizeof(int) * kStage, pipeline);
        pipeline.producer_commit();
    }
    for (int i = 0; i < 2; ++i) {
        pipeline.consumer_wait();
        block.sync();
        out[blockIdx.x * 2 * kStage + i * kStage + threadIdx.x] = stage[i][kStage - 1 - threadIdx.x];
        pipeline.consumer_release();
    }
}

__global__ void meeting(int* out) {
    __shared__ cuda::barrier<cuda::thread_scope_block> barrier;
    __shared__ int values[128];
    const cg::thread_block block = cg::this_thread_block();
    if (block.thread_rank() == 0) init(&barrier, blockDim.x);
    block.sync();
    values[threadIdx.x] = threadIdx.x * 3;
    barrier.arrive_and_wait();
    int sum = 0;
    for (int turn = 0; turn < 4; ++turn) {
        sum += values[(threadIdx.x + 1) % blockDim.x];
        auto token = barrier.arrive();
        barrier.wait(std::move(token));
        values[threadIdx.x] += 1;
        barrier.arrive_and_wait();
    }
    out[blockIdx.x * blockDim.x + threadIdx.x] = sum;
}

__global__ void groups(int* out) {
    const cg::thread_block block = cg::this_thread_block();
    const auto tile = cg::tiled_partition<16>(block);
    const int sum = cg::reduce(tile, static_cast<int>(threadIdx.x), cg::plus<int>());
    const int before = cg::exclusive_scan(tile, 1, cg::plus<int>());
    const auto odd = cg::binary_partition(tile, (threadIdx.x & 1) != 0);
    out[threadIdx.x] = sum * 10000 + before * 100 + static_cast<int>(odd.size());
}

int main() {
    const int n = 1024;
    std::vector<int> host(n);
    for (int i = 0; i < n; ++i) host[i] = i * i % 997;
    int* in = nullptr;
    int* out = nullptr;
    CUDA(cudaMalloc(&in, n * sizeof(int)));
    CUDA(cudaMalloc(&out, n * sizeof(int)));
    CUDA(cudaMemcpy(in, host.data(), n * sizeof(int), cudaMemcpyHostToDevice));
    std::vector<int> got(n);
    const auto read = [&] { CUDA(cudaMemcpy(got.data(), out, n * sizeof(int), cudaMemcpyDeviceToHost)); };

    standard<<<1, 64>>>(out);
    read();
    for (int i = 0; i < 64; ++i) EXPECT(got[i] == (i % 4 + 1) * 10 + 5 + 5);
    int count = 0;
    CUDA(cudaMemcpyFromSymbol(&count, arrivals, sizeof count));
    EXPECT(count == 64);

    reversed<<<4, 128>>>(in, out);
    read();
    for (int i = 0; i < n; ++i) EXPECT(got[i] == host[i / 128 * 128 + 127 - i % 128]);

    meeting<<<2, 128>>>(out);
    read();
    for (int i = 0; i < 256; ++i) EXPECT(got[i] == 4 * ((i + 1) % 128 * 3) + 0 + 1 + 2 + 3);

    groups<<<1, 64>>>(out);
    read();
    for (int i = 0; i < 64; ++i) {
        const int first = i / 16 * 16;
        EXPECT(got[i] == (16 * first + 120) * 10000 + i % 16 * 100 + 8);
    }
    return ok("toolkit_headers");
}
