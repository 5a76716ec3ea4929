// Graphs of a client that lies: nothing in a node's parameters is followed that the worker has not made or
// checked.
#include <gtest/gtest.h>

#include <cstring>

#include "session/raw_peer.h"
#include "wire/graph_node.h"

namespace bitfusion::session_test {
namespace {

using wire::Kind;
using wire::make_name;

template <typename T>
std::span<const uint8_t> bytes_of(const T& value) {
    return {reinterpret_cast<const uint8_t*>(&value), sizeof value};
}

class HostileGraph : public testing::Test {
  protected:
    void SetUp() override {
        ASSERT_TRUE(client_.open());
        Bytes body;
        ASSERT_TRUE(client_.send(msg::kId_cuGraphCreate, words(0u)));
        ASSERT_EQ(client_.result(&body), CUDA_SUCCESS);
        ASSERT_EQ(body.size(), sizeof graph_);
        memcpy(&graph_, body.data(), sizeof graph_);
    }
    CUresult add(const CUgraphNodeParams& params, const wire::GraphSides& sides = {}, const Bytes& extra = {},
                 uint64_t* node = nullptr) {
        Bytes body;
        const CUresult result = client_.ask(
            msg::GraphNodeAdd{graph_, 0, {}, {}, bytes_of(params), bytes_of(sides), extra}, &body);
        if (result == CUDA_SUCCESS && node != nullptr) memcpy(node, body.data(), sizeof *node);
        return result;
    }
    CUgraphNodeParams copy_in() const {
        CUgraphNodeParams p{};
        p.type = CU_GRAPH_NODE_TYPE_MEMCPY;
        CUDA_MEMCPY3D& c = p.memcpy.copyParams;
        c.srcMemoryType = CU_MEMORYTYPE_HOST;
        c.dstMemoryType = CU_MEMORYTYPE_DEVICE;
        c.dstDevice = client_.memory;
        c.dstPitch = c.WidthInBytes = 64;
        c.dstHeight = c.Height = c.Depth = 1;
        return p;
    }

