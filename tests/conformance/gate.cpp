#include "conformance/gate.h"

#include <chrono>
#include <cstdio>
#include <cstdlib>

namespace bitfusion::conformance {

CUresult Gate::put(CUstream stream) {
    const CUresult code = CU_CALL(cuLaunchHostFunc, stream, &Gate::wait_in_stream, this);
    placed_ = code == CUDA_SUCCESS;
    return code;
}

void Gate::open() {
    const std::lock_guard lock(mutex_);
    open_ = true;
    changed_.notify_all();
}

Gate::~Gate() {
    open();
    std::unique_lock lock(mutex_);
    if (!changed_.wait_for(lock, std::chrono::minutes(1), [this] { return !placed_ || left_; })) {
        // The stream will call into this object some day: going on would be a write into freed memory.
        std::fprintf(
            stderr,
            "a gate's host function was not called within a minute; the stream is stuck or lost it\n");
        std::abort();
    }
}

void Gate::wait_in_stream(void* self) {
    auto* gate = static_cast<Gate*>(self);
    std::unique_lock lock(gate->mutex_);
    gate->changed_.wait(lock, [gate] { return gate->open_; });
    gate->left_ = true;
    // Under the lock: after it the destructor may already have ended the gate's life.
    gate->changed_.notify_all();
}

}  // namespace bitfusion::conformance
