#include "device/soft/stream.h"

#include <algorithm>

#include "device/soft/capture.h"
#include "device/soft/driver.h"
#include "device/soft/entry.h"

namespace bitfusion::soft {

Stream::Stream(Kind of_kind, CUstream number, const std::shared_ptr<Context>& of, unsigned set_flags,
               int at_priority, uint64_t unique)
    : kind(of_kind), handle(number), context(of), flags(set_flags), priority(at_priority), id(unique) {}

namespace {

StreamPtr per_thread_stream(const ContextPtr& context) {
    const std::lock_guard lock(driver().scheduler.mutex());
    StreamPtr& stream = context->per_thread[thread_number()];
    if (stream == nullptr)
        stream = std::make_shared<Stream>(Stream::Kind::kPerThread, CU_STREAM_PER_THREAD, context,
                                          CU_STREAM_DEFAULT, kLeastPriority, driver().next_id());
    if (stream->tail == nullptr) stream->tail = context->barrier;
    return stream;
}

void add_unfinished(std::vector<TaskPtr>& tasks, const TaskPtr& task) {
    if (task != nullptr && !task->done()) tasks.push_back(task);
}

}  // namespace

CUresult find_stream(const ContextPtr& current, CUstream handle, StreamPtr* stream, ContextPtr* owner) {
    if (handle == nullptr || handle == CU_STREAM_LEGACY) {
        *stream = current->legacy;
        *owner = current;
        return CUDA_SUCCESS;
    }
    if (handle == CU_STREAM_PER_THREAD) {
        *stream = per_thread_stream(current);
        *owner = current;
        return CUDA_SUCCESS;
    }
    *stream = driver().streams.find(handle);
    if (*stream == nullptr) return CUDA_ERROR_INVALID_HANDLE;
    *owner = (*stream)->context.lock();
    return *owner == nullptr ? CUDA_ERROR_CONTEXT_IS_DESTROYED : CUDA_SUCCESS;
}

std::vector<TaskPtr> tails_locked(Context& context, Stream& stream) {
    std::vector<TaskPtr> tails;
    add_unfinished(tails, stream.tail);
    if (stream.kind == Stream::Kind::kLegacy) {
        for (const auto& [thread, other] : context.per_thread) add_unfinished(tails, other->tail);
        for (const StreamPtr& other : context.streams) {
            if (other->blocking()) add_unfinished(tails, other->tail);
        }
        for (const Context::Orphan& orphan : context.orphans) {
            if (orphan.blocking) add_unfinished(tails, orphan.tail);
        }
    }
    return tails;
}

void append_locked(Context& context, Stream& stream, const TaskPtr& task, std::vector<TaskPtr> after) {
    const std::vector<TaskPtr> tails = tails_locked(context, stream);
    after.insert(after.end(), tails.begin(), tails.end());
    if (stream.kind != Stream::Kind::kLegacy && stream.blocking())
        add_unfinished(after, context.legacy->tail);
    stream.tail = task;
    driver().scheduler.submit_locked(task, after);
}

CUresult submit(const ContextPtr& context, const StreamPtr& stream, Work work) {
    if (stream->capturing.load(std::memory_order_acquire)) {
        const std::lock_guard lock(driver().graph_mutex);
        if (stream->capturing.load(std::memory_order_acquire))
            return capture_work(context, *stream, std::move(work));
    }
    const CUresult implicit = forbid_implicit(context, *stream);
    if (implicit != CUDA_SUCCESS) return implicit;
    const std::lock_guard lock(driver().scheduler.mutex());
    std::vector<TaskPtr> after;
    for (const TaskPtr& task : make_tasks(work, context, stream->priority, &after)) {
        append_locked(*context, *stream, task, std::move(after));
        after.clear();
    }
    return CUDA_SUCCESS;
}

CUresult submit_and_wait(const ContextPtr& context, const StreamPtr& stream, Work work) {
    if (stream->capturing.load(std::memory_order_acquire)) return forbid_on_capturing(*stream);
    const CUresult result = submit(context, stream, std::move(work));
    if (result != CUDA_SUCCESS) return result;
    TaskPtr tail;
    {
        const std::lock_guard lock(driver().scheduler.mutex());
        tail = stream->tail;
    }
    driver().scheduler.wait(tail);
    context->prints.flush();
    return context->fault();
}

}  // namespace bitfusion::soft
