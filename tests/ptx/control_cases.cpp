// Branches, calls, the stack ("PTX ISA", section 9.7.12).
#include "ptx/case.h"

namespace bitfusion::ptx {

namespace {

// A function that calls itself: the sum of 0..n.
constexpr char kSum[] = R"(.func (.param .u32 result) sum(.param .u32 n)
{
    .reg .pred %p; .reg .u32 %n, %r;
    ld.param.u32 %n, [n];
    setp.ne.u32 %p, %n, 0;
    mov.u32 %r, 0;
    @!%p bra END;
    {
        .reg .u32 %less; .param .u32 in; .param .u32 out;
        sub.u32 %less, %n, 1;
        st.param.u32 [in], %less;
        call.uni (out), sum, (in);
        ld.param.u32 %r, [out];
    }
    add.u32 %r, %r, %n;
END:
    st.param.u32 [result], %r;
    ret;
})";

constexpr char kPointers[] =
    R"(.func (.param .u32 r) twice(.param .u32 x) { .reg .u32 %x; ld.param.u32 %x, [x]; add.u32 %x, %x, %x; st.param.u32 [r], %x; ret; }
.func (.param .u32 r) square(.param .u32 x) { .reg .u32 %x; ld.param.u32 %x, [x]; mul.lo.u32 %x, %x, %x; st.param.u32 [r], %x; ret; }
.global .align 8 .u64 functions[2] = {twice, square};)";

}  // namespace

