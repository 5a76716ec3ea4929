#include "nvml/session.h"

#include "base/log.h"
#include "wire/frame.h"

namespace bitfusion::nvml {
namespace {

constexpr uint32_t kMostReply = 4u << 20;  // far above the largest snapshot

}  // namespace

nvmlReturn_t Session::lose(const std::string& why) {
    if (!lost_) {
        BF_LOG("nvml", kError, "the session with the server is over: %s; start the program again",
               why.c_str());
        lost_ = true;
        link_->shut();
    }
    return NVML_ERROR_GPU_IS_LOST;
}

Status Session::receive(void* target, size_t bytes) {
    auto* const to = static_cast<uint8_t*>(target);
    for (size_t at = 0; at < bytes;) {
        auto got = link_->receive(to + at, bytes - at, link::Wait::kBlock);
        if (!got) return tl::unexpected(got.error());
        if (got->closed) return fail("the server closed the connection; look into its log");
        at += got->bytes;
    }
    return {};
}

bool Session::exchange(uint16_t id, const std::vector<uint8_t>& body) {
    if (lost_) return false;
    const wire::RequestHead head{static_cast<uint32_t>(body.size()), id, 0, 0, ++last_call_};
    const iovec pieces[] = {{const_cast<wire::RequestHead*>(&head), sizeof head},
                            {const_cast<uint8_t*>(body.data()), body.size()}};
    if (Status sent = link_->send(pieces); !sent) {
        lose(sent.error().what);
        return false;
    }
    for (;;) {
        wire::ReplyHead reply{};
        Status got = receive(&reply, sizeof reply);
        if (got && reply.bytes > kMostReply) got = fail("its answer is longer than any");
        if (got) {
            reply_.resize(reply.bytes);
            got = receive(reply_.data(), reply_.size());
        }
        if (got && reply.call == 0) continue;  // an announcement: of CUDA's, which this session does not use
        if (got && (reply.call != last_call_ || reply.id != id || reply.result != 0))
            got = fail("it answered another question");
        if (got) return true;
        lose(got.error().what);
        return false;
    }
}

}  // namespace bitfusion::nvml
