#include "link/shm_meet.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <filesystem>
#include <future>
#include <vector>

#include "link/shm_link.h"

namespace bitfusion::link {
namespace {

using Joined = Result<std::unique_ptr<Link>>;

Status send(Link& link, const void* data, size_t bytes) {
    const iovec piece{const_cast<void*>(data), bytes};
    return link.send({&piece, 1});
}

bool receive(Link& link, void* target, size_t bytes) {
    for (size_t at = 0; at < bytes;) {
        const auto got = link.receive(static_cast<uint8_t*>(target) + at, bytes - at, Wait::kBlock);
        if (!got || got->closed) return false;
        at += got->bytes;
    }
    return true;
}

bool answers(Link& from, Link& to) {
    uint32_t word = 4711;
    return send(from, &word, sizeof word) && receive(to, &word, sizeof word) && word == 4711;
}

// A folder of its own, as only root or the server's user can have one.
class ShmMeet : public testing::Test {
  protected:
    void SetUp() override {
        std::string pattern = testing::TempDir() + "bitfusion-meet-XXXXXX";
        ASSERT_NE(mkdtemp(pattern.data()), nullptr);
        folder_ = pattern;
        auto ends = socket_pair();
        ASSERT_TRUE(ends);
        client_ = over_socket(ends->first.release());
        worker_ = over_socket(ends->second.release());
    }
    void TearDown() override { std::filesystem::remove_all(folder_); }

    std::future<Joined> offer() {
        return std::async(std::launch::async, [this] {
            return offer_shm(std::move(worker_), {"/nonexistent", folder_});
        });
    }
    size_t files() const {
        return static_cast<size_t>(std::distance(std::filesystem::directory_iterator(folder_),
                                                 std::filesystem::directory_iterator()));
    }
    // A connection to the one socket in the folder.
    Descriptor knock() {
        sockaddr_un where{};
        where.sun_family = AF_UNIX;
        const std::string path = std::filesystem::directory_iterator(folder_)->path();
        path.copy(where.sun_path, sizeof where.sun_path - 1);
        Descriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
        EXPECT_EQ(connect(socket.get(), reinterpret_cast<sockaddr*>(&where), sizeof where), 0);
        return socket;
    }

