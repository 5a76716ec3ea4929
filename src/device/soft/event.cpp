#include "device/soft/event.h"

#include "device/soft/capture.h"
#include "device/soft/entry.h"
#include "device/soft/serve.h"
#include "device/soft/shared_records.h"
#include "driver_table.gen.h"

namespace bitfusion::soft {

Event::Event(CUevent number, std::shared_ptr<Context> of, unsigned set_flags)
    : handle(number), context(std::move(of)), flags(set_flags) {}

TaskPtr make_record(Event& event, const ContextPtr&) {
    auto record = std::make_shared<Record>();
    record->mark = std::make_shared<Task>();
    record->mark->lane = Lane::kInline;
    // The record owns the mark, so the mark must not own the record.
    record->mark->body = [weak = std::weak_ptr<Record>(record)] {
        if (const auto passed = weak.lock()) passed->passed = std::chrono::steady_clock::now();
    };
    if (event.shared != nullptr) {
        // Other processes wait for it, whatever became of this one's context.
        record->mark->runs_on_fault = true;
        record->mark->body = [records = event.shared, number = event.shared->begin()] {
            records->pass(number);
        };
    }
    event.record = record;
    return record->mark;
}

TaskPtr last_mark_locked(const Event& event) {
    if (event.shared == nullptr) return event.record != nullptr ? event.record->mark : nullptr;
    const uint64_t number = event.shared->last();
    if (event.shared->passed(number)) return nullptr;
    auto task = std::make_shared<Task>();
    task->lane = Lane::kPoll;
    task->ready = [records = event.shared, number] { return records->passed(number); };
    driver().scheduler.submit_locked(task, {});
    return task;
}

namespace {

constexpr unsigned kEventFlags = CU_EVENT_BLOCKING_SYNC | CU_EVENT_DISABLE_TIMING | CU_EVENT_INTERPROCESS;

// A function about one event: body(Event&, Context&).
template <typename Body>
CUresult entry_on_event(CUevent handle, Body&& body) noexcept {
    return entry_initialized([&]() -> CUresult {
        const EventPtr event = driver().events.find(handle);
        if (event == nullptr) return CUDA_ERROR_INVALID_HANDLE;
        const ContextPtr context = event->context.lock();
        if (context == nullptr) return CUDA_ERROR_CONTEXT_IS_DESTROYED;
        if (context->fault() != CUDA_SUCCESS) return context->fault();
        return body(*event, context);
    });
}

TaskPtr last_mark(const Event& event) {
    const std::lock_guard lock(driver().scheduler.mutex());
    return last_mark_locked(event);
}

std::shared_ptr<Record> last_record(const Event& event) {
    const std::lock_guard lock(driver().scheduler.mutex());
    return event.record;
}

CUresult cuEventCreate(CUevent* out, unsigned int flags) {
    return entry_in_context([&](const ContextPtr& context) {
        if (out == nullptr || (flags & ~kEventFlags) != 0) return CUDA_ERROR_INVALID_VALUE;
        const bool shared = (flags & CU_EVENT_INTERPROCESS) != 0;
        if (shared && (flags & CU_EVENT_DISABLE_TIMING) == 0) return CUDA_ERROR_INVALID_VALUE;
        auto event = std::make_shared<Event>(driver().events.issue(), context, flags);
        if (shared) {
            event->shared = SharedRecords::make(context->gpu.ordinal());
            if (event->shared == nullptr) return CUDA_ERROR_OUT_OF_MEMORY;
        }
        *out = event->handle;
        driver().events.add(event->handle, event);
        return CUDA_SUCCESS;
    });
}

CUresult cuEventDestroy_v2(CUevent handle) {
    return entry_initialized(
        [&] { return driver().events.remove(handle) == nullptr ? CUDA_ERROR_INVALID_HANDLE : CUDA_SUCCESS; });
}

CUresult record(CUevent handle, CUstream stream_handle, unsigned int flags) {
    return entry_on_stream(stream_handle, [&](const ContextPtr& context, const StreamPtr& stream) {
        const EventPtr event = driver().events.find(handle);
        if (event == nullptr) return CUDA_ERROR_INVALID_HANDLE;
        if ((flags & ~static_cast<unsigned>(CU_EVENT_RECORD_EXTERNAL)) != 0) return CUDA_ERROR_INVALID_VALUE;
        if (event->context.lock() != context) return CUDA_ERROR_INVALID_HANDLE;
        bool handled = false;
        const CUresult result = capture_record(*stream, *event, flags != 0, &handled);
        if (result != CUDA_SUCCESS || handled) return result;
        return submit(context, stream, RecordWork{event});
    });
}

CUresult cuEventRecord(CUevent handle, CUstream stream) { return record(handle, stream, 0); }

CUresult cuEventRecordWithFlags(CUevent handle, CUstream stream, unsigned int flags) {
    return record(handle, stream, flags);
}

CUresult cuStreamWaitEvent(CUstream stream_handle, CUevent handle, unsigned int flags) {
    return entry_on_stream(stream_handle, [&](const ContextPtr& context, const StreamPtr& stream) {
        const EventPtr event = driver().events.find(handle);
        if (event == nullptr) return CUDA_ERROR_INVALID_HANDLE;
        if ((flags & ~static_cast<unsigned>(CU_EVENT_WAIT_EXTERNAL)) != 0) return CUDA_ERROR_INVALID_VALUE;
        bool handled = false;
        const CUresult result = capture_wait(context, stream, *event, flags != 0, &handled);
        if (result != CUDA_SUCCESS || handled) return result;
        return submit(context, stream, WaitWork{event});
    });
}

CUresult cuEventQuery(CUevent handle) {
    return entry_on_event(handle, [&](Event& event, const ContextPtr& context) {
        CUresult result = forbid_captured(event);
        if (result == CUDA_SUCCESS) result = forbid_in_capture(context);
        if (result != CUDA_SUCCESS) return result;
        const TaskPtr mark = event.shared != nullptr ? nullptr : last_mark(event);
        const bool passed = event.shared != nullptr ? event.shared->passed(event.shared->last())
                                                    : mark == nullptr || mark->done();
        return passed ? context->fault() : CUDA_ERROR_NOT_READY;
    });
}

CUresult cuEventSynchronize(CUevent handle) {
    return entry_on_event(handle, [&](Event& event, const ContextPtr& context) {
        CUresult result = forbid_captured(event);
        if (result == CUDA_SUCCESS) result = forbid_in_capture(context);
        if (result != CUDA_SUCCESS) return result;
        if (const TaskPtr mark = last_mark(event); mark != nullptr) driver().scheduler.wait(mark);
        context->prints.flush();
        return context->fault();
    });
}

CUresult cuEventElapsedTime_v2(float* milliseconds, CUevent start, CUevent end) {
    return entry_on_event(start, [&](Event& first, const ContextPtr& context) {
        if (milliseconds == nullptr) return CUDA_ERROR_INVALID_VALUE;
        const EventPtr second = driver().events.find(end);
        if (second == nullptr || second->context.lock() != context) return CUDA_ERROR_INVALID_HANDLE;
        if (!first.timed() || !second->timed()) return CUDA_ERROR_INVALID_HANDLE;
        CUresult result = forbid_captured(first);
        if (result == CUDA_SUCCESS) result = forbid_captured(*second);
        if (result != CUDA_SUCCESS) return result;
        const auto from = last_record(first);
        const auto to = last_record(*second);
        if (from == nullptr || to == nullptr) return CUDA_ERROR_INVALID_HANDLE;
        if (!from->mark->done() || !to->mark->done()) return CUDA_ERROR_NOT_READY;
        *milliseconds = std::chrono::duration<float, std::milli>(to->passed - from->passed).count();
        return CUDA_SUCCESS;
    });
}

// The event of everything that the context was given so far.
CUresult cuCtxRecordEvent(CUcontext context_handle, CUevent handle) {
    return entry_initialized([&] {
        ContextPtr context;
        CUresult result = context_of(context_handle, &context);
        if (result == CUDA_SUCCESS) result = context->fault();
        if (result == CUDA_SUCCESS) result = forbid_in_capture(context);
        if (result != CUDA_SUCCESS) return result;
        const EventPtr event = driver().events.find(handle);
        if (event == nullptr || event->context.lock() != context) return CUDA_ERROR_INVALID_HANDLE;
        const std::lock_guard lock(driver().scheduler.mutex());
        const std::vector<TaskPtr> tails = all_tails_locked(*context);
        driver().scheduler.submit_locked(make_record(*event, context), tails);
        return CUDA_SUCCESS;
    });
}

// Everything that the context is given from now on waits for the event, in streams that do not exist yet as
// well.
CUresult cuCtxWaitEvent(CUcontext context_handle, CUevent handle) {
    return entry_initialized([&] {
        ContextPtr context;
        CUresult result = context_of(context_handle, &context);
        if (result == CUDA_SUCCESS) result = context->fault();
        if (result == CUDA_SUCCESS) result = forbid_in_capture(context);
        if (result != CUDA_SUCCESS) return result;
        const EventPtr event = driver().events.find(handle);
        if (event == nullptr) return CUDA_ERROR_INVALID_HANDLE;
        const std::lock_guard lock(driver().scheduler.mutex());
        const TaskPtr mark = last_mark_locked(*event);
        if (mark == nullptr) return CUDA_SUCCESS;
        const auto barrier = [&](const TaskPtr& tail) {
            auto task = std::make_shared<Task>();
            task->lane = Lane::kInline;
            const TaskPtr after[] = {tail, mark};
            driver().scheduler.submit_locked(task, after);
            return task;
        };
        context->barrier = barrier(context->barrier);
        context->legacy->tail = barrier(context->legacy->tail);
        for (const auto& [thread, stream] : context->per_thread) stream->tail = barrier(stream->tail);
        for (const StreamPtr& stream : context->streams) stream->tail = barrier(stream->tail);
        return CUDA_SUCCESS;
    });
}

}  // namespace

void serve_events(DriverTable* table) {
    BF_SERVE(cuEventCreate);
    BF_SERVE(cuEventDestroy_v2);
    BF_SERVE(cuEventRecord);
    BF_SERVE(cuEventRecordWithFlags);
    BF_SERVE(cuStreamWaitEvent);
    BF_SERVE(cuEventQuery);
    BF_SERVE(cuEventSynchronize);
    BF_SERVE(cuEventElapsedTime_v2);
    BF_SERVE(cuCtxRecordEvent);
    BF_SERVE(cuCtxWaitEvent);
}

}  // namespace bitfusion::soft
