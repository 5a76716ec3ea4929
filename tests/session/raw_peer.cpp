#include "session/raw_peer.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>

#include "link/loop.h"
#include "wire/names.h"

namespace bitfusion::session_test {

RawClient::RawClient(const DriverTable& driver, Descriptor door) {
    auto ends = link::loop_pair();
    if (!ends) abort();
    link_ = std::move(ends->first);
    server_ = std::make_unique<Server>(std::move(ends->second), driver, std::move(door));
}

RawClient::~RawClient() { end(); }

bool RawClient::send_bytes(std::span<const uint8_t> bytes) {
    const iovec piece{const_cast<uint8_t*>(bytes.data()), bytes.size()};
    return link_->send({&piece, 1}).has_value();
}

bool RawClient::send(uint16_t id, const Bytes& body, std::optional<uint32_t> claimed_size) {
    const wire::RequestHead head{claimed_size.value_or(static_cast<uint32_t>(body.size())), id, 0, context_,
                                 ++call_};
    Bytes bytes(sizeof head + body.size());
    memcpy(bytes.data(), &head, sizeof head);
    if (!body.empty()) memcpy(bytes.data() + sizeof head, body.data(), body.size());
    return send_bytes(bytes);
}

bool RawClient::receive_exactly(void* target, size_t bytes) {
    for (size_t at = 0; at < bytes;) {
        auto got = link_->receive(static_cast<uint8_t*>(target) + at, bytes - at, link::Wait::kBlock);
        if (!got || got->closed) return false;
        at += got->bytes;
    }
    return true;
}

std::optional<Answer> RawClient::receive() {
    Answer answer{};
    if (!receive_exactly(&answer.head, sizeof answer.head)) return {};
    EXPECT_LE(answer.head.bytes, wire::kMostBody);
    answer.body.resize(answer.head.bytes);
    if (!receive_exactly(answer.body.data(), answer.body.size())) return {};
    return answer;
}

CUresult RawClient::result(Bytes* body) {
    while (auto answer = receive()) {
        if (answer->head.id == msg::kId_Deferred && answer->head.call == 0) {
            msg::Deferred m;
            wire::Reader reader(answer->body);
            m.decode(reader);
            if (deferred_ == CUDA_SUCCESS) deferred_ = static_cast<CUresult>(m.result);
        }
        if (answer->head.call != call_) continue;
        if (body != nullptr) *body = std::move(answer->body);
        return static_cast<CUresult>(answer->head.result);
    }
    return CUDA_ERROR_UNKNOWN;
}

CUresult RawClient::deferred() {
    deferred_ = CUDA_SUCCESS;
    const CUresult state = ask(msg::ContextSynchronize{kContext});
    return state != CUDA_SUCCESS ? state : deferred_;
}

CUresult RawClient::announced() {
    deferred_ = CUDA_SUCCESS;
    const uint64_t nothing = wire::make_name(wire::Kind::kEvent, false, 0x7ffffff0u);
    return ask(msg::EventSynchronize{nothing}) == CUDA_ERROR_INVALID_HANDLE ? deferred_ : CUDA_ERROR_UNKNOWN;
}

bool RawClient::open() {
    if (ask(msg::Attach{"*"}) != CUDA_SUCCESS) return false;
    if (ask(msg::PrimaryRetain{0, kContext}) != CUDA_SUCCESS) return false;
    context_ = static_cast<uint32_t>(kContext);
    const uint64_t wanted = kBytes;
    Bytes body(8);
    memcpy(body.data(), &wanted, 8);
    Bytes reply;
    if (!send(msg::kId_cuMemAlloc_v2, body) || result(&reply) != CUDA_SUCCESS || reply.size() != 8)
        return false;
    memcpy(&memory, reply.data(), 8);
    return true;
}

std::string RawClient::end() {
    if (server_ == nullptr) return "";
    link_->shut();
    const std::string why = server_->wait_for_end();
    EXPECT_NE(why, "") << "the worker does not end";
    for (int i = 0; i < kGpus; ++i) EXPECT_EQ(server_->charged(i), 0u) << "of device " << i;
    server_.reset();
    return why;
}

Bytes random_bytes(std::mt19937_64& random, size_t count) {
    Bytes bytes(count);
    for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(random());
    return bytes;
}

}  // namespace bitfusion::session_test
