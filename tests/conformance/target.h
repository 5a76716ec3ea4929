// The driver under test and the words in which tests speak of it.
//
// One test body, four targets: the software GPU in this process, a real libcuda.so.1, and both of them
// through a worker (then the program runs under `bitfusion run` and the target is the stand-in library).
// driver() is filled once by main before any test runs and never changes; any thread may use it.
//
// A test asserts what the CUDA driver API documents. Where the documentation leaves a choice, the test
// accepts each of the choices. A function that the target does not have (a null pointer in the table) or
// answers with CUDA_ERROR_NOT_SUPPORTED skips the test with the function's name; with --strict it fails
// instead, which is how a real driver is held to the whole body.
#pragma once

#include <gtest/gtest.h>

#include <ostream>
#include <string>

#include "cuda_api.gen.h"
#include "driver_table.gen.h"

// gtest prints codes by name, e.g. CUDA_ERROR_INVALID_VALUE (1). In the global namespace, where CUresult is.
void PrintTo(CUresult code, std::ostream* out);

namespace bitfusion::conformance {

const DriverTable& driver();

// What main was started with: the argument --target=..., for child processes.
const std::string& target_argument();

// Whether an unsupported function may skip a test.
bool may_skip();

// Whether the target answers misuse of which CUDA's documents say that its behaviour is undefined (dead
// handles, null where a result goes): ours always does, NVIDIA's own driver may crash (--native).
bool answers_misuse();

// A device pointer that no target hands out: inside the first page.
constexpr CUdeviceptr kNowhere = 0x40;

// Whether device 0 is a software GPU, in this process or behind the network.
bool is_software_gpu();

// Device 0 with its primary context current on the test's thread, for tests that do not manage contexts
// themselves. The primary context is retained once for the whole process, because creating it takes a real
// driver long.
class OnDevice : public testing::Test {
  protected:
    void SetUp() override;
    void TearDown() override;  // everything the test posted must have run without an error

    CUdevice device_ = 0;
    CUcontext context_ = nullptr;
};

// The value of one attribute; fails the test when the driver refuses.
int attribute(CUdevice_attribute which, CUdevice device = 0);

}  // namespace bitfusion::conformance

// The code of one call.
#define CU_CALL(name, ...)                                      \
    (::bitfusion::conformance::driver().name != nullptr         \
         ? ::bitfusion::conformance::driver().name(__VA_ARGS__) \
         : CUDA_ERROR_NOT_SUPPORTED)

// Calls and compares the code; ends the test when it differs, or skips it when the target lacks the function.
#define CU_IS(code, name, ...)                                                             \
    do {                                                                                   \
        const CUresult cu_result = CU_CALL(name, __VA_ARGS__);                             \
        if (cu_result == CUDA_ERROR_NOT_SUPPORTED && ::bitfusion::conformance::may_skip()) \
            GTEST_SKIP() << #name " is not supported by this target";                      \
        ASSERT_EQ(cu_result, code) << #name "(" #__VA_ARGS__ ")";                          \
    } while (false)

#define CU_OK(name, ...) CU_IS(CUDA_SUCCESS, name, __VA_ARGS__)

// The call must fail with one of two codes.
#define CU_IS_ONE_OF(first, second, name, ...)                                             \
    do {                                                                                   \
        const CUresult cu_result = CU_CALL(name, __VA_ARGS__);                             \
        if (cu_result == CUDA_ERROR_NOT_SUPPORTED && ::bitfusion::conformance::may_skip()) \
            GTEST_SKIP() << #name " is not supported by this target";                      \
        ASSERT_TRUE(cu_result == (first) || cu_result == (second))                         \
            << #name "(" #__VA_ARGS__ ") gave " << testing::PrintToString(cu_result);      \
    } while (false)
