#include "cli/program.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <sstream>

#include "cli/report.h"

extern char** environ;

namespace bitfusion::cli {
namespace {

// Those that end or steer programs, and that somebody may send to us in place of it.
constexpr std::array<int, 6> kPassedOn = {SIGTERM, SIGHUP, SIGINT, SIGQUIT, SIGUSR1, SIGUSR2};

enum class Found { kNothing, kNotExecutable, kExecutable };

Found look_at(const std::string& path) {
    struct stat status {};
    if (stat(path.c_str(), &status) != 0) return errno == EACCES ? Found::kNotExecutable : Found::kNothing;
    return S_ISREG(status.st_mode) && access(path.c_str(), X_OK) == 0 ? Found::kExecutable
                                                                      : Found::kNotExecutable;
}

std::vector<char*> pointers(const std::vector<std::string>& strings) {
    std::vector<char*> out;
    out.reserve(strings.size() + 1);
    for (const std::string& string : strings) out.push_back(const_cast<char*>(string.c_str()));
    out.push_back(nullptr);
    return out;
}

// Blocks the signals that the wait reads from a descriptor; puts the mask back.
class BlockedSignals {
  public:
    BlockedSignals() {
        sigemptyset(&blocked_);
        sigaddset(&blocked_, SIGCHLD);
        for (const int number : kPassedOn) sigaddset(&blocked_, number);
        sigprocmask(SIG_BLOCK, &blocked_, &before_);
        descriptor_ = signalfd(-1, &blocked_, SFD_CLOEXEC | SFD_NONBLOCK);
    }
    BlockedSignals(const BlockedSignals&) = delete;
    BlockedSignals& operator=(const BlockedSignals&) = delete;
    ~BlockedSignals() {
        // What came meanwhile was for the program; it must not end us now, before the GPUs are released.
        signalfd_siginfo info{};
        while (descriptor_ >= 0 && read(descriptor_, &info, sizeof info) > 0) {
        }
        if (descriptor_ >= 0) close(descriptor_);
        sigprocmask(SIG_SETMASK, &before_, nullptr);
    }

    int descriptor() const { return descriptor_; }
    const sigset_t& before() const { return before_; }

  private:
    sigset_t blocked_{};
    sigset_t before_{};
    int descriptor_ = -1;
};

Result<pid_t> spawn(const ProgramPlan& plan, const sigset_t& mask) {
    posix_spawnattr_t attributes;
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setsigmask(&attributes, &mask);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
    const std::vector<char*> arguments = pointers(plan.arguments);
    const std::vector<char*> environment = pointers(plan.environment);
    pid_t pid = 0;
    const int error =
        posix_spawn(&pid, plan.path.c_str(), nullptr, &attributes, arguments.data(), environment.data());
    posix_spawnattr_destroy(&attributes);
    if (error == 0) return pid;
    const char* hint = error == ENOEXEC  ? "; a script needs a first line such as #!/bin/sh"
                       : error == ENOENT ? "; the interpreter that it names is missing"
                                         : "; check its permissions and format";
    return fail("cannot execute " + plan.path + ": " + strerror(error) + hint, kNotExecutable);
}

// A signal of the terminal went to the whole group, so the program has it already; one that a process sent to
// us alone did not.
void pass_on(int descriptor, pid_t program) {
    signalfd_siginfo info{};
    while (read(descriptor, &info, sizeof info) == static_cast<ssize_t>(sizeof info)) {
        const auto number = static_cast<int>(info.ssi_signo);
        if (number != SIGCHLD && info.ssi_code != SI_KERNEL) kill(program, number);
    }
}

int exit_code_of(int status) { return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status); }

}  // namespace

Result<std::string> find_program(const std::string& name) {
    const auto not_executable = [](const std::string& path) {
        return fail("'" + path +
                        "' cannot be executed; check that it is a program and its permissions: ls -l " + path,
                    kNotExecutable);
    };
    if (name.find('/') != std::string::npos) {
        switch (look_at(name)) {
            case Found::kExecutable:
                return name;
            case Found::kNotExecutable:
                return not_executable(name);
            case Found::kNothing:
                break;
        }
        return fail("'" + name + "' does not exist; check the path of the program", kNotFound);
    }
    const char* const path = getenv("PATH");
    std::istringstream folders(path != nullptr ? path : "/usr/local/bin:/usr/bin:/bin");
    std::string refused;
    for (std::string folder; std::getline(folders, folder, ':');) {
        const std::string candidate = (folder.empty() ? "." : folder) + "/" + name;
        const Found found = look_at(candidate);
        if (found == Found::kExecutable) return candidate;
        if (found == Found::kNotExecutable && refused.empty()) refused = candidate;
    }
    if (!refused.empty()) return not_executable(refused);
    return fail("'" + name + "' was not found in PATH; check its name or give its path", kNotFound);
}

std::vector<std::string> environment_with(const std::vector<std::string>& changes) {
    std::vector<std::string> out;
    for (char** at = environ; *at != nullptr; ++at) {
        const std::string entry(*at);
        const std::string name = entry.substr(0, entry.find('=') + 1);
        bool replaced = false;
        for (const std::string& change : changes) replaced = replaced || change.starts_with(name);
        if (!replaced) out.push_back(entry);
    }
    out.insert(out.end(), changes.begin(), changes.end());
    return out;
}

Result<int> run_program(const ProgramPlan& plan, const Watch& watch) {
    const BlockedSignals signals;
    if (signals.descriptor() < 0) {
        return fail(std::string("cannot watch signals: ") + strerror(errno) +
                        "; raise the limit of open files (ulimit -n)",
                    kFailure);
    }
    const auto program = spawn(plan, signals.before());
    if (!program) return tl::unexpected(program.error());
    std::array<pollfd, 2> waits = {pollfd{signals.descriptor(), POLLIN, 0},
                                   pollfd{watch.descriptor, POLLIN, 0}};
    for (;;) {
        int status = 0;
        const pid_t ended = waitpid(*program, &status, WNOHANG);
        if (ended == *program) return exit_code_of(status);
        if (ended < 0 && errno != EINTR)
            return fail(std::string("lost track of the program: ") + strerror(errno), kFailure);
        if (poll(waits.data(), waits.size(), -1) < 0 && errno != EINTR)
            return fail(std::string("cannot wait for the program: ") + strerror(errno), kFailure);
        if (waits[0].revents != 0) pass_on(signals.descriptor(), *program);
        if (waits[1].revents != 0 && !watch.readable()) waits[1].fd = -1;
    }
}

}  // namespace bitfusion::cli
