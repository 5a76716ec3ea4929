#include "worker/printed.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <memory>
#include <mutex>

#include "base/log.h"

namespace bitfusion::worker {
namespace {

// The file is emptied when it has grown so far and everything in it has been read.
constexpr int64_t kTrimBytes = 1 << 20;

Result<int> replace(int descriptor, const char* name) {
    const int file = memfd_create(name, MFD_CLOEXEC);
    if (file < 0 || fcntl(file, F_SETFL, O_APPEND) != 0 || dup2(file, descriptor) < 0) {
        return fail(std::string("cannot make a file in memory: ") + strerror(errno), errno);
    }
    return file;
}

}  // namespace

struct Printed::Stream {
    int file = -1;
    int64_t read = 0;  // of the file

    std::atomic<bool> any{false};
    std::mutex lock;
    std::string text;  // of the C stream

    // A C stream whose text is kept here.
    FILE* open() {
        cookie_io_functions_t functions{};
        functions.write = [](void* cookie, const char* data, size_t bytes) -> ssize_t {
            auto* const stream = static_cast<Stream*>(cookie);
            const std::lock_guard<std::mutex> guard(stream->lock);
            stream->text.append(data, bytes);
            stream->any.store(true, std::memory_order_release);
            return static_cast<ssize_t>(bytes);
        };
        FILE* const opened = fopencookie(this, "w", functions);
        if (opened != nullptr) setvbuf(opened, nullptr, _IONBF, 0);
        return opened;
    }
    void take_text(std::string* into) {
        if (!any.load(std::memory_order_acquire)) return;
        const std::lock_guard<std::mutex> guard(lock);
        into->append(text);
        text.clear();
        any.store(false, std::memory_order_relaxed);
    }
    // Whether there was any.
    bool take_file(std::string* into) {
        const int64_t size = lseek(file, 0, SEEK_END);
        if (size <= read) return false;
        const size_t before = into->size();
        into->resize(before + static_cast<size_t>(size - read));
        const ssize_t got = pread(file, into->data() + before, into->size() - before, read);
        into->resize(before + (got > 0 ? static_cast<size_t>(got) : 0));
        read += static_cast<int64_t>(into->size() - before);
        if (read > kTrimBytes && ftruncate(file, 0) == 0) read = 0;
        return true;
    }
};

Status Printed::capture() {
    const int log = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 10);
    if (log >= 0) log::write_to(log);
    auto out = replace(STDOUT_FILENO, "printed");
    auto error = replace(STDERR_FILENO, "printed-errors");
    if (!out) return tl::unexpected<Error>(out.error());
    if (!error) return tl::unexpected<Error>(error.error());
    out_ = std::make_unique<Stream>().release();
    error_ = std::make_unique<Stream>().release();
    out_->file = *out;
    error_->file = *error;
    FILE* const printed = out_->open();
    FILE* const errors = error_->open();
    if (printed == nullptr || errors == nullptr) return fail("cannot open a stream in memory", errno);
    fflush(stdout);
    stdout = printed;
    stderr = errors;
    return {};
}

std::string Printed::take(int descriptor, bool files) {
    Stream* const stream = descriptor == STDERR_FILENO ? error_ : out_;
    std::string text;
    if (stream == nullptr) return text;
    stream->take_text(&text);
    if ((files || always_files_) && stream->take_file(&text)) always_files_ = true;
    return text;
}

}  // namespace bitfusion::worker
