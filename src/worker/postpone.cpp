// Messages that wait for the program's host functions. The driver waits in some calls (a module load, say)
// for everything that runs on the GPU, host functions included; but they end only when the client has said
// so, to the very thread that would be inside the driver. So such a message is put off until no host function
// is open, and what comes behind it stays where it is, except the client's answers to host functions, which
// overtake. The program sees what it would see without us: a call that waits.
#include <cstring>

#include "base/log.h"
#include "worker/session.h"

namespace bitfusion::worker {
namespace {

// What may lie behind a message that is put off: a program whose other threads post more than this meanwhile
// meets the driver's own wait.
constexpr size_t kMostBehind = 32u << 20;

}  // namespace

// The driver loads a library's kernel when it is first launched.
bool Session::may_wait(const Handler& handler, const wire::RequestHead& head) const {
    if (handler.waits) return true;
    if (head.id != msg::kId_Launch || !host_functions.any_open()) return false;
    uint64_t function = 0;
    if (inbox_end_ - inbox_begin_ < sizeof head + sizeof function) return false;
    memcpy(&function, inbox_.data() + inbox_begin_ + sizeof head, sizeof function);
    if (wire::kind_of(function) != wire::Kind::kKernel) return false;
    const auto known = layouts.find(function);
    return known != layouts.end() && !known->second.launched;
}

bool Session::postpone(const wire::RequestHead& head) {
    postponed_ = host_functions.any_open();
    if (postponed_) hear_host_functions();
    postponed_ = postponed_ && !ended() && host_functions.any_open();
    if (postponed_ && inbox_end_ - inbox_begin_ > sizeof head + head.bytes + kMostBehind) {
        BF_LOG("worker", kWarn, "%s cannot wait any longer for host functions of the program",
               msg::name_of(head.id));
        postponed_ = false;
    }
    return postponed_;
}

void Session::hear_host_functions() {
    for (size_t at = inbox_begin_; inbox_end_ - at >= sizeof(wire::RequestHead);) {
        wire::RequestHead head{};
        memcpy(&head, inbox_.data() + at, sizeof head);
        const size_t bytes = sizeof head + head.bytes;
        if (handler_of(head.id) == nullptr || inbox_end_ - at < bytes) return;
        if (head.id != msg::kId_HostFunctionDone) {
            at += bytes;
            continue;
        }
        wire::Reader reader(inbox_.data() + at + sizeof head, head.bytes);
        handler_of(head.id)->serve(*this, Frame{head}, reader);
        memmove(inbox_.data() + at, inbox_.data() + at + bytes, inbox_end_ - at - bytes);
        inbox_end_ -= bytes;
    }
}

}  // namespace bitfusion::worker
