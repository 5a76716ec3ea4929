// Functions of the math library in single and double precision, integers of every width, half precision.
#include <cuda_fp16.h>

#include <cmath>
#include <vector>

#include "check.h"

constexpr int kFunctions = 12;

__global__ void single_precision(const float* x, float* out, int n) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    const float v = x[i];
    float* o = out + i * kFunctions;
    o[0] = sinf(v);
    o[1] = cosf(v * 1000);
    o[2] = expf(v * 0.1f);
    o[3] = logf(v + 100);
    o[4] = powf(fabsf(v) + 0.5f, 1.7f);
    o[5] = sqrtf(fabsf(v));
    o[6] = tanhf(v);
    o[7] = erff(v);
    o[8] = atan2f(v, 2);
    o[9] = v / 3.0f;
    o[10] = rsqrtf(fabsf(v) + 1);
    o[11] = fmodf(v, 0.7f);
}

__global__ void double_precision(const float* x, double* out, int n) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    const double v = x[i];
    double* o = out + i * kFunctions;
    o[0] = sin(v);
    o[1] = cos(v * 1000);
    o[2] = exp(v * 0.1);
    o[3] = log(v + 100);
    o[4] = pow(fabs(v) + 0.5, 1.7);
    o[5] = sqrt(fabs(v));
    o[6] = tanh(v);
    o[7] = erf(v);
    o[8] = atan2(v, 2.0);
    o[9] = v / 3.0;
    o[10] = rsqrt(fabs(v) + 1);
    o[11] = fmod(v, 0.7);
}

__global__ void integers(long long a, int b, unsigned long long* out) {
    const int i = static_cast<int>(threadIdx.x) + 1;
    unsigned long long* o = out + threadIdx.x * 8;
    o[0] = static_cast<unsigned long long>(a / (b + i));
    o[1] = static_cast<unsigned long long>(a % (b + i));
    o[2] = __umul64hi(static_cast<unsigned long long>(a), 0x123456789ABCDEFull * i);
    o[3] = static_cast<unsigned long long>(__popcll(a * i));
    o[4] = static_cast<unsigned long long>(__clz(b * i));
    o[5] = __brevll(static_cast<unsigned long long>(i));
    o[6] = static_cast<unsigned long long>(static_cast<long long>(a) >> i);
    o[7] = __byte_perm(static_cast<unsigned>(a), static_cast<unsigned>(b), 0x4321);
}

__global__ void halves(const float* x, float* out, int n) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    const __half h = __float2half(x[i]);
    out[i] = __half2float(__hfma(h, __float2half(2.0f), __float2half(1.0f)));
}

int main() {
    const int n = 500;
    std::vector<float> x(n);
    for (int i = 0; i < n; ++i) x[i] = (i - 250) * 0.0625f;
    float *dx, *df;
    double* dd;
    CUDA(cudaMalloc(&dx, n * sizeof(float)));
    CUDA(cudaMalloc(&df, n * kFunctions * sizeof(float)));
    CUDA(cudaMalloc(&dd, n * kFunctions * sizeof(double)));
    CUDA(cudaMemcpy(dx, x.data(), n * sizeof(float), cudaMemcpyHostToDevice));
    single_precision<<<4, 128>>>(dx, df, n);
    double_precision<<<4, 128>>>(dx, dd, n);
    CUDA(cudaGetLastError());
    std::vector<float> f(n * kFunctions);
    std::vector<double> d(n * kFunctions);
    CUDA(cudaMemcpy(f.data(), df, f.size() * sizeof(float), cudaMemcpyDeviceToHost));
    CUDA(cudaMemcpy(d.data(), dd, d.size() * sizeof(double), cudaMemcpyDeviceToHost));
    for (int i = 0; i < n; ++i) {
        const double v = x[i];
        const double expected[kFunctions] = {std::sin(v),
                                             std::cos(v * 1000),
                                             std::exp(v * 0.1),
                                             std::log(v + 100),
                                             std::pow(std::fabs(v) + 0.5, 1.7),
                                             std::sqrt(std::fabs(v)),
                                             std::tanh(v),
                                             std::erf(v),
                                             std::atan2(v, 2.0),
                                             v / 3.0,
                                             1 / std::sqrt(std::fabs(v) + 1),
                                             std::fmod(v, 0.7)};
        for (int k = 0; k < kFunctions; ++k) {
            EXPECT(std::fabs(d[i * kFunctions + k] - expected[k]) <= 1e-13 * (1 + std::fabs(expected[k])));
            if (k == 11) continue;  // 0.7f is not 0.7: the remainders of the two precisions differ
            EXPECT(std::fabs(f[i * kFunctions + k] - expected[k]) <= 2e-6 * (1 + std::fabs(expected[k])));
        }
    }

    const long long a = -1234567890123456789LL;
    const int b = 1000;
    unsigned long long* di;
    CUDA(cudaMalloc(&di, 32 * 8 * sizeof *di));
    integers<<<1, 32>>>(a, b, di);
    unsigned long long result[32 * 8];
    CUDA(cudaMemcpy(result, di, sizeof result, cudaMemcpyDeviceToHost));
    for (int t = 0; t < 32; ++t) {
        const int i = t + 1;
        const unsigned long long* o = result + t * 8;
        EXPECT(static_cast<long long>(o[0]) == a / (b + i));
        EXPECT(static_cast<long long>(o[1]) == a % (b + i));
        const unsigned __int128 product =
            static_cast<unsigned __int128>(static_cast<unsigned long long>(a)) * (0x123456789ABCDEFull * i);
        EXPECT(o[2] == static_cast<unsigned long long>(product >> 64));
        EXPECT(o[3] ==
               static_cast<unsigned long long>(__builtin_popcountll(static_cast<unsigned long long>(a) * i)));
        EXPECT(o[4] == static_cast<unsigned long long>(__builtin_clz(static_cast<unsigned>(b * i))));
        unsigned long long reversed = 0;
        for (int bit = 0; bit < 64; ++bit)
            reversed |= ((static_cast<unsigned long long>(i) >> bit) & 1) << (63 - bit);
        EXPECT(o[5] == reversed);
        EXPECT(static_cast<long long>(o[6]) == a >> i);
        const unsigned long long bytes = static_cast<unsigned>(a) | static_cast<unsigned long long>(b) << 32;
        EXPECT(o[7] == ((bytes >> 8) & 0xFFFFFFFFull));
    }

    halves<<<4, 128>>>(dx, df, n);
    CUDA(cudaMemcpy(f.data(), df, n * sizeof(float), cudaMemcpyDeviceToHost));
    for (int i = 0; i < n; ++i) EXPECT(f[i] == x[i] * 2 + 1);  // exact: few bits
    CUDA(cudaFree(dx));
    CUDA(cudaFree(df));
    CUDA(cudaFree(dd));
    CUDA(cudaFree(di));
    return ok("math_functions");
}
