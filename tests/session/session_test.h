// SessionTest: a test body is the program; the client answers it, and a worker with the software GPU answers
// the client, all in this process. The entry points are the client's C++ functions, called as
// client::cuX(...).
#pragma once

#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <functional>
#include <future>
#include <memory>

#include "client/session.h"
#include "client/stats.h"
#include "client_hand.gen.h"
#include "client_remote.gen.h"
#include "link/loop.h"
#include "session/server.h"

namespace bitfusion::session_test {

enum class Direction { kToWorker, kToClient };

// Longer than anything here takes under the slowest sanitizer; a wait that reaches it has found a hang.
constexpr std::chrono::seconds kHang(30);

class SessionTest : public testing::Test {
  protected:
    void SetUp() override;
    void TearDown() override;

    // A new worker and a new client session, which cuInit then opens.
    void connect(const link::LoopFaults& faults = {}, Direction direction = Direction::kToWorker,
                 const DriverTable& driver = soft_driver());
    // cuInit, the primary context of device 0 current, a module with small kernels, 1 MiB of device memory.
    void open_device();
    // Ends the client's side; the worker's ends with it.
    void disconnect();

    CUresult launch(CUfunction function, CUstream stream, std::initializer_list<void*> arguments,
                    unsigned blocks = 1, unsigned threads = 32);
    CUresult add_one(CUdeviceptr data, unsigned count, CUstream stream);

    // How often a thread waited for the network meanwhile.
    static uint64_t round_trips(const std::function<void()>& program);

    std::unique_ptr<Server> server_;
    CUcontext context_ = nullptr;
    CUmodule module_ = nullptr;
    CUfunction add_one_ = nullptr;
    CUdeviceptr memory_ = 0;
    static constexpr size_t kBytes = 1u << 20;
};

}  // namespace bitfusion::session_test

#define CU_OK(...) ASSERT_EQ((__VA_ARGS__), CUDA_SUCCESS) << #__VA_ARGS__
