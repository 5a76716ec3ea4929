#include <memory>
#include <mutex>
#include <unordered_map>

#include "client/context.h"
#include "client/feedback.h"
#include "client/handover.h"
#include "client/session.h"
#include "client/stream.h"
#include "client_hand.gen.h"
#include "client_remote.gen.h"

namespace bitfusion::client {
namespace {

struct State {
    unsigned flags = 0;
    CUcontext context = nullptr;
    uint64_t mark = 0;  // of the last record; 0: never recorded
    bool reached = true;
    bool captured = false;
    bool shared = false;  // other processes record it too: only the worker knows
    CUresult status = CUDA_SUCCESS;
};

struct Events {
    std::mutex lock;
    std::unordered_map<CUevent, State> states;
    uint64_t last_mark = 0;
};

Events& events() {
    static Events* const made = std::make_unique<Events>().release();  // outlives every exit handler
    return *made;
}

bool state_of(CUevent event, State* state) {
    const std::lock_guard<std::mutex> lock(events().lock);
    const auto found = events().states.find(event);
    if (found == events().states.end()) return false;
    *state = found->second;
    return true;
}

// What the driver says of the event now.
CUresult event_now(CUevent event, CUresult* status) {
    return call(msg::EventNow{wire_name(event)}, [status](const msg::EventNow::Reply& reply) {
        *status = static_cast<CUresult>(reply.status);
    });
}

// A record of an event that other processes see has been posted. The program may now tell one of them, which
// goes its own way to the driver: so the record must have arrived there.
CUresult arrived(CUevent event) {
    CUresult status = CUDA_SUCCESS;
    return event_now(event, &status);
}

}  // namespace

CUresult cuEventCreate(CUevent* phEvent, unsigned int Flags) {
    if (current_context() == nullptr) return CUDA_ERROR_INVALID_CONTEXT;
    constexpr unsigned kKnown = CU_EVENT_BLOCKING_SYNC | CU_EVENT_DISABLE_TIMING | CU_EVENT_INTERPROCESS;
    if (phEvent == nullptr || (Flags & ~kKnown) != 0) return CUDA_ERROR_INVALID_VALUE;
    const bool shared = (Flags & CU_EVENT_INTERPROCESS) != 0;
    if (shared && (Flags & CU_EVENT_DISABLE_TIMING) == 0) return CUDA_ERROR_INVALID_VALUE;
    const CUresult result = remote::cuEventCreate(phEvent, Flags);
    if (result != CUDA_SUCCESS) return result;
    const std::lock_guard<std::mutex> lock(events().lock);
    State& state = events().states[*phEvent];
    state.flags = Flags;
    state.context = current_context();
    state.shared = shared;
    return CUDA_SUCCESS;
}

void remember_opened_event(CUevent event) {
    const std::lock_guard<std::mutex> lock(events().lock);
    State& state = events().states[event];
    state.flags = CU_EVENT_DISABLE_TIMING | CU_EVENT_INTERPROCESS;
    state.context = current_context();
    state.shared = true;
}

CUresult cuEventDestroy_v2(CUevent hEvent) {
    {
        const std::lock_guard<std::mutex> lock(events().lock);
        if (events().states.erase(hEvent) == 0) return CUDA_ERROR_INVALID_HANDLE;
    }
    return remote::cuEventDestroy_v2(hEvent);
}

CUresult cuEventRecordWithFlags(CUevent hEvent, CUstream hStream, unsigned int flags) {
    if ((flags & ~static_cast<unsigned>(CU_EVENT_RECORD_EXTERNAL)) != 0) return CUDA_ERROR_INVALID_VALUE;
    const CUstream stream = resolve_stream(hStream);
    const bool captured = is_capturing(stream);
    CUcontext owner = nullptr;  // asked for only where there may be a choice
    if (several_contexts() && cuStreamGetCtx(stream, &owner) != CUDA_SUCCESS) owner = nullptr;
    msg::EventRecord m{wire_name(hEvent), wire_name(stream), flags, captured ? 1u : 0u, 0};
    bool shared = false;
    {
        const std::lock_guard<std::mutex> lock(events().lock);
        const auto found = events().states.find(hEvent);
        if (found == events().states.end()) return CUDA_ERROR_INVALID_HANDLE;
        State& state = found->second;
        if (owner != nullptr && owner != state.context) return CUDA_ERROR_INVALID_HANDLE;
        m.mark = ++events().last_mark;
        state.captured = captured;
        state.status = CUDA_SUCCESS;
        shared = state.shared && !captured;
        if (!captured) {
            state.mark = m.mark;
            state.reached = false;
        }
    }
    if (captured) capture_event(hEvent, stream);
    touch_stream(stream);
    const CUresult result = post(m);
    return result == CUDA_SUCCESS && shared ? arrived(hEvent) : result;
}

uint64_t mark_event(CUevent event) {
    const std::lock_guard<std::mutex> lock(events().lock);
    const auto found = events().states.find(event);
    if (found == events().states.end()) return 0;
    State& state = found->second;
    state.mark = ++events().last_mark;
    state.reached = false;
    state.captured = false;
    state.status = CUDA_SUCCESS;
    return state.mark;
}

CUresult cuCtxRecordEvent(CUcontext hCtx, CUevent hEvent) {
    CUdevice device = -1;
    const CUcontext context = hCtx != nullptr ? hCtx : current_context();
    if (context == nullptr || !device_of(context, &device)) return CUDA_ERROR_INVALID_CONTEXT;
    const uint64_t mark = mark_event(hEvent);
    if (mark == 0) return CUDA_ERROR_INVALID_HANDLE;
    State state;
    const CUresult result = post(msg::ContextEventRecord{wire_name(context), wire_name(hEvent), mark});
    return result == CUDA_SUCCESS && state_of(hEvent, &state) && state.shared ? arrived(hEvent) : result;
}

CUresult cuCtxWaitEvent(CUcontext hCtx, CUevent hEvent) {
    CUdevice device = -1;
    State state;
    const CUcontext context = hCtx != nullptr ? hCtx : current_context();
    if (context == nullptr || !device_of(context, &device)) return CUDA_ERROR_INVALID_CONTEXT;
    if (!state_of(hEvent, &state)) return CUDA_ERROR_INVALID_HANDLE;
    touch_streams_of(context);
    return remote::cuCtxWaitEvent(context, hEvent);
}

CUresult cuEventRecord(CUevent hEvent, CUstream hStream) {
    return cuEventRecordWithFlags(hEvent, hStream, 0);
}

CUresult cuEventQuery(CUevent hEvent) {
    Session* s = session();
    State state;
    if (!state_of(hEvent, &state)) return CUDA_ERROR_INVALID_HANDLE;
    if (state.captured) return CUDA_ERROR_CAPTURED_EVENT;
    if (state.shared) {
        CUresult status = CUDA_SUCCESS;
        const CUresult asked = event_now(hEvent, &status);
        if (asked != CUDA_SUCCESS) return asked;
        return status == CUDA_SUCCESS ? take_back() : status;
    }
    if (!state.reached) {
        s->poll();
        state_of(hEvent, &state);
    }
    if (const CUresult dead = s->sticky(); dead != CUDA_SUCCESS) return dead;
    if (!state.reached) {
        const CUresult shown = show_gpu();
        return shown != CUDA_SUCCESS ? shown : CUDA_ERROR_NOT_READY;
    }
    return state.status == CUDA_SUCCESS ? take_back() : state.status;
}

CUresult cuEventSynchronize(CUevent hEvent) {
    Session* s = session();
    State state;
    if (!state_of(hEvent, &state)) return CUDA_ERROR_INVALID_HANDLE;
    if (state.captured) return CUDA_ERROR_CAPTURED_EVENT;
    if (const CUresult dead = s->sticky(); dead != CUDA_SUCCESS) return dead;
    if (state.reached && !state.shared) {
        const CUresult taken = state.status == CUDA_SUCCESS ? take_back() : state.status;
        return taken != CUDA_SUCCESS ? taken : s->take_deferred();
    }
    CUresult result = show_gpu();
    if (result == CUDA_SUCCESS) result = call(msg::EventSynchronize{wire_name(hEvent)}, [](const auto&) {});
    if (result == CUDA_SUCCESS) event_reached(wire_name(hEvent), state.mark, CUDA_SUCCESS);
    return result == CUDA_SUCCESS ? take_back() : result;
}

CUresult cuEventElapsedTime_v2(float* pMilliseconds, CUevent hStart, CUevent hEnd) {
    State start;
    State end;
    if (!state_of(hStart, &start) || !state_of(hEnd, &end)) return CUDA_ERROR_INVALID_HANDLE;
    if (((start.flags | end.flags) & CU_EVENT_DISABLE_TIMING) != 0 || start.mark == 0 || end.mark == 0)
        return CUDA_ERROR_INVALID_HANDLE;
    if (!start.reached || !end.reached) {
        session()->poll();
        if (!state_of(hStart, &start) || !state_of(hEnd, &end)) return CUDA_ERROR_INVALID_HANDLE;
        if (!start.reached || !end.reached) return CUDA_ERROR_NOT_READY;
    }
    return remote::cuEventElapsedTime_v2(pMilliseconds, hStart, hEnd);
}

CUresult cuEventElapsedTime(float* pMilliseconds, CUevent hStart, CUevent hEnd) {
    return cuEventElapsedTime_v2(pMilliseconds, hStart, hEnd);
}

void event_reached(uint64_t event, uint64_t mark, CUresult status) {
    const std::lock_guard<std::mutex> lock(events().lock);
    const auto found = events().states.find(from_wire_name<CUevent>(event));
    if (found == events().states.end() || found->second.mark != mark) return;
    found->second.reached = true;
    found->second.status = status;
}

}  // namespace bitfusion::client
