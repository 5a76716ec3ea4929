// Tests that need a process of their own: before cuInit, after a fault that kills the context, text on
// stdout.
//
//   CHILD(fault_illegal_address) { ... EXPECT_..., CU_OK ... }          the body, run in the child
//   TEST(Launch, IllegalAddress) { EXPECT_CHILD(fault_illegal_address); }   the test that starts it
//
// The child is this program started anew (fork and exec) with the same target and --child=NAME, so it shares
// nothing with the parent, and under `bitfusion run` it is a client process of its own. A body reports
// through the usual gtest macros.
#pragma once

#include <string>

#include "conformance/target.h"

namespace bitfusion::conformance {

using ChildBody = void (*)();

struct ChildRegistration {
    ChildRegistration(const char* name, ChildBody body);
};

struct ChildOutcome {
    int exit_code = -1;  // 0 passed, 1 failed, 77 skipped, 128 + n ended by signal n, -1 could not be started
    std::string out;     // everything on stdout
    std::string err;     // everything on stderr
};

// Runs a body in a child and waits for it; kills it after two minutes (exit code 137). Any thread.
ChildOutcome run_child(const char* name);

// For main: runs the body in this process and returns the exit code; 2 when there is no such body.
int be_child(const std::string& name);

}  // namespace bitfusion::conformance

#define CHILD(name)                                                                                         \
    static void child_body_##name();                                                                        \
    static const ::bitfusion::conformance::ChildRegistration child_registration_##name(#name,               \
                                                                                       &child_body_##name); \
    static void child_body_##name()

// The child passes; skips this test when the child skipped.
#define EXPECT_CHILD(name)                                                               \
    do {                                                                                 \
        const auto child_outcome = ::bitfusion::conformance::run_child(#name);           \
        if (child_outcome.exit_code == 77) GTEST_SKIP() << child_outcome.out;            \
        EXPECT_EQ(child_outcome.exit_code, 0) << child_outcome.out << child_outcome.err; \
    } while (false)
