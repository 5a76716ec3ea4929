// Session: one client process's conversation, as the worker sees it.
//
// One thread does everything: it receives, checks, plays messages into the driver, watches the GPU's progress
// and sends. It never blocks in the driver for the GPU: what has to wait becomes a Waiting, polled between
// messages, so one waiting thread of the client does not stop another's launches. Host functions are the
// exception: the driver calls them on its own threads, which only hand a ticket over.
//
// The peer is hostile. A message that is not what its number promises ends the session (peer_is_wrong); a
// program's mistake becomes a CUresult.
#pragma once

#include <deque>
#include <functional>
#include <list>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "cuda_types.gen.h"
#include "driver_table.gen.h"
#include "link/link.h"
#include "messages.gen.h"
#include "wire/codec.h"
#include "wire/facts.h"
#include "wire/frame.h"
#include "worker/array_table.h"
#include "worker/dispatch.h"
#include "worker/exchange.h"
#include "worker/grant.h"
#include "worker/graph_launch.h"
#include "worker/graph_plan.h"
#include "worker/handles.h"
#include "worker/host_functions.h"
#include "worker/image_cache.h"
#include "worker/kept.h"
#include "worker/lane_copies.h"
#include "worker/link.h"
#include "worker/memory_table.h"
#include "worker/mirror.h"
#include "worker/monitor.h"
#include "worker/overhead.h"
#include "worker/printed.h"
#include "worker/shared_pages.h"
#include "worker/staging.h"
#include "worker/stream_mark.h"
#include "worker/traffic.h"

namespace bitfusion::worker {

// Something that is answered when the GPU has come so far. `ready` asks the driver without blocking:
// CUDA_ERROR_NOT_READY keeps it waiting, anything else ends it through `finish`.
struct Waiting {
    std::function<CUresult()> ready;
    std::function<void(CUresult)> finish;
};

class Session {
  public:
    Session(const DriverTable& driver, Grant grant, std::unique_ptr<link::Link> link, Usage* usage);
    ~Session();
    Session(const Session&) = delete;
    Session& operator=(const Session&) = delete;

    // Serves until the peer goes or breaks the protocol. Returns why it ended.
    std::string run();

    const DriverTable driver;
    const Grant grant;
    Handles handles;
    MemoryTable memory;
    Overhead overhead;
    ArrayTable arrays;
    Staging staging;
    StreamMarks marks;
    LaneCopies lane_copies;
    Mirrors mirrors;
    SharedPages shared_pages;
    const HostFunctions::Held held_host_functions = HostFunctions::make_held();
    HostFunctions& host_functions = *held_host_functions;
    KeptTable kept;
    Graphs graphs;
    GraphRuns graph_runs;
    Printed printed;
    Traffic* traffic = nullptr;  // what is counted of this session; null: nothing
    Monitor monitor;
    ImageCache images;

    // Keeps the lease's other workers informed of this one; before run(). The census outlives the session.
    void report_to(Census* census);

    // Counts what this process takes of the GPUs beyond what its calls allocate; the monitor must be open.
    void count_overhead();

    // Where the parameters of each function lie in its argument block; told to the client with the function's
    // name.
    struct Layout {
        std::vector<wire::FunctionFacts::Parameter> parameters;
        bool launched = false;  // the driver has loaded it
    };
    std::unordered_map<uint64_t, Layout> layouts;

    // What the driver may still read after the call that gave it: JIT options of libraries.
    std::vector<std::shared_ptr<void>> jit_options;

    // Linkers, by the client's names.
    std::unordered_map<uint64_t, std::unique_ptr<Link>> links;

    // What the program shares with the lease's other processes; null: nothing can be shared. It holds charges
    // of the memory table.
    std::unique_ptr<Exchange> exchange;
    // Memory of other processes that is open here, by address.
    struct Opened {
        int count = 0;
        uint64_t bytes = 0;
    };
    std::unordered_map<CUdeviceptr, Opened> opened;

    // Physical memory made by cuMemCreate, by the driver's handle.
    struct Allocation {
        std::shared_ptr<MemoryTable::Charge> charge;  // mappings hold it too
        int references = 1;                           // the program's: made once, retained since
    };
    std::unordered_map<CUmemGenericAllocationHandle, Allocation> allocations;

