#include "conformance/child.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <map>

namespace bitfusion::conformance {

namespace {

constexpr std::chrono::seconds kPatience{120};
constexpr int kSkipped = 77;

std::map<std::string, ChildBody>& bodies() {
    static std::map<std::string, ChildBody> all;
    return all;
}

// Reads both pipes until the child has closed them. False when patience ran out.
bool collect(int out, int err, ChildOutcome* outcome) {
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    std::array<pollfd, 2> pipes{{{out, POLLIN, 0}, {err, POLLIN, 0}}};
    std::array<std::string*, 2> texts{&outcome->out, &outcome->err};
    while (pipes[0].fd >= 0 || pipes[1].fd >= 0) {
        const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
            deadline - std::chrono::steady_clock::now());
        if (left.count() <= 0 || poll(pipes.data(), pipes.size(), static_cast<int>(left.count())) == 0)
            return false;
        for (std::size_t i = 0; i < pipes.size(); ++i) {
            if (pipes[i].revents == 0) continue;
            char chunk[4096];
            const ssize_t count = read(pipes[i].fd, chunk, sizeof chunk);
            if (count > 0) {
                texts[i]->append(chunk, static_cast<std::size_t>(count));
            } else {
                pipes[i].fd = -1;  // poll ignores negative descriptors
            }
        }
    }
    return true;
}

}  // namespace

ChildRegistration::ChildRegistration(const char* name, ChildBody body) { bodies()[name] = body; }

ChildOutcome run_child(const char* name) {
    ChildOutcome outcome;
    std::array<int, 2> out{-1, -1};
    std::array<int, 2> err{-1, -1};
    if (pipe2(out.data(), O_CLOEXEC) != 0) return outcome;
    if (pipe2(err.data(), O_CLOEXEC) != 0) {
        close(out[0]);
        close(out[1]);
        return outcome;
    }
    std::string child = std::string("--child=") + name;
    std::string target = target_argument();
    std::string program = "/proc/self/exe";
    std::array<char*, 5> arguments{program.data(), target.data(), child.data(), nullptr, nullptr};
    std::string strict = "--strict";
    if (!may_skip()) arguments[3] = strict.data();

    const pid_t pid = fork();
    if (pid == 0) {
        dup2(out[1], STDOUT_FILENO);
        dup2(err[1], STDERR_FILENO);
        execv(program.c_str(), arguments.data());
        _exit(126);
    }
    close(out[1]);
    close(err[1]);
    if (pid > 0) {
        if (!collect(out[0], err[0], &outcome)) {
            outcome.err += "\nthe child did not end within two minutes and was killed";
            kill(pid, SIGKILL);
        }
        int status = 0;
        waitpid(pid, &status, 0);
        outcome.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    }
    close(out[0]);
    close(err[0]);
    return outcome;
}

int be_child(const std::string& name) {
    const auto found = bodies().find(name);
    if (found == bodies().end()) {
        std::fprintf(stderr, "there is no child body '%s'; the names are the arguments of CHILD(...)\n",
                     name.c_str());
        return 2;
    }
    found->second();
    std::fflush(stdout);
    const testing::TestResult& result = testing::UnitTest::GetInstance()->ad_hoc_test_result();
    if (result.Failed()) return 1;
    return result.Skipped() ? kSkipped : 0;
}

}  // namespace bitfusion::conformance