std::vector<Case> control_cases() {
    std::vector<Case> all;
    const auto threads = scattered(128, 12);
    all.push_back(exact("@p", "u32 u32", [](In x) { return (x.a & 1) != 0 ? x.a * 3 : x.a + 7; })
                      .over(threads)
                      .written(".reg .pred %p; .reg .u32 %x; and.b32 %x, %a, 1; setp.ne.u32 %p, %x, 0; @%p "
                               "mul.lo.u32 %d, %a, 3; "
                               "@!%p add.u32 %d, %a, 7;"));
    all.push_back(exact("bra", "u32 u32",
                        [](In x) {
                            uint64_t value = x.a & 0xffffffff;
                            uint64_t steps = 0;
                            // Collatz, at most 40 steps
                            while (value > 1 && steps < 40) {
                                value = (value & 1) != 0 ? (value * 3 + 1) & 0xffffffff : value >> 1;
                                ++steps;
                            }
                            return value + steps;
                        })
                      .over(threads)
                      .written(".reg .pred %p; .reg .u32 %s, %x; mov.u32 %s, 0; mov.u32 %d, %a; LOOP: "
                               "setp.le.u32 %p, %d, 1; @%p bra END; "
                               "setp.ge.u32 %p, %s, 40; @%p bra END; add.u32 %s, %s, 1; and.b32 %x, %d, 1; "
                               "setp.eq.u32 %p, %x, 0; @%p bra EVEN; "
                               "mad.lo.u32 %d, %d, 3, 1; bra.uni LOOP; EVEN: shr.u32 %d, %d, 1; bra LOOP; "
                               "END: add.u32 %d, %d, %s;"));
    all.push_back(exact("brx.idx", "u32 u32", [](In x) { return 10 * ((x.a & 3) + 1); })
                      .over(threads)
                      .written(".reg .u32 %x; and.b32 %x, %a, 3; TARGETS: .branchtargets L0, L1, L2, L3; "
                               "brx.idx %x, TARGETS; "
                               "L0: mov.u32 %d, 10; bra END; L1: mov.u32 %d, 20; bra END; L2: mov.u32 %d, "
                               "30; bra END; L3: mov.u32 %d, 40; END: "));
    all.back().code += "mov.u32 %x, 0;";
    all.push_back(exact("call recursive", "u32 u32", [](In x) { return (x.a & 31) * ((x.a & 31) + 1) / 2; })
                      .over(threads)
                      .after(kSum)
                      .written(".reg .u32 %x; .param .u32 in; .param .u32 out; and.b32 %x, %a, 31; "
                               "st.param.u32 [in], %x; call (out), sum, (in); "
                               "ld.param.u32 %d, [out];"));
    all.push_back(
        exact("call indirect", "u32 u32",
              [](In x) {
                  const uint64_t value = x.a & 0xffffffff;
                  return (value & 1) != 0 ? value * value : value + value;
              })
            .over(threads)
            .after(kPointers)
            .written(
                ".reg .u64 %f, %o; .reg .u32 %x; .param .u32 in; .param .u32 out; and.b32 %x, %a, 1; "
                "mul.wide.u32 %o, %x, 8; "
                "mov.u64 %f, functions; add.u64 %f, %f, %o; ld.global.u64 %f, [%f]; st.param.u32 [in], %a; "
                "SHAPE: .callprototype (.param .u32 _) _ (.param .u32 _); call (out), %f, (in), SHAPE; "
                "ld.param.u32 %d, [out];"));
    all.push_back(exact("call aggregate", "u64 b64 b64", [](In x) { return x.a + x.b * 5 + 9; })
                      .over(threads)
                      .after(".func (.param .align 8 .b8 r[16]) swap(.param .align 8 .b8 s[16], .param .u32 "
                             "n) { .reg .u64 %x, %y; .reg .u32 %n; "
                             "ld.param.u64 %x, [s]; ld.param.u64 %y, [s+8]; ld.param.u32 %n, [n]; .reg .u64 "
                             "%w; cvt.u64.u32 %w, %n; "
                             "add.u64 %x, %x, %w; st.param.v2.b64 [r], {%y, %x}; ret; }")
                      .written(".param .align 8 .b8 in[16]; .param .u32 n; .param .align 8 .b8 out[16]; .reg "
                               ".u64 %x, %y; st.param.b64 [in], %a; "
                               "st.param.b64 [in+8], %b; st.param.u32 [n], 9; call.uni (out), swap, (in, n); "
                               "ld.param.b64 %x, [out]; "
                               "ld.param.b64 %y, [out+8]; mad.lo.u64 %d, %x, 5, %y;"));
    all.push_back(exact("ret", "u32 u32", [](In x) { return (x.a & 1) != 0 ? 5 : 6; })
                      .over(threads)
                      .after(".func (.reg .u32 %r) pick(.reg .u32 %x) { .reg .pred %p; and.b32 %x, %x, 1; "
                             "setp.ne.u32 %p, %x, 0; mov.u32 %r, 5; "
                             "@%p ret; mov.u32 %r, 6; ret.uni; }")
                      .written("call (%d), pick, (%a);"));
    all.push_back(exact("call alias", "u32 u32", [](In x) { return x.a * 3; })
                      .over(threads)
                      .after(".visible .func (.param .u32 r) real(.param .u32 x) { .reg .u32 %x; "
                             "ld.param.u32 %x, [x]; mul.lo.u32 %x, %x, 3; "
                             "st.param.u32 [r], %x; ret; }\n.visible .func (.param .u32 r) other(.param .u32 "
                             "x);\n.alias other, real;")
                      .written(".param .u32 in; .param .u32 out; st.param.u32 [in], %a; call (out), other, "
                               "(in); ld.param.u32 %d, [out];"));
    all.push_back(exact("exit", "u32 u32", [](In x) { return (x.a & 1) != 0 ? 7 : 8; })
                      .over(threads)
                      .written(".reg .pred %p; .reg .u32 %x; .reg .u64 %w; and.b32 %x, %a, 1; setp.ne.u32 "
                               "%p, %x, 0; mov.u64 %w, 7; "
                               "@%p st.global.u64 [%to], %w; @%p exit; mov.u32 %d, 8;"));
    all.push_back(exact("alloca.u64", "u64 b64", [](In x) { return x.a + 1; })
                      .needs(52)
                      .over(threads)
                      .written(".reg .u64 %p, %s; stacksave.u64 %s; alloca.u64 %p, 32, 16; cvta.local.u64 "
                               "%p, %p; st.u64 [%p+8], %a; ld.u64 %d, [%p+8]; "
                               "stackrestore.u64 %s; add.u64 %d, %d, 1;"));
    all.push_back(exact("nanosleep.u32", "u32 u32", [](In x) { return x.a; })
                      .needs(70)
                      .over(threads)
                      .written("nanosleep.u32 20; mov.u32 %d, %a;"));
    all.push_back(exact("pmevent", "u32 u32", [](In x) { return x.a; })
                      .over(threads)
                      .written("pmevent 1; mov.u32 %d, %a;"));
    all.push_back(exact("griddepcontrol", "u32 u32", [](In x) { return x.a; })
                      .needs(90)
                      .over(threads)
                      .written("griddepcontrol.wait; mov.u32 %d, %a; griddepcontrol.launch_dependents;"));
    return all;
}

}  // namespace bitfusion::ptx
