// The software device as the tests of this room use it: two GPUs of 256 MiB, one context current.
#pragma once

#include <gtest/gtest.h>

#include <condition_variable>
#include <mutex>

#include "device/soft/soft_device.h"
#include "driver_table.gen.h"

namespace bitfusion::soft::test {

inline constexpr uint64_t kTestMemory = uint64_t{256} << 20;

inline DriverTable open_for_tests() {
    DriverTable made;
    SoftOptions options;
    options.gpus = 2;
    options.memory_bytes = kTestMemory;
    const Status opened = open_soft_device(options, &made);
    EXPECT_TRUE(opened) << opened.error().what;
    return made;
}

inline DriverTable& table() {
    static DriverTable filled = open_for_tests();
    return filled;
}

// A driver that no test has used before. Nothing of the last one may be open.
inline void reopen() {
    close_soft_device();
    table() = open_for_tests();
}

// cuInit, and the primary context of device 0 current.
class DeviceTest : public testing::Test {
  protected:
    void SetUp() override {
        ASSERT_EQ(cu.cuInit(0), CUDA_SUCCESS);
        ASSERT_EQ(cu.cuDevicePrimaryCtxRetain(&context, 0), CUDA_SUCCESS);
        ASSERT_EQ(cu.cuCtxSetCurrent(context), CUDA_SUCCESS);
    }
    void TearDown() override {
        cu.cuCtxSetCurrent(nullptr);
        EXPECT_EQ(cu.cuDevicePrimaryCtxRelease_v2(0), CUDA_SUCCESS);
    }

    CUdeviceptr allocate(size_t bytes) {
        CUdeviceptr address = 0;
        EXPECT_EQ(cu.cuMemAlloc_v2(&address, bytes), CUDA_SUCCESS);
        return address;
    }
    CUstream make_stream(unsigned flags = CU_STREAM_DEFAULT) {
        CUstream stream = nullptr;
        EXPECT_EQ(cu.cuStreamCreate(&stream, flags), CUDA_SUCCESS);
        return stream;
    }
    CUevent make_event(unsigned flags = CU_EVENT_DEFAULT) {
        CUevent event = nullptr;
        EXPECT_EQ(cu.cuEventCreate(&event, flags), CUDA_SUCCESS);
        return event;
    }

    DriverTable& cu = table();
    CUcontext context = nullptr;
};

// Holds a stream in a host function until it is opened.
class Gate {
  public:
    ~Gate() { open(); }
    void hold(DriverTable& cu, CUstream stream) {
        EXPECT_EQ(cu.cuLaunchHostFunc(stream, wait, this), CUDA_SUCCESS);
    }
    void open() {
        const std::lock_guard lock(mutex_);
        open_ = true;
        opened_.notify_all();
    }

  private:
    static void wait(void* gate) {
        auto* self = static_cast<Gate*>(gate);
        std::unique_lock lock(self->mutex_);
        self->opened_.wait(lock, [self] { return self->open_; });
    }

    std::mutex mutex_;
    std::condition_variable opened_;
    bool open_ = false;
};

}  // namespace bitfusion::soft::test
