// Streams: order inside one, independence of several, the legacy stream: cuda.h, "Stream Management",
// "Stream synchronization behavior".
#include <atomic>
#include <memory>
#include <thread>

#include "conformance/gate.h"
#include "conformance/objects.h"

namespace bitfusion::conformance {

namespace {
const CUstream kLegacy = CU_STREAM_LEGACY;
constexpr uint32_t kCount = 256;
}  // namespace

class StreamLife : public OnDevice {};

TEST_F(StreamLife, FlagsPriorityContextAndId) {
    CUstream blocking = nullptr;
    CUstream free_running = nullptr;
    CU_OK(cuStreamCreate, &blocking, CU_STREAM_DEFAULT);
    CU_OK(cuStreamCreateWithPriority, &free_running, CU_STREAM_NON_BLOCKING, 0);
    unsigned flags = 99;
    CU_OK(cuStreamGetFlags, blocking, &flags);
    EXPECT_EQ(flags, static_cast<unsigned>(CU_STREAM_DEFAULT));
    CU_OK(cuStreamGetFlags, free_running, &flags);
    EXPECT_EQ(flags, static_cast<unsigned>(CU_STREAM_NON_BLOCKING));
    int priority = 99;
    CU_OK(cuStreamGetPriority, free_running, &priority);
    EXPECT_EQ(priority, 0);
    CUcontext context = nullptr;
    CU_OK(cuStreamGetCtx, blocking, &context);
    EXPECT_EQ(context, context_);
    unsigned long long first = 0;
    unsigned long long second = 0;
    CU_OK(cuStreamGetId, blocking, &first);
    CU_OK(cuStreamGetId, free_running, &second);
    EXPECT_NE(first, second);
    CU_OK(cuStreamDestroy_v2, blocking);
    CU_OK(cuStreamDestroy_v2, free_running);
}

TEST_F(StreamLife, PrioritiesAreClampedToTheRange) {
    int least = 0;
    int greatest = 0;
    CU_OK(cuCtxGetStreamPriorityRange, &least, &greatest);
    CUstream stream = nullptr;
    CU_OK(cuStreamCreateWithPriority, &stream, CU_STREAM_NON_BLOCKING, greatest - 100);
    int priority = 99;
    CU_OK(cuStreamGetPriority, stream, &priority);
    EXPECT_EQ(priority, greatest);
    CU_OK(cuStreamDestroy_v2, stream);
}

TEST_F(StreamLife, RefusesBadArguments) {
    CUstream stream = nullptr;
    CU_IS(CUDA_ERROR_INVALID_VALUE, cuStreamCreate, nullptr, 0);
    CU_IS(CUDA_ERROR_INVALID_VALUE, cuStreamCreate, &stream, 0xFF00);
}

TEST_F(StreamLife, IdleStreamsAreReady) {
    const Stream stream;
    ASSERT_TRUE(stream.ok());
    CU_OK(cuStreamQuery, stream);
    CU_OK(cuStreamSynchronize, stream);
    CU_OK(cuStreamQuery, nullptr);
    CU_OK(cuStreamQuery, CU_STREAM_LEGACY);
    CU_OK(cuStreamQuery, CU_STREAM_PER_THREAD);
    CU_OK(cuStreamSynchronize, CU_STREAM_PER_THREAD);
}

class StreamOrder : public WithKernels {};

TEST_F(StreamOrder, LaunchesOfOneStreamRunInOrder) {
    const Stream stream;
    const Memory memory(4);
    ASSERT_TRUE(stream.ok() && memory.ok());
    const CUfunction step = kernel("step");
    CU_OK(cuMemsetD32Async, memory.at(), 1, 1, stream);
    uint32_t expected = 1;
    for (uint32_t i = 0; i < 500; ++i) {
        ASSERT_EQ(launch(step, {}, stream, memory.at(), 3 + i % 5, i), CUDA_SUCCESS);
        expected = expected * (3 + i % 5) + i;
    }
    CU_OK(cuStreamSynchronize, stream);
    EXPECT_EQ(memory.words(), std::vector<uint32_t>{expected});
}

TEST_F(StreamOrder, QueryTellsBusyFromIdle) {
    const Stream stream;
    ASSERT_TRUE(stream.ok());
    Gate gate;
    PUT_GATE(gate, stream);
    CU_IS(CUDA_ERROR_NOT_READY, cuStreamQuery, stream);
    gate.open();
    CU_OK(cuStreamSynchronize, stream);
    CU_OK(cuStreamQuery, stream);
}

TEST_F(StreamOrder, NonBlockingStreamsDoNotWaitForEachOther) {
    const Stream held, running;
    const Memory a(kCount * 4), b(kCount * 4);
    const Pinned pinned(8);
    ASSERT_TRUE(held.ok() && running.ok() && a.ok() && b.ok() && pinned.ok());
    const CUfunction iota = kernel("iota");
    a.fill(0);
    b.fill(0);
    Gate gate;
    PUT_GATE(gate, held);
    ASSERT_EQ(launch(iota, {.block_x = kCount}, held, a.at(), 100u, kCount), CUDA_SUCCESS);
    ASSERT_EQ(launch(iota, {.block_x = kCount}, running, b.at(), 200u, kCount), CUDA_SUCCESS);
    CU_OK(cuStreamSynchronize, running);
    CU_IS(CUDA_ERROR_NOT_READY, cuStreamQuery, held);
    CU_OK(cuMemcpyDtoHAsync_v2, &pinned.words()[0], a.at(), 4, running);
    CU_OK(cuMemcpyDtoHAsync_v2, &pinned.words()[1], b.at(), 4, running);
    CU_OK(cuStreamSynchronize, running);
    EXPECT_EQ(pinned.words()[0], 0u) << "work behind the gate has run";
    EXPECT_EQ(pinned.words()[1], 200u);
    gate.open();
    CU_OK(cuStreamSynchronize, held);
    EXPECT_EQ(a.words()[1], 101u);
}

// Each of the two kernels waits for the other's word, for ten seconds at most.
constexpr const char* kMeeting = R"(.version 7.0
.target sm_52
.address_size 64
.visible .entry meet(.param .u64 p, .param .u32 me)
{
    .reg .u64 %p, %other, %now, %end; .reg .u32 %me, %v, %one; .reg .pred %seen, %late;
    ld.param.u64 %p, [p]; ld.param.u32 %me, [me];
    mad.wide.u32 %other, %me, 4, %p; mov.u32 %one, 1; st.volatile.global.u32 [%other], %one;
    xor.b32 %v, %me, 1; mad.wide.u32 %other, %v, 4, %p; mad.wide.u32 %p, %me, 4, %p;
    mov.u64 %end, %globaltimer; add.u64 %end, %end, 10000000000;
WAIT:
    ld.volatile.global.u32 %v, [%other]; setp.ne.u32 %seen, %v, 0; @%seen bra MET;
    mov.u64 %now, %globaltimer; setp.gt.u64 %late, %now, %end; @!%late bra WAIT;
    ret;
MET:
    st.volatile.global.u32 [%p+8], %one;
    ret;
}
)";

