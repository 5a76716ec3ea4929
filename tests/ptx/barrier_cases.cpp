// Barriers of a block and barriers in shared memory ("PTX ISA", section 9.7.13).
#include "ptx/case.h"

namespace bitfusion::ptx {

namespace {

// Each thread reads what its neighbour in the block wrote.
std::vector<uint64_t> neighbours(const std::vector<In>& threads, size_t block) {
    std::vector<uint64_t> out(threads.size());
    for (size_t i = 0; i < out.size(); ++i) out[i] = threads[i / block * block + (i + 37) % block].a;
    return out;
}

Case exchange(const std::string& name, const std::string& barrier, unsigned capability = 52) {
    return together(name, "u32 u32", [](const std::vector<In>& threads) { return neighbours(threads, 128); })
        .needs(capability)
        .over(scattered(256, 21))
        .written(
            ".shared .align 4 .b32 v[128]; .reg .u32 %x, %y; mov.u32 %x, v; mad.lo.u32 %y, %t, 4, %x; "
            "st.shared.u32 [%y], %a; " +
            barrier +
            " add.u32 %y, %t, 37; rem.u32 %y, %y, 128; mad.lo.u32 %y, %y, 4, %x; ld.shared.u32 %d, [%y];");
}

Case reduction(const std::string& name, std::function<uint64_t(uint64_t count)> result) {
    const bool counts = name.find("popc") != std::string::npos;
    return together(name, "u32 u32",
                    [=](const std::vector<In>& threads) {
                        std::vector<uint64_t> out(threads.size());
                        for (size_t block = 0; block < threads.size(); block += 128) {
                            uint64_t count = 0;
                            for (size_t i = 0; i < 128; ++i)
                                count += (threads[block + i].a & 15) != 0 ? 1 : 0;
                            for (size_t i = 0; i < 128; ++i) out[block + i] = result(count);
                        }
                        return out;
                    })
        .over(scattered(256, 22))
        .written(".reg .pred %p, %q; .reg .u32 %x; and.b32 %x, %a, 15; setp.ne.u32 %p, %x, 0; " + name +
                 (counts ? " %d, 0, %p;" : " %q, 0, %p; selp.u32 %d, 1, 0, %q;"));
}

}  // namespace

std::vector<Case> barrier_cases() {
    std::vector<Case> all;
    all.push_back(exchange("bar.sync", "bar.sync 0;"));
    all.push_back(exchange("bar.sync with a count", "bar.sync 3, 128;"));
    all.push_back(exchange("bar.sync of a register", ".reg .u32 %z; mov.u32 %z, 5; bar.sync %z;"));
    all.push_back(exchange("bar.cta.sync", "bar.cta.sync 0;"));
    all.push_back(exchange("barrier.sync", "barrier.sync 1;"));
    all.push_back(exchange("barrier.sync.aligned", "barrier.sync.aligned 2, 128;"));
    all.push_back(exchange("barrier.cta.sync.aligned", "barrier.cta.sync.aligned 0;"));
    all.push_back(
        exchange("barrier.cluster", "barrier.cluster.arrive.aligned; barrier.cluster.wait.aligned;", 90));
    all.push_back(reduction("bar.red.popc.u32", [](uint64_t count) { return count; }));
    all.push_back(reduction("bar.red.and.pred", [](uint64_t count) { return count == 128 ? 1 : 0; }));
    all.push_back(reduction("bar.red.or.pred", [](uint64_t count) { return count != 0 ? 1 : 0; }));
    all.push_back(reduction("barrier.cta.red.popc.aligned.u32", [](uint64_t count) { return count; }));
    // two warps hand a value to two others, which alone wait
    all.push_back(together("bar.arrive", "u32 u32",
                           [](const std::vector<In>& threads) {
                               std::vector<uint64_t> out(threads.size());
                               for (size_t i = 0; i < out.size(); ++i)
                                   out[i] = i % 128 < 64 ? threads[i].a : threads[i - 64].a + 1;
                               return out;
                           })
                      .over(scattered(256, 23))
                      .written(".shared .align 4 .b32 v[64]; .reg .u32 %x, %y; .reg .pred %p; mov.u32 %x, v; "
                               "and.b32 %y, %t, 63; mad.lo.u32 %x, %y, 4, %x; "
                               "setp.ge.u32 %p, %t, 64; @%p bra TAKE; st.shared.u32 [%x], %a; bar.arrive 1, "
                               "128; mov.u32 %d, %a; bra END; "
                               "TAKE: bar.sync 1, 128; ld.shared.u32 %d, [%x]; add.u32 %d, %d, 1; END: "));
    all.back().code += "mov.u32 %y, 0;";
    all.push_back(exact("bar.warp.sync", "u32 u32", [](In x) { return x.a; })
                      .needs(70)
                      .over(scattered(64))
                      .written("bar.warp.sync -1; mov.u32 %d, %a;"));
    const std::string gate =
        ".shared .align 8 .b64 gate; .shared .align 4 .b32 v[128]; .reg .u32 %x, %y; .reg .pred %p; .reg "
        ".b64 %s; setp.eq.u32 %p, %t, 0; "
        "@%p mbarrier.init.shared.b64 [gate], 128; bar.sync 0; mov.u32 %x, v; mad.lo.u32 %y, %t, 4, %x; "
        "st.shared.u32 [%y], %a; ";
    const std::string read =
        "add.u32 %y, %t, 37; rem.u32 %y, %y, 128; mad.lo.u32 %y, %y, 4, %x; ld.shared.u32 %d, [%y]; bar.sync "
        "0; "
        "@%p mbarrier.inval.shared.b64 [gate];";
    const auto meeting = [&](const std::string& name, const std::string& code, unsigned capability) {
        all.push_back(exchange(name, "", capability));
        all.back().code = gate + code + read;
    };
    meeting("mbarrier.arrive.shared.b64 test_wait",
            "mbarrier.arrive.shared.b64 %s, [gate]; W: mbarrier.test_wait.shared.b64 %p, [gate], %s; @!%p "
            "bra W; setp.eq.u32 %p, %t, 0; ",
            80);
    meeting("mbarrier.test_wait.parity.shared.b64",
            "mbarrier.arrive.shared.b64 _, [gate]; W: mbarrier.test_wait.parity.shared.b64 %p, [gate], 0; "
            "@!%p bra W; setp.eq.u32 %p, %t, 0; ",
            90);
    meeting("mbarrier.try_wait.shared.b64",
            "mbarrier.arrive.release.cta.shared.b64 %s, [gate]; W: mbarrier.try_wait.acquire.cta.shared.b64 "
            "%p, [gate], %s; @!%p bra W; setp.eq.u32 %p, %t, 0; ",
            90);
    meeting("mbarrier.try_wait.parity.shared::cta.b64",
            "mbarrier.arrive.shared::cta.b64 _, [gate]; W: mbarrier.try_wait.parity.shared::cta.b64 %p, "
            "[gate], 0, 1000; @!%p bra W; setp.eq.u32 %p, %t, 0; ",
            90);
    meeting("mbarrier.arrive_drop.shared.b64",
            "mbarrier.arrive_drop.shared.b64 %s, [gate]; W: mbarrier.test_wait.shared.b64 %p, [gate], %s; "
            "@!%p bra W; setp.eq.u32 %p, %t, 0; ",
            80);
    meeting("mbarrier.arrive.noComplete.shared.b64",
            ".reg .pred %q; setp.ne.u32 %q, %t, 0; @%q mbarrier.arrive.noComplete.shared.b64 %s, [gate], 1; "
            "bar.sync 0; @%p mbarrier.arrive.shared.b64 %s, [gate]; "
            "bar.sync 0; W: mbarrier.test_wait.shared.b64 %q, [gate], %s; @!%q bra W; ",
            80);
    all.push_back(exchange("mbarrier.pending_count.b64", "", 80));
    all.back() =
        together("mbarrier.pending_count.b64", "u32 u32",
                 [](const std::vector<In>& threads) { return std::vector<uint64_t>(threads.size(), 128); })
            .needs(80)
            .over(scattered(128))
            .written(
                ".shared .align 8 .b64 gate; .reg .pred %p; .reg .b64 %s; .reg .u32 %x, %y; setp.eq.u32 %p, "
                "%t, 0; mov.b64 %s, 0; "
                "@%p mbarrier.init.shared.b64 [gate], 128; bar.sync 0; mov.u32 %d, 128; @%p "
                "mbarrier.arrive.shared.b64 %s, [gate]; "
                "@%p mbarrier.pending_count.b64 %d, %s;");
    meeting("mbarrier.arrive.expect_tx.shared.b64",
            "@%p mbarrier.expect_tx.relaxed.cta.shared.b64 [gate], 64; @%p "
            "mbarrier.complete_tx.relaxed.cta.shared.b64 [gate], 64; mbarrier.arrive.shared.b64 %s, [gate]; "
            "W: mbarrier.try_wait.shared.b64 %p, [gate], %s; @!%p bra W; setp.eq.u32 %p, %t, 0; ",
            90);
    return all;
}

}  // namespace bitfusion::ptx
