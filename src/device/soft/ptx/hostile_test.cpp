// Text that claims much: it is refused, or taken, without the memory that it speaks of.
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <string>

#include "device/soft/ptx/program.h"

namespace bitfusion::soft {
namespace {

// MiB that this process has had at most.
long peak() {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss / 1024;
}

std::string repeated(const std::string& piece, size_t count) {
    std::string text;
    text.reserve(piece.size() * count);
    for (size_t i = 0; i < count; ++i) text += piece;
    return text;
}

struct Claim {
    const char* name;
    std::string body;
    const char* reason;  // words of the refusal; null: it may be taken, at no price
};

TEST(HostileText, ClaimsAreNotBelieved) {
    const std::string kernel = ".entry k() {\n";
    const Claim claims[] = {
        {"bytes of an array", ".global .b8 a[9223372036854775807];", "too large"},
        {"an array of arrays", ".global .u64 a[2147483647][2147483647][2147483647];", "too large"},
        {"bytes that wrap", ".global .align 128 .u64 a[2305843009213693953];", "too large"},
        {"an initialised array", ".global .b8 a[1099511627776] = {1};", "too large"},
        {"constants", ".const .b8 a[1048576];", "const"},
        {"shared memory", kernel + ".shared .b8 a[4294967295]; .shared .b8 b[4294967295]; ret; }", "large"},
        {"local memory", kernel + ".local .b8 a[1099511627776]; ret; }", "large"},
        {"registers", kernel + ".reg .u32 %r<4294967295>; ret; }", nullptr},
        {"registers of many kinds", kernel + repeated(".reg .b64 %r<1048575>;", 2) + " ret; }", nullptr},
        {"blocks in blocks", kernel + repeated("{", 100000), "nest too deep"},
        {"brackets in an expression",
         ".global .u32 a = " + repeated("(", 100000) + "1" + repeated(")", 100000) + ";", "nests too deep"},
        {"minus signs in an expression", ".global .s32 a = " + repeated("-", 100000) + "1;",
         "nests too deep"},
        {"braces in an initial value", ".global .u32 a[4] = " + repeated("{", 100000) + "1",
         "expected an integer but found '{'"},
        {"vectors in a vector", kernel + ".reg .u32 %a; mov.u32 %a, " + repeated("{", 100000),
         "nests too deep"},
        {"a parameter", ".entry k(.param .b8 p[4294967295]) { ret; }", "large"},
        {"targets of a branch",
         kernel + ".reg .u32 %a; L: T: .branchtargets L" + repeated(", L", 2000000) + "; brx.idx %a, T; }",
         "too many"},
        {"operands", kernel + ".reg .u32 %a; add.u32 %a" + repeated(", %a", 1000000) + "; }",
         "too many operands"},
        {"targets of many branches",
         kernel + ".reg .u32 %a; L: T: .branchtargets L" + repeated(", L", 4000) + ";" +
             repeated("brx.idx %a, T;", 4000) + " }",
         "too many branch targets"},
    };
    const std::string head = ".version 8.4\n.target sm_89\n.address_size 64\n";
    constexpr long kMost = 512;
    for (const Claim& claim : claims) {
        SCOPED_TRACE(claim.name);
        const std::string text = head + claim.body;
        const long before = peak();
        const auto program = assemble(text);
        EXPECT_LT(peak() - before, kMost) << "MiB";
        EXPECT_EQ(bool(program), claim.reason == nullptr);
        if (program || claim.reason == nullptr) continue;
        EXPECT_NE(program.error().what.find(claim.reason), std::string::npos)
            << program.error().what.substr(0, 300);
    }
}

// What is merely long is taken.
TEST(HostileText, ManySmallThingsAreAModule) {
    std::string text = ".version 8.4\n.target sm_89\n.address_size 64\n";
    for (int i = 0; i < 5000; ++i)
        text += ".global .u32 v" + std::to_string(i) + " = " + std::to_string(i) + ";\n.visible .entry k" +
                std::to_string(i) + "() { .reg .u32 %a; ld.global.u32 %a, [v" + std::to_string(i) +
                "]; ret; }\n";
    const auto program = assemble(text);
    ASSERT_TRUE(program) << program.error().what;
    EXPECT_EQ((*program)->kernels().size(), 5000u);
}

}  // namespace
}  // namespace bitfusion::soft
