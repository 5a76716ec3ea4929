#include "daemon/gpu_lock.h"

#include <gtest/gtest.h>
#include <unistd.h>

namespace bitfusion::daemon {
namespace {

TEST(GpuLock, OneManagerForEachGpu) {
    const std::string gpu = "GPU-test-" + std::to_string(getpid());
    GpuLocks first;
    ASSERT_TRUE(first.take({gpu, gpu + "-b"}));
    EXPECT_TRUE(first.take({gpu})) << "its own";
    {
        GpuLocks second;
        const auto refused = second.take({gpu + "-b"});
        ASSERT_FALSE(refused);
        EXPECT_NE(refused.error().what.find("another manager"), std::string::npos);
        EXPECT_TRUE(second.take({gpu + "-c"}));
    }
    GpuLocks third;
    EXPECT_TRUE(third.take({gpu + "-c"})) << "free again";
    EXPECT_FALSE(third.take({std::string(200, 'x')}));
}

}  // namespace
}  // namespace bitfusion::daemon
