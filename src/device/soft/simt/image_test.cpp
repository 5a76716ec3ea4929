// Texture and surface instructions: decoded from PTX, run on images that the test lays out itself.
#include "device/soft/simt/image.h"

#include "device/soft/simt/engine_fixture.h"

namespace bitfusion::soft {
namespace {

constexpr uint64_t kNumber = 0x1000'0000'0001;

class ImageInstructions : public EngineFixture {
  protected:
    ImageInstructions() : image_(std::make_shared<Image>()) {
        image_->format = ImageFormat::kU32;
        texels_ = array<uint32_t>(8 * 4 * 3);
        for (uint32_t i = 0; i < 8 * 4 * 3; ++i) texels_[i] = 100 + i;
        image_->levels.push_back({reinterpret_cast<uint64_t>(texels_), 8, 4, 3, 32, 128});
        results_ = array<uint32_t>(256);
    }

    // Runs `body` with one warp: %object, %out, %lane (0..31), spare registers of each kind.
    Outcome run_body(const std::string& body) {
        const auto program = load(module(R"(
.visible .entry k(.param .u64 object, .param .u64 out)
{
    .reg .pred %p<4>; .reg .b16 %h<9>; .reg .u32 %r<9>, %lane; .reg .f32 %f<9>; .reg .b64 %d<9>, %object, %out;
    ld.param.u64 %object, [object]; ld.param.u64 %out, [out];
    mov.u32 %lane, %tid.x;
    mad.wide.u32 %out, %lane, 4, %out;
)" + body + "\n    ret;\n}\n"));
        ImageTable images;
        images.add(kNumber, image_, nullptr);
        Arguments arguments;
        arguments.add(kNumber).add(reinterpret_cast<uint64_t>(results_));
        LaunchRequest launch = request(program, "k", {1, 1, 1}, {32, 1, 1}, arguments);
        launch.images = &images;
        return run(launch);
    }

    std::shared_ptr<Image> image_;
    uint32_t* texels_ = nullptr;
    uint32_t* results_ = nullptr;
};

TEST_F(ImageInstructions, TexReadsEachLanesTexel) {
    ASSERT_TRUE(run_body(R"(
    and.b32 %r1, %lane, 7; shr.u32 %r2, %lane, 3;
    cvt.rn.f32.u32 %f1, %r1; cvt.rn.f32.u32 %f2, %r2;
    tex.2d.v4.u32.f32 {%r3, %r4, %r5, %r6}|%p1, [%object, {%f1, %f2}];
    @%p1 st.global.u32 [%out], %r3;)"));
    for (uint32_t i = 0; i < 32; ++i) EXPECT_EQ(results_[i], 100 + i);
}

TEST_F(ImageInstructions, TexOfLayersVolumesAndWholeCoordinates) {
    image_->layered = true;
    ASSERT_TRUE(run_body(R"(
    mov.u32 %r1, 2; mov.u32 %r2, 1; mov.u32 %r8, 3;
    tex.a2d.v4.u32.s32 {%r3, %r4, %r5, %r6}, [%object, {%r2, %r1, %r8, %r8}];
    tex.3d.v4.s32.s32 {%r7, %r4, %r5, %r6}, [%object, {%r1, %r8, %r1, %r1}];
    st.global.u32 [%out], %r3; st.global.u32 [%out+128], %r7;)"));
    EXPECT_EQ(results_[5], 100u + 32 + 3 * 8 + 2);
    EXPECT_EQ(results_[32 + 5], 100u + 2 * 32 + 3 * 8 + 2);
}

TEST_F(ImageInstructions, GradientsAndLevelsChooseALevel) {
    image_->normalized = true;
    image_->most_level = 9;
    image_->levels[0].depth = 1;
    image_->levels.push_back({reinterpret_cast<uint64_t>(texels_ + 64), 4, 2, 1, 16, 32});
    ASSERT_TRUE(run_body(R"(
    mov.f32 %f1, 0f00000000; mov.f32 %f2, 0f3F800000; mov.f32 %f3, 0f3E800000;
    tex.level.2d.v4.u32.f32 {%r3, %r4, %r5, %r6}, [%object, {%f1, %f1}], %f2;
    tex.grad.2d.v4.u32.f32 {%r7, %r4, %r5, %r6}, [%object, {%f1, %f1}], {%f3, %f1}, {%f1, %f1};
    tex.grad.2d.v4.u32.f32 {%r8, %r4, %r5, %r6}, [%object, {%f1, %f1}], {%f1, %f1}, {%f1, %f1};
    st.global.u32 [%out], %r3; st.global.u32 [%out+128], %r7; st.global.u32 [%out+256], %r8;)"));
    EXPECT_EQ(results_[0], 164u);
    EXPECT_EQ(results_[32], 164u);  // a quarter of eight texels: two, level one
    EXPECT_EQ(results_[64], 100u);
}

TEST_F(ImageInstructions, GatherAndQueries) {
    ASSERT_TRUE(run_body(R"(
    setp.ne.u32 %p1, %lane, 0; @%p1 ret;
    mov.f32 %f1, 0f40000000;
    tld4.r.2d.v4.u32.f32 {%r3, %r4, %r5, %r6}, [%object, {%f1, %f1}];
    txq.width.b32 %r1, [%object]; txq.height.b32 %r2, [%object]; suq.depth.b32 %r7, [%object];
    txq.channel_order.b32 %r8, [%object];
    st.global.v4.u32 [%out], {%r3, %r4, %r5, %r6};
    st.global.v4.u32 [%out+16], {%r1, %r2, %r7, %r8};)"));
    const uint32_t expected[] = {100 + 17, 100 + 18, 100 + 10, 100 + 9, 8, 4, 3, 0x10b0};
    for (size_t i = 0; i < 8; ++i) EXPECT_EQ(results_[i], expected[i]) << i;
}

TEST_F(ImageInstructions, OffsetsCountTexels) {
    ASSERT_TRUE(run_body(R"(
    setp.ne.u32 %p1, %lane, 0; @%p1 ret;
    mov.f32 %f1, 0f40000000; mov.u32 %r1, -1; mov.u32 %r2, 2;
    tex.2d.v4.u32.f32 {%r3, %r4, %r5, %r6}, [%object, {%f1, %f1}], {%r1, %r2};
    st.global.u32 [%out], %r3;
    tex.1d.v4.u32.f32 {%r3, %r4, %r5, %r6}, [%object, {%f1}], 3;
    st.global.u32 [%out+4], %r3;
    tex.3d.v4.u32.s32 {%r3, %r4, %r5, %r6}, [%object, {%r2, %r2, %r2, %r2}], {%r1, 1, %r1, 0};
    st.global.u32 [%out+8], %r3;
    tex.level.2d.v4.u32.f32 {%r3, %r4, %r5, %r6}, [%object, {%f1, %f1}], 0f00000000, {7, 7};
    st.global.u32 [%out+12], %r3;
    tld4.r.2d.v4.u32.f32 {%r3, %r4, %r5, %r6}, [%object, {%f1, %f1}], {%r1, 1};
    st.global.v4.u32 [%out+16], {%r3, %r4, %r5, %r6};)"));
    // Texel (x, y, z) is 100 + 32 z + 8 y + x. The edge clamps.
    const uint32_t expected[] = {100 + 3 * 8 + 1, 100 + 5,  100 + 32 + 3 * 8 + 1,
                                 100 + 3 * 8 + 7, 100 + 24, 100 + 25,
                                 100 + 17,        100 + 16};
    for (size_t i = 0; i < 8; ++i) EXPECT_EQ(results_[i], expected[i]) << i;
}

TEST_F(ImageInstructions, SurfacesAreReadAndWrittenInBytes) {
    ASSERT_TRUE(run_body(R"(
    and.b32 %r1, %lane, 7; shr.u32 %r2, %lane, 3; shl.b32 %r1, %r1, 2;
    suld.b.2d.b32.trap %r3, [%object, {%r1, %r2}];
    add.u32 %r3, %r3, 1000;
    mov.u32 %r4, 1;
    sust.b.3d.b32.trap [%object, {%r1, %r2, %r4, %r4}], {%r3};
    suld.b.2d.v2.b16.trap {%h1, %h2}, [%object, {%r1, %r2}];
    mov.b32 %r5, {%h1, %h2};
    st.global.u32 [%out], %r5;)"));
    for (uint32_t i = 0; i < 32; ++i) {
        EXPECT_EQ(texels_[32 + i], 1100 + i);
        EXPECT_EQ(results_[i], 100 + i);
    }
}

TEST_F(ImageInstructions, OutsideASurfaceClampsOrZeroesOrTraps) {
    ASSERT_TRUE(run_body(R"(
    mov.u32 %r1, 32; mov.u32 %r2, 1; mov.u32 %r3, 7;
    suld.b.2d.b32.clamp %r4, [%object, {%r1, %r2}];
    suld.b.2d.b32.zero %r5, [%object, {%r1, %r2}];
    sust.b.2d.b32.zero [%object, {%r1, %r2}], {%r3};
    st.global.u32 [%out], %r4; st.global.u32 [%out+128], %r5;)"));
    EXPECT_EQ(results_[3], 100u + 15);
    EXPECT_EQ(results_[35], 0u);
    EXPECT_EQ(texels_[16], 116u);
    const Outcome trapped = run_body(R"(
    mov.u32 %r1, 32; mov.u32 %r2, 1;
    suld.b.2d.b32.trap %r4, [%object, {%r1, %r2}];)");
    EXPECT_EQ(trapped.fault.kind, FaultKind::kTrap);
    const Outcome misaligned = run_body(R"(
    mov.u32 %r1, 2; mov.u32 %r2, 1;
    suld.b.2d.b32.clamp %r4, [%object, {%r1, %r2}];)");
    EXPECT_EQ(misaligned.fault.kind, FaultKind::kMisalignedAddress);
}

TEST_F(ImageInstructions, ReductionsAreAtomicAndFormattedStoresConvert) {
    ASSERT_TRUE(run_body(R"(
    mov.u32 %r1, 8; mov.u32 %r2, 0; mov.u32 %r3, 1;
    sured.b.add.2d.u32.trap [%object, {%r1, %r2}], %r3;
    sured.b.max.2d.s32.trap [%object, {%r2, %r3}], %lane;
    sured.p.or.1d.b32.trap [%object, {%r3}], %lane;)"));
    EXPECT_EQ(texels_[1], 101u | 31);
    EXPECT_EQ(texels_[2], 102u + 32);
    EXPECT_EQ(texels_[8], 108u);
    image_->format = ImageFormat::kU8;
    image_->channels = 4;
    ASSERT_TRUE(run_body(R"(
    mov.u32 %r1, 3; mov.u32 %r2, 2; mov.u32 %r3, 300; mov.u32 %r4, 4;
    sust.p.2d.v4.b32.trap [%object, {%r1, %r2}], {%r4, %r3, %r2, %r1};)"));
    EXPECT_EQ(texels_[2 * 8 + 3], 0x0302'ff04u);
}

TEST_F(ImageInstructions, AnUnknownNumberIsAFault) {
    const Outcome outcome = run_body(R"(
    mov.f32 %f1, 0f00000000; add.u64 %object, %object, 1;
    tex.1d.v4.u32.f32 {%r3, %r4, %r5, %r6}, [%object, {%f1}];)");
    EXPECT_EQ(outcome.fault.kind, FaultKind::kIllegalAddress);
}

TEST_F(ImageInstructions, FreedLinearMemoryIsAFault) {
    const uint64_t memory = allocate(1024);
    image_->checked = image_->fetched = true;
    image_->levels = {{memory, 256, 1, 1, 1024, 0}};
    const char* body = R"(
    tex.1d.v4.u32.s32 {%r3, %r4, %r5, %r6}, [%object, {%lane}];)";
    EXPECT_TRUE(run_body(body));
    release(memory, 1024);
    EXPECT_EQ(run_body(body).fault.kind, FaultKind::kIllegalAddress);
}

TEST_F(ImageInstructions, ReferencesAreNamedByTheirVariable) {
    const auto program = load(module(R"(
.global .texref picture;
.visible .entry k(.param .u64 out)
{
    .reg .u32 %r<9>; .reg .f32 %f1; .reg .b64 %out;
    ld.param.u64 %out, [out];
    mov.f32 %f1, 0f40400000;
    tex.1d.v4.u32.f32 {%r1, %r2, %r3, %r4}, [picture, {%f1}];
    st.global.u32 [%out], %r1;
    ret;
}
)"));
    ASSERT_EQ(program->program()->variables().size(), 1u);
    EXPECT_EQ(program->program()->variables()[0].image, ImageVariable::kTexture);
    ImageTable images;
    images.add(program->address_of(0), image_, nullptr);
    Arguments arguments;
    arguments.add(reinterpret_cast<uint64_t>(results_));
    LaunchRequest launch = request(program, "k", {1, 1, 1}, {1, 1, 1}, arguments);
    launch.images = &images;
    ASSERT_TRUE(run(launch));
    EXPECT_EQ(results_[0], 103u);
}

TEST_F(ImageInstructions, WhatThereIsNotIsRefusedByName) {
    for (const char* statement :
         {"tex.2dms.v4.u32.s32 {%r1, %r2, %r3, %r4}, [%d1, {%r1, %r1, %r1, %r1}];",
          "tex.2d.v4.u32.f32 {%r1, %r2, %r3, %r4}, [%d1, %d2, {%f1, %f1}];",
          "tex.2d.v4.u32.f32 {%r1, %r2, %r3, %r4}, [%d1, {%f1, %f1}], %f1;",
          "tex.2d.v4.u32.f32 {%r1, %r2, %r3, %r4}, [%d1, {%f1, %f1}], {1, 1}, %f1;",
          "tex.cube.v4.u32.f32 {%r1, %r2, %r3, %r4}, [%d1, {%f1, %f1, %f1, %f1}], {1, 1, 1, 1};",
          "suld.b.cube.b32.trap %r1, [%d1, {%r1, %r1, %r1, %r1}];"}) {
        const auto refused = assemble(module(std::string(".visible .entry k()\n{\n.reg .u32 %r<9>; .reg .f32 "
                                                         "%f<9>; .reg .b64 %d<9>;\n") +
                                             statement + "\nret;\n}\n"));
        ASSERT_FALSE(refused) << statement;
        EXPECT_NE(refused.error().what.find("not supported"), std::string::npos) << refused.error().what;
    }
}

}  // namespace
}  // namespace bitfusion::soft
