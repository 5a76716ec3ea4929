// Context: what a program holds on a device: streams, memory, modules, limits and the sticky error.
//
// Owner: the Driver's table of handles while it exists; tasks keep it alive until they are over. An error
// that a kernel causes sticks: every later call in the context returns it, and what is queued is skipped.
// Threads: any. `streams`, `legacy`, `per_thread` and `orphans` are guarded by Scheduler::mutex(), the
// settings by `mutex`.
#pragma once

#include <array>
#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "cuda_api.gen.h"
#include "device/soft/print_log.h"
#include "device/soft/stream.h"
#include "device/soft/task.h"

namespace bitfusion::soft {

class Gpu;
class Module;

// What a context takes of its device's memory, as those of hardware do (there it is 300 to 700 MiB).
constexpr uint64_t kContextBytes = uint64_t{4} << 20;

class Context {
  public:
    Context(Gpu& gpu, CUcontext handle, uint64_t id, bool primary, unsigned flags);

    Gpu& gpu;
    const CUcontext handle;
    const uint64_t id;
    const bool primary;
    std::atomic<unsigned> flags;
    std::atomic<bool> alive{true};

    CUresult fault() const { return fault_.load(std::memory_order_acquire); }
    // The first fault stays.
    void set_fault(CUresult fault);

    StreamPtr legacy;
    std::map<uint64_t, StreamPtr> per_thread;
    std::vector<StreamPtr> streams;  // created ones that are not destroyed
    struct Orphan {
        TaskPtr tail;
        bool blocking = true;
    };
    TaskPtr barrier;              // cuCtxWaitEvent: streams made later start after it
    std::vector<Orphan> orphans;  // unfinished work of destroyed streams

    std::mutex mutex;
    std::array<size_t, CU_LIMIT_MAX> limits{};
    CUfunc_cache cache_config = CU_FUNC_CACHE_PREFER_NONE;
    std::set<uint64_t> peers;  // ids of contexts whose memory kernels may touch
    std::vector<std::shared_ptr<Module>> modules;

    std::atomic<int> blocking_captures{0};  // captures in which a blocking stream of this context takes part
    std::atomic<uint64_t> heap_used{0};     // bytes that kernels hold through malloc()
    std::mutex heap_mutex;
    std::map<uint64_t, uint64_t> heap;  // address -> bytes taken; guarded by heap_mutex
    PrintLog prints;

  private:
    std::atomic<CUresult> fault_{CUDA_SUCCESS};
};

using ContextPtr = std::shared_ptr<Context>;

// The calling thread's stack of current contexts. Handles, not objects: a destroyed context stays current
// until the thread replaces it.
std::vector<CUcontext>& context_stack();

// A number for the calling thread that no other thread of the process ever has.
uint64_t thread_number();

// Everything submitted to the context so far. The caller holds Scheduler::mutex().
std::vector<TaskPtr> all_tails_locked(Context& context);

// Waits for the context's work, then writes the text that its kernels printed.
CUresult synchronize(Context& context);

// Ends a context: waits for its work, frees its memory, modules and streams.
void tear_down(const ContextPtr& context);

}  // namespace bitfusion::soft
