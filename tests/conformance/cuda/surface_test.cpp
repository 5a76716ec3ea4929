// Surface objects: cuda.h, cuSurfObject*, and what kernels read and write through them.
#include <numeric>

#include "conformance/image_objects.h"

namespace bitfusion::conformance {

class Surface : public WithImages {};

TEST_F(Surface, KernelsReadAndWriteTexels) {
    const Array array(array_description(16, 4, 0, CU_AD_FORMAT_UNSIGNED_INT32, 1, CUDA_ARRAY3D_SURFACE_LDST));
    CODE_OK(array.code());
    std::vector<uint32_t> texels(64);
    std::iota(texels.begin(), texels.end(), 5);
    CODE_OK(write_array(array, texels, 64, 4));
    const CUDA_RESOURCE_DESC resource = resource_of(array);
    CUsurfObject object = 0;
    CU_OK(cuSurfObjectCreate, &object, &resource);
    Shape shape;
    shape.grid_x = 4;
    shape.block_x = 16;
    ASSERT_EQ(launch(module_->function("add_thousand"), shape, nullptr, object), CUDA_SUCCESS);
    std::vector<uint32_t> back(64);
    CODE_OK(read_array(array, &back, 64, 4));
    for (uint32_t i = 0; i < 64; ++i) EXPECT_EQ(back[i], texels[i] + 1000);
    CUDA_RESOURCE_DESC told{};
    CU_OK(cuSurfObjectGetResourceDesc, &told, object);
    EXPECT_EQ(told.res.array.hArray, static_cast<CUarray>(array));
    CU_OK(cuSurfObjectDestroy, object);
    CU_IS(CUDA_ERROR_INVALID_VALUE, cuSurfObjectGetResourceDesc, &told, object);
}

TEST_F(Surface, BeyondTheEdgeReadsZeroOrTheNearestTexel) {
    const Array array(array_description(4, 1, 0, CU_AD_FORMAT_UNSIGNED_INT32, 1, CUDA_ARRAY3D_SURFACE_LDST));
    CODE_OK(array.code());
    CODE_OK(write_array(array, std::vector<uint32_t>{1, 2, 3, 4}, 16, 1));
    const CUDA_RESOURCE_DESC resource = resource_of(array);
    CUsurfObject object = 0;
    CU_OK(cuSurfObjectCreate, &object, &resource);
    const Memory out(8);
    ASSERT_TRUE(out.ok());
    ASSERT_EQ(launch(module_->function("beyond"), {}, nullptr, object, uint32_t{16}, out.at()), CUDA_SUCCESS);
    EXPECT_EQ(out.words(), (std::vector<uint32_t>{0, 4}));
    std::vector<uint32_t> back(4);
    CODE_OK(read_array(array, &back, 16, 1));
    EXPECT_EQ(back, (std::vector<uint32_t>{1, 2, 3, 4}));
    CU_OK(cuSurfObjectDestroy, object);
}

TEST_F(Surface, ALevelOfAMipmappedArrayIsASurface) {
    const auto d = array_description(16, 16, 0, CU_AD_FORMAT_UNSIGNED_INT32, 1, CUDA_ARRAY3D_SURFACE_LDST);
    CUmipmappedArray mipmap = nullptr;
    CU_OK(cuMipmappedArrayCreate, &mipmap, &d, 2u);
    CUarray level = nullptr;
    CU_OK(cuMipmappedArrayGetLevel, &level, mipmap, 1u);
    CODE_OK(write_array(level, std::vector<uint32_t>(64, 3), 32, 8));
    const CUDA_RESOURCE_DESC resource = resource_of(level);
    CUsurfObject object = 0;
    CU_OK(cuSurfObjectCreate, &object, &resource);
    Shape shape;
    shape.grid_x = shape.block_x = 8;
    ASSERT_EQ(launch(module_->function("add_thousand"), shape, nullptr, object), CUDA_SUCCESS);
    std::vector<uint32_t> back(64);
    CODE_OK(read_array(level, &back, 32, 8));
    EXPECT_EQ(back, std::vector<uint32_t>(64, 1003));
    CU_OK(cuSurfObjectDestroy, object);
    CU_OK(cuMipmappedArrayDestroy, mipmap);
}

TEST_F(Surface, WhatCannotBeASurfaceIsRefused) {
    const Array array(array_description(4, 4, 0, CU_AD_FORMAT_UNSIGNED_INT32, 1, CUDA_ARRAY3D_SURFACE_LDST));
    CODE_OK(array.code());
    CUsurfObject object = 0;
    CUDA_RESOURCE_DESC resource = resource_of(array);
    if (answers_misuse()) {
        CU_IS(CUDA_ERROR_INVALID_VALUE, cuSurfObjectCreate, nullptr, &resource);
        CU_IS(CUDA_ERROR_INVALID_VALUE, cuSurfObjectCreate, &object, nullptr);
    }
    const Memory memory(4096);
    resource = {};
    resource.resType = CU_RESOURCE_TYPE_LINEAR;
    resource.res.linear.devPtr = memory.at();
    resource.res.linear.format = CU_AD_FORMAT_UNSIGNED_INT32;
    resource.res.linear.numChannels = 1;
    resource.res.linear.sizeInBytes = 4096;
    CU_IS(CUDA_ERROR_INVALID_VALUE, cuSurfObjectCreate, &object, &resource);
}

}  // namespace bitfusion::conformance
