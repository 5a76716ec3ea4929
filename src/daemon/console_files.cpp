#include "daemon/console_files.h"

#include <fstream>

#include "base/log.h"
#include "identity/secret.h"

namespace bitfusion::daemon {
namespace {

namespace fs = std::filesystem;

constexpr const char* kFirstPage = "index.html";
constexpr size_t kFewestOfHash = 8;

// Null: files of this kind are not served.
const char* type_of(const std::string& name) {
    static const std::map<std::string, const char*> kTypes = {{".html", "text/html; charset=utf-8"},
                                                              {".js", "text/javascript; charset=utf-8"},
                                                              {".css", "text/css; charset=utf-8"},
                                                              {".svg", "image/svg+xml"},
                                                              {".json", "application/json"},
                                                              {".woff2", "font/woff2"},
                                                              {".ico", "image/x-icon"},
                                                              {".png", "image/png"},
                                                              {".webmanifest", "application/manifest+json"}};
    const auto found = kTypes.find(fs::path(name).extension().string());
    return found == kTypes.end() ? nullptr : found->second;
}

std::string content_of(const fs::path& file) {
    std::ifstream in(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

}  // namespace

bool has_hash(const std::string& name) {
    const std::string stem = fs::path(name).stem().string();
    const size_t dash = stem.rfind('-');
    if (dash == std::string::npos || stem.size() - dash - 1 < kFewestOfHash) return false;
    const std::string hash = stem.substr(dash + 1);
    return hash.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") ==
           std::string::npos;
}

void ConsoleFiles::take(const fs::path& file, const std::string& name) {
    std::error_code error;
    const char* const type = type_of(name);
    const uintmax_t size = fs::file_size(file, error);
    if (type == nullptr || error || files_.size() >= kMostFiles || bytes_ + size > kMostBytes) return;
    auto read = std::make_shared<ConsoleFile>();
    read->content = content_of(file);
    const fs::path packed = file.string() + ".gz";
    if (fs::is_regular_file(fs::symlink_status(packed, error)) &&
        bytes_ + size + fs::file_size(packed, error) <= kMostBytes)
        read->gzip = content_of(packed);
    read->etag = "\"" + identity::digest(read->content).substr(0, 16) + "\"";
    read->type = type;
    // Only the build's own folder has names by hash; elsewhere a dash is a dash.
    read->immutable = name.starts_with("assets/") && has_hash(name);
    bytes_ += read->content.size() + read->gzip.size();
    files_[name] = std::move(read);
}

void ConsoleFiles::read() {
    files_.clear();
    bytes_ = 0;
    std::error_code error;
    const auto take_folder = [&](const fs::path& folder, const std::string& prefix,
                                 const auto& self) -> void {
        for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error)) {
            const std::string name = at->path().filename().string();
            std::error_code ignored;
            const auto kind = fs::symlink_status(at->path(), ignored);
            if (name.starts_with('.')) continue;
            if (fs::is_regular_file(kind)) take(at->path(), prefix + name);
            if (fs::is_directory(kind) && prefix.find('/') == prefix.rfind('/'))
                self(at->path(), prefix + name + "/", self);
        }
    };
    take_folder(folder_, "", take_folder);
    BF_LOG("daemon", kInfo, "the console has %zu files, %zu KiB", files_.size(), bytes_ >> 10);
}

std::shared_ptr<const ConsoleFile> ConsoleFiles::find(const std::string& name) {
    const std::string wanted = name.empty() ? kFirstPage : name;
    if (wanted == kFirstPage) {
        std::error_code error;
        const auto written = fs::last_write_time(folder_ / kFirstPage, error);
        if (error) {
            files_.clear();
            read_at_ = fs::file_time_type::min();
        } else if (written != read_at_) {
            read_at_ = written;
            read();
        }
    } else if (read_at_ == fs::file_time_type::min()) {
        find(kFirstPage);
    }
    const auto found = files_.find(wanted);
    return found == files_.end() ? nullptr : found->second;
}

}  // namespace bitfusion::daemon
