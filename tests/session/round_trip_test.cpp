// What a program pays in round trips: exact counts, because times are noise (docs/life-of-a-call.md).
#include <cstring>
#include <thread>
#include <vector>

#include "session/session_test.h"

namespace bitfusion::session_test {
namespace {

class RoundTrips : public SessionTest {
  protected:
    void SetUp() override {
        SessionTest::SetUp();
        open_device();
    }
};

TEST_F(RoundTrips, AThousandLaunchesCostNone) {
    EXPECT_EQ(round_trips([&] {
                  for (int i = 0; i < 1000; ++i) ASSERT_EQ(add_one(memory_, 1, nullptr), CUDA_SUCCESS);
              }),
              0u);
    EXPECT_EQ(round_trips([&] { EXPECT_EQ(client::cuStreamSynchronize(nullptr), CUDA_SUCCESS); }), 1u);
    uint32_t value = 0;
    CU_OK(client::cuMemcpyDtoH_v2(&value, memory_, sizeof value));
    EXPECT_EQ(value, 1000u);
}

TEST_F(RoundTrips, AnItemCostsOne) {
    CU_OK(add_one(memory_, 1, nullptr));
    uint32_t value = 0;
    EXPECT_EQ(round_trips([&] {
                  EXPECT_EQ(client::cuMemcpyDtoHAsync_v2(&value, memory_, sizeof value, nullptr),
                            CUDA_SUCCESS);
                  EXPECT_EQ(client::cuStreamSynchronize(nullptr), CUDA_SUCCESS);
              }),
              1u);
    EXPECT_EQ(value, 1u);
}

TEST_F(RoundTrips, AnItemOfAnotherStreamCostsOne) {
    CUstream stream = nullptr;
    CU_OK(client::cuStreamCreate(&stream, CU_STREAM_NON_BLOCKING));
    CU_OK(add_one(memory_, 1, stream));
    uint32_t value = 0;
    EXPECT_EQ(round_trips([&] {
                  EXPECT_EQ(client::cuMemcpyDtoHAsync_v2(&value, memory_, sizeof value, stream),
                            CUDA_SUCCESS);
                  EXPECT_EQ(client::cuStreamSynchronize(stream), CUDA_SUCCESS);
              }),
              1u);
    EXPECT_EQ(value, 1u);
    CU_OK(client::cuStreamDestroy_v2(stream));
}

TEST_F(RoundTrips, ALargeReadCostsOne) {
    CUdeviceptr large = 0;
    constexpr size_t kLarge = 40u << 20;  // ten pieces
    CU_OK(client::cuMemAlloc_v2(&large, kLarge));
    CU_OK(client::remote::cuMemsetD8Async(large, 0x5a, kLarge, nullptr));
    std::vector<uint8_t> host(kLarge);
    CU_OK(client::cuMemcpyDtoH_v2(host.data(), large, kLarge));  // the first one may find pages for itself
    host.assign(kLarge, 0);
    EXPECT_EQ(
        round_trips([&] { EXPECT_EQ(client::cuMemcpyDtoH_v2(host.data(), large, kLarge), CUDA_SUCCESS); }),
        1u);
    EXPECT_EQ(host, std::vector<uint8_t>(kLarge, 0x5a));
    CU_OK(client::cuMemFree_v2(large));
}

TEST_F(RoundTrips, CopiesToTheDeviceCostNone) {
    std::vector<uint8_t> first(kBytes);
    CU_OK(
        client::cuMemcpyHtoD_v2(memory_, first.data(), kBytes));  // may find pages for the large ones to come
    for (const size_t bytes : {size_t{4}, size_t{64} << 10, (size_t{64} << 10) + 1, kBytes}) {
        // In shared memory the GPU reads a large copy from pages of the client's, which waits for it as it
        // would for a GPU in this machine.
        const uint64_t expected = client::session()->shares_memory() && bytes == kBytes ? 1 : 0;
        std::vector<uint8_t> host(bytes);
        for (size_t i = 0; i < bytes; ++i) host[i] = static_cast<uint8_t>(i * 7 + bytes);
        EXPECT_EQ(round_trips(
                      [&] { EXPECT_EQ(client::cuMemcpyHtoD_v2(memory_, host.data(), bytes), CUDA_SUCCESS); }),
                  expected)
            << bytes;
        const std::vector<uint8_t> sent = host;
        memset(host.data(), 0, bytes);  // a copy from pageable memory has read it when it returns
        std::vector<uint8_t> back(bytes);
        CU_OK(client::cuMemcpyDtoH_v2(back.data(), memory_, bytes));
        EXPECT_EQ(back, sent) << bytes;
    }
}

TEST_F(RoundTrips, QueriesOfAnEventCostNone) {
    CUevent event = nullptr;
    CU_OK(client::cuEventCreate(&event, CU_EVENT_DISABLE_TIMING));
    EXPECT_EQ(round_trips([&] {
                  for (int i = 0; i < 20; ++i) {
                      ASSERT_EQ(add_one(memory_, 64, nullptr), CUDA_SUCCESS);
                      ASSERT_EQ(client::cuEventRecord(event, nullptr), CUDA_SUCCESS);
                      CUresult state = CUDA_ERROR_NOT_READY;
                      while (state == CUDA_ERROR_NOT_READY) {
                          std::this_thread::yield();
                          state = client::cuEventQuery(event);
                      }
                      ASSERT_EQ(state, CUDA_SUCCESS);
                  }
              }),
              0u);
    CU_OK(client::cuEventDestroy_v2(event));
}

TEST_F(RoundTrips, QueriesOfAStreamCostNone) {
    EXPECT_EQ(round_trips([&] {
                  for (int i = 0; i < 20; ++i) {
                      ASSERT_EQ(add_one(memory_, 64, nullptr), CUDA_SUCCESS);
                      CUresult state = CUDA_ERROR_NOT_READY;
                      while (state == CUDA_ERROR_NOT_READY) {
                          std::this_thread::yield();
                          state = client::cuStreamQuery(nullptr);
                      }
                      ASSERT_EQ(state, CUDA_SUCCESS);
                  }
              }),
              0u);
    uint32_t value = 0;
    CU_OK(client::cuMemcpyDtoH_v2(&value, memory_, sizeof value));
    EXPECT_EQ(value, 20u);
}

TEST_F(RoundTrips, SynchronisingWithNothingOutstandingCostsNone) {
    CU_OK(client::cuCtxSynchronize());
    EXPECT_EQ(round_trips([&] {
                  EXPECT_EQ(client::cuCtxSynchronize(), CUDA_SUCCESS);
                  EXPECT_EQ(client::cuStreamSynchronize(nullptr), CUDA_SUCCESS);
              }),
              0u);
}

TEST_F(RoundTrips, FactsOfDevicesCostNone) {
    EXPECT_EQ(round_trips([&] {
                  int count = 0;
                  ASSERT_EQ(client::cuDeviceGetCount(&count), CUDA_SUCCESS);
                  ASSERT_EQ(count, kGpus);
                  for (CUdevice device = 0; device < count; ++device) {
                      int warp = 0;
                      for (int a = 1; a < CU_DEVICE_ATTRIBUTE_MAX; ++a) {
                          int value = 0;
                          client::cuDeviceGetAttribute(&value, static_cast<CUdevice_attribute>(a), device);
                          if (a == CU_DEVICE_ATTRIBUTE_WARP_SIZE) warp = value;
                      }
                      EXPECT_EQ(warp, 32);
                      char text[64] = "";
                      EXPECT_EQ(client::cuDeviceGetName(text, sizeof text, device), CUDA_SUCCESS);
                      EXPECT_NE(text[0], '\0');
                      size_t total = 0;
                      EXPECT_EQ(client::cuDeviceTotalMem_v2(&total, device), CUDA_SUCCESS);
                      EXPECT_EQ(total, kPartitionMib << 20) << "a partition looks like a whole device";
                      CUuuid uuid{};
                      EXPECT_EQ(client::cuDeviceGetUuid_v2(&uuid, device), CUDA_SUCCESS);
                      EXPECT_EQ(client::cuDeviceGetPCIBusId(text, sizeof text, device), CUDA_SUCCESS);
                  }
                  CUcontext current = nullptr;
                  EXPECT_EQ(client::cuCtxGetCurrent(&current), CUDA_SUCCESS);
                  EXPECT_EQ(current, context_);
                  CUdevice of_context = -1;
                  EXPECT_EQ(client::cuCtxGetDevice(&of_context), CUDA_SUCCESS);
              }),
              0u);
}

TEST_F(RoundTrips, AFunctionIsAskedForOnce) {
    CUfunction first = nullptr;
    CUfunction second = nullptr;
    EXPECT_EQ(
        round_trips([&] { EXPECT_EQ(client::cuModuleGetFunction(&first, module_, "iota"), CUDA_SUCCESS); }),
        1u);
    EXPECT_EQ(round_trips([&] {
                  EXPECT_EQ(client::cuModuleGetFunction(&second, module_, "iota"), CUDA_SUCCESS);
                  int registers = 0;
                  EXPECT_EQ(
                      client::cuFuncGetAttribute(&registers, CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK, first),
                      CUDA_SUCCESS);
              }),
              0u);
    EXPECT_EQ(first, second);
}

TEST_F(RoundTrips, OccupancyIsAskedForOnce) {
    int blocks[2] = {0, 0};
    EXPECT_EQ(round_trips([&] {
                  for (int& b : blocks) {
                      EXPECT_EQ(client::cuOccupancyMaxActiveBlocksPerMultiprocessor(&b, add_one_, 64, 0),
                                CUDA_SUCCESS);
                  }
              }),
              1u);
    EXPECT_GT(blocks[0], 0);
    EXPECT_EQ(blocks[0], blocks[1]);
}

TEST_F(RoundTrips, StreamsAndEventsComeAndGoForNone) {
    EXPECT_EQ(round_trips([&] {
                  for (int i = 0; i < 10; ++i) {
                      CUstream stream = nullptr;
                      CUevent event = nullptr;
                      ASSERT_EQ(client::cuStreamCreate(&stream, CU_STREAM_NON_BLOCKING), CUDA_SUCCESS);
                      ASSERT_EQ(client::cuEventCreate(&event, CU_EVENT_DISABLE_TIMING), CUDA_SUCCESS);
                      ASSERT_EQ(client::cuEventRecord(event, stream), CUDA_SUCCESS);
                      ASSERT_EQ(client::cuStreamWaitEvent(nullptr, event, 0), CUDA_SUCCESS);
                      ASSERT_EQ(client::cuEventDestroy_v2(event), CUDA_SUCCESS);
                      ASSERT_EQ(client::cuStreamDestroy_v2(stream), CUDA_SUCCESS);
                  }
              }),
              0u);
    CU_OK(client::cuCtxSynchronize());
}

}  // namespace
}  // namespace bitfusion::session_test
