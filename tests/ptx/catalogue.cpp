#include "ptx/catalogue.h"

#include "ptx/case.h"

namespace bitfusion::ptx {

namespace {

constexpr const char* kRuns = "runs";

void add(std::vector<Entry>& all, const char* section, std::initializer_list<const char*> mnemonics) {
    for (const char* mnemonic : mnemonics) all.push_back({section, mnemonic, "not tried", ""});
}

std::vector<Entry> entries() {
    std::vector<Entry> all;
    add(all, "Integer arithmetic",
        {"add", "sub", "mul", "mad", "mul24", "mad24", "sad", "div", "rem", "abs", "neg", "min", "max",
         "dp4a", "dp2a"});
    add(all, "Extended precision", {"addc", "subc", "madc"});
    add(all, "Bits",
        {"popc", "clz", "bfind", "fns", "brev", "bfe", "bfi", "szext", "bmsk", "prmt", "and", "or", "xor",
         "not", "cnot", "lop3", "shf", "shl", "shr"});
    add(all, "Floating point",
        {"testp", "copysign", "fma", "rcp", "sqrt", "rsqrt", "sin", "cos", "lg2", "ex2", "tanh"});
    add(all, "Comparison and selection", {"set", "setp", "selp", "slct"});
    add(all, "Data movement",
        {"mov", "shfl", "prefetch", "prefetchu", "ld", "ldu", "st", "cvt", "cvta", "isspacep", "mapa",
         "getctarank", "createpolicy", "applypriority", "discard", "cp.async", "movmatrix"});
    add(all, "Textures and surfaces", {"tex", "tld4", "txq", "istypep", "suld", "sust", "sured", "suq"});
    add(all, "Control flow",
        {"@p", "bra", "brx", "call", "ret", "exit", "trap", "brkpt", "nanosleep", "pmevent", "griddepcontrol",
         "setmaxnreg"});
    add(all, "Synchronisation",
        {"bar", "barrier", "membar", "fence", "atom", "red", "vote", "match", "activemask", "redux", "elect",
         "mbarrier", "clusterlaunchcontrol"});
    add(all, "Matrices", {"mma", "wmma", "ldmatrix", "stmatrix", "mma.sp", "wgmma", "tcgen05"});
    add(all, "Stack", {"alloca", "stacksave", "stackrestore"});
    add(all, "Video, scalar", {"vadd", "vsub", "vabsdiff", "vmin", "vmax", "vshl", "vshr", "vmad", "vset"});
    add(all, "Video, in parts",
        {"vadd2", "vsub2", "vavrg2", "vabsdiff2", "vmin2", "vmax2", "vset2", "vadd4", "vsub4", "vavrg4",
         "vabsdiff4", "vmin4", "vmax4", "vset4"});
    add(all, "Copy engine and clusters",
        {"cp.async.bulk", "cp.reduce.async.bulk", "st.async", "st.bulk", "red.async", "multimem",
         "tensormap"});
    return all;
}

// What has no case of its own and why that is so.
struct Remark {
    const char* mnemonic;
    const char* state;
    const char* text;
};
constexpr Remark kRemarks[] = {
    {"trap", kRuns, "ends the grid: the conformance tests have it"},
    {"brkpt", kRuns, "as trap: there is no debugger to stop for"},
    {"cp.async", kRuns, "under cp"},
    {"stacksave", kRuns, "in alloca's cases"},
    {"stackrestore", kRuns, "in alloca's cases"},
    {"div", "", "a zero divisor gives what the GPU gives: all ones"},
    {"tex", kRuns, "the tests of textures have it"},
    {"tld4", kRuns, "the tests of textures have it"},
    {"txq", kRuns, "the tests of textures have it"},
    {"suld", kRuns, "the tests of textures have it"},
    {"sust", kRuns, "the tests of textures have it"},
    {"sured", kRuns, "the tests of textures have it"},
    {"suq", kRuns, "the tests of textures have it"},
};

}  // namespace

const std::vector<Entry>& catalogue() {
    static const std::vector<Entry> all = [] {
        std::vector<Entry> made = entries();
        for (Entry& entry : made) {
            for (const Remark& remark : kRemarks)
                if (std::string(remark.mnemonic) == entry.mnemonic) {
                    entry.state = remark.state;
                    entry.remark = remark.text;
                }
            for (const Refused& one : refused())
                if (one.name == entry.mnemonic) {
                    entry.state = "refused";
                    entry.remark = one.reason;
                }
        }
        return made;
    }();
    return all;
}

}  // namespace bitfusion::ptx