    RawClient client_;
    uint64_t graph_ = 0;
    int own_ = 0;  // memory of this process, which is the worker's too
};

TEST_F(HostileGraph, HostAddressesAreNotFollowed) {
    CUgraphNodeParams p = copy_in();
    p.memcpy.copyParams.srcHost = &own_;
    EXPECT_EQ(add(p), CUDA_ERROR_INVALID_VALUE) << "host memory without a ticket";
    p.memcpy.copyParams.srcMemoryType = CU_MEMORYTYPE_UNIFIED;
    p.memcpy.copyParams.srcDevice = reinterpret_cast<CUdeviceptr>(&own_);
    EXPECT_EQ(add(p), CUDA_ERROR_INVALID_VALUE);
    p.memcpy.copyParams.srcMemoryType = CU_MEMORYTYPE_DEVICE;
    EXPECT_EQ(add(p), CUDA_ERROR_INVALID_VALUE);
    p = copy_in();
    p.memcpy.copyParams.dstDevice = reinterpret_cast<CUdeviceptr>(&own_);
    EXPECT_EQ(add(p, {1, 64, 0, 1}), CUDA_ERROR_INVALID_VALUE);
    p = {};
    p.type = CU_GRAPH_NODE_TYPE_MEMSET;
    p.memset.dst = reinterpret_cast<CUdeviceptr>(&own_);
    p.memset.elementSize = 4;
    p.memset.width = p.memset.height = 1;
    EXPECT_EQ(add(p), CUDA_ERROR_INVALID_VALUE);
    CUstreamBatchMemOpParams write{};
    write.operation = CU_STREAM_MEM_OP_WRITE_VALUE_32;
    write.writeValue.address = reinterpret_cast<CUdeviceptr>(&own_);
    p = {};
    p.type = CU_GRAPH_NODE_TYPE_BATCH_MEM_OP;
    const auto raw = bytes_of(write);
    EXPECT_EQ(add(p, {}, Bytes(raw.begin(), raw.end())), CUDA_ERROR_INVALID_VALUE);
}

TEST_F(HostileGraph, HandlesThatAreAddressesAreNotFollowed) {
    CUgraphNodeParams p{};
    p.type = CU_GRAPH_NODE_TYPE_KERNEL;
    p.kernel.func = reinterpret_cast<CUfunction>(&own_);
    EXPECT_NE(add(p), CUDA_SUCCESS);
    p = {};
    p.type = CU_GRAPH_NODE_TYPE_GRAPH;
    p.graph.graph = reinterpret_cast<CUgraph>(&own_);
    EXPECT_EQ(add(p), CUDA_ERROR_INVALID_VALUE);
    p = {};
    p.type = CU_GRAPH_NODE_TYPE_EVENT_RECORD;
    p.eventRecord.event = reinterpret_cast<CUevent>(&own_);
    EXPECT_EQ(add(p), CUDA_ERROR_INVALID_HANDLE);
    p = {};
    p.type = CU_GRAPH_NODE_TYPE_CONDITIONAL;
    p.conditional.handle = reinterpret_cast<uint64_t>(&own_);
    p.conditional.size = 1;
    EXPECT_EQ(add(p), CUDA_ERROR_INVALID_VALUE) << "a handle that was not made here";
}

TEST_F(HostileGraph, TicketsAreNewAndTheClientsOwn) {
    ASSERT_EQ(add(copy_in(), {7, 64, 0, 1}), CUDA_SUCCESS);
    EXPECT_EQ(add(copy_in(), {7, 64, 0, 1}), CUDA_ERROR_UNKNOWN);
    EXPECT_EQ(client_.end(), "malformed message GraphNodeAdd");
    for (const uint64_t ticket : {uint64_t{1} << 62, UINT64_MAX}) {
        RawClient client;
        ASSERT_TRUE(client.open());
        Bytes body;
        client.send(msg::kId_cuGraphCreate, words(0u));
        ASSERT_EQ(client.result(&body), CUDA_SUCCESS);
        uint64_t graph = 0;
        memcpy(&graph, body.data(), sizeof graph);
        CUgraphNodeParams p = copy_in();
        p.memcpy.copyParams.dstDevice = client.memory;
        const wire::GraphSides sides{ticket, 64, 0, 1};
        client.ask(msg::GraphNodeAdd{graph, 0, {}, {}, bytes_of(p), bytes_of(sides), {}});
        EXPECT_EQ(client.end(), "malformed message GraphNodeAdd");
    }
}

TEST_F(HostileGraph, BytesBeyondTheHostMemoryEndTheSession) {
    ASSERT_EQ(add(copy_in(), {7, 64, 0, 1}), CUDA_SUCCESS);
    const Bytes data(32, 1);
    client_.send(msg::HostBytes{7, 32, 0, 0, {}}, data);
    EXPECT_EQ(client_.deferred(), CUDA_SUCCESS);
    client_.send(msg::HostBytes{8, 0, 0, 0, {}}, data);
    EXPECT_EQ(client_.deferred(), CUDA_ERROR_INVALID_VALUE) << "a ticket that nobody has";
    client_.send(msg::HostBytes{7, 33, 0, 1, {}}, data);
    EXPECT_EQ(client_.deferred(), CUDA_ERROR_UNKNOWN);
    EXPECT_EQ(client_.end(), "malformed message HostBytes");
}

TEST_F(HostileGraph, MoreHostMemoryThanASessionMayHaveIsRefused) {
    CUgraphNodeParams p = copy_in();
    p.memcpy.copyParams.WidthInBytes = uint64_t{1} << 40;
    EXPECT_EQ(add(p, {7, uint64_t{1} << 40, 0, 1}), CUDA_ERROR_OUT_OF_MEMORY);
}

TEST_F(HostileGraph, ReferencesThatNobodyHasAreNotGivenBack) {
    const uint64_t object = make_name(Kind::kUserObject, false, 2000);
    client_.send(msg::UserObjectCreate{object, 7, 2});
    EXPECT_EQ(client_.deferred(), CUDA_SUCCESS);
    client_.send(msg::kId_cuUserObjectRelease, words(object, 3u));
    EXPECT_EQ(client_.deferred(), CUDA_ERROR_INVALID_VALUE);
    client_.send(msg::kId_cuGraphReleaseUserObject, words(graph_, object, 1u));
    EXPECT_EQ(client_.deferred(), CUDA_ERROR_INVALID_VALUE);
    client_.send(msg::kId_cuUserObjectRelease, words(object, 2u));
    EXPECT_EQ(client_.deferred(), CUDA_SUCCESS);
    client_.send(msg::kId_cuUserObjectRetain, words(object, 1u));
    EXPECT_EQ(client_.deferred(), CUDA_ERROR_INVALID_VALUE) << "it is gone";
}

TEST_F(HostileGraph, CopiesThroughStagingAreNoPartOfACapture) {
    const uint64_t stream = make_name(Kind::kStream, false, 3000);
    client_.send(msg::kId_cuStreamCreateWithPriority, words(1u, 0, stream));
    client_.send(msg::kId_cuStreamBeginCapture_v2,
                 words(stream, static_cast<uint32_t>(CU_STREAM_CAPTURE_MODE_RELAXED)));
    ASSERT_EQ(client_.result(), CUDA_SUCCESS);
    const Bytes data(32, 1);
    client_.send(msg::CopyIn{client_.memory, stream, 1, {}}, data);
    EXPECT_EQ(client_.deferred(), CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED);
    EXPECT_EQ(client_.ask(msg::CopyOut{client_.memory, 32, stream, 1}),
              CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED);
    client_.send(msg::CopyOutLater{client_.memory, 32, stream, 9});
    EXPECT_EQ(client_.deferred(), CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED);
}

TEST_F(HostileGraph, WindowsOfAStreamLieInItsMemory) {
    const uint64_t stream = make_name(Kind::kStream, false, 3000);
    client_.send(msg::kId_cuStreamCreateWithPriority, words(1u, 0, stream));
    CUstreamAttrValue value{};
    value.accessPolicyWindow.base_ptr = &own_;
    value.accessPolicyWindow.num_bytes = 4;
    client_.send(msg::kId_cuStreamSetAttribute,
                 words(stream, static_cast<uint32_t>(CU_LAUNCH_ATTRIBUTE_ACCESS_POLICY_WINDOW), value));
    EXPECT_EQ(client_.result(), CUDA_ERROR_INVALID_VALUE);
}

}  // namespace
}  // namespace bitfusion::session_test
