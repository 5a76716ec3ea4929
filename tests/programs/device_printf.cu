// printf in a kernel: the text appears on stdout, in order, at the latest when the program synchronises. The
// runner compares the lines (see expected in run.py).
#include "check.h"

__global__ void say(int round) {
    printf("round %d thread %u: %5.2f %s %c %lld%%\n", round, threadIdx.x, round * 1.5, "text", 'x',
           1234567890123LL);
}

int main() {
    for (int round = 0; round < 3; ++round) {
        say<<<1, 1>>>(round);
        CUDA(cudaDeviceSynchronize());
    }
    return ok("device_printf");
}
