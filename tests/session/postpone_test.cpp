// Calls in which the driver waits for everything that runs on the GPU, host functions of the program
// included: NVIDIA's driver loads modules like that. The software driver does not, so these tests give the
// worker one that does.
#include <future>
#include <thread>

#include "session/session_test.h"

namespace bitfusion::session_test {
namespace {

constexpr const char* kModule = R"(.version 6.4
.target sm_52
.address_size 64
.visible .entry nothing() { ret; }
)";

CUresult load_after_everything(CUmodule* module, const void* image, unsigned count, CUjit_option* options,
                               void** values) {
    const CUresult waited = soft_driver().cuCtxSynchronize();
    return waited != CUDA_SUCCESS ? waited
                                  : soft_driver().cuModuleLoadDataEx(module, image, count, options, values);
}

DriverTable waiting_driver() {
    DriverTable driver = soft_driver();
    driver.cuModuleLoadDataEx = load_after_everything;
    return driver;
}

class Postpone : public SessionTest {
  protected:
    void SetUp() override {
        SessionTest::SetUp();
        connect({}, Direction::kToWorker, waiting_driver());
        open_device();
        CU_OK(client::cuStreamCreate(&blocked_, CU_STREAM_NON_BLOCKING));
        CU_OK(client::cuStreamCreate(&free_, CU_STREAM_NON_BLOCKING));
    }

    // A stream that waits for the promise in a host function.
    void block(std::shared_future<void>* opened) {
        CU_OK(client::cuLaunchHostFunc(
            blocked_, [](void* gate) { static_cast<std::shared_future<void>*>(gate)->wait(); }, opened));
    }
    uint32_t value() {
        uint32_t read = 0;
        EXPECT_EQ(client::cuMemcpyDtoH_v2(&read, memory_, sizeof read), CUDA_SUCCESS);
        return read;
    }

    CUstream blocked_ = nullptr;
    CUstream free_ = nullptr;
};

TEST_F(Postpone, AModuleIsLoadedWhenTheHostFunctionsAreOver) {
    for (uint32_t round = 1; round <= 20; ++round) {
        std::promise<void> gate;
        std::shared_future<void> opened = gate.get_future().share();
        block(&opened);
        std::promise<void> begun;
        std::future<CUresult> loading = std::async(std::launch::async, [&] {
            client::cuCtxSetCurrent(context_);
            begun.set_value();
            CUmodule module = nullptr;
            const CUresult loaded = client::cuModuleLoadData(&module, kModule);
            return loaded != CUDA_SUCCESS ? loaded : client::cuModuleUnload(module);
        });
        begun.get_future().wait();
        // What comes behind keeps its order, and arrives.
        for (int i = 0; i < 10; ++i) CU_OK(add_one(memory_, 1, free_));
        for (int i = 0; i < 2000; ++i) std::this_thread::yield();
        gate.set_value();
        const bool ended = loading.wait_for(kHang) == std::future_status::ready;
        if (!ended) server_->rescue();
        ASSERT_TRUE(ended) << "the module load waits for a host function that nobody can end";
        EXPECT_EQ(loading.get(), CUDA_SUCCESS);
        CU_OK(client::cuStreamSynchronize(free_));
        ASSERT_EQ(value(), round * 10);
    }
}

TEST_F(Postpone, ManyMessagesMayLieBehind) {
    std::promise<void> gate;
    std::shared_future<void> opened = gate.get_future().share();
    block(&opened);
    std::promise<void> begun;
    std::future<CUresult> loading = std::async(std::launch::async, [&] {
        client::cuCtxSetCurrent(context_);
        begun.set_value();
        CUmodule module = nullptr;
        return client::cuModuleLoadData(&module, kModule);
    });
    begun.get_future().wait();
    // More than the worker's buffer takes at once.
    std::vector<uint32_t> words(1000);
    for (uint32_t i = 0; i < 1500; ++i) {
        words[0] = i;
        CU_OK(client::cuMemcpyHtoDAsync_v2(memory_, words.data(), words.size() * sizeof words[0], free_));
    }
    gate.set_value();
    const bool ended = loading.wait_for(kHang) == std::future_status::ready;
    if (!ended) server_->rescue();
    ASSERT_TRUE(ended);
    EXPECT_EQ(loading.get(), CUDA_SUCCESS);
    CU_OK(client::cuStreamSynchronize(free_));
    EXPECT_EQ(value(), 1499u);
}

}  // namespace
}  // namespace bitfusion::session_test
