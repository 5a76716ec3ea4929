#include "worker/launch_attributes.h"
#include "worker/session.h"
#include "worker/stream_wait.h"
#include "worker_hand.gen.h"

namespace bitfusion::worker {
namespace {

// Asks a stream in its own context: a stream handle of another context is legal in most calls, but the legacy
// stream means the current one's.
std::function<CUresult()> stream_ready(Session& s, uint64_t name, CUstream stream, bool flush_printed) {
    CUcontext context = nullptr;
    s.driver.cuCtxGetCurrent(&context);
    auto wait = std::make_shared<StreamWait>(&s, s.context_name(), stream);
    return [&s, name, stream, context, flush_printed, wait] {
        CUresult known =
            CUDA_SUCCESS;  // destroyed meanwhile by another thread: then there is nothing to wait for
        if (s.handles.find<CUstream>(name, &known) != stream) return CUDA_SUCCESS;
        CUresult state = s.driver.cuCtxPushCurrent_v2(context);
        if (state != CUDA_SUCCESS) return state;
        state = wait->ask();
        if (state == CUDA_SUCCESS && flush_printed)
            state = s.driver.cuStreamSynchronize(stream);
        else if (state == CUDA_ERROR_NOT_READY && wait->passed())
            state = CUDA_SUCCESS;  // another thread has sent more; what it prints comes with its own wait
        CUcontext popped = nullptr;
        s.driver.cuCtxPopCurrent_v2(&popped);
        return state;
    };
}

}  // namespace

void serve(Session& s, const Frame& frame, const msg::StreamSynchronize& m) {
    CUresult result = CUDA_SUCCESS;
    const CUstream stream = s.handles.find<CUstream>(m.stream, &result);
    if (result == CUDA_SUCCESS) result = s.enter(frame);
    if (result != CUDA_SUCCESS) return s.reply_status(frame, result);
    s.wait({stream_ready(s, m.stream, stream, true), [&s, frame](CUresult state) {
                s.announce_printed();
                s.reply_status(frame, state);
            }});
}

void serve(Session& s, const Frame& frame, const msg::StreamWatch& m) {
    CUresult result = CUDA_SUCCESS;
    const CUstream stream = s.handles.find<CUstream>(m.stream, &result);
    if (result == CUDA_SUCCESS) result = s.enter(frame);
    if (result != CUDA_SUCCESS) return s.posted(frame, result);
    const uint64_t mark = m.mark;
    s.wait({stream_ready(s, m.stream, stream, false), [&s, mark](CUresult state) {
                s.announce(msg::StreamReached{mark, static_cast<int32_t>(state)});
            }});
}

CUresult cuStreamSetAttribute(Session& s, CUstream hStream, CUstreamAttrID attr,
                              const CUstreamAttrValue* value) {
    if (s.driver.cuStreamSetAttribute == nullptr) return CUDA_ERROR_NOT_SUPPORTED;
    CUlaunchAttribute attribute{};
    attribute.id = attr;
    attribute.value = *value;
    const CUresult result = localise_attribute(s, &attribute);
    return result != CUDA_SUCCESS ? result : s.driver.cuStreamSetAttribute(hStream, attr, &attribute.value);
}

}  // namespace bitfusion::worker
