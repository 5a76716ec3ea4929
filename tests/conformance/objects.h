// Owners for what the driver hands out, so that a failing test leaves nothing behind for the next one.
//
// A constructor that the driver refuses marks the test as failed and leaves an empty object: check ok() with
// ASSERT_TRUE. Destructors ignore errors; a test about destruction calls the driver itself.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "conformance/target.h"

namespace bitfusion::conformance {

// Device memory.
class Memory {
  public:
    explicit Memory(std::size_t bytes);
    ~Memory();
    Memory(const Memory&) = delete;
    Memory& operator=(const Memory&) = delete;

    bool ok() const { return address_ != 0; }
    CUdeviceptr at(std::size_t offset = 0) const { return address_ + offset; }
    std::size_t bytes() const { return bytes_; }

    // The whole allocation as words, read synchronously. Empty after an error.
    std::vector<uint32_t> words() const;
    std::vector<uint8_t> content() const;
    void write(const void* from, std::size_t bytes) const;  // from the beginning
    void fill(uint8_t value) const;

  private:
    CUdeviceptr address_ = 0;
    std::size_t bytes_ = 0;
};

// Pinned host memory.
class Pinned {
  public:
    explicit Pinned(std::size_t bytes, unsigned flags = 0);
    ~Pinned();
    Pinned(const Pinned&) = delete;
    Pinned& operator=(const Pinned&) = delete;

    bool ok() const { return data_ != nullptr; }
    void* data() const { return data_; }
    uint32_t* words() const { return static_cast<uint32_t*>(data_); }

  private:
    void* data_ = nullptr;
};

class Stream {
  public:
    explicit Stream(unsigned flags = CU_STREAM_NON_BLOCKING);
    ~Stream();
    Stream(const Stream&) = delete;
    Stream& operator=(const Stream&) = delete;

    bool ok() const { return handle_ != nullptr; }
    operator CUstream() const { return handle_; }

  private:
    CUstream handle_ = nullptr;
};

class Event {
  public:
    explicit Event(unsigned flags = CU_EVENT_DEFAULT);
    ~Event();
    Event(const Event&) = delete;
    Event& operator=(const Event&) = delete;

    bool ok() const { return handle_ != nullptr; }
    operator CUevent() const { return handle_; }

  private:
    CUevent handle_ = nullptr;
};

// A loaded PTX text.
class Module {
  public:
    explicit Module(const char* ptx);
    ~Module();
    Module(const Module&) = delete;
    Module& operator=(const Module&) = delete;

    bool ok() const { return handle_ != nullptr; }
    operator CUmodule() const { return handle_; }
    CUfunction function(const char* name) const;  // null and a failed test when there is none

  private:
    CUmodule handle_ = nullptr;
};

// Posts one launch with arguments of exactly the kernel's parameter types.
struct Shape {
    unsigned grid_x = 1, grid_y = 1, grid_z = 1;
    unsigned block_x = 1, block_y = 1, block_z = 1;
    unsigned shared_bytes = 0;
};

template <typename... Arguments>
CUresult launch(CUfunction function, const Shape& shape, CUstream stream, Arguments... arguments) {
    void* parameters[sizeof...(arguments) + 1] = {&arguments..., nullptr};
    return CU_CALL(cuLaunchKernel, function, shape.grid_x, shape.grid_y, shape.grid_z, shape.block_x,
                   shape.block_y, shape.block_z, shape.shared_bytes, stream, parameters, nullptr);
}

// The kernels of kKernels, loaded, on device 0.
class WithKernels : public OnDevice {
  protected:
    void SetUp() override;
    void TearDown() override;

    CUfunction kernel(const char* name) const;  // null and a failed test when there is none

    CUmodule module_ = nullptr;
};

}  // namespace bitfusion::conformance
