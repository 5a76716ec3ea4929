// Special registers ("PTX ISA", chapter 10): those whose value is known, and what the others promise.
#include "ptx/case.h"

namespace bitfusion::ptx {

namespace {

constexpr unsigned kThreads = 128;

Case known(const std::string& name, std::function<uint64_t(size_t i)> value, unsigned capability = 52) {
    return together(name, "u32 u32",
                    [=](const std::vector<In>& threads) {
                        std::vector<uint64_t> out(threads.size());
                        for (size_t i = 0; i < out.size(); ++i) out[i] = value(i);
                        return out;
                    })
        .needs(capability)
        .over(scattered(256))
        .written("mov.u32 %d, " + name + ";");
}

Case promised(const std::string& name, const std::string& code, unsigned capability = 52) {
    return exact(name, "u32 u32", [](In) { return 1; }).needs(capability).over(scattered(256)).written(code);
}

}  // namespace

std::vector<Case> special_cases() {
    std::vector<Case> all;
    all.push_back(known("%tid.x", [](size_t i) { return i % kThreads; }));
    all.push_back(known("%tid.y", [](size_t) { return 0; }));
    all.push_back(known("%tid.z", [](size_t) { return 0; }));
    all.push_back(known("%ntid.x", [](size_t) { return kThreads; }));
    all.push_back(known("%ntid.y", [](size_t) { return 1; }));
    all.push_back(known("%ntid.z", [](size_t) { return 1; }));
    all.push_back(known("%ctaid.x", [](size_t i) { return i / kThreads; }));
    all.push_back(known("%ctaid.y", [](size_t) { return 0; }));
    all.push_back(known("%ctaid.z", [](size_t) { return 0; }));
    all.push_back(known("%nctaid.x", [](size_t) { return 2; }));
    all.push_back(known("%nctaid.y", [](size_t) { return 1; }));
    all.push_back(known("%nctaid.z", [](size_t) { return 1; }));
    all.push_back(known("%laneid", [](size_t i) { return i % 32; }));
    all.push_back(known("%lanemask_eq", [](size_t i) { return uint64_t{1} << i % 32; }));
    all.push_back(known("%lanemask_lt", [](size_t i) { return (uint64_t{1} << i % 32) - 1; }));
    all.push_back(known("%lanemask_le", [](size_t i) { return (uint64_t{2} << i % 32) - 1; }));
    all.push_back(known("%lanemask_gt", [](size_t i) { return ~((uint64_t{2} << i % 32) - 1); }));
    all.push_back(known("%lanemask_ge", [](size_t i) { return ~((uint64_t{1} << i % 32) - 1); }));
    all.push_back(known("%dynamic_smem_size", [](size_t) { return 0; }));
    all.push_back(known(
        "%cluster_ctarank", [](size_t) { return 0; }, 90));
    all.push_back(known(
        "%cluster_nctarank", [](size_t) { return 1; }, 90));
    all.push_back(known(
        "%cluster_ctaid.x", [](size_t) { return 0; }, 90));
    all.push_back(known(
        "%cluster_nctaid.x", [](size_t) { return 1; }, 90));
    all.push_back(known(
        "%clusterid.x", [](size_t i) { return i / kThreads; }, 90));
    all.push_back(known(
        "%nclusterid.x", [](size_t) { return 2; }, 90));
    const std::string below = "setp.lt.u32 %p, %x, %y; selp.u32 %d, 1, 0, %p;";
    all.push_back(promised(
        "%warpid", ".reg .pred %p; .reg .u32 %x, %y; mov.u32 %x, %warpid; mov.u32 %y, %nwarpid; " + below));
    all.push_back(promised(
        "%smid", ".reg .pred %p; .reg .u32 %x, %y; mov.u32 %x, %smid; mov.u32 %y, %nsmid; " + below));
    all.push_back(promised("%gridid", ".reg .u64 %x; mov.u64 %x, %gridid; mov.u32 %d, 1;"));
    all.push_back(promised(
        "%total_smem_size",
        ".shared .align 4 .b8 v[256]; .reg .pred %p; .reg .u32 %x; mov.u32 %x, v; st.shared.u32 [%x], %x; "
        "mov.u32 %x, %total_smem_size; setp.ge.u32 %p, %x, 256; selp.u32 %d, 1, 0, %p;"));
    const auto advances = [](const std::string& name, const std::string& width) {
        return promised(name, ".reg .pred %p; .reg ." + width + " %x, %y; mov." + width + " %x, " + name +
                                  "; mov." + width + " %y, " + name + "; sub." + width +
                                  " %y, %y, %x; setp.lt." + width +
                                  " %p, %y, 1000000000; selp.u32 %d, 1, 0, %p;");
    };
    all.push_back(advances("%clock", "u32"));
    all.push_back(advances("%clock_hi", "u32"));
    all.push_back(advances("%clock64", "u64"));
    all.push_back(advances("%globaltimer_lo", "u32"));
    all.push_back(advances("%globaltimer_hi", "u32"));
    all.push_back(promised("%globaltimer",
                           ".reg .pred %p; .reg .u64 %x; mov.u64 %x, %globaltimer; setp.gt.u64 %p, %x, 0; "
                           "selp.u32 %d, 1, 0, %p;"));
    all.push_back(promised("%pm0", ".reg .u32 %x; mov.u32 %x, %pm0; mov.u32 %d, 1;"));
    all.push_back(promised("%envreg0", ".reg .u32 %x; mov.u32 %x, %envreg0; mov.u32 %d, 1;"));
    return all;
}

}  // namespace bitfusion::ptx
