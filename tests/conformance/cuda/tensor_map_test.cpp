// Tensor maps: cuda.h, "Tensor Map Object Managment"; they need compute capability 9.0.
#include <cstring>

#include "conformance/objects.h"

namespace bitfusion::conformance {

class TensorMap : public OnDevice {
  protected:
    void SetUp() override {
        OnDevice::SetUp();
        if (HasFatalFailure()) return;
        if (attribute(CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR) < 9)
            GTEST_SKIP() << "tensor maps need compute capability 9.0";
    }
    static CUresult encode(CUtensorMap* map, CUdeviceptr address) {
        const cuuint64_t shape[] = {64, 64};
        const cuuint64_t strides[] = {256};
        const cuuint32_t box[] = {16, 16};
        const cuuint32_t steps[] = {1, 1};
        return CU_CALL(cuTensorMapEncodeTiled, map, CU_TENSOR_MAP_DATA_TYPE_FLOAT32, 2,
                       reinterpret_cast<void*>(address), shape, strides, box, steps,
                       CU_TENSOR_MAP_INTERLEAVE_NONE, CU_TENSOR_MAP_SWIZZLE_NONE,
                       CU_TENSOR_MAP_L2_PROMOTION_NONE, CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE);
    }
};

TEST_F(TensorMap, AnotherAddressGivesTheMapOfThatAddress) {
    const Memory first(64 * 64 * 4);
    const Memory second(64 * 64 * 4);
    ASSERT_TRUE(first.ok() && second.ok());
    alignas(64) CUtensorMap map{};
    alignas(64) CUtensorMap expected{};
    const CUresult code = encode(&map, first.at());
    if (code == CUDA_ERROR_NOT_SUPPORTED && may_skip()) GTEST_SKIP() << "this target has no tensor maps";
    ASSERT_EQ(code, CUDA_SUCCESS);
    ASSERT_EQ(encode(&expected, second.at()), CUDA_SUCCESS);
    CU_OK(cuTensorMapReplaceAddress, &map, reinterpret_cast<void*>(second.at()));
    EXPECT_EQ(std::memcmp(&map, &expected, sizeof map), 0);
    CU_IS(CUDA_ERROR_INVALID_VALUE, cuTensorMapReplaceAddress, &map,
          reinterpret_cast<void*>(second.at() + 4));
    if (answers_misuse())
        CU_IS(CUDA_ERROR_INVALID_VALUE, cuTensorMapReplaceAddress, nullptr,
              reinterpret_cast<void*>(second.at()));
}

}  // namespace bitfusion::conformance
