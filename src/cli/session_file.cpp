#include "cli/session_file.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <nlohmann/json.hpp>

namespace bitfusion::cli {
namespace {

using nlohmann::json;

constexpr const char* kFolder = "/tmp";
constexpr const char* kPrefix = "bitfusion";
constexpr size_t kMostBytes = 65536;

class OpenFile {
  public:
    explicit OpenFile(int descriptor) : descriptor_(descriptor) {}
    OpenFile(const OpenFile&) = delete;
    OpenFile& operator=(const OpenFile&) = delete;
    ~OpenFile() {
        if (descriptor_ >= 0) close(descriptor_);
    }
    int get() const { return descriptor_; }

  private:
    int descriptor_;
};

tl::unexpected<Error> trouble(const std::string& what, const std::string& path) {
    return fail("cannot " + what + " the session file " + path + ": " + strerror(errno) +
                    "; name another with --file",
                errno);
}

std::string name_for(const Granted& granted) {
    // The number is the lease's: as good as random, and none is there twice.
    uint64_t number = 0;
    for (const char c : granted.id) {
        if (c != '-') number = number * 16 + static_cast<uint64_t>(c <= '9' ? c - '0' : c - 'a' + 10);
    }
    return std::string(kFolder) + "/" + kPrefix + std::to_string(number % 1000000000);
}

bool is_ours(const struct stat& status) {
    return S_ISREG(status.st_mode) && status.st_uid == geteuid() && (status.st_mode & 077) == 0;
}

Result<std::string> read_text(const std::string& path) {
    const OpenFile file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    struct stat status {};
    if (file.get() < 0 || fstat(file.get(), &status) != 0) return trouble("read", path);
    if (!is_ours(status)) {
        return fail("the session file " + path +
                    " is not this user's alone; it must be yours and closed to others (chmod 600)");
    }
    std::string text;
    std::array<char, 4096> piece{};
    for (;;) {
        const ssize_t got = read(file.get(), piece.data(), piece.size());
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return trouble("read", path);
        if (got == 0) return text;
        text.append(piece.data(), static_cast<size_t>(got));
        if (text.size() > kMostBytes)
            return fail("the session file " + path + " is too long; it is none of ours");
    }
}

Status write_all(const OpenFile& file, const std::string& text, const std::string& path) {
    for (size_t at = 0; at < text.size();) {
        const ssize_t written = write(file.get(), text.data() + at, text.size() - at);
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) return trouble("write", path);
        at += static_cast<size_t>(written);
    }
    if (fsync(file.get()) != 0) return trouble("write", path);
    return {};
}

// Complete and on the disk, or not there: written beside its place and linked into it, which takes nobody's
// place. `unique` tells apart what was left beside it by others.
Status write_once(const std::string& path, const std::string& unique, const std::string& text) {
    const std::string beside = path + "." + unique;
    {
        const OpenFile file(open(beside.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
        if (file.get() < 0) return trouble("write", path);
        auto written = write_all(file, text, path);
        if (written && link(beside.c_str(), path.c_str()) != 0) written = trouble("write", path);
        unlink(beside.c_str());
        if (!written) return written;
    }
    const size_t slash = path.rfind('/');
    const std::string folder = slash == std::string::npos ? "." : path.substr(0, slash + 1);
    const OpenFile entry(open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    // Where a folder cannot be synchronised (some network file systems), its server does that by itself.
    if (entry.get() >= 0) (void)fsync(entry.get());
    return {};
}

// Those of this user in /tmp.
std::vector<std::string> own_files() {
    std::vector<std::string> found;
    const std::unique_ptr<DIR, int (*)(DIR*)> folder(opendir(kFolder), closedir);
    if (folder == nullptr) return found;
    const size_t head = strlen(kPrefix);
    for (const dirent* entry = readdir(folder.get()); entry != nullptr; entry = readdir(folder.get())) {
        const std::string name = entry->d_name;
        if (!name.starts_with(kPrefix) || name.size() == head ||
            name.find_first_not_of("0123456789", head) != std::string::npos) {
            continue;
        }
        const std::string path = std::string(kFolder) + "/" + name;
        struct stat status {};
        if (lstat(path.c_str(), &status) == 0 && is_ours(status)) found.push_back(path);
    }
    return found;
}

Result<std::string> find_path(const std::string& path) {
    if (!path.empty()) return path;
    if (const char* named = getenv("BITFUSION_SESSION_FILE"); named != nullptr && *named != '\0')
        return std::string(named);
    const auto found = own_files();
    if (found.size() == 1) return found.front();
    if (found.empty()) return fail("there is no session; make one with: bitfusion request_gpus -n 1");
    std::string list;
    for (const std::string& one : found) list += " " + one;
    return fail("there are several sessions: name one with --file, or set BITFUSION_SESSION_FILE:" + list);
}

}  // namespace

Result<std::string> write_session_file(const std::string& wanted_path, const Allocation& wanted,
                                       const Granted& granted) {
    const std::string path = wanted_path.empty() ? name_for(granted) : wanted_path;
    const json root = {{"version", 1},
                       {"server", granted.server.text()},
                       {"lease", granted.id},
                       {"session", granted.session()},
                       {"data_address", granted.data.text()},
                       {"release", granted.version},
                       {"gpus", wanted.gpus},
                       {"memory_mib", wanted.memory_mib.value_or(0)},
                       {"fraction", wanted.fraction.value_or(0)}};
    if (auto written = write_once(path, granted.id, root.dump(2) + "\n"); !written)
        return tl::unexpected(written.error());
    return path;
}

Result<SessionFile> read_session_file(const std::string& given) {
    const auto path = find_path(given);
    if (!path) return tl::unexpected(path.error());
    const auto text = read_text(*path);
    if (!text) return tl::unexpected(text.error());
    SessionFile file;
    file.path = *path;
    try {
        const json root = json::parse(*text);
        const auto server = parse_endpoint(root.at("server").get<std::string>());
        const auto data = parse_endpoint(root.at("data_address").get<std::string>());
        file.lease = root.at("lease").get<std::string>();
        file.session = root.at("session").get<std::string>();
        file.version = root.at("release").get<std::string>();
        file.gpus = root.at("gpus").get<uint32_t>();
        file.memory_mib = root.at("memory_mib").get<uint64_t>();
        file.fraction = root.at("fraction").get<double>();
        const bool good = server && data && file.lease.size() == 36 &&
                          file.lease.find_first_not_of("0123456789abcdef-") == std::string::npos;
        if (good) {
            file.server = *server;
            file.data = *data;
            return file;
        }
    } catch (const json::exception&) {
    }
    return fail("the session file " + *path +
                " is damaged or none of ours; remove it and make a new session");
}

}  // namespace bitfusion::cli
