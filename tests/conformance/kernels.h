// The device code of the conformance tests: small kernels written by hand in PTX, readable beside the tests
// that launch them.
//
// One module text, kKernels, for everything that runs without a fault; kFaultKernels for the kernels that
// kill their context; kPrintKernels for the ones that need vprintf and __assertfail. PTX ISA 6.4 for sm_52,
// so that every driver and the software GPU take it. All counts are 32-bit, all pointers 64-bit generic
// addresses.
#pragma once

namespace bitfusion::conformance {

inline constexpr char kKernels[] = R"(
.version 6.4
.target sm_52
.address_size 64

.visible .global .align 4 .u32 counter = 41;
.visible .global .align 4 .b8 buffer[64];
.visible .const .align 4 .f32 table[4] = {0f3F800000, 0f40000000, 0f40400000, 0f40800000};
.extern .shared .align 16 .b8 dynamic[];

// data[i] = i + first
.visible .entry iota(.param .u64 data, .param .u32 first, .param .u32 count)
{
    .reg .pred %p; .reg .u32 %i, %b, %n, %first, %count; .reg .u64 %data;
    mov.u32 %i, %tid.x; mov.u32 %b, %ctaid.x; mov.u32 %n, %ntid.x;
    mad.lo.u32 %i, %b, %n, %i;
    ld.param.u32 %count, [count];
    setp.ge.u32 %p, %i, %count;
    @%p ret;
    ld.param.u64 %data, [data]; ld.param.u32 %first, [first];
    cvta.to.global.u64 %data, %data;
    mad.wide.u32 %data, %i, 4, %data;
    add.u32 %i, %i, %first;
    st.global.u32 [%data], %i;
    ret;
}

// data[i] = data[i] + 1
.visible .entry add_one(.param .u64 data, .param .u32 count)
{
    .reg .pred %p; .reg .u32 %i, %b, %n, %count; .reg .u64 %data;
    mov.u32 %i, %tid.x; mov.u32 %b, %ctaid.x; mov.u32 %n, %ntid.x;
    mad.lo.u32 %i, %b, %n, %i;
    ld.param.u32 %count, [count];
    setp.ge.u32 %p, %i, %count;
    @%p ret;
    ld.param.u64 %data, [data];
    cvta.to.global.u64 %data, %data;
    mad.wide.u32 %data, %i, 4, %data;
    ld.global.u32 %i, [%data];
    add.u32 %i, %i, 1;
    st.global.u32 [%data], %i;
    ret;
}

// y[i] = a * x[i] + y[i]
.visible .entry saxpy(.param .f32 a, .param .u64 x, .param .u64 y, .param .u32 count)
{
    .reg .pred %p; .reg .u32 %i, %b, %n, %count; .reg .u64 %x, %y; .reg .f32 %a, %u, %v;
    mov.u32 %i, %tid.x; mov.u32 %b, %ctaid.x; mov.u32 %n, %ntid.x;
    mad.lo.u32 %i, %b, %n, %i;
    ld.param.u32 %count, [count];
    setp.ge.u32 %p, %i, %count;
    @%p ret;
    ld.param.f32 %a, [a]; ld.param.u64 %x, [x]; ld.param.u64 %y, [y];
    cvta.to.global.u64 %x, %x; cvta.to.global.u64 %y, %y;
    mad.wide.u32 %x, %i, 4, %x; mad.wide.u32 %y, %i, 4, %y;
    ld.global.f32 %u, [%x]; ld.global.f32 %v, [%y];
    fma.rn.f32 %v, %a, %u, %v;
    st.global.f32 [%y], %v;
    ret;
}

// One thread: data[0] = data[0] * factor + term. Two of them in either order give different numbers.
.visible .entry step(.param .u64 data, .param .u32 factor, .param .u32 term)
{
    .reg .u32 %v, %f, %t; .reg .u64 %data;
    ld.param.u64 %data, [data]; ld.param.u32 %f, [factor]; ld.param.u32 %t, [term];
    cvta.to.global.u64 %data, %data;
    ld.global.u32 %v, [%data];
    mad.lo.u32 %v, %v, %f, %t;
    st.global.u32 [%data], %v;
    ret;
}

// out[linear thread number in the whole grid] = linear thread number, for grids and blocks of three dimensions
.visible .entry coordinates(.param .u64 out)
{
    .reg .u32 %g, %t, %a, %b; .reg .u64 %out;
    mov.u32 %g, %ctaid.z; mov.u32 %a, %nctaid.y; mov.u32 %b, %ctaid.y; mad.lo.u32 %g, %g, %a, %b;
    mov.u32 %a, %nctaid.x; mov.u32 %b, %ctaid.x; mad.lo.u32 %g, %g, %a, %b;
    mov.u32 %t, %tid.z; mov.u32 %a, %ntid.y; mov.u32 %b, %tid.y; mad.lo.u32 %t, %t, %a, %b;
    mov.u32 %a, %ntid.x; mov.u32 %b, %tid.x; mad.lo.u32 %t, %t, %a, %b;
    mov.u32 %b, %ntid.y; mul.lo.u32 %a, %a, %b; mov.u32 %b, %ntid.z; mul.lo.u32 %a, %a, %b;
    mad.lo.u32 %g, %g, %a, %t;
    ld.param.u64 %out, [out];
    cvta.to.global.u64 %out, %out;
    mad.wide.u32 %out, %g, 4, %out;
    st.global.u32 [%out], %g;
    ret;
}

// Parameters of every size and alignment; each goes into its own 8-byte slot of out.
.visible .entry parameters(.param .u64 out, .param .u8 a, .param .u16 b, .param .u32 c, .param .u8 d, .param .u64 e,
                           .param .f32 f, .param .f64 g, .param .align 4 .b8 h[12])
{
    .reg .u16 %s; .reg .u32 %w; .reg .u64 %out, %l; .reg .f32 %f; .reg .f64 %g;
    ld.param.u64 %out, [out];
    cvta.to.global.u64 %out, %out;
    ld.param.u8 %s, [a];      cvt.u64.u16 %l, %s; st.global.u64 [%out], %l;
    ld.param.u16 %s, [b];     cvt.u64.u16 %l, %s; st.global.u64 [%out+8], %l;
    ld.param.u32 %w, [c];     cvt.u64.u32 %l, %w; st.global.u64 [%out+16], %l;
    ld.param.u8 %s, [d];      cvt.u64.u16 %l, %s; st.global.u64 [%out+24], %l;
    ld.param.u64 %l, [e];     st.global.u64 [%out+32], %l;
    ld.param.f32 %f, [f];     cvt.f64.f32 %g, %f; st.global.f64 [%out+40], %g;
    ld.param.f64 %g, [g];     st.global.f64 [%out+48], %g;
    ld.param.u32 %w, [h];     cvt.u64.u32 %l, %w; st.global.u64 [%out+56], %l;
    ld.param.u32 %w, [h+4];   cvt.u64.u32 %l, %w; st.global.u64 [%out+64], %l;
    ld.param.u32 %w, [h+8];   cvt.u64.u32 %l, %w; st.global.u64 [%out+72], %l;
    ret;
}

// out[0] = sum of the 1000 words of words: 4008 bytes of parameters
.visible .entry large_parameters(.param .u64 out, .param .align 4 .b8 words[4000])
{
    .reg .pred %p; .reg .u32 %i, %w, %sum; .reg .u64 %out, %at;
    mov.u32 %sum, 0;
    mov.u32 %i, 0;
    mov.u64 %at, words;
next:
    ld.param.u32 %w, [%at];
    add.u32 %sum, %sum, %w;
    add.u64 %at, %at, 4;
    add.u32 %i, %i, 1;
    setp.lt.u32 %p, %i, 1000;
    @%p bra next;
    ld.param.u64 %out, [out];
    cvta.to.global.u64 %out, %out;
    st.global.u32 [%out], %sum;
    ret;
}

// One block: data[i] = old data[n-1-i], through dynamic shared memory of 4 n bytes
.visible .entry reverse(.param .u64 data)
{
    .reg .u32 %i, %n, %v, %at, %base; .reg .u64 %data, %address;
    mov.u32 %i, %tid.x; mov.u32 %n, %ntid.x;
    ld.param.u64 %data, [data];
    cvta.to.global.u64 %data, %data;
    mad.wide.u32 %address, %i, 4, %data;
    ld.global.u32 %v, [%address];
    mov.u32 %base, dynamic;
    mad.lo.u32 %at, %i, 4, %base;
    st.shared.u32 [%at], %v;
    bar.sync 0;
    sub.u32 %n, %n, %i;
    sub.u32 %n, %n, 1;
    mad.lo.u32 %at, %n, 4, %base;
    ld.shared.u32 %v, [%at];
    st.global.u32 [%address], %v;
    ret;
}

// One thread: writes value into the last word of bytes of dynamic shared memory and reads it back into out
.visible .entry shared_last(.param .u64 out, .param .u32 bytes, .param .u32 value)
{
    .reg .u32 %at, %v, %base; .reg .u64 %out;
    ld.param.u32 %at, [bytes]; ld.param.u32 %v, [value]; ld.param.u64 %out, [out];
    cvta.to.global.u64 %out, %out;
    sub.u32 %at, %at, 4;
    mov.u32 %base, dynamic;
    add.u32 %at, %at, %base;
    st.shared.u32 [%at], %v;
    mov.u32 %v, 0;
    ld.shared.u32 %v, [%at];
    st.global.u32 [%out], %v;
    ret;
}

// A kernel with 1024 bytes of static shared memory and at most 128 threads a block: out[tid] = 2 * tid
.visible .entry limited(.param .u64 out)
.maxntid 128, 1, 1
{
    .reg .u32 %i, %at, %v; .reg .u64 %out;
    .shared .align 4 .b8 cells[1024];
    mov.u32 %i, %tid.x;
    mov.u32 %at, cells;
    mad.lo.u32 %at, %i, 8, %at;
    add.u32 %v, %i, %i;
    st.shared.u32 [%at], %v;
    bar.sync 0;
    ld.shared.u32 %v, [%at];
    ld.param.u64 %out, [out];
    cvta.to.global.u64 %out, %out;
    mad.wide.u32 %out, %i, 4, %out;
    st.global.u32 [%out], %v;
    ret;
}

// One thread: counter = counter + by; buffer[0] = low byte of the new counter
.visible .entry bump(.param .u32 by)
{
    .reg .u32 %v, %by;
    ld.param.u32 %by, [by];
    ld.global.u32 %v, [counter];
    add.u32 %v, %v, %by;
    st.global.u32 [counter], %v;
    st.global.u8 [buffer], %v;
    ret;
}

// One thread: out[0] = table[0] + table[1] + table[2] + table[3]
.visible .entry sum_table(.param .u64 out)
{
    .reg .f32 %s, %v; .reg .u64 %out;
    ld.const.f32 %s, [table];
    ld.const.f32 %v, [table+4];  add.rn.f32 %s, %s, %v;
    ld.const.f32 %v, [table+8];  add.rn.f32 %s, %s, %v;
    ld.const.f32 %v, [table+12]; add.rn.f32 %s, %s, %v;
    ld.param.u64 %out, [out];
    cvta.to.global.u64 %out, %out;
    st.global.f32 [%out], %s;
    ret;
}

// Every thread: total[0] += 1, atomically
.visible .entry count_threads(.param .u64 total)
{
    .reg .u64 %total;
    ld.param.u64 %total, [total];
    cvta.to.global.u64 %total, %total;
    red.global.add.u32 [%total], 1;
    ret;
}

.visible .entry nothing()
{
    ret;
}
)";

