// cuSOLVER, dense: LU, Cholesky, QR, eigenvalues, singular values.
// libraries: cusolver cublas
#include <cusolverDn.h>

#include "result.h"

namespace {

constexpr int N = 96;

std::vector<double> positive_definite() {
    const auto a = mixed<double>(N * N, 21);
    std::vector<double> product(N * N);
    for (int i = 0; i < N; ++i)
        for (int j = 0; j < N; ++j) {
            for (int k = 0; k < N; ++k) product[j * N + i] += a[k * N + i] * a[k * N + j];
            product[j * N + i] += i == j ? N : 0;
        }
    return product;
}

int status(const OnDevice<int>& info) { return info.read().at(0); }

void solve_by_lu(cusolverDnHandle_t handle) {
    const auto a = positive_definite();
    const auto right = mixed<double>(N, 22);
    const OnDevice<double> on_a(a), on_b(right);
    const OnDevice<int> pivots(N), info(1);
    int size = 0;
    SUCCEEDS(cusolverDnDgetrf_bufferSize(handle, N, N, on_a.get(), N, &size));
    const OnDevice<double> work(size);
    SUCCEEDS(cusolverDnDgetrf(handle, N, N, on_a.get(), N, work.get(), pivots.get(), info.get()));
    SUCCEEDS(
        cusolverDnDgetrs(handle, CUBLAS_OP_N, N, 1, on_a.get(), N, pivots.get(), on_b.get(), N, info.get()));
    const auto x = on_b.read();
    std::vector<double> product(N);
    for (int i = 0; i < N; ++i)
        for (int k = 0; k < N; ++k) product[i] += a[k * N + i] * x[k];
    holds("lu solves", status(info) == 0 && farthest(product, right) < 1e-9);
    tell("lu", x);
}

void factors(cusolverDnHandle_t handle) {
    const OnDevice<double> a(positive_definite()), tau(N), q(positive_definite());
    const OnDevice<int> info(1);
    int size = 0;
    SUCCEEDS(cusolverDnDpotrf_bufferSize(handle, CUBLAS_FILL_MODE_LOWER, N, a.get(), N, &size));
    const OnDevice<double> work(size);
    SUCCEEDS(cusolverDnDpotrf(handle, CUBLAS_FILL_MODE_LOWER, N, a.get(), N, work.get(), size, info.get()));
    holds("cholesky succeeds", status(info) == 0);
    tell("cholesky", a.read());
    SUCCEEDS(cusolverDnDgeqrf_bufferSize(handle, N, N, q.get(), N, &size));
    const OnDevice<double> more(size);
    SUCCEEDS(cusolverDnDgeqrf(handle, N, N, q.get(), N, tau.get(), more.get(), size, info.get()));
    tell("qr", q.read());
}

void values(cusolverDnHandle_t handle) {
    const OnDevice<double> a(positive_definite()), eigenvalues(N), b(mixed<double>(N * N, 23)), singular(N),
        u(N * N), v(N * N);
    const OnDevice<int> info(1);
    int size = 0;
    SUCCEEDS(cusolverDnDsyevd_bufferSize(handle, CUSOLVER_EIG_MODE_VECTOR, CUBLAS_FILL_MODE_UPPER, N, a.get(),
                                         N, eigenvalues.get(), &size));
    const OnDevice<double> work(size);
    SUCCEEDS(cusolverDnDsyevd(handle, CUSOLVER_EIG_MODE_VECTOR, CUBLAS_FILL_MODE_UPPER, N, a.get(), N,
                              eigenvalues.get(), work.get(), size, info.get()));
    holds("eigenvalues succeed", status(info) == 0);
    tell("eigenvalues", eigenvalues.read());
    SUCCEEDS(cusolverDnDgesvd_bufferSize(handle, N, N, &size));
    const OnDevice<double> more(size);
    SUCCEEDS(cusolverDnDgesvd(handle, 'A', 'A', N, N, b.get(), N, singular.get(), u.get(), N, v.get(), N,
                              more.get(), size, nullptr, info.get()));
    holds("singular values succeed", status(info) == 0);
    tell("singular values", singular.read());
}

}  // namespace

int main() {
    cusolverDnHandle_t handle = nullptr;
    SUCCEEDS(cusolverDnCreate(&handle));
    solve_by_lu(handle);
    factors(handle);
    values(handle);
    SUCCEEDS(cusolverDnDestroy(handle));
    return 0;
}
