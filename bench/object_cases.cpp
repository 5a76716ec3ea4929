// Events, allocations, modules: what programs make and drop.
#include "bench/program.h"

namespace bitfusion::bench {
namespace {

void load_and_drop(Program& p, const std::string& text) {
    CUmodule module = nullptr;
    BENCH_OK(p.cuda.cuModuleLoadData(&module, text.c_str()));
    BENCH_OK(p.cuda.cuModuleUnload(module));
}

}  // namespace

std::vector<Case> object_cases(Program& p) {
    static unsigned number = 1;
    static CUevent event = nullptr;
    return {
        {.name = "event_cycle",
         .operations = 100,
         .run =
             [&p](unsigned n) {
                 for (unsigned i = 0; i < n; ++i) {
                     CUevent begin = nullptr;
                     CUevent end = nullptr;
                     float elapsed = -1;
                     BENCH_OK(p.cuda.cuEventCreate(&begin, CU_EVENT_DEFAULT));
                     BENCH_OK(p.cuda.cuEventCreate(&end, CU_EVENT_DEFAULT));
                     BENCH_OK(p.cuda.cuEventRecord(begin, nullptr));
                     p.launch_nothing();
                     BENCH_OK(p.cuda.cuEventRecord(end, nullptr));
                     BENCH_OK(p.cuda.cuEventSynchronize(end));
                     BENCH_OK(p.cuda.cuEventElapsedTime_v2(&elapsed, begin, end));
                     if (!(elapsed >= 0)) throw Failure{"event_cycle: an end before its begin"};
                     BENCH_OK(p.cuda.cuEventDestroy_v2(begin));
                     BENCH_OK(p.cuda.cuEventDestroy_v2(end));
                 }
             }},
        {.name = "event_query",
         .operations = 1000,
         .before =
             [&p] {
                 if (event == nullptr) BENCH_OK(p.cuda.cuEventCreate(&event, CU_EVENT_DISABLE_TIMING));
                 BENCH_OK(p.cuda.cuEventRecord(event, nullptr));
                 BENCH_OK(p.cuda.cuEventSynchronize(event));
             },
         .run =
             [&p](unsigned n) {
                 for (unsigned i = 0; i < n; ++i) BENCH_OK(p.cuda.cuEventQuery(event));
             }},
        {.name = "alloc_and_free_1MiB",
         .operations = 100,
         .run =
             [&p](unsigned n) {
                 for (unsigned i = 0; i < n; ++i) {
                     CUdeviceptr address = 0;
                     BENCH_OK(p.cuda.cuMemAlloc_v2(&address, 1u << 20));
                     BENCH_OK(p.cuda.cuMemFree_v2(address));
                 }
             }},
        {.name = "module_load_cold",
         .operations = 10,
         .run =
             [&p](unsigned n) {
                 for (unsigned i = 0; i < n; ++i) load_and_drop(p, Program::module_text(++number));
             }},
        {.name = "module_load_warm",
         .operations = 10,
         .before = [&p] { load_and_drop(p, Program::module_text(0)); },
         .run =
             [&p](unsigned n) {
                 for (unsigned i = 0; i < n; ++i) load_and_drop(p, Program::module_text(0));
             }},
    };
}

}  // namespace bitfusion::bench
