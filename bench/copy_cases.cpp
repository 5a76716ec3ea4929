// Copies of 4 KiB and of the large size, each way, from each kind of host memory, and both ways at once.
#include <sys/mman.h>

#include <cstdlib>
#include <cstring>
#include <memory>
#include <thread>

#include "bench/program.h"

namespace bitfusion::bench {
namespace {

constexpr size_t kSmall = 4096;

enum class Host { kPageable, kPinned, kRegistered };

// Host memory of one kind, for the length of the process.
uint8_t* host_memory(Program& p, Host kind, size_t bytes) {
    void* memory = nullptr;
    if (kind == Host::kPinned) {
        BENCH_OK(p.cuda.cuMemHostAlloc(&memory, bytes, 0));
    } else {
        memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (memory == MAP_FAILED) throw Failure{"no memory for the host's side of a copy"};
        if (kind == Host::kRegistered) BENCH_OK(p.cuda.cuMemHostRegister_v2(memory, bytes, 0));
    }
    memset(memory, 0, bytes);
    return static_cast<uint8_t*>(memory);
}

uint8_t pattern(size_t at, unsigned seed) { return static_cast<uint8_t>(at * 31 + at / 4096 + seed); }

void expect_pattern(const uint8_t* data, size_t bytes, unsigned seed, const std::string& what) {
    for (size_t at = 0; at < bytes; at += 4093) {
        if (data[at] != pattern(at, seed)) throw Failure{what + ": byte " + std::to_string(at) + " is wrong"};
    }
}

struct Sides {
    uint8_t* host = nullptr;
    uint8_t* other = nullptr;
    CUstream up = nullptr;
    CUstream down = nullptr;
};

Case one_way(Program& p, const std::string& name, Host kind, size_t bytes, bool to_device) {
    auto s = std::make_shared<Sides>();
    return {.name = name,
            .operations = bytes == kSmall ? 100u : 1u,
            .bytes = static_cast<double>(bytes),
            .before =
                [&p, s, kind, bytes, to_device] {
                    if (s->host == nullptr) s->host = host_memory(p, kind, bytes);
                    if (s->other == nullptr) s->other = host_memory(p, Host::kPageable, bytes);
                    uint8_t* source = to_device ? s->host : s->other;
                    for (size_t at = 0; at < bytes; ++at) source[at] = pattern(at, 7);
                    if (to_device) return;
                    BENCH_OK(p.cuda.cuMemcpyHtoD_v2(p.memory, s->other, bytes));
                    // It may return before the bytes are on the GPU, and what is timed would wait for them.
                    BENCH_OK(p.cuda.cuCtxSynchronize());
                },
            .run =
                [&p, s, bytes, to_device](unsigned n) {
                    for (unsigned i = 0; i < n; ++i) {
                        if (to_device)
                            BENCH_OK(p.cuda.cuMemcpyHtoDAsync_v2(p.memory, s->host, bytes, nullptr));
                        else
                            BENCH_OK(p.cuda.cuMemcpyDtoHAsync_v2(s->host, p.memory, bytes, nullptr));
                        BENCH_OK(p.cuda.cuStreamSynchronize(nullptr));
                    }
                },
            .after =
                [&p, s, bytes, to_device, name] {
                    if (to_device) BENCH_OK(p.cuda.cuMemcpyDtoH_v2(s->other, p.memory, bytes));
                    expect_pattern(to_device ? s->other : s->host, bytes, 7, name);
                }};
}

Case both_ways(Program& p, size_t bytes) {
    auto s = std::make_shared<Sides>();
    return {.name = "both_ways_pinned",
            .operations = 1,
            .bytes = 2.0 * static_cast<double>(bytes),
            .before =
                [&p, s, bytes] {
                    if (s->host == nullptr) {
                        s->host = host_memory(p, Host::kPinned, bytes / 2);
                        s->other = host_memory(p, Host::kPinned, bytes / 2);
                        BENCH_OK(p.cuda.cuStreamCreate(&s->up, CU_STREAM_NON_BLOCKING));
                        BENCH_OK(p.cuda.cuStreamCreate(&s->down, CU_STREAM_NON_BLOCKING));
                    }
                    for (size_t at = 0; at < bytes / 2; ++at) s->host[at] = pattern(at, 9);
                    BENCH_OK(p.cuda.cuMemcpyHtoD_v2(p.memory + bytes / 2, s->host, bytes / 2));
                    BENCH_OK(p.cuda.cuCtxSynchronize());
                    memset(s->other, 0, bytes / 2);
                },
            .run =
                [&p, s, bytes](unsigned n) {
                    for (unsigned i = 0; i < n; ++i) {
                        CUresult down = CUDA_ERROR_UNKNOWN;
                        std::thread other([&] {
                            p.cuda.cuCtxSetCurrent(p.context);
                            down = p.cuda.cuMemcpyDtoHAsync_v2(s->other, p.memory + bytes / 2, bytes / 2,
                                                               s->down);
                            if (down == CUDA_SUCCESS) down = p.cuda.cuStreamSynchronize(s->down);
                        });
                        const CUresult up = p.cuda.cuMemcpyHtoDAsync_v2(p.memory, s->host, bytes / 2, s->up);
                        const CUresult done = p.cuda.cuStreamSynchronize(s->up);
                        other.join();
                        BENCH_OK(up);
                        BENCH_OK(done);
                        BENCH_OK(down);
                    }
                },
            .after = [s, bytes] { expect_pattern(s->other, bytes / 2, 9, "both_ways_pinned"); }};
}

}  // namespace

std::vector<Case> copy_cases(Program& p) {
    std::vector<Case> cases;
    const struct {
        const char* name;
        Host kind;
    } kinds[] = {{"pageable", Host::kPageable}, {"pinned", Host::kPinned}, {"registered", Host::kRegistered}};
    for (const auto& [word, kind] : kinds) {
        cases.push_back(one_way(p, std::string("to_device_4KiB_") + word, kind, kSmall, true));
        cases.push_back(one_way(p, std::string("to_host_4KiB_") + word, kind, kSmall, false));
    }
    for (const auto& [word, kind] : kinds) {
        cases.push_back(one_way(p, std::string("to_device_bulk_") + word, kind, p.bulk_bytes, true));
        cases.push_back(one_way(p, std::string("to_host_bulk_") + word, kind, p.bulk_bytes, false));
    }
    cases.push_back(both_ways(p, p.bulk_bytes));
    return cases;
}

}  // namespace bitfusion::bench
