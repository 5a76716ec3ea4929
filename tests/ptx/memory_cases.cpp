// Loads, stores, asynchronous copies ("PTX ISA", section 9.7.9).
#include "ptx/case.h"
#include "ptx/wide.h"

namespace bitfusion::ptx {

namespace {

struct Memory {
    const char* space;
    const char* setup;  // %p: 64 bytes of this thread's own
};
constexpr Memory kMemories[] = {
    {"", "cvt.u64.u32 %p, %i; shl.b64 %p, %p, 6; add.u64 %p, %p, %m; "},
    {".global", "cvt.u64.u32 %p, %i; shl.b64 %p, %p, 6; add.u64 %p, %p, %m; cvta.to.global.u64 %p, %p; "},
    {".shared",
     ".shared .align 16 .b8 v[8192]; .reg .u64 %o; cvt.u64.u32 %o, %t; mov.u64 %p, v; shl.b64 %o, %o, 6; "
     "add.u64 %p, %p, %o; "},
    {".local", ".local .align 16 .b8 v[64]; mov.u64 %p, v; "},
};

std::string registers(const std::string& type) {
    return width_of(type) == 8 || width_of(type) == 16 ? ".b16" : width_of(type) == 32 ? ".b32" : ".b64";
}

// What is stored comes back, extended as the type says; the neighbours stay as they were.
void round_trips(std::vector<Case>& all) {
    for (const Memory& memory : kMemories)
        for (const std::string type : {"b8", "u8", "s8", "b16", "u16", "s16", "b32", "u32", "s32", "f32",
                                       "b64", "u64", "s64", "f64"}) {
            const unsigned width = width_of(type);
            const std::string space = memory.space;
            all.push_back(
                exact("ld" + space + "." + type, "u64 b64",
                      [=](In x) {
                          return static_cast<uint64_t>(number(x.a, width, type[0] == 's')) + 0x11 * 3;
                      })
                    .over(scattered(64, width))
                    .written(
                        std::string(".reg .u64 %p, %v, %y; ") + memory.setup +
                        ".reg .b64 %x; mov.b64 %x, 0x1111111111111111; st" + space + ".b64 [%p], %x; st" +
                        space + ".b64 [%p+16], %x; mov.b64 %v, %a; " +
                        (type[0] == 'f'
                             ? (width == 32
                                    ? ".reg .f32 %f; .reg .b32 %w; cvt.u32.u64 %w, %v; mov.b32 %f, %w; st" +
                                          space + ".f32 [%p+8], %f; ld" + space +
                                          ".f32 %f, [%p+8]; mov.b32 %w, %f; cvt.u64.u32 %v, %w; "
                                    : ".reg .f64 %f; mov.b64 %f, %v; st" + space + ".f64 [%p+8], %f; ld" +
                                          space + ".f64 %f, [%p+8]; mov.b64 %v, %f; ")
                             : "st" + space + "." + type + " [%p+8], %v; ld" + space + "." + type +
                                   " %v, [%p+8]; ") +
                        "ld" + space + ".u8 %x, [%p+7]; ld" + space +
                        ".u8 %y, [%p+16]; add.u64 %d, %v, %x; add.u64 %d, %d, %y; ld" + space +
                        ".u8 %x, [%p]; add.u64 %d, %d, %x;"));
        }
}

void vectors(std::vector<Case>& all) {
    struct Shape {
        const char* type;
        unsigned count;
    };
    for (const Memory& memory : kMemories)
        for (const Shape& shape : {Shape{"b8", 2},
                                   {"b8", 4},
                                   {"u16", 2},
                                   {"b16", 4},
                                   {"u32", 2},
                                   {"b32", 4},
                                   {"f32", 4},
                                   {"b64", 2},
                                   {"f64", 2}}) {
            const std::string type = shape.type;
            const std::string space = memory.space;
            const std::string form = ".v" + std::to_string(shape.count) + "." + type;
            const unsigned width = width_of(type);
            std::string in;
            std::string out;
            std::string sum = "mov.b64 %d, 0; ";
            std::string code = std::string(".reg .u64 %p, %w; ") + memory.setup;
            for (unsigned i = 0; i < shape.count; ++i) {
                const std::string n = std::to_string(i);
                const std::string width_name = std::to_string(width < 16 ? 16 : width);
                code += ".reg " + registers(type) + " %x" + n + ", %y" + n + "; shr.u64 %w, %a, " +
                        std::to_string(i * 8) + "; ";
                code += width == 64 ? "mov.b64 %x" + n + ", %w; "
                                    : "cvt.u" + width_name + ".u64 %x" + n + ", %w; ";
                in += (i == 0 ? "%x" : ", %x") + n;
                out += (i == 0 ? "%y" : ", %y") + n;
                sum += (width == 64 ? "mov.b64 %w, %y" + n : "cvt.u64.u" + width_name + " %w, %y" + n) +
                       "; mad.lo.u64 %d, %d, 31, %w; ";
            }
            code += "st" + space + form + " [%p+32], {" + in + "}; ld" + space + form + " {" + out +
                    "}, [%p+32]; " + sum;
            all.push_back(exact("ld" + space + form, "u64 b64",
                                [=](In x) {
                                    uint64_t value = 0;
                                    for (unsigned i = 0; i < shape.count; ++i)
                                        value = value * 31 +
                                                static_cast<uint64_t>(number(x.a >> (8 * i), width, false));
                                    return value;
                                })
                              .over(scattered(64, 5))
                              .written(code));
            all.back().name = "ld/st" + space + form;
        }
}

// Forms that differ in caching, ordering and visibility only: the value is the same.
void qualified(std::vector<Case>& all) {
    const auto add = [&](const std::string& store, const std::string& load, unsigned capability) {
        all.push_back(exact(load, "u32 u32", [](In x) { return x.a; })
                          .needs(capability)
                          .over(scattered(64, 9))
                          .written(std::string(".reg .u64 %p; ") + kMemories[1].setup + store +
                                   " [%p], %a; " + load + " %d, [%p];"));
    };
    for (const std::string hint : {"ca", "cg", "cs", "lu", "cv"})
        add("st.global.wb.u32", "ld.global." + hint + ".u32", 52);
    for (const std::string hint : {"wb", "cg", "cs", "wt"}) {
        add("st.global." + hint + ".u32", "ld.global.u32", 52);
        all.back().name = "st.global." + hint + ".u32";
    }
    add("st.volatile.global.u32", "ld.volatile.global.u32", 52);
    for (const std::string scope : {"cta", "gpu", "sys"}) {
        add("st.relaxed." + scope + ".global.u32", "ld.relaxed." + scope + ".global.u32", 70);
        add("st.release." + scope + ".global.u32", "ld.acquire." + scope + ".global.u32", 70);
    }
    add("st.weak.global.u32", "ld.weak.global.u32", 70);
    add("st.mmio.relaxed.sys.global.u32", "ld.mmio.relaxed.sys.global.u32", 70);
    add("st.global.L1::no_allocate.u32", "ld.global.L1::evict_last.L2::128B.u32", 75);
    add("st.global.L1::evict_first.u32", "ld.global.L1::no_allocate.L2::256B.u32", 80);
    const auto loads = [&](const std::string& form, unsigned capability) {
        all.push_back(exact(form, "u32 u32", [](In x) { return x.a; })
                          .needs(capability)
                          .over(scattered(64, 9))
                          .written(form + " %d, [%from];"));
    };
    loads("ld.global.nc.u32", 52);
    loads("ld.global.nc.L1::no_allocate.L2::128B.u32", 75);
    loads("ldu.global.u32", 52);
    all.push_back(
        exact("ld.global.nc.v4.u32", "u32 u32", [](In x) { return x.a ^ x.b; })
            .over(scattered(64, 9))
            .written(
                ".reg .u32 %x, %y, %z; ld.global.nc.v4.u32 {%x, %y, %z, _}, [%from]; xor.b32 %d, %x, %z;"));
    all.push_back(exact("ld.global.L2::cache_hint.u32", "u32 u32", [](In x) { return x.a; })
                      .needs(80)
                      .over(scattered(64, 9))
                      .written(".reg .b64 %h; createpolicy.fractional.L2::evict_first.b64 %h, 1.0; "
                               "ld.global.L2::cache_hint.u32 %d, [%from], %h;"));
    all.push_back(
        exact("createpolicy.fractional.L2::evict_last.b64", "u32 u32", [](In x) { return x.a; })
            .needs(80)
            .over(scattered(32, 9))
            .written(".reg .b64 %h; createpolicy.fractional.L2::evict_last.L2::evict_unchanged.b64 %h, 0.5; "
                     "st.global.L2::cache_hint.u32 [%from], %a, %h; ld.global.u32 %d, [%from];"));
    const auto silent = [&](const std::string& name, unsigned capability, const std::string& statement) {
        all.push_back(exact(name, "u32 u32", [](In x) { return x.a; })
                          .needs(capability)
                          .over(scattered(32, 9))
                          .written(statement + " mov.u32 %d, %a;"));
    };
    silent("prefetch.global.L1", 52, "prefetch.global.L1 [%m];");
    silent("prefetch.global.L2", 52, "prefetch.global.L2 [%m];");
    silent("prefetch.global.L2::evict_last", 80, "prefetch.global.L2::evict_last [%m];");
    silent("prefetchu.L1", 52, "prefetchu.L1 [%m];");
    silent("applypriority.global.L2::evict_normal", 80, "applypriority.global.L2::evict_normal [%m], 128;");
    silent("discard.global.L2", 80, "discard.global.L2 [%m+4096], 128;");
    silent("membar.cta", 52, "membar.cta;");
    silent("membar.gl", 52, "membar.gl;");
    silent("membar.sys", 52, "membar.sys;");
    for (const std::string order : {"sc", "acq_rel"})
        for (const std::string scope : {"cta", "gpu", "sys"})
            silent("fence." + order + "." + scope, 70, "fence." + order + "." + scope + ";");
    silent("fence.acq_rel.cluster", 90, "fence.acq_rel.cluster;");
    silent("fence.proxy.alias", 70, "fence.proxy.alias;");
    silent("fence.proxy.async", 90, "fence.proxy.async;");
    silent("fence.mbarrier_init.release.cluster", 90, "fence.mbarrier_init.release.cluster;");
}

// Initialised variables, pointers in initial values, addresses with offsets.
void variables(std::vector<Case>& all) {
    all.push_back(
        exact("ld.const.u32", "u32 u32", [](In x) { return 1000 + (x.a & 3) * 7; })
            .over(scattered(64, 2))
            .after(".const .align 4 .u32 numbers[4] = {1000, 1007, 1014, 1021};")
            .written(".reg .u64 %p; .reg .u32 %x; and.b32 %x, %a, 3; mul.wide.u32 %p, %x, 4; .reg .u64 %k; "
                     "mov.u64 %k, numbers; add.u64 %p, %p, %k; ld.const.u32 %d, [%p];"));
    all.push_back(
        exact("ld.global.u32 initialised", "u32 u32", [](In x) { return x.a + 0x22222222 + 0xfffffffe; })
            .over(scattered(64, 2))
            .after(".global .align 8 .u64 table[2] = {first, generic(second)+4};\n.global .align 4 .u32 "
                   "first = 0x22222222;\n"
                   ".global .align 4 .u32 second[2] = {1, -2};")
            .written(".reg .u64 %p; .reg .u32 %x; ld.global.u64 %p, [table]; ld.global.u32 %x, [%p]; add.u32 "
                     "%d, %a, %x; "
                     "ld.global.u64 %p, [table+8]; ld.u32 %x, [%p]; add.u32 %d, %d, %x;"));
    // a forward name must be declared first
    all.back().declarations =
        ".global .align 4 .u32 first = 0x22222222;\n.global .align 4 .u32 second[2] = {1, -2};\n"
        ".global .align 8 .u64 table[2] = {first, generic(second)+4};";
    all.push_back(
        exact("ld.global.f32 initialised", "f32 u32", [](In) { return 0x40490fdb; })
            .over(scattered(32, 2))
            .after(".global .align 4 .f32 grid[2][2] = {{0f00000000, 0f3F800000}, {0f40490FDB, 0fC0000000}};")
            .written("ld.global.f32 %d, [grid+8];"));
    all.push_back(exact("ld.param.u32", "u32 u32", [](In x) { return x.a; })
                      .over(scattered(32, 2))
                      .written(".reg .u64 %p; ld.param.u64 %p, [inputs]; .reg .u64 %o; mul.wide.u32 %o, %i, "
                               "32; add.u64 %p, %p, %o; ld.u32 %d, [%p];"));
    all.push_back(exact("ld.b128", "u64 b64 b64", [](In x) { return x.a ^ (x.b << 1); })
                      .needs(70)
                      .over(scattered(64, 2))
                      .written(std::string(".reg .u64 %p, %x, %y; .reg .b128 %q; ") + kMemories[1].setup +
                               "mov.b128 %q, {%a, %b}; st.global.b128 [%p], %q; ld.global.b128 %q, [%p]; "
                               "mov.b128 {%x, %y}, %q; shl.b64 %y, %y, 1; xor.b64 %d, %x, %y;"));
    all.push_back(
        together("ld.shared.u32", "u32 u32",
                 [](const std::vector<In>& threads) {
                     std::vector<uint64_t> out(threads.size());
                     for (size_t i = 0; i < out.size(); ++i) out[i] = threads[i / 64 * 64 + 63 - i % 64].a;
                     return out;
                 })
            .in_blocks_of(64)
            .over(scattered(256, 2))
            .written(".shared .align 4 .b32 v[64]; .reg .u32 %x, %y; mov.u32 %x, v; mad.lo.u32 %y, %t, 4, "
                     "%x; st.shared.u32 [%y], %a; "
                     "bar.sync 0; sub.u32 %y, 63, %t; mad.lo.u32 %y, %y, 4, %x; ld.shared.u32 %d, [%y];"));
}

void asynchronous(std::vector<Case>& all) {
    const std::string place =
        ".shared .align 16 .b8 v[4096]; .reg .u32 %x; mov.u32 %x, v; mad.lo.u32 %x, %t, 32, %x; "
        "st.shared.v2.b64 [%x], {-1, -1}; ";
    const std::string read =
        "ld.shared.u64 %d, [%x]; .reg .u64 %y; ld.shared.u64 %y, [%x+8]; mad.lo.u64 %d, %y, 3, %d;";
    const auto add = [&](const std::string& name, const std::string& statement, unsigned bytes) {
        all.push_back(exact(name, "u64 b64",
                            [=](In x) {
                                const uint64_t first = bytes >= 8   ? x.a
                                                       : bytes == 0 ? 0
                                                                    : (x.a & 0xffffffff) | 0xffffffff00000000;
                                const uint64_t second = bytes == 0    ? 0
                                                        : bytes == 12 ? x.b & 0xffffffff
                                                        : bytes == 16 ? x.b
                                                                      : ~uint64_t{0};
                                return first + second * 3;
                            })
                          .needs(80)
                          .over(scattered(64, 4))
                          .written(place + statement + read));
    };
    const std::string wait = "cp.async.commit_group; cp.async.wait_group 0; ";
    add("cp.async.ca.shared.global 4", "cp.async.ca.shared.global [%x], [%from], 4; " + wait, 4);
    add("cp.async.ca.shared.global 8", "cp.async.ca.shared.global [%x], [%from], 8; " + wait, 8);
    add("cp.async.ca.shared.global 16", "cp.async.ca.shared.global [%x], [%from], 16; " + wait, 16);
    add("cp.async.cg.shared.global 16", "cp.async.cg.shared.global [%x], [%from], 16; cp.async.wait_all; ",
        16);
    add("cp.async.cg.shared.global.L2::128B", "cp.async.cg.shared.global.L2::128B [%x], [%from], 16; " + wait,
        16);
    add("cp.async.cg.shared.global src-size 12", "cp.async.cg.shared.global [%x], [%from], 16, 12; " + wait,
        12);
    add("cp.async.cg.shared.global src-size 0",
        ".reg .u32 %z; mov.u32 %z, 0; cp.async.cg.shared.global [%x], [%from], 16, %z; " + wait, 0);
    add("cp.async.cg.shared.global ignore-src",
        ".reg .pred %q; setp.eq.u32 %q, %t, %t; cp.async.cg.shared.global [%x], [%from], 16, %q; " + wait, 0);
    add("cp.async.mbarrier.arrive.noinc.shared.b64",
        ".shared .align 8 .b64 gate; .reg .pred %q; .reg .u32 %z; setp.eq.u32 %q, %t, 0; @%q "
        "mbarrier.init.shared.b64 [gate], 64; bar.sync 0; "
        "cp.async.ca.shared.global [%x], [%from], 16; cp.async.mbarrier.arrive.noinc.shared.b64 [gate]; "
        "AGAIN: mbarrier.test_wait.parity.shared.b64 %q, [gate], 0; @!%q bra AGAIN; ",
        16);
    all.back().block = 64;
}

}  // namespace

std::vector<Case> memory_cases() {
    std::vector<Case> all;
    round_trips(all);
    vectors(all);
    qualified(all);
    variables(all);
    asynchronous(all);
    return all;
}

}  // namespace bitfusion::ptx
