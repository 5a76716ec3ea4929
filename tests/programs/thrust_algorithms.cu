// Thrust: sort by key, transform and reduce, scan, unique, remove_if.
#include <thrust/device_vector.h>
#include <thrust/functional.h>
#include <thrust/host_vector.h>
#include <thrust/remove.h>
#include <thrust/scan.h>
#include <thrust/sort.h>
#include <thrust/transform_reduce.h>
#include <thrust/unique.h>

#include <algorithm>
#include <numeric>
#include <vector>

#include "check.h"

struct Square {
    __host__ __device__ long long operator()(int x) const { return static_cast<long long>(x) * x; }
};
struct Odd {
    __host__ __device__ bool operator()(int x) const { return (x & 1) != 0; }
};

int main() {
    const int n = 20000;
    std::vector<int> data(n);
    for (int i = 0; i < n; ++i) data[i] = static_cast<int>((i * 7919LL) % 1009) - 500;
    thrust::device_vector<int> device(data.begin(), data.end());
    long long squares = 0;
    for (const int x : data) squares += static_cast<long long>(x) * x;
    EXPECT(thrust::transform_reduce(device.begin(), device.end(), Square(), 0LL, thrust::plus<long long>()) == squares);

    thrust::sort(device.begin(), device.end());
    std::sort(data.begin(), data.end());
    std::vector<int> got(n);
    thrust::copy(device.begin(), device.end(), got.begin());
    EXPECT(got == data);

    thrust::device_vector<int> sums(n);
    thrust::exclusive_scan(device.begin(), device.end(), sums.begin());
    std::vector<int> expected(n);
    std::exclusive_scan(data.begin(), data.end(), expected.begin(), 0);
    thrust::copy(sums.begin(), sums.end(), got.begin());
    EXPECT(got == expected);

    device.erase(thrust::unique(device.begin(), device.end()), device.end());
    data.erase(std::unique(data.begin(), data.end()), data.end());
    device.erase(thrust::remove_if(device.begin(), device.end(), Odd()), device.end());
    data.erase(std::remove_if(data.begin(), data.end(), Odd()), data.end());
    EXPECT(device.size() == data.size());
    got.resize(data.size());
    thrust::copy(device.begin(), device.end(), got.begin());
    EXPECT(got == data);
    return ok("thrust_algorithms");
}
