#include "session/function_case.h"

#include <algorithm>

#include "client_remote.gen.h"

namespace bitfusion::session_test {
namespace {

CUdeviceptr g_memory = 0;

}  // namespace

Record& driver_record() {
    static Record record;
    return record;
}

void set_example_memory(CUdeviceptr memory) { g_memory = memory; }

template <>
CUmemLocation example(uint8_t) {
    CUmemLocation location{};
    location.type = CU_MEM_LOCATION_TYPE_DEVICE;
    location.id = 1;
    return location;
}

template <>
CUmemAllocationProp example(uint8_t fill) {
    CUmemAllocationProp prop{};
    prop.type = CU_MEM_ALLOCATION_TYPE_PINNED;
    prop.location = example<CUmemLocation>(fill);
    return prop;
}

template <>
CUmemPoolProps example(uint8_t fill) {
    CUmemPoolProps props{};
    props.allocType = CU_MEM_ALLOCATION_TYPE_PINNED;
    props.location = example<CUmemLocation>(fill);
    return props;
}

template <>
CUmemAccessDesc example(uint8_t fill) {
    CUmemAccessDesc access{};
    access.location = example<CUmemLocation>(fill);
    access.flags = CU_MEM_ACCESS_FLAGS_PROT_READWRITE;
    return access;
}

template <>
CUstreamBatchMemOpParams example(uint8_t fill) {
    CUstreamBatchMemOpParams operation{};
    operation.operation = CU_STREAM_MEM_OP_WRITE_VALUE_32;
    operation.writeValue.address = g_memory;
    operation.writeValue.value = fill;
    return operation;
}
template <>
CUDA_MEMSET_NODE_PARAMS example(uint8_t fill) {
    CUDA_MEMSET_NODE_PARAMS set{};
    set.dst = g_memory;
    set.pitch = 64;
    set.value = fill;
    set.elementSize = 4;
    set.width = 8;
    set.height = 2;
    return set;
}

bool all_are(const void* data, size_t bytes, uint8_t value) {
    const auto* first = static_cast<const uint8_t*>(data);
    return std::all_of(first, first + bytes, [&](uint8_t byte) { return byte == value; });
}

CUdeviceptr Given::host() {
    static uint8_t own[4096];
    return reinterpret_cast<CUdeviceptr>(own);
}

CUresult Given::settled(CUresult result) const {
    if (result != CUDA_SUCCESS) return result;
    // A round trip that asks the driver nothing of the handles, which it would not know.
    size_t free = 0;
    size_t total = 0;
    return client::remote::cuMemGetInfo_v2(&free, &total);
}

void Given::compare(const Record& wanted) const {
    EXPECT_EQ(driver_record().calls, wanted.calls);
    EXPECT_EQ(driver_record().bytes, wanted.bytes) << "the driver was given other arguments";
}

}  // namespace bitfusion::session_test
