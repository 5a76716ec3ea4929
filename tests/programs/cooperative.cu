// Cooperative groups: tiles, coalesced groups, and a whole grid that meets at a barrier.
#include <cooperative_groups.h>
#include <cooperative_groups/reduce.h>

#include <vector>

#include "check.h"

namespace cg = cooperative_groups;

// Each round every element becomes the sum of itself and its neighbour: needs the whole grid to be done with
// a round.
__global__ void rounds(int* a, int* b, int n, int count) {
    const cg::grid_group grid = cg::this_grid();
    for (int round = 0; round < count; ++round) {
        for (int i = static_cast<int>(grid.thread_rank()); i < n; i += static_cast<int>(grid.size()))
            b[i] = a[i] + a[(i + 1) % n];
        grid.sync();
        int* other = a;
        a = b;
        b = other;
    }
}

__global__ void tiles(int* out) {
    const cg::thread_block block = cg::this_thread_block();
    const auto tile = cg::tiled_partition<8>(block);
    const int sum = cg::reduce(tile, static_cast<int>(threadIdx.x), cg::plus<int>());
    out[threadIdx.x] = sum;
    if (threadIdx.x % 3 == 0) {
        const cg::coalesced_group active = cg::coalesced_threads();
        if (active.thread_rank() == 0) atomicAdd(&out[block.size()], static_cast<int>(active.size()));
    }
}

int main() {
    const int n = 2000, count = 5;
    std::vector<int> expected(n);
    for (int i = 0; i < n; ++i) expected[i] = i % 17;
    int *a, *b;
    CUDA(cudaMalloc(&a, n * sizeof(int)));
    CUDA(cudaMalloc(&b, n * sizeof(int)));
    CUDA(cudaMemcpy(a, expected.data(), n * sizeof(int), cudaMemcpyHostToDevice));
    int supported = 0;
    CUDA(cudaDeviceGetAttribute(&supported, cudaDevAttrCooperativeLaunch, 0));
    EXPECT(supported == 1);
    int blocks = 0;
    CUDA(cudaOccupancyMaxActiveBlocksPerMultiprocessor(&blocks, rounds, 128, 0));
    EXPECT(blocks >= 1);
    int size = n, times = count;
    void* arguments[] = {&a, &b, &size, &times};
    CUDA(cudaLaunchCooperativeKernel(reinterpret_cast<void*>(rounds), dim3(4), dim3(128), arguments, 0,
                                     nullptr));
    std::vector<int> result(n);
    CUDA(cudaMemcpy(result.data(), count % 2 == 1 ? b : a, n * sizeof(int), cudaMemcpyDeviceToHost));
    for (int round = 0; round < count; ++round) {
        const std::vector<int> before = expected;
        for (int i = 0; i < n; ++i) expected[i] = before[i] + before[(i + 1) % n];
    }
    EXPECT(result == expected);

    int* out;
    CUDA(cudaMalloc(&out, 65 * sizeof(int)));
    CUDA(cudaMemset(out, 0, 65 * sizeof(int)));
    tiles<<<1, 64>>>(out);
    CUDA(cudaGetLastError());
    int sums[65];
    CUDA(cudaMemcpy(sums, out, sizeof sums, cudaMemcpyDeviceToHost));
    for (int i = 0; i < 64; ++i) EXPECT(sums[i] == i / 8 * 64 + 28);
    EXPECT(sums[64] == 22);
    CUDA(cudaFree(a));
    CUDA(cudaFree(b));
    CUDA(cudaFree(out));
    return ok("cooperative");
}
