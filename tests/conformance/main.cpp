// conformance_tests --target=soft[:capability] | --target=lib:<path of a libcuda.so.1> [--strict] [--native]
// [gtest options]
//
// Exit codes: those of gtest (0 all passed or skipped, 1 some failed); 2 the target cannot be opened.
#include <cstdio>
#include <string>
#include <string_view>

#include "conformance/child.h"
#include "conformance/target.h"
#include "device/device.h"
#include "device/soft/soft_device.h"

namespace bitfusion::conformance {

namespace {

DriverTable table;
std::string target;
bool strict = false;
bool native = false;

Status open_target(std::string_view name) {
    constexpr std::string_view kLibrary = "lib:";
    constexpr std::string_view kSoft = "soft:";
    soft::SoftOptions options;
    options.gpus = 2;
    if (name == "soft") return soft::open_soft_device(options, &table);
    if (name.size() == kSoft.size() + 3 && name.starts_with(kSoft) && name[6] == '.') {  // soft:9.0
        options.cc_major = name[5] - '0';
        options.cc_minor = name[7] - '0';
        return soft::open_soft_device(options, &table);
    }
    if (name.starts_with(kLibrary))
        return open_driver_library(std::string(name.substr(kLibrary.size())), &table);
    return fail("unknown target '" + std::string(name) +
                "'; use --target=soft or --target=lib:<path of a libcuda.so.1>");
}

}  // namespace

const DriverTable& driver() { return table; }
const std::string& target_argument() { return target; }
bool may_skip() { return !strict; }
bool answers_misuse() { return !native; }
bool is_software_gpu() {
    char name[256] = {};
    return CU_CALL(cuDeviceGetName, name, int{sizeof name}, 0) == CUDA_SUCCESS &&
           std::string_view(name).find("Software GPU") != std::string_view::npos;
}

void OnDevice::SetUp() {
    // Kept for the whole process; the driver releases it at exit.
    static const CUresult started = CU_CALL(cuInit, 0);
    ASSERT_EQ(started, CUDA_SUCCESS);
    ASSERT_EQ(CU_CALL(cuDeviceGet, &device_, 0), CUDA_SUCCESS);
    static CUcontext primary = nullptr;
    static const CUresult retained = CU_CALL(cuDevicePrimaryCtxRetain, &primary, device_);
    ASSERT_EQ(retained, CUDA_SUCCESS);
    context_ = primary;
    ASSERT_EQ(CU_CALL(cuCtxSetCurrent, context_), CUDA_SUCCESS);
}

void OnDevice::TearDown() {
    if (context_ == nullptr) return;
    EXPECT_EQ(CU_CALL(cuCtxSetCurrent, context_), CUDA_SUCCESS);
    EXPECT_EQ(CU_CALL(cuCtxSynchronize), CUDA_SUCCESS) << "work of this test failed";
}

int attribute(CUdevice_attribute which, CUdevice device) {
    int value = 0;
    EXPECT_EQ(CU_CALL(cuDeviceGetAttribute, &value, which, device), CUDA_SUCCESS) << "attribute " << which;
    return value;
}

}  // namespace bitfusion::conformance

void PrintTo(CUresult code, std::ostream* out) {
    const char* name = nullptr;
    if (CU_CALL(cuGetErrorName, code, &name) != CUDA_SUCCESS || name == nullptr) name = "unknown code";
    *out << name << " (" << static_cast<int>(code) << ")";
}

int main(int argc, char** argv) {
    using namespace bitfusion;
    testing::InitGoogleTest(&argc, argv);  // takes its own options out of argv
    std::string child;
    for (int i = 1; i < argc; ++i) {
        const std::string_view option = argv[i];
        if (option.starts_with("--target=")) {
            conformance::target = option;
        } else if (option.starts_with("--child=")) {
            child = option.substr(option.find('=') + 1);
        } else if (option == "--strict") {
            conformance::strict = true;
        } else if (option == "--native") {
            conformance::native = true;
        } else {
            std::fprintf(stderr, "unknown option '%s'; see tests/conformance/main.cpp\n", argv[i]);
            return 2;
        }
    }
    if (testing::GTEST_FLAG(list_tests)) return RUN_ALL_TESTS();
    if (conformance::target.empty()) conformance::target = "--target=soft";
    const Status opened =
        conformance::open_target(conformance::target.substr(std::string_view("--target=").size()));
    if (!opened) {
        std::fprintf(stderr, "cannot open the target: %s\n", opened.error().what.c_str());
        return 2;
    }
    return child.empty() ? RUN_ALL_TESTS() : conformance::be_child(child);
}
