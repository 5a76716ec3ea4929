// Waiting for a stream without blocking: asked once, and when there is work on it, by a mark behind that work
// (stream_mark.h), which is seen sooner than the driver says that a stream is idle, and which work that comes
// later does not delay. One thread: the dispatch thread.
#pragma once

#include <functional>

#include "cuda_types.gen.h"

namespace bitfusion::worker {

class Session;

class StreamWait {
  public:
    // `context` is the name of the stream's context, which must be current when ask() is called.
    StreamWait(Session* session, uint64_t context, CUstream stream)
        : session_(session), context_(context), stream_(stream) {}

    // CUDA_ERROR_NOT_READY while there is work on the stream. Work that came after the first call may count.
    CUresult ask();
    // Everything that was on the stream at the first call is done, whatever ask() said of later work.
    bool passed() const { return passed_; }

  private:
    bool may_mark() const;

    Session* const session_;
    const uint64_t context_;
    const CUstream stream_;
    std::function<CUresult()> mark_;
    bool tried_ = false;
    bool passed_ = false;
};

}  // namespace bitfusion::worker
