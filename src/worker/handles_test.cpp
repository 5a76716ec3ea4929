#include "worker/handles.h"

#include <gtest/gtest.h>

#include <vector>

namespace bitfusion::worker {
namespace {

using wire::Kind;
using wire::make_name;

constexpr uint64_t kOwner = make_name(Kind::kContext, false, 1);

template <typename T>
T object(uint64_t value) {
    return reinterpret_cast<T>(value);
}

TEST(Handles, ANameIsFoundByItsKind) {
    Handles handles;
    const uint64_t name = make_name(Kind::kStream, false, 7);
    handles.bind(name, object<CUstream>(0x1000), kOwner);
    CUresult result = CUDA_SUCCESS;
    EXPECT_EQ(handles.find<CUstream>(name, &result), object<CUstream>(0x1000));
    EXPECT_EQ(result, CUDA_SUCCESS);
    EXPECT_EQ(handles.find<CUevent>(name, &result), nullptr) << "a stream's name never finds an event";
    EXPECT_EQ(result, CUDA_ERROR_INVALID_HANDLE);
}

TEST(Handles, AnUnknownNameKeepsAnEarlierError) {
    const Handles handles;
    CUresult result = CUDA_ERROR_INVALID_DEVICE;
    EXPECT_EQ(handles.find<CUevent>(make_name(Kind::kEvent, false, 9), &result), nullptr);
    EXPECT_EQ(result, CUDA_ERROR_INVALID_DEVICE);
}

TEST(Handles, PseudoHandlesAreTheDriversOwn) {
    const Handles handles;
    CUresult result = CUDA_SUCCESS;
    EXPECT_EQ(handles.find<CUstream>(0, &result), nullptr);
    EXPECT_EQ(handles.find<CUstream>(1, &result), CU_STREAM_LEGACY);
    EXPECT_EQ(result, CUDA_SUCCESS);
    EXPECT_EQ(handles.find<CUstream>(2, &result), nullptr)
        << "the thread's own stream has a name on the wire";
    EXPECT_EQ(result, CUDA_ERROR_INVALID_HANDLE);
    result = CUDA_SUCCESS;
    handles.find<CUevent>(1, &result);
    EXPECT_EQ(result, CUDA_ERROR_INVALID_HANDLE) << "of streams only";
}

TEST(Handles, AKernelStandsWhereAFunctionIsExpected) {
    Handles handles;
    const uint64_t kernel = make_name(Kind::kKernel, true, 3);
    const uint64_t function = make_name(Kind::kFunction, true, 4);
    handles.bind(kernel, object<CUkernel>(0x10), kOwner);
    handles.bind(function, object<CUfunction>(0x20), kOwner);
    CUresult result = CUDA_SUCCESS;
    EXPECT_EQ(handles.find<CUfunction>(kernel, &result), object<CUfunction>(0x10));
    EXPECT_EQ(result, CUDA_SUCCESS);
    EXPECT_EQ(handles.find<CUkernel>(function, &result), nullptr);
    EXPECT_EQ(result, CUDA_ERROR_INVALID_HANDLE);
}

TEST(Handles, TheClientNamesNewObjectsOfTheRightKindOnly) {
    Handles handles;
    const uint64_t name = make_name(Kind::kEvent, false, 1);
    EXPECT_TRUE(handles.may_name<CUevent>(name));
    EXPECT_FALSE(handles.may_name<CUstream>(name));
    EXPECT_FALSE(handles.may_name<CUevent>(make_name(Kind::kEvent, true, 1))) << "the worker's own";
    EXPECT_FALSE(handles.may_name<CUevent>(0));
    EXPECT_FALSE(handles.may_name<CUevent>(UINT64_MAX));
    EXPECT_FALSE(handles.may_name<CUevent>(name | 1ull << 60)) << "no name at all";
    handles.bind(name, object<CUevent>(0x30), kOwner);
    EXPECT_FALSE(handles.may_name<CUevent>(name)) << "in use";
    handles.forget(name);
    EXPECT_TRUE(handles.may_name<CUevent>(name));
}

TEST(Handles, TheWorkerNamesAnObjectOnce) {
    Handles handles;
    const uint64_t first = handles.name_of(object<CUgraphNode>(0x40), kOwner);
    EXPECT_TRUE(wire::named_by_worker(first));
    EXPECT_EQ(wire::kind_of(first), Kind::kGraphNode);
    EXPECT_EQ(handles.name_of(object<CUgraphNode>(0x40), kOwner), first);
    EXPECT_NE(handles.name_of(object<CUgraphNode>(0x48), kOwner), first);
    EXPECT_NE(handles.name_of(object<CUgraph>(0x40), kOwner), first) << "another kind at the same address";
    EXPECT_EQ(handles.name_of(object<CUgraph>(0), kOwner), 0u);
    handles.forget(first);
    EXPECT_NE(handles.name_of(object<CUgraphNode>(0x40), kOwner), first) << "names are never used again";
}

TEST(Handles, WhatAnOwnerHasGoesWithIt) {
    Handles handles;
    const uint64_t module = make_name(Kind::kModule, false, 5);
    handles.bind(module, object<CUmodule>(0x50), kOwner);
    const uint64_t function = handles.name_of(object<CUfunction>(0x60), module);
    const uint64_t other = handles.name_of(object<CUfunction>(0x70), kOwner);
    EXPECT_EQ(handles.owner_of(function), module);
    handles.forget_owned(module);
    CUresult result = CUDA_SUCCESS;
    EXPECT_EQ(handles.find<CUfunction>(function, &result), nullptr);
    EXPECT_EQ(result, CUDA_ERROR_INVALID_HANDLE);
    result = CUDA_SUCCESS;
    EXPECT_EQ(handles.find<CUfunction>(other, &result), object<CUfunction>(0x70));
    EXPECT_EQ(handles.find<CUmodule>(module, &result), object<CUmodule>(0x50)) << "the owner itself stays";
    EXPECT_EQ(result, CUDA_SUCCESS);
    EXPECT_EQ(handles.owner_of(function), 0u);
}

TEST(Handles, WhatIsOwnedGoesWithItsOwnersOwner) {
    Handles handles;
    std::vector<uint64_t> forgotten;
    handles.forgotten = [&](uint64_t name) { forgotten.push_back(name); };
    const uint64_t graph = handles.name_of(object<CUgraph>(0x50), 0);
    const uint64_t node = handles.name_of(object<CUgraphNode>(0x60), graph);
    const uint64_t child = handles.name_of(object<CUgraph>(0x70), node);
    const uint64_t inner = handles.name_of(object<CUgraphNode>(0x80), child);
    const uint64_t other = handles.name_of(object<CUgraph>(0x90), 0);
    ASSERT_EQ(handles.size(), 5u);
    handles.forget(graph);
    EXPECT_EQ(handles.size(), 1u);
    EXPECT_EQ(forgotten.size(), 4u);
    for (const uint64_t name : {node, inner}) {
        CUresult result = CUDA_SUCCESS;
        EXPECT_EQ(handles.find<CUgraphNode>(name, &result), nullptr);
        EXPECT_EQ(result, CUDA_ERROR_INVALID_VALUE) << "of graphs the driver says so";
    }
    EXPECT_EQ(handles.known_name(object<CUgraph>(0x90)), other);
    EXPECT_EQ(handles.known_name(object<CUgraphNode>(0x80)), 0u);
    EXPECT_NE(handles.name_of(object<CUgraphNode>(0x80), other), inner);
}

TEST(Handles, HandlesThatAreNumbersAreNamedToo) {
    Handles handles;
    const uint64_t name = handles.name_of(CUmemGenericAllocationHandle{77}, kOwner);
    CUresult result = CUDA_SUCCESS;
    EXPECT_EQ(handles.find<CUmemGenericAllocationHandle>(name, &result), 77u);
    EXPECT_EQ(result, CUDA_SUCCESS);
}

}  // namespace
}  // namespace bitfusion::worker
