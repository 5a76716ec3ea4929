#include "client/host_function.h"

#include <atomic>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>
#include <unordered_map>

#include "client/context.h"
#include "client/feedback.h"
#include "client/graph_launch.h"
#include "client/handover.h"
#include "client/kept.h"
#include "client/session.h"
#include "client/stream.h"
#include "client_hand.gen.h"

namespace bitfusion::client {
namespace {

// Kinds of the message (api/spec/cuda/launch.py).
constexpr uint32_t kOnce = 0;
constexpr uint32_t kCallback = 1;
constexpr uint32_t kRecorded = 2;

using Function = std::function<void(CUresult status)>;

struct HostFunctions {
    std::mutex lock;
    std::unordered_map<uint64_t, Function> waiting;  // of streams, by ticket; run once
    std::atomic<size_t> open{0};
    std::condition_variable due_changed;
    std::deque<std::function<void()>> due;
    bool runner_started = false;
    std::thread runner;
};

HostFunctions& host_functions() {
    static HostFunctions* const made =
        std::make_unique<HostFunctions>().release();  // outlives every exit handler
    return *made;
}

void run_due() {
    HostFunctions& h = host_functions();
    for (;;) {
        std::unique_lock<std::mutex> lock(h.lock);
        h.due_changed.wait(lock, [&] { return !h.due.empty(); });
        const std::function<void()> task = std::move(h.due.front());
        h.due.pop_front();
        lock.unlock();
        task();
    }
}

// What is due runs here, whichever it is; then the worker's stream goes on.
void run(Session* session, uint64_t ticket, uint64_t pass, CUresult status) {
    HostFunctions& h = host_functions();
    // What the stream did before is the function's to see, and what it writes is for the stream to see.
    const bool shared = session == client::session() && anything_shared();
    if (shared && status == CUDA_SUCCESS) take_back();
    std::unique_lock<std::mutex> lock(h.lock);
    const auto found = h.waiting.find(ticket);
    if (found != h.waiting.end()) {
        const Function function = std::move(found->second);
        h.waiting.erase(found);
        lock.unlock();
        function(status);
        h.open.fetch_sub(1);
    } else {
        lock.unlock();
        CUhostFn function = nullptr;
        void* data = nullptr;
        if (!kept_host_function(ticket, &function, &data)) return;
        function(data);
        // Copies behind it in the graph may read what it has written.
        resend_inputs_after(ticket);
    }
    if (shared) hand_over();
    const msg::HostFunctionDone done{pass};
    session->post(done.kId, done.size(), [&](wire::Writer& w) { done.encode(w); });
}

CUresult post_once(CUstream stream, uint32_t kind, Function function) {
    HostFunctions& h = host_functions();
    const uint64_t ticket = new_ticket();
    start_host_thread();
    {
        const std::lock_guard<std::mutex> lock(h.lock);
        h.waiting[ticket] = std::move(function);
    }
    h.open.fetch_add(1);
    touch_stream(stream);
    return post(msg::HostFunction{ticket, wire_name(stream), kind});
}

}  // namespace

void start_host_thread() {
    HostFunctions& h = host_functions();
    const std::lock_guard<std::mutex> lock(h.lock);
    if (h.runner_started) return;
    h.runner = std::thread(run_due);
    h.runner_started = true;
}

void run_on_host_thread(std::function<void()> task) {
    HostFunctions& h = host_functions();
    const std::lock_guard<std::mutex> lock(h.lock);
    h.due.push_back(std::move(task));
    h.due_changed.notify_one();
}

bool host_functions_open() { return host_functions().open.load() != 0; }

void host_function_due(uint64_t ticket, uint64_t pass, CUresult status) {
    // Sessions are never destroyed (open.cpp); one that is over takes no answer.
    if (Session* s = session(); s != nullptr) run_on_host_thread([=] { run(s, ticket, pass, status); });
}

CUresult post_host_action(CUstream stream, std::function<void()> action) {
    return post_once(stream, kOnce, [action = std::move(action)](CUresult) { action(); });
}

CUresult cuLaunchHostFunc(CUstream hStream, CUhostFn fn, void* userData) {
    if (fn == nullptr) return CUDA_ERROR_INVALID_VALUE;
    if (current_context() == nullptr) return CUDA_ERROR_INVALID_CONTEXT;
    const CUstream stream = resolve_stream(hStream);
    if (is_capturing(stream)) {
        const uint64_t ticket = new_ticket();
        keep_host_function(ticket, fn, userData);
        start_host_thread();
        return post(msg::HostFunction{ticket, wire_name(stream), kRecorded});
    }
    return post_once(stream, kOnce, [=](CUresult) { fn(userData); });
}

CUresult cuStreamAddCallback(CUstream hStream, CUstreamCallback callback, void* userData,
                             unsigned int flags) {
    if (callback == nullptr || flags != 0) return CUDA_ERROR_INVALID_VALUE;
    if (current_context() == nullptr) return CUDA_ERROR_INVALID_CONTEXT;
    return post_once(resolve_stream(hStream), kCallback,
                     [=](CUresult status) { callback(hStream, status, userData); });
}

}  // namespace bitfusion::client
