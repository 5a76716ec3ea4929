#include "worker/stream_wait.h"

#include "worker/session.h"

namespace bitfusion::worker {

// On the legacy stream a mark would wait for all streams that block with it, and they for the mark: more than
// the program asked for.
bool StreamWait::may_mark() const {
    if (stream_ != nullptr && stream_ != CU_STREAM_LEGACY) return true;
    bool alone = true;
    session_->handles.each_stream(context_, [&](CUstream stream) {
        unsigned flags = 0;
        alone = alone && session_->driver.cuStreamGetFlags(stream, &flags) == CUDA_SUCCESS &&
                (flags & CU_STREAM_NON_BLOCKING) != 0;
    });
    return alone;
}

CUresult StreamWait::ask() {
    if (mark_) {
        const CUresult state = mark_();
        if (state == CUDA_ERROR_NOT_READY) return state;
        mark_ = {};
        passed_ = state == CUDA_SUCCESS;
    }
    const CUresult state = session_->driver.cuStreamQuery(stream_);
    if (state != CUDA_ERROR_NOT_READY || tried_) return state;
    tried_ = true;
    if (may_mark()) mark_ = session_->marks.place_word(stream_, context_);
    return state;
}

}  // namespace bitfusion::worker