inline constexpr char kFaultKernels[] = R"(
.version 6.4
.target sm_52
.address_size 64

// Reads and writes 4 bytes at an address that the test chooses.
.visible .entry touch(.param .u64 address)
{
    .reg .u32 %v; .reg .u64 %a;
    ld.param.u64 %a, [address];
    cvta.to.global.u64 %a, %a;
    ld.global.u32 %v, [%a];
    add.u32 %v, %v, 1;
    st.global.u32 [%a], %v;
    ret;
}

.visible .entry stop()
{
    trap;
    ret;
}
)";

inline constexpr char kPrintKernels[] = R"(
.version 6.4
.target sm_52
.address_size 64

.extern .func (.param .b32 result) vprintf(.param .b64 format, .param .b64 arguments);
.extern .func __assertfail(.param .b64 message, .param .b64 file, .param .b32 line, .param .b64 function,
                           .param .b64 character_size);

// "value %d of %s is %.2f\n"
.global .align 1 .b8 format[24] = {118, 97, 108, 117, 101, 32, 37, 100, 32, 111, 102, 32, 37, 115, 32, 105, 115, 32, 37,
                                   46, 50, 102, 10, 0};
// "kernel"
.global .align 1 .b8 word[7] = {107, 101, 114, 110, 101, 108, 0};
// "x > 0", "check.cu", "positive"
.global .align 1 .b8 message[6] = {120, 32, 62, 32, 48, 0};
.global .align 1 .b8 file[9] = {99, 104, 101, 99, 107, 46, 99, 117, 0};
.global .align 1 .b8 function[9] = {112, 111, 115, 105, 116, 105, 118, 101, 0};

