#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <future>
#include <random>
#include <vector>

#include "link/link_test.h"
#include "link/loop.h"
#include "link/shm_link.h"

namespace bitfusion::link {
namespace {

class Shm : public testing::Test {
  protected:
    void SetUp() override {
        auto ends = shm_pair();
        ASSERT_TRUE(ends) << ends.error().what;
        client_ = std::move(ends->first);
        worker_ = std::move(ends->second);
    }
    static bool readable(const Link& link) {
        pollfd ready{link.wait_descriptor(), POLLIN, 0};
        return poll(&ready, 1, 0) == 1;
    }
    std::unique_ptr<Link> client_, worker_;
};

TEST_F(Shm, BytesArriveInOrderBothWays) {
    ASSERT_TRUE(send(*client_, pattern(1000)));
    ASSERT_TRUE(send(*worker_, pattern(500, 2)));
    EXPECT_EQ(receive(*worker_, 1000), pattern(1000));
    EXPECT_EQ(receive(*client_, 500), pattern(500, 2));
}

TEST_F(Shm, ThePiecesOfOneSendStandInTheirOrder) {
    const Bytes all = pattern(5000);
    std::array<iovec, 4> pieces = {iovec{const_cast<uint8_t*>(all.data()), 1}, iovec{nullptr, 0},
                                   iovec{const_cast<uint8_t*>(all.data()) + 1, 4000},
                                   iovec{const_cast<uint8_t*>(all.data()) + 4001, 999}};
    ASSERT_TRUE(client_->send(pieces));
    EXPECT_EQ(receive(*worker_, all.size()), all);
}

TEST_F(Shm, MoreThanTheRingHoldsGoesThroughBothWaysAtOnce) {
    const Bytes there = pattern(5 * kShmRingBytes + 77);
    const Bytes back = pattern(4 * kShmRingBytes + 3, 9);
    auto one = std::async(std::launch::async, [&] { return send(*client_, there).has_value(); });
    auto other = std::async(std::launch::async, [&] { return send(*worker_, back).has_value(); });
    auto at_client = std::async(std::launch::async, [&] { return receive(*client_, back.size()); });
    EXPECT_EQ(receive(*worker_, there.size()), there);
    EXPECT_EQ(at_client.get(), back);
    EXPECT_TRUE(one.get());
    EXPECT_TRUE(other.get());
}

TEST_F(Shm, NothingThereIsNotAnEnd) {
    uint8_t byte = 0;
    auto got = worker_->receive(&byte, 1, Wait::kNo);
    ASSERT_TRUE(got);
    EXPECT_EQ(got->bytes, 0u);
    EXPECT_FALSE(got->closed);
    EXPECT_TRUE(worker_->prepare_wait(false));
    EXPECT_FALSE(readable(*worker_));
    ASSERT_TRUE(send(*client_, {7}));
    EXPECT_TRUE(readable(*worker_));
    got = worker_->receive(&byte, 1, Wait::kNo);
    ASSERT_TRUE(got);
    EXPECT_EQ(got->bytes, 1u);
    EXPECT_EQ(byte, 7);
    EXPECT_TRUE(worker_->prepare_wait(true));
    EXPECT_FALSE(readable(*worker_)) << "an old ring";
}

TEST_F(Shm, NobodyRingsForOneWhoIsAwake) {
    ASSERT_TRUE(send(*client_, {7}));
    EXPECT_FALSE(readable(*worker_));
    EXPECT_FALSE(worker_->prepare_wait(false)) << "something is there";
    EXPECT_EQ(receive(*worker_, 1), Bytes{7});
}

TEST_F(Shm, ABlockedReceiverWakes) {
    auto got = std::async(std::launch::async, [&] { return receive(*worker_, 3); });
    ASSERT_TRUE(send(*client_, {1, 2}));
    ASSERT_TRUE(send(*client_, {3}));
    EXPECT_EQ(got.get(), (Bytes{1, 2, 3}));
}

TEST_F(Shm, WhatWasSentBeforeTheEndStillArrives) {
    ASSERT_TRUE(send(*client_, pattern(100)));
    client_.reset();
    EXPECT_EQ(receive(*worker_, 200), pattern(100));
    uint8_t byte = 0;
    const auto got = worker_->receive(&byte, 1, Wait::kBlock);
    ASSERT_TRUE(got);
    EXPECT_TRUE(got->closed);
}

TEST_F(Shm, ShutWakesWhoWaitsOnEitherSide) {
    auto waits = std::async(std::launch::async, [&] { return receive(*worker_, 1).size(); });
    auto fills =
        std::async(std::launch::async, [&] { return send(*worker_, Bytes(3 * kShmRingBytes)).has_value(); });
    client_->shut();
    EXPECT_EQ(waits.get(), 0u);
    EXPECT_FALSE(fills.get());
}

TEST_F(Shm, TheEndOfThePeerEndsASendThatWaitsForRoom) {
    auto fills =
        std::async(std::launch::async, [&] { return send(*worker_, Bytes(3 * kShmRingBytes)).has_value(); });
    client_.reset();
    EXPECT_FALSE(fills.get());
}

TEST(ShmMemory, IsSealedAndTakenOnlySealed) {
    auto ours = ShmMemory::make();
    ASSERT_TRUE(ours);
    const off_t bytes = lseek(ours->file(), 0, SEEK_END);
    EXPECT_NE(ftruncate(ours->file(), 0), 0) << "it must not shrink under the other side";
    EXPECT_NE(ftruncate(ours->file(), bytes + 1), 0);
    EXPECT_TRUE(ShmMemory::adopt(Descriptor(dup(ours->file()))));

    Descriptor loose(memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING));
    ASSERT_EQ(ftruncate(loose.get(), bytes), 0);
    EXPECT_FALSE(ShmMemory::adopt(Descriptor(dup(loose.get())))) << "not sealed";
    ASSERT_EQ(fcntl(loose.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL), 0);
    EXPECT_TRUE(ShmMemory::adopt(std::move(loose)));

