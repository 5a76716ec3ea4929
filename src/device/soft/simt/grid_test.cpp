// Whole kernels: divergence, calls, barriers, faults, several blocks, cooperation.
#include <atomic>
#include <thread>

#include "device/soft/simt/engine_fixture.h"

namespace bitfusion::soft {
namespace {

class Grid : public EngineFixture {};

constexpr const char* kIndex = R"(
    .reg .u32 %t, %n, %b; .reg .u64 %p, %q, %r; .reg .pred %c;
    ld.param.u64 %p, [p];
    mov.u32 %t, %tid.x; mov.u32 %n, %ntid.x; mov.u32 %b, %ctaid.x; mad.lo.u32 %t, %b, %n, %t;
    mad.wide.u32 %q, %t, 4, %p;
)";

std::string kernel(const std::string& body, const std::string& before = "") {
    return before + ".visible .entry k(.param .u64 p) {\n" + kIndex + body + "\n}\n";
}

TEST_F(Grid, EveryThreadOfEveryBlockRunsOnce) {
    const auto program =
        load(module(kernel("red.global.add.u32 [%q], 1; red.global.add.u32 [%p+40000], %t; ret;")));
    auto* out = array<uint32_t>(10001);
    BlockPool pool(2);
    LaunchRequest launch = request(program, "k", {100}, {100}, Arguments().add(out));
    // the request's parameters are a view: keep the bytes
    const Arguments arguments = Arguments().add(out);
    launch.parameters = arguments.bytes();
    launch.pool = &pool;
    const Outcome outcome = run(launch);
    ASSERT_TRUE(outcome) << outcome.fault.message;
    for (uint32_t i = 0; i < 10000; ++i) ASSERT_EQ(out[i], 1u) << i;
    EXPECT_EQ(out[10000], 49995000u);
    EXPECT_EQ(outcome.instructions, 90000u);  // nine a thread
}

TEST_F(Grid, IndicesOfThreeDimensions) {
    const auto program = load(module(R"(.visible .entry k(.param .u64 p) {
        .reg .u32 %a, %b, %c, %i, %v; .reg .u64 %p;
        ld.param.u64 %p, [p];
        mov.u32 %a, %tid.x; mov.u32 %b, %tid.y; mov.u32 %c, %tid.z;
        mad.lo.u32 %i, %c, %ntid.y, %b; mad.lo.u32 %i, %i, %ntid.x, %a;
        mov.u32 %v, %ctaid.z; mad.lo.u32 %v, %v, %nctaid.y, %ctaid.y; mad.lo.u32 %v, %v, %nctaid.x, %ctaid.x;
        mad.lo.u32 %i, %v, 24, %i;
        mad.lo.u32 %v, %c, 100, %a; mad.lo.u32 %v, %b, 10, %v;
        mad.wide.u32 %p, %i, 4, %p; st.global.u32 [%p], %v; ret; })"));
    auto* out = array<uint32_t>(24 * 8);
    ASSERT_TRUE(launch(program, "k", {2, 2, 2}, {4, 3, 2}, Arguments().add(out)));
    for (uint32_t i = 0; i < 24 * 8; ++i) EXPECT_EQ(out[i], i % 24 / 12 * 100 + i % 12 / 4 * 10 + i % 4);
}

TEST_F(Grid, DivergentPathsMeetAgain) {
    // odd lanes loop t times, even lanes take another path; then all vote together
    const auto program = load(module(kernel(R"(
        .reg .u32 %i, %s, %v;
        mov.u32 %s, 0; mov.u32 %i, 0;
        and.b32 %v, %t, 1; setp.eq.u32 %c, %v, 0;
        @%c bra EVEN;
    LOOP:
        setp.ge.u32 %c, %i, %t; @%c bra DONE;
        add.u32 %s, %s, %i; add.u32 %i, %i, 1; bra LOOP;
    EVEN:
        mul.lo.u32 %s, %t, 1000;
    DONE:
        vote.sync.ballot.b32 %v, 1, 0xffffffff;
        setp.eq.u32 %c, %v, 0xffffffff;
        @!%c mov.u32 %s, 77777;
        st.global.u32 [%q], %s; ret;)")));
    auto* out = array<uint32_t>(64);
    ASSERT_TRUE(launch(program, "k", {1}, {64}, Arguments().add(out)));
    for (uint32_t i = 0; i < 64; ++i) EXPECT_EQ(out[i], i % 2 == 0 ? i * 1000 : i * (i - 1) / 2) << i;
}

TEST_F(Grid, ThreadsOfAWarpMayWaitForEachOther) {
    // a spin lock taken by every thread: progress needs fair turns within the warp
    const auto program = load(module(kernel(R"(
        .reg .u32 %old, %v;
    AGAIN:
        atom.global.cas.b32 %old, [%p], 0, 1;
        setp.ne.u32 %c, %old, 0; @%c bra AGAIN;
        ld.volatile.global.u32 %v, [%p+4]; add.u32 %v, %v, 1; st.volatile.global.u32 [%p+4], %v;
        membar.gl;
        atom.global.exch.b32 %old, [%p], 0;
        ret;)")));
    auto* out = array<uint32_t>(2);
    ASSERT_TRUE(launch(program, "k", {4}, {64}, Arguments().add(out)));
    EXPECT_EQ(out[1], 256u);
}

TEST_F(Grid, BranchTables) {
    const auto program = load(module(kernel(R"(
        .reg .u32 %s, %v;
        and.b32 %s, %t, 3;
        ts: .branchtargets A, B, C, A;
        brx.idx %s, ts;
    A:  mov.u32 %v, 10; bra END;
    B:  mov.u32 %v, 20; bra END;
    C:  mov.u32 %v, 30;
    END: st.global.u32 [%q], %v; ret;)")));
    auto* out = array<uint32_t>(32);
    ASSERT_TRUE(launch(program, "k", {1}, {32}, Arguments().add(out)));
    constexpr uint32_t kExpected[] = {10, 20, 30, 10};
    for (uint32_t i = 0; i < 32; ++i) EXPECT_EQ(out[i], kExpected[i % 4]);
}

TEST_F(Grid, CallsAndRecursion) {
    const std::string functions = R"(
    .func (.param .b32 r) fact(.param .b32 n) {
        .reg .u32 %n, %m; .reg .pred %c;
        .param .b32 arg; .param .b32 res;
        ld.param.u32 %n, [n];
        setp.gt.u32 %c, %n, 1; @%c bra MORE;
        st.param.b32 [r], 1; ret;
    MORE:
        sub.u32 %m, %n, 1; st.param.b32 [arg], %m;
        call.uni (res), fact, (arg);
        ld.param.u32 %m, [res]; mul.lo.u32 %m, %m, %n; st.param.b32 [r], %m; ret;
    }
    .func (.reg .u32 %out) twice(.reg .u32 %in) { add.u32 %out, %in, %in; ret; }
    )";
    const auto program = load(module(kernel(R"(
        .reg .u32 %v, %w; .param .b32 a; .param .b32 b;
        rem.u32 %v, %t, 10; st.param.b32 [a], %v;
        call.uni (b), fact, (a); ld.param.u32 %v, [b];
        call (%w), twice, (%v);
        st.global.u32 [%q], %w; ret;)",
                                            functions)));
    auto* out = array<uint32_t>(64);
    ASSERT_TRUE(launch(program, "k", {1}, {64}, Arguments().add(out)));
    uint32_t fact[10] = {1};
    for (uint32_t i = 1; i < 10; ++i) fact[i] = fact[i - 1] * i;
    for (uint32_t i = 0; i < 64; ++i) EXPECT_EQ(out[i], 2 * fact[i % 10]) << i;
    // the local bytes count recursion once; deeper calls need stack
    LaunchRequest deep = request(program, "k", {1}, {1}, Arguments());
    const Arguments arguments = Arguments().add(out);
    deep.parameters = arguments.bytes();
    deep.stack_bytes = 0;
    deep.block = {10};
    EXPECT_EQ(run(deep).fault.kind, FaultKind::kStack);
}

TEST_F(Grid, FunctionPointers) {
    const std::string functions = R"(
    .func (.param .b32 r) plus(.param .b32 n) { .reg .u32 %n; ld.param.u32 %n, [n]; add.u32 %n, %n, 5; st.param.b32 [r], %n; ret; }
    .func (.param .b32 r) times(.param .b32 n) { .reg .u32 %n; ld.param.u32 %n, [n]; mul.lo.u32 %n, %n, 5; st.param.b32 [r], %n; ret; }
    .global .align 8 .u64 table[3] = {plus, times, 0};
    )";
    const auto program = load(module(kernel(R"(
        .reg .u32 %v; .reg .u64 %f, %o; .param .b32 a; .param .b32 b;
        rem.u32 %v, %t, 2; mul.wide.u32 %o, %v, 8; mov.u64 %f, table; add.u64 %f, %f, %o; ld.global.u64 %f, [%f];
        st.param.b32 [a], %t;
        proto: .callprototype (.param .b32 _) _ (.param .b32 _);
        call (b), %f, (a), proto; ld.param.u32 %v, [b];
        st.global.u32 [%q], %v; ret;)",
                                            functions)));
    auto* out = array<uint32_t>(32);
    ASSERT_TRUE(launch(program, "k", {1}, {32}, Arguments().add(out)));
    for (uint32_t i = 0; i < 32; ++i) EXPECT_EQ(out[i], i % 2 == 0 ? i + 5 : i * 5);
}

TEST_F(Grid, BarriersOrderSharedMemory) {
    const auto program = load(module(kernel(R"(
        .reg .u32 %a, %v;
        .shared .align 4 .b8 buffer[4096];
        mov.u32 %v, buffer; mov.u32 %a, %tid.x; mad.lo.u32 %a, %a, 4, %v;
        st.shared.u32 [%a], %t;
        bar.sync 0;
        mov.u32 %v, 1023; sub.u32 %v, %v, %tid.x; shl.b32 %v, %v, 2; mov.u32 %a, buffer; add.u32 %a, %a, %v;
        ld.shared.u32 %v, [%a];
        st.global.u32 [%q], %v; ret;)")));
    auto* out = array<uint32_t>(1024);
    ASSERT_TRUE(launch(program, "k", {1}, {1024}, Arguments().add(out)));
    for (uint32_t i = 0; i < 1024; ++i) ASSERT_EQ(out[i], 1023 - i);
}

TEST_F(Grid, BarriersReduceAndCount) {
    const auto program = load(module(kernel(R"(
        .reg .u32 %v, %w; .reg .pred %e;
        setp.lt.u32 %c, %t, 10;
        bar.red.popc.u32 %v, 0, %c;
        bar.red.and.pred %e, 1, %c; selp.u32 %w, 100, 0, %e; add.u32 %v, %v, %w;
        bar.red.or.pred %e, 1, !%c; selp.u32 %w, 1000, 0, %e; add.u32 %v, %v, %w;
        st.global.u32 [%q], %v; ret;)")));
    auto* out = array<uint32_t>(96);
    ASSERT_TRUE(launch(program, "k", {1}, {96}, Arguments().add(out)));
    for (uint32_t i = 0; i < 96; ++i) EXPECT_EQ(out[i], 1010u);
}

TEST_F(Grid, NamedBarriersLetProducersPass) {
    // warp 0 consumes what warp 1 produces; warp 2 has nothing to do with it
    const auto program = load(module(kernel(R"(
        .reg .u32 %w, %v; .shared .u32 cell; .reg .pred %d;
        shr.u32 %w, %t, 5;
        setp.eq.u32 %c, %w, 2; @%c exit;
        setp.eq.u32 %c, %w, 0; @%c bra CONSUME;
        st.shared.u32 [cell], 42;
        bar.arrive 3, 64;
        st.global.u32 [%q], 1; ret;
    CONSUME:
        bar.sync 3, 64;
        ld.shared.u32 %v, [cell]; st.global.u32 [%q], %v; ret;)")));
    auto* out = array<uint32_t>(96);
    ASSERT_TRUE(launch(program, "k", {1}, {96}, Arguments().add(out)));
    for (uint32_t i = 0; i < 96; ++i) EXPECT_EQ(out[i], i < 32 ? 42u : i < 64 ? 1u : 0u);
}

TEST_F(Grid, ExitedThreadsDoNotHoldBarriers) {
    const auto program =
        load(module(kernel("setp.gt.u32 %c, %t, 40; @%c exit; bar.sync 0; st.global.u32 [%q], 1; ret;")));
    auto* out = array<uint32_t>(128);
    ASSERT_TRUE(launch(program, "k", {1}, {128}, Arguments().add(out)));
    for (uint32_t i = 0; i < 128; ++i) EXPECT_EQ(out[i], i <= 40 ? 1u : 0u);
}

TEST_F(Grid, BarrierThatCannotOpenIsADeadlock) {
    const auto program = load(module(kernel("setp.lt.u32 %c, %t, 32; @%c bar.sync 1, 64; bar.sync 0; ret;")));
    const Outcome outcome = launch(program, "k", {1}, {64}, Arguments().add(uint64_t{0}));
    EXPECT_EQ(outcome.fault.kind, FaultKind::kDeadlock);
}

TEST_F(Grid, CooperativeBlocksMeet) {
    // every block adds one, then waits until all have
    const auto program = load(module(kernel(R"(
        .reg .u32 %v, %all;
        mov.u32 %all, %nctaid.x;
        red.global.add.u32 [%p], 1;
    WAIT:
        ld.acquire.gpu.global.u32 %v, [%p]; setp.lt.u32 %c, %v, %all; @%c bra WAIT;
        red.global.add.u32 [%p+4], %v; ret;)")));
    auto* out = array<uint32_t>(2);
    const Arguments arguments = Arguments().add(out);
    LaunchRequest launch = request(program, "k", {50}, {1}, arguments);
    launch.cooperative = true;
    ASSERT_TRUE(run(launch));
    EXPECT_EQ(out[0], 50u);
    EXPECT_EQ(out[1], 2500u);
}

TEST_F(Grid, FaultsNameTheThread) {
    const auto program =
        load(module(kernel("setp.eq.u32 %c, %t, 37; @%c ld.global.u32 %n, [%q+0x1000000]; ret;")));
    auto* out = array<uint32_t>(64);
    const Outcome outcome = launch(program, "k", {1}, {64}, Arguments().add(out));
    EXPECT_EQ(outcome.fault.kind, FaultKind::kIllegalAddress);
    EXPECT_EQ(outcome.fault.thread.x, 37u);
    EXPECT_EQ(outcome.fault.kernel, "k");
    EXPECT_EQ(outcome.fault.instruction, "ld.global.u32");
    EXPECT_EQ(outcome.fault.address, reinterpret_cast<uint64_t>(out) + 37 * 4 + 0x1000000);
    EXPECT_NE(outcome.fault.line, 0u);
}

TEST_F(Grid, OnlyAllocatedGranulesAreReached) {
    const auto program = load(module(kernel("st.global.u32 [%q], %t; ret;")));
    auto* out = array<uint32_t>(64);
    EXPECT_TRUE(launch(program, "k", {1}, {64}, Arguments().add(out)));
    EXPECT_EQ(launch(program, "k", {1}, {65}, Arguments().add(out)).fault.kind, FaultKind::kIllegalAddress);
    release(reinterpret_cast<uint64_t>(out), 256);
    EXPECT_EQ(launch(program, "k", {1}, {1}, Arguments().add(out)).fault.kind, FaultKind::kIllegalAddress);
    EXPECT_EQ(
        launch(program, "k", {1}, {1}, Arguments().add(reinterpret_cast<uint64_t>(&window_))).fault.kind,
        FaultKind::kIllegalAddress);
    EXPECT_EQ(launch(program, "k", {1}, {1}, Arguments().add(uint64_t{0})).fault.kind,
              FaultKind::kIllegalAddress);
}

TEST_F(Grid, OtherFaults) {
    auto* out = array<uint32_t>(64);
    const auto kind = [&](const std::string& body) {
        return launch(load(module(kernel(body))), "k", {1}, {1}, Arguments().add(out)).fault.kind;
    };
    EXPECT_EQ(kind("st.global.u32 [%q+2], %t; ret;"), FaultKind::kMisalignedAddress);
    EXPECT_EQ(kind("ld.global.v4.u32 {%t, %n, %b, _}, [%q+4]; ret;"), FaultKind::kMisalignedAddress);
    EXPECT_EQ(kind("trap;"), FaultKind::kTrap);
    EXPECT_EQ(kind("brkpt; ret;"), FaultKind::kTrap);
    EXPECT_EQ(kind("ld.shared.u32 %t, [%t+64]; ret;"), FaultKind::kIllegalAddress);
    EXPECT_EQ(kind("bar.sync 16; ret;"), FaultKind::kIllegalInstruction);
    EXPECT_EQ(kind("bar.sync 1, 40; ret;"), FaultKind::kIllegalInstruction);
    EXPECT_EQ(kind(".local .u32 x; mov.u64 %r, x; cvta.local.u64 %r, %r; atom.add.u32 %t, [%r], 1; ret;"),
              FaultKind::kInvalidAddressSpace);
    EXPECT_EQ(kind("P: .callprototype () _ (); call %p, (), P; ret;"), FaultKind::kInvalidPc);
    EXPECT_EQ(kind("T: .branchtargets A; mov.u32 %t, 1; brx.idx %t, T; A: ret;"), FaultKind::kInvalidPc);
}

TEST_F(Grid, RequestsAreChecked) {
    const auto program =
        load(module(".visible .entry k(.param .u64 p) .maxntid 64, 1, 1 { .shared .b8 s[1024]; st.shared.u8 "
                    "[s], 1; ret; }"));
    auto kind = [&](auto change) {
        const Arguments arguments = Arguments().add(uint64_t{0});
        LaunchRequest launch = request(program, "k", {1}, {32}, arguments);
        change(launch);
        return run(launch).fault.kind;
    };
    EXPECT_EQ(kind([](LaunchRequest&) {}), FaultKind::kNone);
    EXPECT_EQ(kind([](LaunchRequest& r) { r.block.x = 65; }), FaultKind::kInvalidLaunch);
    EXPECT_EQ(kind([](LaunchRequest& r) { r.grid.y = 0; }), FaultKind::kInvalidLaunch);
    EXPECT_EQ(kind([](LaunchRequest& r) { r.grid.z = 65536; }), FaultKind::kInvalidLaunch);
    EXPECT_EQ(kind([](LaunchRequest& r) { r.parameters = {}; }), FaultKind::kInvalidLaunch);
    EXPECT_EQ(kind([](LaunchRequest& r) { r.kernel = 7; }), FaultKind::kInvalidLaunch);
    EXPECT_EQ(kind([](LaunchRequest& r) { r.dynamic_shared_bytes = kMaxSharedBytesPerBlock; }),
              FaultKind::kInvalidLaunch);
    EXPECT_EQ(kind([](LaunchRequest& r) { r.cluster.x = 2; }), FaultKind::kInvalidLaunch);
}

TEST_F(Grid, EndlessKernelsCanBeCancelled) {
    const auto program = load(module(kernel("red.global.add.u32 [%q], 1; L: bra L;")));
    auto* out = array<uint32_t>(1);
    const Arguments arguments = Arguments().add(out);
    std::atomic<bool> cancel{false};
    LaunchRequest launch = request(program, "k", {1}, {1}, arguments);
    launch.cancel = &cancel;
    std::thread canceller([&] {
        while (__atomic_load_n(out, __ATOMIC_RELAXED) == 0) std::this_thread::yield();
        cancel = true;
    });
    EXPECT_EQ(run(launch).fault.kind, FaultKind::kCancelled);
    canceller.join();
}

TEST_F(Grid, EndlessKernelsRunIntoTheTimeLimit) {
    const auto program = load(module(kernel("L: bra L;")));
    const Arguments arguments = Arguments().add(array<uint32_t>(1));
    LaunchRequest launch = request(program, "k", {4}, {64}, arguments);
    launch.time_limit = std::chrono::milliseconds(20);
    const Outcome outcome = run(launch);
    EXPECT_EQ(outcome.fault.kind, FaultKind::kTimeout);
    EXPECT_NE(outcome.fault.message.find("20 ms"), std::string::npos) << outcome.fault.message;
}

constexpr char kDeep[] = R"(
.func (.param .u32 r) deep(.param .u32 n) {
    .reg .pred %p; .reg .u32 %n, %r; .param .u32 in; .param .u32 out;
    ld.param.u32 %n, [n]; mov.u32 %r, 0; setp.eq.u32 %p, %n, 0; @%p bra END;
    sub.u32 %r, %n, 1; st.param.u32 [in], %r; call (out), deep, (in); ld.param.u32 %r, [out]; add.u32 %r, %r, %n;
END: st.param.u32 [r], %r; ret;
}
.visible .entry k(.param .u64 p, .param .u32 n) {
    .reg .u64 %p; .reg .u32 %n; .param .u32 in; .param .u32 out;
    ld.param.u64 %p, [p]; ld.param.u32 %n, [n]; st.param.u32 [in], %n; call (out), deep, (in); ld.param.u32 %n, [out];
    red.global.add.u32 [%p], %n; ret;
})";

TEST_F(Grid, BlocksAfterDeepRecursion) {
    const auto program = load(module(kDeep));
    auto* sum = array<uint32_t>(1);
    LaunchRequest launch = request(program, "k", {5}, {32}, Arguments());
    const Arguments arguments = Arguments().add(sum).add(uint32_t{100});
    launch.parameters = arguments.bytes();
    launch.stack_bytes = 16384;
    EXPECT_TRUE(run(launch));
    EXPECT_EQ(*sum, 5u * 32 * 5050);
}

TEST_F(Grid, EndlessRecursionUsesUpTheStack) {
    const auto program = load(module(kDeep));
    LaunchRequest launch = request(program, "k", {1}, {32}, Arguments());
    const Arguments arguments = Arguments().add(array<uint32_t>(1)).add(UINT32_MAX);
    launch.parameters = arguments.bytes();
    launch.stack_bytes = 512 * 1024;
    EXPECT_EQ(run(launch).fault.kind, FaultKind::kStack);
}

TEST_F(Grid, SeveralLaunchesShareOnePool) {
    const auto program = load(module(kernel("red.global.add.u32 [%p], 1; ret;")));
    BlockPool pool(1);
    std::vector<uint32_t*> counters;
    for (int i = 0; i < 4; ++i) counters.push_back(array<uint32_t>(1));
    std::vector<std::thread> threads;
    std::atomic<int> failures{0};
    for (uint32_t* counter : counters)
        threads.emplace_back([&, counter] {
            const Arguments arguments = Arguments().add(counter);
            LaunchRequest launch = request(program, "k", {64}, {64}, arguments);
            launch.pool = &pool;
            launch.print = nullptr;
            if (!run(launch)) ++failures;
        });
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(failures, 0);
    for (const uint32_t* counter : counters) EXPECT_EQ(*counter, 4096u);
}

}  // namespace
}  // namespace bitfusion::soft
