// CUB's device-wide radix sort, keys alone and with values, against std::stable_sort.
#include <cub/device/device_radix_sort.cuh>

#include <algorithm>
#include <numeric>
#include <vector>

#include "check.h"

template <class T>
T* upload(const std::vector<T>& from) {
    T* to = nullptr;
    CUDA(cudaMalloc(&to, from.size() * sizeof(T)));
    CUDA(cudaMemcpy(to, from.data(), from.size() * sizeof(T), cudaMemcpyHostToDevice));
    return to;
}

template <class T>
std::vector<T> download(const T* from, size_t count) {
    std::vector<T> to(count);
    CUDA(cudaMemcpy(to.data(), from, count * sizeof(T), cudaMemcpyDeviceToHost));
    return to;
}

int main() {
    const int n = 30000;
    std::vector<unsigned> keys(n);
    std::vector<int> values(n);
    unsigned state = 12345;
    for (unsigned& key : keys) key = (state = state * 1664525u + 1013904223u) >> 7;
    std::iota(values.begin(), values.end(), 0);
    unsigned* keys_in = upload(keys);
    unsigned* keys_out = upload(keys);
    int* values_in = upload(values);
    int* values_out = upload(values);
    size_t bytes = 0;
    CUDA(cub::DeviceRadixSort::SortPairs(nullptr, bytes, keys_in, keys_out, values_in, values_out, n));
    void* temporary = nullptr;
    CUDA(cudaMalloc(&temporary, bytes));
    CUDA(cub::DeviceRadixSort::SortPairs(temporary, bytes, keys_in, keys_out, values_in, values_out, n));
    CUDA(cudaDeviceSynchronize());
    std::stable_sort(values.begin(), values.end(), [&](int a, int b) { return keys[a] < keys[b]; });
    EXPECT(download(values_out, n) == values);
    std::vector<unsigned> sorted = keys;
    std::sort(sorted.begin(), sorted.end());
    EXPECT(download(keys_out, n) == sorted);
    CUDA(cudaFree(temporary));
    return ok("cub_sort");
}
