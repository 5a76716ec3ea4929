#include "ptx/random_program.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace bitfusion::ptx {

namespace {

// One instruction: its PTX with D, A, B, C for registers, and what it computes.
struct Operation {
    const char* text;
    uint32_t (*apply)(uint32_t a, uint32_t b, uint32_t c);
};

int32_t s(uint32_t value) { return static_cast<int32_t>(value); }
float f(uint32_t value) { return std::bit_cast<float>(value); }
// PTX's only NaN of arithmetic
uint32_t bits(float value) { return value != value ? 0x7fffffff : std::bit_cast<uint32_t>(value); }

constexpr Operation kOperations[] = {
    {"add.u32 D, A, B;", [](uint32_t a, uint32_t b, uint32_t) { return a + b; }},
    {"sub.u32 D, A, B;", [](uint32_t a, uint32_t b, uint32_t) { return a - b; }},
    {"mul.lo.u32 D, A, B;", [](uint32_t a, uint32_t b, uint32_t) { return a * b; }},
    {"mul.hi.u32 D, A, B;",
     [](uint32_t a, uint32_t b, uint32_t) { return static_cast<uint32_t>(uint64_t{a} * b >> 32); }},
    {"mul.hi.s32 D, A, B;",
     [](uint32_t a, uint32_t b, uint32_t) { return static_cast<uint32_t>(int64_t{s(a)} * s(b) >> 32); }},
    {"mad.lo.u32 D, A, B, C;", [](uint32_t a, uint32_t b, uint32_t c) { return a * b + c; }},
    {"and.b32 D, A, B;", [](uint32_t a, uint32_t b, uint32_t) { return a & b; }},
    {"or.b32 D, A, B;", [](uint32_t a, uint32_t b, uint32_t) { return a | b; }},
    {"xor.b32 D, A, B;", [](uint32_t a, uint32_t b, uint32_t) { return a ^ b; }},
    {"not.b32 D, A;", [](uint32_t a, uint32_t, uint32_t) { return ~a; }},
    {"shl.b32 D, A, B;", [](uint32_t a, uint32_t b, uint32_t) { return b > 31 ? 0 : a << b; }},
    {"shr.u32 D, A, B;", [](uint32_t a, uint32_t b, uint32_t) { return b > 31 ? 0 : a >> b; }},
    {"shr.s32 D, A, B;",
     [](uint32_t a, uint32_t b, uint32_t) { return static_cast<uint32_t>(s(a) >> std::min(b, 31u)); }},
    {"shr.u32 D, A, 5;", [](uint32_t a, uint32_t, uint32_t) { return a >> 5; }},
    {"shf.l.wrap.b32 D, A, B, C;",
     [](uint32_t a, uint32_t b, uint32_t c) {
         return static_cast<uint32_t>(((uint64_t{b} << 32) | a) << (c & 31) >> 32);
     }},
    {"min.u32 D, A, B;", [](uint32_t a, uint32_t b, uint32_t) { return std::min(a, b); }},
    {"max.s32 D, A, B;",
     [](uint32_t a, uint32_t b, uint32_t) { return static_cast<uint32_t>(std::max(s(a), s(b))); }},
    {"sad.u32 D, A, B, C;", [](uint32_t a, uint32_t b, uint32_t c) { return (a > b ? a - b : b - a) + c; }},
    {"popc.b32 D, A;",
     [](uint32_t a, uint32_t, uint32_t) { return static_cast<uint32_t>(std::popcount(a)); }},
    {"clz.b32 D, A;",
     [](uint32_t a, uint32_t, uint32_t) { return static_cast<uint32_t>(std::countl_zero(a)); }},
    {"lop3.b32 D, A, B, C, 0xe8;",
     [](uint32_t a, uint32_t b, uint32_t c) { return (a & b) | (a & c) | (b & c); }},
    {"bfe.u32 D, A, 7, 9;", [](uint32_t a, uint32_t, uint32_t) { return a >> 7 & 511; }},
    {"bfi.b32 D, A, B, 4, 12;",
     [](uint32_t a, uint32_t b, uint32_t) { return (b & ~0xfff0u) | (a << 4 & 0xfff0); }},
    {"prmt.b32 D, A, B, 0x5410;", [](uint32_t a, uint32_t b, uint32_t) { return (a & 0xffff) | b << 16; }},
    {"cvt.s32.s8 D, A;",
     [](uint32_t a, uint32_t, uint32_t) { return static_cast<uint32_t>(static_cast<int8_t>(a)); }},
    {"mov.b32 D, 0x1234567;", [](uint32_t, uint32_t, uint32_t) { return 0x1234567u; }},
    {"cvt.rn.f32.s32 D, A;", [](uint32_t a, uint32_t, uint32_t) { return bits(static_cast<float>(s(a))); }},
    {"add.rn.f32 D, A, B;", [](uint32_t a, uint32_t b, uint32_t) { return bits(f(a) + f(b)); }},
    {"mul.rn.f32 D, A, B;", [](uint32_t a, uint32_t b, uint32_t) { return bits(f(a) * f(b)); }},
    {"fma.rn.f32 D, A, B, C;",
     [](uint32_t a, uint32_t b, uint32_t c) { return bits(std::fma(f(a), f(b), f(c))); }},
};

struct Comparison {
    const char* text;
    bool (*holds)(uint32_t a, uint32_t b);
};
constexpr Comparison kComparisons[] = {
    {"setp.lt.u32", [](uint32_t a, uint32_t b) { return a < b; }},
    {"setp.ge.s32", [](uint32_t a, uint32_t b) { return s(a) >= s(b); }},
    {"setp.ne.u32", [](uint32_t a, uint32_t b) { return a != b; }},
    {"setp.gtu.f32", [](uint32_t a, uint32_t b) { return !(f(a) <= f(b)); }},
};

std::string name(unsigned reg) { return "%r" + std::to_string(reg); }

}  // namespace

