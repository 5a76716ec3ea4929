#include "client/stream.h"

#include <unistd.h>

#include <cstdio>
#include <map>
#include <memory>
#include <mutex>
#include <unordered_map>

#include "client/context.h"
#include "client/device.h"
#include "client/feedback.h"
#include "client/handover.h"
#include "client/session.h"
#include "client_hand.gen.h"
#include "client_remote.gen.h"

namespace bitfusion::client {
namespace {

struct Facts {
    CUcontext context;
    unsigned flags;
    int priority;
};

struct Watch {
    CUstream stream;
    uint64_t touch;
};

struct Streams {
    std::mutex lock;
    std::unordered_map<CUstream, Facts> facts;
    std::unordered_map<uint64_t, Watch> watches;      // by mark
    std::unordered_map<CUstream, uint64_t> watching;  // the touch that is being watched for
    uint64_t last_mark = 0;
};

Streams& streams() {
    static Streams* const made = std::make_unique<Streams>().release();  // outlives every exit handler
    return *made;
}

thread_local int t_implicit = 0;

// The calling thread's own streams, one per context; they end with the thread. Exit handlers may still ask
// after the main thread's are gone: then there is none.
thread_local bool t_streams_gone = false;

struct ThreadStreams {
    std::map<CUcontext, CUstream> of;
    ~ThreadStreams() {
        t_streams_gone = true;
        if (session() == nullptr || session()->lost()) return;
        for (const auto& [context, stream] : of) cuStreamDestroy_v2(stream);
    }
};

CUstream own_stream() {
    if (t_streams_gone) return nullptr;
    thread_local ThreadStreams t_streams;
    CUstream& stream = t_streams.of[current_context()];
    if (stream == nullptr && cuStreamCreateWithPriority(&stream, CU_STREAM_DEFAULT, 0) != CUDA_SUCCESS)
        stream = nullptr;
    return stream;
}

bool facts_of(CUstream stream, Facts* facts) {
    const CUstream real = resolve_stream(stream);
    if (real == nullptr || real == CU_STREAM_LEGACY) {
        *facts = {current_context(), CU_STREAM_DEFAULT, 0};
        return current_context() != nullptr;
    }
    const std::lock_guard<std::mutex> lock(streams().lock);
    const auto found = streams().facts.find(real);
    if (found == streams().facts.end()) return false;
    *facts = found->second;
    return true;
}

CUresult unknown_stream(CUstream stream) {
    return stream == nullptr || stream == CU_STREAM_LEGACY ? CUDA_ERROR_INVALID_CONTEXT
                                                           : CUDA_ERROR_INVALID_HANDLE;
}

}  // namespace

CUstream per_thread_stream(CUstream stream) {
    return stream == nullptr || stream == CU_STREAM_PER_THREAD ? own_stream() : stream;
}
CUstream resolve_stream(CUstream stream) { return stream == CU_STREAM_PER_THREAD ? own_stream() : stream; }

CUstream implicit_stream() { return t_implicit != 0 ? own_stream() : nullptr; }
ImplicitStream::ImplicitStream() { ++t_implicit; }
ImplicitStream::~ImplicitStream() { --t_implicit; }

void write_printed(int descriptor, std::span<const uint8_t> text) {
    if (text.empty()) return;
    // Through the program's own buffer, so that the order with what it prints itself is the program's.
    FILE* out = descriptor == STDERR_FILENO ? stderr : stdout;
    fwrite(text.data(), 1, text.size(), out);
    fflush(out);
}

CUresult cuStreamCreate(CUstream* phStream, unsigned int Flags) {
    return cuStreamCreateWithPriority(phStream, Flags, 0);
}

CUresult cuStreamCreateWithPriority(CUstream* phStream, unsigned int flags, int priority) {
    if (current_context() == nullptr) return CUDA_ERROR_INVALID_CONTEXT;
    if (phStream == nullptr || (flags & ~static_cast<unsigned>(CU_STREAM_NON_BLOCKING)) != 0)
        return CUDA_ERROR_INVALID_VALUE;
    int least = 0;
    int greatest = 0;
    if (priority != 0) {
        const CUresult asked = cuCtxGetStreamPriorityRange(&least, &greatest);
        if (asked != CUDA_SUCCESS) return asked;
        priority = priority > least ? least : priority < greatest ? greatest : priority;
    }
    const CUresult result = remote::cuStreamCreateWithPriority(phStream, flags, priority);
    if (result != CUDA_SUCCESS) return result;
    const std::lock_guard<std::mutex> lock(streams().lock);
    streams().facts[*phStream] = {current_context(), flags, priority};
    return CUDA_SUCCESS;
}

CUresult cuStreamDestroy_v2(CUstream hStream) {
    {
        const std::lock_guard<std::mutex> lock(streams().lock);
        streams().watching.erase(hStream);
        if (streams().facts.erase(hStream) == 0) return CUDA_ERROR_INVALID_HANDLE;
    }
    return remote::cuStreamDestroy_v2(hStream);
}

CUresult cuStreamGetPriority(CUstream hStream, int* priority) {
    Facts facts{};
    if (priority == nullptr) return CUDA_ERROR_INVALID_VALUE;
    if (!facts_of(hStream, &facts)) return unknown_stream(hStream);
    *priority = facts.priority;
    return CUDA_SUCCESS;
}

CUresult cuStreamGetFlags(CUstream hStream, unsigned int* flags) {
    Facts facts{};
    if (flags == nullptr) return CUDA_ERROR_INVALID_VALUE;
    if (!facts_of(hStream, &facts)) return unknown_stream(hStream);
    *flags = facts.flags;
    return CUDA_SUCCESS;
}

CUresult cuStreamGetId(CUstream hStream, unsigned long long* streamId) {
    Facts facts{};
    if (streamId == nullptr) return CUDA_ERROR_INVALID_VALUE;
    if (!facts_of(hStream, &facts)) return unknown_stream(hStream);
    const CUstream real = resolve_stream(hStream);
    // The legacy stream of each context needs an id of its own: the context's, which no stream has.
    *streamId =
        real == nullptr || real == CU_STREAM_LEGACY ? id_of(facts.context) : reinterpret_cast<uint64_t>(real);
    return CUDA_SUCCESS;
}

CUresult cuStreamGetCtx(CUstream hStream, CUcontext* pctx) {
    Facts facts{};
    if (pctx == nullptr) return CUDA_ERROR_INVALID_VALUE;
    if (!facts_of(hStream, &facts)) return unknown_stream(hStream);
    *pctx = facts.context;
    return CUDA_SUCCESS;
}

CUresult cuStreamGetCtx_v2(CUstream hStream, CUcontext* pCtx, CUgreenCtx* pGreenCtx) {
    const CUresult result = cuStreamGetCtx(hStream, pCtx);
    if (result == CUDA_SUCCESS && pGreenCtx != nullptr) *pGreenCtx = nullptr;
    return result;
}

CUresult cuStreamGetGreenCtx(CUstream hStream, CUgreenCtx* phCtx) {
    Facts facts{};
    if (phCtx == nullptr) return CUDA_ERROR_INVALID_VALUE;
    if (!facts_of(hStream, &facts)) return unknown_stream(hStream);
    *phCtx = nullptr;  // there are none
    return CUDA_SUCCESS;
}

CUresult cuStreamGetDevice(CUstream hStream, CUdevice* device) {
    Facts facts{};
    if (device == nullptr) return CUDA_ERROR_INVALID_VALUE;
    if (!facts_of(hStream, &facts)) return unknown_stream(hStream);
    return device_of(facts.context, device) ? CUDA_SUCCESS : CUDA_ERROR_INVALID_CONTEXT;
}

CUresult cuStreamWaitEvent(CUstream hStream, CUevent hEvent, unsigned int Flags) {
    const CUstream stream = resolve_stream(hStream);
    if (any_capture()) capture_wait(stream, hEvent);
    return remote::cuStreamWaitEvent(stream, hEvent, Flags);
}

CUresult cuStreamSynchronize(CUstream hStream) {
    Session* s = session();
    Facts facts{};
    if (!facts_of(hStream, &facts)) return unknown_stream(hStream);
    const CUstream stream = resolve_stream(hStream);
    if (const CUresult dead = s->sticky(); dead != CUDA_SUCCESS) return dead;
    // Waiting for a capturing stream is an error that also ends the capture: that is the driver's to do.
    if (!is_capturing(stream) && stream_idle(stream)) {
        const CUresult taken = take_back();
        return taken != CUDA_SUCCESS ? taken : s->take_deferred();
    }
    const uint64_t touch = stream == nullptr || stream == CU_STREAM_LEGACY ? last_touch() : touch_of(stream);
    CUresult result = show_gpu();
    if (result == CUDA_SUCCESS) result = call(msg::StreamSynchronize{wire_name(stream)}, [](const auto&) {});
    if (result == CUDA_SUCCESS) stream_done(stream, touch);
    return result == CUDA_SUCCESS ? take_back() : result;
}

CUresult cuStreamQuery(CUstream hStream) {
    Session* s = session();
    Facts facts{};
    if (!facts_of(hStream, &facts)) return unknown_stream(hStream);
    const CUstream stream = resolve_stream(hStream);
    if (is_capturing(stream)) return call(msg::StreamSynchronize{wire_name(stream)}, [](const auto&) {});
    if (!stream_idle(stream)) s->poll();
    if (const CUresult dead = s->sticky(); dead != CUDA_SUCCESS) return dead;
    if (stream_idle(stream)) {
        const CUresult taken = take_back();
        return taken != CUDA_SUCCESS ? taken : s->take_deferred();
    }
    const uint64_t touch = stream == nullptr || stream == CU_STREAM_LEGACY ? last_touch() : touch_of(stream);
    if (const CUresult shown = show_gpu(); shown != CUDA_SUCCESS) return shown;
    msg::StreamWatch m{wire_name(stream), 0};
    {
        const std::lock_guard<std::mutex> lock(streams().lock);
        uint64_t& watching = streams().watching[stream];
        if (watching == touch) return CUDA_ERROR_NOT_READY;
        watching = touch;
        m.mark = ++streams().last_mark;
        // The answer comes on a thread with another current context, or none: there the legacy stream is
        // known by its context's name alone (feedback.cpp, slot_of).
        const bool legacy = stream == nullptr || stream == CU_STREAM_LEGACY;
        streams().watches[m.mark] = {legacy ? reinterpret_cast<CUstream>(current_context()) : stream, touch};
    }
    const CUresult result = post(m);
    return result == CUDA_SUCCESS ? CUDA_ERROR_NOT_READY : result;
}

void touch_streams_of(CUcontext context) {
    touch_stream(
        from_wire_name<CUstream>(id_of(context)));  // the legacy stream is known by its context's name
    const std::lock_guard<std::mutex> lock(streams().lock);
    for (const auto& [stream, facts] : streams().facts) {
        if (facts.context == context) touch_stream(stream);
    }
}

void stream_reached(uint64_t mark, CUresult status) {
    Watch watch{};
    {
        const std::lock_guard<std::mutex> lock(streams().lock);
        const auto found = streams().watches.find(mark);
        if (found == streams().watches.end()) return;
        watch = found->second;
        streams().watches.erase(found);
    }
    if (status != CUDA_SUCCESS) {
        if (Session* s = session(); s != nullptr) s->defer(status);
    }
    stream_done(watch.stream, watch.touch);
}

CUresult synchronize_context(CUcontext context) {
    Session* s = session();
    if (const CUresult dead = s->sticky(); dead != CUDA_SUCCESS) return dead;
    if (all_idle()) {
        const CUresult taken = take_back();
        return taken != CUDA_SUCCESS ? taken : s->take_deferred();
    }
    const uint64_t touch = last_touch();
    CUresult result = show_gpu();
    if (result == CUDA_SUCCESS)
        result = call(msg::ContextSynchronize{wire_name(context)}, [](const auto&) {});
    if (result != CUDA_SUCCESS) return result;
    if (!several_contexts()) all_done(touch);
    stream_done(from_wire_name<CUstream>(id_of(context)), touch);  // the context's legacy stream
    {
        const std::lock_guard<std::mutex> lock(streams().lock);
        for (const auto& [stream, facts] : streams().facts) {
            if (facts.context == context) stream_done(stream, touch);
        }
    }
    return take_back();
}

}  // namespace bitfusion::client
