#include "session/session_test.h"

#include <vector>

#include "client/memory_map.h"
#include "conformance/kernels.h"

namespace bitfusion::session_test {

void SessionTest::SetUp() {
    client::stats().enable("session_tests");
    client::trust_addresses();
    connect();
}

void SessionTest::TearDown() { disconnect(); }

void SessionTest::connect(const link::LoopFaults& faults, Direction direction, const DriverTable& driver) {
    disconnect();
    auto ends = link::loop_pair(faults);
    ASSERT_TRUE(ends) << ends.error().what;
    auto& [first, second] = *ends;  // the faults lie on the way from the first to the second
    const bool to_worker = direction == Direction::kToWorker;
    server_ = std::make_unique<Server>(to_worker ? std::move(second) : std::move(first), driver);
    client::use_link(to_worker ? std::move(first) : std::move(second));
}

void SessionTest::disconnect() {
    if (server_ == nullptr) return;
    if (client::session() != nullptr) {  // forgets what the client knows of these handles
        if (memory_ != 0) client::cuMemFree_v2(memory_);
        if (module_ != nullptr) client::cuModuleUnload(module_);
    }
    memory_ = 0;
    module_ = nullptr;
    client::use_link(nullptr);
    EXPECT_NE(server_->wait_for_end(), "") << "the worker does not end";
    for (int i = 0; i < kGpus; ++i) EXPECT_EQ(server_->charged(i), 0u) << "of device " << i;
    server_.reset();
}

void SessionTest::open_device() {
    CU_OK(client::cuInit(0));
    CU_OK(client::cuDevicePrimaryCtxRetain(&context_, 0));
    CU_OK(client::cuCtxSetCurrent(context_));
    CU_OK(client::cuModuleLoadData(&module_, conformance::kKernels));
    CU_OK(client::cuModuleGetFunction(&add_one_, module_, "add_one"));
    CU_OK(client::cuMemAlloc_v2(&memory_, kBytes));
    CU_OK(client::remote::cuMemsetD8Async(memory_, 0, kBytes, nullptr));
    CU_OK(client::cuCtxSynchronize());
}

CUresult SessionTest::launch(CUfunction function, CUstream stream, std::initializer_list<void*> arguments,
                             unsigned blocks, unsigned threads) {
    std::vector<void*> list(arguments);
    return client::cuLaunchKernel(function, blocks, 1, 1, threads, 1, 1, 0, stream, list.data(), nullptr);
}

CUresult SessionTest::add_one(CUdeviceptr data, unsigned count, CUstream stream) {
    return launch(add_one_, stream, {&data, &count}, (count + 63) / 64, 64);
}

uint64_t SessionTest::round_trips(const std::function<void()>& program) {
    const uint64_t before = client::stats().totals().round_trips;
    program();
    return client::stats().totals().round_trips - before;
}

}  // namespace bitfusion::session_test
