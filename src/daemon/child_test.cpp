#include "daemon/child.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/descriptor.h"
#include "daemon/async.h"

namespace bitfusion::daemon {
namespace {

// What the child's shell wrote to descriptor 4, and its status.
std::string told(const std::string& script, int* status, bool legacy_layout = false) {
    int ends[2];
    EXPECT_EQ(pipe2(ends, O_CLOEXEC), 0);
    const Descriptor reading(ends[0]);
    Descriptor writing(ends[1]);
    ChildPlan plan;
    plan.path = "/bin/sh";
    plan.arguments = {"sh", "-c", script};
    plan.environment = {"PATH=/usr/bin:/bin", "ONLY=this"};
    plan.descriptors = {-1, writing.get()};
    plan.legacy_layout = legacy_layout;
    const auto pid = start_child(plan);
    EXPECT_TRUE(pid);
    writing.close();
    std::string text;
    char chunk[256];
    for (ssize_t got = 0; (got = read(reading.get(), chunk, sizeof chunk)) > 0;)
        text.append(chunk, static_cast<size_t>(got));
    if (pid) {
        EXPECT_EQ(waitpid(*pid, status, 0), *pid);
    }
    return text;
}

TEST(Child, SeesOnlyWhatItsPlanNames) {
    // Not close-on-exec, as libraries open them.
    const Descriptor stray(open("/dev/null", O_RDONLY));
    int status = -1;
    EXPECT_EQ(
        told("for fd in 0 1 2 3 4 5 6 7 8 9; do if [ -e /proc/$$/fd/$fd ]; then printf $fd >&4; fi; done",
             &status),
        "0124");
    EXPECT_EQ(status, 0);
    EXPECT_EQ(told("env | grep -v -e ^PWD= -e ^SHLVL= -e ^_= | sort >&4", &status),
              "ONLY=this\nPATH=/usr/bin:/bin\n");
}

TEST(Child, HasItsOwnGroupAndNoInput) {
    int status = -1;
    EXPECT_EQ(told("[ $(ps -o pgid= -p $$) -eq $$ ] && printf own >&4; read -r line || printf ' none' >&4",
                   &status),
              "own none");
}

TEST(Child, LegacyLayoutWhereItIsAllowed) {
#if !defined(__SANITIZE_THREAD__)
    int status = -1;
    const std::string personality = told("cat /proc/$$/personality >&4", &status, true);
    EXPECT_EQ(std::stoul(personality, nullptr, 16) & 0x0200000UL, 0x0200000UL);
#else
    GTEST_SKIP() << "ThreadSanitizer needs its own layout";
#endif
}

TEST(Child, AProgramThatCannotRunIsAnErrorAndNoChild) {
    ChildPlan plan;
    plan.path = "/nonexistent/program";
    plan.arguments = {"program"};
    const auto pid = start_child(plan);
    ASSERT_FALSE(pid);
    EXPECT_EQ(pid.error().code, ENOENT);
    EXPECT_EQ(waitpid(-1, nullptr, WNOHANG), -1);
}

TEST(Child, EveryEndIsReportedOnceAndReaped) {
    asio::io_context io;
    Children children(io);
    constexpr int kCount = 20;
    int reported = 0;
    for (int i = 0; i < kCount; ++i) {
        ChildPlan plan;
        plan.path = "/bin/sh";
        plan.arguments = {"sh", "-c", "exit " + std::to_string(i)};
        const auto pid = start_child(plan);
        ASSERT_TRUE(pid);
        children.watch(*pid, [&, i](int status) {
            EXPECT_EQ(WEXITSTATUS(status), i);
            if (++reported == kCount) children.stop();
        });
    }
    io.run();
    EXPECT_EQ(reported, kCount);
    EXPECT_EQ(children.count(), 0u);
    EXPECT_EQ(waitpid(-1, nullptr, WNOHANG), -1);
}

}  // namespace
}  // namespace bitfusion::daemon
