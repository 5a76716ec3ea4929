// Loads, stores, address spaces, atomics, warp-wide instructions, matrices, and the functions that the driver
// brings.
#include "device/soft/simt/engine_fixture.h"

namespace bitfusion::soft {
namespace {

class Memory : public EngineFixture {};

std::string kernel(const std::string& body, const std::string& before = "") {
    return before + R"(.visible .entry k(.param .u64 p) {
    .reg .u32 %t, %a, %b, %c, %d; .reg .u64 %p, %q, %r; .reg .pred %x; .reg .b16 %h; .reg .f32 %f;
    ld.param.u64 %p, [p]; mov.u32 %t, %tid.x; mad.wide.u32 %q, %t, 4, %p;
)" + body + "\n}\n";
}

TEST_F(Memory, WidthsAndSigns) {
    const auto program = load(module(R"(.visible .entry k(.param .u64 p, .param .u64 o) {
        .reg .u64 %p, %o, %v; .reg .u32 %r; .reg .s16 %h;
        ld.param.u64 %p, [p]; ld.param.u64 %o, [o];
        ld.global.s8 %v, [%p]; st.global.u64 [%o], %v;
        ld.global.u8 %v, [%p]; st.global.u64 [%o+8], %v;
        ld.global.s16 %r, [%p]; cvt.u64.u32 %v, %r; st.global.u64 [%o+16], %v;
        ld.global.s32 %v, [%p]; st.global.u64 [%o+24], %v;
        ld.global.u64 %v, [%p]; st.global.u16 [%o+32], %v;
        ld.global.s8 %h, [%p]; cvt.s64.s16 %v, %h; st.global.u64 [%o+40], %v;
        ld.global.nc.L1::no_allocate.u32 %r, [%p+4]; st.global.wt.u32 [%o+48], %r;
        ret; })"));
    auto* in = array<uint64_t>(1);
    auto* out = array<uint64_t>(7);
    in[0] = 0x1122334485868788;
    ASSERT_TRUE(launch(program, "k", {1}, {1}, Arguments().add(in).add(out)));
    EXPECT_EQ(out[0], 0xffffffffffffff88u);
    EXPECT_EQ(out[1], 0x88u);
    EXPECT_EQ(out[2], 0xffff8788u);
    EXPECT_EQ(out[3], 0xffffffff85868788u);
    EXPECT_EQ(out[4], 0x8788u);
    EXPECT_EQ(out[5], 0xffffffffffffff88u);
    EXPECT_EQ(out[6], 0x11223344u);
}