TEST_F(StreamOrder, KernelsOfTwoStreamsRunAtOnce) {
    const Module module(kMeeting);
    ASSERT_TRUE(module.ok());
    const CUfunction meet = module.function("meet");
    const Memory words(16);
    CU_OK(cuMemsetD32_v2, words.at(), 0, 4);
    CU_OK(cuStreamSynchronize, nullptr);  // streams that do not block do not wait for it
    const Stream first;
    const Stream second;
    ASSERT_EQ(launch(meet, {}, first, words.at(), 0u), CUDA_SUCCESS);
    ASSERT_EQ(launch(meet, {}, second, words.at(), 1u), CUDA_SUCCESS);
    CU_OK(cuCtxSynchronize);
    EXPECT_EQ(words.words(), (std::vector<uint32_t>{1, 1, 1, 1})) << "one has not met the other";
}

TEST_F(StreamOrder, LegacyStreamWaitsForBlockingStreamsAndTheyForIt) {
    const Stream blocking(CU_STREAM_DEFAULT), other(CU_STREAM_DEFAULT), independent(CU_STREAM_NON_BLOCKING);
    const Memory memory(4);
    ASSERT_TRUE(blocking.ok() && other.ok() && independent.ok() && memory.ok());
    const CUfunction step = kernel("step");
    memory.fill(0);
    Gate gate;
    PUT_GATE(gate, blocking);
    ASSERT_EQ(launch(step, {}, blocking, memory.at(), 1u, 5u), CUDA_SUCCESS);  // 5
    ASSERT_EQ(launch(step, {}, kLegacy, memory.at(), 10u, 3u),
              CUDA_SUCCESS);                                                // 53, after the blocking stream
    ASSERT_EQ(launch(step, {}, other, memory.at(), 2u, 1u), CUDA_SUCCESS);  // 107, after the legacy stream
    CU_IS(CUDA_ERROR_NOT_READY, cuStreamQuery, kLegacy);
    CU_IS(CUDA_ERROR_NOT_READY, cuStreamQuery, other);
    CU_OK(cuStreamQuery, independent);
    gate.open();
    CU_OK(cuStreamSynchronize, other);
    EXPECT_EQ(memory.words(), std::vector<uint32_t>{107});
}

