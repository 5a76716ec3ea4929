#include "worker/exchange.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>

namespace bitfusion::worker {
namespace {

using Kind = Exchange::Kind;

Exchange::Object memory(uint8_t mark) {
    Exchange::Object object;
    object.kind = Kind::kMemory;
    object.bytes = 100 + mark;
    object.raw.fill(mark);
    return object;
}

// A file that says one letter.
int file_saying(char letter) {
    const int descriptor = memfd_create("exchange_test", MFD_CLOEXEC);
    EXPECT_EQ(pwrite(descriptor, &letter, 1, 0), 1);
    return descriptor;
}

class ExchangeTest : public testing::Test {
  protected:
    std::unique_ptr<ExchangeMemory> lease_ = std::make_unique<ExchangeMemory>();
    std::unique_ptr<ExchangeMemory> other_lease_ = std::make_unique<ExchangeMemory>();
    Exchange first_{lease_.get(), 0};
    Exchange second_{lease_.get(), 7};
    Exchange stranger_{other_lease_.get(), 0};
};

TEST_F(ExchangeTest, AWorkerOfTheLeaseGetsWhatWasOffered) {
    const auto token = first_.offer(memory(5), 0x1000);
    ASSERT_TRUE(token);
    for (Exchange* asker : {&second_, &first_}) {
        const auto object = asker->ask(*token, Kind::kMemory);
        ASSERT_TRUE(object);
        EXPECT_EQ(object->bytes, 105u);
        EXPECT_EQ(object->raw, memory(5).raw);
        EXPECT_EQ(object->descriptor, -1);
    }
}

TEST_F(ExchangeTest, TokensMeanNothingInAnotherLease) {
    const auto token = first_.offer(memory(1), 0);
    ASSERT_TRUE(token);
    EXPECT_FALSE(stranger_.ask(*token, Kind::kMemory));
    ASSERT_TRUE(stranger_.offer(memory(2), 0));  // now it listens under the same slot
    EXPECT_FALSE(stranger_.ask(*token, Kind::kMemory));
    Exchange third(other_lease_.get(), 3);
    EXPECT_FALSE(third.ask(*token, Kind::kMemory));
}

TEST_F(ExchangeTest, DescriptorsTravel) {
    Exchange::Object object;
    object.kind = Kind::kAllocation;
    object.descriptor = file_saying('q');
    const auto token = first_.offer(object, 0);
    ASSERT_TRUE(token);
    for (int round = 0; round < 3; ++round) {
        const auto got = second_.ask(*token, Kind::kAllocation);
        ASSERT_TRUE(got);
        char letter = 0;
        EXPECT_EQ(pread(got->descriptor, &letter, 1, 0), 1);
        EXPECT_EQ(letter, 'q');
        close(got->descriptor);
    }
}

TEST_F(ExchangeTest, WhatIsWithdrawnIsGoneAndItsFileClosed) {
    Exchange::Object object;
    object.kind = Kind::kPool;
    object.descriptor = file_saying('z');
    auto held = std::make_shared<int>(1);
    const std::weak_ptr<int> watched = held;
    const auto token = first_.offer(object, 0, std::move(held));
    ASSERT_TRUE(token);
    EXPECT_FALSE(watched.expired());
    second_.withdraw(*token);  // not its own
    EXPECT_FALSE(watched.expired());
    first_.withdraw(*token);
    EXPECT_TRUE(watched.expired());
    EXPECT_EQ(fcntl(object.descriptor, F_GETFD), -1);
    EXPECT_FALSE(second_.ask(*token, Kind::kPool));
}

TEST_F(ExchangeTest, OneSourceHasOneTokenUntilItIsWithdrawn) {
    const auto token = first_.offer(memory(1), 0x2000);
    ASSERT_TRUE(token);
    EXPECT_EQ(first_.offered(Kind::kMemory, 0x2000), token);
    EXPECT_FALSE(first_.offered(Kind::kEvent, 0x2000));
    first_.withdraw(Kind::kMemory, 0x2000);
    EXPECT_FALSE(first_.offered(Kind::kMemory, 0x2000));
    EXPECT_FALSE(second_.ask(*token, Kind::kMemory));
    const auto next = first_.offer(memory(2), 0x2000);
    ASSERT_TRUE(next);
    EXPECT_NE(*next, *token);
}

TEST_F(ExchangeTest, OtherKindsAndInventedTokensFindNothing) {
    const auto token = first_.offer(memory(1), 0);
    ASSERT_TRUE(token);
    EXPECT_FALSE(second_.ask(*token, Kind::kEvent));
    for (size_t i = 0; i < 40; ++i) {  // magic, slot and secret: each byte counts
        Exchange::Token changed = *token;
        changed[i] ^= 1;
        EXPECT_FALSE(second_.ask(changed, Kind::kMemory)) << i;
    }
    Exchange::Token wild = *token;
    memset(wild.data() + 4, 0xff, 4);
    EXPECT_FALSE(second_.ask(wild, Kind::kMemory));
    EXPECT_FALSE(second_.ask(std::span<const uint8_t>(*token).first(63), Kind::kMemory));
    EXPECT_FALSE(second_.ask({}, Kind::kMemory));
}

TEST_F(ExchangeTest, NothingIsLeftOfAWorkerThatEnded) {
    std::optional<Exchange::Token> token;
    {
        Exchange gone(lease_.get(), 9);
        token = gone.offer(memory(4), 0);
        ASSERT_TRUE(token);
        EXPECT_TRUE(first_.ask(*token, Kind::kMemory));
    }
    EXPECT_FALSE(first_.ask(*token, Kind::kMemory));
    Exchange next(lease_.get(), 9);  // the slot is used again
    ASSERT_TRUE(next.offer(memory(4), 0));
    EXPECT_FALSE(first_.ask(*token, Kind::kMemory));
}

TEST_F(ExchangeTest, WithoutALeaseNothingIsShared) {
    Exchange alone(nullptr, 0);
    EXPECT_FALSE(alone.offer(memory(1), 0));
    const auto token = first_.offer(memory(1), 0);
    ASSERT_TRUE(token);
    EXPECT_FALSE(alone.ask(*token, Kind::kMemory));
}

}  // namespace
}  // namespace bitfusion::worker
