// Textures and surfaces through the runtime: objects over arrays, pitched memory, layers and volumes;
// filters, address modes, and surfaces that a kernel writes and a texture reads.
#include <cmath>
#include <vector>

#include "check.h"

cudaTextureObject_t make_texture(const cudaResourceDesc& resource, cudaTextureFilterMode filter,
                                 cudaTextureReadMode read, bool normalized,
                                 cudaTextureAddressMode mode = cudaAddressModeClamp) {
    cudaTextureDesc how{};
    how.addressMode[0] = how.addressMode[1] = how.addressMode[2] = mode;
    how.filterMode = filter;
    how.readMode = read;
    how.normalizedCoords = normalized;
    cudaTextureObject_t object = 0;
    CUDA(cudaCreateTextureObject(&object, &resource, &how, nullptr));
    return object;
}

cudaResourceDesc resource_of(cudaArray_t array) {
    cudaResourceDesc resource{};
    resource.resType = cudaResourceTypeArray;
    resource.res.array.array = array;
    return resource;
}

__global__ void rotate(cudaTextureObject_t picture, float* out, int width, int height, float angle) {
    const int x = blockIdx.x * blockDim.x + threadIdx.x;
    const int y = blockIdx.y * blockDim.y + threadIdx.y;
    if (x >= width || y >= height) return;
    const float u = (x + 0.5f) / width - 0.5f;
    const float v = (y + 0.5f) / height - 0.5f;
    out[y * width + x] = tex2D<float>(picture, u * cosf(angle) - v * sinf(angle) + 0.5f,
                                      v * cosf(angle) + u * sinf(angle) + 0.5f);
}

__global__ void fill(cudaSurfaceObject_t surface, int width) {
    const int x = threadIdx.x;
    const int y = blockIdx.x;
    const int layer = blockIdx.y;
    surf2DLayeredwrite(make_uchar4(x, y, layer, x + y + layer), surface, x * sizeof(uchar4), y, layer);
}

__global__ void sum_layers(cudaTextureObject_t layers, int* out, int width, int count) {
    int sum = 0;
    for (int layer = 0; layer < count; ++layer) {
        const uchar4 texel = tex2DLayered<uchar4>(layers, threadIdx.x + 0.5f, blockIdx.x + 0.5f, layer);
        sum += texel.x + 10 * texel.y + 100 * texel.z + 1000 * texel.w;
    }
    out[blockIdx.x * width + threadIdx.x] = sum;
}

__global__ void middle(cudaTextureObject_t volume, float* out) {
    out[threadIdx.x] = tex3D<float>(volume, threadIdx.x + 1.0f, 1.0f, 1.0f);
}

__global__ void fetch(cudaTextureObject_t line, float2* out, int count) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < count) out[i] = tex1Dfetch<float2>(line, i);
}

void check_rotation() {
    const int width = 64, height = 48;
    std::vector<float> in(width * height), out(width * height);
    for (int i = 0; i < width * height; ++i) in[i] = static_cast<float>(i % 101);
    const cudaChannelFormatDesc format = cudaCreateChannelDesc<float>();
    cudaArray_t array;
    CUDA(cudaMallocArray(&array, &format, width, height));
    CUDA(cudaMemcpy2DToArray(array, 0, 0, in.data(), width * 4, width * 4, height, cudaMemcpyHostToDevice));
    const cudaTextureObject_t picture = make_texture(resource_of(array), cudaFilterModeLinear,
                                                     cudaReadModeElementType, true, cudaAddressModeWrap);
    float* result;
    CUDA(cudaMalloc(&result, out.size() * 4));
    rotate<<<dim3(4, 3), dim3(16, 16)>>>(picture, result, width, height, 0.0f);
    CUDA(cudaMemcpy(out.data(), result, out.size() * 4, cudaMemcpyDeviceToHost));
    for (size_t i = 0; i < in.size(); ++i) EXPECT(std::fabs(out[i] - in[i]) < 0.5f);
    rotate<<<dim3(4, 3), dim3(16, 16)>>>(picture, result, width, height, 3.14159265f);
    CUDA(cudaMemcpy(out.data(), result, out.size() * 4, cudaMemcpyDeviceToHost));
    for (size_t i = 0; i < in.size(); ++i) EXPECT(std::fabs(out[i] - in[in.size() - 1 - i]) < 0.5f);
    CUDA(cudaDestroyTextureObject(picture));
    CUDA(cudaFreeArray(array));
    CUDA(cudaFree(result));
}