TEST_F(StreamOrder, WaitEventOrdersStreams) {
    const Stream first, second;
    const Event event(CU_EVENT_DISABLE_TIMING);
    const Memory memory(4);
    ASSERT_TRUE(first.ok() && second.ok() && event.ok() && memory.ok());
    const CUfunction step = kernel("step");
    memory.fill(0);
    Gate gate;
    PUT_GATE(gate, first);
    ASSERT_EQ(launch(step, {}, first, memory.at(), 1u, 7u), CUDA_SUCCESS);
    CU_OK(cuEventRecord, event, first);
    CU_OK(cuStreamWaitEvent, second, event, 0);
    ASSERT_EQ(launch(step, {}, second, memory.at(), 10u, 1u), CUDA_SUCCESS);
    CU_IS(CUDA_ERROR_NOT_READY, cuStreamQuery, second);
    gate.open();
    CU_OK(cuStreamSynchronize, second);
    EXPECT_EQ(memory.words(), std::vector<uint32_t>{71});
}

TEST_F(StreamOrder, DestroyLetsPostedWorkFinish) {
    const Memory memory(4);
    ASSERT_TRUE(memory.ok());
    memory.fill(0);
    CUstream stream = nullptr;
    CU_OK(cuStreamCreate, &stream, CU_STREAM_NON_BLOCKING);
    for (int i = 0; i < 50; ++i)
        ASSERT_EQ(launch(kernel("step"), {}, stream, memory.at(), 1u, 2u), CUDA_SUCCESS);
    CU_OK(cuStreamDestroy_v2, stream);
    CU_OK(cuCtxSynchronize);
    EXPECT_EQ(memory.words(), std::vector<uint32_t>{100});
}

TEST_F(StreamOrder, ContextSynchronizeWaitsForAllStreams) {
    std::vector<std::unique_ptr<Stream>> streams;
    const Memory memory(8 * 4);
    ASSERT_TRUE(memory.ok());
    memory.fill(0);
    const CUfunction step = kernel("step");
    for (uint32_t i = 0; i < 8; ++i) {
        streams.push_back(std::make_unique<Stream>(i % 2 == 0 ? CU_STREAM_DEFAULT : CU_STREAM_NON_BLOCKING));
        ASSERT_TRUE(streams.back()->ok());
        for (int k = 0; k < 20; ++k) {
            ASSERT_EQ(launch(step, {}, *streams.back(), memory.at(4 * i), 1u, i + 1), CUDA_SUCCESS);
        }
    }
    CU_OK(cuCtxSynchronize);
    for (const auto& stream : streams) CU_OK(cuStreamQuery, *stream);
    EXPECT_EQ(memory.words(), (std::vector<uint32_t>{20, 40, 60, 80, 100, 120, 140, 160}));
}

