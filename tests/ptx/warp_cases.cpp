// Instructions of a whole warp ("PTX ISA", shfl.sync, vote.sync, match.sync, redux.sync, activemask, elect).
#include <algorithm>

#include "ptx/case.h"
#include "ptx/wide.h"

namespace bitfusion::ptx {

namespace {

// Calls f(first thread of the warp, lane) for every thread.
template <class F>
WarpReference each(F f) {
    return [f](const std::vector<In>& threads) {
        std::vector<uint64_t> out(threads.size());
        for (size_t i = 0; i < out.size(); ++i) out[i] = f(&threads[i / 32 * 32], i % 32);
        return out;
    };
}

void shuffles(std::vector<Case>& all) {
    struct Setting {
        unsigned b;
        unsigned c;
    };
    for (const std::string mode : {"up", "down", "bfly", "idx"})
        for (const Setting& setting : {Setting{1, 0x1f},
                                       {1, 0},
                                       {3, 0x181f},
                                       {5, 0x1807},
                                       {16, 0x1f},
                                       {31, 0x1f},
                                       {40, 0x1f},
                                       {2, 0x1c03}})
            for (const bool sync : {true, false}) {
                const auto source = [=](size_t lane, bool* valid) {
                    const unsigned b = setting.b & 31;
                    const unsigned segment = setting.c >> 8 & 31;
                    const unsigned clamp = setting.c & 31;
                    const auto i = static_cast<unsigned>(lane);
                    const unsigned most = (i & segment) | (clamp & ~segment);
                    const unsigned least = i & segment;
                    int from = 0;
                    if (mode == "up") {
                        from = static_cast<int>(i) - static_cast<int>(b);
                        *valid = from >= static_cast<int>(most);
                    } else {
                        from = static_cast<int>(mode == "down"   ? i + b
                                                : mode == "bfly" ? i ^ b
                                                                 : least | (b & ~segment));
                        *valid = from <= static_cast<int>(most);
                    }
                    return static_cast<size_t>(*valid ? from : static_cast<int>(i));
                };
                const std::string form = std::string("shfl") + (sync ? ".sync." : ".") + mode + ".b32";
                const std::string operands = std::to_string(setting.b) + ", " + std::to_string(setting.c);
                all.push_back(
                    together(form + " " + operands, "u32 u32", each([=](const In* warp, size_t lane) {
                                 bool valid = false;
                                 const uint64_t value = warp[source(lane, &valid)].a & 0xffffffff;
                                 return value + (valid ? 1 : 0);
                             }))
                        .needs(sync ? 52 : 50)
                        .written(".reg .pred %p; .reg .u32 %x; " + form + " %d|%p, %a, " + operands +
                                 (sync ? ", -1" : "") + "; selp.u32 %x, 1, 0, %p; add.u32 %d, %d, %x;"));
            }
    // half of a warp, and the source lane in a register
    all.push_back(together("shfl.sync.idx.b32 of a half", "u32 u32", each([](const In* warp, size_t lane) {
                               return warp[lane < 16 ? warp[lane].a & 15 : lane].a;
                           }))
                      .written(".reg .pred %p; .reg .u32 %x; and.b32 %x, %t, 31; setp.lt.u32 %p, %x, 16; "
                               "and.b32 %x, %a, 15; mov.u32 %d, %a; "
                               "@%p shfl.sync.idx.b32 %d, %a, %x, 0x1f, 0xffff;"));
}

template <class F>
WarpReference bits(F test, std::function<uint64_t(uint64_t mask, size_t lane)> result) {
    return each([=](const In* warp, size_t lane) {
        uint64_t mask = 0;
        for (size_t i = 0; i < 32; ++i) mask |= static_cast<uint64_t>(test(warp[i])) << i;
        return result(mask, lane);
    });
}

void votes(std::vector<Case>& all) {
    for (const bool sync : {true, false})
        for (const unsigned low : {0u, 1u, 255u}) {
            const std::string setup = ".reg .pred %p, %q; .reg .u32 %x; and.b32 %x, %a, " +
                                      std::to_string(low) + "; setp.ne.u32 %p, %x, 0; ";
            const auto test = [=](const In& in) { return (in.a & low) != 0; };
            const std::string start = sync ? "vote.sync." : "vote.";
            const std::string end = sync ? ", -1;" : ";";
            const auto add = [&](const std::string& form, auto result) {
                const bool ballot = form == "ballot.b32";
                all.push_back(
                    together(start + form + " of bits " + std::to_string(low), "u32 u32", bits(test, result))
                        .needs(sync ? 52 : 50)
                        .written(setup + start + form + (ballot ? " %d, %p" : " %q, %p") + end +
                                 (ballot ? "" : " selp.u32 %d, 1, 0, %q;")));
            };
            add("all.pred", [](uint64_t mask, size_t) -> uint64_t { return mask == 0xffffffff; });
            add("any.pred", [](uint64_t mask, size_t) -> uint64_t { return mask != 0; });
            add("uni.pred",
                [](uint64_t mask, size_t) -> uint64_t { return mask == 0 || mask == 0xffffffff; });
            add("ballot.b32", [](uint64_t mask, size_t) { return mask; });
        }
    all.push_back(together("vote.sync.ballot.b32 negated", "u32 u32",
                           bits([](const In& in) { return (in.a & 1) == 0; },
                                [](uint64_t mask, size_t) { return mask & 0xff00ff; }))
                      .written(".reg .pred %p; .reg .u32 %x; and.b32 %x, %a, 1; setp.ne.u32 %p, %x, 0; "
                               "vote.sync.ballot.b32 %d, !%p, -1; "
                               "and.b32 %d, %d, 0xff00ff;"));
}

}  // namespace

std::vector<Case> warp_cases() {
    std::vector<Case> all;
    shuffles(all);
    votes(all);
    for (const std::string type : {"b32", "b64"}) {
        const auto same = [](const In* warp, size_t lane) {
            uint64_t mask = 0;
            for (size_t i = 0; i < 32; ++i)
                mask |= static_cast<uint64_t>((warp[i].a & 3) == (warp[lane].a & 3)) << i;
            return mask;
        };
        const std::string part = ".reg ." + type + " %x; and." + type + " %x, %a, 3; ";
        all.push_back(together("match.any.sync." + type, "u32 " + type, each(same))
                          .needs(70)
                          .written(part + "match.any.sync." + type + " %d, %x, -1;"));
        all.push_back(together("match.all.sync." + type, "u32 " + type,
                               each([=](const In* warp, size_t lane) -> uint64_t {
                                   return same(warp, lane) == 0xffffffff ? 0xffffffff : 1;
                               }))
                          .needs(70)
                          .written(part + ".reg .pred %p; .reg .u32 %y; match.all.sync." + type +
                                   " %d|%p, %x, -1; selp.u32 %y, 0, 1, %p; add.u32 %d, %d, %y;"));
        all.push_back(together("match.all.sync." + type + " equal", "u32 " + type,
                               each([](const In*, size_t) -> uint64_t { return 0xffffffff; }))
                          .needs(70)
                          .written("match.all.sync." + type + " %d, 77, -1;"));
    }
    struct Reduction {
        const char* form;
        uint64_t (*fold)(uint64_t, uint64_t);
    };
    const auto s = [](uint64_t bits) { return number(bits, 32, true); };
    static_cast<void>(s);
    for (const Reduction& one :
         {Reduction{"add.u32", [](uint64_t x, uint64_t y) { return x + y; }},
          {"add.s32", [](uint64_t x, uint64_t y) { return x + y; }},
          {"min.u32", [](uint64_t x, uint64_t y) { return std::min(x, y); }},
          {"max.u32", [](uint64_t x, uint64_t y) { return std::max(x, y); }},
          {"min.s32",
           [](uint64_t x, uint64_t y) { return number(x, 32, true) < number(y, 32, true) ? x : y; }},
          {"max.s32",
           [](uint64_t x, uint64_t y) { return number(x, 32, true) > number(y, 32, true) ? x : y; }},
          {"and.b32", [](uint64_t x, uint64_t y) { return x & y; }},
          {"or.b32", [](uint64_t x, uint64_t y) { return x | y; }},
          {"xor.b32", [](uint64_t x, uint64_t y) { return x ^ y; }}}) {
        const auto fold = one.fold;
        all.push_back(
            together(std::string("redux.sync.") + one.form, "u32 u32", each([=](const In* warp, size_t) {
                         uint64_t value = warp[0].a & 0xffffffff;
                         for (size_t i = 1; i < 32; ++i)
                             value = fold(value, warp[i].a & 0xffffffff) & 0xffffffff;
                         return value;
                     }))
                .needs(80)
                .written(std::string("redux.sync.") + one.form + " %d, %a, -1;"));
    }
    all.push_back(
        together("activemask.b32", "u32 u32", each([](const In*, size_t) -> uint64_t { return 0xffffffff; }))
            .written("activemask.b32 %d;"));
    all.push_back(together("elect.sync", "u32 u32",
                           each([](const In*, size_t lane) -> uint64_t { return lane == 0 ? 1 : 0; }))
                      .needs(90)
                      .written(".reg .pred %p; .reg .u32 %x; elect.sync %x|%p, -1; selp.u32 %d, 1, 0, %p; "
                               "add.u32 %d, %d, %x;"));
    // the halves of a warp execute one instruction together, each for itself
    const std::string own =
        ".reg .pred %p, %q; .reg .u32 %x, %y; and.b32 %x, %t, 16; shl.b32 %y, 0xffff, %x; ";
    const auto half = [](auto f) {
        return each([=](const In* warp, size_t lane) { return f(&warp[lane / 16 * 16], lane); });
    };
    all.push_back(together("redux.sync.add.u32 in halves", "u32 u32", half([](const In* part, size_t) {
                               uint64_t sum = 0;
                               for (size_t i = 0; i < 16; ++i) sum += part[i].a;
                               return sum;
                           }))
                      .needs(80)
                      .written(own + "redux.sync.add.u32 %d, %a, %y;"));
    all.push_back(
        together("vote.sync.ballot.b32 in halves", "u32 u32", half([](const In* part, size_t lane) {
                     uint64_t mask = 0;
                     for (size_t i = 0; i < 16; ++i) mask |= (part[i].a & 1) << (lane / 16 * 16 + i);
                     return mask;
                 }))
            .written(own + "and.b32 %x, %a, 1; setp.ne.u32 %p, %x, 0; vote.sync.ballot.b32 %d, %p, %y;"));
    all.push_back(
        together("vote.sync.any.pred in halves", "u32 u32", half([](const In* part, size_t) -> uint64_t {
                     uint64_t any = 0;
                     for (size_t i = 0; i < 16; ++i) any |= (part[i].a & 7) == 0 ? 1 : 0;
                     return any;
                 }))
            .written(own + "and.b32 %x, %a, 7; setp.eq.u32 %p, %x, 0; vote.sync.any.pred %q, %p, %y; "
                           "selp.u32 %d, 1, 0, %q;"));
    all.push_back(together("match.any.sync.b32 in halves", "u32 u32", half([](const In* part, size_t lane) {
                               uint64_t mask = 0;
                               for (size_t i = 0; i < 16; ++i)
                                   mask |= uint64_t{(part[i].a & 3) == (part[lane % 16].a & 3)}
                                           << (lane / 16 * 16 + i);
                               return mask;
                           }))
                      .needs(70)
                      .written(own + "and.b32 %x, %a, 3; match.any.sync.b32 %d, %x, %y;"));
    // lanes of one warp wait for each other: a lock that every lane takes in turn
    all.push_back(
        together("lock between lanes", "u32 u32",
                 [](const std::vector<In>& threads) {
                     std::vector<uint64_t> out(threads.size());
                     for (size_t block = 0; block < out.size(); block += 64) {
                         uint64_t sum = 0;
                         for (size_t i = 0; i < 64; ++i) sum += threads[block + i].a;
                         for (size_t i = 0; i < 64; ++i) out[block + i] = sum;
                     }
                     return out;
                 })
            .needs(70)
            .in_blocks_of(64)
            .written(".shared .align 4 .b32 lock; .shared .align 4 .b32 sum; .reg .u32 %x; .reg .pred %p; "
                     "setp.eq.u32 %p, %t, 0; @%p st.shared.u32 [lock], 0; "
                     "@%p st.shared.u32 [sum], 0; bar.sync 0; TAKE: atom.shared.cas.b32 %x, [lock], 0, 1; "
                     "setp.ne.u32 %p, %x, 0; @%p bra TAKE; "
                     "ld.volatile.shared.u32 %x, [sum]; add.u32 %x, %x, %a; st.volatile.shared.u32 [sum], "
                     "%x; membar.cta; "
                     "atom.shared.exch.b32 %x, [lock], 0; bar.sync 0; ld.volatile.shared.u32 %d, [sum];"));
    return all;
}

}  // namespace bitfusion::ptx