    std::string folder_;
    std::unique_ptr<Link> client_, worker_;
};

TEST_F(ShmMeet, BothSidesGoOnInSharedMemory) {
    auto offered = offer();
    Joined joined = join_shm(std::move(client_), {folder_}, ShmWish::kMust);
    ASSERT_TRUE(joined) << joined.error().what;
    Joined worker = offered.get();
    ASSERT_TRUE(worker) << worker.error().what;
    EXPECT_TRUE(answers(**joined, **worker));
    EXPECT_TRUE(answers(**worker, **joined));
    EXPECT_EQ(files(), 0u) << "the meeting place is gone";
}

TEST_F(ShmMeet, AClientThatDoesNotWantToKeepsItsConnection) {
    auto offered = offer();
    Link* before = client_.get();
    Joined joined = join_shm(std::move(client_), {folder_}, ShmWish::kNo);
    ASSERT_TRUE(joined);
    EXPECT_EQ(joined->get(), before);
    Joined worker = offered.get();
    ASSERT_TRUE(worker) << worker.error().what;
    EXPECT_TRUE(answers(**joined, **worker));
    EXPECT_EQ(files(), 0u);
}

// By hand: the worker's first bytes, and then what a client does with them.
TEST_F(ShmMeet, TheFolderServesWhoShowsTheSecretAndNobodyElse) {
    auto offered = offer();
    ShmOffer said;
    ASSERT_TRUE(receive(*client_, &said, sizeof said));
    EXPECT_EQ(said.magic, kShmOfferMagic);
    EXPECT_TRUE(std::filesystem::exists(folder_ + "/" + shm_socket_name(said.name)));

    std::vector<Descriptor> quiet;
    for (int i = 0; i < 20; ++i) quiet.push_back(knock());
    Descriptor liar = knock();
    ShmSecret wrong = said.secret;
    wrong.back() ^= 1;
    ASSERT_EQ(::send(liar.get(), wrong.data(), wrong.size(), MSG_NOSIGNAL), 32);
    uint8_t byte = 7;
    EXPECT_EQ(recv(liar.get(), &byte, 1, 0), 0) << "closed without a word";

    Descriptor right = knock();
    ASSERT_EQ(::send(right.get(), said.secret.data(), 10, MSG_NOSIGNAL), 10);
    ASSERT_EQ(::send(right.get(), said.secret.data() + 10, 22, MSG_NOSIGNAL), 22);
    EXPECT_EQ(recv(right.get(), &byte, 1, 0), 1);
    EXPECT_EQ(byte, kShmJoined);
    ASSERT_TRUE(send(*client_, &kShmJoined, 1));
    EXPECT_TRUE(offered.get());
    EXPECT_EQ(files(), 0u);
}

TEST_F(ShmMeet, AClientThatOnlySaysThatItJoinedEndsTheSession) {
    auto offered = offer();
    ShmOffer said;
    ASSERT_TRUE(receive(*client_, &said, sizeof said));
    ASSERT_TRUE(send(*client_, &kShmJoined, 1));
    EXPECT_FALSE(offered.get());
}

TEST_F(ShmMeet, AClientThatGoesEndsTheWaiting) {
    auto offered = offer();
    client_.reset();
    EXPECT_FALSE(offered.get());
    EXPECT_EQ(files(), 0u);
}

TEST_F(ShmMeet, AFolderThatOthersMayChangeIsNotUsed) {
    ASSERT_EQ(chmod(folder_.c_str(), 0777), 0);
    auto offered = offer();
    ShmOffer said;
    ASSERT_TRUE(receive(*client_, &said, sizeof said));
    EXPECT_EQ(files(), 0u);
    ASSERT_TRUE(send(*client_, &kShmDeclined, 1));
    EXPECT_TRUE(offered.get());
}

// A server that is not what it says: the client keeps its connection, or says why it has none.
class HostileMeet : public ShmMeet {
  protected:
    // Listens where an honest worker would, and gives whoever comes these descriptors.
    std::future<void> give(const ShmOffer& said, std::vector<int> descriptors) {
        sockaddr_un where{};
        where.sun_family = AF_UNIX;
        const std::string path = folder_ + "/" + shm_socket_name(said.name);
        path.copy(where.sun_path, sizeof where.sun_path - 1);
        door_ = Descriptor(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
        EXPECT_EQ(bind(door_.get(), reinterpret_cast<sockaddr*>(&where), sizeof where), 0);
        EXPECT_EQ(listen(door_.get(), 1), 0);
        return std::async(std::launch::async, [this, descriptors = std::move(descriptors)] {
            const Descriptor guest(accept(door_.get(), nullptr, nullptr));
            ShmSecret secret{};
            EXPECT_EQ(recv(guest.get(), secret.data(), secret.size(), MSG_WAITALL), 32);
            std::vector<uint8_t> control(CMSG_SPACE(descriptors.size() * sizeof(int)));
            uint8_t byte = kShmJoined;
            iovec piece{&byte, 1};
            msghdr message{};
            message.msg_iov = &piece;
            message.msg_iovlen = 1;
            if (!descriptors.empty()) {
                message.msg_control = control.data();
                message.msg_controllen = control.size();
                cmsghdr* rights = CMSG_FIRSTHDR(&message);
                rights->cmsg_level = SOL_SOCKET;
                rights->cmsg_type = SCM_RIGHTS;
                rights->cmsg_len = CMSG_LEN(descriptors.size() * sizeof(int));
                memcpy(CMSG_DATA(rights), descriptors.data(), descriptors.size() * sizeof(int));
            }
            EXPECT_EQ(sendmsg(guest.get(), &message, MSG_NOSIGNAL), 1);
        });
    }
    void expect_refusal(std::vector<int> descriptors) {
        ShmOffer said;
        said.name.fill(0x5a);
        ASSERT_TRUE(send(*worker_, &said, sizeof said));
        auto given = give(said, std::move(descriptors));
        Link* before = client_.get();
        Joined joined = join_shm(std::move(client_), {folder_}, ShmWish::kIfPossible);
        ASSERT_TRUE(joined) << joined.error().what;
        EXPECT_EQ(joined->get(), before);
        uint8_t answer = 7;
        ASSERT_TRUE(receive(*worker_, &answer, 1));
        EXPECT_EQ(answer, kShmDeclined);
        given.get();
    }
    Descriptor door_;
};

TEST_F(HostileMeet, NoDescriptors) { expect_refusal({}); }
TEST_F(HostileMeet, TooFewDescriptors) { expect_refusal({STDIN_FILENO}); }
TEST_F(HostileMeet, TooManyDescriptors) { expect_refusal({0, 0, 0, 0, 0, 0, 0}); }
TEST_F(HostileMeet, DescriptorsOfSomethingElse) { expect_refusal({0, 0, 0}); }

TEST_F(HostileMeet, AnotherProtocol) {
    ShmOffer said;
    said.magic ^= 1;
    ASSERT_TRUE(send(*worker_, &said, sizeof said));
    EXPECT_FALSE(join_shm(std::move(client_), {folder_}, ShmWish::kIfPossible));
}

TEST_F(HostileMeet, NothingOfferedIsAnErrorOnlyForWhoInsists) {
    const ShmOffer said;
    ASSERT_TRUE(send(*worker_, &said, sizeof said));
    const Joined joined = join_shm(std::move(client_), {folder_}, ShmWish::kMust);
    ASSERT_FALSE(joined);
    EXPECT_NE(joined.error().what.find("BITFUSION_LINK"), std::string::npos);
}

TEST_F(HostileMeet, AServerThatGoesInTheMidst) {
    ASSERT_TRUE(send(*worker_, "BFSM", 4));
    worker_.reset();
    EXPECT_FALSE(join_shm(std::move(client_), {folder_}, ShmWish::kIfPossible));
}

}  // namespace
}  // namespace bitfusion::link