RandomProgram::RandomProgram(uint64_t seed, unsigned depth) : random_(seed), body_(block(depth)) {}

std::vector<RandomProgram::Statement> RandomProgram::block(unsigned depth) {
    std::vector<Statement> out(2 + pick(7));
    for (Statement& one : out) one = statement(depth);
    return out;
}

RandomProgram::Statement RandomProgram::statement(unsigned depth) {
    Statement out;
    const unsigned kind = pick(depth == 0 ? 6 : 10);
    out.kind = kind < 5   ? Kind::kOperation
               : kind < 6 ? Kind::kGuarded
               : kind < 7 ? Kind::kIf
               : kind < 9 ? Kind::kIfElse
                          : Kind::kLoop;
    out.operation = pick(std::size(kOperations));
    out.d = pick(8);
    out.a = pick(8);
    out.b = pick(8);
    out.c = pick(8);
    out.compare = pick(std::size(kComparisons));
    out.most = 1 + pick(7);
    if (out.kind >= Kind::kIf) out.yes = block(depth - 1);
    if (out.kind == Kind::kIfElse) out.no = block(depth - 1);
    return out;
}

void RandomProgram::run(const std::vector<Statement>& statements, Registers& r) {
    for (const Statement& one : statements) {
        const auto holds = [&] { return kComparisons[one.compare].holds(r[one.a], r[one.b]); };
        const auto compute = [&] {
            r[one.d] = kOperations[one.operation].apply(r[one.a], r[one.b], r[one.c]);
        };
        switch (one.kind) {
            case Kind::kOperation:
                compute();
                break;
            case Kind::kGuarded:
                if (holds()) compute();
                break;
            case Kind::kIf:
            case Kind::kIfElse:
                run(holds() ? one.yes : one.no, r);
                break;
            case Kind::kLoop:
                // as many turns as the low bits of c say, less when the condition ends it
                for (uint32_t turn = 0, most = r[one.c] & one.most; turn < most && !holds(); ++turn)
                    run(one.yes, r);
                break;
        }
    }
}

void RandomProgram::run(Registers& registers) const { run(body_, registers); }

void RandomProgram::print(const std::vector<Statement>& statements, std::string* out, unsigned* label) const {
    for (const Statement& one : statements) {
        const std::string test =
            std::string(kComparisons[one.compare].text) + " %p, " + name(one.a) + ", " + name(one.b) + ";\n";
        std::string operation;
        for (const char* c = kOperations[one.operation].text; *c != 0; ++c)
            // an upper-case letter that stands alone is a register
            operation += (*c >= 'A' && *c <= 'D' && (c[1] == ',' || c[1] == ';')) ? name(*c == 'D'   ? one.d
                                                                                         : *c == 'A' ? one.a
                                                                                         : *c == 'B' ? one.b
                                                                                                     : one.c)
                                                                                  : std::string(1, *c);
        const std::string number = std::to_string((*label)++);
        switch (one.kind) {
            case Kind::kOperation:
                *out += operation + "\n";
                break;
            case Kind::kGuarded:
                *out += test + "@%p " + operation + "\n";
                break;
            case Kind::kIf:
                *out += test + "@!%p bra END" + number + ";\n";
                print(one.yes, out, label);
                *out += "END" + number + ":\n";
                break;
            case Kind::kIfElse:
                *out += test + "@!%p bra ELSE" + number + ";\n";
                print(one.yes, out, label);
                *out += "bra.uni END" + number + ";\nELSE" + number + ":\n";
                print(one.no, out, label);
                *out += "END" + number + ":\n";
                break;
            case Kind::kLoop:
                *out += "{ .reg .u32 %turn, %most; mov.u32 %turn, 0; and.b32 %most, " + name(one.c) + ", " +
                        std::to_string(one.most) + ";\nLOOP" + number +
                        ": setp.ge.u32 %p, %turn, %most; @%p bra END" + number + ";\n" + test +
                        "@%p bra END" + number + ";\n";
                print(one.yes, out, label);
                *out += "add.u32 %turn, %turn, 1; bra LOOP" + number + ";\nEND" + number + ": }\n";
                break;
        }
    }
}

std::string RandomProgram::ptx() const {
    std::string out = ".reg .pred %p;\n";
    unsigned label = 0;
    print(body_, &out, &label);
    return out;
}

}  // namespace bitfusion::ptx
