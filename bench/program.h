// Program: what every case starts from, a small CUDA program on a driver table: device 0, its primary
// context, a module with two kernels, some device memory. The table is NVIDIA's driver, the software GPU in
// this process, or the stand-in under `bitfusion run`; the cases cannot tell.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "driver_table.gen.h"

namespace bitfusion::bench {

// A CUDA error ends the case: `what` names the call.
struct Failure {
    std::string what;
};
void check(CUresult result, const char* what);
#define BENCH_OK(call) ::bitfusion::bench::check((call), #call)

struct Program {
    DriverTable cuda{};
    CUcontext context = nullptr;
    CUmodule module = nullptr;
    CUfunction nothing = nullptr;  // no parameters
    CUfunction add = nullptr;      // (unsigned* data, unsigned count): adds one to each
    CUdeviceptr memory = 0;
    size_t bulk_bytes = 0;  // of the large copies; `memory` holds as much

    // cuInit to the first kernel.
    void open(size_t bulk);
    void launch_nothing(CUstream stream = nullptr) const;
    void launch_add(unsigned count, CUstream stream = nullptr) const;
    // Text of a module that no one has loaded yet: a cold load.
    static std::string module_text(unsigned number);
};

// One measured case. run(n) does the operation n times; its time divided by n is the value. before and after
// are not timed; after checks the results and throws Failure when they are wrong.
struct Case {
    std::string name;
    unsigned operations = 1;  // n of one repetition
    double bytes = 0;         // moved by one operation, for rates
    std::function<void()> before;
    std::function<void(unsigned n)> run;
    std::function<void()> after;
};

std::vector<Case> launch_cases(Program& p);
std::vector<Case> copy_cases(Program& p);
std::vector<Case> object_cases(Program& p);

}  // namespace bitfusion::bench
