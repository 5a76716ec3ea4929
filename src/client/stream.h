// Streams of the client: pseudo handles, per-thread streams, watches for queries.
#pragma once

#include <cstdint>
#include <span>

#include "cuda_types.gen.h"

namespace bitfusion::client {

// What a call of a _ptsz variant means by its stream: NULL and CU_STREAM_PER_THREAD are the calling thread's
// own stream in the current context, made at its first use. Others are returned as they are.
CUstream per_thread_stream(CUstream stream);
// What any call means: only CU_STREAM_PER_THREAD is the thread's own.
CUstream resolve_stream(CUstream stream);

// The stream of a synchronous copy: NULL, or the thread's own stream inside a _ptds call.
CUstream implicit_stream();
class ImplicitStream {
  public:
    ImplicitStream();
    ~ImplicitStream();
    ImplicitStream(const ImplicitStream&) = delete;
    ImplicitStream& operator=(const ImplicitStream&) = delete;
};

// Something was put on every stream of the context.
void touch_streams_of(CUcontext context);

void stream_reached(uint64_t mark, CUresult status);

// Text of device printf or of a device assert, exactly as it came.
void write_printed(int descriptor, std::span<const uint8_t> text);

// ---- capture (capture.cpp): which streams and events belong to a capture under way ----
bool any_capture();
bool is_capturing(CUstream stream);
// An event recorded in a capturing stream carries the capture; a stream that waits for it joins.
void capture_event(CUevent event, CUstream stream);
void capture_wait(CUstream stream, CUevent event);

}  // namespace bitfusion::client
