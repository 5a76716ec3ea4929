// Texture and surface references, which CUDA deprecates: cuda.h, cuTexRef*, cuSurfRef*, cuModuleGetTexRef.
#include "conformance/image_objects.h"

namespace bitfusion::conformance {

class Reference : public WithImages {};

TEST_F(Reference, AKernelReadsWhatIsBoundWhenItIsLaunched) {
    CUtexref reference = nullptr;
    CU_OK(cuModuleGetTexRef, &reference, *module_, "picture");
    const Array first(array_description(4, 4, 0, CU_AD_FORMAT_FLOAT, 1));
    const Array second(array_description(4, 4, 0, CU_AD_FORMAT_FLOAT, 1));
    CODE_OK(first.code());
    CODE_OK(write_array(first, std::vector<float>(16, 3.0f), 16, 4));
    CODE_OK(write_array(second, std::vector<float>(16, 5.0f), 16, 4));
    const Memory points(12), out(16), later(16);
    ASSERT_TRUE(points.ok() && out.ok() && later.ok());
    points.fill(0);
    const CUfunction kernel = module_->function("sample_reference");
    CU_OK(cuTexRefSetArray, reference, first, CU_TRSA_OVERRIDE_FORMAT);
    ASSERT_EQ(launch(kernel, {}, nullptr, uint64_t{0}, points.at(), out.at()), CUDA_SUCCESS);
    CU_OK(cuTexRefSetArray, reference, second, CU_TRSA_OVERRIDE_FORMAT);
    ASSERT_EQ(launch(kernel, {}, nullptr, uint64_t{0}, points.at(), later.at()), CUDA_SUCCESS);
    EXPECT_EQ(out.words()[0], 0x40400000u);
    EXPECT_EQ(later.words()[0], 0x40a00000u);
    CUarray told = nullptr;
    CU_OK(cuTexRefGetArray, &told, reference);
    EXPECT_EQ(told, static_cast<CUarray>(second));
    CUdeviceptr address = 0;
    CU_IS(CUDA_ERROR_INVALID_VALUE, cuTexRefGetAddress_v2, &address, reference);
    CUmipmappedArray mipmap = nullptr;
    CU_IS(CUDA_ERROR_INVALID_VALUE, cuTexRefGetMipmappedArray, &mipmap, reference);
}

TEST_F(Reference, PitchedMemoryIsReadThroughAReference) {
    CUtexref reference = nullptr;
    CU_OK(cuModuleGetTexRef, &reference, *module_, "picture");
    const Memory memory(4096);
    ASSERT_TRUE(memory.ok());
    std::vector<uint32_t> texels(1024);
    for (uint32_t i = 0; i < 1024; ++i) texels[i] = i;
    memory.write(texels.data(), 4096);
    CUDA_ARRAY_DESCRIPTOR d{};
    d.Width = 10;
    d.Height = 4;
    d.Format = CU_AD_FORMAT_UNSIGNED_INT32;
    d.NumChannels = 1;
    CU_OK(cuTexRefSetAddress2D_v3, reference, &d, memory.at(), size_t{64});
    CU_OK(cuTexRefSetFlags, reference, CU_TRSF_READ_AS_INTEGER);
    const auto read = sample("sample_reference", 0, {{3.5f, 2.5f, 0}, {50, 0, 0}});
    EXPECT_EQ(read[0].word[0], 2u * 16 + 3);
    EXPECT_EQ(read[1].word[0], 9u);
    CUdeviceptr told = 0;
    CU_OK(cuTexRefGetAddress_v2, &told, reference);
    EXPECT_EQ(told, memory.at());
    CU_IS(CUDA_ERROR_INVALID_VALUE, cuTexRefSetAddress2D_v3, reference, &d, memory.at(4), size_t{64});
    CU_IS(CUDA_ERROR_INVALID_VALUE, cuTexRefSetAddress2D_v3, reference, &d, memory.at(), size_t{68});
}

TEST_F(Reference, SettingsAreTold) {
    CUtexref reference = nullptr;
    CU_OK(cuTexRefCreate, &reference);
    CU_OK(cuTexRefSetFormat, reference, CU_AD_FORMAT_HALF, 2);
    CU_OK(cuTexRefSetAddressMode, reference, 1, CU_TR_ADDRESS_MODE_MIRROR);
    CU_OK(cuTexRefSetFilterMode, reference, CU_TR_FILTER_MODE_LINEAR);
    CU_OK(cuTexRefSetMipmapFilterMode, reference, CU_TR_FILTER_MODE_LINEAR);
    CU_OK(cuTexRefSetMipmapLevelBias, reference, 0.5f);
    CU_OK(cuTexRefSetMipmapLevelClamp, reference, 1.0f, 2.0f);
    CU_OK(cuTexRefSetMaxAnisotropy, reference, 4u);
    CU_OK(cuTexRefSetFlags, reference, static_cast<unsigned>(CU_TRSF_NORMALIZED_COORDINATES));
    float colour[4] = {1, 2, 3, 4};
    CU_OK(cuTexRefSetBorderColor, reference, colour);

    CUarray_format format{};
    int channels = 0;
    CU_OK(cuTexRefGetFormat, &format, &channels, reference);
    EXPECT_EQ(format, CU_AD_FORMAT_HALF);
    EXPECT_EQ(channels, 2);
    CUaddress_mode mode{};
    CU_OK(cuTexRefGetAddressMode, &mode, reference, 1);
    EXPECT_EQ(mode, CU_TR_ADDRESS_MODE_MIRROR);
    CUfilter_mode filter{};
    CU_OK(cuTexRefGetFilterMode, &filter, reference);
    EXPECT_EQ(filter, CU_TR_FILTER_MODE_LINEAR);
    filter = CU_TR_FILTER_MODE_POINT;
    CU_OK(cuTexRefGetMipmapFilterMode, &filter, reference);
    EXPECT_EQ(filter, CU_TR_FILTER_MODE_LINEAR);
    float bias = 0, least = 0, most = 0;
    CU_OK(cuTexRefGetMipmapLevelBias, &bias, reference);
    EXPECT_EQ(bias, 0.5f);
    CU_OK(cuTexRefGetMipmapLevelClamp, &least, &most, reference);
    EXPECT_EQ(least, 1.0f);
    EXPECT_EQ(most, 2.0f);
    int ratio = 0;
    CU_OK(cuTexRefGetMaxAnisotropy, &ratio, reference);
    EXPECT_EQ(ratio, 4);
    unsigned flags = 0;
    CU_OK(cuTexRefGetFlags, &flags, reference);
    EXPECT_EQ(flags, static_cast<unsigned>(CU_TRSF_NORMALIZED_COORDINATES));
    float told[4] = {};
    CU_OK(cuTexRefGetBorderColor, told, reference);
    for (int i = 0; i < 4; ++i) EXPECT_EQ(told[i], colour[i]);
    CUarray array = nullptr;
    CU_IS(CUDA_ERROR_INVALID_VALUE, cuTexRefGetArray, &array, reference);
    CU_OK(cuTexRefDestroy, reference);
}

TEST_F(Reference, LinearMemoryIsBoundAtAnOffset) {
    CUtexref reference = nullptr;
    CU_OK(cuTexRefCreate, &reference);
    const Memory memory(4096);
    ASSERT_TRUE(memory.ok());
    CU_OK(cuTexRefSetFormat, reference, CU_AD_FORMAT_UNSIGNED_INT32, 1);
    size_t offset = 77;
    CU_OK(cuTexRefSetAddress_v2, &offset, reference, memory.at(), size_t{1024});
    EXPECT_EQ(offset, 0u);
    CU_OK(cuTexRefSetAddress_v2, nullptr, reference, memory.at(), size_t{1024});
    CU_OK(cuTexRefSetAddress_v2, &offset, reference, memory.at(16), size_t{1024});
    EXPECT_EQ(offset, 16u);
    CU_IS(CUDA_ERROR_INVALID_VALUE, cuTexRefSetAddress_v2, nullptr, reference, memory.at(16), size_t{1024});
    // The driver takes any address here, and lets the kernel fail; a worker lets nobody name what is not
    // theirs.
    CU_IS_ONE_OF(CUDA_SUCCESS, CUDA_ERROR_INVALID_VALUE, cuTexRefSetAddress_v2, &offset, reference, kNowhere,
                 size_t{1024});
    CU_OK(cuTexRefDestroy, reference);
}

TEST_F(Reference, ASurfaceReferenceIsWritten) {
    CUsurfref reference = nullptr;
    CU_OK(cuModuleGetSurfRef, &reference, *module_, "canvas");
    const Array array(array_description(8, 8, 0, CU_AD_FORMAT_UNSIGNED_INT32, 1, CUDA_ARRAY3D_SURFACE_LDST));
    CODE_OK(array.code());
    CODE_OK(write_array(array, std::vector<uint32_t>(64, 1), 32, 8));
    CU_OK(cuSurfRefSetArray, reference, array, 0u);
    Shape shape;
    shape.grid_x = shape.block_x = 8;
    ASSERT_EQ(launch(module_->function("add_thousand_reference"), shape, nullptr), CUDA_SUCCESS);
    std::vector<uint32_t> back(64);
    CODE_OK(read_array(array, &back, 32, 8));
    EXPECT_EQ(back, std::vector<uint32_t>(64, 1001));
    CUarray told = nullptr;
    CU_OK(cuSurfRefGetArray, &told, reference);
    EXPECT_EQ(told, static_cast<CUarray>(array));
}

TEST_F(Reference, UnknownNamesAndKindsAreNotFound) {
    CUtexref texture = nullptr;
    CUsurfref surface = nullptr;
    CU_IS(CUDA_ERROR_NOT_FOUND, cuModuleGetTexRef, &texture, *module_, "nothing");
    CU_IS(CUDA_ERROR_NOT_FOUND, cuModuleGetSurfRef, &surface, *module_, "nothing");
    CU_IS(CUDA_ERROR_INVALID_VALUE, cuModuleGetTexRef, nullptr, *module_, "picture");
}

}  // namespace bitfusion::conformance
