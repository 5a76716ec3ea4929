// Memory and events of another process: cuda.h, cuIpcGetMemHandle and its kin. The other process is a child
// that gets the handle through its environment.
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <cstring>
#include <string>

#include "conformance/child.h"
#include "conformance/kernels.h"
#include "conformance/objects.h"

namespace bitfusion::conformance {
namespace {

constexpr const char* kMemory = "BITFUSION_TEST_IPC_MEMORY";
constexpr const char* kEvent = "BITFUSION_TEST_IPC_EVENT";
constexpr const char* kPipe = "BITFUSION_TEST_IPC_PIPE";
constexpr uint32_t kWords = 1000;

// A handle as text, and back.
template <typename Handle>
void put_in_environment(const char* name, const Handle& handle) {
    std::string text;
    for (const char byte : handle.reserved) {
        constexpr char kDigits[] = "0123456789abcdef";
        text += kDigits[static_cast<uint8_t>(byte) >> 4];
        text += kDigits[static_cast<uint8_t>(byte) & 15];
    }
    setenv(name, text.c_str(), 1);
}

template <typename Handle>
Handle from_environment(const char* name) {
    Handle handle{};
    const char* text = getenv(name);
    for (size_t i = 0; text != nullptr && i < sizeof handle.reserved && text[2 * i] != 0; ++i) {
        const std::array<char, 3> digits{text[2 * i], text[2 * i + 1], 0};
        handle.reserved[i] = static_cast<char>(strtoul(digits.data(), nullptr, 16));
    }
    return handle;
}

// The primary context of device 0, current on this thread.
void begin_child() {
    CU_OK(cuInit, 0);
    CUcontext context = nullptr;
    CU_OK(cuDevicePrimaryCtxRetain, &context, 0);
    CU_OK(cuCtxSetCurrent, context);
}

CUresult open_memory(CUdeviceptr* address) {
    return CU_CALL(cuIpcOpenMemHandle_v2, address, from_environment<CUipcMemHandle>(kMemory),
                   CU_IPC_MEM_LAZY_ENABLE_PEER_ACCESS);
}

}  // namespace

class Ipc : public WithKernels {};

// The parent has filled the memory with 0, 1, 2...; the child adds 100 to each by a kernel.
CHILD(ipc_adds) {
    begin_child();
    CUdeviceptr memory = 0;
    ASSERT_EQ(open_memory(&memory), CUDA_SUCCESS);
    std::vector<uint32_t> words(kWords);
    CU_OK(cuMemcpyDtoH_v2, words.data(), memory, 4 * kWords);
    for (uint32_t i = 0; i < kWords; ++i) ASSERT_EQ(words[i], i);
    for (uint32_t& word : words) word += 100;
    CU_OK(cuMemcpyHtoD_v2, memory, words.data(), 4 * kWords / 2);
    CU_OK(cuMemsetD32_v2, memory + 2 * kWords, 7, kWords / 2);
    CU_OK(cuCtxSynchronize);
    CU_OK(cuIpcCloseMemHandle, memory);
}

TEST_F(Ipc, ProcessesReadAndWriteOneMemory) {
    const Memory memory(4 * kWords);
    ASSERT_TRUE(memory.ok());
    std::vector<uint32_t> words(kWords);
    for (uint32_t i = 0; i < kWords; ++i) words[i] = i;
    memory.write(words.data(), 4 * kWords);
    CUipcMemHandle handle{};
    CU_OK(cuIpcGetMemHandle, &handle, memory.at());
    CU_OK(cuCtxSynchronize);
    put_in_environment(kMemory, handle);
    EXPECT_CHILD(ipc_adds);
    const std::vector<uint32_t> after = memory.words();
    ASSERT_EQ(after.size(), kWords);
    for (uint32_t i = 0; i < kWords; ++i) ASSERT_EQ(after[i], i < kWords / 2 ? i + 100 : 7) << i;
}

CHILD(ipc_kernel) {
    begin_child();
    CUdeviceptr memory = 0;
    ASSERT_EQ(open_memory(&memory), CUDA_SUCCESS);
    const Module module(kKernels);
    ASSERT_TRUE(module.ok());
    ASSERT_EQ(launch(module.function("iota"), {.grid_x = 4, .block_x = 256}, nullptr, memory, 3u, kWords),
              CUDA_SUCCESS);
    CU_OK(cuCtxSynchronize);
    unsigned type = 0;
    CU_OK(cuPointerGetAttribute, &type, CU_POINTER_ATTRIBUTE_MEMORY_TYPE, memory);
    EXPECT_EQ(type, static_cast<unsigned>(CU_MEMORYTYPE_DEVICE));
    CU_OK(cuIpcCloseMemHandle, memory);
}

TEST_F(Ipc, KernelsOfOneProcessWriteMemoryOfAnother) {
    const Memory memory(4 * kWords);
    ASSERT_TRUE(memory.ok());
    CUipcMemHandle handle{};
    CU_OK(cuIpcGetMemHandle, &handle, memory.at());
    put_in_environment(kMemory, handle);
    EXPECT_CHILD(ipc_kernel);
    const std::vector<uint32_t> after = memory.words();
    ASSERT_EQ(after.size(), kWords);
    for (uint32_t i = 0; i < kWords; ++i) ASSERT_EQ(after[i], i + 3);
}

// "If the memory handle has already been opened by the current context, the reference count on the handle is
// incremented by 1 and the existing device pointer is returned."
CHILD(ipc_twice) {
    begin_child();
    CUdeviceptr first = 0;
    CUdeviceptr second = 0;
    ASSERT_EQ(open_memory(&first), CUDA_SUCCESS);
    ASSERT_EQ(open_memory(&second), CUDA_SUCCESS);
    EXPECT_EQ(first, second);
    CU_OK(cuIpcCloseMemHandle, first);
    uint32_t word = 0;
    CU_OK(cuMemcpyDtoH_v2, &word, first, 4);
    EXPECT_EQ(word, 5u);
    CU_OK(cuIpcCloseMemHandle, first);
    EXPECT_NE(CU_CALL(cuIpcCloseMemHandle, first), CUDA_SUCCESS);
    EXPECT_NE(CU_CALL(cuMemcpyDtoH_v2, &word, first, 4), CUDA_SUCCESS);
}

TEST_F(Ipc, OpenedTwiceIsClosedTwice) {
    const Memory memory(64);
    ASSERT_TRUE(memory.ok());
    const uint32_t five = 5;
    memory.write(&five, 4);
    CUipcMemHandle handle{};
    CUipcMemHandle again{};
    CU_OK(cuIpcGetMemHandle, &handle, memory.at());
    CU_OK(cuIpcGetMemHandle, &again, memory.at());
    EXPECT_EQ(memcmp(&handle, &again, sizeof handle), 0);
    CU_OK(cuCtxSynchronize);
    put_in_environment(kMemory, handle);
    EXPECT_CHILD(ipc_twice);
}

// Several allocations that lie close together are still several.
CHILD(ipc_neighbour) {
    begin_child();
    CUdeviceptr memory = 0;
    ASSERT_EQ(open_memory(&memory), CUDA_SUCCESS);
    std::array<uint32_t, 16> words{};
    CU_OK(cuMemcpyDtoH_v2, words.data(), memory, 64);
    for (const uint32_t word : words) EXPECT_EQ(word, 0x02020202u);
    CU_OK(cuIpcCloseMemHandle, memory);
}

TEST_F(Ipc, AHandleIsOfOneAllocation) {
    const Memory first(64);
    const Memory second(64);
    const Memory third(64);
    ASSERT_TRUE(first.ok() && second.ok() && third.ok());
    first.fill(1);
    second.fill(2);
    third.fill(3);
    CU_OK(cuCtxSynchronize);
    CUipcMemHandle handle{};
    CU_OK(cuIpcGetMemHandle, &handle, second.at());
    put_in_environment(kMemory, handle);
    EXPECT_CHILD(ipc_neighbour);
}

TEST_F(Ipc, AProcessCannotOpenItsOwnMemory) {
    const Memory memory(64);
    ASSERT_TRUE(memory.ok());
    CUipcMemHandle handle{};
    CU_OK(cuIpcGetMemHandle, &handle, memory.at());
    CUdeviceptr address = 0;
    CU_IS(CUDA_ERROR_INVALID_CONTEXT, cuIpcOpenMemHandle_v2, &address, handle,
          CU_IPC_MEM_LAZY_ENABLE_PEER_ACCESS);
}

TEST_F(Ipc, RefusesWhatIsNoHandle) {
    const Memory memory(64);
    ASSERT_TRUE(memory.ok());
    CUipcMemHandle handle{};
    if (answers_misuse()) CU_IS(CUDA_ERROR_INVALID_VALUE, cuIpcGetMemHandle, nullptr, memory.at());
    CU_IS(CUDA_ERROR_INVALID_VALUE, cuIpcGetMemHandle, &handle, kNowhere);
    CU_OK(cuIpcGetMemHandle, &handle, memory.at());
    CUdeviceptr address = 0;
    if (answers_misuse())
        CU_IS(CUDA_ERROR_INVALID_VALUE, cuIpcOpenMemHandle_v2, nullptr, handle,
              CU_IPC_MEM_LAZY_ENABLE_PEER_ACCESS);
    CU_IS(CUDA_ERROR_INVALID_VALUE, cuIpcOpenMemHandle_v2, &address, handle, 0);
    for (char& byte : handle.reserved) byte = static_cast<char>(byte ^ 0x5a);
    EXPECT_NE(CU_CALL(cuIpcOpenMemHandle_v2, &address, handle, CU_IPC_MEM_LAZY_ENABLE_PEER_ACCESS),
              CUDA_SUCCESS);
    EXPECT_NE(CU_CALL(cuIpcCloseMemHandle, memory.at()), CUDA_SUCCESS);
}

// The parent's stream stands before a host function that waits for the child to write into the pipe.
CHILD(ipc_event) {
    begin_child();
    CUdeviceptr memory = 0;
    ASSERT_EQ(open_memory(&memory), CUDA_SUCCESS);
    CUevent event = nullptr;
    CU_OK(cuIpcOpenEventHandle, &event, from_environment<CUipcEventHandle>(kEvent));
    CU_IS(CUDA_ERROR_NOT_READY, cuEventQuery, event);
    CUstream stream = nullptr;
    CU_OK(cuStreamCreate, &stream, CU_STREAM_NON_BLOCKING);
    CU_OK(cuStreamWaitEvent, stream, event, 0);
    CU_IS(CUDA_ERROR_NOT_READY, cuStreamQuery, stream);
    ASSERT_EQ(write(atoi(getenv(kPipe)), "x", 1), 1);
    CU_OK(cuStreamSynchronize, stream);
    CU_OK(cuEventSynchronize, event);
    CU_OK(cuEventQuery, event);
    uint32_t word = 0;
    CU_OK(cuMemcpyDtoH_v2, &word, memory, 4);
    EXPECT_EQ(word, 0x09090909u);
    CU_OK(cuEventDestroy_v2, event);
    CU_OK(cuStreamDestroy_v2, stream);
    CU_OK(cuIpcCloseMemHandle, memory);
}

static void wait_for_pipe(void* end) {
    char byte = 0;
    EXPECT_EQ(read(*static_cast<int*>(end), &byte, 1), 1);
}

TEST_F(Ipc, AStreamWaitsForAnEventOfAnotherProcess) {
    const Memory memory(64);
    const Stream stream;
    ASSERT_TRUE(memory.ok() && stream.ok());
    memory.fill(1);
    CU_OK(cuCtxSynchronize);
    CUevent event = nullptr;
    CU_OK(cuEventCreate, &event, CU_EVENT_DISABLE_TIMING | CU_EVENT_INTERPROCESS);
    CU_OK(cuEventQuery, event);  // never recorded
    std::array<int, 2> ends{};
    ASSERT_EQ(pipe(ends.data()), 0);
    CU_OK(cuLaunchHostFunc, stream, wait_for_pipe, &ends[0]);
    CU_OK(cuMemsetD8Async, memory.at(), 9, 64, stream);
    CU_OK(cuEventRecord, event, stream);
    CUipcMemHandle memory_handle{};
    CUipcEventHandle event_handle{};
    CU_OK(cuIpcGetMemHandle, &memory_handle, memory.at());
    CU_OK(cuIpcGetEventHandle, &event_handle, event);
    put_in_environment(kMemory, memory_handle);
    put_in_environment(kEvent, event_handle);
    setenv(kPipe, std::to_string(ends[1]).c_str(), 1);
    EXPECT_CHILD(ipc_event);
    close(ends[1]);
    CU_OK(cuStreamSynchronize, stream);
    CU_OK(cuEventQuery, event);
    CU_OK(cuEventDestroy_v2, event);
    close(ends[0]);
}

CHILD(ipc_records) {
    begin_child();
    CUevent event = nullptr;
    CU_OK(cuIpcOpenEventHandle, &event, from_environment<CUipcEventHandle>(kEvent));
    CU_OK(cuEventRecord, event, nullptr);
    CU_OK(cuEventSynchronize, event);
    CU_OK(cuEventDestroy_v2, event);
}

TEST_F(Ipc, AnotherProcessRecordsAnEvent) {
    CUevent event = nullptr;
    CU_OK(cuEventCreate, &event, CU_EVENT_DISABLE_TIMING | CU_EVENT_INTERPROCESS);
    CUipcEventHandle handle{};
    CU_OK(cuIpcGetEventHandle, &handle, event);
    put_in_environment(kEvent, handle);
    EXPECT_CHILD(ipc_records);
    CU_OK(cuEventSynchronize, event);
    CU_OK(cuEventQuery, event);
    CU_OK(cuEventDestroy_v2, event);
}

TEST_F(Ipc, OnlyInterprocessEventsHaveHandles) {
    const Event plain;
    ASSERT_TRUE(plain.ok());
    CUipcEventHandle handle{};
    CU_IS_ONE_OF(CUDA_ERROR_INVALID_HANDLE, CUDA_ERROR_INVALID_VALUE, cuIpcGetEventHandle, &handle, plain);
    CUevent event = nullptr;
    CU_OK(cuEventCreate, &event, CU_EVENT_DISABLE_TIMING | CU_EVENT_INTERPROCESS);
    if (answers_misuse()) CU_IS(CUDA_ERROR_INVALID_VALUE, cuIpcGetEventHandle, nullptr, event);
    float milliseconds = 0;
    CU_IS(CUDA_ERROR_INVALID_HANDLE, cuEventElapsedTime_v2, &milliseconds, event, event);
    CU_OK(cuEventDestroy_v2, event);
    for (char& byte : handle.reserved) byte = 0x33;
    EXPECT_NE(CU_CALL(cuIpcOpenEventHandle, &event, handle), CUDA_SUCCESS);
}

}  // namespace bitfusion::conformance
