// PTX for the tests of the driver layer.
#pragma once

namespace bitfusion::soft::test {

inline constexpr char kPtx[] = R"(
.version 7.5
.target sm_75
.address_size 64

.visible .global .align 4 .u32 counter = 7;
.global .attribute(.managed) .align 4 .u32 shared_counter = 11;

.visible .entry add(.param .u64 out, .param .u32 value, .param .u32 count)
{
    .reg .pred %p<2>;
    .reg .b32 %r<8>;
    .reg .b64 %rd<5>;
    ld.param.u64 %rd1, [out];
    ld.param.u32 %r1, [value];
    ld.param.u32 %r2, [count];
    mov.u32 %r3, %ctaid.x;
    mov.u32 %r4, %ntid.x;
    mov.u32 %r5, %tid.x;
    mad.lo.s32 %r6, %r3, %r4, %r5;
    setp.ge.u32 %p1, %r6, %r2;
    @%p1 bra DONE;
    mul.wide.u32 %rd2, %r6, 4;
    add.s64 %rd3, %rd1, %rd2;
    ld.global.u32 %r7, [%rd3];
    add.s32 %r7, %r7, %r1;
    st.global.u32 [%rd3], %r7;
DONE:
    ret;
}

.visible .entry store(.param .u64 to)
{
    .reg .b32 %r<2>;
    .reg .b64 %rd<2>;
    ld.param.u64 %rd1, [to];
    mov.u32 %r1, 42;
    st.global.u32 [%rd1], %r1;
    ret;
}

.visible .entry bounded() .maxntid 64, 1, 1
{
    ret;
}

.visible .entry trapping()
{
    trap;
    ret;
}
)";

inline constexpr char kPrinting[] = R"(
.version 7.5
.target sm_75
.address_size 64
.extern .func (.param .b32 result) vprintf(.param .b64 format, .param .b64 arguments);
.global .align 1 .b8 format[10] = {118, 97, 108, 117, 101, 32, 37, 100, 10, 0};
.visible .entry print(.param .u32 value)
{
    .local .align 8 .b8 frame[8];
    .reg .b32 %r<3>;
    .reg .b64 %rd<4>;
    .param .b64 in0;
    .param .b64 in1;
    .param .b32 back;
    ld.param.u32 %r1, [value];
    mov.u64 %rd1, frame;
    cvta.local.u64 %rd2, %rd1;
    st.local.u32 [%rd1], %r1;
    mov.u64 %rd3, format;
    cvta.global.u64 %rd3, %rd3;
    st.param.b64 [in0], %rd3;
    st.param.b64 [in1], %rd2;
    call.uni (back), vprintf, (in0, in1);
    ret;
}
)";

inline constexpr char kUnknownInstruction[] = R"(
.version 7.5
.target sm_75
.address_size 64
.visible .entry broken()
{
    frobnicate.u32 %r1, %r2;
    ret;
}
)";

inline constexpr char kCaller[] = R"(
.version 7.5
.target sm_75
.address_size 64
.extern .func (.param .b32 result) twice(.param .b32 value);
.visible .entry call(.param .u64 out)
{
    .reg .b32 %r<3>;
    .reg .b64 %rd<2>;
    .param .b32 in;
    .param .b32 back;
    ld.param.u64 %rd1, [out];
    mov.u32 %r1, 21;
    st.param.b32 [in], %r1;
    call.uni (back), twice, (in);
    ld.param.b32 %r2, [back];
    st.global.u32 [%rd1], %r2;
    ret;
}
)";

inline constexpr char kCallee[] = R"(
.version 7.5
.target sm_75
.address_size 64
.visible .func (.param .b32 result) twice(.param .b32 value)
{
    .reg .b32 %r<3>;
    ld.param.b32 %r1, [value];
    add.s32 %r2, %r1, %r1;
    st.param.b32 [result], %r2;
    ret;
}
)";

}  // namespace bitfusion::soft::test