void check_layers() {
    const int width = 16, height = 8, layers = 3;
    const cudaChannelFormatDesc format = cudaCreateChannelDesc<uchar4>();
    cudaArray_t array;
    CUDA(cudaMalloc3DArray(&array, &format, make_cudaExtent(width, height, layers),
                           cudaArrayLayered | cudaArraySurfaceLoadStore));
    const cudaResourceDesc resource = resource_of(array);
    cudaSurfaceObject_t surface;
    CUDA(cudaCreateSurfaceObject(&surface, &resource));
    fill<<<dim3(height, layers), width>>>(surface, width);
    const cudaTextureObject_t texture =
        make_texture(resource, cudaFilterModePoint, cudaReadModeElementType, false);
    int* sums;
    CUDA(cudaMalloc(&sums, width * height * 4));
    sum_layers<<<height, width>>>(texture, sums, width, layers);
    std::vector<int> out(width * height);
    CUDA(cudaMemcpy(out.data(), sums, out.size() * 4, cudaMemcpyDeviceToHost));
    for (int y = 0; y < height; ++y) {
        for (int x = 0; x < width; ++x) {
            int expected = 0;
            for (int l = 0; l < layers; ++l) expected += x + 10 * y + 100 * l + 1000 * (x + y + l);
            EXPECT(out[y * width + x] == expected);
        }
    }
    CUDA(cudaDestroyTextureObject(texture));
    CUDA(cudaDestroySurfaceObject(surface));
    CUDA(cudaFreeArray(array));
    CUDA(cudaFree(sums));
}

void check_volume() {
    const int n = 4;
    std::vector<float> in(n * n * n);
    for (size_t i = 0; i < in.size(); ++i) in[i] = static_cast<float>(i);
    const cudaChannelFormatDesc format = cudaCreateChannelDesc<float>();
    cudaArray_t array;
    CUDA(cudaMalloc3DArray(&array, &format, make_cudaExtent(n, n, n)));
    cudaMemcpy3DParms copy{};
    copy.srcPtr = make_cudaPitchedPtr(in.data(), n * 4, n, n);
    copy.dstArray = array;
    copy.extent = make_cudaExtent(n, n, n);
    copy.kind = cudaMemcpyHostToDevice;
    CUDA(cudaMemcpy3D(&copy));
    const cudaTextureObject_t volume =
        make_texture(resource_of(array), cudaFilterModeLinear, cudaReadModeElementType, false);
    float* result;
    CUDA(cudaMalloc(&result, 3 * 4));
    middle<<<1, 3>>>(volume, result);
    float out[3];
    CUDA(cudaMemcpy(out, result, sizeof out, cudaMemcpyDeviceToHost));
    // between texels 0 and 1 on each axis: the mean of eight, which is linear in all of them
    for (int i = 0; i < 3; ++i) EXPECT(out[i] == i + 0.5f + 0.5f * n + 0.5f * n * n);
    CUDA(cudaDestroyTextureObject(volume));
    CUDA(cudaFreeArray(array));
    CUDA(cudaFree(result));
}

void check_linear_memory() {
    const int count = 1000;
    std::vector<float2> in(count), out(count);
    for (int i = 0; i < count; ++i) in[i] = make_float2(static_cast<float>(i), static_cast<float>(-i));
    float2 *line, *result;
    CUDA(cudaMalloc(&line, count * sizeof(float2)));
    CUDA(cudaMalloc(&result, count * sizeof(float2)));
    CUDA(cudaMemcpy(line, in.data(), count * sizeof(float2), cudaMemcpyHostToDevice));
    cudaResourceDesc resource{};
    resource.resType = cudaResourceTypeLinear;
    resource.res.linear.devPtr = line;
    resource.res.linear.desc = cudaCreateChannelDesc<float2>();
    resource.res.linear.sizeInBytes = count * sizeof(float2);
    const cudaTextureObject_t texture =
        make_texture(resource, cudaFilterModePoint, cudaReadModeElementType, false);
    fetch<<<8, 128>>>(texture, result, count);
    CUDA(cudaMemcpy(out.data(), result, count * sizeof(float2), cudaMemcpyDeviceToHost));
    for (int i = 0; i < count; ++i) EXPECT(out[i].x == in[i].x && out[i].y == in[i].y);
    CUDA(cudaDestroyTextureObject(texture));
    CUDA(cudaFree(line));
    CUDA(cudaFree(result));
}

int main() {
    check_rotation();
    check_layers();
    check_volume();
    check_linear_memory();
    return ok("texture");
}