    // Texture and surface objects by their number, which kernels use; with the name of their context.
    std::unordered_map<CUtexObject, uint64_t> texture_objects;
    std::unordered_map<CUsurfObject, uint64_t> surface_objects;
    // Captures under way, by the stream where they began: whether they record into a graph that was there
    // before.
    std::unordered_map<CUstream, bool> captures;
    // The names of their graphs, where anybody has asked for them.
    std::unordered_map<CUstream, uint64_t> capture_graphs;
    bool is_capturing(CUstream stream) const;
    // Handles of conditional nodes that were made, with the name of their graph.
    std::unordered_map<CUgraphConditionalHandle, uint64_t> conditionals;
    // Tickets of the program's user objects, by name.
    std::unordered_map<uint64_t, uint64_t> user_objects;

    // ---- used by handlers ----
    // Makes the message's context current.
    CUresult enter(const Frame& frame);
    // The same for what needs no context: when the client's current one is destroyed, none is.
    CUresult enter_if_alive(const Frame& frame);
    uint64_t context_name() const { return current_name_; }
    // The driver's ordinal of a device that the client sees as `ordinal`.
    CUdevice device(int ordinal, CUresult* result) const;
    // Index within the lease of the current context's GPU: where its memory is accounted, whatever the
    // process calls it.
    int current_device() const;
    int gpu_of_lease(int ordinal) const;
    int gpu_of_context(uint64_t name) const;
    void see_devices(std::vector<int> visible) { visible_ = std::move(visible); }
    int visible_count() const { return static_cast<int>(visible_.size()); }
    void bind_context(uint64_t name, CUcontext context, int ordinal, bool primary);
    // The name of a device's primary context while it is retained; 0: it is not.
    uint64_t primary_name(int ordinal) const;
    bool is_primary(uint64_t name) const {
        const auto found = contexts_.find(static_cast<uint32_t>(name));
        return found != contexts_.end() && found->second.primary;
    }
    void forget_context(uint64_t name);
    bool has_context_on(int gpu_of_lease) const;
    // Any context of the session, preferably the current one; nullptr when it has none yet.
    CUcontext some_context() const {
        return current_ != nullptr || contexts_.empty() ? current_ : contexts_.begin()->second.context;
    }

    // One more call that the client waits for is answered.
    void count_answer() {
        if (traffic != nullptr) traffic->answers.fetch_add(1, std::memory_order_relaxed);
    }
    void peer_is_wrong(const Frame& frame, const char* what);
    void posted(const Frame& frame, CUresult result);
    template <typename Fill>
    void reply(const Frame& frame, CUresult result, size_t bytes, const Fill& fill) {
        count_answer();
        put_message({0, frame.head.id, 0, static_cast<int32_t>(result), frame.head.call},
                    result == CUDA_SUCCESS ? bytes : 0, result == CUDA_SUCCESS, fill);
    }
    template <typename Message>
    void reply_with(const Frame& frame, CUresult result, const Message& m) {
        reply(frame, result, m.size(), [&](wire::Writer& w) { m.encode(w); });
    }
    void reply_status(const Frame& frame, CUresult result) {
        reply(frame, result, 0, [](wire::Writer&) {});
    }
    template <typename Message>
    void announce(const Message& m) {
        put_message({0, Message::kId, 0, 0, 0}, m.size(), true, [&](wire::Writer& w) { m.encode(w); });
    }
    // Head, fields and data leave at once, after everything that was put before.
    void send_bulk(const wire::ReplyHead& head, std::span<const uint8_t> fields, const void* data,
                   size_t bytes);

    // Everything that was put leaves now: before work that the client need not wait for.
    void flush();
    // The client is on this machine: what it sends costs no network.
    bool shares_memory() const { return link_->shares_memory(); }
    // The next file that it gave.
    Result<Descriptor> take_file() { return link_->take_file(); }

    // Structs of the client that hold device ordinals or pointers: to the driver's meaning, and back.
    template <typename T>
    CUresult localise(T&) {
        return CUDA_SUCCESS;
    }
    CUresult localise(CUmemLocation& location);
    CUresult localise(CUmemAllocationProp& prop);
    CUresult localise(CUmemPoolProps& props);
    CUresult localise(CUmemAccessDesc& access);
    CUresult localise(CUDA_MEMSET_NODE_PARAMS& set);
    CUresult localise(CUDA_RESOURCE_DESC& resource);
    CUresult localise(CUstreamBatchMemOpParams& operation);
    template <typename T>
    void globalise(T&) {}
    void globalise(CUmemAllocationProp& prop);
    // The client's number of a device of the driver.
    int ordinal_of(int device) const;

