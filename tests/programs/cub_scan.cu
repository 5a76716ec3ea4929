// CUB's device-wide scan, reduction, selection of unique items and histogram, against the host.
#include <cub/device/device_histogram.cuh>
#include <cub/device/device_reduce.cuh>
#include <cub/device/device_scan.cuh>
#include <cub/device/device_select.cuh>

#include <algorithm>
#include <numeric>
#include <vector>

#include "check.h"

// Runs one of CUB's algorithms twice, as they want it: first for the size of its scratch memory.
template <class Algorithm>
void run(Algorithm algorithm) {
    size_t bytes = 0;
    CUDA(algorithm(nullptr, bytes));
    void* temporary = nullptr;
    CUDA(cudaMalloc(&temporary, bytes));
    CUDA(algorithm(temporary, bytes));
    CUDA(cudaDeviceSynchronize());
    CUDA(cudaFree(temporary));
}

template <class T>
std::vector<T> download(const T* from, size_t count) {
    std::vector<T> to(count);
    CUDA(cudaMemcpy(to.data(), from, count * sizeof(T), cudaMemcpyDeviceToHost));
    return to;
}

int main() {
    const int n = 100000;
    std::vector<int> data(n);
    for (int i = 0; i < n; ++i) data[i] = (i / 3) * 7 % 256;
    int* in = nullptr;
    int* out = nullptr;
    CUDA(cudaMalloc(&in, n * sizeof(int)));
    CUDA(cudaMalloc(&out, n * sizeof(int)));
    CUDA(cudaMemcpy(in, data.data(), n * sizeof(int), cudaMemcpyHostToDevice));

    run([&](void* t, size_t& bytes) { return cub::DeviceScan::InclusiveSum(t, bytes, in, out, n); });
    std::vector<int> sums(n);
    std::partial_sum(data.begin(), data.end(), sums.begin());
    EXPECT(download(out, n) == sums);

    run([&](void* t, size_t& bytes) { return cub::DeviceScan::ExclusiveSum(t, bytes, in, out, n); });
    sums.insert(sums.begin(), 0);
    sums.pop_back();
    EXPECT(download(out, n) == sums);

    run([&](void* t, size_t& bytes) { return cub::DeviceReduce::Sum(t, bytes, in, out, n); });
    EXPECT(download(out, 1)[0] == std::accumulate(data.begin(), data.end(), 0));
    run([&](void* t, size_t& bytes) { return cub::DeviceReduce::Max(t, bytes, in, out, n); });
    EXPECT(download(out, 1)[0] == *std::max_element(data.begin(), data.end()));

    int* count = nullptr;
    CUDA(cudaMalloc(&count, sizeof(int)));
    run([&](void* t, size_t& bytes) { return cub::DeviceSelect::Unique(t, bytes, in, out, count, n); });
    std::vector<int> unique = data;
    unique.erase(std::unique(unique.begin(), unique.end()), unique.end());
    EXPECT(download(count, 1)[0] == static_cast<int>(unique.size()));
    EXPECT(download(out, unique.size()) == unique);

    run([&](void* t, size_t& bytes) {
        return cub::DeviceHistogram::HistogramEven(t, bytes, in, out, 257, 0, 256, n);
    });
    std::vector<int> histogram(256);
    for (const int value : data) ++histogram[value];
    EXPECT(download(out, 256) == histogram);
    return ok("cub_scan");
}
