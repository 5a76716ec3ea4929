// Floating point: rounding, flushing, saturation, NaN, halves, conversions. Exact bits.
#include <cmath>

#include "device/soft/simt/engine_fixture.h"

namespace bitfusion::soft {
namespace {

class Float : public EngineFixture {};

struct Case {
    const char* instruction;
    const char* types;
    std::vector<uint64_t> inputs;
    uint64_t expected;
};

constexpr uint64_t kNan = 0x7fffffff;
constexpr uint64_t kSubnormal = 0x00000001;

TEST_F(Float, RoundsAsAsked) {
    const uint64_t one = bits(1.0f);
    const uint64_t tiny = bits(0x1p-30f);
    const Case cases[] = {
        {"add.f32 %d, %a, %b;", "rrr", {one, tiny}, one},
        {"add.rp.f32 %d, %a, %b;", "rrr", {one, tiny}, one + 1},
        {"add.rm.f32 %d, %a, %b;", "rrr", {one | 0x80000000, tiny | 0x80000000}, (one | 0x80000000) + 1},
        {"add.rz.f32 %d, %a, %b;", "rrr", {one | 0x80000000, tiny | 0x80000000}, one | 0x80000000},
        {"sub.rm.f32 %d, %a, %b;", "rrr", {one, tiny}, one - 1},
        {"mul.rz.f32 %d, %a, %b;", "rrr", {one + 1, one + 1}, one + 2},
        {"mul.rp.f32 %d, %a, %b;", "rrr", {one + 1, one + 1}, one + 3},
        {"fma.rn.f32 %d, %a, %b, %c;", "rrrr", {one + 1, one + 1, (one + 2) | 0x80000000}, bits(0x1p-46f)},
        {"fma.rp.f32 %d, %a, %b, %c;", "rrrr", {one, one, tiny}, one + 1},
        {"fma.rz.f64 %d, %a, %b, %c;", "llll", {bits(1.0), bits(1.0), bits(0x1p-60)}, bits(1.0)},
        {"fma.rp.f64 %d, %a, %b, %c;", "llll", {bits(1.0), bits(1.0), bits(0x1p-60)}, bits(1.0) + 1},
        {"div.rn.f32 %d, %a, %b;", "rrr", {one, bits(3.0f)}, bits(1.0f / 3.0f)},
        {"div.rz.f32 %d, %a, %b;", "rrr", {one, bits(3.0f)}, bits(1.0f / 3.0f) - 1},
        {"rcp.rp.f64 %d, %a;", "ll", {bits(3.0)}, bits(1.0 / 3.0) + 1},
        {"sqrt.rn.f32 %d, %a;", "rr", {bits(2.0f)}, bits(std::sqrt(2.0f))},
        {"sqrt.rz.f32 %d, %a;", "rr", {bits(2.0f)}, 0x3fb504f3},
        {"sqrt.rp.f32 %d, %a;", "rr", {bits(2.0f)}, 0x3fb504f4},
    };
    for (const Case& test : cases)
        EXPECT_EQ(evaluate(test.instruction, test.types, test.inputs), test.expected) << test.instruction;
}

TEST_F(Float, FlushesSaturatesAndPrefersNumbers) {
    const uint64_t one = bits(1.0f);
    const uint64_t nan = 0x7fc00001;
    const Case cases[] = {
        {"add.f32 %d, %a, %b;", "rrr", {kSubnormal, kSubnormal}, 2},
        {"add.ftz.f32 %d, %a, %b;", "rrr", {kSubnormal, kSubnormal}, 0},
        {"mul.ftz.f32 %d, %a, %b;", "rrr", {0x80800000, bits(0.5f)}, 0x80000000},
        {"fma.rn.ftz.f32 %d, %a, %b, %c;", "rrrr", {kSubnormal, one, one}, one},
        {"add.sat.f32 %d, %a, %b;", "rrr", {one, one}, one},
        {"sub.sat.f32 %d, %a, %b;", "rrr", {0, one}, 0},
        {"add.sat.f32 %d, %a, %b;", "rrr", {nan, one}, 0},
        {"add.f32 %d, %a, %b;", "rrr", {nan, one}, kNan},
        {"sub.f32 %d, %a, %b;", "rrr", {0x7f800000, 0x7f800000}, kNan},
        {"min.f32 %d, %a, %b;", "rrr", {nan, one}, one},
        {"max.f32 %d, %a, %b;", "rrr", {one, nan}, one},
        {"min.NaN.f32 %d, %a, %b;", "rrr", {one, nan}, kNan},
        {"min.f32 %d, %a, %b;", "rrr", {0, 0x80000000}, 0x80000000},
        {"max.f32 %d, %a, %b;", "rrr", {0x80000000, 0}, 0},
        {"min.xorsign.abs.f32 %d, %a, %b;", "rrr", {bits(-2.0f), bits(3.0f)}, bits(-2.0f)},
        {"abs.f32 %d, %a;", "rr", {bits(-2.5f)}, bits(2.5f)},
        {"neg.f64 %d, %a;", "ll", {bits(2.5)}, bits(-2.5)},
        {"copysign.f32 %d, %a, %b;", "rrr", {bits(-1.0f), bits(7.0f)}, bits(-7.0f)},
        {"testp.infinite.f32 %d, %a;", "pr", {0x7f800000}, 1},
        {"testp.subnormal.f64 %d, %a;", "pl", {1}, 1},
        {"testp.normal.f32 %d, %a;", "pr", {kSubnormal}, 0},
        {"setp.lt.f32 %d, %a, %b;", "prr", {nan, one}, 0},
        {"setp.ltu.f32 %d, %a, %b;", "prr", {nan, one}, 1},
        {"setp.ne.f32 %d, %a, %b;", "prr", {nan, one}, 0},
        {"setp.neu.f32 %d, %a, %b;", "prr", {nan, one}, 1},
        {"setp.nan.f64 %d, %a, %b;", "pll", {0x7ff8000000000000, bits(1.0)}, 1},
        {"setp.eq.ftz.f32 %d, %a, %b;", "prr", {kSubnormal, 0}, 1},
        {"rcp.approx.f32 %d, %a;", "rr", {bits(4.0f)}, bits(0.25f)},
        {"rsqrt.approx.f32 %d, %a;", "rr", {bits(4.0f)}, bits(0.5f)},
        {"ex2.approx.f32 %d, %a;", "rr", {bits(3.0f)}, bits(8.0f)},
        {"lg2.approx.f32 %d, %a;", "rr", {bits(8.0f)}, bits(3.0f)},
        {"sin.approx.f32 %d, %a;", "rr", {0}, 0},
        {"cos.approx.f32 %d, %a;", "rr", {0}, one},
        {"div.full.f32 %d, %a, %b;", "rrr", {bits(6.0f), bits(3.0f)}, bits(2.0f)},
        {"rcp.approx.ftz.f64 %d, %a;", "ll", {bits(2.0)}, bits(0.5)},
    };
    for (const Case& test : cases)
        EXPECT_EQ(evaluate(test.instruction, test.types, test.inputs), test.expected) << test.instruction;
}

TEST_F(Float, Halves) {
    const Case cases[] = {
        {"add.f16 %d, %a, %b;", "hhh", {0x3c00, 0x3c00}, 0x4000},
        {"add.f16 %d, %a, %b;", "hhh", {0x3c00, 0x1000}, 0x3c00},  // a tie goes to even
        {"add.f16 %d, %a, %b;", "hhh", {0x3c01, 0x1000}, 0x3c02},
        {"mul.f16 %d, %a, %b;", "hhh", {0x7bff, 0x4000}, 0x7c00},
        {"mul.sat.f16 %d, %a, %b;", "hhh", {0x4000, 0x4000}, 0x3c00},
        {"sub.f16 %d, %a, %b;", "hhh", {0x7c00, 0x7c00}, 0x7fff},
        {"add.f16 %d, %a, %b;", "hhh", {0x0001, 0x0001}, 0x0002},
        {"add.ftz.f16 %d, %a, %b;", "hhh", {0x0001, 0x0001}, 0},
        {"fma.rn.f16 %d, %a, %b, %c;", "hhhh", {0x3c01, 0x3c01, 0xbc02}, 0x0010},
        {"fma.rn.relu.f16 %d, %a, %b, %c;", "hhhh", {0x3c00, 0xbc00, 0}, 0},
        {"add.f16x2 %d, %a, %b;", "rrr", {0x40003c00, 0x3c003c00}, 0x42004000},
        {"fma.rn.f16x2 %d, %a, %b, %c;", "rrrr", {0x40003c00, 0x40004000, 0x3c003c00}, 0x45004200},
        {"neg.f16x2 %d, %a;", "rr", {0x3c00bc00}, 0xbc003c00},
        {"max.f16 %d, %a, %b;", "hhh", {0x7e00, 0x3c00}, 0x3c00},
        {"min.NaN.f16x2 %d, %a, %b;", "rrr", {0x7e003c00, 0x3c004000}, 0x7fff3c00},
        {"setp.lt.f16 %d, %a, %b;", "phh", {0xbc00, 0x3c00}, 1},
        {"add.bf16 %d, %a, %b;", "hhh", {0x3f80, 0x3f80}, 0x4000},
        {"fma.rn.bf16x2 %d, %a, %b, %c;", "rrrr", {0x40003f80, 0x40003f80, 0x3f800000}, 0x40a03f80},
        {"ex2.approx.f16 %d, %a;", "hh", {0x4200}, 0x4800},
        {"tanh.approx.f16 %d, %a;", "hh", {0}, 0},
        {"set.gt.f16x2.f16x2 %d, %a, %b;", "rrr", {0x40003c00, 0x3c004000}, 0x3c000000},
    };
    for (const Case& test : cases)
        EXPECT_EQ(evaluate(test.instruction, test.types, test.inputs), test.expected) << test.instruction;
}

TEST_F(Float, Conversions) {
    const Case cases[] = {
        {"cvt.rni.s32.f32 %d, %a;", "rr", {bits(2.5f)}, 2},
        {"cvt.rni.s32.f32 %d, %a;", "rr", {bits(3.5f)}, 4},
        {"cvt.rzi.s32.f32 %d, %a;", "rr", {bits(-2.9f)}, 0xfffffffe},
        {"cvt.rmi.s32.f32 %d, %a;", "rr", {bits(-2.1f)}, 0xfffffffd},
        {"cvt.rpi.s32.f64 %d, %a;", "rl", {bits(2.1)}, 3},
        {"cvt.rzi.s32.f32 %d, %a;", "rr", {bits(1e20f)}, 0x7fffffff},
        {"cvt.rzi.u32.f32 %d, %a;", "rr", {bits(-5.0f)}, 0},
        {"cvt.rzi.s32.f32 %d, %a;", "rr", {kNan}, 0},
        {"cvt.rzi.u8.f32 %d, %a;", "hr", {bits(300.0f)}, 255},
        {"cvt.rzi.u64.f64 %d, %a;", "ll", {bits(1e19)}, 10000000000000000000ull},
        {"cvt.rzi.s64.f32 %d, %a;", "lr", {bits(-3.5f)}, 0xfffffffffffffffd},
        {"cvt.rn.f32.s32 %d, %a;", "rr", {16777217}, bits(16777216.0f)},
        {"cvt.rp.f32.s32 %d, %a;", "rr", {16777217}, bits(16777218.0f)},
        {"cvt.rz.f32.u32 %d, %a;", "rr", {0xffffffff}, bits(4294967040.0f)},
        {"cvt.rn.f32.u64 %d, %a;", "rl", {0xffffffffffffffff}, bits(18446744073709551616.0f)},
        {"cvt.rz.f32.s64 %d, %a;", "rl", {0x7fffffffffffffff}, bits(9223371487098961920.0f)},
        {"cvt.rn.f64.s64 %d, %a;", "ll", {0x20000000000001}, bits(9007199254740992.0)},
        {"cvt.rp.f64.s64 %d, %a;", "ll", {0x20000000000001}, bits(9007199254740994.0)},
        {"cvt.f64.f32 %d, %a;", "lr", {bits(1.5f)}, bits(1.5)},
        {"cvt.rn.f32.f64 %d, %a;", "rl", {bits(0.1)}, bits(0.1f)},
        {"cvt.rz.f32.f64 %d, %a;", "rl", {bits(0.1)}, bits(0.1f) - 1},
        {"cvt.rn.f32.f64 %d, %a;", "rl", {bits(1e300)}, 0x7f800000},
        {"cvt.rz.f32.f64 %d, %a;", "rl", {bits(1e300)}, 0x7f7fffff},
        {"cvt.sat.f32.f32 %d, %a;", "rr", {bits(3.0f)}, bits(1.0f)},
        {"cvt.rni.f32.f32 %d, %a;", "rr", {bits(-0.3f)}, bits(-0.0f)},
        {"cvt.rmi.f64.f64 %d, %a;", "ll", {bits(2.7)}, bits(2.0)},
        {"cvt.ftz.f32.f32 %d, %a;", "rr", {kSubnormal}, 0},
        {"cvt.rn.f16.f32 %d, %a;", "hr", {bits(65520.0f)}, 0x7c00},
        {"cvt.rz.f16.f32 %d, %a;", "hr", {bits(65520.0f)}, 0x7bff},
        {"cvt.rn.f16.f32 %d, %a;", "hr", {bits(0x1p-25f)}, 0},
        {"cvt.rn.f16.f32 %d, %a;", "hr", {bits(0x1.8p-25f)}, 1},
        {"cvt.f32.f16 %d, %a;", "rh", {0x0001}, bits(0x1p-24f)},
        {"cvt.f32.f16 %d, %a;", "rh", {0xfc00}, 0xff800000},
        {"cvt.rn.f16.s32 %d, %a;", "hr", {2049}, 0x6800},
        {"cvt.rn.bf16.f32 %d, %a;", "hr", {0x3f808000}, 0x3f80},
        {"cvt.rn.bf16.f32 %d, %a;", "hr", {0x3f818000}, 0x3f82},
        {"cvt.f32.bf16 %d, %a;", "rh", {0x4049}, 0x40490000},
        {"cvt.rn.f16x2.f32 %d, %a, %b;", "rrr", {bits(1.0f), bits(2.0f)}, 0x3c004000},
        {"cvt.rn.relu.bf16x2.f32 %d, %a, %b;", "rrr", {bits(-1.0f), bits(2.0f)}, 0x00004000},
        {"cvt.rna.tf32.f32 %d, %a;", "rr", {0x3f801000}, 0x3f802000},
        {"cvt.rn.satfinite.e4m3x2.f32 %d, %a, %b;", "hrr", {bits(500.0f), bits(1.0f)}, 0x7e38},
        {"cvt.rn.satfinite.e5m2x2.f32 %d, %a, %b;", "hrr", {bits(1.0f), bits(1e9f)}, 0x3c7b},
        {"cvt.rn.f16x2.e4m3x2 %d, %a;", "rh", {0x3839}, 0x3c003c80},
        {"cvt.u32.u16 %d, %a;", "rh", {0xffff}, 0xffff},
        {"cvt.s32.s16 %d, %a;", "rh", {0xffff}, 0xffffffff},
        {"cvt.s64.s32 %d, %a;", "lr", {0xffffffff}, 0xffffffffffffffff},
        {"cvt.u32.u64 %d, %a;", "rl", {0x100000002}, 2},
        {"cvt.s32.s8 %d, %a;", "rr", {0x80}, 0xffffff80},
        {"cvt.u16.u8 %d, %a;", "hh", {0x1ff}, 0xff},
        {"cvt.sat.u8.s32 %d, %a;", "rr", {0xffffffff}, 0},
        {"cvt.sat.s16.s32 %d, %a;", "rr", {100000}, 0x7fff},
        {"cvt.s8.s32 %d, %a;", "rr", {0x180}, 0xffffff80},
        {"cvt.s64.s8 %d, %a;", "ll", {0x80}, 0xffffffffffffff80},
    };
    for (const Case& test : cases)
        EXPECT_EQ(evaluate(test.instruction, test.types, test.inputs), test.expected) << test.instruction;
}

}  // namespace
}  // namespace bitfusion::soft