    // ---- waiting ----
    // Copies out are sent before any completion that is found in the same look at the GPU, or a later one,
    // and those of one stream in their order: two may be of the same memory.
    void wait_copy(CUstream stream, Waiting waiting) {
        // Each context has a legacy stream of its own.
        const bool legacy = stream == nullptr || stream == CU_STREAM_LEGACY;
        copies_.push_back({legacy ? current_name_ : reinterpret_cast<uint64_t>(stream), std::move(waiting)});
    }
    void wait(Waiting waiting) { waitings_.push_back(std::move(waiting)); }
    // Ready when everything that is on the stream now is done.
    std::function<CUresult()> when_reached(CUstream stream, CUresult* result) {
        return marks.place(stream, current_name_, result);
    }
    // An event record that is announced when it completes, after `before`; records of one stream complete in
    // order.
    void watch_event(uint64_t stream, uint64_t event_name, CUevent event, uint64_t mark,
                     std::function<void()> before = {});
    void unwatch_event(uint64_t event_name);
    // Looks at everything that waits, once. Staging calls it while it waits for a free buffer.
    bool progress();
    // Inside a message that cannot go on: sleeps until progress() may find something.
    void rest();

    // Text that the driver printed, ahead of the completion that made it print. `files`: see printed.h.
    void announce_printed(bool files = false);

    // What the GPU changed in mapped memory, ahead of the completion that shows it to the program.
    void announce_changes();

    // The staging buffer that holds the data of the bulk message under way, if it was large enough for one.
    Staging::Buffer* bulk_buffer() const { return bulk_buffer_; }
    void keep_bulk_buffer() { bulk_buffer_ = nullptr; }

    bool ended() const { return !ended_.empty(); }
    void end(const std::string& why) {
        if (ended_.empty()) ended_ = why.empty() ? "?" : why;
    }

  private:
    struct Context {
        CUcontext context;
        int ordinal;
        bool primary;
    };
    struct Watch {
        uint64_t event_name;
        CUevent event;
        uint64_t mark;
        std::function<void()> before;
        bool obsolete = false;
    };

    template <typename Fill>
    void put_message(wire::ReplyHead head, size_t bytes, bool with_body, const Fill& fill) {
        head.bytes = static_cast<uint32_t>(bytes);
        const size_t at = outbox_.size();
        outbox_.resize(at + sizeof head + bytes);
        memcpy(outbox_.data() + at, &head, sizeof head);
        wire::Writer writer(outbox_.data() + at + sizeof head, bytes);
        if (with_body) fill(writer);
        if (writer.left() != 0) __builtin_trap();  // our own size arithmetic is wrong
    }
    bool receive(link::Wait wait);
    void serve_inbox();
    bool may_wait(const Handler& handler, const wire::RequestHead& head) const;
    bool postpone(const wire::RequestHead& head);
    void hear_host_functions();
    bool serve_large(const wire::RequestHead& head, const Handler& handler);
    bool read_rest(uint8_t* target, size_t bytes);
    bool progress_events(std::vector<Watch>* reached, std::vector<CUresult>* status);
    void idle();

    Usage* usage_ = nullptr;
    std::unique_ptr<link::Link> link_;
    Census* census_ = nullptr;
    std::vector<int> visible_;
    std::unordered_map<uint32_t, Context> contexts_;  // by the low half of the name
    uint64_t current_name_ = 0;
    CUcontext current_ = nullptr;
    bool woken_ = false;  // a sleep on the link has ended since it was last prepared
    std::vector<uint8_t> inbox_;
    size_t inbox_begin_ = 0;
    size_t inbox_end_ = 0;
    bool postponed_ = false;  // the first message of the inbox waits until no host function is open
    std::vector<uint8_t> outbox_;
    struct CopyOut {
        uint64_t stream;
        Waiting waiting;
    };
    std::list<CopyOut> copies_;
    std::list<Waiting> waitings_;
    std::unordered_map<uint64_t, std::deque<std::shared_ptr<Watch>>> watches_;  // by stream
    std::unordered_map<uint64_t, std::shared_ptr<Watch>> watch_of_;             // by event
    Staging::Buffer* bulk_buffer_ = nullptr;
    std::string ended_;
};

}  // namespace bitfusion::worker
