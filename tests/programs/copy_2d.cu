// Pitched memory: two-dimensional copies in and out, three-dimensional ones between.
#include <vector>

#include "check.h"

__global__ void transpose(const int* from, size_t from_pitch, int* to, size_t to_pitch, int rows,
                          int columns) {
    const int x = blockIdx.x * blockDim.x + threadIdx.x;
    const int y = blockIdx.y * blockDim.y + threadIdx.y;
    if (x >= columns || y >= rows) return;
    const int* line = reinterpret_cast<const int*>(reinterpret_cast<const char*>(from) + y * from_pitch);
    reinterpret_cast<int*>(reinterpret_cast<char*>(to) + x * to_pitch)[y] = line[x];
}

int main() {
    const int rows = 37, columns = 101;
    std::vector<int> in(rows * columns), out(rows * columns);
    for (int i = 0; i < rows * columns; ++i) in[i] = i * 3;
    int *a, *b;
    size_t a_pitch, b_pitch;
    CUDA(cudaMallocPitch(&a, &a_pitch, columns * sizeof(int), rows));
    CUDA(cudaMallocPitch(&b, &b_pitch, rows * sizeof(int), columns));
    CUDA(cudaMemcpy2D(a, a_pitch, in.data(), columns * sizeof(int), columns * sizeof(int), rows,
                      cudaMemcpyHostToDevice));
    transpose<<<dim3(7, 3), dim3(16, 16)>>>(a, a_pitch, b, b_pitch, rows, columns);
    CUDA(cudaGetLastError());
    CUDA(cudaMemcpy2D(out.data(), rows * sizeof(int), b, b_pitch, rows * sizeof(int), columns,
                      cudaMemcpyDeviceToHost));
    for (int y = 0; y < rows; ++y) {
        for (int x = 0; x < columns; ++x) EXPECT(out[x * rows + y] == in[y * columns + x]);
    }

    cudaPitchedPtr volume;
    const cudaExtent extent = make_cudaExtent(20 * sizeof(int), 6, 4);
    CUDA(cudaMalloc3D(&volume, extent));
    CUDA(cudaMemset3D(volume, 0, extent));
    std::vector<int> box(20 * 6 * 4), back(20 * 6 * 4, -1);
    for (size_t i = 0; i < box.size(); ++i) box[i] = static_cast<int>(i * i);
    cudaMemcpy3DParms copy{};
    copy.srcPtr = make_cudaPitchedPtr(box.data(), 20 * sizeof(int), 20 * sizeof(int), 6);
    copy.dstPtr = volume;
    copy.extent = extent;
    copy.kind = cudaMemcpyHostToDevice;
    CUDA(cudaMemcpy3D(&copy));
    copy = {};
    copy.srcPtr = volume;
    copy.dstPtr = make_cudaPitchedPtr(back.data(), 20 * sizeof(int), 20 * sizeof(int), 6);
    copy.extent = extent;
    copy.kind = cudaMemcpyDeviceToHost;
    CUDA(cudaMemcpy3D(&copy));
    EXPECT(back == box);
    CUDA(cudaFree(a));
    CUDA(cudaFree(b));
    CUDA(cudaFree(volume.ptr));
    return ok("copy_2d");
}
