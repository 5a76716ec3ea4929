#include "cli/program.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

namespace bitfusion::cli {
namespace {

int shell(const std::string& script) {
    const auto code = run_program({"/bin/sh", {"sh", "-c", script}, environment_with({"PROBE=x y"})}, {});
    if (!code) ADD_FAILURE() << code.error().what;
    return code.value_or(-1);
}

TEST(Program, ExitCodes) {
    EXPECT_EQ(shell("exit 0"), 0);
    EXPECT_EQ(shell("exit 42"), 42);
    EXPECT_EQ(shell("kill -9 $$"), 137);
    EXPECT_EQ(shell("kill -TERM $$"), 143);
    EXPECT_EQ(shell("test \"$PROBE\" = 'x y'"), 0);
}

TEST(Program, SignalsToUsAlonePassToTheProgram) {
    // The program sends the signal to its parent, which is this test; it comes back and sets the exit code.
    for (const char* name : {"TERM", "HUP", "INT", "QUIT", "USR1", "USR2"}) {
        const std::string waiting = std::string("trap 'kill -KILL $child; exit 5' ") + name +
                                    "; cat /dev/zero > /dev/null & child=$!; kill -" + name + " $PPID; wait";
        EXPECT_EQ(shell(waiting), 5) << name;
    }
}

TEST(Program, FindsAlongPathAndTellsMissingFromForbidden) {
    char folder[] = "/tmp/bitfusion-program-XXXXXX";
    ASSERT_NE(mkdtemp(folder), nullptr);
    const std::string path = std::string(folder) + "/tool";
    std::ofstream(path) << "#!/bin/sh\nexit 3\n";
    const std::string before = getenv("PATH");
    setenv("PATH", folder, 1);
    EXPECT_EQ(find_program("tool").error().code, 126);
    chmod(path.c_str(), 0755);
    EXPECT_EQ(find_program("tool").value(), path);
    EXPECT_EQ(find_program(path).value(), path);
    EXPECT_EQ(find_program("other").error().code, 127);
    EXPECT_EQ(find_program(path + "/x").error().code, 127);
    EXPECT_EQ(find_program(folder).error().code, 126);
    setenv("PATH", before.c_str(), 1);
    EXPECT_EQ(run_program({path, {"tool"}, environment_with({})}, {}).value(), 3);
    std::ofstream(path) << "no program\n";
    EXPECT_EQ(run_program({path, {"tool"}, environment_with({})}, {}).error().code, 126);
    unlink(path.c_str());
    rmdir(folder);
}

TEST(Program, WatchesADescriptorMeanwhile) {
    int ends[2];
    ASSERT_EQ(pipe(ends), 0);
    int answer[2];
    ASSERT_EQ(pipe(answer), 0);
    int calls = 0;
    const Watch watch = {ends[0], [&] {
                             char byte = 0;
                             EXPECT_EQ(read(ends[0], &byte, 1), 1);
                             ++calls;
                             EXPECT_EQ(write(answer[1], "go\n", 3), 3);
                             return false;
                         }};
    const std::string script =
        "echo x >&" + std::to_string(ends[1]) + "; read -r line <&" + std::to_string(answer[0]);
    EXPECT_EQ(run_program({"/bin/sh", {"sh", "-c", script}, environment_with({})}, watch).value(), 0);
    EXPECT_EQ(calls, 1);
    close(ends[0]);
    close(ends[1]);
    close(answer[0]);
    close(answer[1]);
}

}  // namespace
}  // namespace bitfusion::cli
