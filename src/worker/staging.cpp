#include "worker/staging.h"

#include "worker/stream_mark.h"

namespace bitfusion::worker {

Staging::Buffer* Staging::try_acquire(CUresult* result, bool more) {
    *result = CUDA_SUCCESS;
    for (const auto& buffer : buffers_) {
        if (buffer->busy) continue;
        if (buffer->in_flight) {
            const CUresult state = driver_->cuEventQuery(buffer->used_until);
            if (state == CUDA_ERROR_NOT_READY) continue;
            buffer->in_flight = false;
        }
        buffer->busy = true;
        return buffer.get();
    }
    if (buffers_.size() >= (more ? 16 * kMost : kMost)) return nullptr;
    auto made = std::make_unique<Buffer>();
    void* pages = nullptr;
    *result = driver_->cuMemHostAlloc(&pages, kBytes, CU_MEMHOSTALLOC_PORTABLE);
    if (*result != CUDA_SUCCESS) return nullptr;
    made->data = static_cast<uint8_t*>(pages);
    made->busy = true;
    buffers_.push_back(std::move(made));
    return buffers_.back().get();
}

CUresult Staging::release_after(Buffer* buffer, CUstream stream, uint64_t context) {
    // An event belongs to the context in which it was made; the stream's may be another one since.
    if (buffer->used_until != nullptr) driver_->cuEventDestroy_v2(buffer->used_until);
    buffer->used_until = nullptr;
    const CUresult result = mark_stream(*driver_, stream, &buffer->used_until);
    buffer->context = context;
    buffer->in_flight = result == CUDA_SUCCESS;
    buffer->busy = false;
    return result;
}

void Staging::forget_events(uint64_t context) {
    for (const auto& buffer : buffers_) {
        if (buffer->context != context) continue;
        buffer->used_until = nullptr;
        buffer->in_flight = false;
    }
}

}  // namespace bitfusion::worker
