#include "client/graph_launch.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "client/context.h"
#include "client/copy.h"
#include "client/feedback.h"
#include "client/handover.h"
#include "client/host_function.h"
#include "client/kept.h"
#include "client/session.h"
#include "client/shared_pages.h"
#include "client/stream.h"
#include "client_hand.gen.h"
#include "client_remote.gen.h"

namespace bitfusion::client {
namespace {

struct Exec {
    std::vector<uint64_t> inputs;     // tickets of host memory that it reads
    std::vector<uint64_t> outputs;    // and writes
    std::vector<uint64_t> functions;  // tickets of its host functions
    std::vector<uint64_t> events;     // names of the events that it records
    bool plain() const { return inputs.empty() && outputs.empty() && functions.empty() && events.empty(); }
};

struct Launches {
    std::mutex lock;
    std::unordered_map<CUgraphExec, std::shared_ptr<const Exec>> execs;
    std::unordered_map<uint64_t, std::shared_ptr<const Exec>> under_way;  // by launch
    uint64_t last = 0;
};

Launches& launches() {
    static Launches* const made = std::make_unique<Launches>().release();  // outlives every exit handler
    return *made;
}

std::shared_ptr<const Exec> exec_of(CUgraphExec handle) {
    const std::lock_guard<std::mutex> lock(launches().lock);
    const auto found = launches().execs.find(handle);
    return found == launches().execs.end() ? nullptr : found->second;
}

// The bytes of one box, packed. `now`: they are wanted before the stream goes on.
CUresult send_input(uint64_t ticket, CUstream stream, bool now) {
    const auto box = kept_host_memory(ticket);
    if (!box) return CUDA_SUCCESS;
    const auto post_piece = [&](uint64_t offset, const void* data, size_t bytes, bool wait) {
        const msg::HostBytes m{ticket, offset, wire_name(stream), now ? 1u : 0u, {}};
        return session()->post_bulk(
            msg::HostBytes::kId, m.size(), [&](wire::Writer& w) { m.encode(w); }, data, bytes, wait);
    };
    CUresult result = CUDA_SUCCESS;
    const uint64_t run = box->run();
    if (run == box->bytes() || run >= kPiece) {
        for (uint64_t at = 0; at < box->bytes() && result == CUDA_SUCCESS;) {
            const uint64_t bytes =
                std::min({static_cast<uint64_t>(kPiece), box->bytes() - at, run - at % run});
            // The program leaves the bytes alone until the graph has run, so they need not be waited for.
            result = post_piece(at, box->at(at), bytes, false);
            at += bytes;
        }
        return result;
    }
    std::vector<uint8_t> packed(std::min<uint64_t>(box->bytes(), std::max<uint64_t>(kPiece / run, 1) * run));
    for (uint64_t at = 0; at < box->bytes() && result == CUDA_SUCCESS;) {
        const uint64_t bytes = std::min<uint64_t>(packed.size(), box->bytes() - at);
        for (uint64_t i = 0; i < bytes; i += run) memcpy(packed.data() + i, box->at(at + i), run);
        result = post_piece(at, packed.data(), bytes, true);
        at += bytes;
    }
    return result;
}

CUresult send_inputs(const Exec& exec, CUstream stream, bool now) {
    for (const uint64_t ticket : exec.inputs) {
        const CUresult result = send_input(ticket, stream, now);
        if (result != CUDA_SUCCESS) return result;
    }
    return CUDA_SUCCESS;
}

// Work that is under way may still write what this graph reads: then the bytes are read when the stream has
// come to the launch, not now.
bool must_read_later(const Exec& exec, bool busy) {
    if (exec.inputs.empty()) return false;
    if (host_functions_open()) return true;
    {
        const std::lock_guard<std::mutex> lock(launches().lock);
        for (const auto& [launch, other] : launches().under_way) {
            if (!other->functions.empty()) return true;
        }
    }
    return std::any_of(exec.inputs.begin(), exec.inputs.end(), [&](uint64_t ticket) {
        const auto box = kept_host_memory(ticket);
        if (!box || box->bytes() == 0) return false;
        // The GPU writes shared pages without telling.
        if (busy && in_shared_pages(box->first, 1) != 0) return true;
        return tickets_open(box->first, static_cast<size_t>(box->at(box->bytes() - 1) + 1 - box->first));
    });
}

CUresult launch(const std::shared_ptr<const Exec>& exec, CUgraphExec handle, CUstream stream, bool busy) {
    CUresult result = CUDA_SUCCESS;
    if (must_read_later(*exec, busy))
        result = post_host_action(stream, [exec] { send_inputs(*exec, nullptr, true); });
    else
        result = send_inputs(*exec, stream, false);
    if (result != CUDA_SUCCESS) return result;
    if (!exec->functions.empty()) start_host_thread();
    std::vector<uint64_t> marks;
    for (const uint64_t event : exec->events) {
        if (const uint64_t mark = mark_event(from_wire_name<CUevent>(event)); mark != 0) {
            marks.push_back(event);
            marks.push_back(mark);
        }
    }
    msg::GraphLaunch m{wire_name(handle),
                       wire_name(stream),
                       0,
                       {reinterpret_cast<const uint8_t*>(marks.data()), marks.size() * sizeof(uint64_t)}};
    {
        const std::lock_guard<std::mutex> lock(launches().lock);
        m.launch = ++launches().last;
        launches().under_way[m.launch] = exec;
    }
    return post(m);
}

}  // namespace

bool learn_exec(CUgraphExec handle, std::span<const uint8_t> plan) {
    wire::Reader r(plan);
    Exec exec;
    uint64_t counts[4];
    for (uint64_t& count : counts) count = r.get<uint64_t>();
    std::vector<uint64_t>* const lists[4] = {&exec.inputs, &exec.outputs, &exec.functions, &exec.events};
    for (int i = 0; i < 4; ++i) {
        if (!r.holds(counts[i], sizeof(uint64_t))) return false;
        for (uint64_t n = 0; n < counts[i]; ++n) lists[i]->push_back(r.get<uint64_t>());
    }
    if (!r.done()) return false;
    const std::lock_guard<std::mutex> lock(launches().lock);
    launches().execs[handle] = std::make_shared<const Exec>(std::move(exec));
    return true;
}

bool is_exec(CUgraphExec exec) { return exec_of(exec) != nullptr; }

void graph_launch_done(uint64_t launch) {
    const std::lock_guard<std::mutex> lock(launches().lock);
    launches().under_way.erase(launch);
}

void* graph_output(uint64_t ticket, uint64_t offset, uint64_t bytes) {
    {
        const std::lock_guard<std::mutex> lock(launches().lock);
        const bool expected =
            std::any_of(launches().under_way.begin(), launches().under_way.end(), [&](const auto& one) {
                const auto& outputs = one.second->outputs;
                return std::find(outputs.begin(), outputs.end(), ticket) != outputs.end();
            });
        if (!expected) return nullptr;
    }
    const auto box = kept_host_memory(ticket);
    if (!box || bytes == 0 || offset >= box->bytes() || bytes > box->bytes() - offset) return nullptr;
    const uint64_t run = box->run();
    return bytes <= run - offset % run ? box->at(offset) : nullptr;
}

bool graph_writes(const uint8_t* begin, uint64_t bytes) {
    const std::lock_guard<std::mutex> lock(launches().lock);
    for (const auto& [launch, exec] : launches().under_way) {
        for (const uint64_t ticket : exec->outputs) {
            const auto box = kept_host_memory(ticket);
            if (box && box->overlaps(begin, bytes)) return true;
        }
    }
    return false;
}

void resend_inputs_after(uint64_t function_ticket) {
    std::vector<std::shared_ptr<const Exec>> waiting;
    {
        const std::lock_guard<std::mutex> lock(launches().lock);
        for (const auto& [launch, exec] : launches().under_way) {
            const auto& functions = exec->functions;
            if (std::find(functions.begin(), functions.end(), function_ticket) != functions.end())
                waiting.push_back(exec);
        }
    }
    for (const auto& exec : waiting) send_inputs(*exec, nullptr, true);
}

CUresult cuGraphLaunch(CUgraphExec hGraphExec, CUstream hStream) {
    if (current_context() == nullptr) return CUDA_ERROR_INVALID_CONTEXT;
    const auto exec = exec_of(hGraphExec);
    if (exec == nullptr) return CUDA_ERROR_INVALID_VALUE;
    const CUstream stream = resolve_stream(hStream);
    if (is_capturing(stream)) return remote::cuGraphLaunch(hGraphExec, stream);
    const bool busy = !all_idle();
    touch_stream(stream);
    if (anything_shared()) {
        const CUresult given = hand_over();
        if (given != CUDA_SUCCESS) return given;
    }
    return exec->plain() ? remote::cuGraphLaunch(hGraphExec, stream) : launch(exec, hGraphExec, stream, busy);
}

CUresult cuGraphExecDestroy(CUgraphExec hGraphExec) {
    {
        const std::lock_guard<std::mutex> lock(launches().lock);
        if (launches().execs.erase(hGraphExec) == 0) return CUDA_ERROR_INVALID_VALUE;
    }
    return remote::cuGraphExecDestroy(hGraphExec);
}

}  // namespace bitfusion::client
