// The device code of the tests of textures and surfaces. Every kernel samples at points that the host gives,
// one thread a point: `points` holds three floats a point, `out` receives four words.
#pragma once

namespace bitfusion::conformance {

inline constexpr char kImageKernels[] = R"(
.version 6.4
.target sm_52
.address_size 64

.global .texref picture;
.global .surfref canvas;

.visible .entry sample_1d(.param .u64 object, .param .u64 points, .param .u64 out)
{
    .reg .u32 %t, %a, %b, %c, %d; .reg .u64 %object, %points, %out; .reg .f32 %x, %y, %z;
    ld.param.u64 %object, [object]; ld.param.u64 %points, [points]; ld.param.u64 %out, [out];
    mov.u32 %t, %tid.x; mad.wide.u32 %points, %t, 12, %points; mad.wide.u32 %out, %t, 16, %out;
    ld.global.f32 %x, [%points];
    tex.1d.v4.u32.f32 {%a, %b, %c, %d}, [%object, {%x}];
    st.global.v4.u32 [%out], {%a, %b, %c, %d};
    ret;
}
.visible .entry sample_2d(.param .u64 object, .param .u64 points, .param .u64 out)
{
    .reg .u32 %t, %a, %b, %c, %d; .reg .u64 %object, %points, %out; .reg .f32 %x, %y, %z;
    ld.param.u64 %object, [object]; ld.param.u64 %points, [points]; ld.param.u64 %out, [out];
    mov.u32 %t, %tid.x; mad.wide.u32 %points, %t, 12, %points; mad.wide.u32 %out, %t, 16, %out;
    ld.global.f32 %x, [%points]; ld.global.f32 %y, [%points+4];
    tex.2d.v4.u32.f32 {%a, %b, %c, %d}, [%object, {%x, %y}];
    st.global.v4.u32 [%out], {%a, %b, %c, %d};
    ret;
}
.visible .entry sample_3d(.param .u64 object, .param .u64 points, .param .u64 out)
{
    .reg .u32 %t, %a, %b, %c, %d; .reg .u64 %object, %points, %out; .reg .f32 %x, %y, %z;
    ld.param.u64 %object, [object]; ld.param.u64 %points, [points]; ld.param.u64 %out, [out];
    mov.u32 %t, %tid.x; mad.wide.u32 %points, %t, 12, %points; mad.wide.u32 %out, %t, 16, %out;
    ld.global.f32 %x, [%points]; ld.global.f32 %y, [%points+4]; ld.global.f32 %z, [%points+8];
    tex.3d.v4.u32.f32 {%a, %b, %c, %d}, [%object, {%x, %y, %z, %z}];
    st.global.v4.u32 [%out], {%a, %b, %c, %d};
    ret;
}
// the third number of a point is the layer
.visible .entry sample_layer(.param .u64 object, .param .u64 points, .param .u64 out)
{
    .reg .u32 %t, %a, %b, %c, %d, %l; .reg .u64 %object, %points, %out; .reg .f32 %x, %y, %z;
    ld.param.u64 %object, [object]; ld.param.u64 %points, [points]; ld.param.u64 %out, [out];
    mov.u32 %t, %tid.x; mad.wide.u32 %points, %t, 12, %points; mad.wide.u32 %out, %t, 16, %out;
    ld.global.f32 %x, [%points]; ld.global.f32 %y, [%points+4]; ld.global.f32 %z, [%points+8];
    cvt.rzi.u32.f32 %l, %z;
    tex.a2d.v4.u32.f32 {%a, %b, %c, %d}, [%object, {%l, %x, %y, %y}];
    st.global.v4.u32 [%out], {%a, %b, %c, %d};
    ret;
}
.visible .entry sample_cube(.param .u64 object, .param .u64 points, .param .u64 out)
{
    .reg .u32 %t, %a, %b, %c, %d; .reg .u64 %object, %points, %out; .reg .f32 %x, %y, %z;
    ld.param.u64 %object, [object]; ld.param.u64 %points, [points]; ld.param.u64 %out, [out];
    mov.u32 %t, %tid.x; mad.wide.u32 %points, %t, 12, %points; mad.wide.u32 %out, %t, 16, %out;
    ld.global.f32 %x, [%points]; ld.global.f32 %y, [%points+4]; ld.global.f32 %z, [%points+8];
    tex.cube.v4.u32.f32 {%a, %b, %c, %d}, [%object, {%x, %y, %z, %z}];
    st.global.v4.u32 [%out], {%a, %b, %c, %d};
    ret;
}
// the third number of a point is the level
.visible .entry sample_level(.param .u64 object, .param .u64 points, .param .u64 out)
{
    .reg .u32 %t, %a, %b, %c, %d; .reg .u64 %object, %points, %out; .reg .f32 %x, %y, %z;
    ld.param.u64 %object, [object]; ld.param.u64 %points, [points]; ld.param.u64 %out, [out];
    mov.u32 %t, %tid.x; mad.wide.u32 %points, %t, 12, %points; mad.wide.u32 %out, %t, 16, %out;
    ld.global.f32 %x, [%points]; ld.global.f32 %y, [%points+4]; ld.global.f32 %z, [%points+8];
    tex.level.2d.v4.u32.f32 {%a, %b, %c, %d}, [%object, {%x, %y}], %z;
    st.global.v4.u32 [%out], {%a, %b, %c, %d};
    ret;
}
.visible .entry gather_red(.param .u64 object, .param .u64 points, .param .u64 out)
{
    .reg .u32 %t, %a, %b, %c, %d; .reg .u64 %object, %points, %out; .reg .f32 %x, %y, %z;
    ld.param.u64 %object, [object]; ld.param.u64 %points, [points]; ld.param.u64 %out, [out];
    mov.u32 %t, %tid.x; mad.wide.u32 %points, %t, 12, %points; mad.wide.u32 %out, %t, 16, %out;
    ld.global.f32 %x, [%points]; ld.global.f32 %y, [%points+4];
    tld4.r.2d.v4.u32.f32 {%a, %b, %c, %d}, [%object, {%x, %y}];
    st.global.v4.u32 [%out], {%a, %b, %c, %d};
    ret;
}
// whole coordinates: texel `thread`
.visible .entry fetch(.param .u64 object, .param .u64 points, .param .u64 out)
{
    .reg .u32 %t, %a, %b, %c, %d; .reg .u64 %object, %out;
    ld.param.u64 %object, [object]; ld.param.u64 %out, [out];
    mov.u32 %t, %tid.x; mad.wide.u32 %out, %t, 16, %out;
    tex.1d.v4.u32.s32 {%a, %b, %c, %d}, [%object, {%t}];
    st.global.v4.u32 [%out], {%a, %b, %c, %d};
    ret;
}
.visible .entry sample_reference(.param .u64 object, .param .u64 points, .param .u64 out)
{
    .reg .u32 %t, %a, %b, %c, %d; .reg .u64 %points, %out; .reg .f32 %x, %y;
    ld.param.u64 %points, [points]; ld.param.u64 %out, [out];
    mov.u32 %t, %tid.x; mad.wide.u32 %points, %t, 12, %points; mad.wide.u32 %out, %t, 16, %out;
    ld.global.f32 %x, [%points]; ld.global.f32 %y, [%points+4];
    tex.2d.v4.u32.f32 {%a, %b, %c, %d}, [picture, {%x, %y}];
    st.global.v4.u32 [%out], {%a, %b, %c, %d};
    ret;
}

// The surface's 32-bit texel (x, y) = old + 1000; x counts threads, y blocks.
.visible .entry add_thousand(.param .u64 object)
{
    .reg .u32 %x, %y, %v; .reg .u64 %object;
    ld.param.u64 %object, [object];
    mov.u32 %x, %tid.x; mov.u32 %y, %ctaid.x; shl.b32 %x, %x, 2;
    suld.b.2d.b32.trap %v, [%object, {%x, %y}];
    add.u32 %v, %v, 1000;
    sust.b.2d.b32.trap [%object, {%x, %y}], %v;
    ret;
}
.visible .entry add_thousand_reference()
{
    .reg .u32 %x, %y, %v;
    mov.u32 %x, %tid.x; mov.u32 %y, %ctaid.x; shl.b32 %x, %x, 2;
    suld.b.2d.b32.trap %v, [canvas, {%x, %y}];
    add.u32 %v, %v, 1000;
    sust.b.2d.b32.trap [canvas, {%x, %y}], %v;
    ret;
}
// Past the edge: reads become zero or the nearest texel, writes nothing.
.visible .entry beyond(.param .u64 object, .param .u32 x, .param .u64 out)
{
    .reg .u32 %x, %y, %v; .reg .u64 %object, %out;
    ld.param.u64 %object, [object]; ld.param.u32 %x, [x]; ld.param.u64 %out, [out];
    mov.u32 %y, 0;
    suld.b.2d.b32.zero %v, [%object, {%x, %y}]; st.global.u32 [%out], %v;
    suld.b.2d.b32.clamp %v, [%object, {%x, %y}]; st.global.u32 [%out+4], %v;
    mov.u32 %v, 7;
    sust.b.2d.b32.zero [%object, {%x, %y}], %v;
    ret;
}
)";

}  // namespace bitfusion::conformance
