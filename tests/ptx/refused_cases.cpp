// What the software GPU refuses by name when a module is loaded, and why.
#include "ptx/case.h"

namespace bitfusion::ptx {

std::vector<Refused> refused_cases() {
    const std::string hopper = "belongs to sm_90a alone";
    const std::string blackwell = "belongs to sm_100 and its family";
    const std::string bulk = "needs the copy engine of sm_90; the software GPU is sm_89";
    return {
        {"wgmma", "wgmma.fence.sync.aligned;", hopper},
        {"setmaxnreg", "setmaxnreg.inc.sync.aligned.u32 64;", hopper},
        {"tcgen05", "tcgen05.wait::ld.sync.aligned;", blackwell},
        {"clusterlaunchcontrol", "clusterlaunchcontrol.query_cancel.is_canceled.pred.b128 %p, %q;",
         blackwell},
        {"cp.async.bulk", "cp.async.bulk.commit_group;", bulk},
        {"cp.reduce.async.bulk", "cp.reduce.async.bulk.global.shared::cta.bulk_group.add.u32 [%l], [%r], 16;",
         bulk},
        {"st.async", "st.async.weak.shared::cluster.mbarrier::complete_tx::bytes.u32 [%r], %r, [%r];", bulk},
        {"red.async",
         "red.async.relaxed.cluster.shared::cluster.mbarrier::complete_tx::bytes.add.u32 [%r], %r, [%r];",
         bulk},
        {"st.bulk", "st.bulk.shared::cta [%r], 16, 0;", blackwell},
        {"multimem", "multimem.ld_reduce.global.add.u32 %r, [%l];",
         "reaches the memory of several GPUs through one address"},
        {"tensormap", "tensormap.replace.tile.rank.shared::cta.b1024.b32 [%l], 1;", bulk},
        {"istypep", "istypep.texref %p, %l;",
         "asks what kind an opaque variable has: no compiler makes it, only hand-written code"},
        {"mma.sp",
         "mma.sp.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%f, %f, %f, %f}, {%r, %r}, {%r, %r}, {%f, "
         "%f, %f, %f}, %r, 0;",
         "sparse matrices: no compiler makes it, only hand-written code"},
    };
}

}  // namespace bitfusion::ptx
