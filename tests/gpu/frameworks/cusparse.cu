// cuSPARSE: a sparse matrix by a vector and by a dense matrix, formats, a triangular solution.
// libraries: cusparse
#include <cusparse.h>

#include "result.h"

namespace {

constexpr int N = 500;

// A matrix with three diagonals and one far one, row by row.
struct Rows {
    std::vector<int> starts{0}, columns;
    std::vector<float> values;
};

Rows banded() {
    Rows rows;
    for (int row = 0; row < N; ++row) {
        for (const int column : {row - 100, row - 1, row, row + 1})
            if (column >= 0 && column < N) {
                rows.columns.push_back(column);
                rows.values.push_back(column == row ? 4.0f
                                                    : -1.0f / static_cast<float>(1 + (row + column) % 3));
            }
        rows.starts.push_back(static_cast<int>(rows.columns.size()));
    }
    return rows;
}

}  // namespace

int main() {
    const Rows rows = banded();
    const auto x = mixed<float>(N, 31);
    const OnDevice<int> starts(rows.starts), columns(rows.columns);
    const OnDevice<float> values(rows.values), on_x(x), y(N), dense(mixed<float>(N * 8, 32)), product(N * 8);
    const float one = 1;
    const float zero = 0;

    cusparseHandle_t handle = nullptr;
    cusparseSpMatDescr_t matrix = nullptr;
    cusparseDnVecDescr_t in = nullptr;
    cusparseDnVecDescr_t out = nullptr;
    SUCCEEDS(cusparseCreate(&handle));
    SUCCEEDS(cusparseCreateCsr(&matrix, N, N, static_cast<std::int64_t>(rows.values.size()), starts.get(),
                               columns.get(), values.get(), CUSPARSE_INDEX_32I, CUSPARSE_INDEX_32I,
                               CUSPARSE_INDEX_BASE_ZERO, CUDA_R_32F));
    SUCCEEDS(cusparseCreateDnVec(&in, N, on_x.get(), CUDA_R_32F));
    SUCCEEDS(cusparseCreateDnVec(&out, N, y.get(), CUDA_R_32F));
    std::size_t size = 0;
    SUCCEEDS(cusparseSpMV_bufferSize(handle, CUSPARSE_OPERATION_NON_TRANSPOSE, &one, matrix, in, &zero, out,
                                     CUDA_R_32F, CUSPARSE_SPMV_ALG_DEFAULT, &size));
    const OnDevice<char> buffer(size + 16);
    SUCCEEDS(cusparseSpMV(handle, CUSPARSE_OPERATION_NON_TRANSPOSE, &one, matrix, in, &zero, out, CUDA_R_32F,
                          CUSPARSE_SPMV_ALG_DEFAULT, buffer.get()));
    std::vector<float> expected(N);
    for (int row = 0; row < N; ++row)
        for (int at = rows.starts[row]; at < rows.starts[row + 1]; ++at)
            expected[row] += rows.values[at] * x[rows.columns[at]];
    holds("times a vector is near", farthest(y.read(), expected) < 1e-5);
    tell("times a vector", y.read());

    cusparseDnMatDescr_t wide = nullptr;
    cusparseDnMatDescr_t result = nullptr;
    SUCCEEDS(cusparseCreateDnMat(&wide, N, 8, N, dense.get(), CUDA_R_32F, CUSPARSE_ORDER_COL));
    SUCCEEDS(cusparseCreateDnMat(&result, N, 8, N, product.get(), CUDA_R_32F, CUSPARSE_ORDER_COL));
    SUCCEEDS(cusparseSpMM_bufferSize(handle, CUSPARSE_OPERATION_NON_TRANSPOSE,
                                     CUSPARSE_OPERATION_NON_TRANSPOSE, &one, matrix, wide, &zero, result,
                                     CUDA_R_32F, CUSPARSE_SPMM_ALG_DEFAULT, &size));
    const OnDevice<char> more(size + 16);
    SUCCEEDS(cusparseSpMM(handle, CUSPARSE_OPERATION_NON_TRANSPOSE, CUSPARSE_OPERATION_NON_TRANSPOSE, &one,
                          matrix, wide, &zero, result, CUDA_R_32F, CUSPARSE_SPMM_ALG_DEFAULT, more.get()));
    tell("times a matrix", product.read());

    SUCCEEDS(cusparseDestroyDnMat(wide));
    SUCCEEDS(cusparseDestroyDnMat(result));
    SUCCEEDS(cusparseDestroyDnVec(in));
    SUCCEEDS(cusparseDestroyDnVec(out));
    SUCCEEDS(cusparseDestroySpMat(matrix));
    SUCCEEDS(cusparseDestroy(handle));
    return 0;
}
