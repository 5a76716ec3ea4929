// A client that means harm: names that are not its own, addresses outside its memory, boxes that lie about
// their size. Each is answered with an error or ends the session; the driver never sees it.
#include <gtest/gtest.h>

#include <cstring>
#include <vector>

#include "session/raw_peer.h"
#include "wire/block.h"
#include "wire/names.h"

namespace bitfusion::session_test {
namespace {

using wire::Kind;
using wire::make_name;

std::span<const uint8_t> bytes_of(const wire::Block& block) {
    return {reinterpret_cast<const uint8_t*>(&block), sizeof block};
}

class HostileClient : public testing::Test {
  protected:
    void SetUp() override { ASSERT_TRUE(client_.open()); }
    RawClient client_;
};

TEST_F(HostileClient, ReadsOnlyItsOwnMemory) {
    static const uint8_t secret[64] = {1, 2, 3};  // of this process, as the worker's own memory would be
    const auto host = reinterpret_cast<uint64_t>(secret);
    const struct {
        uint64_t address, bytes;
    } outside[] = {{host, 64},
                   {0, 4},
                   {0x40, 4},
                   {client_.memory - 1, 4},
                   {client_.memory, RawClient::kBytes + 1},
                   {client_.memory + RawClient::kBytes, 1},
                   {client_.memory + RawClient::kBytes - 1, 2},
                   {client_.memory, UINT64_MAX - client_.memory + 2},
                   {UINT64_MAX, 1},
                   {UINT64_MAX - 3, 8}};
    for (const auto& [address, bytes] : outside) {
        if (bytes <= wire::kMostBody) {
            EXPECT_EQ(client_.ask(msg::CopyOut{address, bytes, 0, 1}), CUDA_ERROR_INVALID_VALUE) << address;
        }
        client_.send(msg::CopyOutLater{address, bytes, 0, 1});
        EXPECT_EQ(client_.deferred(), CUDA_ERROR_INVALID_VALUE) << address << " + " << bytes;
    }
    Bytes data;
    EXPECT_EQ(client_.ask(msg::CopyOut{client_.memory, RawClient::kBytes, 0, 1}, &data), CUDA_SUCCESS);
    EXPECT_EQ(data.size(), RawClient::kBytes);
}

TEST_F(HostileClient, WritesOnlyItsOwnMemory) {
    static uint8_t target[64] = {9};
    const Bytes data(64, 0xee);
    for (const uint64_t address : {reinterpret_cast<uint64_t>(target), uint64_t{0}, client_.memory - 1,
                                   client_.memory + RawClient::kBytes - 63, UINT64_MAX - 10}) {
        client_.send(msg::CopyIn{address, 0, 1, {}}, data);
        EXPECT_EQ(client_.deferred(), CUDA_ERROR_INVALID_VALUE) << address;
        client_.send(msg::kId_cuMemsetD8Async, words(address, uint8_t{0xee}, uint64_t{64}, uint64_t{0}));
        EXPECT_EQ(client_.deferred(), CUDA_ERROR_INVALID_VALUE) << address;
        client_.send(msg::kId_cuMemcpyDtoDAsync_v2,
                     words(address, client_.memory, uint64_t{64}, uint64_t{0}));
        EXPECT_EQ(client_.deferred(), CUDA_ERROR_INVALID_VALUE) << address;
        client_.send(msg::kId_cuMemcpyDtoDAsync_v2,
                     words(client_.memory, address, uint64_t{64}, uint64_t{0}));
        EXPECT_EQ(client_.deferred(), CUDA_ERROR_INVALID_VALUE) << address;
    }
    EXPECT_EQ(target[0], 9);
    EXPECT_EQ(target[63], 0);
}

TEST_F(HostileClient, FreesOnlyWhatItHas) {
    static uint8_t target[64];
    for (const uint64_t address : {reinterpret_cast<uint64_t>(target), client_.memory + 1, uint64_t{0x40}}) {
        client_.send(msg::kId_cuMemFree_v2, words(address));
        EXPECT_EQ(client_.deferred(), CUDA_ERROR_INVALID_VALUE);
    }
    EXPECT_EQ(client_.server().charged(0), RawClient::kBytes);
    client_.send(msg::kId_cuMemFree_v2, words(client_.memory));
    EXPECT_EQ(client_.deferred(), CUDA_SUCCESS);
    EXPECT_EQ(client_.server().charged(0), 0u);
    client_.send(msg::kId_cuMemFree_v2, words(client_.memory));
    EXPECT_EQ(client_.deferred(), CUDA_ERROR_INVALID_VALUE) << "freed twice";
}

TEST_F(HostileClient, ForeignNamesAreInvalid) {
    const uint64_t foreign[] = {make_name(Kind::kStream, false, 77),
                                make_name(Kind::kEvent, false, 77),
                                make_name(Kind::kStream, true, 1),
                                UINT64_MAX,
                                3,
                                RawClient::kContext};
    for (const uint64_t name : foreign) {
        EXPECT_EQ(client_.ask(msg::StreamSynchronize{name}), CUDA_ERROR_INVALID_HANDLE) << name;
        EXPECT_EQ(client_.ask(msg::EventSynchronize{name}), CUDA_ERROR_INVALID_HANDLE) << name;
        EXPECT_EQ(client_.ask(msg::FunctionGet{name, "nothing"}), CUDA_ERROR_INVALID_HANDLE) << name;
        client_.send(msg::ModuleUnload{name});
        EXPECT_EQ(client_.deferred(), CUDA_ERROR_INVALID_HANDLE) << name;
        msg::Launch launch;
        launch.function = name;
        client_.send(launch);
        EXPECT_EQ(client_.deferred(), CUDA_ERROR_INVALID_HANDLE) << name;
    }
}

TEST_F(HostileClient, AContextThatIsNotThereRunsNothing) {
    const wire::RequestHead head{0, msg::kId_cuMemGetInfo_v2, 0, 0x1234, 1000};
    client_.send_bytes({reinterpret_cast<const uint8_t*>(&head), sizeof head});
    auto answer = client_.receive();
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->head.result, CUDA_ERROR_CONTEXT_IS_DESTROYED);
}

// A name that the client may not give: already in use, of another kind, the worker's own, or none at all.
TEST(HostileNames, EndTheSession) {
    const uint64_t good = make_name(Kind::kEvent, false, 2000);
    for (const uint64_t name :
         {good, make_name(Kind::kStream, false, 2001), make_name(Kind::kEvent, true, 2002), uint64_t{0},
          UINT64_MAX, RawClient::kContext}) {
        RawClient client;
        ASSERT_TRUE(client.open());
        ASSERT_TRUE(client.send(msg::kId_cuEventCreate, words(0u, good)));
        ASSERT_EQ(client.deferred(), CUDA_SUCCESS);
        client.send(msg::kId_cuEventCreate, words(0u, name));
        EXPECT_EQ(client.deferred(), CUDA_ERROR_UNKNOWN) << name;
        EXPECT_NE(client.end().find("malformed message cuEventCreate"), std::string::npos);
    }
}

TEST(HostileNames, OfContextsEndTheSession) {
    for (const uint64_t name :
         {RawClient::kContext, make_name(Kind::kStream, false, 5), make_name(Kind::kContext, true, 5)}) {
        RawClient client;
        ASSERT_TRUE(client.open());
        EXPECT_EQ(client.ask(msg::PrimaryRetain{1, name}), CUDA_ERROR_UNKNOWN) << name;
        EXPECT_EQ(client.end(), "malformed message PrimaryRetain");
    }
}

TEST_F(HostileClient, APrimaryContextHasOneName) {
    EXPECT_EQ(client_.ask(msg::PrimaryRetain{0, make_name(Kind::kContext, false, 9)}), CUDA_ERROR_UNKNOWN);
    EXPECT_EQ(client_.end(), "malformed message PrimaryRetain");
}

TEST_F(HostileClient, ATicketTwiceEndsTheSession) {
    const uint64_t stream = make_name(Kind::kStream, false, 3000);
    client_.send(msg::kId_cuStreamCreateWithPriority, words(1u, 0, stream));
    client_.send(msg::HostFunction{1, stream, 0});
    client_.send(msg::HostFunction{1, stream, 0});
    EXPECT_EQ(client_.ask(msg::StreamSynchronize{stream}), CUDA_ERROR_UNKNOWN);
    EXPECT_EQ(client_.end(), "malformed message HostFunction");
}

TEST_F(HostileClient, ReleasingADeviceDoesNotGiveBackAnotherContextsMemory) {
    // Release of a primary context with the name of a created one: the created one still has its memory.
    const uint64_t created = make_name(Kind::kContext, false, 9);
    ASSERT_EQ(client_.ask(msg::ContextCreate{0, 0, created}), CUDA_SUCCESS);
    wire::RequestHead head{8, msg::kId_cuMemAlloc_v2, 0, static_cast<uint32_t>(created), 5000};
    Bytes bytes(sizeof head);
    memcpy(bytes.data(), &head, sizeof head);
    const Bytes size = words(uint64_t{1} << 20);
    bytes.insert(bytes.end(), size.begin(), size.end());
    client_.send_bytes(bytes);
    ASSERT_EQ(client_.receive()->head.result, CUDA_SUCCESS);
    ASSERT_EQ(client_.server().charged(0), RawClient::kBytes + (1u << 20));
    EXPECT_EQ(client_.ask(msg::PrimaryRelease{0, created}), CUDA_ERROR_INVALID_CONTEXT);
    EXPECT_EQ(client_.ask(msg::PrimaryReset{0, created}), CUDA_ERROR_INVALID_CONTEXT);
    EXPECT_EQ(client_.ask(msg::PrimaryRelease{1, RawClient::kContext}), CUDA_ERROR_INVALID_CONTEXT);
    EXPECT_EQ(client_.ask(msg::PrimaryRelease{0, 0}), CUDA_ERROR_INVALID_CONTEXT);
    EXPECT_EQ(client_.ask(msg::ContextDestroy{RawClient::kContext}), CUDA_ERROR_INVALID_CONTEXT);
    EXPECT_EQ(client_.server().charged(0), RawClient::kBytes + (1u << 20))
        << "both contexts live, with their memory";
    EXPECT_EQ(client_.ask(msg::ContextDestroy{created}), CUDA_SUCCESS);
    EXPECT_EQ(client_.server().charged(0), RawClient::kBytes);
    EXPECT_EQ(client_.ask(msg::PrimaryRelease{0, RawClient::kContext}), CUDA_SUCCESS);
    EXPECT_EQ(client_.server().charged(0), 0u);
}

// ---- copies of boxes: what the driver would be told, recorded
// --------------------------------------------------------------

struct Recorded {
    static inline std::vector<CUDA_MEMCPY3D> copies;
    static CUresult copy(const CUDA_MEMCPY3D* c, CUstream) {
        copies.push_back(*c);
        return CUDA_SUCCESS;
    }
};

class HostileBoxes : public testing::Test {
  protected:
    static DriverTable recording() {
        DriverTable table = soft_driver();
        table.cuMemcpy3DAsync_v2 = Recorded::copy;
        return table;
    }
    void SetUp() override {
        Recorded::copies.clear();
        ASSERT_TRUE(client_.open());
    }
    // First and one past the last byte that the driver touches of a side, by the rules of CUDA_MEMCPY3D: a
    // pitch of 0 means packed rows, a height of 0 packed slices.
    void expect_inside() {
        for (const CUDA_MEMCPY3D& c : Recorded::copies) {
            if (c.srcMemoryType == CU_MEMORYTYPE_DEVICE)
                expect_inside(c.srcDevice, c.srcPitch, c.srcHeight, c.srcXInBytes, c.srcY, c.srcZ, c);
            if (c.dstMemoryType == CU_MEMORYTYPE_DEVICE)
                expect_inside(c.dstDevice, c.dstPitch, c.dstHeight, c.dstXInBytes, c.dstY, c.dstZ, c);
        }
    }
    void expect_inside(uint64_t base, uint64_t pitch, uint64_t height, uint64_t x, uint64_t y, uint64_t z,
                       const CUDA_MEMCPY3D& c) {
        using wire::Extent;
        if (c.WidthInBytes == 0 || c.Height == 0 || c.Depth == 0) return;
        if (pitch == 0) pitch = c.WidthInBytes + x;
        if (height == 0) height = c.Height + y;
        const Extent last =
            Extent(base) +
            (Extent(z + c.Depth - 1) * Extent(height) + Extent(y + c.Height - 1)) * Extent(pitch) +
            Extent(x) + Extent(c.WidthInBytes);
        EXPECT_GE(base, client_.memory);
        EXPECT_LE(last.value, client_.memory + RawClient::kBytes)
            << c.WidthInBytes << " x " << c.Height << " x " << c.Depth << ", pitch " << pitch
            << ", slices of " << height;
    }
    RawClient client_{recording()};
};

TEST_F(HostileBoxes, TheGoodOneReachesTheDriver) {
    wire::Block b;
    b.device = client_.memory;
    b.pitch = 256;
    b.slice = 4;
    b.width = 100;
    b.height = 4;
    b.depth = 2;
    wire::Block other = b;
    other.device += 8192;
    client_.send(msg::CopyBlock{bytes_of(b), bytes_of(other), 0, 1});
    EXPECT_EQ(client_.deferred(), CUDA_SUCCESS);
    ASSERT_EQ(Recorded::copies.size(), 1u);
    expect_inside();
}

TEST_F(HostileBoxes, ATargetSmallerThanTheSourceIsRefused) {
    wire::Block source;
    source.device = client_.memory;
    source.pitch = 4096;
    source.width = 4096;
    source.height = 16;
    wire::Block target;
    target.device = client_.memory + RawClient::kBytes - 16;
    target.pitch = 4096;
    target.width = 16;
    target.height = 1;
    client_.send(msg::CopyBlock{bytes_of(source), bytes_of(target), 0, 1});
    client_.deferred();
    expect_inside();
    Recorded::copies.clear();
    target.width = 0;
    client_.send(msg::CopyBlock{bytes_of(source), bytes_of(target), 0, 1});
    client_.deferred();
    expect_inside();
}

TEST_F(HostileBoxes, APitchOfNothingIsNotASmallBox) {
    wire::Block b;
    b.device = client_.memory + RawClient::kBytes - 4096;
    b.pitch = 0;
    b.width = 4096;
    b.height = 64;
    const Bytes data(4096 * 64);
    client_.send(msg::CopyBlockIn{bytes_of(b), 0, 1, {}}, data);
    client_.deferred();
    client_.ask(msg::CopyBlockOut{bytes_of(b), 0, 1});
    expect_inside();
}

TEST_F(HostileBoxes, SlicesOfNothingAreNotASmallBox) {
    wire::Block b;
    b.device = client_.memory + RawClient::kBytes - 4096;
    b.pitch = 1024;
    b.slice = 0;
    b.width = 1024;
    b.height = 4;
    b.depth = 16;
    const Bytes data(1024 * 4 * 16);
    client_.send(msg::CopyBlockIn{bytes_of(b), 0, 1, {}}, data);
    client_.deferred();
    expect_inside();
}

TEST_F(HostileBoxes, NumbersThatWrapAreRefused) {
    std::mt19937_64 random(20240611);
    const uint64_t odd[] = {0,          1,          16,         4096,       RawClient::kBytes,
                            UINT32_MAX, 1ull << 32, 1ull << 63, UINT64_MAX, UINT64_MAX - 4095};
    const auto any = [&] { return odd[random() % std::size(odd)]; };
    for (int i = 0; i < 3000; ++i) {
        wire::Block b;
        b.device = random() % 2 == 0 ? client_.memory + random() % RawClient::kBytes : any();
        b.pitch = any();
        b.slice = any();
        b.x = any();
        b.y = any();
        b.z = any();
        b.width = random() % 4096;
        b.height = random() % 4;
        b.depth = random() % 3;
        wire::Block other = b;
        other.device = client_.memory;
        other.x = other.y = other.z = 0;
        other.pitch = 4096;
        other.slice = 4;
        client_.send(msg::CopyBlock{bytes_of(b), bytes_of(other), 0, 1});
        if (i % 500 == 0) {
            ASSERT_NE(client_.deferred(), CUDA_ERROR_UNKNOWN);
        }
    }
    client_.deferred();
    expect_inside();
}

TEST_F(HostileBoxes, ABoxThatIsNoBoxIsRefused) {
    for (const size_t size : {size_t{0}, size_t{1}, sizeof(wire::Block) - 1, sizeof(wire::Block) + 1}) {
        const Bytes block(size, 0xff);
        client_.send(msg::CopyBlock{block, block, 0, 1});
        EXPECT_EQ(client_.deferred(), CUDA_ERROR_INVALID_VALUE) << size;
    }
    EXPECT_TRUE(Recorded::copies.empty());
}

}  // namespace
}  // namespace bitfusion::session_test