    Descriptor small(memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING));
    ASSERT_EQ(ftruncate(small.get(), bytes - 4096), 0);
    ASSERT_EQ(fcntl(small.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL), 0);
    EXPECT_FALSE(ShmMemory::adopt(std::move(small))) << "too small";
    EXPECT_FALSE(ShmMemory::adopt(Descriptor(open("/dev/null", O_RDWR | O_CLOEXEC))));
}

// A peer that writes what it likes into the shared words: every answer is an error or bytes of the ring,
// never more than was asked for, and nothing outside of the buffers is touched (address sanitizer).
TEST(ShmHostile, WordsOutsideOfTheRingAreErrors) {
    for (const uint64_t lie : {uint64_t{kShmRingBytes} + 1, UINT64_MAX, uint64_t{1} << 63}) {
        auto memory = ShmMemory::make();
        ASSERT_TRUE(memory);
        ShmWords* words = memory->words(0);
        ShmTaker taker(words, memory->bytes(0));
        words->head.store(lie);
        EXPECT_FALSE(taker.left()) << lie;
        EXPECT_FALSE(taker.prepare_sleep()) << lie;
        ShmPutter putter(memory->words(1), memory->bytes(1));
        memory->words(1)->tail.store(0 - lie);
        EXPECT_FALSE(putter.room()) << lie;
        EXPECT_FALSE(putter.prepare_sleep()) << lie;
    }
}

uint64_t identity(int file) {
    struct stat status {};
    EXPECT_EQ(fstat(file, &status), 0);
    return status.st_ino;
}

TEST(ShmFiles, ComeInTheOrderInWhichTheyWereGiven) {
    auto ends = shm_pair();
    ASSERT_TRUE(ends);
    EXPECT_FALSE(ends->second->take_file()) << "none was given, and nobody waits for one";
    std::vector<Descriptor> files;
    for (int i = 0; i < 3; ++i) {
        files.emplace_back(memfd_create("test", MFD_CLOEXEC));
        ASSERT_TRUE(ends->first->give_file(files.back().get()));
    }
    for (const Descriptor& file : files) {
        auto taken = ends->second->take_file();
        ASSERT_TRUE(taken) << taken.error().what;
        EXPECT_EQ(identity(taken->get()), identity(file.get()));
        EXPECT_NE(fcntl(taken->get(), F_GETFD) & FD_CLOEXEC, 0);
    }
    EXPECT_FALSE(ends->second->take_file());
}

TEST(ShmFiles, APeerThatTakesNoneHoldsNobodyUp) {
    auto ends = shm_pair();
    ASSERT_TRUE(ends);
    const Descriptor file(memfd_create("test", MFD_CLOEXEC));
    int given = 0;
    while (given < 100000 && ends->first->give_file(file.get())) ++given;
    EXPECT_LT(given, 100000);
}

TEST(ShmFiles, AConnectionToAnotherMachineCarriesNone) {
    auto ends = loop_pair({});
    ASSERT_TRUE(ends);
    const Descriptor file(memfd_create("test", MFD_CLOEXEC));
    EXPECT_FALSE(ends->first->give_file(file.get()));
    EXPECT_FALSE(ends->second->take_file());
}

TEST(ShmHostile, AnyWordsAtAnyTime) {
    std::mt19937_64 random(20261122);
    for (int round = 0; round < 200; ++round) {
        auto made = ShmMemory::make();
        ASSERT_TRUE(made);
        auto hostile = ShmMemory::adopt(Descriptor(dup(made->file())));
        ASSERT_TRUE(hostile);
        auto data = socket_pair();
        auto room = socket_pair();
        ASSERT_TRUE(data && room);
        auto link = over_shm(ShmSide::kWorker, std::move(*made),
                             {std::move(data->first), std::move(room->first), {}});
        for (int step = 0; step < 300; ++step) {
            ShmWords* words = hostile->words(static_cast<int>(random() % 2));
            const uint64_t value = random() % 3 == 0 ? random() : random() % (kShmRingBytes + 2);
            switch (random() % 8) {
                case 0:
                    words->head.store(value);
                    break;
                case 1:
                    words->tail.store(value);
                    break;
                case 2:
                    words->taker_sleeps.store(static_cast<uint32_t>(value));
                    break;
                case 3:
                    words->putter_sleeps.store(static_cast<uint32_t>(value));
                    break;
                case 4:
                    (void)!write((random() % 2 != 0 ? data : room)->second.get(), "xyz", random() % 4);
                    break;
                case 5:
                    (void)link->prepare_wait(random() % 2 != 0);
                    break;
                default: {
                    Bytes target(random() % 70000);
                    const auto got = link->receive(target.data(), target.size(), Wait::kNo);
                    ASSERT_TRUE(!got || got->bytes <= target.size());
                    (void)send(*link, Bytes(random() % 1000));
                }
            }
        }
    }
}

}  // namespace
}  // namespace bitfusion::link
