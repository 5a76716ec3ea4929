#include "cli/tool.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

extern char** environ;

namespace bitfusion::cli {
namespace {

using Clock = std::chrono::steady_clock;

// Reads until the end; false when it is late.
bool read_all(int descriptor, size_t most, Clock::time_point until, std::string* text) {
    std::array<char, 16384> piece;
    for (;;) {
        const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(until - Clock::now()).count();
        if (left <= 0) return false;
        pollfd ready{descriptor, POLLIN, 0};
        if (poll(&ready, 1, static_cast<int>(left)) < 0 && errno != EINTR) return true;
        if (ready.revents == 0) continue;
        const ssize_t got = read(descriptor, piece.data(), piece.size());
        if (got == 0 || (got < 0 && errno != EINTR)) return true;
        if (got > 0)
            text->append(piece.data(),
                         std::min(static_cast<size_t>(got), most - std::min(most, text->size())));
    }
}

}  // namespace

Result<std::string> output_of(const std::vector<std::string>& arguments, size_t most_bytes,
                              std::chrono::seconds deadline) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0)
        return fail(std::string("cannot make a pipe: ") + strerror(errno), errno);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    std::vector<char*> words;
    for (const std::string& argument : arguments) words.push_back(const_cast<char*>(argument.c_str()));
    words.push_back(nullptr);
    pid_t pid = 0;
    const int error = posix_spawnp(&pid, words[0], &actions, nullptr, words.data(), environ);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    if (error != 0) {
        close(ends[0]);
        return fail("cannot run " + arguments[0] + ": " + strerror(error), error);
    }
    std::string text;
    const bool in_time = read_all(ends[0], most_bytes, Clock::now() + deadline, &text);
    close(ends[0]);
    if (!in_time) kill(pid, SIGKILL);
    int status = 0;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    if (!in_time) return fail(arguments[0] + " took longer than " + std::to_string(deadline.count()) + " s");
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        return fail(arguments[0] + " failed" +
                    (WIFEXITED(status) ? " with status " + std::to_string(WEXITSTATUS(status)) : ""));
    return text;
}

}  // namespace bitfusion::cli
