#include "daemon/watcher.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <cerrno>
#include <cstring>

#include "base/descriptor.h"
#include "base/log.h"

namespace bitfusion::daemon {
namespace {

constexpr size_t kMostLineBytes = 1 << 20;
// A cold NVIDIA driver without persistence takes seconds a GPU to open.
constexpr auto kDeadline = std::chrono::seconds(60);
constexpr auto kLongestPause = std::chrono::seconds(60);
constexpr int kLate = -1;  // as an Error's code: it was given a minute already

}  // namespace

// Shared with what waits for its end, which can come after the watcher's own.
struct Watcher::Process {
    Process(asio::io_context& io, int descriptor) : connection(io, descriptor), end(io) {}

    asio::posix::stream_descriptor connection;
    Bell end;
    pid_t pid = -1;
    bool ended = false;
    bool late = false;
    int status = 0;

    void kill() const {
        if (!ended) ::kill(-pid, SIGKILL);
    }
};

Watcher::Watcher(asio::io_context& io, Children& children, std::string worker,
                 std::vector<std::string> arguments)
    : io_(io), children_(children), worker_(std::move(worker)), arguments_(std::move(arguments)) {}

std::chrono::seconds Watcher::pause_after(int failures) {
    // Once may be chance: the driver was being replaced, somebody ended the wrong process.
    if (failures <= 1) return std::chrono::seconds(0);
    return std::min<std::chrono::seconds>(std::chrono::seconds(1LL << std::min(failures - 2, 16)),
                                          kLongestPause);
}

Status Watcher::start() {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
        return fail(std::string("cannot make a socket: ") + strerror(errno) + "; raise ulimit -n", errno);
    const auto process = std::make_shared<Process>(io_, ends[0]);
    const Descriptor theirs(ends[1]);
    ChildPlan plan;
    plan.path = worker_;
    plan.arguments = arguments_;
    plan.environment = child_environment();
    plan.descriptors = {theirs.get()};
    const auto pid = start_child(plan);
    if (!pid) return tl::unexpected(pid.error());
    process->pid = *pid;
    children_.watch(*pid, [process](int status) {
        process->ended = true;
        process->status = status;
        process->end.ring();
    });
    process_ = process;
    return {};
}

Error Watcher::failed(Error error) {
    if (process_) process_->kill();
    process_.reset();
    failures_ = error.code == kLate ? std::max(failures_ + 1, 2) : failures_ + 1;
    not_before_ = Clock::now() + pause_after(failures_);
    last_error_ = error.what;
    return error;
}

Task<Result<std::string>> Watcher::look() {
    for (;;) {
        if (stopped_) co_return fail("the manager ends");
        if (process_ && process_->ended) {
            // Between two looks; nobody was hurt.
            BF_LOG("daemon", kInfo, "bitfusion-worker --inventory %s; another is started",
                   status_text(process_->status).c_str());
            process_.reset();
        }
        if (!process_) {
            if (const auto now = Clock::now(); failures_ > 0 && now < not_before_) {
                const auto left = std::chrono::ceil<std::chrono::seconds>(not_before_ - now);
                co_return fail(last_error_ + "; it is tried again in " + std::to_string(left.count()) + " s");
            }
            if (auto started = start(); !started) co_return tl::unexpected(failed(started.error()));
        }
        auto line = co_await ask(process_);
        if (line) {
            failures_ = 0;
            co_return line;
        }
        if (stopped_) co_return fail("the manager ends");
        const Error error = failed(line.error());
        if (pause_after(failures_) > std::chrono::seconds(0)) co_return tl::unexpected(error);
        BF_LOG("daemon", kWarn, "%s; another is started", error.what.c_str());
    }
}

Task<Result<std::string>> Watcher::ask(std::shared_ptr<Process> process) {
    asio::steady_timer deadline(io_, kDeadline);
    deadline.async_wait([process](const boost::system::error_code& error) {
        if (error || process->ended) return;
        process->late = true;
        process->kill();
        boost::system::error_code ignored;
        process->connection.cancel(ignored);
    });
    std::string text;
    // A full or broken connection is one that answers nothing either.
    bool answered = send(process->connection.native_handle(), "?", 1, MSG_NOSIGNAL | MSG_DONTWAIT) == 1;
    std::array<char, 16384> chunk;
    while (answered && text.find('\n') == std::string::npos && text.size() <= kMostLineBytes) {
        const auto [error, got] = co_await process->connection.async_read_some(asio::buffer(chunk), kNoThrow);
        answered = !error;
        text.append(chunk.data(), got);
    }
    deadline.cancel();
    if (answered && text.size() <= kMostLineBytes) {
        text.resize(text.find('\n'));
        co_return text;
    }
    if (process->late)  // its end is not waited for: a driver that hangs lets nobody die
        co_return fail(
            "bitfusion-worker --inventory did not answer within 60 s; check the GPUs with nvidia-smi", kLate);
    process->kill();
    if (answered)
        co_return fail("bitfusion-worker --inventory wrote more than 1 MiB; check the installation");
    while (!process->ended) co_await process->end.wait();
    co_return fail("bitfusion-worker --inventory " + status_text(process->status) +
                   " without a report; run it by hand to see why: " + worker_ + " --inventory");
}

void Watcher::stop() {
    stopped_ = true;
    if (!process_) return;
    process_->kill();
    boost::system::error_code ignored;
    process_->connection.close(ignored);
}

}  // namespace bitfusion::daemon
