// The messages of lanes: asking for them, and copies whose data travel over them.
#include <poll.h>

#include <array>
#include <chrono>
#include <thread>

#include "worker/session.h"
#include "worker_hand.gen.h"

namespace bitfusion::worker {
namespace {

CUresult prepare(Session& s, const Frame& frame, uint64_t device, uint64_t bytes, CUresult result,
                 CUstream stream) {
    if (result == CUDA_SUCCESS && !s.memory.within(device, bytes)) result = CUDA_ERROR_INVALID_VALUE;
    if (result == CUDA_SUCCESS) result = s.enter(frame);
    // A copy of a capture is a CaptureCopy.
    if (result == CUDA_SUCCESS && s.is_capturing(stream)) result = CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
    return result;
}

}  // namespace

void serve(Session& s, const Frame& frame, const msg::LanesOpen& m) {
    const std::vector<uint8_t> secrets = s.lane_copies.lanes.invite(m.count);
    s.reply_with(frame, CUDA_SUCCESS,
                 msg::LanesOpen::Reply{static_cast<uint32_t>(s.grant.slot), std::span(secrets)});
}

void serve(Session& s, const Frame& frame, const msg::LaneData&) { s.peer_is_wrong(frame, "connection"); }

void serve(Session& s, const Frame& frame, const msg::CopyInLanes& m) {
    CUresult result = CUDA_SUCCESS;
    const CUstream stream = s.handles.find<CUstream>(m.stream, &result);
    result = prepare(s, frame, m.device, m.byte_count, result, stream);
    s.lane_copies.begin_in(frame, m, stream, result);
}

void serve(Session& s, const Frame& frame, const msg::CopyOutLanes& m) {
    if (s.lane_copies.lanes.open_count() == 0) return s.peer_is_wrong(frame, "lanes");
    if (!s.lane_copies.may_overtake(m.stream)) s.lane_copies.finish_ins();
    CUresult result = CUDA_SUCCESS;
    const CUstream stream = s.handles.find<CUstream>(m.stream, &result);
    result = prepare(s, frame, m.device, m.byte_count, result, stream);
    const auto answer = [&s, frame](uint64_t bytes, CUresult status) {
        s.announce_printed();
        s.reply_with(frame, CUDA_SUCCESS, msg::CopyOutLanes::Reply{bytes, static_cast<int32_t>(status)});
    };
    if (result != CUDA_SUCCESS) return answer(0, result);
    s.lane_copies.begin_out(m.device, m.byte_count, stream, m.ticket, answer);
}

void serve(Session& s, const Frame& frame, const msg::CopyOutLanesLater& m) {
    if (s.lane_copies.lanes.open_count() == 0) return s.peer_is_wrong(frame, "lanes");
    if (!s.lane_copies.may_overtake(m.stream)) s.lane_copies.finish_ins();
    CUresult result = CUDA_SUCCESS;
    const CUstream stream = s.handles.find<CUstream>(m.stream, &result);
    result = prepare(s, frame, m.device, m.byte_count, result, stream);
    const auto tell = [&s, ticket = m.ticket](uint64_t bytes, CUresult) {
        s.announce(msg::CopyOutSent{ticket, bytes});
    };
    if (result == CUDA_SUCCESS)
        result = s.lane_copies.begin_out(m.device, m.byte_count, stream, m.ticket, tell);
    else
        tell(0, result);
    s.posted(frame, result);
}

// What lies behind the message that waits is received as far as there is room, so that the client's end is
// noticed.
void Session::rest() {
    const bool room = inbox_end_ - inbox_begin_ < inbox_.size();
    if (room && receive(link::Wait::kNo) && host_functions.any_open()) hear_host_functions();
    if (ended()) return;
    using Clock = std::chrono::steady_clock;
    static const auto spin = std::chrono::microseconds(std::thread::hardware_concurrency() > 2 ? 50 : 0);
    for (const auto end = Clock::now() + spin; Clock::now() < end;) {
        if (lane_copies.lanes.has_news()) return;
    }
    if (room && !link_->prepare_wait(std::exchange(woken_, false))) return;
    const bool watching = !waitings_.empty() || !copies_.empty() || !watches_.empty() || lane_copies.hungry();
    const timespec pause{0, 50000};
    std::array<pollfd, 4> ready = {pollfd{lane_copies.lanes.wait_descriptor(), POLLIN, 0},
                                   pollfd{host_functions.wait_descriptor(), POLLIN, 0},
                                   pollfd{kept.wait_descriptor(), POLLIN, 0},
                                   pollfd{room ? link_->wait_descriptor() : -1, POLLIN, 0}};
    ppoll(ready.data(), ready.size(), watching ? &pause : nullptr, nullptr);
    woken_ = true;
}

}  // namespace bitfusion::worker
