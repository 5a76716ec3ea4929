// Matrix product with tiles in shared memory; sizes that are no multiple of the tile.
#include <vector>

#include "check.h"

constexpr int kTile = 16;

__global__ void matmul(const float* a, const float* b, float* c, int m, int k, int n) {
    __shared__ float at[kTile][kTile];
    __shared__ float bt[kTile][kTile];
    const int row = blockIdx.y * kTile + threadIdx.y;
    const int col = blockIdx.x * kTile + threadIdx.x;
    float sum = 0;
    for (int k0 = 0; k0 < k; k0 += kTile) {
        at[threadIdx.y][threadIdx.x] = row < m && k0 + threadIdx.x < k ? a[row * k + k0 + threadIdx.x] : 0.0f;
        bt[threadIdx.y][threadIdx.x] =
            col < n && k0 + threadIdx.y < k ? b[(k0 + threadIdx.y) * n + col] : 0.0f;
        __syncthreads();
        for (int i = 0; i < kTile; ++i) sum += at[threadIdx.y][i] * bt[i][threadIdx.x];
        __syncthreads();
    }
    if (row < m && col < n) c[row * n + col] = sum;
}

int main() {
    const int m = 75, k = 50, n = 93;
    std::vector<float> a(m * k), b(k * n), c(m * n);
    for (int i = 0; i < m * k; ++i) a[i] = static_cast<float>(i % 13 - 6);
    for (int i = 0; i < k * n; ++i) b[i] = static_cast<float>(i % 7 - 3);
    float *da, *db, *dc;
    CUDA(cudaMalloc(&da, a.size() * sizeof(float)));
    CUDA(cudaMalloc(&db, b.size() * sizeof(float)));
    CUDA(cudaMalloc(&dc, c.size() * sizeof(float)));
    CUDA(cudaMemcpy(da, a.data(), a.size() * sizeof(float), cudaMemcpyHostToDevice));
    CUDA(cudaMemcpy(db, b.data(), b.size() * sizeof(float), cudaMemcpyHostToDevice));
    matmul<<<dim3((n + kTile - 1) / kTile, (m + kTile - 1) / kTile), dim3(kTile, kTile)>>>(da, db, dc, m, k,
                                                                                           n);
    CUDA(cudaGetLastError());
    CUDA(cudaMemcpy(c.data(), dc, c.size() * sizeof(float), cudaMemcpyDeviceToHost));
    for (int i = 0; i < m; ++i) {
        for (int j = 0; j < n; ++j) {
            float sum = 0;  // small integers: exact in any order
            for (int l = 0; l < k; ++l) sum += a[i * k + l] * b[l * n + j];
            EXPECT(c[i * n + j] == sum);
        }
    }
    CUDA(cudaFree(da));
    CUDA(cudaFree(db));
    CUDA(cudaFree(dc));
    return ok("matmul_shared");
}