TEST_F(Memory, VectorsAndConsecutiveLanes) {
    const auto program = load(module(kernel(R"(
        mad.wide.u32 %q, %t, 16, %p;
        ld.global.v4.u32 {%a, %b, %c, %d}, [%q];
        add.u32 %a, %a, %d; st.global.v2.u32 [%q+8], {%b, %a}; ret;)")));
    auto* out = array<uint32_t>(160);
    for (uint32_t i = 0; i < 160; ++i) out[i] = i;
    ASSERT_TRUE(launch(program, "k", {1}, {40}, Arguments().add(out)));
    for (uint32_t i = 0; i < 40; ++i) {
        EXPECT_EQ(out[4 * i + 2], 4 * i + 1);
        EXPECT_EQ(out[4 * i + 3], 8 * i + 3);
    }
}

TEST_F(Memory, GenericAddressesReachAllSpaces) {
    const auto program = load(module(kernel(R"(
        .shared .u32 cell; .local .u32 own; .reg .u64 %g;
        mov.u64 %g, cell; cvta.shared.u64 %g, %g; isspacep.shared %x, %g; selp.u32 %a, 1, 0, %x;
        isspacep.global %x, %g; selp.u32 %b, 2, 0, %x; add.u32 %a, %a, %b;
        st.u32 [%g], 500; ld.shared.u32 %b, [cell]; add.u32 %a, %a, %b;
        mov.u64 %g, own; cvta.local.u64 %g, %g; st.u32 [%g], 7000; ld.local.u32 %b, [own]; add.u32 %a, %a, %b;
        isspacep.local %x, %g; @%x add.u32 %a, %a, 10;
        isspacep.global %x, %p; @%x add.u32 %a, %a, 100000;
        cvta.to.global.u64 %q, %q; st.global.u32 [%q], %a; ret;)")));
    auto* out = array<uint32_t>(3);
    ASSERT_TRUE(launch(program, "k", {1}, {3}, Arguments().add(out)));
    for (int i = 0; i < 3; ++i) EXPECT_EQ(out[i], 107511u);
}

TEST_F(Memory, DynamicSharedMemoryFollowsStatic) {
    const auto program =
        load(module(kernel(R"(
        mov.u32 %a, tail; shl.b32 %b, %t, 2; add.u32 %a, %a, %b; st.shared.u32 [%a], %t;
        st.shared.u32 [fixed], 9; ld.shared.u32 %c, [tail+4];
        mov.u32 %d, %dynamic_smem_size; add.u32 %c, %c, %d; st.global.u32 [%q], %c; ret;)",
                           ".extern .shared .align 16 .b8 tail[];\n.shared .align 4 .b8 fixed[20];\n")));
    const Kernel& description = program->program()->kernels()[0];
    EXPECT_EQ(description.static_shared_bytes, 20u);
    EXPECT_TRUE(description.uses_dynamic_shared);
    auto* out = array<uint32_t>(32);
    const Arguments arguments = Arguments().add(out);
    LaunchRequest launch = request(program, "k", {1}, {32}, arguments);
    launch.dynamic_shared_bytes = 128;
    ASSERT_TRUE(run(launch));
    EXPECT_EQ(out[5], 129u);
    launch.dynamic_shared_bytes = 64;
    EXPECT_EQ(run(launch).fault.kind, FaultKind::kIllegalAddress);
}

TEST_F(Memory, VariablesAndConstants) {
    const auto program = load(module(kernel(R"(
        .reg .u64 %g;
        ld.const.u32 %a, [table+8]; ld.global.u64 %g, [pointer]; ld.global.u32 %b, [%g]; add.u32 %a, %a, %b;
        mov.u64 %g, counter; atom.global.add.u32 %c, [%g], 1; add.u32 %a, %a, %c;
        ld.global.u8 %b, [bytes+1]; add.u32 %a, %a, %b;
        st.global.u32 [%p], %a; ret;)",
                                            R"(
    .const .align 4 .u32 table[4] = {1, 2, 0x64, 4};
    .visible .global .align 4 .u32 counter = 1000;
    .global .align 8 .u64 pointer = generic(table) + 4;
    .global .align 1 .b8 bytes[3] = {1, 20};
    )")));
    auto* out = array<uint32_t>(1);
    ASSERT_TRUE(launch(program, "k", {1}, {1}, Arguments().add(out)));
    EXPECT_EQ(out[0], 100u + 2 + 1000 + 20);
    ASSERT_TRUE(launch(program, "k", {1}, {1}, Arguments().add(out)));
    EXPECT_EQ(out[0], 100u + 2 + 1001 + 20);
}

TEST_F(Memory, Atomics) {
    auto* cells = array<uint64_t>(4);
    const auto result = [&](const std::string& instruction, uint64_t before, uint32_t threads) {
        cells[0] = before;
        const auto program = load(module(
            kernel(".reg .u64 %l; .reg .f64 %g; .reg .b32 %y; cvt.u64.u32 %l, %t; cvt.rn.f32.u32 %f, %t; " +
                   instruction + " ret;")));
        EXPECT_TRUE(launch(program, "k", {1}, {threads}, Arguments().add(cells))) << instruction;
        return cells[0];
    };
    EXPECT_EQ(result("atom.global.add.u32 %a, [%p], %t;", 5, 32), 5 + 496u);
    EXPECT_EQ(result("red.global.add.u64 [%p], %l;", uint64_t{1} << 40, 32), (uint64_t{1} << 40) + 496);
    EXPECT_EQ(result("atom.global.min.s32 %a, [%p], %t;", 0xffffffff, 32), 0xffffffffu);
    EXPECT_EQ(result("atom.global.min.u32 %a, [%p], %t;", 0xffffffff, 32), 0u);
    EXPECT_EQ(result("atom.global.max.u64 %l, [%p], %l;", 3, 32), 31u);
    EXPECT_EQ(result("atom.global.inc.u32 %a, [%p], 4;", 0, 32), 2u);
    EXPECT_EQ(result("atom.global.dec.u32 %a, [%p], 4;", 0, 32), 3u);
    EXPECT_EQ(result("atom.global.or.b32 %a, [%p], %t;", 0, 32), 31u);
    EXPECT_EQ(result("atom.global.and.b32 %a, [%p], 6;", 15, 1), 6u);
    EXPECT_EQ(result("atom.global.xor.b64 %l, [%p], %l;", 1, 2), 0u);
    EXPECT_EQ(result("atom.global.cas.b32 %a, [%p], %t, 77;", 3, 4), 77u);
    EXPECT_EQ(result("atom.global.cas.b16 %h, [%p], 3, 4;", 0x10003, 1), 0x10004u);
    EXPECT_EQ(result("atom.global.exch.b64 %l, [%p], 9;", 3, 4), 9u);
    EXPECT_EQ(result("red.global.add.f32 [%p], %f;", bits(0.5f), 32), bits(496.5f));
    EXPECT_EQ(result("cvt.rn.f64.u32 %g, %t; atom.global.add.f64 %g, [%p], %g;", bits(0.25), 32),
              bits(496.25));
    EXPECT_EQ(result("mov.b32 %y, 0x40003c00; red.global.add.noftz.f16x2 [%p], %y;", 0, 4), 0x48004400u);
    EXPECT_EQ(result("mov.b16 %h, 0x3f80; red.global.add.noftz.bf16 [%p], %h;", 0, 3), 0x4040u);
    EXPECT_EQ(result(".reg .f32 %u; mov.f32 %u, 0f3f800000; red.global.add.v2.f32 [%p], {%u, %f};", 0, 3),
              bits(3.0f) << 32 | bits(3.0f));
    EXPECT_EQ(result(".shared .u32 s; st.shared.u32 [s], 0; bar.sync 0; atom.shared.add.u32 %a, [s], 2; "
                     "bar.sync 0; ld.shared.u32 %a, [s]; st.global.u32 [%p], %a;",
                     0, 64),
              128u);
}

TEST_F(Memory, Shuffles) {
    auto* out = array<uint32_t>(32);
    const auto all = [&](const std::string& instruction) {
        const auto program = load(module(kernel("mul.lo.u32 %a, %t, 10; mov.u32 %b, 555; " + instruction +
                                                " st.global.u32 [%q], %b; ret;")));
        EXPECT_TRUE(launch(program, "k", {1}, {32}, Arguments().add(out)));
    };
    all("shfl.sync.down.b32 %b, %a, 3, 31, 0xffffffff;");
    for (uint32_t i = 0; i < 32; ++i) EXPECT_EQ(out[i], (i + 3 < 32 ? i + 3 : i) * 10);
    all("shfl.sync.up.b32 %b|%x, %a, 1, 0, 0xffffffff; @!%x mov.u32 %b, 1;");
    for (uint32_t i = 0; i < 32; ++i) EXPECT_EQ(out[i], i == 0 ? 1 : (i - 1) * 10);
    all("shfl.sync.bfly.b32 %a, %a, 5, 31, 0xffffffff; mov.u32 %b, %a;");
    for (uint32_t i = 0; i < 32; ++i) EXPECT_EQ(out[i], (i ^ 5) * 10);
    // four segments of eight: c = (32 - 8) << 8 | 31
    all("shfl.sync.idx.b32 %b, %a, 2, 0x181f, 0xffffffff;");
    for (uint32_t i = 0; i < 32; ++i) EXPECT_EQ(out[i], (i / 8 * 8 + 2) * 10);
}

TEST_F(Memory, VotesMatchesReductions) {
    auto* out = array<uint32_t>(32);
    const auto all = [&](const std::string& instruction) {
        const auto program = load(module(kernel("setp.lt.u32 %x, %t, 8; mov.u32 %b, 0; " + instruction +
                                                " st.global.u32 [%q], %b; ret;")));
        EXPECT_TRUE(launch(program, "k", {1}, {32}, Arguments().add(out)));
    };
    all("vote.sync.ballot.b32 %b, %x, 0xffffffff;");
    EXPECT_EQ(out[31], 0xffu);
    all("vote.sync.ballot.b32 %b, !%x, 0xffffffff;");
    EXPECT_EQ(out[3], 0xffffff00u);
    all("vote.sync.any.pred %x, %x, 0xffffffff; selp.u32 %b, 1, 0, %x;");
    EXPECT_EQ(out[31], 1u);
    all("vote.sync.all.pred %x, %x, 0xffffffff; selp.u32 %b, 1, 0, %x;");
    EXPECT_EQ(out[0], 0u);
    all("@%x bra LOW; bra END; LOW: vote.sync.all.pred %x, %x, 0xff; selp.u32 %b, 1, 0, %x; END:");
    EXPECT_EQ(out[0], 1u);
    EXPECT_EQ(out[8], 0u);
    all("and.b32 %a, %t, 3; match.any.sync.b32 %b, %a, 0xffffffff;");
    EXPECT_EQ(out[2], 0x44444444u);
    all("match.all.sync.b32 %b|%x, 5, 0xffffffff;");
    EXPECT_EQ(out[2], 0xffffffffu);
    all("redux.sync.add.u32 %b, %t, 0xffffffff;");
    EXPECT_EQ(out[2], 496u);
    all("sub.u32 %a, 3, %t; redux.sync.min.s32 %b, %a, 0xffffffff;");
    EXPECT_EQ(out[2], static_cast<uint32_t>(3 - 31));
    all("@%x bra L; bra E; L: activemask.b32 %b; E:");
    EXPECT_EQ(out[7], 0xffu);
    all("elect.sync %b|%x, 0xffffffff; @%x add.u32 %b, %b, 100;");
    EXPECT_EQ(out[0], 100u);
    EXPECT_EQ(out[1], 0u);
}

TEST_F(Memory, WarpInstructionsWaitForTheirLanes) {
    // the halves of the warp come to one shuffle on different ways
    const auto program = load(module(kernel(R"(
        setp.lt.u32 %x, %t, 16; mov.u32 %b, 0;
        @%x bra LOW; mul.lo.u32 %a, %t, 2; bra JOIN;
    LOW: mul.lo.u32 %a, %t, 3; add.u32 %a, %a, 1;
    JOIN: shfl.sync.bfly.b32 %b, %a, 16, 31, 0xffffffff;
        bar.warp.sync 0xffffffff;
        st.global.u32 [%q], %b; ret;)")));
    auto* out = array<uint32_t>(32);
    ASSERT_TRUE(launch(program, "k", {1}, {32}, Arguments().add(out)));
    for (uint32_t i = 0; i < 32; ++i) EXPECT_EQ(out[i], i < 16 ? (i + 16) * 2 : (i - 16) * 3 + 1);
}

TEST_F(Memory, MatrixProducts) {
    // A[i][k] = i == k (identity in 16x8), B[k][n] = k * 8 + n: D = B in its first eight rows, plus C = 1
    const auto program = load(module(kernel(R"(
        .reg .u32 %g, %l; .reg .b32 %a0, %a1, %b0; .reg .f32 %c<4>, %one, %v; .reg .b16 %h0, %h1, %zero; .reg .pred %y;
        shr.u32 %g, %t, 2; and.b32 %l, %t, 3; mov.f32 %one, 0f3f800000; mov.b16 %zero, 0;
        shl.b32 %a, %l, 1; add.u32 %b, %a, 1;
        setp.eq.u32 %x, %g, %a; selp.b16 %h0, 0x3c00, 0, %x; setp.eq.u32 %x, %g, %b; selp.b16 %h1, 0x3c00, 0, %x;
        mov.b32 %a0, {%h0, %h1}; mov.b32 %a1, 0;
        shl.b32 %c, %a, 3; add.u32 %c, %c, %g; cvt.rn.f16.u32 %h0, %c; add.u32 %c, %c, 8; cvt.rn.f16.u32 %h1, %c;
        mov.b32 %b0, {%h0, %h1};
        mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 {%c0, %c1, %c2, %c3}, {%a0, %a1}, {%b0}, {%one, %one, %one, %one};
        mad.lo.u32 %c, %g, 8, %a; mad.wide.u32 %q, %c, 4, %p;
        st.global.v2.f32 [%q], {%c0, %c1}; st.global.v2.f32 [%q+256], {%c2, %c3}; ret;)")));
    auto* out = array<float>(128);
    const Outcome outcome = launch(program, "k", {1}, {32}, Arguments().add(out));
    ASSERT_TRUE(outcome) << outcome.fault.message;
    for (int i = 0; i < 128; ++i) EXPECT_EQ(out[i], i < 64 ? static_cast<float>(i + 1) : 1.0f) << i;
}

TEST_F(Memory, FragmentsOfWmma) {
    // D = A * B + A's own numbers as C, with B read by columns and D written by columns
    const auto program = load(module(kernel(R"(
        .reg .b32 %a<8>, %b<8>; .reg .f32 %c<8>; .reg .u64 %to;
        wmma.load.a.sync.aligned.row.m16n16k16.global.f16 {%a0, %a1, %a2, %a3, %a4, %a5, %a6, %a7}, [%p], 16;
        wmma.load.b.sync.aligned.col.m16n16k16.global.f16 {%b0, %b1, %b2, %b3, %b4, %b5, %b6, %b7}, [%p+512], 16;
        wmma.load.c.sync.aligned.row.m16n16k16.global.f32 {%c0, %c1, %c2, %c3, %c4, %c5, %c6, %c7}, [%p+1024], 16;
        wmma.mma.sync.aligned.row.col.m16n16k16.f32.f32 {%c0, %c1, %c2, %c3, %c4, %c5, %c6, %c7},
            {%a0, %a1, %a2, %a3, %a4, %a5, %a6, %a7}, {%b0, %b1, %b2, %b3, %b4, %b5, %b6, %b7},
            {%c0, %c1, %c2, %c3, %c4, %c5, %c6, %c7};
        wmma.store.d.sync.aligned.col.m16n16k16.global.f32 [%p+1024], {%c0, %c1, %c2, %c3, %c4, %c5, %c6, %c7}, 16;
        ret;)")));
    const uint64_t base = allocate(2048);
    auto* a = reinterpret_cast<uint16_t*>(base);
    auto* b = a + 256;
    auto* c = reinterpret_cast<float*>(base + 1024);
    constexpr uint16_t kHalves[] = {0, 0x3c00, 0x4000, 0x4200};  // 0 1 2 3
    for (unsigned i = 0; i < 256; ++i) {
        a[i] = kHalves[i * 7 % 4];
        b[i] = kHalves[i * 5 % 3];
        c[i] = static_cast<float>(i);
    }
    const Outcome outcome = launch(program, "k", {1}, {32}, Arguments().add(base));
    ASSERT_TRUE(outcome) << outcome.fault.message;
    for (unsigned row = 0; row < 16; ++row)
        for (unsigned column = 0; column < 16; ++column) {
            unsigned sum = row * 16 + column;
            for (unsigned k = 0; k < 16; ++k) sum += (row * 16 + k) * 7 % 4 * ((column * 16 + k) * 5 % 3);
            EXPECT_EQ(c[column * 16 + row], static_cast<float>(sum)) << row << " " << column;
        }
}

TEST_F(Memory, LoadMatrix) {
    const auto program = load(module(kernel(R"(
        .shared .align 16 .b8 tile[128]; .reg .b32 %v; .reg .u32 %s;
        mov.u32 %s, tile; shl.b32 %a, %t, 2; add.u32 %b, %s, %a;
        shl.b32 %c, %t, 1; add.u32 %d, %c, 1; shl.b32 %d, %d, 16; or.b32 %c, %c, %d; st.shared.b32 [%b], %c; bar.sync 0;
        and.b32 %a, %t, 7; shl.b32 %a, %a, 4; add.u32 %a, %a, %s;
        ldmatrix.sync.aligned.m8n8.x1.trans.shared.b16 {%v}, [%a]; st.global.b32 [%q], %v;
        movmatrix.sync.aligned.m8n8.trans.b16 %v, %v; st.global.b32 [%q+128], %v; ret;)")));
    auto* out = array<uint32_t>(64);
    ASSERT_TRUE(launch(program, "k", {1}, {32}, Arguments().add(out)));
    for (uint32_t i = 0; i < 32; ++i) {
        const uint32_t row = i / 4;
        const uint32_t column = i % 4 * 2;
        EXPECT_EQ(out[i], (column * 8 + row) | ((column + 1) * 8 + row) << 16);
        EXPECT_EQ(out[32 + i], (2 * i) | (2 * i + 1) << 16);
    }
}

TEST_F(Memory, AsynchronousCopiesAndMbarriers) {
    const auto program = load(module(kernel(R"(
        .shared .align 16 .b8 tile[64]; .shared .align 8 .b64 gate; .reg .u32 %s; .reg .u64 %state, %g; .reg .pred %y;
        mov.u32 %s, tile; shl.b32 %a, %t, 4; add.u32 %s, %s, %a;
        mad.wide.u32 %g, %t, 16, %p;
        setp.eq.u32 %x, %t, 0; @%x mbarrier.init.shared.b64 [gate], 4; bar.sync 0;
        cp.async.cg.shared.global [%s], [%g], 16, 12;
        cp.async.commit_group; cp.async.wait_group 0;
        mbarrier.arrive.shared.b64 %state, [gate];
    WAIT: mbarrier.try_wait.shared.b64 %y, [gate], %state; @!%y bra WAIT;
        ld.shared.v4.u32 {%a, %b, %c, %d}, [%s]; add.u32 %a, %a, %b; add.u32 %a, %a, %c; add.u32 %a, %a, %d;
        st.global.u32 [%q+64], %a; ret;)")));
    auto* out = array<uint32_t>(20);
    for (uint32_t i = 0; i < 16; ++i) out[i] = i;
    const Outcome outcome = launch(program, "k", {1}, {4}, Arguments().add(out));
    ASSERT_TRUE(outcome) << outcome.fault.message;
    for (uint32_t i = 0; i < 4; ++i) EXPECT_EQ(out[16 + i], 3 * (4 * i) + 3);
}

TEST_F(Memory, PrintsInOrder) {
    const auto program = load(module(kernel(R"(
        .local .align 8 .b8 values[32]; .reg .u64 %l, %g; .param .b64 f; .param .b64 v; .param .b32 n; .reg .f64 %z;
        mov.u64 %l, values; cvta.local.u64 %l, %l;
        st.u32 [%l], %t; mov.f64 %z, 0d400921FB54442D18; st.f64 [%l+8], %z;
        mov.u64 %g, word; st.u64 [%l+16], %g; st.u64 [%l+24], -5;
        mov.u64 %g, text; cvta.global.u64 %g, %g; st.param.b64 [f], %g; st.param.b64 [v], %l;
        call.uni (n), vprintf, (f, v); ld.param.u32 %a, [n]; st.global.u32 [%q], %a; ret;)",
                                            R"(
    .extern .func (.param .b32 n) vprintf(.param .b64 f, .param .b64 v);
    .global .align 1 .b8 text[27] = {116, 37, 100, 58, 32, 37, 54, 46, 50, 102, 32, 37, 115, 32, 37, 108, 100, 32, 49, 48, 48, 37, 37, 37, 122, 10, 0};
    .global .align 1 .b8 word[3] = {72, 105, 0};
    )")));
    auto* out = array<uint32_t>(2);
    const Outcome outcome = launch(program, "k", {1}, {2}, Arguments().add(out));
    ASSERT_TRUE(outcome) << outcome.fault.message;
    EXPECT_EQ(printed_, "t0:   3.14 Hi -5 100%%z\nt1:   3.14 Hi -5 100%%z\n");
    EXPECT_EQ(out[0], 4u);
}

TEST_F(Memory, AssertionsHaveCudasText) {
    const auto program = load(module(kernel(R"(
        .reg .u64 %g; .param .b64 m; .param .b64 f; .param .b32 l; .param .b64 n; .param .b64 s;
        setp.ne.u32 %x, %t, 3; @%x ret;
        mov.u64 %g, what; st.param.b64 [m], %g; st.param.b64 [f], %g; st.param.b32 [l], 12; st.param.b64 [n], %g; st.param.b64 [s], 1;
        call.uni __assertfail, (m, f, l, n, s); ret;)",
                                            R"(
    .extern .func __assertfail(.param .b64 m, .param .b64 f, .param .b32 l, .param .b64 n, .param .b64 s) .noreturn;
    .global .align 1 .b8 what[2] = {120, 0};
    )")));
    const Outcome outcome = launch(program, "k", {2}, {8}, Arguments().add(uint64_t{0}));
    EXPECT_EQ(outcome.fault.kind, FaultKind::kAssert);
    EXPECT_EQ(outcome.fault.message, "x:12: x: block: [0,0,0], thread: [3,0,0] Assertion `x` failed.");
}

TEST_F(Memory, DeviceHeap) {
    const auto program = load(module(kernel(R"(
        .reg .u64 %g; .param .b64 n; .param .b64 r;
        st.param.b64 [n], 64; call.uni (r), malloc, (n); ld.param.b64 %g, [r];
        setp.eq.u64 %x, %g, 0; @%x bra NONE;
        st.u32 [%g], 8; ld.u32 %a, [%g]; st.global.u32 [%q], %a;
        st.param.b64 [n], %g; call.uni free, (n); ret;
    NONE: st.global.u32 [%q], 1; ret;)",
                                            R"(
    .extern .func (.param .b64 r) malloc(.param .b64 n);
    .extern .func free(.param .b64 n);
    )")));
    auto* out = array<uint32_t>(1);
    const Arguments arguments = Arguments().add(out);
    LaunchRequest launch = request(program, "k", {1}, {1}, arguments);
    ASSERT_TRUE(run(launch));
    EXPECT_EQ(out[0], 1u);
    const uint64_t block = allocate(64);
    uint64_t released = 0;
    const DeviceHeap heap{[&](uint64_t) { return block; }, [&](uint64_t address) { released = address; }};
    launch.heap = &heap;
    ASSERT_TRUE(run(launch));
    EXPECT_EQ(out[0], 8u);
    EXPECT_EQ(released, block);
}

}  // namespace
}  // namespace bitfusion::soft