class StreamHost : public WithKernels {};

TEST_F(StreamHost, HostFunctionsRunInStreamOrder) {
    struct Notes {
        std::atomic<int> calls{0};
        uint32_t seen = 0;
        const uint32_t* value = nullptr;
    } notes;
    const Stream stream;
    const Memory memory(4);
    const Pinned pinned(4);
    ASSERT_TRUE(stream.ok() && memory.ok() && pinned.ok());
    notes.value = pinned.words();
    pinned.words()[0] = 0;
    CU_OK(cuMemsetD32Async, memory.at(), 41, 1, stream);
    ASSERT_EQ(launch(kernel("add_one"), {}, stream, memory.at(), 1u), CUDA_SUCCESS);
    CU_OK(cuMemcpyDtoHAsync_v2, pinned.data(), memory.at(), 4, stream);
    const CUhostFn note = [](void* data) {
        auto* notes = static_cast<Notes*>(data);
        notes->seen = *notes->value;
        ++notes->calls;
    };
    CU_OK(cuLaunchHostFunc, stream, note, &notes);
    CU_OK(cuMemsetD32Async, memory.at(), 7, 1, stream);
    CU_OK(cuStreamSynchronize, stream);
    EXPECT_EQ(notes.calls, 1);
    EXPECT_EQ(notes.seen, 42u);
}

TEST_F(StreamHost, CallbacksGetStreamStatusAndData) {
    struct Notes {
        std::atomic<int> calls{0};
        CUstream stream = nullptr;
        CUresult status = CUDA_ERROR_UNKNOWN;
    } notes;
    const Stream stream;
    ASSERT_TRUE(stream.ok());
    const CUstreamCallback note = [](CUstream stream, CUresult status, void* data) {
        auto* notes = static_cast<Notes*>(data);
        notes->stream = stream;
        notes->status = status;
        ++notes->calls;
    };
    for (int i = 0; i < 10; ++i) CU_OK(cuStreamAddCallback, stream, note, &notes, 0);
    CU_OK(cuStreamSynchronize, stream);
    EXPECT_EQ(notes.calls, 10);
    EXPECT_EQ(notes.stream, static_cast<CUstream>(stream));
    EXPECT_EQ(notes.status, CUDA_SUCCESS);
    CU_IS(CUDA_ERROR_INVALID_VALUE, cuStreamAddCallback, stream, note, &notes, 1);
}

TEST_F(StreamHost, ValuesInMemoryHoldAndReleaseStreams) {
    const Stream waiting, writing;
    const Memory memory(8);
    ASSERT_TRUE(waiting.ok() && writing.ok() && memory.ok());
    memory.fill(0);
    CU_OK(cuStreamWaitValue32_v2, waiting, memory.at(), 3, CU_STREAM_WAIT_VALUE_GEQ);
    CU_OK(cuStreamWriteValue32_v2, waiting, memory.at(4), 9, CU_STREAM_WRITE_VALUE_DEFAULT);
    CU_IS(CUDA_ERROR_NOT_READY, cuStreamQuery, waiting);
    CU_OK(cuStreamWriteValue32_v2, writing, memory.at(), 3, CU_STREAM_WRITE_VALUE_DEFAULT);
    CU_OK(cuStreamSynchronize, waiting);
    EXPECT_EQ(memory.words(), (std::vector<uint32_t>{3, 9}));
}

class StreamThreads : public WithKernels {};

