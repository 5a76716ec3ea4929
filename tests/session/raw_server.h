// Raw servers: the server's end of a link in the test's hand, to say what no worker of ours says, with the
// client at the other end.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <thread>

#include "link/link.h"
#include "session/raw_peer.h"
#include "session/session_test.h"

namespace bitfusion::session_test {

// A server on a thread of its own, whose answers the test makes.
class RawServer {
  public:
    using Serve = std::function<void(RawServer&, const wire::RequestHead&, const Bytes&)>;

    RawServer(std::unique_ptr<link::Link> end, Serve serve);
    ~RawServer();
    RawServer(const RawServer&) = delete;
    RawServer& operator=(const RawServer&) = delete;

    void send_bytes(std::span<const uint8_t> bytes);
    // `claimed`: the size that the head tells, where that is not the body's.
    void send(uint16_t id, uint32_t call, CUresult result, const Bytes& body,
              std::optional<uint32_t> claimed = {});
    template <typename Message>
    void announce(const Message& m) {
        send(Message::kId, 0, CUDA_SUCCESS, body_of(m));
    }
    // One device.
    void answer_attach(uint32_t call);
    void shut() { link_->shut(); }

  private:
    bool receive_exactly(void* target, size_t bytes);
    void run();

    std::unique_ptr<link::Link> link_;
    Serve serve_;
    bool closed_ = false;
    std::thread thread_;
};

// Where the memory of be_decent lies.
constexpr uint64_t kAddress = 0x2b0000000000;

// Answers like a server that has one device, one context and memory at kAddress.
void be_decent(RawServer& server, const wire::RequestHead& head, const Bytes& body);

class RawServerTest : public testing::Test {
  protected:
    void SetUp() override;
    void TearDown() override;
    void disconnect();
    void connect(RawServer::Serve serve);
    // be_decent, but for one message; the session is open and has memory.
    void open_with(uint16_t id, RawServer::Serve serve);
    void open();
    // The call ends, with an error.
    void fails(const char* what, const std::function<CUresult()>& call);
    CUresult read(void* target, size_t bytes) { return client::cuMemcpyDtoH_v2(target, memory_, bytes); }

    std::unique_ptr<RawServer> server_;
    CUcontext context_ = nullptr;
    CUmodule module_ = nullptr;
    CUdeviceptr memory_ = 0;
};

}  // namespace bitfusion::session_test
