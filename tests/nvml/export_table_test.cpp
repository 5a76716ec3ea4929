// The private table of nvidia-smi. Expectations: NVIDIA's published stand-in of NVML (release 580.65), and
// what nvidia-smi 535 and 550 pass. Callers pass whatever they like: nothing may fault.
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "base/log.h"
#include "nvml/caller_memory.h"
#include "nvml/lying_server.h"
#include "nvml/watching.h"
#include "wire/rows.h"

namespace bitfusion::nvml_test {
namespace {

constexpr unsigned char kId[16] = {0xc4, 0xfe, 0x3e, 0x6c, 0xc9, 0x8f, 0x6c, 0x4e,
                                   0xa3, 0x27, 0xee, 0x69, 0x6e, 0x12, 0xf7, 0xc4};

// An entry of the process list by its offsets.
constexpr size_t kEntryBytes = 4128;
constexpr size_t kNameAt = 32;

void* const* table() {
    const void* found = nullptr;
    return nvmlInternalGetExportTable(&found, kId) == NVML_SUCCESS ? static_cast<void* const*>(found)
                                                                   : nullptr;
}

size_t slots() { return reinterpret_cast<size_t>(table()[0]) / sizeof(void*); }

// Calls a slot as nvidia-smi does, with up to three arguments.
template <typename... Arguments>
nvmlReturn_t call(size_t slot, Arguments... arguments) {
    return reinterpret_cast<nvmlReturn_t (*)(Arguments...)>(table()[slot])(arguments...);
}

bool is_known(size_t slot) {
    constexpr size_t kKnown[] = {23, 72, 81, 213, 214, 215, 230, 240, 242};
    return std::find(std::begin(kKnown), std::end(kKnown), slot) != std::end(kKnown);
}

// A page that can be read only.
class ReadOnly {
  public:
    ReadOnly() : page_(mmap(nullptr, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)) {}
    ~ReadOnly() { munmap(page_, 4096); }
    ReadOnly(const ReadOnly&) = delete;
    ReadOnly& operator=(const ReadOnly&) = delete;
    unsigned* number() const { return static_cast<unsigned*>(page_); }

