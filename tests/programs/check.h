// What every program here shares: ends with one line, "ok <name>" and exit code 0, or what went wrong and
// exit code 1.
#pragma once

#include <cuda_runtime.h>

#include <cstdio>
#include <cstdlib>

#define CUDA(call)                                                             \
    do {                                                                       \
        const cudaError_t cuda_error = (call);                                 \
        if (cuda_error != cudaSuccess) {                                       \
            std::fprintf(stderr, "%s:%d: %s: %s\n", __FILE__, __LINE__, #call, \
                         cudaGetErrorName(cuda_error));                        \
            std::exit(1);                                                      \
        }                                                                      \
    } while (false)

#define EXPECT(condition)                                                                  \
    do {                                                                                   \
        if (!(condition)) {                                                                \
            std::fprintf(stderr, "%s:%d: not true: %s\n", __FILE__, __LINE__, #condition); \
            std::exit(1);                                                                  \
        }                                                                                  \
    } while (false)

inline int ok(const char* name) {
    std::printf("ok %s\n", name);
    return 0;
}
