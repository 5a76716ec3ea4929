// The few calls of the CUDA driver API that the sample makes, with owners for what they hand out.
//
// Every failed call ends the program with exit code 1 and one line: which call, which error, what to do. One
// thread.
#pragma once

#include <cstddef>
#include <string>
#include <type_traits>
#include <vector>

#include "cuda_api.gen.h"

namespace digits {

// Ends the program unless result is CUDA_SUCCESS; call names the function for the message.
void check(CUresult result, const char* call);

// Device 0 with its primary context current on this thread, one module and one stream.
class Gpu {
  public:
    explicit Gpu(const char* ptx);
    ~Gpu();
    Gpu(const Gpu&) = delete;
    Gpu& operator=(const Gpu&) = delete;

    CUfunction kernel(const char* name) const;
    CUstream stream() const { return stream_; }
    void wait() const;  // until everything posted so far has run
    std::string describe()
        const;  // "NVIDIA H100, 81079 MiB (78210 MiB free), CUDA driver 13.0, bus 0000:65:00.0"

    // Posts one launch; arguments are passed by value and must have exactly the types of the kernel's
    // parameters.
    template <typename... Arguments>
    void launch(CUfunction kernel, unsigned grid_x, unsigned grid_y, unsigned block_x, unsigned block_y,
                Arguments... arguments) const {
        static_assert((std::is_trivially_copyable_v<Arguments> && ...));
        void* parameters[] = {&arguments...};
        check(cuLaunchKernel(kernel, grid_x, grid_y, 1, block_x, block_y, 1, 0, stream_, parameters, nullptr),
              "cuLaunchKernel");
    }

  private:
    CUdevice device_ = 0;
    CUcontext context_ = nullptr;
    CUmodule module_ = nullptr;
    CUstream stream_ = nullptr;
};

// count elements of device memory. upload and download are ordered in the stream of gpu; download waits for
// the data.
template <typename T>
class Buffer {
  public:
    Buffer(const Gpu& gpu, std::size_t count) : gpu_(gpu), count_(count) {
        check(cuMemAlloc_v2(&address_, count * sizeof(T)), "cuMemAlloc");
        check(cuMemsetD8Async(address_, 0, count * sizeof(T), gpu_.stream()), "cuMemsetD8Async");
    }
    ~Buffer() { check(cuMemFree_v2(address_), "cuMemFree"); }
    Buffer(const Buffer&) = delete;
    Buffer& operator=(const Buffer&) = delete;

    CUdeviceptr address(std::size_t index = 0) const { return address_ + index * sizeof(T); }

    void upload(const std::vector<T>& values) {
        check(cuMemcpyHtoDAsync_v2(address_, values.data(), values.size() * sizeof(T), gpu_.stream()),
              "cuMemcpyHtoDAsync");
    }
    std::vector<T> download() const {
        std::vector<T> values(count_);
        check(cuMemcpyDtoHAsync_v2(values.data(), address_, count_ * sizeof(T), gpu_.stream()),
              "cuMemcpyDtoHAsync");
        gpu_.wait();
        return values;
    }
    void clear() {
        check(cuMemsetD8Async(address_, 0, count_ * sizeof(T), gpu_.stream()), "cuMemsetD8Async");
    }

  private:
    const Gpu& gpu_;
    std::size_t count_;
    CUdeviceptr address_ = 0;
};

}  // namespace digits
