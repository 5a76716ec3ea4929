// What a program of this folder tells about its results: the same lines as result.py, which run.py compares.
// A failed call of a library ends the program: run.py shows its last words.
#pragma once

#include <cuda_runtime.h>

#include <cmath>
#include <complex>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

// For libraries whose success is 0, which are all of NVIDIA's.
#define SUCCEEDS(call)                                                                                  \
    do {                                                                                                \
        const long long result_of_call = static_cast<long long>(call);                                  \
        if (result_of_call != 0) {                                                                      \
            std::fprintf(stderr, "%s:%d: %s: error %lld\n", __FILE__, __LINE__, #call, result_of_call); \
            std::exit(1);                                                                               \
        }                                                                                               \
    } while (false)

inline void holds(const char* name, bool condition) {
    std::printf("{\"holds\": \"%s\", \"ok\": %s, \"text\": \"\"}\n", name, condition ? "true" : "false");
    std::fflush(stdout);
}

inline double number(float value) { return value; }
inline double number(double value) { return value; }
inline double number(int value) { return value; }
inline double number(unsigned value) { return value; }
template <typename T>
double number(std::complex<T> value) {
    return value.real();
}

// A result that two runs should have in common: FNV-1a over all its bytes, and at most 64 numbers, evenly
// spread.
template <typename T>
void tell(const char* name, const std::vector<T>& values) {
    std::uint64_t digest = 0xcbf29ce484222325u;
    const auto* bytes = reinterpret_cast<const unsigned char*>(values.data());
    for (std::size_t at = 0; at < values.size() * sizeof(T); ++at)
        digest = (digest ^ bytes[at]) * 0x100000001b3u;
    std::string shown;
    const std::size_t stride = values.size() < 64 ? 1 : values.size() / 64;
    for (std::size_t at = 0; at < values.size(); at += stride) {
        const double value = number(values[at]);
        char text[40];
        std::snprintf(text, sizeof text, "%s%.17g", shown.empty() ? "" : ", ",
                      std::isfinite(value) ? value : 0.0);
        shown += text;
    }
    std::printf("{\"result\": \"%s\", \"bits\": \"%016llx\", \"values\": [%s]}\n", name,
                static_cast<unsigned long long>(digest), shown.c_str());
    std::fflush(stdout);
}

// Memory on the GPU for as long as the object lives.
template <typename T>
class OnDevice {
  public:
    explicit OnDevice(std::size_t count) : count_(count) {
        SUCCEEDS(cudaMalloc(&pointer_, count * sizeof(T)));
    }
    explicit OnDevice(const std::vector<T>& values) : OnDevice(values.size()) {
        SUCCEEDS(cudaMemcpy(pointer_, values.data(), count_ * sizeof(T), cudaMemcpyHostToDevice));
    }
    OnDevice(const OnDevice&) = delete;
    OnDevice& operator=(const OnDevice&) = delete;
    ~OnDevice() { cudaFree(pointer_); }

    T* get() const { return pointer_; }
    std::vector<T> read() const {
        std::vector<T> values(count_);
        SUCCEEDS(cudaMemcpy(values.data(), pointer_, count_ * sizeof(T), cudaMemcpyDeviceToHost));
        return values;
    }

  private:
    T* pointer_ = nullptr;
    std::size_t count_;
};

// Numbers between -1 and 1 that every run has in common.
template <typename T>
std::vector<T> mixed(std::size_t count, std::uint32_t seed) {
    std::vector<T> values(count);
    for (auto& value : values) {
        seed = seed * 1664525u + 1013904223u;
        value = static_cast<T>(static_cast<double>(seed >> 8) / (1 << 23) - 1.0);
    }
    return values;
}

template <typename T>
double farthest(const std::vector<T>& a, const std::vector<T>& b) {
    double worst = a.size() == b.size() ? 0 : INFINITY;
    for (std::size_t at = 0; at < a.size() && at < b.size(); ++at)
        worst = std::fmax(worst, std::abs(a[at] - b[at]));
    return worst;
}
