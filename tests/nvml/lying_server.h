// LyingServer: what a program that watches talks to where a test makes the answers.
#pragma once

#include <cstring>
#include <functional>
#include <memory>
#include <thread>

#include "nvml/watching.h"
#include "session/raw_peer.h"

namespace bitfusion::nvml_test {

using session_test::body_of;
using session_test::Bytes;

// A server on a thread of its own that answers each request with what the test makes.
class LyingServer {
  public:
    // The whole message, head included.
    using Answer = std::function<Bytes(const wire::RequestHead&, const Bytes& body)>;

    explicit LyingServer(Answer answer) : link_(connect_library()), answer_(std::move(answer)) {
        thread_ = std::thread([this] { run(); });
    }
    ~LyingServer() {
        link_->shut();
        thread_.join();
    }
    LyingServer(const LyingServer&) = delete;
    LyingServer& operator=(const LyingServer&) = delete;

  private:
    bool receive(void* target, size_t bytes) {
        for (size_t at = 0; at < bytes;) {
            auto got = link_->receive(static_cast<uint8_t*>(target) + at, bytes - at, link::Wait::kBlock);
            if (!got || got->closed) return false;
            at += got->bytes;
        }
        return true;
    }
    void run() {
        wire::RequestHead head{};
        while (receive(&head, sizeof head)) {
            Bytes body(head.bytes);
            if (!receive(body.data(), body.size())) return;
            Bytes answer = answer_(head, body);
            const iovec piece{answer.data(), answer.size()};
            if (!link_->send({&piece, 1})) return;
        }
    }

    std::unique_ptr<link::Link> link_;
    Answer answer_;
    std::thread thread_;
};

inline Bytes message(const wire::RequestHead& to, const Bytes& body) {
    const wire::ReplyHead head{static_cast<uint32_t>(body.size()), to.id, 0, 0, to.call};
    const auto* const first = reinterpret_cast<const uint8_t*>(&head);
    Bytes bytes(first, first + sizeof head);
    bytes.insert(bytes.end(), body.begin(), body.end());
    return bytes;
}

inline Bytes opened(const wire::RequestHead& to, uint32_t devices = 1) {
    msg::MonitorOpen::Reply reply;
    reply.devices = devices;
    return message(to, body_of(reply));
}

}  // namespace bitfusion::nvml_test
