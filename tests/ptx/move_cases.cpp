// Moves, packing, addresses ("PTX ISA", section 9.7.9: mov, cvta, isspacep).
#include "ptx/case.h"

namespace bitfusion::ptx {

std::vector<Case> move_cases() {
    std::vector<Case> all;
    for (const std::string type :
         {"b16", "b32", "b64", "u16", "u32", "u64", "s16", "s32", "s64", "f32", "f64", "pred"})
        all.push_back(exact("mov." + type, type + " " + type, [](In x) { return x.a; }));
    all.push_back(exact("mov.b32 pack 2", "b32 b16 b16", [](In x) {
                      return (x.a & 0xffff) | (x.b & 0xffff) << 16;
                  }).written("mov.b32 %d, {%a, %b};"));
    all.push_back(exact("mov.b64 pack 2", "b64 b32 b32", [](In x) {
                      return (x.a & 0xffffffff) | x.b << 32;
                  }).written("mov.b64 %d, {%a, %b};"));
    all.push_back(exact("mov.b64 pack 4", "b64 b16 b16 b16 b16", [](In x) {
                      return (x.a & 0xffff) | (x.b & 0xffff) << 16 | (x.c & 0xffff) << 32 | x.e << 48;
                  }).written("mov.b64 %d, {%a, %b, %c, %e};"));
    all.push_back(
        exact("mov.b32 unpack 2", "b16 b32", [](In x) {
            return (x.a & 0xffff) ^ (x.a >> 16 & 0xffff) * 3;
        }).written(".reg .b16 %x, %y; mov.b32 {%x, %y}, %a; mul.lo.u16 %y, %y, 3; xor.b16 %d, %x, %y;"));
    all.push_back(
        exact("mov.b64 unpack 2", "b32 b64", [](In x) { return x.a >> 32; }).written("mov.b64 {_, %d}, %a;"));
    all.push_back(exact("mov.b64 unpack 4", "b16 b64", [](In x) {
                      return x.a >> 32 & 0xffff;
                  }).written("mov.b64 {_, _, %d, _}, %a;"));
    all.push_back(exact("mov.b128", "b64 b64 b64", [](In x) { return x.a + x.b * 3; })
                      .needs(70)
                      .written(".reg .b128 %q, %r; .reg .b64 %x, %y; mov.b128 %q, {%a, %b}; mov.b128 %r, %q; "
                               "mov.b128 {%x, %y}, %r; mad.lo.u64 %d, %y, 3, %x;"));
    all.push_back(exact("mov.u32 immediate", "u32 u32", [](In x) {
                      return x.a + 0x80000000 + 255 + 32;
                  }).written("add.u32 %d, %a, (1 << 31) + 0377 + 32;"));
    all.push_back(exact("mov.f32 immediate", "f32 u32", [](In) { return 0x3fc00000; })
                      .written("mov.f32 %d, 0f3FC00000;")
                      .over(scattered(32)));
    all.push_back(exact("mov.f64 immediate", "f64 u32", [](In) { return 0xbff8000000000000; })
                      .written("mov.f64 %d, 0dBFF8000000000000;")
                      .over(scattered(32)));
    for (const std::string space : {"global", "shared", "local", "const"}) {
        const std::string variable =
            space == "const" || space == "global" ? "" : "." + space + " .align 8 .b8 v[64]; ";
        Case one = exact("cvta." + space + ".u64", "u64 u64", [](In) { return 1; })
                       .written(variable + ".reg .u64 %p, %q; .reg .pred %s, %o; mov.u64 %p, v; cvta." +
                                space + ".u64 %q, %p; isspacep." + space + " %s, %q; cvta.to." + space +
                                ".u64 %q, %q; setp.eq.and.u64 %o, %p, %q, %s; selp.u64 %d, 1, 0, %o;")
                       .over(scattered(32));
        if (variable.empty()) one.declarations = "." + space + " .align 8 .b8 v[64];";
        all.push_back(std::move(one));
    }
    for (const std::string space : {"global", "shared", "local", "const"}) {
        // which of the four spaces an address in global memory, in shared memory and on the stack is in
        all.push_back(
            exact("isspacep." + space, "u32 u32",
                  [=](In) -> uint64_t {
                      return space == "global" ? 1 : space == "shared" ? 2 : space == "local" ? 4 : 8;
                  })
                .over(scattered(32))
                .after(".const .align 8 .b8 numbers[64];")
                .written(
                    ".shared .align 8 .b8 v[64]; .local .align 8 .b8 w[64]; .reg .u64 %p; .reg .pred %s; "
                    ".reg .u32 %x; mov.u32 %d, 0; isspacep." +
                    space +
                    " %s, %m; @%s or.b32 %d, %d, 1; mov.u64 %p, v; cvta.shared.u64 %p, %p; isspacep." +
                    space + " %s, %p; @%s or.b32 %d, %d, 2; mov.u64 %p, w; cvta.local.u64 %p, %p; isspacep." +
                    space +
                    " %s, %p; @%s or.b32 %d, %d, 4; mov.u64 %p, numbers; cvta.const.u64 %p, %p; isspacep." +
                    space + " %s, %p; @%s or.b32 %d, %d, 8;"));
    }
    // constant memory lies in the global window: an address of it is in both
    for (Case& one : all)
        if (one.name == "isspacep.global" || one.name == "isspacep.const") {
            const uint64_t own = one.name == "isspacep.global" ? 1 : 8;
            one.judge = [own](const std::vector<In>&, size_t, uint64_t got) {
                return (got & own) != 0 && (got & 6) == 0 ? std::string() : std::to_string(own);
            };
        }
    all.push_back(exact("getctarank.shared::cluster.u32", "u32 u32", [](In) { return 0; })
                      .needs(90)
                      .over(scattered(32))
                      .written(".shared .align 8 .b8 v[64]; .reg .u32 %x; mov.u32 %x, v; "
                               "getctarank.shared::cluster.u32 %d, %x;"));
    all.push_back(
        exact("mapa.shared::cluster.u32", "u32 u32", [](In) { return 1; })
            .needs(90)
            .over(scattered(32))
            .written(".shared .align 8 .b8 v[64]; .reg .u32 %x, %y; .reg .pred %s; mov.u32 %x, v; "
                     "st.shared.u32 [%x+4], 77; "
                     "bar.sync 0; mapa.shared::cluster.u32 %y, %x, 0; ld.shared::cluster.u32 %y, [%y+4]; "
                     "setp.eq.u32 %s, %y, 77; selp.u32 %d, 1, 0, %s;"));
    return all;
}

}  // namespace bitfusion::ptx
