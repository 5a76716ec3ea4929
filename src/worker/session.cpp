#include "worker/session.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <thread>

#include "base/log.h"
#include "worker/census.h"

namespace bitfusion::worker {
namespace {

using Clock = std::chrono::steady_clock;

constexpr size_t kInboxBytes = 2u << 20;
constexpr size_t kOutboxFlush = 256u << 10;
// Bulk messages above this go straight into a staging buffer.
constexpr size_t kLargeBulk = 128u << 10;
// Images are the one message that may be longer than kMostBody.
constexpr uint32_t kMostImage = 1u << 30;

// Those before which copies in over lanes need not be finished.
bool travels_in_lanes(uint16_t id) {
    return id == msg::kId_CopyInLanes || id == msg::kId_CopyOutLanes || id == msg::kId_CopyOutLanesLater;
}

uint64_t context_name_of(uint32_t low) {
    return low == 0 ? 0 : static_cast<uint64_t>(wire::Kind::kContext) << wire::kKindShift | low;
}

}  // namespace

Session::Session(const DriverTable& table, Grant granted, std::unique_ptr<link::Link> link, Usage* usage)
    : driver(table),
      grant(std::move(granted)),
      overhead(&driver, &memory),
      staging(&driver),
      marks(&driver),
      lane_copies(this),
      mirrors(&driver, grant.mapped_memory),
      shared_pages(&driver),
      kept(this),
      graphs(this),
      graph_runs(this),
      link_(std::move(link)),
      inbox_(kInboxBytes) {
    memory.open(usage, grant.memory_mib << 20, grant.slot);
    usage_ = usage;
    handles.forgotten = [this](uint64_t name) {
        switch (wire::kind_of(name)) {
            case wire::Kind::kFunction:
            case wire::Kind::kKernel:
                layouts.erase(name);
                break;
            case wire::Kind::kGraph:
                graphs.forgotten(name);
                kept.graph_forgotten(name);
                std::erase_if(conditionals, [&](const auto& made) { return made.second == name; });
                break;
            case wire::Kind::kGraphExec:
                graphs.forgotten(name);
                break;
            case wire::Kind::kUserObject:
                user_objects.erase(name);
                break;
            case wire::Kind::kMemoryPool:
                overhead.forget_pools();
                break;
            default:
                break;
        }
    };
}

Session::~Session() {
    lane_copies.lanes.end();
    host_functions.abandon();
    arrays.refund_all(&memory);
    allocations.clear();
    memory.refund_all();
}

void Session::report_to(Census* census) {
    census_ = census;
    memory.report_to(census);
    monitor.watch(census);
}

void Session::count_overhead() {
    overhead.count(grant.devices, [this](int gpu) { return monitor.taken(*this, gpu); });
}

// ---- contexts and devices
// --------------------------------------------------------------------------------------

CUresult Session::enter(const Frame& frame) {
    const uint64_t name = context_name_of(frame.head.context);
    if (name == current_name_) return CUDA_SUCCESS;
    CUcontext context = nullptr;
    if (name != 0) {
        const auto found = contexts_.find(frame.head.context);
        if (found == contexts_.end()) return CUDA_ERROR_CONTEXT_IS_DESTROYED;
        context = found->second.context;
    }
    const CUresult result = driver.cuCtxSetCurrent(context);
    if (result == CUDA_SUCCESS) {
        current_name_ = name;
        current_ = context;
    }
    return result;
}

CUresult Session::enter_if_alive(const Frame& frame) {
    const CUresult result = enter(frame);
    if (result != CUDA_ERROR_CONTEXT_IS_DESTROYED) return result;
    current_name_ = 0;
    current_ = nullptr;
    return driver.cuCtxSetCurrent(nullptr);
}

CUdevice Session::device(int ordinal, CUresult* result) const {
    if (ordinal < 0 || static_cast<size_t>(ordinal) >= visible_.size()) {
        if (*result == CUDA_SUCCESS) *result = CUDA_ERROR_INVALID_DEVICE;
        return 0;
    }
    return visible_[static_cast<size_t>(ordinal)];
}

int Session::current_device() const { return gpu_of_context(current_name_); }

int Session::gpu_of_context(uint64_t name) const {
    const auto found = contexts_.find(static_cast<uint32_t>(name));
    return found == contexts_.end() ? 0 : gpu_of_lease(found->second.ordinal);
}

int Session::gpu_of_lease(int ordinal) const {
    if (ordinal < 0 || static_cast<size_t>(ordinal) >= visible_.size()) return 0;
    const auto place =
        std::find(grant.devices.begin(), grant.devices.end(), visible_[static_cast<size_t>(ordinal)]);
    return static_cast<int>(place - grant.devices.begin()) % Usage::kMostGpus;
}

void Session::bind_context(uint64_t name, CUcontext context, int ordinal, bool primary) {
    contexts_[static_cast<uint32_t>(name)] = {context, ordinal, primary};
    if (census_ != nullptr) census_->uses(gpu_of_lease(ordinal));
    handles.bind(name, context, 0);
}

uint64_t Session::primary_name(int ordinal) const {
    for (const auto& [low, context] : contexts_) {
        if (context.primary && context.ordinal == ordinal) return context_name_of(low);
    }
    return 0;
}

bool Session::has_context_on(int gpu) const {
    return std::any_of(contexts_.begin(), contexts_.end(),
                       [&](const auto& entry) { return gpu_of_lease(entry.second.ordinal) == gpu; });
}

void Session::forget_context(uint64_t name) {
    contexts_.erase(static_cast<uint32_t>(name));
    std::erase_if(watch_of_, [&](const auto& event_and_watch) {
        const auto& [event, watch] = event_and_watch;
        if (handles.owner_of(event) != name) return false;
        watch->obsolete = true;
        return true;
    });
    handles.forget(name);
    memory.remove_context(name);
    arrays.remove_context(name, &memory);
    std::erase_if(texture_objects, [&](const auto& entry) { return entry.second == name; });
    std::erase_if(surface_objects, [&](const auto& entry) { return entry.second == name; });
    staging.forget_events(name);
    overhead.forget_context(name);
    marks.forget_context(name);
    mirrors.forget_context(name);
    if (current_name_ == name) {
        current_name_ = 0;
        current_ = nullptr;
        driver.cuCtxSetCurrent(nullptr);
    }
}

// ---- answers
// -----------------------------------------------------------------------------------------------------

void Session::peer_is_wrong(const Frame& frame, const char* what) {
    BF_LOG("worker", kWarn, "message %s (number %u) is malformed at '%s': the session ends",
           msg::name_of(frame.head.id), frame.head.call, what);
    end(std::string("malformed message ") + msg::name_of(frame.head.id));
}

void Session::posted(const Frame& frame, CUresult result) {
    if (result == CUDA_SUCCESS) return;
    BF_LOG("worker", kInfo, "%s (call %u) failed with error %d", msg::name_of(frame.head.id), frame.head.call,
           result);
    announce_printed(true);
    announce(msg::Deferred{static_cast<int32_t>(result), frame.head.call});
}

void Session::announce_printed(bool files) {
    for (const int descriptor : {STDOUT_FILENO, STDERR_FILENO}) {
        const std::string text = printed.take(descriptor, files);
        if (text.empty()) continue;
        constexpr size_t kPiece = 256u << 10;
        for (size_t at = 0; at < text.size(); at += kPiece) {
            const size_t bytes = std::min(kPiece, text.size() - at);
            announce(msg::Printed{static_cast<uint32_t>(descriptor),
                                  {reinterpret_cast<const uint8_t*>(text.data()) + at, bytes}});
        }
    }
}

void Session::send_bulk(const wire::ReplyHead& head, std::span<const uint8_t> fields, const void* data,
                        size_t bytes) {
    count_answer();
    wire::ReplyHead complete = head;
    complete.bytes = static_cast<uint32_t>(fields.size() + bytes);
    const std::array<iovec, 4> pieces = {
        iovec{outbox_.data(), outbox_.size()}, iovec{&complete, sizeof complete},
        iovec{const_cast<uint8_t*>(fields.data()), fields.size()}, iovec{const_cast<void*>(data), bytes}};
    Status sent = link_->send(pieces);
    outbox_.clear();
    if (!sent) end("the client has gone: " + sent.error().what);
}

void Session::flush() {
    if (outbox_.empty()) return;
    const iovec piece{outbox_.data(), outbox_.size()};
    Status sent = link_->send({&piece, 1});
    outbox_.clear();
    if (!sent) end("the client has gone: " + sent.error().what);
}

// ---- waiting
// -------------------------------------------------------------------------------------------------------

void Session::watch_event(uint64_t stream, uint64_t event_name, CUevent event, uint64_t mark,
                          std::function<void()> before) {
    unwatch_event(event_name);  // the event now stands for this record
    auto watch = std::make_shared<Watch>(Watch{event_name, event, mark, std::move(before)});
    watches_[stream].push_back(watch);
    watch_of_[event_name] = std::move(watch);
}

void Session::unwatch_event(uint64_t event_name) {
    const auto found = watch_of_.find(event_name);
    if (found == watch_of_.end()) return;
    found->second->obsolete = true;
    watch_of_.erase(found);
}

// Records of one stream complete in order: only the first of each is asked.
bool Session::progress_events(std::vector<Watch>* reached, std::vector<CUresult>* status) {
    for (auto it = watches_.begin(); it != watches_.end();) {
        auto& queue = it->second;
        while (!queue.empty()) {
            if (queue.front()->obsolete) {
                queue.pop_front();
                continue;
            }
            const CUresult state = driver.cuEventQuery(queue.front()->event);
            if (state == CUDA_ERROR_NOT_READY) break;
            reached->push_back(*queue.front());
            status->push_back(state);
            watch_of_.erase(queue.front()->event_name);
            queue.pop_front();
        }
        it = queue.empty() ? watches_.erase(it) : std::next(it);
    }
    return !reached->empty();
}

bool Session::progress() {
    bool moved = lane_copies.progress();
    // First what has completed, then the data of copies: whatever a completion depends on is complete by then
    // and leaves before it.
    std::vector<std::pair<std::list<Waiting>::iterator, CUresult>> finished;
    for (auto it = waitings_.begin(); it != waitings_.end(); ++it) {
        const CUresult state = it->ready();
        if (state != CUDA_ERROR_NOT_READY) finished.emplace_back(it, state);
    }
    std::vector<Watch> reached;
    std::vector<CUresult> status;
    progress_events(&reached, &status);
    std::deque<HostFunctions::Due> due;
    if (host_functions.any_due()) due = host_functions.take_due();
    bool told = false;
    const auto tell_changes = [&] {
        if (!told) announce_changes();
        told = true;
    };
    if (!finished.empty() || !reached.empty() || !due.empty()) tell_changes();
    // The GPU goes on meanwhile: what is behind a copy that was not ready may be when it is asked.
    std::vector<uint64_t> busy;
    for (auto it = copies_.begin(); it != copies_.end();) {
        const bool behind = std::find(busy.begin(), busy.end(), it->stream) != busy.end();
        const CUresult state = behind ? CUDA_ERROR_NOT_READY : it->waiting.ready();
        if (state == CUDA_ERROR_NOT_READY) {
            if (!behind) busy.push_back(it->stream);
            ++it;
            continue;
        }
        tell_changes();
        it->waiting.finish(state);
        it = copies_.erase(it);
        moved = true;
    }
    for (size_t i = 0; i < reached.size(); ++i) {
        if (reached[i].before) reached[i].before();
        announce(msg::EventReached{reached[i].event_name, reached[i].mark, static_cast<int32_t>(status[i])});
        moved = true;
    }
    for (auto& [it, state] : finished) {
        announce_printed();
        it->finish(state);
        waitings_.erase(it);
        moved = true;
    }
    for (const HostFunctions::Due& point : due) {
        graph_runs.before_function(point.ticket);
        announce(msg::HostFunctionDue{point.ticket, point.pass, static_cast<int32_t>(point.status)});
        moved = true;
    }
    if (kept.any_gone()) {
        kept.reap();
        moved = true;
    }
    return moved;
}

// ---- receiving
// -------------------------------------------------------------------------------------------------------

bool Session::receive(link::Wait wait) {
    if (inbox_begin_ == inbox_end_) {
        inbox_begin_ = inbox_end_ = 0;
        if (inbox_.size() > kInboxBytes) {  // it has grown behind a message that was put off
            inbox_.resize(kInboxBytes);
            inbox_.shrink_to_fit();
        }
    } else if (inbox_end_ == inbox_.size()) {
        memmove(inbox_.data(), inbox_.data() + inbox_begin_, inbox_end_ - inbox_begin_);
        inbox_end_ -= inbox_begin_;
        inbox_begin_ = 0;
        if (postponed_ && inbox_end_ == inbox_.size()) inbox_.resize(inbox_.size() * 2);
    }
    auto got = link_->receive(inbox_.data() + inbox_end_, inbox_.size() - inbox_end_, wait);
    if (!got) {
        end("the client has gone: " + got.error().what);
        return false;
    }
    if (got->closed) {
        end("the client has gone");
        return false;
    }
    inbox_end_ += got->bytes;
    return got->bytes != 0;
}

bool Session::read_rest(uint8_t* target, size_t bytes) {
    const size_t here = std::min(bytes, inbox_end_ - inbox_begin_);
    memcpy(target, inbox_.data() + inbox_begin_, here);
    inbox_begin_ += here;
    for (size_t at = here; at < bytes;) {
        auto got = link_->receive(target + at, bytes - at, link::Wait::kBlock);
        if (!got || got->closed) {
            end("the client has gone");
            return false;
        }
        at += got->bytes;
    }
    return true;
}

// A message that does not fit the inbox: copies go into pinned memory, images into a buffer that grows as
// they come.
bool Session::serve_large(const wire::RequestHead& head, const Handler& handler) {
    const Frame frame{head};
    inbox_begin_ += sizeof head;
    if (handler.bulk && head.id != msg::kId_ModuleLoad && head.bytes <= Staging::kBytes) {
        CUresult result = enter(frame);
        Staging::Buffer* buffer = nullptr;
        while (result == CUDA_SUCCESS &&
               (buffer = staging.try_acquire(&result, host_functions.any_open())) == nullptr &&
               result == CUDA_SUCCESS)
            progress();
        std::vector<uint8_t> unpinned;
        if (buffer == nullptr) unpinned.resize(head.bytes);  // still read, so that the stream stays in step
        uint8_t* target = buffer != nullptr ? buffer->data : unpinned.data();
        if (!read_rest(target, head.bytes)) return false;
        bulk_buffer_ = buffer;
        wire::Reader reader(target, head.bytes);
        handler.serve(*this, frame, reader);
        if (bulk_buffer_ != nullptr) staging.release(bulk_buffer_);
        bulk_buffer_ = nullptr;
        return true;
    }
    constexpr size_t kStep = 16u << 20;
    std::vector<uint8_t> body;
    while (body.size() < head.bytes) {
        const size_t at = body.size();
        body.resize(std::min<size_t>(head.bytes, at + kStep));
        if (!read_rest(body.data() + at, body.size() - at)) return false;
    }
    wire::Reader reader(body.data(), body.size());
    handler.serve(*this, frame, reader);
    return true;
}

void Session::serve_inbox() {
    while (!ended()) {
        const size_t have = inbox_end_ - inbox_begin_;
        if (have < sizeof(wire::RequestHead)) return;
        wire::RequestHead head{};
        memcpy(&head, inbox_.data() + inbox_begin_, sizeof head);
        const Frame frame{head};
        const Handler* handler = handler_of(head.id);
        if (handler == nullptr) return peer_is_wrong(frame, "number");
        if (head.bytes > (head.id == msg::kId_ModuleLoad ? kMostImage : wire::kMostBody))
            return peer_is_wrong(frame, "size");
        if (lane_copies.any_in() && !travels_in_lanes(head.id)) {
            lane_copies.finish_ins();
            continue;
        }
        if (may_wait(*handler, head) && postpone(head)) return;
        const bool large = handler->bulk ? head.bytes > kLargeBulk : sizeof head + head.bytes > inbox_.size();
        if (large) {
            if (!serve_large(head, *handler)) return;
        } else {
            if (have < sizeof head + head.bytes) return;
            wire::Reader reader(inbox_.data() + inbox_begin_ + sizeof head, head.bytes);
            inbox_begin_ += sizeof head + head.bytes;
            handler->serve(*this, frame, reader);
        }
        if (outbox_.size() > kOutboxFlush) flush();
    }
}

// Nothing to do but wait: for the client, and for the GPU if something is watched. The GPU is asked at
// growing intervals, so that a short wait ends at once and a long one costs little.
void Session::idle() {
    const bool watching =
        !waitings_.empty() || !copies_.empty() || !watches_.empty() || postponed_ || lane_copies.hungry();
    const auto begun = Clock::now();
    static const auto spin = std::chrono::microseconds(std::thread::hardware_concurrency() > 2 ? 100 : 10);
    for (;;) {
        if (watching && progress()) return;
        if (postponed_ && !host_functions.any_open()) return;
        if (receive(link::Wait::kNo) || ended()) return;
        const auto passed = Clock::now() - begun;
        if (passed < spin || !link_->prepare_wait(std::exchange(woken_, false))) continue;
        timespec pause{0, static_cast<long>(std::clamp<int64_t>(std::chrono::nanoseconds(passed).count() / 8,
                                                                10000, 200000))};
        std::array<pollfd, 4> ready = {pollfd{link_->wait_descriptor(), POLLIN, 0},
                                       pollfd{host_functions.wait_descriptor(), POLLIN, 0},
                                       pollfd{kept.wait_descriptor(), POLLIN, 0},
                                       pollfd{lane_copies.lanes.wait_descriptor(), POLLIN, 0}};
        ppoll(ready.data(), ready.size(), watching ? &pause : nullptr, nullptr);
        woken_ = true;
        if (ready[1].revents != 0 || ready[2].revents != 0 || ready[3].revents != 0) {
            progress();
            return;
        }
    }
}

std::string Session::run() {
    while (!ended()) {
        if (usage_ != nullptr) usage_->activity.fetch_add(1, std::memory_order_relaxed);
        serve_inbox();
        if (ended()) break;
        progress();
        flush();
        if (ended()) break;
        if (!receive(link::Wait::kNo)) {
            if (!ended()) idle();
        }
    }
    flush();
    link_->shut();
    lane_copies.lanes.end();
    return ended_;
}

}  // namespace bitfusion::worker
