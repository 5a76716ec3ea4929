// A gate in a stream: work behind it waits until the test opens it. With it a test knows, without a clock,
// that a stream is busy.
//
// The gate is a host function (cuLaunchHostFunc) that waits on the test. It opens by itself when it is
// destroyed, so a failing test never leaves a stream stuck.
#pragma once

#include <condition_variable>
#include <mutex>

#include "conformance/target.h"

namespace bitfusion::conformance {

class Gate {
  public:
    Gate() = default;
    ~Gate();  // opens, and waits until the stream has left the gate
    Gate(const Gate&) = delete;
    Gate& operator=(const Gate&) = delete;

    // Puts the gate into a stream, once. CUDA_ERROR_NOT_SUPPORTED when the target has no host functions.
    CUresult put(CUstream stream);
    void open();

  private:
    static void wait_in_stream(void* self);

    std::mutex mutex_;
    std::condition_variable changed_;
    bool open_ = false;
    bool placed_ = false;
    bool left_ = false;
};

}  // namespace bitfusion::conformance

// Puts a gate, or skips the test when the target has no host functions.
#define PUT_GATE(gate, stream)                                                               \
    do {                                                                                     \
        const CUresult gate_result = (gate).put(stream);                                     \
        if (gate_result == CUDA_ERROR_NOT_SUPPORTED && ::bitfusion::conformance::may_skip()) \
            GTEST_SKIP() << "cuLaunchHostFunc is not supported by this target";              \
        ASSERT_EQ(gate_result, CUDA_SUCCESS);                                                \
    } while (false)
