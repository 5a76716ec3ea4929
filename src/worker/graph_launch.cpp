#include "worker/graph_launch.h"

#include <algorithm>
#include <cstring>

#include "worker/graph_plan.h"
#include "worker/kept.h"
#include "worker/session.h"
#include "worker/stream_mark.h"
#include "worker_hand.gen.h"

namespace bitfusion::worker {
namespace {

constexpr size_t kPiece = 4u << 20;
// Marks the ticket of a CopyOutData as one of kept host memory (docs/wire.md).
constexpr uint64_t kOfGraph = 1ull << 63;

// Bytes on their way into host memory, for the driver to put there when the stream has come so far.
struct Filling {
    std::shared_ptr<HostMemory> memory;
    size_t at;
    std::vector<uint8_t> bytes;
};

void fill(void* filling) {
    const std::unique_ptr<Filling> f(static_cast<Filling*>(filling));
    memcpy(f->memory->data + f->at, f->bytes.data(), f->bytes.size());
}

}  // namespace

void GraphRuns::add(const std::shared_ptr<GraphRun>& run) { runs_.push_back(run); }

void GraphRuns::send(GraphRun::Output& output) {
    output.sent = true;
    const HostMemory& memory = *output.memory;
    for (size_t at = 0; at < memory.bytes;) {
        const size_t bytes = std::min({kPiece, memory.bytes - at, memory.run - at % memory.run});
        const uint64_t fields[2] = {output.ticket | kOfGraph, at};
        s_.send_bulk({0, msg::kId_CopyOutData, 0, 0, 0},
                     {reinterpret_cast<const uint8_t*>(fields), sizeof fields}, memory.data + at, bytes);
        at += bytes;
    }
}

void GraphRuns::send(GraphRun& run, const std::vector<uint64_t>& tickets) {
    for (GraphRun::Output& output : run.outputs) {
        if (!output.sent && std::find(tickets.begin(), tickets.end(), output.ticket) != tickets.end())
            send(output);
    }
}

void GraphRuns::before_function(uint64_t ticket) {
    // Launches that share a host function seldom run at once; then the oldest is the one that has come there.
    for (const auto& run : runs_) {
        for (GraphRun::Function& function : run->functions) {
            if (function.ticket != ticket || function.passed != 0) continue;
            ++function.passed;
            return send(*run, function.before);
        }
    }
}

void GraphRuns::finish(GraphRun& run) {
    for (GraphRun::Output& output : run.outputs) {
        if (!output.sent) send(output);
    }
    run.over = true;
    s_.driver.cuEventDestroy_v2(run.done);
    run.done = nullptr;
    if (!run.functions.empty()) s_.host_functions.graph_ends();
    s_.announce(msg::GraphLaunchDone{run.launch});
    std::erase_if(runs_, [](const auto& r) { return r->over; });
}

void serve(Session& s, const Frame& frame, const msg::GraphLaunch& m) {
    CUresult result = CUDA_SUCCESS;
    const CUgraphExec exec = s.handles.find<CUgraphExec>(m.exec, &result);
    const CUstream stream = s.handles.find<CUstream>(m.stream, &result);
    std::vector<uint64_t> marks(m.marks.size() / sizeof(uint64_t));
    if (marks.size() * sizeof(uint64_t) != m.marks.size() || marks.size() % 2 != 0)
        return s.peer_is_wrong(frame, "marks");
    if (!marks.empty()) memcpy(marks.data(), m.marks.data(), m.marks.size());
    if (result == CUDA_SUCCESS) result = s.enter(frame);
    Plan* plan = result == CUDA_SUCCESS ? s.graphs.plan_of(m.exec) : nullptr;
    auto run = std::make_shared<GraphRun>();
    run->launch = m.launch;
    if (plan != nullptr) {
        for (const PlanItem& item : plan->items) {
            if (item.kind == PlanItem::Kind::kFunction) run->functions.push_back({item.name, item.before});
            if (item.kind != PlanItem::Kind::kInput && item.kind != PlanItem::Kind::kOutput) continue;
            Kept* kept = s.kept.find(item.name, Kept::Kind::kHostMemory);
            if (kept == nullptr) continue;
            std::erase_if(kept->memory->used_by, [](const auto& r) { return r.expired(); });
            kept->memory->used_by.push_back(run);
            if (item.kind == PlanItem::Kind::kOutput) run->outputs.push_back({item.name, kept->memory});
        }
    }
    if (result == CUDA_SUCCESS && s.is_capturing(stream)) result = CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
    if (result == CUDA_SUCCESS) result = s.driver.cuGraphLaunch(exec, stream);
    const bool launched = result == CUDA_SUCCESS;
    if (launched) result = mark_stream(s.driver, stream, &run->done);
    for (size_t i = 0; i < marks.size(); i += 2) {
        const uint64_t name = marks[i];
        const uint64_t mark = marks[i + 1];
        CUresult known = CUDA_SUCCESS;
        const CUevent event = s.handles.find<CUevent>(name, &known);
        std::vector<uint64_t> before;
        for (const PlanItem& item : plan != nullptr ? plan->items : std::vector<PlanItem>{}) {
            if (item.kind == PlanItem::Kind::kEvent && item.name == name) before = item.before;
        }
        if (!launched || known != CUDA_SUCCESS || event == nullptr)
            s.announce(msg::EventReached{name, mark, CUDA_SUCCESS});  // or a loop of queries would never end
        else  // events of one graph are passed in any order, so each is watched by itself
            s.watch_event(name, name, event, mark,
                          [&s, run, before = std::move(before)] { s.graph_runs.send(*run, before); });
    }
    if (result != CUDA_SUCCESS) {
        if (run->done != nullptr) s.driver.cuEventDestroy_v2(run->done);
        run->over = true;
        s.announce(msg::GraphLaunchDone{m.launch});
        return s.posted(frame, result);
    }
    if (plan != nullptr) plan->last = run;
    if (!run->functions.empty()) s.host_functions.graph_begins();
    s.graph_runs.add(run);
    s.wait_copy(stream, {[&s, run] { return s.driver.cuEventQuery(run->done); },
                         [&s, run](CUresult) { s.graph_runs.finish(*run); }});
}

void serve(Session& s, const Frame& frame, const msg::HostBytes& m) {
    CUresult result = CUDA_SUCCESS;
    const CUstream stream = s.handles.find<CUstream>(m.stream, &result);
    const Kept* kept = s.kept.find(m.ticket, Kept::Kind::kHostMemory);
    if (result == CUDA_SUCCESS && kept == nullptr) result = CUDA_ERROR_INVALID_VALUE;
    if (result == CUDA_SUCCESS &&
        (m.offset > kept->memory->bytes || m.data.size() > kept->memory->bytes - m.offset))
        return s.peer_is_wrong(frame, "data");
    if (result == CUDA_SUCCESS) result = s.enter(frame);
    if (result != CUDA_SUCCESS) return s.posted(frame, result);
    // A launch that is under way may not have read the bytes of its own time yet.
    std::vector<std::shared_ptr<GraphRun>> users;
    for (const auto& user : kept->memory->used_by) {
        auto run = user.lock();
        if (m.now == 0 && run != nullptr && !run->over &&
            s.driver.cuEventQuery(run->done) == CUDA_ERROR_NOT_READY)
            users.push_back(std::move(run));
    }
    if (users.empty()) {
        memcpy(kept->memory->data + m.offset, m.data.data(), m.data.size());
        return;
    }
    for (const auto& run : users) {
        if (result == CUDA_SUCCESS) result = s.driver.cuStreamWaitEvent(stream, run->done, 0);
    }
    auto filling = std::make_unique<Filling>(
        Filling{kept->memory, static_cast<size_t>(m.offset), {m.data.begin(), m.data.end()}});
    if (result == CUDA_SUCCESS) result = s.driver.cuLaunchHostFunc(stream, fill, filling.get());
    if (result == CUDA_SUCCESS) filling.release();  // fill() owns it now
    s.posted(frame, result);
}

}  // namespace bitfusion::worker
