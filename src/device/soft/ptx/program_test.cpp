// Assembling: what a Program tells about kernels and variables, how modules link, and what is refused with
// which words.
#include "device/soft/ptx/program.h"

#include <gtest/gtest.h>

#include <cstring>
#include <random>

#include "device/soft/ptx/code.h"

namespace bitfusion::soft {
namespace {

std::string module(const std::string& body) {
    return ".version 8.4\n.target sm_90\n.address_size 64\n" + body;
}

std::shared_ptr<const Program> assembled(const std::string& body) {
    auto program = assemble(module(body));
    EXPECT_TRUE(program) << program.error().what;
    return program ? *program : nullptr;
}

Error refused(const std::string& text, const AssembleOptions& options = {}) {
    auto program = assemble(text, options);
    EXPECT_FALSE(program) << text;
    return program ? Error{} : program.error();
}

std::string words(const std::string& body) { return refused(module(body)).what; }

TEST(Program, DescribesKernels) {
    const auto program = assembled(R"(
        .const .align 8 .b8 c[24];
        .func leaf() { .local .align 16 .b8 room[40]; .reg .u64 %x; mov.u64 %x, room; ret; }
        .visible .entry first(.param .u8 a, .param .align 8 .b8 b[12], .param .u64 .ptr .global .align 16 c0, .param .f32 d)
            .maxntid 32, 4, 1 .minnctapersm 2
        { .shared .align 8 .f64 s[5]; .reg .f64 %v; ld.shared.f64 %v, [s]; call leaf; ret; }
        .weak .entry second() .reqntid 8, 8 { ret; }
    )");
    ASSERT_EQ(program->kernels().size(), 2u);
    const Kernel& first = program->kernels()[program->find_kernel("first").value()];
    ASSERT_EQ(first.parameters.size(), 4u);
    EXPECT_EQ(first.parameters[0].offset, 0u);
    EXPECT_EQ(first.parameters[1].offset, 8u);
    EXPECT_EQ(first.parameters[1].size, 12u);
    EXPECT_EQ(first.parameters[2].offset, 24u);
    EXPECT_EQ(first.parameters[2].alignment, 8u);
    EXPECT_EQ(first.parameters[3].offset, 32u);
    EXPECT_EQ(first.parameter_bytes, 36u);
    EXPECT_EQ(first.max_threads_per_block, 128u);
    EXPECT_EQ(first.static_shared_bytes, 40u);
    EXPECT_FALSE(first.uses_dynamic_shared);
    EXPECT_EQ(first.local_bytes, 48u);
    EXPECT_EQ(first.const_bytes, 24u);
    EXPECT_EQ(first.linkage, Linkage::kVisible);
    EXPECT_EQ(first.ptx_version, 84u);
    EXPECT_EQ(first.target_sm, 90u);
    EXPECT_GE(first.registers, 2u);
    const Kernel& second = program->kernels()[program->find_kernel("second").value()];
    EXPECT_EQ(second.required_block, (std::array<uint32_t, 3>{8, 8, 1}));
    EXPECT_EQ(second.max_threads_per_block, 64u);
    EXPECT_EQ(second.linkage, Linkage::kWeak);
    EXPECT_FALSE(program->find_kernel("leaf"));
}

TEST(Program, DescribesVariables) {
    const auto program = assembled(R"(
        .visible .global .attribute(.managed) .align 4 .u32 m = 7;
        .const .align 4 .f32 table[2][3] = {{0f3f800000, 2.0}, {0f40400000}};
        .global .align 8 .u64 where[3] = {m, generic(table) + 8, 0x10};
        .global .align 1 .b8 split[4] = {0xff(m), 0xff00(m), 1, -1};
        .global .v4 .f32 quad;
        .global .u32 sized[] = {1, 2, 3};
        .func f() { ret; }
        .global .u64 code = f;
    )");
    const auto& variables = program->variables();
    const Variable& managed = variables[program->find_variable("m").value()];
    EXPECT_TRUE(managed.managed);
    EXPECT_EQ(managed.linkage, Linkage::kVisible);
    EXPECT_EQ(managed.initial.size(), 4u);
    const Variable& table = variables[program->find_variable("table").value()];
    EXPECT_EQ(table.space, VariableSpace::kConst);
    EXPECT_EQ(table.size, 24u);
    float values[4] = {};
    std::memcpy(values, table.initial.data(), 16);
    EXPECT_EQ(values[0], 1.0f);
    EXPECT_EQ(values[1], 2.0f);
    EXPECT_EQ(values[2], 0.0f);
    EXPECT_EQ(values[3], 3.0f);
    EXPECT_EQ(variables[program->find_variable("quad").value()].size, 16u);
    EXPECT_EQ(variables[program->find_variable("quad").value()].alignment, 16u);
    EXPECT_EQ(variables[program->find_variable("sized").value()].size, 12u);

    std::vector<std::vector<uint64_t>> memory;
    std::vector<uint64_t> addresses;
    for (const Variable& variable : variables) {
        memory.emplace_back(variable.size / 8 + 3, 0xeeeeeeeeeeeeeeee);
        addresses.push_back((reinterpret_cast<uint64_t>(memory.back().data()) + 15) / 16 * 16);
    }
    const auto loaded = LoadedProgram::load(program, addresses);
    ASSERT_TRUE(loaded) << loaded.error().what;
    const auto place = [&](const char* name) { return addresses[program->find_variable(name).value()]; };
    const auto* where = reinterpret_cast<const uint64_t*>(place("where"));
    EXPECT_EQ(where[0], place("m"));
    EXPECT_EQ(where[1], place("table") + 8);
    EXPECT_EQ(where[2], 0x10u);
    const auto* split = reinterpret_cast<const uint8_t*>(place("split"));
    EXPECT_EQ(split[0], place("m") & 0xff);
    EXPECT_EQ(split[1], place("m") >> 8 & 0xff);
    EXPECT_EQ(split[2], 1);
    EXPECT_EQ(split[3], 255);
    const auto* quad = reinterpret_cast<const uint64_t*>(place("quad"));
    EXPECT_EQ(quad[0], 0u);
    EXPECT_EQ(quad[1], 0u);
    EXPECT_NE(function_at(program->code(), *reinterpret_cast<const uint64_t*>(place("code"))), kNoFunction);

    EXPECT_FALSE(LoadedProgram::load(program, {}));
    ++addresses[0];
    EXPECT_FALSE(LoadedProgram::load(program, addresses));
}

TEST(Program, SharedVariablesOfDifferentKernelsOverlap) {
    const auto program = assembled(R"(
        .shared .align 4 .b8 a[1000]; .shared .align 4 .b8 b[3000]; .shared .align 4 .b8 both[8];
        .func touch() { st.shared.u32 [both], 1; ret; }
        .entry ka() { st.shared.u8 [a], 1; call touch; ret; }
        .entry kb() { st.shared.u8 [b], 1; call touch; ret; }
    )");
    EXPECT_EQ(program->kernels()[0].static_shared_bytes, 1008u);
    EXPECT_LE(program->kernels()[1].static_shared_bytes, 4008u);
}

TEST(Program, RefusesByName) {
    EXPECT_EQ(words(".entry k() {\n  wgmma.mma_async.sync.aligned.m64n8k16.f32.f16.f16 {%f1}, %rd1, %rd2, 1, "
                    "1, 1, 0, 0;\n}"),
              "line 5: instruction 'wgmma.mma_async.sync.aligned.m64n8k16.f32.f16.f16' is not supported by "
              "the software GPU; "
              "compile for another architecture or run on a real GPU");
    EXPECT_NE(words(".entry k() { .reg .u32 %a; add.u32.cold %a, %a, %a; }")
                  .find("'add.u32.cold' is not supported"),
              std::string::npos);
    EXPECT_NE(words(".entry k() { .reg .u32 %a; tex.2dms.v4.f32.s32 {%a}, [t, {%a}]; }")
                  .find("'tex.2dms.v4.f32.s32'"),
              std::string::npos);
    EXPECT_NE(words(".entry k() { .reg .u32 %a; add.u32 %a, %a; }").find("takes 3 operands but has 2"),
              std::string::npos);
    EXPECT_NE(words(".entry k() { .reg .u32 %a; .reg .u64 %b; add.u32 %a, %a, %b; }")
                  .find("register '%b' of type .u64 does not fit .u32"),
              std::string::npos);
    EXPECT_NE(words(".entry k() { bra NOWHERE; }").find("label 'NOWHERE' is not defined"), std::string::npos);
    EXPECT_NE(words(".entry k() { .reg .u32 %a; mov.u32 %a, %b; }")
                  .find("'%b' is neither declared nor a special register"),
              std::string::npos);
    EXPECT_NE(words(".entry k() { .reg .u32 %a; mov.u32 %a, sym; }").find("'sym' is not declared"),
              std::string::npos);
    EXPECT_NE(words(".entry k() { .reg .u32 %a; @%a ret; }").find("'%a' is not a predicate"),
              std::string::npos);
    EXPECT_NE(words(".entry k(.param .u32 p) { .reg .u32 %a; ld.param.u32 %a, [p+4]; }")
                  .find("outside of the parameters"),
              std::string::npos);
    EXPECT_NE(words(".entry k() { call missing; }").find("'missing' is not a function"), std::string::npos);
    EXPECT_NE(words(".global .u32 a; .global .u32 a;").find("'a' is declared twice"), std::string::npos);
    EXPECT_NE(words(".entry k() { L: L: ret; }").find("label 'L' is defined twice"), std::string::npos);
    EXPECT_NE(words(".global .samplerref t;").find("'.samplerref'"), std::string::npos);
    EXPECT_NE(words(".entry k(.param .texref t) { ret; }").find("is no parameter here"), std::string::npos);
    EXPECT_NE(words(".global .frob t;").find("'.frob'"), std::string::npos);
    EXPECT_NE(words(".entry k() { ret;").find("the text ends inside a function"), std::string::npos);
    EXPECT_EQ(refused(module(".entry k() { frob; }")).code, 218);
}

// Rules look at operands before they count them.
TEST(Program, RefusesInstructionsWithoutOperands) {
    for (const char* opcode : {"mbarrier.arrive.shared.b64",
                               "mbarrier.test_wait.shared.b64",
                               "mbarrier.init.shared.b64",
                               "mbarrier.pending_count.b64",
                               "mov.b64",
                               "mov.u32",
                               "ld.global.v4.f32",
                               "st.global.v2.u32",
                               "ld.param.u64",
                               "setp.lt.s32",
                               "setp.eq.and.f32",
                               "set.eq.u32.f32",
                               "selp.b32",
                               "slct.f32.s32",
                               "cvt.rn.f32.f64",
                               "cvta.to.global.u64",
                               "atom.global.add.u32",
                               "atom.global.cas.b64",
                               "red.global.add.f32",
                               "shfl.sync.idx.b32",
                               "vote.sync.ballot.b32",
                               "match.all.sync.b32",
                               "redux.sync.add.s32",
                               "elect.sync",
                               "bar.red.popc.u32",
                               "barrier.sync",
                               "bar.arrive",
                               "bra",
                               "brx.idx",
                               "call",
                               "add.u32",
                               "add.cc.u32",
                               "mad.lo.u32",
                               "fma.rn.f32",
                               "lop3.b32",
                               "lop3.or.b32",
                               "prmt.b32",
                               "bfe.u32",
                               "bfi.b32",
                               "shf.l.wrap.b32",
                               "dp4a.u32.u32",
                               "vadd.u32.u32.u32",
                               "vadd4.u32.u32.u32",
                               "isspacep.global",
                               "tex.2d.v4.f32.s32",
                               "suld.b.2d.b32.trap",
                               "sust.b.2d.b32.trap",
                               "txq.width.b32",
                               "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32",
                               "ldmatrix.sync.aligned.m8n8.x4.shared.b16",
                               "stmatrix.sync.aligned.m8n8.x1.shared.b16",
                               "wmma.load.a.sync.aligned.m16n16k16.row.f16",
                               "cp.async.ca.shared.global",
                               "alloca.u32",
                               "stackrestore.u32",
                               "sin.approx.f32",
                               "testp.nan.f32",
                               "copysign.f32",
                               "nanosleep.u32"}) {
        EXPECT_NE(words(".entry k() { " + std::string(opcode) + "; }").find(opcode), std::string::npos);
    }
}

TEST(Program, RefusesWhatIsTooNew) {
    EXPECT_EQ(refused(".version 12.0\n.target sm_90\n.address_size 64\n").code, 222);
    EXPECT_EQ(refused(".version 8.0\n.target sm_90\n.address_size 64\n", {.device_sm = 75}).code, 209);
    EXPECT_EQ(refused(".version 8.0\n.target sm_90\n.address_size 32\n").code, 218);
    EXPECT_EQ(refused("").code, 218);
    EXPECT_EQ(refused("\x7f"
                      "ELF")
                  .code,
              218);
    const std::string padded = module(".entry k() { ret; }") + std::string(3, '\0');
    EXPECT_TRUE(assemble(padded));
}

TEST(Program, LinksModules) {
    const std::string first = module(R"(
        .extern .func (.param .b32 r) helper(.param .b32 a);
        .extern .global .u32 counter;
        .func own() { ret; }
        .visible .entry k() { .reg .u32 %v; .param .b32 a; .param .b32 r; st.param.b32 [a], 1; call (r), helper, (a);
            ld.global.u32 %v, [counter]; call own; ret; }
    )");
    const std::string second = module(R"(
        .visible .global .u32 counter = 5;
        .func own() { ret; }
        .visible .func (.param .b32 r) helper(.param .b32 a) { call own; ret; }
    )");
    EXPECT_EQ(refused(first).code, 302);
    const std::string_view both[] = {first, second};
    const auto program = assemble(both);
    ASSERT_TRUE(program) << program.error().what;
    EXPECT_EQ((*program)->variables().size(), 1u);
    EXPECT_EQ((*program)->variables()[0].initial.size(), 4u);
    const std::string_view twice[] = {first, second, second};
    EXPECT_FALSE(assemble(twice));
}

TEST(Program, ConstantExpressions) {
    const auto program = assembled(R"(
        .global .s64 v[6] = {1 + 2 * 3, (1 + 2) * 3, -7 / 2, 1 << 4 | 3, 5 > 3 ? 10 : 20, ~0 & 0xff};
    )");
    int64_t values[6] = {};
    std::memcpy(values, program->variables()[0].initial.data(), sizeof values);
    constexpr int64_t kExpected[] = {7, 9, -3, 19, 10, 255};
    for (int i = 0; i < 6; ++i) EXPECT_EQ(values[i], kExpected[i]);
    EXPECT_NE(words(".global .s64 v = 1 / 0;").find("division by zero"), std::string::npos);
}

TEST(Program, ScopesHideNamesAndLabels) {
    assembled(R"(.entry k() {
        .reg .u32 %a; .reg .pred %p;
        { .reg .u64 %a; L: setp.eq.u64 %p, %a, 0; @%p bra L; }
        { .reg .u16 %a; L: setp.eq.u16 %p, %a, 0; @%p bra L; }
        add.u32 %a, %a, 1; ret; })");
}

// Whatever the bytes, assembling ends with an answer. The seed is fixed: a failure can be repeated.
TEST(Program, SurvivesDamagedText) {
    const std::string good = module(R"(
        .const .align 4 .u32 t[4] = {1, 2, 3, 4};
        .func (.param .b32 r) f(.param .b32 a) { .reg .u32 %a; ld.param.u32 %a, [a]; st.param.b32 [r], %a; ret; }
        .visible .entry k(.param .u64 p, .param .u32 n) .maxntid 64, 1, 1 {
            .reg .pred %p<3>; .reg .b32 %r<20>; .reg .b64 %rd<9>; .shared .align 8 .b8 s[64]; .local .align 8 .b8 l[16];
            ld.param.u64 %rd1, [p]; mov.u32 %r1, %tid.x; setp.ge.u32 %p1, %r1, 5; @%p1 bra END;
            { .param .b32 x; .param .b32 y; st.param.b32 [x], %r1; call.uni (y), f, (x); ld.param.b32 %r2, [y]; }
            mad.wide.u32 %rd2, %r1, 4, %rd1; ld.global.v2.u32 {%r3, %r4}, [%rd2+8]; shfl.sync.down.b32 %r5|%p2, %r3, 1, 31, -1;
            T: .branchtargets END, MID; brx.idx %r1, T;
            MID: atom.global.add.u32 %r6, [%rd2], 1;
            END: ret; }
    )");
    ASSERT_TRUE(assemble(good));
    std::mt19937 random(7);
    static constexpr char kBytes[] = "{}[]();,.:%@!<>+-*/=\"0f9xpr_\n\0#";
    for (int round = 0; round < 4000; ++round) {
        std::string text = good;
        for (unsigned k = 0; k <= round % 4u; ++k) {
            const size_t at = random() % text.size();
            switch (random() % 4) {
                case 0:
                    text[at] = kBytes[random() % (sizeof kBytes - 1)];
                    break;
                case 1:
                    text.erase(at, random() % 20);
                    break;
                case 2:
                    text.insert(at, text.substr(random() % text.size(), random() % 30));
                    break;
                default:
                    text.resize(at + 1);
                    break;
            }
        }
        const auto program = assemble(text);
        EXPECT_TRUE(program || !program.error().what.empty());
    }
}

}  // namespace
}  // namespace bitfusion::soft