// One thread prints "value <value> of kernel is <value + 0.25>".
.visible .entry say(.param .u32 value)
{
    .local .align 8 .b8 frame[24];
    .reg .u32 %v, %r; .reg .u64 %frame, %format, %word; .reg .f64 %d;
    ld.param.u32 %v, [value];
    st.local.u32 [frame], %v;
    mov.u64 %word, word;
    cvta.global.u64 %word, %word;
    st.local.u64 [frame+8], %word;
    cvt.rn.f64.u32 %d, %v;
    add.rn.f64 %d, %d, 0d3FD0000000000000;
    st.local.f64 [frame+16], %d;
    mov.u64 %frame, frame;
    cvta.local.u64 %frame, %frame;
    mov.u64 %format, format;
    cvta.global.u64 %format, %format;
    {
        .param .b64 p0;
        .param .b64 p1;
        .param .b32 out;
        st.param.b64 [p0], %format;
        st.param.b64 [p1], %frame;
        call.uni (out), vprintf, (p0, p1);
        ld.param.b32 %r, [out];
    }
    ret;
}

// assert(x > 0) in function positive, line 42 of check.cu
.visible .entry positive(.param .u32 x)
{
    .reg .pred %p; .reg .u32 %v; .reg .u64 %m, %f, %n;
    ld.param.u32 %v, [x];
    setp.gt.s32 %p, %v, 0;
    @%p bra fine;
    mov.u64 %m, message;  cvta.global.u64 %m, %m;
    mov.u64 %f, file;     cvta.global.u64 %f, %f;
    mov.u64 %n, function; cvta.global.u64 %n, %n;
    {
        .param .b64 p0;
        .param .b64 p1;
        .param .b32 p2;
        .param .b64 p3;
        .param .b64 p4;
        st.param.b64 [p0], %m;
        st.param.b64 [p1], %f;
        st.param.b32 [p2], 42;
        st.param.b64 [p3], %n;
        st.param.b64 [p4], 1;
        call.uni __assertfail, (p0, p1, p2, p3, p4);
    }
fine:
    ret;
}
)";

}  // namespace bitfusion::conformance
