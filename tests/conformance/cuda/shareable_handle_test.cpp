// Memory that travels as a file descriptor: cuda.h, cuMemExportToShareableHandle,
// cuMemPoolExportToShareableHandle and their kin. The other process is a child that inherits the descriptor.
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <cstring>
#include <string>

#include "conformance/child.h"
#include "conformance/objects.h"

namespace bitfusion::conformance {
namespace {

constexpr const char* kDescriptor = "BITFUSION_TEST_SHARED_DESCRIPTOR";
constexpr const char* kPointer = "BITFUSION_TEST_SHARED_POINTER";
constexpr auto kType = CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR;

CUmemAllocationProp shareable_memory() {
    CUmemAllocationProp properties{};
    properties.type = CU_MEM_ALLOCATION_TYPE_PINNED;
    properties.location = {CU_MEM_LOCATION_TYPE_DEVICE, 0};
    properties.requestedHandleTypes = kType;
    return properties;
}

void* as_handle(int descriptor) { return reinterpret_cast<void*>(static_cast<uintptr_t>(descriptor)); }

int inherited() { return atoi(getenv(kDescriptor)); }

// A copy of the descriptor that a child inherits.
void hand_down(int descriptor) {
    const int copy = dup(descriptor);
    ASSERT_GE(copy, 0);
    setenv(kDescriptor, std::to_string(copy).c_str(), 1);
}

void begin_child() {
    CU_OK(cuInit, 0);
    CUcontext context = nullptr;
    CU_OK(cuDevicePrimaryCtxRetain, &context, 0);
    CU_OK(cuCtxSetCurrent, context);
}

// Physical memory, mapped and accessible for as long as the object lives. Check ok().
class Mapping {
  public:
    Mapping(CUmemGenericAllocationHandle memory, std::size_t bytes) : bytes_(bytes) {
        CUmemAccessDesc access{};
        access.location = {CU_MEM_LOCATION_TYPE_DEVICE, 0};
        access.flags = CU_MEM_ACCESS_FLAGS_PROT_READWRITE;
        EXPECT_EQ(CU_CALL(cuMemAddressReserve, &address_, bytes, 0, 0, 0), CUDA_SUCCESS);
        EXPECT_EQ(CU_CALL(cuMemMap, address_, bytes, 0, memory, 0), CUDA_SUCCESS);
        EXPECT_EQ(CU_CALL(cuMemSetAccess, address_, bytes, &access, 1), CUDA_SUCCESS);
    }
    ~Mapping() {
        CU_CALL(cuMemUnmap, address_, bytes_);
        CU_CALL(cuMemAddressFree, address_, bytes_);
    }
    Mapping(const Mapping&) = delete;
    Mapping& operator=(const Mapping&) = delete;

    CUdeviceptr address() const { return address_; }
    uint32_t word(std::size_t index) const {
        uint32_t value = 0;
        EXPECT_EQ(CU_CALL(cuMemcpyDtoH_v2, &value, address_ + 4 * index, 4), CUDA_SUCCESS);
        return value;
    }
    void set(uint32_t value) const {
        EXPECT_EQ(CU_CALL(cuMemsetD32_v2, address_, value, bytes_ / 4), CUDA_SUCCESS);
        EXPECT_EQ(CU_CALL(cuCtxSynchronize), CUDA_SUCCESS);
    }

  private:
    CUdeviceptr address_ = 0;
    std::size_t bytes_;
};

std::size_t granule() {
    const CUmemAllocationProp properties = shareable_memory();
    std::size_t bytes = 0;
    EXPECT_EQ(CU_CALL(cuMemGetAllocationGranularity, &bytes, &properties, CU_MEM_ALLOC_GRANULARITY_MINIMUM),
              CUDA_SUCCESS);
    return bytes;
}

// The descriptor goes once around through a socket, as between processes that did not start each other.
int through_a_socket(int descriptor) {
    std::array<int, 2> ends{};
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends.data()) != 0) return -1;
    char byte = 'x';
    iovec part{&byte, 1};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(header), &descriptor, sizeof(int));
    int received = -1;
    if (sendmsg(ends[0], &message, 0) == 1 && recvmsg(ends[1], &message, 0) == 1 &&
        CMSG_FIRSTHDR(&message) != nullptr)
        memcpy(&received, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(int));
    close(ends[0]);
    close(ends[1]);
    return received;
}

}  // namespace

class ShareableHandle : public WithKernels {
  protected:
    void SetUp() override {
        WithKernels::SetUp();
        if (HasFatalFailure() || IsSkipped()) return;
        if (attribute(CU_DEVICE_ATTRIBUTE_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR_SUPPORTED) == 0)
            GTEST_SKIP() << "the device's memory does not travel as a file descriptor";
    }
};

