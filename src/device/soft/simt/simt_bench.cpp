// Speed of the interpreter on one core: thread-instructions per second for a few plain kernels.
//
// simt_bench [seconds a kernel]
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "device/soft/simt/grid.h"

namespace {

using bitfusion::soft::LaunchRequest;
using bitfusion::soft::LoadedProgram;

struct Bench {
    const char* name;
    const char* body;
};

constexpr Bench kBenches[] = {
    {"integer", "add.u32 %x, %x, %t; xor.b32 %y, %x, %i; mad.lo.u32 %z, %x, %y, %z; shr.u32 %x, %z, 3;"},
    {"float",
     "fma.rn.f32 %f, %f, %g, %h; mul.f32 %g, %g, %h; add.f32 %h, %h, %f; fma.rn.f32 %h, %g, %f, %h;"},
    {"double",
     "fma.rn.f64 %d, %d, %d, %e; add.f64 %e, %e, %d; mul.f64 %d, %d, %e; fma.rn.f64 %e, %d, %e, %d;"},
    {"global memory",
     "ld.global.f32 %f, [%q]; add.f32 %f, %f, %h; st.global.f32 [%q], %f; ld.global.u32 %x, [%q+4];"},
    {"shared memory", "ld.shared.f32 %f, [%s]; add.f32 %f, %f, %h; st.shared.f32 [%s], %f; bar.sync 0;"},
    {"diverging", "and.b32 %x, %t, 1; setp.eq.u32 %p, %x, 0; @%p add.u32 %y, %y, 1; @!%p sub.u32 %y, %y, 1;"},
};

std::string text_of(const Bench& bench) {
    return std::string(R"(.version 8.4
.target sm_90
.address_size 64
.visible .entry k(.param .u64 p, .param .u32 n) {
    .reg .u32 %i, %n, %t, %x, %y, %z, %s; .reg .f32 %f, %g, %h; .reg .f64 %d, %e; .reg .u64 %q; .reg .pred %p, %l;
    .shared .align 4 .b8 cells[4096];
    ld.param.u64 %q, [p]; ld.param.u32 %n, [n]; mov.u32 %t, %tid.x; mov.u32 %i, 0; mad.wide.u32 %q, %t, 4, %q;
    mov.u32 %s, cells; mad.lo.u32 %s, %t, 4, %s; cvt.rn.f32.u32 %g, %t; cvt.rn.f64.u32 %e, %t; mov.f32 %h, 0f3f000000;
LOOP:
)") + bench.body +
           bench.body + bench.body + bench.body + R"(
    add.u32 %i, %i, 1; setp.lt.u32 %l, %i, %n; @%l bra LOOP;
    st.global.u32 [%q], %x; st.global.u32 [%q], %y; st.global.u32 [%q], %z; st.global.f32 [%q], %f; ret;
})";
}

double measure(const Bench& bench, double seconds, std::vector<uint64_t>& memory) {
    const auto program = bitfusion::soft::assemble(text_of(bench));
    if (!program) {
        std::fprintf(stderr, "%s: %s\n", bench.name, program.error().what.c_str());
        std::exit(1);
    }
    const auto loaded = LoadedProgram::load(*program, {});
    const bitfusion::soft::Window window{reinterpret_cast<uint64_t>(memory.data()), memory.size() * 8};
    std::vector<std::byte> parameters(12);
    const uint64_t address = window.base;
    std::memcpy(parameters.data(), &address, 8);
    LaunchRequest request;
    request.program = *loaded;
    request.block = {256};
    request.windows = {&window, 1};
    uint64_t instructions = 0;
    double taken = 0;
    // longer and longer launches until the time is worth measuring
    for (uint32_t loops = 1000; taken < seconds; loops *= 2) {
        std::memcpy(parameters.data() + 8, &loops, 4);
        request.parameters = parameters;
        const auto start = std::chrono::steady_clock::now();
        const auto outcome = run(request);
        taken = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
        if (!outcome) {
            std::fprintf(stderr, "%s: %s\n", bench.name, outcome.fault.message.c_str());
            std::exit(1);
        }
        instructions = outcome.instructions;
    }
    return static_cast<double>(instructions) / taken;
}

}  // namespace

int main(int argc, char** argv) {
    const double seconds = argc > 1 ? std::atof(argv[1]) : 0.3;
    std::vector<uint64_t> memory(1024);
    for (const Bench& bench : kBenches)
        std::printf("%-14s %7.0f million thread-instructions per second\n", bench.name,
                    measure(bench, seconds, memory) / 1e6);
    return 0;
}
