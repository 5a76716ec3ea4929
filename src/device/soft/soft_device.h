// The software GPU: a driver in software, for machines without a GPU and for tests.
//
// open_soft_device() fills a DriverTable with functions that behave as CUDA 13.0's driver does: same
// signatures, same results, same order of checks. Kernels come from PTX only and run on this machine's cores.
// Functions that it does not have stay null in the table.
//
// Owner: the process. A C driver API is global by nature, so there is one software driver in a process: it is
// made by the first open and lives until it is closed or the process ends. Opening again with the same
// options fills another table from the same driver; with other options it fails. Any thread may call any
// function of the table.
#pragma once

#include <chrono>
#include <cstdint>

#include "base/result.h"

namespace bitfusion {
struct DriverTable;
}

namespace bitfusion::soft {

struct SoftOptions {
    int gpus = 1;
    uint64_t memory_bytes = uint64_t{4} << 30;  // per GPU
    // 8.9 is complete; 9.0 and later bring instructions that are refused (wgmma, the copy engine).
    int cc_major = 8;
    int cc_minor = 9;
    std::chrono::milliseconds launch_limit{0};  // a launch that runs longer fails; 0: none
    unsigned threads = 0;                       // cores that kernels may use; 0: all of this machine

    bool operator==(const SoftOptions&) const = default;
};

Status open_soft_device(const SoftOptions& options, DriverTable* table);

// Ends the driver and all that programs have left in it; the next open makes a new one, with other options if
// it likes. For whoever plays one program after the other in one process. The caller's thread is the only one
// that has made calls, and no call is under way. Waits for the kernels that run: give them a launch_limit.
void close_soft_device();

// Lets everything that waits in a stream go on, with an error in its context: for a close, or for a thread
// that a call holds up. Any thread.
void abandon_soft_work();

}  // namespace bitfusion::soft
