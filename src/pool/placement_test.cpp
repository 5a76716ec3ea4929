#include "pool/placement.h"

#include <gtest/gtest.h>

#include <cmath>

namespace bitfusion::pool {
namespace {

State server(std::vector<uint64_t> sizes) {
    State state;
    for (uint32_t i = 0; i < sizes.size(); ++i) state.devices.push_back({i, sizes[i]});
    return state;
}

Grant granted(const Decision& decision) {
    const auto* grant = std::get_if<Grant>(&decision);
    if (grant == nullptr) {
        ADD_FAILURE() << std::get<Refusal>(decision).text;
        return {};
    }
    return *grant;
}

Refusal refused(const Decision& decision) {
    const auto* refusal = std::get_if<Refusal>(&decision);
    if (refusal == nullptr) {
        ADD_FAILURE() << "granted";
        return {};
    }
    return *refusal;
}

std::vector<uint32_t> ordinals(const Grant& grant) {
    std::vector<uint32_t> out;
    for (const Part& part : grant.parts) out.push_back(part.ordinal);
    return out;
}

TEST(Placement, FractionIsTheFloorOfTheDocumentedExamples) {
    EXPECT_EQ(partition_of(32510, 0.8), 26008u);
    EXPECT_EQ(partition_of(16160, 0.5), 8080u);
    EXPECT_EQ(partition_of(16384, 0.33), 5406u);
    EXPECT_EQ(partition_of(100, 0.29), 29u);
    EXPECT_EQ(partition_of(4096, 1.0), 4096u);
}

TEST(Placement, WholeGpusByDefault) {
    const Grant grant = granted(place(server({4096, 4096}), {2, {}, {}}));
    EXPECT_EQ(grant.partition_mib, 0u);
    ASSERT_EQ(grant.parts.size(), 2u);
    EXPECT_EQ(grant.parts[1].memory_mib, 4096u);
}

TEST(Placement, GpusOfOneRequestAreDistinct) {
    State state = server({4096});
    const Refusal refusal = refused(place(state, {2, 1024, {}}));
    EXPECT_EQ(refusal.kind, RefusalKind::kNever);
    EXPECT_NE(refusal.text.find("has 1 GPU, 2 were asked"), std::string::npos) << refusal.text;
}

TEST(Placement, PartitionsShareAGpuAndKeepTheOtherWhole) {
    State state = server({4096, 4096});
    state = with_grant(state, "a", granted(place(state, {1, 1024, {}})));
    const Grant second = granted(place(state, {1, 3072, {}}));
    EXPECT_EQ(ordinals(second), std::vector<uint32_t>{0});
    state = with_grant(state, "b", second);
    EXPECT_EQ(ordinals(granted(place(state, {1, {}, {}}))), std::vector<uint32_t>{1});
}

TEST(Placement, TightFit) {
    State state = server({4096, 4096, 4096});
    state.holdings = {{"a", 1, 1000}, {"b", 2, 2000}};
    EXPECT_EQ(ordinals(granted(place(state, {1, 2000, {}}))), std::vector<uint32_t>{2});
    EXPECT_EQ(ordinals(granted(place(state, {1, 3000, {}}))), std::vector<uint32_t>{1});
    EXPECT_EQ(ordinals(granted(place(state, {1, 4000, {}}))), std::vector<uint32_t>{0});
}

TEST(Placement, FractionIsTakenOfTheSmallestGpuOfTheRequest) {
    const Grant both = granted(place(server({16384, 32768}), {2, {}, 0.5}));
    EXPECT_EQ(both.partition_mib, 8192u);
    EXPECT_EQ(ordinals(both), (std::vector<uint32_t>{0, 1}));
    const Grant large = granted(place(server({16384, 32768, 32768}), {2, {}, 1.0}));
    EXPECT_EQ(large.partition_mib, 32768u);
    EXPECT_EQ(ordinals(large), (std::vector<uint32_t>{1, 2}));
}

TEST(Placement, WholeRequestsDoNotTakeAGpuThatIsPartlyLeased) {
    State state = server({4096});
    state.holdings = {{"a", 0, 1}};
    const Refusal refusal = refused(place(state, {1, {}, {}}));
    EXPECT_EQ(refusal.kind, RefusalKind::kNotNow);
    EXPECT_NE(refusal.text.find("GPU 0 4095 of 4096 MiB"), std::string::npos) << refusal.text;
    EXPECT_NE(refusal.text.find("--timeout"), std::string::npos) << refusal.text;
}

TEST(Placement, APartitionLargerThanTheGpuIsNeverGranted) {
    const Refusal refusal = refused(place(server({4096, 8192}), {1, 9000, {}}));
    EXPECT_EQ(refusal.kind, RefusalKind::kNever);
    EXPECT_NE(refusal.text.find("8192 MiB"), std::string::npos) << refusal.text;
    EXPECT_EQ(refused(place(server({4096, 8192}), {2, 5000, {}})).kind, RefusalKind::kNever);
}

TEST(Placement, MalformedRequests) {
    const State state = server({4096});
    EXPECT_EQ(refused(place(state, {0, {}, {}})).kind, RefusalKind::kMalformed);
    EXPECT_EQ(refused(place(state, {1, 0, {}})).kind, RefusalKind::kMalformed);
    EXPECT_EQ(refused(place(state, {1, 1, 0.5})).kind, RefusalKind::kMalformed);
    EXPECT_EQ(refused(place(state, {1, {}, 0.0})).kind, RefusalKind::kMalformed);
    EXPECT_EQ(refused(place(state, {1, {}, 1.01})).kind, RefusalKind::kMalformed);
    EXPECT_EQ(refused(place(state, {1, {}, std::nan("")})).kind, RefusalKind::kMalformed);
    EXPECT_EQ(refused(place(state, {1, {}, 1e-9})).kind, RefusalKind::kNever);
    EXPECT_EQ(refused(place({}, {1, {}, {}})).kind, RefusalKind::kNever);
}

TEST(Placement, EndingALeaseReturnsItsMemory) {
    State state = server({4096});
    state = with_grant(state, "a", granted(place(state, {1, {}, {}})));
    EXPECT_EQ(free_mib(state, 0), 0u);
    state = without_lease(state, "b");
    EXPECT_EQ(free_mib(state, 0), 0u);
    state = without_lease(state, "a");
    EXPECT_EQ(free_mib(state, 0), 4096u);
    EXPECT_EQ(free_mib(state, 7), 0u);
}

}  // namespace
}  // namespace bitfusion::pool
