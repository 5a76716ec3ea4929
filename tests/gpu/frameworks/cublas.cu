// cuBLAS and cuBLASLt: products in several formats, strided batches, vectors, a handle on a stream of its
// own.
// libraries: cublas cublasLt
#include <cublasLt.h>
#include <cublas_v2.h>
#include <cuda_fp16.h>

#include "result.h"

namespace {

constexpr int N = 192;

std::vector<float> product_on_host(const std::vector<float>& a, const std::vector<float>& b) {
    std::vector<float> c(N * N);
    for (int column = 0; column < N; ++column)
        for (int row = 0; row < N; ++row) {
            double sum = 0;
            for (int k = 0; k < N; ++k) sum += static_cast<double>(a[k * N + row]) * b[column * N + k];
            c[column * N + row] = static_cast<float>(sum);
        }
    return c;
}

void products(cublasHandle_t handle) {
    const auto a = mixed<float>(N * N, 1);
    const auto b = mixed<float>(N * N, 2);
    const OnDevice<float> on_a(a), on_b(b), on_c(N * N);
    const float one = 1;
    const float zero = 0;
    SUCCEEDS(cublasSgemm(handle, CUBLAS_OP_N, CUBLAS_OP_N, N, N, N, &one, on_a.get(), N, on_b.get(), N, &zero,
                         on_c.get(), N));
    holds("sgemm is near", farthest(on_c.read(), product_on_host(a, b)) < 1e-3);
    tell("sgemm", on_c.read());
    SUCCEEDS(cublasSgemmStridedBatched(handle, CUBLAS_OP_T, CUBLAS_OP_N, 32, 32, 32, &one, on_a.get(), 32,
                                       1024, on_b.get(), 32, 1024, &zero, on_c.get(), 32, 1024, 36));
    tell("batched", on_c.read());

    const OnDevice<double> d_a(mixed<double>(N * N, 3)), d_c(N * N);
    const double d_one = 1;
    const double d_zero = 0;
    SUCCEEDS(cublasDgemm(handle, CUBLAS_OP_N, CUBLAS_OP_T, N, N, N, &d_one, d_a.get(), N, d_a.get(), N,
                         &d_zero, d_c.get(), N));
    tell("dgemm", d_c.read());

    std::vector<__half> halves;
    for (const float value : a) halves.push_back(__float2half(value));
    const OnDevice<__half> h_a(halves);
    SUCCEEDS(cublasGemmEx(handle, CUBLAS_OP_N, CUBLAS_OP_N, N, N, N, &one, h_a.get(), CUDA_R_16F, N,
                          h_a.get(), CUDA_R_16F, N, &zero, on_c.get(), CUDA_R_32F, N, CUBLAS_COMPUTE_32F,
                          CUBLAS_GEMM_DEFAULT));
    tell("halves", on_c.read());
}

void vectors(cublasHandle_t handle) {
    const OnDevice<float> x(mixed<float>(10'000, 4)), y(mixed<float>(10'000, 5));
    float dot = 0;
    float norm = 0;
    int largest = 0;
    const float two = 2;
    SUCCEEDS(cublasSaxpy(handle, 10'000, &two, x.get(), 1, y.get(), 1));
    SUCCEEDS(cublasSdot(handle, 10'000, x.get(), 1, y.get(), 1, &dot));
    SUCCEEDS(cublasSnrm2(handle, 10'000, x.get(), 1, &norm));
    SUCCEEDS(cublasIsamax(handle, 10'000, x.get(), 1, &largest));
    tell("dot and norm", std::vector<float>{dot, norm});
    tell("index of the largest", std::vector<int>{largest});
    const OnDevice<float> result(1);  // the result left on the device
    SUCCEEDS(cublasSetPointerMode(handle, CUBLAS_POINTER_MODE_DEVICE));
    SUCCEEDS(cublasSdot(handle, 10'000, x.get(), 1, y.get(), 1, result.get()));
    SUCCEEDS(cublasSetPointerMode(handle, CUBLAS_POINTER_MODE_HOST));
    tell("dot on the device", result.read());
}

// A product with a bias and a ReLU behind it, chosen by cuBLASLt's heuristic.
void fused() {
    cublasLtHandle_t handle = nullptr;
    cublasLtMatmulDesc_t operation = nullptr;
    cublasLtMatrixLayout_t layout = nullptr;
    cublasLtMatmulPreference_t preference = nullptr;
    SUCCEEDS(cublasLtCreate(&handle));
    SUCCEEDS(cublasLtMatmulDescCreate(&operation, CUBLAS_COMPUTE_32F, CUDA_R_32F));
    SUCCEEDS(cublasLtMatrixLayoutCreate(&layout, CUDA_R_32F, N, N, N));
    SUCCEEDS(cublasLtMatmulPreferenceCreate(&preference));
    const OnDevice<float> a(mixed<float>(N * N, 6)), b(mixed<float>(N * N, 7)), c(N * N),
        bias(mixed<float>(N, 8));
    const cublasLtEpilogue_t epilogue = CUBLASLT_EPILOGUE_RELU_BIAS;
    float* bias_pointer = bias.get();
    SUCCEEDS(
        cublasLtMatmulDescSetAttribute(operation, CUBLASLT_MATMUL_DESC_EPILOGUE, &epilogue, sizeof epilogue));
    SUCCEEDS(cublasLtMatmulDescSetAttribute(operation, CUBLASLT_MATMUL_DESC_BIAS_POINTER, &bias_pointer,
                                            sizeof bias_pointer));
    const std::size_t space = 4 << 20;
    SUCCEEDS(cublasLtMatmulPreferenceSetAttribute(preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES,
                                                  &space, sizeof space));
    cublasLtMatmulHeuristicResult_t choice{};
    int found = 0;
    SUCCEEDS(cublasLtMatmulAlgoGetHeuristic(handle, operation, layout, layout, layout, layout, preference, 1,
                                            &choice, &found));
    holds("an algorithm is found", found == 1);
    const OnDevice<unsigned> workspace(space / sizeof(unsigned));
    const float one = 1;
    const float zero = 0;
    SUCCEEDS(cublasLtMatmul(handle, operation, &one, a.get(), layout, b.get(), layout, &zero, c.get(), layout,
                            c.get(), layout, &choice.algo, workspace.get(), space, nullptr));
    tell("bias and relu", c.read());
    cublasLtMatmulPreferenceDestroy(preference);
    cublasLtMatrixLayoutDestroy(layout);
    cublasLtMatmulDescDestroy(operation);
    cublasLtDestroy(handle);
}

}  // namespace

int main() {
    cublasHandle_t handle = nullptr;
    cudaStream_t stream = nullptr;
    SUCCEEDS(cublasCreate(&handle));
    products(handle);
    SUCCEEDS(cudaStreamCreate(&stream));
    SUCCEEDS(cublasSetStream(handle, stream));
    vectors(handle);
    SUCCEEDS(cudaStreamSynchronize(stream));
    SUCCEEDS(cublasDestroy(handle));
    SUCCEEDS(cudaStreamDestroy(stream));
    fused();
    return 0;
}
