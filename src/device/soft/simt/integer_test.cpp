// Integer arithmetic, bits, logic and comparison: one instruction, exact results.
#include "device/soft/simt/engine_fixture.h"

namespace bitfusion::soft {
namespace {

class Integer : public EngineFixture {};

struct Case {
    const char* instruction;
    const char* types;
    std::vector<uint64_t> inputs;
    uint64_t expected;
};

TEST_F(Integer, Arithmetic) {
    const Case cases[] = {
        {"add.s32 %d, %a, %b;", "rrr", {0x7fffffff, 1}, 0x80000000},
        {"add.sat.s32 %d, %a, %b;", "rrr", {0x7fffffff, 1}, 0x7fffffff},
        {"sub.sat.s32 %d, %a, %b;", "rrr", {0x80000000, 1}, 0x80000000},
        {"add.u16 %d, %a, %b;", "hhh", {0xffff, 3}, 2},
        {"add.u64 %d, %a, %b;", "lll", {0xffffffffffffffff, 2}, 1},
        {"sub.u32 %d, %a, 7;", "rr", {5}, 0xfffffffe},
        {"mul.lo.s32 %d, %a, %b;", "rrr", {0x10001, 0x10001}, 0x20001},
        {"mul.hi.s32 %d, %a, %b;", "rrr", {0xffffffff, 5}, 0xffffffff},
        {"mul.hi.u32 %d, %a, %b;", "rrr", {0xffffffff, 5}, 4},
        {"mul.hi.u64 %d, %a, %b;", "lll", {0xffffffffffffffff, 16}, 15},
        {"mul.hi.s64 %d, %a, %b;", "lll", {0xffffffffffffffff, 16}, 0xffffffffffffffff},
        {"mul.hi.u16 %d, %a, %b;", "hhh", {0x8000, 6}, 3},
        {"mul.wide.s32 %d, %a, %b;", "lrr", {0xffffffff, 3}, 0xfffffffffffffffd},
        {"mul.wide.u32 %d, %a, %b;", "lrr", {0xffffffff, 3}, 0x2fffffffd},
        {"mul.wide.s16 %d, %a, %b;", "rhh", {0xffff, 3}, 0xfffffffd},
        {"mul.wide.u16 %d, %a, %b;", "rhh", {0xffff, 3}, 0x2fffd},
        {"mul24.lo.u32 %d, %a, %b;", "rrr", {0xff000003, 5}, 15},
        {"mul24.hi.s32 %d, %a, %b;", "rrr", {0x00800000, 0x00010000}, 0xff800000},
        {"mad.lo.u32 %d, %a, %b, %c;", "rrrr", {6, 7, 8}, 50},
        {"mad.hi.u32 %d, %a, %b, %c;", "rrrr", {0x80000000, 4, 8}, 10},
        {"mad.hi.sat.s32 %d, %a, %b, %c;", "rrrr", {0x40000000, 4, 0x7fffffff}, 0x7fffffff},
        {"mad.wide.u16 %d, %a, %b, %c;", "rhhr", {0xffff, 0xffff, 1}, 0xfffe0002},
        {"mad.wide.s32 %d, %a, %b, %c;", "lrrl", {0xffffffff, 2, 1}, 0xffffffffffffffff},
        {"sad.u32 %d, %a, %b, %c;", "rrrr", {3, 10, 100}, 107},
        {"sad.s32 %d, %a, %b, %c;", "rrrr", {0xffffffff, 2, 1}, 4},
        {"div.s32 %d, %a, %b;", "rrr", {0xfffffff9, 2}, 0xfffffffd},
        {"div.s32 %d, %a, %b;", "rrr", {0x80000000, 0xffffffff}, 0x80000000},
        {"rem.s32 %d, %a, %b;", "rrr", {0xfffffff9, 2}, 0xffffffff},
        {"rem.s64 %d, %a, %b;", "lll", {0x8000000000000000, 0xffffffffffffffff}, 0},
        {"div.u64 %d, %a, %b;", "lll", {0xffffffffffffffff, 10}, 0x1999999999999999},
        {"rem.u16 %d, %a, %b;", "hhh", {0xffff, 10}, 5},
        {"div.u32 %d, %a, %b;", "rrr", {5, 0}, 0xffffffff},
        {"abs.s32 %d, %a;", "rr", {0xfffffff6}, 10},
        {"neg.s64 %d, %a;", "ll", {1}, 0xffffffffffffffff},
        {"min.s32 %d, %a, %b;", "rrr", {0xffffffff, 1}, 0xffffffff},
        {"min.u32 %d, %a, %b;", "rrr", {0xffffffff, 1}, 1},
        {"max.s16 %d, %a, %b;", "hhh", {0xffff, 1}, 1},
        {"max.u16x2 %d, %a, %b;", "rrr", {0x00050007, 0x00060001}, 0x00060007},
        {"add.s16x2 %d, %a, %b;", "rrr", {0xffff7fff, 0x00010001}, 0x00008000},
    };
    for (const Case& one : cases)
        EXPECT_EQ(evaluate(one.instruction, one.types, one.inputs), one.expected) << one.instruction;
}

TEST_F(Integer, CarryTravelsBetweenInstructions) {
    // (2^64 - 1) + 1 + carries in 32-bit pieces
    const std::string add = ".reg .u32 %x; add.cc.u32 %x, %a, %b; addc.cc.u32 %x, %a, 0; addc.u32 %d, %c, 0;";
    EXPECT_EQ(evaluate(add, "rrrr", {0xffffffff, 1, 5}), 6u);
    EXPECT_EQ(evaluate("sub.cc.u32 %d, %a, %b; subc.u32 %d, %c, 0;", "rrrr", {1, 2, 5}), 4u);
    EXPECT_EQ(evaluate("sub.cc.u32 %d, %a, %b; subc.u32 %d, %c, 0;", "rrrr", {2, 2, 5}), 5u);
    EXPECT_EQ(
        evaluate("mad.lo.cc.u32 %d, %a, %b, %c; madc.hi.u32 %d, %a, %b, 0;", "rrrr", {0xffffffff, 1, 1}), 1u);
    EXPECT_EQ(evaluate("add.cc.u64 %d, %a, %b; addc.u64 %d, %c, 0;", "llll", {0xffffffffffffffff, 1, 9}),
              10u);
}

TEST_F(Integer, BitsAndFields) {
    const Case cases[] = {
        {"and.b32 %d, %a, %b;", "rrr", {0xff00ff00, 0x0ff00ff0}, 0x0f000f00},
        {"or.b64 %d, %a, %b;", "lll", {0xf000000000000000, 1}, 0xf000000000000001},
        {"xor.b16 %d, %a, %b;", "hhh", {0xffff, 0x0f0f}, 0xf0f0},
        {"not.b32 %d, %a;", "rr", {0x0000ffff}, 0xffff0000},
        {"cnot.b32 %d, %a;", "rr", {0}, 1},
        {"shl.b32 %d, %a, %b;", "rrr", {1, 31}, 0x80000000},
        {"shl.b32 %d, %a, %b;", "rrr", {1, 32}, 0},
        {"shl.b64 %d, %a, %b;", "llr", {1, 63}, 0x8000000000000000},
        {"shr.s32 %d, %a, %b;", "rrr", {0x80000000, 100}, 0xffffffff},
        {"shr.u32 %d, %a, %b;", "rrr", {0x80000000, 31}, 1},
        {"shr.s16 %d, %a, %b;", "hhr", {0x8000, 3}, 0xf000},
        {"shf.l.wrap.b32 %d, %a, %b, %c;", "rrrr", {0x80000000, 1, 33}, 3},
        {"shf.r.clamp.b32 %d, %a, %b, %c;", "rrrr", {5, 7, 40}, 7},
        {"popc.b64 %d, %a;", "rl", {0xff00000000000001}, 9},
        {"clz.b32 %d, %a;", "rr", {1}, 31},
        {"clz.b64 %d, %a;", "rl", {0}, 64},
        {"bfind.s32 %d, %a;", "rr", {0xfffffff0}, 3},
        {"bfind.shiftamt.u32 %d, %a;", "rr", {0x10}, 27},
        {"bfind.u64 %d, %a;", "rl", {0}, 0xffffffff},
        {"brev.b32 %d, %a;", "rr", {1}, 0x80000000},
        {"brev.b64 %d, %a;", "ll", {2}, 0x4000000000000000},
        {"bfe.u32 %d, %a, 4, 8;", "rr", {0x12345678}, 0x67},
        {"bfe.s32 %d, %a, 4, 4;", "rr", {0x000000f0}, 0xffffffff},
        {"bfe.s32 %d, %a, 28, 8;", "rr", {0x70000000}, 7},
        {"bfe.s64 %d, %a, 60, 10;", "ll", {0x8000000000000000}, 0xfffffffffffffff8},
        {"bfi.b32 %d, %a, %b, 8, 8;", "rrr", {0xab, 0xffffffff}, 0xffffabff},
        {"bfi.b64 %d, %a, %b, 60, 10;", "lll", {0x5, 0}, 0x5000000000000000},
        {"bmsk.clamp.b32 %d, %a, %b;", "rrr", {4, 8}, 0xff0},
        {"szext.wrap.s32 %d, %a, %b;", "rrr", {0xff, 8}, 0xffffffff},
        {"fns.b32 %d, %a, 0, 2;", "rr", {0b10110}, 2},
        {"fns.b32 %d, %a, 4, -2;", "rr", {0b10110}, 2},
        {"prmt.b32 %d, %a, %b, 0x5410;", "rrr", {0x33221100, 0x77665544}, 0x55441100},
        {"prmt.b32 %d, %a, %b, 0x8888;", "rrr", {0x80, 0}, 0xffffffff},
        {"prmt.b32.f4e %d, %a, %b, %c;", "rrrr", {0x33221100, 0x77665544, 1}, 0x44332211},
        {"prmt.b32.rc16 %d, %a, %b, %c;", "rrrr", {0x33221100, 0, 1}, 0x33223322},
        {"lop3.b32 %d, %a, %b, %c, 0x96;", "rrrr", {0xf0f0f0f0, 0xcccccccc, 0xaaaaaaaa}, 0x96969696},
        {"lop3.b32 %d, %a, %b, %c, 0xe8;", "rrrr", {0xf0f0f0f0, 0xcccccccc, 0xaaaaaaaa}, 0xe8e8e8e8},
        {"dp4a.s32.s32 %d, %a, %b, %c;", "rrrr", {0xff010203, 0x01010101, 10}, 15},
        {"dp4a.u32.u32 %d, %a, %b, %c;", "rrrr", {0xff010203, 0x01010101, 10}, 271},
        {"dp2a.lo.s32.u32 %d, %a, %b, %c;", "rrrr", {0xffff0002, 0x00000305, 1}, 8},
        {"dp2a.hi.s32.u32 %d, %a, %b, %c;", "rrrr", {0xffff0002, 0x03050000, 1}, 8},
    };
    for (const Case& one : cases)
        EXPECT_EQ(evaluate(one.instruction, one.types, one.inputs), one.expected) << one.instruction;
}

TEST_F(Integer, Comparison) {
    const Case cases[] = {
        {"setp.lt.s32 %d, %a, %b;", "prr", {0xffffffff, 1}, 1},
        {"setp.lt.u32 %d, %a, %b;", "prr", {0xffffffff, 1}, 0},
        {"setp.hs.u64 %d, %a, %b;", "pll", {5, 5}, 1},
        {"setp.ne.b16 %d, %a, %b;", "phh", {5, 6}, 1},
        {"setp.gt.and.s16 %d, %a, %b, %c;", "phhp", {5, 0xffff, 1}, 1},
        {"setp.gt.and.s16 %d, %a, %b, !%c;", "phhp", {5, 0xffff, 1}, 0},
        {"setp.eq.xor.b32 %d, %a, %b, %c;", "prrp", {5, 5, 1}, 0},
        {".reg .pred %q; setp.eq.or.b32 %q|%d, %a, %b, %c;", "prrp", {5, 5, 0}, 0},
        {"set.lt.u32.s32 %d, %a, %b;", "rrr", {0xffffffff, 1}, 0xffffffff},
        {"set.lt.f32.s32 %d, %a, %b;", "rrr", {0xffffffff, 1}, 0x3f800000},
        {"selp.b32 %d, %a, %b, %c;", "rrrp", {7, 8, 1}, 7},
        {"selp.b64 %d, %a, %b, !%c;", "lllp", {7, 8, 1}, 8},
        {"slct.s32.s32 %d, %a, %b, %c;", "rrrr", {7, 8, 0xffffffff}, 8},
        {"slct.b64.f32 %d, %a, %b, %c;", "lllr", {7, 8, bits(-0.0f)}, 7},
        {"and.pred %d, %a, %b;", "ppp", {1, 0}, 0},
        {"or.pred %d, %a, !%b;", "ppp", {0, 0}, 1},
        {"xor.pred %d, %a, %b;", "ppp", {1, 1}, 0},
        {"not.pred %d, %a;", "pp", {0}, 1},
        {"mov.pred %d, %a;", "pp", {1}, 1},
        {"mov.pred %d, 1;", "p", {}, 1},
    };
    for (const Case& one : cases)
        EXPECT_EQ(evaluate(one.instruction, one.types, one.inputs), one.expected) << one.instruction;
}

TEST_F(Integer, PiecesOfVideoInstructions) {
    const Case cases[] = {
        {"vabsdiff4.u32.u32.u32 %d, %a, %b, %c;", "rrrr", {0x05ff0010, 0x0600ff01, 0}, 0x01ffff0f},
        {"vabsdiff4.u32.u32.u32.add %d, %a, %b, %c;",
         "rrrr",
         {0x05ff0010, 0x0600ff01, 7},
         7 + 1 + 255 + 255 + 15},
        {"vadd2.s32.s32.s32.sat %d, %a, %b, %c;", "rrrr", {0x7fff8000, 0x0001ffff, 0}, 0x7fff8000},
        {"vmax4.s32.s32.s32 %d, %a, %b, %c;", "rrrr", {0x80ff017f, 0x00000000, 0}, 0x0000017f},
        {"vavrg4.u32.u32.u32 %d, %a, %b, %c;", "rrrr", {0x00000102, 0x00000203, 0}, 0x00000203},
        {"vset4.u32.u32.gt %d, %a, %b, %c;", "rrrr", {0x05000101, 0x04000201, 0}, 0x01000000},
    };
    for (const Case& one : cases)
        EXPECT_EQ(evaluate(one.instruction, one.types, one.inputs), one.expected) << one.instruction;
}

TEST_F(Integer, PackingAndUnpacking) {
    EXPECT_EQ(evaluate("mov.b32 %d, {%a, %b};", "rhh", {0x1111, 0x2222}), 0x22221111u);
    EXPECT_EQ(evaluate("mov.b64 %d, {%a, %b};", "lrr", {1, 2}), 0x200000001u);
    EXPECT_EQ(evaluate(".reg .b16 %lo; mov.b32 {%lo, %d}, %a;", "hr", {0x12345678}), 0x1234u);
    EXPECT_EQ(evaluate(".reg .b16 %x; mov.b64 {_, %x, %d, _}, %a;", "hl", {0x1111222233334444}), 0x2222u);
}

}  // namespace
}  // namespace bitfusion::soft
