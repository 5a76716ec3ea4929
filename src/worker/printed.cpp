#include "worker/printed.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

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

Status Printed::capture() {
    const int log = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 10);
    if (log >= 0) log::write_to(log);
    auto out = replace(STDOUT_FILENO, "printed");
    auto error = replace(STDERR_FILENO, "printed-errors");
    if (!out) return tl::unexpected<Error>(out.error());
    if (!error) return tl::unexpected<Error>(error.error());
    out_.file = *out;
    error_.file = *error;
    setvbuf(stdout, nullptr, _IONBF, 0);  // what the driver prints is in the file when its call returns
    return {};
}

std::string Printed::take(int descriptor) {
    Stream& stream = descriptor == STDERR_FILENO ? error_ : out_;
    std::string text;
    if (stream.file < 0) return text;
    const int64_t size = lseek(stream.file, 0, SEEK_END);
    if (size <= stream.read) return text;
    text.resize(static_cast<size_t>(size - stream.read));
    const ssize_t got = pread(stream.file, text.data(), text.size(), stream.read);
    text.resize(got > 0 ? static_cast<size_t>(got) : 0);
    stream.read += static_cast<int64_t>(text.size());
    if (stream.read > kTrimBytes && ftruncate(stream.file, 0) == 0) stream.read = 0;
    return text;
}

}  // namespace bitfusion::worker
