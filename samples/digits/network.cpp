#include "digits/network.h"

#include <algorithm>
#include <cmath>

namespace digits {

namespace {

constexpr unsigned kTile = 16;      // edge of a matmul block, fixed by the kernel
constexpr unsigned kThreads = 128;  // block size of the one-dimensional kernels

unsigned blocks(unsigned count, unsigned size) { return (count + size - 1) / size; }

// A matrix as matmul sees it: where it begins and how far its rows and columns are apart, in elements.
struct Matrix {
    CUdeviceptr address;
    unsigned row_stride;
    unsigned column_stride;

    Matrix transposed() const { return {address, column_stride, row_stride}; }
};

Matrix row_major(CUdeviceptr address, unsigned columns) { return {address, columns, 1}; }

// result (rows x columns) = a (rows x inner) . b (inner x columns)
void multiply(const Gpu& gpu, CUfunction matmul, CUdeviceptr result, const Matrix& a, const Matrix& b,
              unsigned rows, unsigned inner, unsigned columns) {
    gpu.launch(matmul, blocks(columns, kTile), blocks(rows, kTile), kTile, kTile, a.address, b.address,
               result, rows, inner, columns, a.row_stride, a.column_stride, b.row_stride, b.column_stride);
}

}  // namespace

Network::Network(const Gpu& gpu, unsigned capacity, Random& random)
    : gpu_(gpu),
      matmul_(gpu.kernel("matmul")),
      bias_relu_(gpu.kernel("bias_relu")),
      relu_backward_(gpu.kernel("relu_backward")),
      softmax_(gpu.kernel("softmax_cross_entropy")),
      column_sums_(gpu.kernel("column_sums")),
      sgd_(gpu.kernel("sgd_momentum")),
      weights_(gpu, kWeights),
      gradients_(gpu, kWeights),
      velocities_(gpu, kWeights),
      images_(gpu, std::size_t{capacity} * kPixels),
      labels_(gpu, capacity),
      hits_(gpu, 1),
      hidden_(gpu, std::size_t{capacity} * kHidden),
      hidden_gradient_(gpu, std::size_t{capacity} * kHidden),
      logits_(gpu, std::size_t{capacity} * kClasses),
      logits_gradient_(gpu, std::size_t{capacity} * kClasses),
      losses_(gpu, capacity) {
    // Glorot's uniform initialisation; biases begin at zero.
    std::vector<float> initial(kWeights, 0.0f);
    const float first = std::sqrt(6.0f / (kPixels + kHidden));
    const float second = std::sqrt(6.0f / (kHidden + kClasses));
    for (unsigned i = kFirstWeights; i < kFirstBias; ++i) initial[i] = random.uniform(-first, first);
    for (unsigned i = kSecondWeights; i < kSecondBias; ++i) initial[i] = random.uniform(-second, second);
    weights_.upload(initial);
    gpu_.wait();
}

void Network::upload(const Dataset& set) {
    images_.upload(set.images);
    labels_.upload(set.labels);
    hits_.clear();
}

void Network::forward(unsigned first, unsigned rows) {
    const auto images = row_major(images_.address(std::size_t{first} * kPixels), kPixels);
    const auto hidden = row_major(hidden_.address(std::size_t{first} * kHidden), kHidden);
    const CUdeviceptr logits = logits_.address(std::size_t{first} * kClasses);

    multiply(gpu_, matmul_, hidden.address, images, row_major(weights_.address(kFirstWeights), kHidden), rows,
             kPixels, kHidden);
    gpu_.launch(bias_relu_, blocks(rows * kHidden, kThreads), 1, kThreads, 1, hidden.address,
                weights_.address(kFirstBias), rows * kHidden, kHidden);
    multiply(gpu_, matmul_, logits, hidden, row_major(weights_.address(kSecondWeights), kClasses), rows,
             kHidden, kClasses);
    gpu_.launch(softmax_, blocks(rows, kThreads), 1, kThreads, 1, logits, weights_.address(kSecondBias),
                labels_.address(first), logits_gradient_.address(std::size_t{first} * kClasses),
                losses_.address(first), hits_.address(), rows, kClasses, 1.0f / static_cast<float>(rows));
}

void Network::backward(unsigned first, unsigned rows) {
    const auto images = row_major(images_.address(std::size_t{first} * kPixels), kPixels);
    const auto hidden = row_major(hidden_.address(std::size_t{first} * kHidden), kHidden);
    const auto hidden_gradient = row_major(hidden_gradient_.address(std::size_t{first} * kHidden), kHidden);
    const auto logits_gradient = row_major(logits_gradient_.address(std::size_t{first} * kClasses), kClasses);
    const auto second_weights = row_major(weights_.address(kSecondWeights), kClasses);

    multiply(gpu_, matmul_, gradients_.address(kSecondWeights), hidden.transposed(), logits_gradient, kHidden,
             rows, kClasses);
    gpu_.launch(column_sums_, 1, 1, kThreads, 1, logits_gradient.address, gradients_.address(kSecondBias),
                rows, kClasses);
    multiply(gpu_, matmul_, hidden_gradient.address, logits_gradient, second_weights.transposed(), rows,
             kClasses, kHidden);
    gpu_.launch(relu_backward_, blocks(rows * kHidden, kThreads), 1, kThreads, 1, hidden_gradient.address,
                hidden.address, rows * kHidden);
    multiply(gpu_, matmul_, gradients_.address(kFirstWeights), images.transposed(), hidden_gradient, kPixels,
             rows, kHidden);
    gpu_.launch(column_sums_, 1, 1, kThreads, 1, hidden_gradient.address, gradients_.address(kFirstBias),
                rows, kHidden);
}

Score Network::score(unsigned rows) const {
    const std::vector<float> losses = losses_.download();
    double sum = 0;
    for (unsigned i = 0; i < rows; ++i) sum += losses[i];
    const unsigned hits = hits_.download()[0];
    return {static_cast<float>(sum / rows), static_cast<float>(hits) / static_cast<float>(rows)};
}

Score Network::train(const Dataset& set, const Training& training) {
    upload(set);
    for (unsigned first = 0; first < set.count(); first += training.batch) {
        const unsigned rows = std::min(training.batch, set.count() - first);
        forward(first, rows);
        backward(first, rows);
        gpu_.launch(sgd_, blocks(kWeights, kThreads), 1, kThreads, 1, weights_.address(),
                    gradients_.address(), velocities_.address(), kWeights, training.rate, training.momentum);
    }
    return score(set.count());
}

Score Network::evaluate(const Dataset& set) {
    upload(set);
    forward(0, set.count());
    return score(set.count());
}

}  // namespace digits
