// A loop captured once and replayed many times; an executable updated from a second capture.
#include "check.h"

__global__ void step(int* value, int factor, int term) { *value = *value * factor + term; }

int main() {
    int* value;
    CUDA(cudaMalloc(&value, sizeof(int)));
    cudaStream_t stream;
    CUDA(cudaStreamCreate(&stream));

    const auto capture = [&](int factor) {
        CUDA(cudaStreamBeginCapture(stream, cudaStreamCaptureModeGlobal));
        for (int i = 0; i < 10; ++i) step<<<1, 1, 0, stream>>>(value, factor, i);
        cudaGraph_t graph;
        CUDA(cudaStreamEndCapture(stream, &graph));
        return graph;
    };
    const auto expected = [](int factor, int times) {
        unsigned result = 0;
        for (int t = 0; t < times; ++t) {
            for (int i = 0; i < 10; ++i) result = result * factor + i;
        }
        return static_cast<int>(result);
    };

    CUDA(cudaMemset(value, 0, sizeof(int)));
    cudaGraph_t graph = capture(3);
    int result = -1;
    CUDA(cudaMemcpy(&result, value, sizeof(int), cudaMemcpyDeviceToHost));
    EXPECT(result == 0);
    cudaGraphExec_t executable;
    CUDA(cudaGraphInstantiate(&executable, graph, 0));
    for (int i = 0; i < 5; ++i) CUDA(cudaGraphLaunch(executable, stream));
    CUDA(cudaStreamSynchronize(stream));
    CUDA(cudaMemcpy(&result, value, sizeof(int), cudaMemcpyDeviceToHost));
    EXPECT(result == expected(3, 5));

    cudaGraph_t other = capture(7);
    cudaGraphExecUpdateResultInfo info{};
    CUDA(cudaGraphExecUpdate(executable, other, &info));
    EXPECT(info.result == cudaGraphExecUpdateSuccess);
    CUDA(cudaMemset(value, 0, sizeof(int)));
    CUDA(cudaGraphLaunch(executable, stream));
    CUDA(cudaStreamSynchronize(stream));
    CUDA(cudaMemcpy(&result, value, sizeof(int), cudaMemcpyDeviceToHost));
    EXPECT(result == expected(7, 1));

    CUDA(cudaGraphExecDestroy(executable));
    CUDA(cudaGraphDestroy(graph));
    CUDA(cudaGraphDestroy(other));
    CUDA(cudaStreamDestroy(stream));
    CUDA(cudaFree(value));
    return ok("graph_capture");
}
