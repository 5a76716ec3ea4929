// Every function whose halves are generated: valid once, invalid never.
#include "session/function_case.h"

#include "session/session_test.h"

namespace bitfusion::session_test {
namespace {

class EachFunction : public SessionTest, public testing::WithParamInterface<size_t> {
  protected:
    const FunctionCase& the_case() const { return function_cases()[GetParam()]; }
    // A session whose driver has the case's function; its arguments lie in 4 KiB of the session's memory.
    void open_with_case() {
        DriverTable driver = soft_driver();
        the_case().install(&driver);
        connect({}, Direction::kToWorker, driver);
        CU_OK(client::cuInit(0));
        CU_OK(client::cuDevicePrimaryCtxRetain(&context_, 0));
        CU_OK(client::cuCtxSetCurrent(context_));
        ASSERT_EQ(client::cuMemAlloc_v2(&last_bytes_, kLastBytes), CUDA_SUCCESS);
        set_example_memory(last_bytes_);
        driver_record() = {};  // of what the session did to begin with
    }
    void TearDown() override {
        if (last_bytes_ != 0 && client::session() != nullptr) client::cuMemFree_v2(last_bytes_);
        SessionTest::TearDown();
    }
    static constexpr size_t kLastBytes = 4096;
    CUdeviceptr last_bytes_ = 0;
};

TEST_P(EachFunction, ReachesTheDriverOnceWithTheProgramsArguments) {
    ASSERT_NO_FATAL_FAILURE(open_with_case());
    Given given(server_.get(), last_bytes_, kLastBytes);
    EXPECT_EQ(the_case().call(given, -1), CUDA_SUCCESS);
    EXPECT_EQ(driver_record().calls, 1);
}

TEST_P(EachFunction, NeverReachesTheDriverWithAWrongArgument) {
    ASSERT_NO_FATAL_FAILURE(open_with_case());
    const auto& wrongs = the_case().wrongs;
    Given given(server_.get(), last_bytes_, kLastBytes);
    for (size_t i = 0; i < wrongs.size(); ++i) {
        SCOPED_TRACE(wrongs[i].what);
        EXPECT_EQ(the_case().call(given, static_cast<int>(i)), wrongs[i].error);
        EXPECT_EQ(driver_record().calls, 0);
        driver_record() = {};
    }
}

INSTANTIATE_TEST_SUITE_P(Driver, EachFunction, testing::Range(size_t{0}, function_cases().size()),
                         [](const testing::TestParamInfo<size_t>& info) {
                             return function_cases()[info.param].symbol;
                         });

}  // namespace
}  // namespace bitfusion::session_test
