// Launches, synchronisation and small reads: what programs with small batches are made of.
#include "bench/program.h"

namespace bitfusion::bench {

std::vector<Case> launch_cases(Program& p) {
    static CUgraphExec graph = nullptr;
    static CUstream stream = nullptr;
    static unsigned seen = 0;
    static unsigned wanted = 0;
    const auto synchronize = [&p] { BENCH_OK(p.cuda.cuCtxSynchronize()); };
    return {
        {.name = "launch",
         .operations = 1000,
         .before = synchronize,
         .run =
             [&p](unsigned n) {
                 for (unsigned i = 0; i < n; ++i) p.launch_add(32);
             },
         .after = synchronize},
        {.name = "launch_and_synchronize",
         .operations = 100,
         .run =
             [&p](unsigned n) {
                 for (unsigned i = 0; i < n; ++i) {
                     p.launch_nothing();
                     BENCH_OK(p.cuda.cuCtxSynchronize());
                 }
             }},
        {.name = "read_4_bytes",  // a framework's item(): kernel, copy, wait
         .operations = 100,
         .before =
             [&p] {
                 BENCH_OK(p.cuda.cuMemsetD8_v2(p.memory, 0, 4));
                 wanted = 0;
             },
         .run =
             [&p](unsigned n) {
                 for (unsigned i = 0; i < n; ++i) {
                     p.launch_add(1);
                     BENCH_OK(p.cuda.cuMemcpyDtoHAsync_v2(&seen, p.memory, sizeof seen, nullptr));
                     BENCH_OK(p.cuda.cuStreamSynchronize(nullptr));
                     if (seen != ++wanted) throw Failure{"read_4_bytes: a kernel's result is not there"};
                 }
             }},
        {.name = "graph_of_32_launches",
         .operations = 50,
         .before =
             [&p] {
                 if (graph != nullptr) return;
                 CUgraph captured = nullptr;
                 BENCH_OK(p.cuda.cuStreamCreate(&stream, CU_STREAM_NON_BLOCKING));
                 BENCH_OK(p.cuda.cuStreamBeginCapture_v2(stream, CU_STREAM_CAPTURE_MODE_RELAXED));
                 for (int i = 0; i < 32; ++i) p.launch_nothing(stream);
                 BENCH_OK(p.cuda.cuStreamEndCapture(stream, &captured));
                 BENCH_OK(p.cuda.cuGraphInstantiateWithFlags(&graph, captured, 0));
                 BENCH_OK(p.cuda.cuGraphDestroy(captured));
             },
         .run =
             [&p](unsigned n) {
                 for (unsigned i = 0; i < n; ++i) BENCH_OK(p.cuda.cuGraphLaunch(graph, stream));
                 BENCH_OK(p.cuda.cuStreamSynchronize(stream));
             }},
    };
}

}  // namespace bitfusion::bench
