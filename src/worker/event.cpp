#include "worker/session.h"
#include "worker_hand.gen.h"

namespace bitfusion::worker {

void serve(Session& s, const Frame& frame, const msg::EventRecord& m) {
    CUresult result = CUDA_SUCCESS;
    const CUevent event = s.handles.find<CUevent>(m.event, &result);
    const CUstream stream = s.handles.find<CUstream>(m.stream, &result);
    if (result == CUDA_SUCCESS) result = s.enter(frame);
    if (result == CUDA_SUCCESS) {
        result = m.flags != 0 ? s.driver.cuEventRecordWithFlags(event, stream, m.flags)
                              : s.driver.cuEventRecord(event, stream);
    }
    if (m.captured != 0 && m.flags != 0) s.graphs.may_touch_client();  // an external record is a node
    if (result == CUDA_SUCCESS && m.captured == 0) s.watch_event(m.stream, m.event, event, m.mark);
    if (result != CUDA_SUCCESS && m.captured == 0) {
        // Without a record nothing would ever announce this mark, and a loop of queries would never end.
        s.announce(msg::EventReached{m.event, m.mark, static_cast<int32_t>(CUDA_SUCCESS)});
    }
    s.posted(frame, result);
}

void serve(Session& s, const Frame& frame, const msg::ContextEventRecord& m) {
    CUresult result = CUDA_SUCCESS;
    const CUcontext context = s.handles.find<CUcontext>(m.context, &result);
    const CUevent event = s.handles.find<CUevent>(m.event, &result);
    if (result == CUDA_SUCCESS) result = s.enter(frame);
    if (result == CUDA_SUCCESS)
        result = s.driver.cuCtxRecordEvent == nullptr ? CUDA_ERROR_NOT_SUPPORTED
                                                      : s.driver.cuCtxRecordEvent(context, event);
    if (result == CUDA_SUCCESS)
        s.watch_event(m.event, m.event, event, m.mark);  // by itself: it is of no stream
    else
        s.announce(msg::EventReached{m.event, m.mark, static_cast<int32_t>(CUDA_SUCCESS)});
    s.posted(frame, result);
}

void serve(Session& s, const Frame& frame, const msg::EventSynchronize& m) {
    CUresult result = CUDA_SUCCESS;
    const CUevent event = s.handles.find<CUevent>(m.event, &result);
    if (result == CUDA_SUCCESS) result = s.enter(frame);
    if (result != CUDA_SUCCESS) return s.reply_status(frame, result);
    const uint64_t name = m.event;
    s.wait({[&s, event, name] {
                CUresult known = CUDA_SUCCESS;  // destroyed meanwhile by another thread: then it is done
                if (s.handles.find<CUevent>(name, &known) != event) return CUDA_SUCCESS;
                const CUresult state = s.driver.cuEventQuery(event);
                return state == CUDA_SUCCESS ? s.driver.cuEventSynchronize(event) : state;
            },
            [&s, frame](CUresult state) {
                s.announce_printed();
                s.reply_status(frame, state);
            }});
}

CUresult cuEventDestroy_v2(Session& s, CUevent hEvent) {
    const uint64_t name = s.handles.name_of(hEvent, s.context_name());
    s.unwatch_event(name);
    if (s.exchange != nullptr) s.exchange->withdraw(Exchange::Kind::kEvent, name);
    return s.driver.cuEventDestroy_v2(hEvent);
}

}  // namespace bitfusion::worker
