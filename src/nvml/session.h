// Session: the conversation of a program that reads NVML with its worker. Calls only, one at a time; the CUDA
// half of the same program, if it has one, has a session of its own (src/client/session.h).
//
// Owner: the Library, which also holds the lock that every call needs. Errors are final: after one every call
// says that the GPU is lost.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "link/link.h"
#include "messages.gen.h"
#include "nvml_types.gen.h"
#include "wire/codec.h"

namespace bitfusion::nvml {

class Session {
  public:
    explicit Session(std::unique_ptr<link::Link> link) : link_(std::move(link)) {}

    // `then` sees the reply while its spans are valid. NVML_ERROR_GPU_IS_LOST when the session is over.
    template <typename Message, typename Then>
    nvmlReturn_t call(const Message& m, const Then& then) {
        std::vector<uint8_t> body(m.size());
        wire::Writer writer(body.data(), body.size());
        m.encode(writer);
        if (!exchange(Message::kId, body)) return NVML_ERROR_GPU_IS_LOST;
        wire::Reader reader(reply_);
        typename Message::Reply reply;
        reply.decode(reader);
        if (!reader.done()) return lose("its answer is not what was asked for");
        return then(reply);
    }

    // Ends the session: the peer broke the protocol or went away.
    nvmlReturn_t lose(const std::string& why);

  private:
    bool exchange(uint16_t id, const std::vector<uint8_t>& body);
    Status receive(void* target, size_t bytes);

    std::unique_ptr<link::Link> link_;
    std::vector<uint8_t> reply_;
    uint32_t last_call_ = 0;
    bool lost_ = false;
};

}  // namespace bitfusion::nvml
