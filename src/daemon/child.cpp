#include "daemon/child.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <string_view>

#include "base/descriptor.h"

extern char** environ;

namespace bitfusion::daemon {
namespace {

constexpr int kFirstDescriptor = 3;
constexpr int kMostDescriptors = 8;

std::vector<char*> pointers(const std::vector<std::string>& strings) {
    std::vector<char*> out;
    out.reserve(strings.size() + 1);
    for (const std::string& string : strings) out.push_back(const_cast<char*>(string.c_str()));
    out.push_back(nullptr);
    return out;
}

[[noreturn]] void give_up(int report) {
    const int error = errno;
    [[maybe_unused]] const ssize_t written = write(report, &error, sizeof error);
    _exit(127);
}

// Between fork and exec: system calls only. Everything is first moved out of the way of the targets 0 to 10.
[[noreturn]] void become(const ChildPlan& plan, char* const* arguments, char* const* environment, int report,
                         pid_t daemon) {
    constexpr int kAway = 64;
    report = fcntl(report, F_DUPFD_CLOEXEC, kAway);
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) give_up(report);
    if (getppid() != daemon) _exit(127);
    if (setpgid(0, 0) != 0) give_up(report);
    std::array<int, kMostDescriptors> away{};
    const int count = static_cast<int>(plan.descriptors.size());
    for (int i = 0; i < count; ++i) {
        away[static_cast<size_t>(i)] = -1;
        const int fd = plan.descriptors[static_cast<size_t>(i)];
        if (fd >= 0 && (away[static_cast<size_t>(i)] = fcntl(fd, F_DUPFD_CLOEXEC, kAway)) < 0)
            give_up(report);
    }
    const int errors = fcntl(plan.errors >= 0 ? plan.errors : STDERR_FILENO, F_DUPFD_CLOEXEC, kAway);
    const int output = plan.output >= 0 ? fcntl(plan.output, F_DUPFD_CLOEXEC, kAway) : errors;
    const int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null < 0 || dup2(null, STDIN_FILENO) < 0) give_up(report);
    if (dup2(output >= 0 ? output : null, STDOUT_FILENO) < 0) give_up(report);
    if (dup2(errors >= 0 ? errors : null, STDERR_FILENO) < 0) give_up(report);
    for (int i = 0; i < count; ++i) {
        const int fd = away[static_cast<size_t>(i)];
        if (fd >= 0 && dup2(fd, kFirstDescriptor + i) < 0) give_up(report);
        if (fd < 0) close(kFirstDescriptor + i);
    }
    // Sockets that the event loop accepts are not close-on-exec by themselves; kernels before 5.11 need the
    // loop.
    const auto first = static_cast<unsigned>(kFirstDescriptor + count);
    if (syscall(SYS_close_range, first, ~0U, CLOSE_RANGE_CLOEXEC) != 0) {
        rlimit limit{};
        const bool known = getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < (1 << 20);
        const int most = known ? static_cast<int>(limit.rlim_cur) : 1 << 20;
        for (int fd = static_cast<int>(first); fd < most; ++fd) fcntl(fd, F_SETFD, FD_CLOEXEC);
    }

    struct sigaction action {};
    action.sa_handler = SIG_DFL;
    for (const int number : {SIGPIPE, SIGHUP, SIGINT, SIGTERM, SIGCHLD}) sigaction(number, &action, nullptr);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
#if !defined(__SANITIZE_THREAD__)
    // Where the personality is refused the worker reserves its ranges as it can; ThreadSanitizer needs its
    // own.
    if (plan.legacy_layout)
        personality(static_cast<unsigned long>(personality(0xffffffff)) | ADDR_COMPAT_LAYOUT);
#endif
    execve(plan.path.c_str(), arguments, environment);
    give_up(report);
}

}  // namespace

Result<pid_t> start_child(const ChildPlan& plan) {
    if (plan.descriptors.size() > kMostDescriptors) return fail("too many descriptors for a child");
    const std::vector<char*> arguments = pointers(plan.arguments);
    const std::vector<char*> environment = pointers(plan.environment);
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) {
        return fail(std::string("cannot make a pipe: ") + strerror(errno) +
                        "; raise the limit of open files (ulimit -n)",
                    errno);
    }
    const Descriptor reading(ends[0]);
    Descriptor writing(ends[1]);
    const pid_t daemon = getpid();
    const pid_t pid = fork();
    if (pid < 0) {
        return fail(std::string("cannot start a process: ") + strerror(errno) +
                        "; check the limits of processes and memory",
                    errno);
    }
    if (pid == 0) become(plan, arguments.data(), environment.data(), writing.get(), daemon);
    writing.close();
    int error = 0;
    ssize_t got = 0;
    do {
        got = read(reading.get(), &error, sizeof error);
    } while (got < 0 && errno == EINTR);
    if (got == static_cast<ssize_t>(sizeof error)) {
        waitpid(pid, nullptr, 0);
        return fail("cannot start " + plan.path + ": " + strerror(error) + "; check the installation", error);
    }
    return pid;
}

std::vector<std::string> child_environment() {
    constexpr std::array<std::string_view, 10> kNames = {"PATH=",
                                                         "HOME=",
                                                         "TZ=",
                                                         "LANG=",
                                                         "LD_LIBRARY_PATH=",
                                                         "BITFUSION_LOG=",
                                                         "ASAN_OPTIONS=",
                                                         "UBSAN_OPTIONS=",
                                                         "TSAN_OPTIONS=",
                                                         "LSAN_OPTIONS="};
    constexpr std::array<std::string_view, 3> kPrefixes = {"CUDA_", "NVIDIA_", "BITFUSION_WORKER_"};
    std::vector<std::string> out;
    for (char** at = environ; *at != nullptr; ++at) {
        const std::string_view entry(*at);
        bool wanted = false;
        for (const std::string_view name : kNames) wanted = wanted || entry.starts_with(name);
        for (const std::string_view prefix : kPrefixes) wanted = wanted || entry.starts_with(prefix);
        if (wanted) out.emplace_back(entry);
    }
    return out;
}

std::string status_text(int status) {
    if (WIFSIGNALED(status)) return "ended by signal " + std::to_string(WTERMSIG(status));
    return "exited with status " + std::to_string(WEXITSTATUS(status));
}

Children::Children(boost::asio::io_context& io) : signals_(io, SIGCHLD) { wait(); }

void Children::watch(pid_t pid, Ended ended) { watched_.emplace(pid, std::move(ended)); }

void Children::stop() {
    stopped_ = true;
    boost::system::error_code ignored;
    signals_.cancel(ignored);
}

void Children::wait() {
    signals_.async_wait([this](const boost::system::error_code& error, int) {
        if (error) return;
        reap();
        if (!stopped_) wait();
    });
}

void Children::reap() {
    // One signal may stand for several ends.
    std::vector<std::pair<Ended, int>> ended;
    for (auto at = watched_.begin(); at != watched_.end();) {
        int status = 0;
        if (waitpid(at->first, &status, WNOHANG) == at->first) {
            ended.emplace_back(std::move(at->second), status);
            at = watched_.erase(at);
        } else {
            ++at;
        }
    }
    for (const auto& [callback, status] : ended) callback(status);
}

}  // namespace bitfusion::daemon
