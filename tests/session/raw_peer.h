// Raw peers: one end of a link in the test's hand, to say what no client and no server of ours says.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <random>
#include <span>
#include <vector>

#include "link/link.h"
#include "messages.gen.h"
#include "session/server.h"
#include "wire/codec.h"
#include "wire/frame.h"

namespace bitfusion::session_test {

using Bytes = std::vector<uint8_t>;

template <typename Message>
Bytes body_of(const Message& m, std::span<const uint8_t> bulk = {}) {
    Bytes body(m.size() + bulk.size());
    wire::Writer writer(body.data(), body.size());
    m.encode(writer);
    writer.raw(bulk.data(), bulk.size());
    return body;
}

// The values one behind the other, as fields stand in a body.
template <typename... Values>
Bytes words(Values... values) {
    Bytes body((sizeof(Values) + ... + 0));
    wire::Writer writer(body.data(), body.size());
    (writer.put(values), ...);
    return body;
}

struct Answer {
    wire::ReplyHead head;
    Bytes body;
};

// A client made by hand, with a real worker at the other end.
class RawClient {
  public:
    explicit RawClient(const DriverTable& driver = soft_driver(), Descriptor door = {});
    ~RawClient();
    RawClient(const RawClient&) = delete;
    RawClient& operator=(const RawClient&) = delete;

    // False when the worker no longer listens.
    bool send_bytes(std::span<const uint8_t> bytes);
    bool give_file(int descriptor) { return link_->give_file(descriptor).has_value(); }
    bool shares_memory() const { return link_->shares_memory(); }
    bool send(uint16_t id, const Bytes& body, std::optional<uint32_t> claimed_size = {});
    template <typename Message>
    requires requires { Message::kId; }
    bool send(const Message& m, std::span<const uint8_t> bulk = {}) {
        return send(Message::kId, body_of(m, bulk));
    }
    // The next message of the worker; nothing when it has ended the session.
    std::optional<Answer> receive();
    // The answer to the last message sent, after any events; CUDA_ERROR_UNKNOWN when the session has ended.
    CUresult result(Bytes* body = nullptr);
    template <typename Message>
    CUresult ask(const Message& m, Bytes* body = nullptr) {
        return send(m) ? result(body) : CUDA_ERROR_UNKNOWN;
    }
    // The error of what was posted, told before the answer to a synchronisation.
    CUresult deferred();
    // The same, without waiting for the GPU.
    CUresult announced();

    // Attaches, retains device 0's primary context, and allocates: what most messages need to get anywhere.
    bool open();
    // The session ends; why. Nothing is charged any more afterwards.
    std::string end();
    Server& server() { return *server_; }

    static constexpr uint64_t kContext = 1ull << wire::kKindShift | 1;
    static constexpr size_t kBytes = 65536;
    uint64_t memory = 0;  // of open()

  private:
    bool receive_exactly(void* target, size_t bytes);

    std::unique_ptr<link::Link> link_;
    std::unique_ptr<Server> server_;
    uint32_t call_ = 0;
    uint32_t context_ = 0;
    CUresult deferred_ = CUDA_SUCCESS;
};

Bytes random_bytes(std::mt19937_64& random, size_t count);

}  // namespace bitfusion::session_test