TEST_F(StreamThreads, SixteenThreadsWithAStreamEach) {
    constexpr int kThreads = 16;
    constexpr uint32_t kRounds = 60;
    const CUfunction add_one = kernel("add_one");
    std::atomic<int> passed{0};
    const auto hammer = [&](uint32_t number) {
        ASSERT_EQ(CU_CALL(cuCtxSetCurrent, context_), CUDA_SUCCESS);
        const Stream stream;
        const Event event(CU_EVENT_DISABLE_TIMING);
        const Pinned pinned(kCount * 4);
        ASSERT_TRUE(stream.ok() && event.ok() && pinned.ok());
        for (uint32_t round = 0; round < kRounds; ++round) {
            const Memory memory(kCount * 4);
            ASSERT_TRUE(memory.ok());
            std::vector<uint32_t> start(kCount, number * 1000 + round);
            ASSERT_EQ(CU_CALL(cuMemcpyHtoDAsync_v2, memory.at(), start.data(), kCount * 4, stream),
                      CUDA_SUCCESS);
            for (int i = 0; i < 5; ++i) {
                ASSERT_EQ(launch(add_one, {.grid_x = 2, .block_x = 128}, stream, memory.at(), kCount),
                          CUDA_SUCCESS);
            }
            ASSERT_EQ(CU_CALL(cuMemcpyDtoHAsync_v2, pinned.data(), memory.at(), kCount * 4, stream),
                      CUDA_SUCCESS);
            ASSERT_EQ(CU_CALL(cuEventRecord, event, stream), CUDA_SUCCESS);
            ASSERT_EQ(CU_CALL(cuEventSynchronize, event), CUDA_SUCCESS);
            for (uint32_t i = 0; i < kCount; ++i) ASSERT_EQ(pinned.words()[i], number * 1000 + round + 5);
        }
        ++passed;
    };
    std::vector<std::thread> threads;
    for (uint32_t i = 0; i < kThreads; ++i) threads.emplace_back(hammer, i);
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(passed, kThreads);
}

TEST_F(StreamThreads, ThreadsShareOneStreamInHostOrder) {
    // Each thread posts only after the one before it has: the stream must keep that order.
    const Stream stream;
    const Memory memory(4);
    ASSERT_TRUE(stream.ok() && memory.ok());
    memory.fill(0);
    const CUfunction step = kernel("step");
    uint32_t expected = 0;
    for (uint32_t i = 1; i <= 40; ++i) {
        std::thread([&] {
            ASSERT_EQ(CU_CALL(cuCtxSetCurrent, context_), CUDA_SUCCESS);
            ASSERT_EQ(launch(step, {}, stream, memory.at(), 7u, i), CUDA_SUCCESS);
        }).join();
        expected = expected * 7 + i;
    }
    CU_OK(cuStreamSynchronize, stream);
    EXPECT_EQ(memory.words(), std::vector<uint32_t>{expected});
}

TEST_F(StreamLife, TellsItsDeviceAndContext) {
    const Stream stream;
    ASSERT_TRUE(stream.ok());
    CUdevice device = -1;
    CU_OK(cuStreamGetDevice, stream, &device);
    EXPECT_EQ(device, device_);
    CUcontext context = nullptr;
    CUgreenCtx green = nullptr;
    CU_OK(cuStreamGetCtx_v2, stream, &context, &green);
    EXPECT_EQ(context, context_);
    EXPECT_EQ(green, nullptr);
    CU_OK(cuStreamGetGreenCtx, stream, &green);
    EXPECT_EQ(green, nullptr);
}

TEST_F(StreamLife, AttributesAreKeptAndCopied) {
    const Stream stream;
    const Stream other;
    ASSERT_TRUE(stream.ok() && other.ok());
    CUstreamAttrValue value{};
    value.syncPolicy = CU_SYNC_POLICY_SPIN;
    CU_OK(cuStreamSetAttribute, stream, CU_STREAM_ATTRIBUTE_SYNCHRONIZATION_POLICY, &value);
    CU_OK(cuStreamCopyAttributes, other, stream);
    CUstreamAttrValue read{};
    CU_OK(cuStreamGetAttribute, other, CU_STREAM_ATTRIBUTE_SYNCHRONIZATION_POLICY, &read);
    EXPECT_EQ(read.syncPolicy, CU_SYNC_POLICY_SPIN);
    value.syncPolicy = static_cast<CUsynchronizationPolicy>(77);
    CU_IS(CUDA_ERROR_INVALID_VALUE, cuStreamSetAttribute, stream, CU_STREAM_ATTRIBUTE_SYNCHRONIZATION_POLICY,
          &value);
}

}  // namespace bitfusion::conformance
