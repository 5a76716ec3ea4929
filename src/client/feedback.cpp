#include "client/feedback.h"

#include <unistd.h>

#include <array>
#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <unordered_map>

#include "base/log.h"
#include "client/graph_launch.h"
#include "client/kept.h"
#include "client/mapped_memory.h"
#include "client/session.h"
#include "client/stream.h"
#include "client/thread_state.h"

namespace bitfusion::client {
namespace {

// Touches are kept by a hash of the stream's name. Two streams that share a slot only look busier than they
// are.
constexpr size_t kSlots = 4096;

// Marks the ticket of a CopyOutData as one of kept host memory (docs/wire.md).
constexpr uint64_t kOfGraph = 1ull << 63;

struct Slot {
    std::atomic<uint64_t> touched{0};
    std::atomic<uint64_t> done{0};
};

struct Ticket {
    uint8_t* target;
    size_t bytes;
    size_t claimed = 0;  // arrived, or being written
    size_t arrived = 0;
};

// Without destructors: exit handlers of other libraries still call the driver.
constinit std::array<Slot, kSlots> g_slots{};
constinit std::atomic<uint64_t> g_last{0};
constinit std::atomic<uint64_t> g_all_done{0};

struct Progress {
    std::mutex lock;
    std::condition_variable arrived;
    std::unordered_map<uint64_t, Ticket> tickets;
    uint64_t last_ticket = 0;
};

Progress& progress() {
    static Progress* const made = std::make_unique<Progress>().release();  // outlives every exit handler
    return *made;
}

Slot& slot_of(CUstream stream, const ThreadState& caller) {
    auto name = reinterpret_cast<uint64_t>(stream);
    // Each context has a legacy stream of its own.
    if (name == 0 || name == reinterpret_cast<uint64_t>(CU_STREAM_LEGACY)) name = caller.context_name();
    return g_slots[name % kSlots];
}
Slot& slot_of(CUstream stream) { return slot_of(stream, thread_state()); }

void raise_to(std::atomic<uint64_t>* value, uint64_t to) {
    uint64_t now = value->load(std::memory_order_relaxed);
    while (now < to && !value->compare_exchange_weak(now, to, std::memory_order_release)) {
    }
}

}  // namespace

void touch_stream(CUstream stream) { touch_stream(stream, thread_state()); }

void touch_stream(CUstream stream, const ThreadState& caller) {
    if (any_capture() && is_capturing(stream)) return;  // recorded, not run
    const uint64_t touch = g_last.fetch_add(1, std::memory_order_relaxed) + 1;
    raise_to(&slot_of(stream, caller).touched, touch);
}

uint64_t touch_of(CUstream stream) { return slot_of(stream).touched.load(std::memory_order_acquire); }
void stream_done(CUstream stream, uint64_t touch) { raise_to(&slot_of(stream).done, touch); }

bool stream_idle(CUstream stream) {
    // The legacy stream also waits for every blocking stream: it is known to be idle only when nothing was
    // posted at all.
    if (stream == nullptr || stream == CU_STREAM_LEGACY) {
        const uint64_t last = last_touch();
        const Slot& legacy = slot_of(stream);
        return last <= legacy.done.load(std::memory_order_acquire) ||
               last <= g_all_done.load(std::memory_order_acquire);
    }
    const Slot& slot = slot_of(stream);
    const uint64_t touched = slot.touched.load(std::memory_order_acquire);
    return touched <= slot.done.load(std::memory_order_acquire) ||
           touched <= g_all_done.load(std::memory_order_acquire);
}

uint64_t last_touch() { return g_last.load(std::memory_order_acquire); }
void all_done(uint64_t touch) { raise_to(&g_all_done, touch); }
bool all_idle() { return last_touch() <= g_all_done.load(std::memory_order_acquire); }

uint64_t open_ticket(void* target, size_t bytes) {
    Progress& p = progress();
    const std::lock_guard<std::mutex> lock(p.lock);
    p.tickets[++p.last_ticket] = {static_cast<uint8_t*>(target), bytes};
    return p.last_ticket;
}

bool tickets_open(const void* begin, size_t bytes) {
    const auto* first = static_cast<const uint8_t*>(begin);
    if (graph_writes(first, bytes)) return true;
    Progress& p = progress();
    const std::lock_guard<std::mutex> lock(p.lock);
    for (const auto& [number, ticket] : p.tickets) {
        if (ticket.target < first + bytes && first < ticket.target + ticket.bytes) return true;
    }
    return false;
}

void await_tickets(const void* begin, size_t bytes) {
    Session* s = session();
    if (s != nullptr && tickets_open(begin, bytes))
        s->wait_until([&] { return !tickets_open(begin, bytes); });
}

void* claim_ticket(uint64_t number, uint64_t offset, size_t bytes) {
    Progress& p = progress();
    const std::lock_guard<std::mutex> lock(p.lock);
    const auto found = p.tickets.find(number);
    if (found == p.tickets.end()) return nullptr;
    Ticket& ticket = found->second;
    if (offset > ticket.bytes || bytes > ticket.bytes - offset || bytes > ticket.bytes - ticket.claimed)
        return nullptr;
    ticket.claimed += bytes;
    return ticket.target + offset;
}

void ticket_arrived(uint64_t number, size_t bytes, bool whole) {
    Progress& p = progress();
    const std::lock_guard<std::mutex> lock(p.lock);
    const auto found = p.tickets.find(number);
    if (found == p.tickets.end()) return;
    Ticket& ticket = found->second;
    if (whole)
        ticket.arrived += bytes;
    else
        ticket.claimed -= bytes;
    if (ticket.arrived == ticket.bytes) p.tickets.erase(found);
    p.arrived.notify_all();
}

void await_ticket(uint64_t number, uint64_t sent) {
    Progress& p = progress();
    std::unique_lock<std::mutex> lock(p.lock);
    p.arrived.wait(lock, [&] {
        const auto found = p.tickets.find(number);
        if (found == p.tickets.end()) return true;
        const Ticket& ticket = found->second;
        const Session* s = session();
        const bool over = s == nullptr || s->lost();
        return ticket.arrived == ticket.claimed && (over || ticket.arrived >= sent);
    });
    p.tickets.erase(number);
}

void forget_tickets() {
    Progress& p = progress();
    const std::lock_guard<std::mutex> lock(p.lock);
    p.tickets.clear();
    p.arrived.notify_all();
}

void wake_ticket_waiters() {
    Progress& p = progress();
    const std::lock_guard<std::mutex> lock(p.lock);
    p.arrived.notify_all();
}

// Both are called by the receiving thread for one message: first the target, then, when its bytes are there
// or will not come, done.
void* copy_out_target(const uint8_t* fields, size_t body_bytes) {
    wire::Reader r(fields, 16);
    const auto number = r.get<uint64_t>();
    const auto offset = r.get<uint64_t>();
    if (body_bytes < 16) return nullptr;
    const size_t bytes = body_bytes - 16;
    if ((number & kOfGraph) != 0) return graph_output(number & ~kOfGraph, offset, bytes);
    return claim_ticket(number, offset, bytes);
}

void copy_out_done(const uint8_t* fields, size_t body_bytes, bool whole) {
    wire::Reader r(fields, 16);
    ticket_arrived(r.get<uint64_t>(), body_bytes - 16, whole);
}

void serve_event(const wire::ReplyHead& head, wire::Reader& r) {
    switch (head.id) {
        case msg::kId_EventReached: {
            msg::EventReached m;
            m.decode(r);
            event_reached(m.event, m.mark, static_cast<CUresult>(m.status));
            return;
        }
        case msg::kId_StreamReached: {
            msg::StreamReached m;
            m.decode(r);
            stream_reached(m.mark, static_cast<CUresult>(m.status));
            return;
        }
        case msg::kId_CopyOutSent: {
            msg::CopyOutSent m;
            m.decode(r);
            // What is announced behind it may count on the data, which come another way.
            await_ticket(m.ticket, m.byte_count);
            return;
        }
        case msg::kId_Deferred: {
            msg::Deferred m;
            m.decode(r);
            BF_LOG("client", kInfo, "call %u failed later with error %d", m.call, m.result);
            if (Session* s = session(); s != nullptr) s->defer(static_cast<CUresult>(m.result));
            return;
        }
        case msg::kId_Printed: {
            msg::Printed m;
            m.decode(r);
            const int descriptor = m.descriptor == STDERR_FILENO ? STDERR_FILENO : STDOUT_FILENO;
            write_printed(descriptor, m.text);
            return;
        }
        case msg::kId_MirrorChanged: {
            msg::MirrorChanged m;
            m.decode(r);
            mapped_changed(m.runs, m.data);
            return;
        }
        case msg::kId_HostFunctionDue: {
            msg::HostFunctionDue m;
            m.decode(r);
            host_function_due(m.ticket, m.pass, static_cast<CUresult>(m.status));
            return;
        }
        case msg::kId_GraphLaunchDone: {
            msg::GraphLaunchDone m;
            m.decode(r);
            graph_launch_done(m.launch);
            return;
        }
        case msg::kId_KeptReleased: {
            msg::KeptReleased m;
            m.decode(r);
            release_kept(m.ticket, false);
            return;
        }
        default:
            if (Session* s = session(); s != nullptr) s->lose("the server announced something unknown");
    }
}

}  // namespace bitfusion::client
