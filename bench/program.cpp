#include "bench/program.h"

#include <cstdio>

namespace bitfusion::bench {
namespace {

constexpr const char* kKernels = R"(
.version 6.0
.target sm_50
.address_size 64
.visible .entry nothing() { ret; }
.visible .entry add(.param .u64 data, .param .u32 count) {
    .reg .pred %p<2>;
    .reg .b32 %r<7>;
    .reg .b64 %rd<5>;
    ld.param.u64 %rd1, [data];
    ld.param.u32 %r1, [count];
    mov.u32 %r2, %ctaid.x;
    mov.u32 %r3, %ntid.x;
    mov.u32 %r4, %tid.x;
    mad.lo.s32 %r5, %r2, %r3, %r4;
    setp.ge.u32 %p1, %r5, %r1;
    @%p1 bra done;
    cvta.to.global.u64 %rd2, %rd1;
    mul.wide.u32 %rd3, %r5, 4;
    add.s64 %rd4, %rd2, %rd3;
    ld.global.u32 %r6, [%rd4];
    add.s32 %r6, %r6, 1;
    st.global.u32 [%rd4], %r6;
done:
    ret;
}
)";

}  // namespace

void check(CUresult result, const char* what) {
    if (result != CUDA_SUCCESS) throw Failure{std::string(what) + " gave error " + std::to_string(result)};
}

void Program::open(size_t bulk) {
    bulk_bytes = bulk;
    BENCH_OK(cuda.cuInit(0));
    BENCH_OK(cuda.cuDevicePrimaryCtxRetain(&context, 0));
    BENCH_OK(cuda.cuCtxSetCurrent(context));
    BENCH_OK(cuda.cuModuleLoadData(&module, kKernels));
    BENCH_OK(cuda.cuModuleGetFunction(&nothing, module, "nothing"));
    BENCH_OK(cuda.cuModuleGetFunction(&add, module, "add"));
    BENCH_OK(cuda.cuMemAlloc_v2(&memory, bulk));
    BENCH_OK(cuda.cuMemsetD8_v2(memory, 0, bulk));
    launch_nothing();
    BENCH_OK(cuda.cuCtxSynchronize());
}

void Program::launch_nothing(CUstream stream) const {
    BENCH_OK(cuda.cuLaunchKernel(nothing, 1, 1, 1, 32, 1, 1, 0, stream, nullptr, nullptr));
}

void Program::launch_add(unsigned count, CUstream stream) const {
    CUdeviceptr data = memory;
    void* arguments[] = {&data, &count};
    BENCH_OK(cuda.cuLaunchKernel(add, (count + 127) / 128, 1, 1, 128, 1, 1, 0, stream, arguments, nullptr));
}

std::string Program::module_text(unsigned number) {
    char text[256];
    snprintf(text, sizeof text,
             ".version 6.0\n.target sm_50\n.address_size 64\n"
             ".visible .entry kernel_%u() { .reg .b32 %%r<2>; mov.u32 %%r1, %u; ret; }\n",
             number, number);
    return text;
}

}  // namespace bitfusion::bench
