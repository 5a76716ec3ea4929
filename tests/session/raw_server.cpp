#include "session/raw_server.h"

#include <cstring>
#include <future>
#include <vector>

#include "client/memory_map.h"
#include "link/loop.h"
#include "wire/facts.h"

namespace bitfusion::session_test {

RawServer::RawServer(std::unique_ptr<link::Link> end, Serve serve)
    : link_(std::move(end)), serve_(std::move(serve)) {
    thread_ = std::thread([this] { run(); });
}

RawServer::~RawServer() {
    link_->shut();
    thread_.join();
}

void RawServer::send_bytes(std::span<const uint8_t> bytes) {
    const iovec piece{const_cast<uint8_t*>(bytes.data()), bytes.size()};
    if (!link_->send({&piece, 1})) closed_ = true;
}

void RawServer::send(uint16_t id, uint32_t call, CUresult result, const Bytes& body,
                     std::optional<uint32_t> claimed) {
    const wire::ReplyHead head{claimed.value_or(static_cast<uint32_t>(body.size())), id, 0, result, call};
    Bytes bytes(sizeof head + body.size());
    memcpy(bytes.data(), &head, sizeof head);
    if (!body.empty()) memcpy(bytes.data() + sizeof head, body.data(), body.size());
    send_bytes(bytes);
}

void RawServer::answer_attach(uint32_t call) {
    wire::DeviceFacts device;
    device.name = "a device";
    device.total_bytes = 1u << 30;
    device.attributes.assign(CU_DEVICE_ATTRIBUTE_MAX, {CUDA_SUCCESS, 1024});
    const Bytes devices = wire::encode(std::vector{device});
    const std::vector<wire::AttributeFact> peers(5);
    msg::Attach::Reply reply;
    reply.driver_version = CUDA_VERSION;
    reply.devices = devices;
    reply.peers = {reinterpret_cast<const uint8_t*>(peers.data()), peers.size() * sizeof peers[0]};
    send(msg::kId_Attach, call, CUDA_SUCCESS, body_of(reply));
}

bool RawServer::receive_exactly(void* target, size_t bytes) {
    for (size_t at = 0; at < bytes;) {
        auto got = link_->receive(static_cast<uint8_t*>(target) + at, bytes - at, link::Wait::kBlock);
        if (!got || got->closed) return false;
        at += got->bytes;
    }
    return true;
}

void RawServer::run() {
    wire::RequestHead head{};
    while (!closed_ && receive_exactly(&head, sizeof head)) {
        Bytes body(head.bytes);
        if (!receive_exactly(body.data(), body.size())) return;
        serve_(*this, head, body);
    }
}

void be_decent(RawServer& server, const wire::RequestHead& head, const Bytes& body) {
    switch (head.id) {
        case msg::kId_Attach:
            return server.answer_attach(head.call);
        case msg::kId_PrimaryRetain:
            return server.send(head.id, head.call, CUDA_SUCCESS, words(0u));
        case msg::kId_cuMemAlloc_v2:
            return server.send(head.id, head.call, CUDA_SUCCESS, words(kAddress));
        case msg::kId_ModuleLoad:
            return server.send(head.id, head.call, CUDA_SUCCESS, body_of(msg::ModuleLoad::Reply{}));
        case msg::kId_CopyOut: {
            uint64_t bytes = 0;
            memcpy(&bytes, body.data() + 8, sizeof bytes);
            return server.send(head.id, head.call, CUDA_SUCCESS, Bytes(bytes, 0x77));
        }
        case msg::kId_StreamSynchronize:
        case msg::kId_ContextSynchronize:
        case msg::kId_EventSynchronize:
            return server.send(head.id, head.call, CUDA_SUCCESS, {});
        default:
            return;
    }
}

void RawServerTest::SetUp() {
    quiet();
    client::trust_addresses();
}

void RawServerTest::TearDown() { disconnect(); }

void RawServerTest::disconnect() {
    if (client::session() != nullptr) {
        if (memory_ != 0) client::cuMemFree_v2(memory_);
        if (module_ != nullptr) client::cuModuleUnload(module_);
    }
    memory_ = 0;
    module_ = nullptr;
    client::use_link(nullptr);
    server_.reset();
}

void RawServerTest::connect(RawServer::Serve serve) {
    disconnect();
    auto ends = link::loop_pair();
    ASSERT_TRUE(ends);
    server_ = std::make_unique<RawServer>(std::move(ends->second), std::move(serve));
    client::use_link(std::move(ends->first));
}

void RawServerTest::open_with(uint16_t id, RawServer::Serve serve) {
    connect(
        [id, serve = std::move(serve)](RawServer& server, const wire::RequestHead& head, const Bytes& body) {
            head.id == id ? serve(server, head, body) : be_decent(server, head, body);
        });
    open();
}

void RawServerTest::open() {
    CU_OK(client::cuInit(0));
    CU_OK(client::cuDevicePrimaryCtxRetain(&context_, 0));
    CU_OK(client::cuCtxSetCurrent(context_));
    CU_OK(client::cuMemAlloc_v2(&memory_, 65536));
    CU_OK(client::cuModuleLoadData(&module_, ".version 6.4\n.target sm_52\n.address_size 64\n"));
}

void RawServerTest::fails(const char* what, const std::function<CUresult()>& call) {
    std::future<CUresult> done = std::async(std::launch::async, [&] {
        client::cuCtxSetCurrent(context_);
        return call();
    });
    if (done.wait_for(kHang) != std::future_status::ready) {
        ADD_FAILURE() << what << " hangs";
        server_->shut();
    }
    EXPECT_NE(done.get(), CUDA_SUCCESS) << what;
}

}  // namespace bitfusion::session_test
