#include "device/soft/context.h"

#include <algorithm>

#include "device/soft/array.h"
#include "device/soft/capture.h"
#include "device/soft/driver.h"
#include "device/soft/memory.h"
#include "device/soft/module.h"

namespace bitfusion::soft {
namespace {

constexpr size_t kStackBytes = 1024;
constexpr size_t kPrintBytes = size_t{1} << 20;
constexpr size_t kHeapBytes = size_t{8} << 20;
constexpr size_t kPendingLaunches = 2048;
constexpr size_t kFetchGranularity = 64;

void free_memory(Context& context) {
    Driver& all = driver();
    for (const Allocation& allocation : all.memory.of_context(context.id)) {
        switch (allocation.kind) {
            case MemoryKind::kPooled:
            case MemoryKind::kOpened:
                release(allocation.base, {allocation.kind});
                break;
            case MemoryKind::kDevice:
                if (all.memory.remove(allocation.base, {allocation.kind}))
                    allocation.gpu->give(allocation.base, allocation.taken);
                break;
            case MemoryKind::kPinned:
            case MemoryKind::kManaged:
                if (all.memory.remove(allocation.base, {allocation.kind}))
                    all.host_arena->give(allocation.base, allocation.taken);
                break;
            case MemoryKind::kRegistered:
                all.memory.remove(allocation.base, {allocation.kind});
                break;
            default:
                break;
        }
    }
    const std::lock_guard lock(context.heap_mutex);
    for (const auto& [address, bytes] : context.heap) context.gpu.give(address, bytes);
    context.heap.clear();
}

}  // namespace

Context::Context(Gpu& of, CUcontext number, uint64_t unique, bool is_primary, unsigned set_flags)
    : gpu(of), handle(number), id(unique), primary(is_primary), flags(set_flags) {
    limits[CU_LIMIT_STACK_SIZE] = kStackBytes;
    limits[CU_LIMIT_PRINTF_FIFO_SIZE] = kPrintBytes;
    limits[CU_LIMIT_MALLOC_HEAP_SIZE] = kHeapBytes;
    limits[CU_LIMIT_DEV_RUNTIME_PENDING_LAUNCH_COUNT] = kPendingLaunches;
    limits[CU_LIMIT_MAX_L2_FETCH_GRANULARITY] = kFetchGranularity;
}

void Context::set_fault(CUresult fault) {
    CUresult none = CUDA_SUCCESS;
    fault_.compare_exchange_strong(none, fault, std::memory_order_acq_rel);
}

std::vector<CUcontext>& context_stack() {
    thread_local std::vector<CUcontext> stack;
    return stack;
}

uint64_t thread_number() {
    static std::atomic<uint64_t> last{0};
    thread_local const uint64_t number = ++last;
    return number;
}

std::vector<TaskPtr> all_tails_locked(Context& context) {
    std::vector<TaskPtr> tails;
    const auto add = [&](const TaskPtr& tail) {
        if (tail != nullptr && !tail->done()) tails.push_back(tail);
    };
    if (context.legacy != nullptr) add(context.legacy->tail);
    for (const auto& [thread, stream] : context.per_thread) add(stream->tail);
    for (const StreamPtr& stream : context.streams) add(stream->tail);
    std::erase_if(context.orphans, [](const Context::Orphan& orphan) { return orphan.tail->done(); });
    for (const Context::Orphan& orphan : context.orphans) add(orphan.tail);
    return tails;
}

CUresult synchronize(Context& context) {
    Scheduler& scheduler = driver().scheduler;
    std::vector<TaskPtr> tails;
    {
        const std::lock_guard lock(scheduler.mutex());
        tails = all_tails_locked(context);
    }
    scheduler.wait(tails);
    context.prints.flush();
    return context.fault();
}

void tear_down(const ContextPtr& context) {
    Driver& all = driver();
    synchronize(*context);
    std::vector<std::shared_ptr<Module>> modules;
    {
        const std::lock_guard lock(context->mutex);
        modules.swap(context->modules);
    }
    for (const auto& module : modules) unload(module);
    std::vector<StreamPtr> streams;
    {
        const std::lock_guard lock(all.scheduler.mutex());
        streams.swap(context->streams);
        context->orphans.clear();
    }
    end_captures_of(streams);
    for (const StreamPtr& stream : streams) all.streams.remove(stream->handle);
    for (const EventPtr& event : all.events.all()) {
        if (event->context.lock() == context) all.events.remove(event->handle);
    }
    all.images.remove_context(context->id);
    forget_arrays(context);
    free_memory(*context);
    context->gpu.discharge(kContextBytes);
}

}  // namespace bitfusion::soft
