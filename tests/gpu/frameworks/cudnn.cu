// cuDNN: a convolution forward and backward, pooling, softmax, activation.
// libraries: cudnn
#include <cudnn.h>

#include "result.h"

namespace {

cudnnTensorDescriptor_t tensor(int n, int c, int h, int w) {
    cudnnTensorDescriptor_t made = nullptr;
    SUCCEEDS(cudnnCreateTensorDescriptor(&made));
    SUCCEEDS(cudnnSetTensor4dDescriptor(made, CUDNN_TENSOR_NCHW, CUDNN_DATA_FLOAT, n, c, h, w));
    return made;
}

const float one = 1;
const float zero = 0;

void convolution(cudnnHandle_t handle) {
    const auto x_shape = tensor(4, 8, 20, 20);
    const auto y_shape = tensor(4, 16, 20, 20);
    cudnnFilterDescriptor_t filter = nullptr;
    cudnnConvolutionDescriptor_t how = nullptr;
    SUCCEEDS(cudnnCreateFilterDescriptor(&filter));
    SUCCEEDS(cudnnSetFilter4dDescriptor(filter, CUDNN_DATA_FLOAT, CUDNN_TENSOR_NCHW, 16, 8, 3, 3));
    SUCCEEDS(cudnnCreateConvolutionDescriptor(&how));
    SUCCEEDS(
        cudnnSetConvolution2dDescriptor(how, 1, 1, 1, 1, 1, 1, CUDNN_CROSS_CORRELATION, CUDNN_DATA_FLOAT));
    const OnDevice<float> x(mixed<float>(4 * 8 * 400, 41)), w(mixed<float>(16 * 8 * 9, 42)), y(4 * 16 * 400);
    const OnDevice<float> slope_of_w(16 * 8 * 9);

    const auto forward = CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_GEMM;
    std::size_t size = 0;
    SUCCEEDS(cudnnGetConvolutionForwardWorkspaceSize(handle, x_shape, filter, how, y_shape, forward, &size));
    const OnDevice<char> space(size + 16);
    SUCCEEDS(cudnnConvolutionForward(handle, &one, x_shape, x.get(), filter, w.get(), how, forward,
                                     space.get(), size, &zero, y_shape, y.get()));
    tell("forward", y.read());

    const auto backward = CUDNN_CONVOLUTION_BWD_FILTER_ALGO_1;  // repeats itself, by its documentation
    SUCCEEDS(cudnnGetConvolutionBackwardFilterWorkspaceSize(handle, x_shape, y_shape, how, filter, backward,
                                                            &size));
    const OnDevice<char> more(size + 16);
    SUCCEEDS(cudnnConvolutionBackwardFilter(handle, &one, x_shape, x.get(), y_shape, y.get(), how, backward,
                                            more.get(), size, &zero, filter, slope_of_w.get()));
    tell("gradient of the weights", slope_of_w.read());
    cudnnDestroyConvolutionDescriptor(how);
    cudnnDestroyFilterDescriptor(filter);
    cudnnDestroyTensorDescriptor(x_shape);
    cudnnDestroyTensorDescriptor(y_shape);
}

void layers(cudnnHandle_t handle) {
    const auto shape = tensor(2, 10, 16, 16);
    const auto half = tensor(2, 10, 8, 8);
    const OnDevice<float> x(mixed<float>(2 * 10 * 256, 43)), y(2 * 10 * 256);
    SUCCEEDS(cudnnSoftmaxForward(handle, CUDNN_SOFTMAX_ACCURATE, CUDNN_SOFTMAX_MODE_CHANNEL, &one, shape,
                                 x.get(), &zero, shape, y.get()));
    const auto powers = y.read();
    double sum = 0;
    for (int channel = 0; channel < 10; ++channel) sum += powers[channel * 256];
    holds("softmax sums to one", std::fabs(sum - 1) < 1e-5);
    tell("softmax", powers);

    cudnnPoolingDescriptor_t pooling = nullptr;
    SUCCEEDS(cudnnCreatePoolingDescriptor(&pooling));
    SUCCEEDS(cudnnSetPooling2dDescriptor(pooling, CUDNN_POOLING_MAX, CUDNN_PROPAGATE_NAN, 2, 2, 0, 0, 2, 2));
    const OnDevice<float> pooled(2 * 10 * 64);
    SUCCEEDS(cudnnPoolingForward(handle, pooling, &one, shape, x.get(), &zero, half, pooled.get()));
    tell("pooling", pooled.read());

    cudnnActivationDescriptor_t activation = nullptr;
    SUCCEEDS(cudnnCreateActivationDescriptor(&activation));
    SUCCEEDS(cudnnSetActivationDescriptor(activation, CUDNN_ACTIVATION_TANH, CUDNN_PROPAGATE_NAN, 0.0));
    SUCCEEDS(cudnnActivationForward(handle, activation, &one, shape, x.get(), &zero, shape, y.get()));
    tell("activation", y.read());
    cudnnDestroyActivationDescriptor(activation);
    cudnnDestroyPoolingDescriptor(pooling);
    cudnnDestroyTensorDescriptor(shape);
    cudnnDestroyTensorDescriptor(half);
}

}  // namespace

int main() {
    cudnnHandle_t handle = nullptr;
    SUCCEEDS(cudnnCreate(&handle));
    convolution(handle);
    layers(handle);
    SUCCEEDS(cudnnDestroy(handle));
    return 0;
}
