// Linear copies whose data travel over lanes. Copies that block are told to the worker in groups, so that
// those of other threads come in between.
#include <algorithm>
#include <deque>

#include "client/feedback.h"
#include "client/lanes.h"
#include "client/session.h"
#include "messages.gen.h"

namespace bitfusion::client {
namespace {

constexpr size_t kGroupIn = 16u << 20;
constexpr size_t kMostGroupsIn = 2;  // whose data are not sent yet
constexpr size_t kGroupOut = 8u << 20;
// Whose data have not come yet. What the worker stages for them must leave it room: a copy that waits for a
// long kernel may not stop what other threads launch.
constexpr size_t kMostGroupsOut = 2;

struct GroupOut {
    GroupOut(void* target, size_t bytes) : ticket(open_ticket(target, bytes)) {}
    void operator()(wire::Reader& r) {
        msg::CopyOutLanes::Reply reply;
        reply.decode(r);
        sent = reply.byte_count;
        status = static_cast<CUresult>(reply.status);
    }
    const uint64_t ticket;
    uint64_t sent = 0;
    CUresult status = CUDA_ERROR_UNKNOWN;
    Pending pending{DecodeRef(*this)};
};

}  // namespace

CUresult copy_in_lanes(CUdeviceptr dst, const void* src, size_t bytes, CUstream stream, bool stable) {
    Session* s = session();
    Lanes& lanes = s->lanes();
    std::deque<Lanes::Sending> under_way;
    const auto await_first = [&] {
        lanes.await_sent(under_way.front());
        under_way.pop_front();
    };
    CUresult result = CUDA_SUCCESS;
    const size_t group = stable ? bytes : kGroupIn;
    for (size_t at = 0; at < bytes && result == CUDA_SUCCESS; at += group) {
        const size_t count = std::min(group, bytes - at);
        Lanes::Sending sending;
        result = lanes.send(static_cast<const uint8_t*>(src) + at, count, &sending, [&](uint64_t number) {
            return post(msg::CopyInLanes{dst + at, count, wire_name(stream), number});
        });
        if (stable || result != CUDA_SUCCESS) continue;
        s->flush();
        under_way.push_back(std::move(sending));
        if (under_way.size() > kMostGroupsIn) await_first();
    }
    while (!under_way.empty()) await_first();
    return result;
}

CUresult copy_out_lanes(void* dst, CUdeviceptr src, size_t bytes, CUstream stream) {
    Session* s = session();
    std::deque<GroupOut> under_way;
    CUresult result = CUDA_SUCCESS;
    uint16_t counted = msg::CopyOutLanes::kId;  // the groups of one copy are one wait
    const auto finish_first = [&] {
        GroupOut& group = under_way.front();
        CUresult one = s->finish_call(&group.pending, counted);
        counted = 0;
        await_ticket(group.ticket, group.sent);
        if (one == CUDA_SUCCESS) one = group.status;
        if (one == CUDA_SUCCESS && s->lost()) one = s->sticky();
        if (result == CUDA_SUCCESS) result = one;
        under_way.pop_front();
    };
    for (size_t at = 0; at < bytes && result == CUDA_SUCCESS; at += kGroupOut) {
        const size_t count = std::min(kGroupOut, bytes - at);
        if (under_way.size() == kMostGroupsOut) finish_first();
        GroupOut& group = under_way.emplace_back(static_cast<uint8_t*>(dst) + at, count);
        const msg::CopyOutLanes m{src + at, count, wire_name(stream), group.ticket};
        s->begin_call(
            msg::CopyOutLanes::kId, m.size(), [&](wire::Writer& w) { m.encode(w); }, &group.pending);
        s->flush();
    }
    while (!under_way.empty()) finish_first();
    return result;
}

}  // namespace bitfusion::client
