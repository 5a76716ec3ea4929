// Class templates, device functions that are not inlined, recursion, function pointers, virtual functions on
// the device.
#include <vector>

#include "check.h"

template <typename T, int N>
struct Polynomial {
    T coefficient[N];
    __host__ __device__ T operator()(T x) const {
        T value = 0;
        for (int i = N - 1; i >= 0; --i) value = value * x + coefficient[i];
        return value;
    }
};

__device__ __noinline__ unsigned fibonacci(unsigned n) {
    return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2);
}

using Operation = int (*)(int, int);
__device__ int add(int a, int b) { return a + b; }
__device__ int multiply(int a, int b) { return a * b; }
__device__ int subtract(int a, int b) { return a - b; }
__device__ Operation operations[3] = {add, multiply, subtract};

struct Shape {
    __device__ virtual int area() const = 0;
};
struct Square : Shape {
    int side;
    __device__ explicit Square(int s) : side(s) {}
    __device__ int area() const override { return side * side; }
};
struct Rectangle : Shape {
    int a, b;
    __device__ Rectangle(int x, int y) : a(x), b(y) {}
    __device__ int area() const override { return a * b; }
};

template <typename P, typename T>
__global__ void evaluate(P polynomial, const T* x, T* y, int n) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) y[i] = polynomial(x[i]);
}

__global__ void calls(unsigned* out) {
    const int i = threadIdx.x;
    const Square square(i);
    const Rectangle rectangle(i, i + 1);
    const Shape* shape = i % 2 == 0 ? static_cast<const Shape*>(&square) : &rectangle;
    out[i] = fibonacci(i % 12) + operations[i % 3](i, 7) + shape->area();
}

template <typename T>
void polynomial() {
    const Polynomial<T, 4> p{{1, 2, 3, 4}};
    const int n = 1000;
    std::vector<T> x(n), y(n);
    for (int i = 0; i < n; ++i) x[i] = static_cast<T>(i % 10);
    T *dx, *dy;
    CUDA(cudaMalloc(&dx, n * sizeof(T)));
    CUDA(cudaMalloc(&dy, n * sizeof(T)));
    CUDA(cudaMemcpy(dx, x.data(), n * sizeof(T), cudaMemcpyHostToDevice));
    evaluate<<<(n + 127) / 128, 128>>>(p, dx, dy, n);
    CUDA(cudaGetLastError());
    CUDA(cudaMemcpy(y.data(), dy, n * sizeof(T), cudaMemcpyDeviceToHost));
    for (int i = 0; i < n; ++i) EXPECT(y[i] == p(x[i]));
    CUDA(cudaFree(dx));
    CUDA(cudaFree(dy));
}

int main() {
    polynomial<float>();
    polynomial<double>();
    polynomial<int>();
    polynomial<long long>();

    unsigned* device;
    CUDA(cudaMalloc(&device, 64 * sizeof(unsigned)));
    calls<<<1, 64>>>(device);
    CUDA(cudaGetLastError());
    unsigned result[64];
    CUDA(cudaMemcpy(result, device, sizeof result, cudaMemcpyDeviceToHost));
    const unsigned numbers[12] = {0, 1, 1, 2, 3, 5, 8, 13, 21, 34, 55, 89};
    for (int i = 0; i < 64; ++i) {
        const int operation = i % 3 == 0 ? i + 7 : i % 3 == 1 ? i * 7 : i - 7;
        const int area = i % 2 == 0 ? i * i : i * (i + 1);
        EXPECT(result[i] == numbers[i % 12] + operation + area);
    }
    CUDA(cudaFree(device));
    return ok("template_functions");
}