CHILD(shared_allocation) {
    begin_child();
    CUmemGenericAllocationHandle memory = 0;
    CU_OK(cuMemImportFromShareableHandle, &memory, as_handle(inherited()), kType);
    close(inherited());
    const Mapping mapping(memory, granule());
    EXPECT_EQ(mapping.word(0), 11u);
    EXPECT_EQ(mapping.word(granule() / 4 - 1), 11u);
    mapping.set(22);
    CU_OK(cuMemRelease, memory);
    EXPECT_EQ(mapping.word(1), 22u);
}

TEST_F(ShareableHandle, ProcessesMapOneMemory) {
    const CUmemAllocationProp properties = shareable_memory();
    CUmemGenericAllocationHandle memory = 0;
    CU_OK(cuMemCreate, &memory, granule(), &properties, 0);
    {
        const Mapping mapping(memory, granule());
        mapping.set(11);
        int descriptor = -1;
        CU_OK(cuMemExportToShareableHandle, &descriptor, memory, kType, 0);
        ASSERT_GE(descriptor, 0);
        hand_down(descriptor);
        close(descriptor);
        EXPECT_CHILD(shared_allocation);
        close(inherited());
        EXPECT_EQ(mapping.word(5), 22u);
    }
    CU_OK(cuMemRelease, memory);
}

TEST_F(ShareableHandle, ADescriptorKeepsTheMemory) {
    const CUmemAllocationProp properties = shareable_memory();
    CUmemGenericAllocationHandle memory = 0;
    CU_OK(cuMemCreate, &memory, granule(), &properties, 0);
    int descriptor = -1;
    {
        const Mapping mapping(memory, granule());
        mapping.set(33);
        CU_OK(cuMemExportToShareableHandle, &descriptor, memory, kType, 0);
    }
    CU_OK(cuMemRelease, memory);
    const int received = through_a_socket(descriptor);
    ASSERT_GE(received, 0);
    close(descriptor);
    for (int round = 0; round < 2; ++round) {  // importing does not use the descriptor up
        CU_OK(cuMemImportFromShareableHandle, &memory, as_handle(received), kType);
        const Mapping mapping(memory, granule());
        EXPECT_EQ(mapping.word(0), 33u);
        CU_OK(cuMemRelease, memory);
    }
    close(received);
}

TEST_F(ShareableHandle, AnImportHasTheSameProperties) {
    const CUmemAllocationProp properties = shareable_memory();
    CUmemGenericAllocationHandle memory = 0;
    CUmemGenericAllocationHandle imported = 0;
    CU_OK(cuMemCreate, &memory, granule(), &properties, 0);
    int descriptor = -1;
    CU_OK(cuMemExportToShareableHandle, &descriptor, memory, kType, 0);
    CU_OK(cuMemImportFromShareableHandle, &imported, as_handle(descriptor), kType);
    close(descriptor);
    CUmemAllocationProp told{};
    CU_OK(cuMemGetAllocationPropertiesFromHandle, &told, imported);
    EXPECT_EQ(told.type, properties.type);
    EXPECT_EQ(told.location.type, properties.location.type);
    EXPECT_EQ(told.location.id, properties.location.id);
    CU_OK(cuMemRelease, imported);
    CU_OK(cuMemRelease, memory);
}

TEST_F(ShareableHandle, OnlyMemoryThatWasMadeForItIsExported) {
    CUmemAllocationProp properties = shareable_memory();
    properties.requestedHandleTypes = CU_MEM_HANDLE_TYPE_NONE;
    CUmemGenericAllocationHandle memory = 0;
    CU_OK(cuMemCreate, &memory, granule(), &properties, 0);
    int descriptor = -1;
    CU_IS(CUDA_ERROR_INVALID_VALUE, cuMemExportToShareableHandle, &descriptor, memory, kType, 0);
    CU_OK(cuMemRelease, memory);
    properties = shareable_memory();
    CU_OK(cuMemCreate, &memory, granule(), &properties, 0);
    if (answers_misuse())
        CU_IS(CUDA_ERROR_INVALID_VALUE, cuMemExportToShareableHandle, nullptr, memory, kType, 0);
    CU_IS(CUDA_ERROR_INVALID_VALUE, cuMemExportToShareableHandle, &descriptor, memory, kType, 1);
    CU_OK(cuMemRelease, memory);
}

TEST_F(ShareableHandle, OtherDescriptorsAreNoMemory) {
    CUmemGenericAllocationHandle memory = 0;
    CUmemoryPool pool = nullptr;
    const int null = open("/dev/null", O_RDWR);
    ASSERT_GE(null, 0);
    EXPECT_NE(CU_CALL(cuMemImportFromShareableHandle, &memory, as_handle(null), kType), CUDA_SUCCESS);
    EXPECT_NE(CU_CALL(cuMemPoolImportFromShareableHandle, &pool, as_handle(null), kType, 0), CUDA_SUCCESS);
    close(null);
    EXPECT_NE(CU_CALL(cuMemImportFromShareableHandle, &memory, as_handle(null), kType), CUDA_SUCCESS);
}

