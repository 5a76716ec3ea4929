#include "daemon/state_folder.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>

#include "base/descriptor.h"
#include "daemon/lease.h"

namespace bitfusion::daemon {
namespace {

tl::unexpected<Error> trouble(const std::string& what, const std::string& path) {
    return fail("cannot " + what + " " + path + ": " + strerror(errno) +
                    "; check the disk and the permissions, or choose another folder with --state-dir",
                errno);
}

}  // namespace

std::string StateFolder::usual() {
    if (geteuid() == 0) return "/var/lib/bitfusion";
    const char* state = getenv("XDG_STATE_HOME");
    if (state != nullptr && *state == '/') return std::string(state) + "/bitfusion";
    const char* home = getenv("HOME");
    return (home != nullptr && *home != '\0' ? std::string(home) : std::string("/nonexistent")) +
           "/.local/state/bitfusion";
}

bool StateFolder::initialised() const {
    for (const char* name : {"ca.crt", "server.crt", "server.key"}) {
        if (access(file(name).c_str(), F_OK) != 0) return false;
    }
    return true;
}

Status StateFolder::make() const { return make_folder(path_); }

Result<std::string> StateFolder::read(const std::string& name) const { return read_whole_file(file(name)); }

Status StateFolder::write(const std::string& name, const std::string& content) const {
    return write_secret_file(file(name), content);
}

Result<std::string> StateFolder::server_id() const {
    const auto known = read("server.id");
    if (known && known->size() >= 36) return known->substr(0, 36);
    const std::string id = random_uuid();
    if (auto written = write("server.id", id + "\n"); !written) return tl::unexpected<Error>(written.error());
    return id;
}

Result<identity::KeyPair> StateFolder::authority() const {
    const auto certificate = read("ca.crt");
    const auto key = read("ca.key");
    if (!certificate) return tl::unexpected<Error>(certificate.error());
    if (!key) {
        return fail("this server does not have the key of the pool's authority (" + file("ca.key") +
                    "); do this on the server that was initialised first");
    }
    return identity::KeyPair{*certificate, *key};
}

Status make_folder(const std::string& path) {
    for (size_t at = 1; at != std::string::npos;) {
        at = path.find('/', at);
        const std::string part = path.substr(0, at);
        if (mkdir(part.c_str(), 0700) != 0 && errno != EEXIST) return trouble("make the folder", part);
        if (at != std::string::npos) ++at;
    }
    struct stat status {};
    if (stat(path.c_str(), &status) != 0 || !S_ISDIR(status.st_mode)) {
        errno = ENOTDIR;
        return trouble("use the folder", path);
    }
    return {};
}

Status write_secret_file(const std::string& path, const std::string& content) {
    const std::string beside = path + ".new";
    unlink(beside.c_str());
    const Descriptor file(open(beside.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (!file) return trouble("write", beside);
    for (size_t at = 0; at < content.size();) {
        const ssize_t written = ::write(file.get(), content.data() + at, content.size() - at);
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) return trouble("write", beside);
        at += static_cast<size_t>(written);
    }
    if (fsync(file.get()) != 0 || rename(beside.c_str(), path.c_str()) != 0) return trouble("write", path);
    return {};
}

Result<std::string> read_whole_file(const std::string& path) {
    std::ifstream in(path);
    std::ostringstream text;
    if (!in || !(text << in.rdbuf())) return trouble("read", path);
    return text.str();
}

}  // namespace bitfusion::daemon