  private:
    void* page_;
};

unsigned* wild(uintptr_t address) { return reinterpret_cast<unsigned*>(address); }

TEST_F(Watching, TheTableHasItsSizeAndEverySlot) {
    ASSERT_NE(table(), nullptr);
    ASSERT_GT(slots(), 249u);
    for (size_t slot = 1; slot < slots(); ++slot) EXPECT_NE(table()[slot], nullptr) << slot;
}

TEST_F(Watching, ADeviceByItsIndex) {
    nvmlDevice_t device = nullptr;
    EXPECT_EQ(call(81, 1u, &device, 0x22u), NVML_SUCCESS);
    EXPECT_EQ(device, second_);
    EXPECT_EQ(call(81, 2u, &device, 0x22u), NVML_ERROR_INVALID_ARGUMENT);
    EXPECT_EQ(call(81, 0u, static_cast<nvmlDevice_t*>(nullptr), 0x22u), NVML_ERROR_INVALID_ARGUMENT);
    EXPECT_EQ(call(81, 0u, wild(0x10), 0x22u), NVML_ERROR_INVALID_ARGUMENT);
}

TEST_F(Watching, ThePathBetweenDevicesByTheirBusIds) {
    nvmlPciInfo_t one{};
    nvmlPciInfo_t other{};
    ASSERT_EQ(nvmlDeviceGetPciInfo_v3(device_, &one), NVML_SUCCESS);
    ASSERT_EQ(nvmlDeviceGetPciInfo_v3(second_, &other), NVML_SUCCESS);
    unsigned path = 9;
    EXPECT_EQ(call(23, one.busId, other.busId, &path), NVML_SUCCESS);
    EXPECT_EQ(path, 3u) << "NODE: what NVML_TOPOLOGY_NODE is there";
    EXPECT_EQ(call(23, one.busId, one.busId, &path), NVML_SUCCESS);
    EXPECT_EQ(path, 0u);
    EXPECT_EQ(call(23, one.busId, "0000:99:00.0", &path), NVML_SUCCESS);
    EXPECT_EQ(path, ~0u) << "shown as Unknown";
    path = 9;
    EXPECT_EQ(call(23, one.busId, wild(0x50), &path), NVML_SUCCESS);
    EXPECT_EQ(call(23, nullptr, nullptr, &path), NVML_SUCCESS);
    EXPECT_EQ(path, 9u);
    EXPECT_EQ(call(23, one.busId, other.busId, wild(0)), NVML_ERROR_INVALID_ARGUMENT);
}

// Text at the very end of what can be read, with an end and without.
TEST(CallerMemory, TextMayEndWithItsPage) {
    auto* const pages =
        static_cast<char*>(mmap(nullptr, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    ASSERT_EQ(mprotect(pages + 4096, 4096, PROT_NONE), 0);
    memcpy(pages + 4092, "abc", 4);
    std::string text;
    EXPECT_TRUE(nvml::text_of_caller(pages + 4092, &text));
    EXPECT_EQ(text, "abc");
    pages[4095] = 'd';
    EXPECT_FALSE(nvml::text_of_caller(pages + 4092, &text));
    EXPECT_FALSE(nvml::text_of_caller(pages + 4096, &text));
    ASSERT_EQ(mprotect(pages + 4096, 4096, PROT_READ | PROT_WRITE), 0);
    EXPECT_TRUE(nvml::text_of_caller(pages + 4092, &text));
    EXPECT_EQ(text, "abcd");
    memset(pages + 4096, 'e', 100);
    EXPECT_FALSE(nvml::text_of_caller(pages + 4092, &text)) << "longer than any";
    munmap(pages, 8192);
}

TEST_F(Watching, DevicesCanBeMonitored) {
    unsigned answer = 0;
    EXPECT_EQ(call(72, device_, &answer), NVML_SUCCESS);
    EXPECT_EQ(answer, 1u);
    EXPECT_EQ(call(72, nullptr, &answer), NVML_ERROR_INVALID_ARGUMENT);
    EXPECT_EQ(call(72, device_, wild(1)), NVML_ERROR_INVALID_ARGUMENT);
}

TEST_F(Watching, SlotsWithoutADeviceAreAcknowledged) {
    const nvmlDevice_t none = reinterpret_cast<nvmlDevice_t>(this);
    for (size_t slot = 1; slot < slots(); ++slot) {
        if (is_known(slot)) continue;
        unsigned count = 5;
        EXPECT_EQ(call(slot, "%s", &count), NVML_SUCCESS) << slot;
        EXPECT_EQ(call(slot, none, &count), NVML_SUCCESS) << slot;
        EXPECT_EQ(call(slot, wild(3), &count), NVML_SUCCESS) << slot;
        EXPECT_EQ(count, 5u) << slot;
    }
}

TEST_F(Watching, UnknownSlotsOfADeviceCountNothing) {
    for (size_t slot = 1; slot < slots(); ++slot) {
        if (is_known(slot)) continue;
        unsigned count = 5;
        EXPECT_EQ(call(slot, device_, &count), NVML_ERROR_NOT_SUPPORTED) << slot;
        EXPECT_EQ(count, 0u) << slot;
    }
}

TEST_F(Watching, WhatCannotBeANumberIsNotWritten) {
    const ReadOnly page;
    for (unsigned* const address :
         {wild(0), wild(1), wild(0x50), wild(0x660de0ae43c80), wild(~uintptr_t{0} - 3), page.number()})
        EXPECT_EQ(call(145, device_, address), NVML_ERROR_NOT_SUPPORTED) << address;
    unsigned numbers[2] = {7, 7};
    unsigned* const unaligned = wild(reinterpret_cast<uintptr_t>(numbers) + 1);
    EXPECT_EQ(call(145, device_, unaligned), NVML_ERROR_NOT_SUPPORTED);
    EXPECT_EQ(numbers[0], 7u);
    EXPECT_EQ(numbers[1], 7u);
    // What an earlier call left in the register: an object of the C library.
    EXPECT_FALSE(nvml::may_be_a_variable(stdout));
    EXPECT_EQ(call(145, device_, stdout), NVML_ERROR_NOT_SUPPORTED);
    static unsigned own = 7;
    EXPECT_EQ(call(145, device_, &own), NVML_ERROR_NOT_SUPPORTED);
    EXPECT_EQ(own, 0u);
}

TEST_F(Watching, KnownSlotsNeedInit) {
    ASSERT_EQ(nvmlShutdown(), NVML_SUCCESS);
    unsigned value = 7;
    for (size_t slot = 1; slot < slots(); ++slot) {
        if (!is_known(slot) || slot == 81) continue;
        EXPECT_EQ(call(slot, device_, &value, nullptr), NVML_ERROR_UNINITIALIZED) << slot;
    }
    nvmlDevice_t device = nullptr;
    EXPECT_EQ(call(81, 0u, &device, 0x22u), NVML_ERROR_UNINITIALIZED);
    EXPECT_EQ(value, 7u);
}

TEST_F(Watching, AWatcherAloneIsInNoProcessList) {
    for (size_t slot = 213; slot <= 215; ++slot) {
        unsigned count = 5;
        Bytes entries(5 * kEntryBytes);
        EXPECT_EQ(call(slot, device_, &count, entries.data()), NVML_SUCCESS) << slot;
        EXPECT_EQ(count, 0u) << slot;
        EXPECT_EQ(call(slot, device_, wild(0), entries.data()), NVML_ERROR_INVALID_ARGUMENT) << slot;
        EXPECT_EQ(call(slot, device_, wild(0x22), entries.data()), NVML_ERROR_INVALID_ARGUMENT) << slot;
        EXPECT_EQ(call(slot, nullptr, &count, entries.data()), NVML_ERROR_INVALID_ARGUMENT) << slot;
    }
}

TEST_F(Watching, TheHostsPcieGenerationTakesTwoArguments) {
    // The software GPU has no link; what stays in the third register is not touched.
    unsigned generation = 9;
    unsigned stale = 7;
    EXPECT_EQ(call(230, device_, &generation, &stale), NVML_ERROR_NOT_SUPPORTED);
    EXPECT_EQ(stale, 7u);
    EXPECT_EQ(call(230, nullptr, &generation, &stale), NVML_ERROR_INVALID_ARGUMENT);
}

TEST_F(Watching, NoArgumentsMakeASlotFault) {
    const ReadOnly page;
    const void* const own_table = table();
    for (size_t slot = 1; slot < slots(); ++slot) {
        for (const void* const first : {static_cast<const void*>(device_), static_cast<const void*>(wild(0)),
                                        static_cast<const void*>(wild(0x660de0ae43c80)), own_table}) {
            for (unsigned* const second : {wild(0), wild(0x22), wild(~uintptr_t{0}), page.number()}) {
                for (unsigned* const third : {wild(0), wild(0x22), wild(~uintptr_t{7}), page.number()}) {
                    const nvmlReturn_t result = call(slot, first, second, third, third);
                    if (is_known(slot)) continue;  // page.number() is a capacity of 0, too
                    EXPECT_EQ(result, first == device_ ? NVML_ERROR_NOT_SUPPORTED : NVML_SUCCESS) << slot;
                }
            }
        }
    }
}

// A driver that knows more than the software GPU.
class DriverWithReadings : public Watching {
  protected:
    DriverWithReadings() {
        session_test::changed_management() = [](ManagementTable* driver) {
            driver->nvmlDeviceGetMarginTemperature = [](nvmlDevice_t, nvmlMarginTemperature_t* margin) {
                margin->marginTemperature = -7;
                return NVML_SUCCESS;
            };
            driver->nvmlDeviceGetAddressingMode = [](nvmlDevice_t, nvmlDeviceAddressingMode_t* mode) {
                mode->value = NVML_DEVICE_ADDRESSING_MODE_ATS;
                return NVML_SUCCESS;
            };
            driver->nvmlDeviceGetMaxPcieLinkGeneration = [](nvmlDevice_t, unsigned* generation) {
                *generation = 5;
                return NVML_SUCCESS;
            };
        };
    }
    ~DriverWithReadings() override { session_test::changed_management() = nullptr; }
};

TEST_F(DriverWithReadings, SlotsWithAPublicTwinSayTheSame) {
    int margin = 0;
    EXPECT_EQ(call(240, device_, &margin), NVML_SUCCESS);
    EXPECT_EQ(margin, -7);
    unsigned mode = 0;
    EXPECT_EQ(call(242, device_, &mode), NVML_SUCCESS);
    EXPECT_EQ(mode, static_cast<unsigned>(NVML_DEVICE_ADDRESSING_MODE_ATS));
    unsigned generation = 0;
    EXPECT_EQ(call(230, device_, &generation), NVML_SUCCESS);
    EXPECT_EQ(generation, 5u);
    for (const size_t slot : {size_t{230}, size_t{240}, size_t{242}}) {
        EXPECT_EQ(call(slot, device_, wild(0x50)), NVML_ERROR_INVALID_ARGUMENT) << slot;
        EXPECT_EQ(call(slot, nullptr, &generation), NVML_ERROR_INVALID_ARGUMENT) << slot;
    }
}

TEST_F(Watching, WhatTheSoftwareGpuHasNotIsNotSupported) {
    unsigned value = 7;
    EXPECT_EQ(call(240, device_, &value), NVML_ERROR_NOT_SUPPORTED);
    EXPECT_EQ(call(242, device_, &value), NVML_ERROR_NOT_SUPPORTED);
    EXPECT_EQ(value, 7u);
}

// A server whose first GPU three programs use.
class InUse : public testing::Test {
  protected:
    InUse() : server_([](const wire::RequestHead& head, const Bytes&) { return answer(head); }) {}
    void SetUp() override {
        ASSERT_EQ(nvmlInit_v2(), NVML_SUCCESS);
        ASSERT_EQ(nvmlDeviceGetHandleByIndex_v2(0, &device_), NVML_SUCCESS);
    }
    void TearDown() override {
        while (nvmlShutdown() == NVML_SUCCESS) {
        }
    }
    static Bytes answer(const wire::RequestHead& head) {
        if (head.id == msg::kId_MonitorOpen) return opened(head);
        msg::MonitorMemory::Reply reply;
        reply.total = 1 << 30;
        // No machine has processes with such numbers: the names are those that the server tells.
        const std::vector<uint8_t> list = wire::encode({{(1u << 22) + 1, 100, "first"},
                                                        {(1u << 22) + 2, 200, std::string(5000, 'x')},
                                                        {(1u << 22) + 3, 300, "third"}});
        reply.processes = list;
        return message(head, body_of(reply));
    }
    template <typename T>
    static T at(const Bytes& entries, size_t entry, size_t offset) {
        T value;
        memcpy(&value, entries.data() + entry * kEntryBytes + offset, sizeof value);
        return value;
    }

    const LyingServer server_;
    nvmlDevice_t device_ = nullptr;
};

TEST_F(InUse, TheProcessListNamesPrograms) {
    unsigned count = 4;
    Bytes entries(4 * kEntryBytes, 0xee);
    ASSERT_EQ(call(213, device_, &count, entries.data()), NVML_SUCCESS);
    ASSERT_EQ(count, 3u);
    for (uint32_t i = 0; i < 3; ++i) {
        EXPECT_EQ(at<uint32_t>(entries, i, 0), (1u << 22) + 1 + i);
        EXPECT_EQ(at<uint64_t>(entries, i, 8), 100u * (i + 1));
        EXPECT_EQ(at<uint32_t>(entries, i, 16), ~0u);
        EXPECT_EQ(at<uint32_t>(entries, i, 20), ~0u);
        EXPECT_EQ(at<uint64_t>(entries, i, 24), 0u);
    }
    const auto* const names = reinterpret_cast<const char*>(entries.data()) + kNameAt;
    EXPECT_STREQ(names, "first");
    EXPECT_EQ(strnlen(names + kEntryBytes, kEntryBytes - kNameAt), kEntryBytes - kNameAt - 1);
    EXPECT_STREQ(names + 2 * kEntryBytes, "third");
    EXPECT_EQ(at<uint8_t>(entries, 3, 0), 0xee) << "beyond the list";
}

TEST_F(InUse, TheProcessListFillsTheRoomThereIs) {
    unsigned count = 2;
    Bytes entries(3 * kEntryBytes, 0xee);
    EXPECT_EQ(call(213, device_, &count, entries.data()), NVML_SUCCESS);
    EXPECT_EQ(count, 2u);
    EXPECT_EQ(at<uint32_t>(entries, 1, 0), (1u << 22) + 2);
    EXPECT_EQ(at<uint8_t>(entries, 2, 0), 0xee) << "beyond the room";
    count = 0;
    EXPECT_EQ(call(213, device_, &count, static_cast<void*>(nullptr)), NVML_SUCCESS);
    EXPECT_EQ(count, 0u);
    count = 3;
    EXPECT_EQ(call(213, device_, &count, static_cast<void*>(nullptr)), NVML_ERROR_INVALID_ARGUMENT);
    EXPECT_EQ(call(213, device_, &count, wild(0x1000)), NVML_ERROR_INVALID_ARGUMENT);
    EXPECT_EQ(call(213, device_, &count, ReadOnly().number()), NVML_ERROR_INVALID_ARGUMENT);
}

}  // namespace
}  // namespace bitfusion::nvml_test
