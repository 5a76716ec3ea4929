// Arrays and mipmapped arrays: cuda.h, cuArray* and cuMipmappedArray*.
#include "conformance/image_objects.h"

namespace bitfusion::conformance {

class ArrayLife : public OnDevice {};

TEST_F(ArrayLife, DescriptorsAreTold) {
    CUDA_ARRAY_DESCRIPTOR flat{};
    flat.Width = 33;
    flat.Height = 9;
    flat.Format = CU_AD_FORMAT_HALF;
    flat.NumChannels = 4;
    CUarray array = nullptr;
    CU_OK(cuArrayCreate_v2, &array, &flat);
    CUDA_ARRAY_DESCRIPTOR told{};
    CU_OK(cuArrayGetDescriptor_v2, &told, array);
    EXPECT_EQ(told.Width, 33u);
    EXPECT_EQ(told.Height, 9u);
    EXPECT_EQ(told.Format, CU_AD_FORMAT_HALF);
    EXPECT_EQ(told.NumChannels, 4u);
    CUDA_ARRAY3D_DESCRIPTOR whole{};
    CU_OK(cuArray3DGetDescriptor_v2, &whole, array);
    EXPECT_EQ(whole.Width, 33u);
    EXPECT_EQ(whole.Depth, 0u);
    CU_OK(cuArrayDestroy, array);
    if (!answers_misuse()) return;
    CU_IS(CUDA_ERROR_INVALID_HANDLE, cuArrayDestroy, array);
    CU_IS(CUDA_ERROR_INVALID_HANDLE, cuArrayGetDescriptor_v2, &told, array);
    CU_IS(CUDA_ERROR_INVALID_HANDLE, cuArray3DGetDescriptor_v2, &whole, array);
}

TEST_F(ArrayLife, NullPointersAndHandlesAreRefused) {
    const auto d = array_description(8, 8, 0, CU_AD_FORMAT_FLOAT, 1);
    CUarray array = nullptr;
    CU_IS(CUDA_ERROR_INVALID_VALUE, cuArray3DCreate_v2, nullptr, &d);
    CU_IS(CUDA_ERROR_INVALID_VALUE, cuArray3DCreate_v2, &array, nullptr);
    CU_IS(CUDA_ERROR_INVALID_VALUE, cuArrayCreate_v2, &array, nullptr);
    CU_IS(CUDA_ERROR_INVALID_HANDLE, cuArrayDestroy, nullptr);
    CUDA_ARRAY3D_DESCRIPTOR told{};
    CU_IS_ONE_OF(CUDA_ERROR_INVALID_HANDLE, CUDA_ERROR_INVALID_VALUE, cuArray3DGetDescriptor_v2, &told,
                 nullptr);
    CUmipmappedArray mipmap = nullptr;
    CU_IS(CUDA_ERROR_INVALID_VALUE, cuMipmappedArrayCreate, nullptr, &d, 3u);
    CU_IS(CUDA_ERROR_INVALID_VALUE, cuMipmappedArrayCreate, &mipmap, nullptr, 3u);
    CU_IS(CUDA_ERROR_INVALID_HANDLE, cuMipmappedArrayDestroy, nullptr);
}

TEST_F(ArrayLife, ShapesThatCudaForbidsAreRefused) {
    const auto most = static_cast<size_t>(attribute(CU_DEVICE_ATTRIBUTE_MAXIMUM_TEXTURE2D_WIDTH));
    const auto most_layers =
        static_cast<size_t>(attribute(CU_DEVICE_ATTRIBUTE_MAXIMUM_TEXTURE2D_LAYERED_LAYERS));
    ASSERT_GT(most, 0u);
    const CUDA_ARRAY3D_DESCRIPTOR bad[] = {
        array_description(0, 0, 0, CU_AD_FORMAT_FLOAT, 1),
        array_description(8, 8, 0, CU_AD_FORMAT_FLOAT, 3),
        array_description(8, 8, 0, static_cast<CUarray_format>(77), 1),
        array_description(most + 1, 1, 0, CU_AD_FORMAT_UNSIGNED_INT8, 1),
        array_description(8, 0, 3, CU_AD_FORMAT_FLOAT, 1),
        array_description(8, 8, most_layers + 1, CU_AD_FORMAT_UNSIGNED_INT8, 1, CUDA_ARRAY3D_LAYERED),
        array_description(8, 4, 6, CU_AD_FORMAT_FLOAT, 1, CUDA_ARRAY3D_CUBEMAP),
        array_description(8, 8, 5, CU_AD_FORMAT_FLOAT, 1, CUDA_ARRAY3D_CUBEMAP),
        array_description(8, 8, 8, CU_AD_FORMAT_FLOAT, 1, CUDA_ARRAY3D_CUBEMAP | CUDA_ARRAY3D_LAYERED),
    };
    for (const CUDA_ARRAY3D_DESCRIPTOR& d : bad) {
        CUarray array = nullptr;
        const CUresult code = CU_CALL(cuArray3DCreate_v2, &array, &d);
        EXPECT_EQ(code, CUDA_ERROR_INVALID_VALUE) << d.Width << "x" << d.Height << "x" << d.Depth;
        if (code == CUDA_SUCCESS) CU_CALL(cuArrayDestroy, array);
    }
}

TEST_F(ArrayLife, EveryShapeKeepsItsContent) {
    const CUDA_ARRAY3D_DESCRIPTOR shapes[] = {
        array_description(100, 0, 0, CU_AD_FORMAT_UNSIGNED_INT32, 1),
        array_description(37, 11, 0, CU_AD_FORMAT_UNSIGNED_INT16, 2),
        array_description(9, 7, 5, CU_AD_FORMAT_UNSIGNED_INT8, 4),
        array_description(21, 0, 6, CU_AD_FORMAT_FLOAT, 4, CUDA_ARRAY3D_LAYERED),
        array_description(8, 6, 4, CU_AD_FORMAT_SIGNED_INT8, 1, CUDA_ARRAY3D_LAYERED),
        array_description(16, 16, 6, CU_AD_FORMAT_HALF, 2, CUDA_ARRAY3D_CUBEMAP),
        array_description(4, 4, 12, CU_AD_FORMAT_FLOAT, 1, CUDA_ARRAY3D_CUBEMAP | CUDA_ARRAY3D_LAYERED),
        array_description(64, 64, 0, CU_AD_FORMAT_FLOAT, 1, CUDA_ARRAY3D_TEXTURE_GATHER),
        array_description(10, 3, 0, CU_AD_FORMAT_UNORM_INT8X4, 4),
    };
    for (const CUDA_ARRAY3D_DESCRIPTOR& d : shapes) {
        const Array array(d);
        CODE_OK(array.code());
        const size_t element =
            d.Format == CU_AD_FORMAT_UNORM_INT8X4                                            ? 4
            : d.Format == CU_AD_FORMAT_UNSIGNED_INT8 || d.Format == CU_AD_FORMAT_SIGNED_INT8 ? d.NumChannels
            : d.Format == CU_AD_FORMAT_UNSIGNED_INT16 || d.Format == CU_AD_FORMAT_HALF ? 2 * d.NumChannels
                                                                                       : 4 * d.NumChannels;
        const size_t rows = std::max<size_t>(d.Height, 1);
        const size_t planes = std::max<size_t>(d.Depth, 1);
        std::vector<uint8_t> sent(d.Width * element * rows * planes);
        for (size_t i = 0; i < sent.size(); ++i) sent[i] = static_cast<uint8_t>(i * 7 + i / 256);
        std::vector<uint8_t> back(sent.size());
        CODE_OK(write_array(array, sent, d.Width * element, rows, planes));
        CODE_OK(read_array(array, &back, d.Width * element, rows, planes));
        EXPECT_EQ(back, sent) << d.Width << "x" << d.Height << "x" << d.Depth;
    }
}

TEST_F(ArrayLife, MemoryIsTakenAndGivenBack) {
    size_t before = 0, during = 0, after = 0, total = 0;
    CU_OK(cuMemGetInfo_v2, &before, &total);
    const auto d = array_description(2048, 2048, 0, CU_AD_FORMAT_FLOAT, 4);
    CUarray array = nullptr;
    CU_OK(cuArray3DCreate_v2, &array, &d);
    CU_OK(cuMemGetInfo_v2, &during, &total);
    EXPECT_LE(during + 60 * (size_t{1} << 20), before);  // 64 MiB
    CU_OK(cuArrayDestroy, array);
    CU_OK(cuMemGetInfo_v2, &after, &total);
    EXPECT_GE(after, during + 60 * (size_t{1} << 20));
}

TEST_F(ArrayLife, MoreThanThereIsIsOutOfMemory) {
    const auto d = array_description(16384, 16384, 2048, CU_AD_FORMAT_FLOAT, 4);
    CUarray array = nullptr;
    CU_IS(CUDA_ERROR_OUT_OF_MEMORY, cuArray3DCreate_v2, &array, &d);
}

TEST_F(ArrayLife, OnlyLateArraysHaveRequirementsAndProperties) {
    const Array array(array_description(64, 64, 0, CU_AD_FORMAT_FLOAT, 1));
    CODE_OK(array.code());
    CUDA_ARRAY_MEMORY_REQUIREMENTS requirements{};
    CU_IS(CUDA_ERROR_INVALID_VALUE, cuArrayGetMemoryRequirements, &requirements, array, device_);
    CUDA_ARRAY_SPARSE_PROPERTIES properties{};
    CU_IS(CUDA_ERROR_INVALID_VALUE, cuArrayGetSparseProperties, &properties, array);
    CUarray plane = nullptr;
    CU_IS_ONE_OF(CUDA_ERROR_INVALID_VALUE, CUDA_ERROR_INVALID_HANDLE, cuArrayGetPlane, &plane, array, 0u);
    CUmipmappedArray mipmap = nullptr;
    const auto d = array_description(64, 64, 0, CU_AD_FORMAT_FLOAT, 1);
    CU_OK(cuMipmappedArrayCreate, &mipmap, &d, 2u);
    CU_IS(CUDA_ERROR_INVALID_VALUE, cuMipmappedArrayGetMemoryRequirements, &requirements, mipmap, device_);
    CU_IS(CUDA_ERROR_INVALID_VALUE, cuMipmappedArrayGetSparseProperties, &properties, mipmap);
    CU_OK(cuMipmappedArrayDestroy, mipmap);
}

TEST_F(ArrayLife, LevelsOfAMipmappedArrayHalve) {
    const auto d = array_description(20, 9, 0, CU_AD_FORMAT_UNSIGNED_INT32, 1);
    CUmipmappedArray mipmap = nullptr;
    CU_OK(cuMipmappedArrayCreate, &mipmap, &d, 100u);  // clamped to 1 + floor(log2(20)) = 5
    const size_t widths[] = {20, 10, 5, 2, 1};
    const size_t heights[] = {9, 4, 2, 1, 1};
    CUarray levels[5] = {};
    for (unsigned i = 0; i < 5; ++i) {
        CU_OK(cuMipmappedArrayGetLevel, &levels[i], mipmap, i);
        CUDA_ARRAY3D_DESCRIPTOR told{};
        CU_OK(cuArray3DGetDescriptor_v2, &told, levels[i]);
        EXPECT_EQ(told.Width, widths[i]);
        EXPECT_EQ(told.Height, heights[i]);
        const std::vector<uint32_t> sent(widths[i] * heights[i], 1000 + i);
        CODE_OK(write_array(levels[i], sent, widths[i] * 4, heights[i]));
    }
    for (unsigned i = 0; i < 5; ++i) {
        std::vector<uint32_t> back(widths[i] * heights[i]);
        CODE_OK(read_array(levels[i], &back, widths[i] * 4, heights[i]));
        EXPECT_EQ(back, std::vector<uint32_t>(back.size(), 1000 + i));
    }
    CUarray none = nullptr;
    CU_IS(CUDA_ERROR_INVALID_VALUE, cuMipmappedArrayGetLevel, &none, mipmap, 5u);
    CU_IS(CUDA_ERROR_INVALID_VALUE, cuMipmappedArrayGetLevel, nullptr, mipmap, 0u);
    CU_OK(cuMipmappedArrayDestroy, mipmap);
    if (!answers_misuse()) return;
    CU_IS(CUDA_ERROR_INVALID_HANDLE, cuMipmappedArrayDestroy, mipmap);
    CU_IS(CUDA_ERROR_INVALID_HANDLE, cuMipmappedArrayGetLevel, &none, mipmap, 0u);
}

}  // namespace bitfusion::conformance