CHILD(shared_pool) {
    begin_child();
    CUmemoryPool pool = nullptr;
    CU_OK(cuMemPoolImportFromShareableHandle, &pool, as_handle(inherited()), kType, 0);
    close(inherited());
    CUmemPoolPtrExportData data{};
    const std::string text = getenv(kPointer);
    ASSERT_EQ(text.size(), 2 * sizeof data.reserved);
    for (size_t i = 0; i < sizeof data.reserved; ++i)
        data.reserved[i] = static_cast<unsigned char>(std::stoul(text.substr(2 * i, 2), nullptr, 16));
    CUdeviceptr memory = 0;
    CU_OK(cuMemPoolImportPointer, &memory, pool, &data);
    uint32_t word = 0;
    CU_OK(cuMemcpyDtoH_v2, &word, memory + 4, 4);
    EXPECT_EQ(word, 0x44444444u);
    CU_OK(cuMemsetD8_v2, memory, 0x55, 1000);
    CU_OK(cuCtxSynchronize);
    CUdeviceptr more = 0;
    EXPECT_NE(CU_CALL(cuMemAllocFromPoolAsync, &more, 1000, pool, nullptr), CUDA_SUCCESS);
    CU_OK(cuMemFreeAsync, memory, nullptr);
    CU_OK(cuCtxSynchronize);
    CU_OK(cuMemPoolDestroy, pool);
}

TEST_F(ShareableHandle, ProcessesShareAPool) {
    if ((attribute(CU_DEVICE_ATTRIBUTE_MEMPOOL_SUPPORTED_HANDLE_TYPES) & kType) == 0)
        GTEST_SKIP() << "the device's pools do not travel as file descriptors";
    CUmemPoolProps properties{};
    properties.allocType = CU_MEM_ALLOCATION_TYPE_PINNED;
    properties.location = {CU_MEM_LOCATION_TYPE_DEVICE, device_};
    properties.handleTypes = kType;
    CUmemoryPool pool = nullptr;
    CU_OK(cuMemPoolCreate, &pool, &properties);
    CUdeviceptr memory = 0;
    CU_OK(cuMemAllocFromPoolAsync, &memory, 1000, pool, nullptr);
    CU_OK(cuMemsetD8_v2, memory, 0x44, 1000);
    CU_OK(cuCtxSynchronize);
    int descriptor = -1;
    CU_OK(cuMemPoolExportToShareableHandle, &descriptor, pool, kType, 0);
    CUmemPoolPtrExportData data{};
    CU_OK(cuMemPoolExportPointer, &data, memory);
    std::string text;
    for (const unsigned char byte : data.reserved) {
        constexpr char kDigits[] = "0123456789abcdef";
        text += kDigits[byte >> 4];
        text += kDigits[byte & 15];
    }
    setenv(kPointer, text.c_str(), 1);
    hand_down(descriptor);
    close(descriptor);
    EXPECT_CHILD(shared_pool);
    close(inherited());
    uint32_t word = 0;
    CU_OK(cuMemcpyDtoH_v2, &word, memory + 996, 4);
    EXPECT_EQ(word, 0x55555555u);
    CU_OK(cuMemFreeAsync, memory, nullptr);
    CU_OK(cuCtxSynchronize);
    CU_OK(cuMemPoolDestroy, pool);
}

TEST_F(ShareableHandle, OnlyPoolsThatWereMadeForItAreExported) {
    CUmemoryPool pool = nullptr;
    CU_OK(cuDeviceGetDefaultMemPool, &pool, device_);
    int descriptor = -1;
    CU_IS(CUDA_ERROR_INVALID_VALUE, cuMemPoolExportToShareableHandle, &descriptor, pool, kType, 0);
    CUdeviceptr memory = 0;
    CU_OK(cuMemAllocAsync, &memory, 1000, nullptr);
    CUmemPoolPtrExportData data{};
    CU_IS(CUDA_ERROR_INVALID_VALUE, cuMemPoolExportPointer, &data, memory);
    if (answers_misuse()) CU_IS(CUDA_ERROR_INVALID_VALUE, cuMemPoolExportPointer, nullptr, memory);
    CUdeviceptr imported = 0;
    EXPECT_NE(CU_CALL(cuMemPoolImportPointer, &imported, pool, &data), CUDA_SUCCESS);
    CU_OK(cuMemFreeAsync, memory, nullptr);
    CU_OK(cuCtxSynchronize);
}

}  // namespace bitfusion::conformance
