#include "worker/image_cache.h"

#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <tuple>

#include "base/log.h"

namespace bitfusion::worker {
namespace {

constexpr uint64_t kMostImage = uint64_t{1} << 30;

class File {
  public:
    explicit File(int descriptor) : descriptor_(descriptor) {}
    File(const File&) = delete;
    File& operator=(const File&) = delete;
    ~File() {
        if (descriptor_ >= 0) ::close(descriptor_);
    }
    explicit operator bool() const { return descriptor_ >= 0; }
    int get() const { return descriptor_; }

  private:
    const int descriptor_;
};

bool write_all(int file, std::span<const uint8_t> bytes) {
    while (!bytes.empty()) {
        const ssize_t written = write(file, bytes.data(), bytes.size());
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) return false;
        bytes = bytes.subspan(static_cast<size_t>(written));
    }
    return true;
}

bool read_all(int file, std::span<uint8_t> target) {
    while (!target.empty()) {
        const ssize_t got = read(file, target.data(), target.size());
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return false;
        target = target.subspan(static_cast<size_t>(got));
    }
    return true;
}

image::Bytes as_image(std::span<const uint8_t> bytes) { return std::as_bytes(bytes); }

}  // namespace

void ImageCache::open(const std::string& folder, uint64_t most) {
    folder_ = folder;
    most_ = most;
    if (folder_.empty() || most_ == 0) return;
    if (mkdir(folder_.c_str(), 0700) != 0 && errno != EEXIST) return complain("make");
    if (!read_key() && !make_key()) complain("write the key of");
}

bool ImageCache::read_key() {
    const File file(::open(path_of("key").c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    image::DigestKey key{};
    if (!file || !read_all(file.get(), key)) return false;
    key_ = key;
    return true;
}

// Complete or absent: of several workers that begin at the same time, the first one's key is everybody's.
bool ImageCache::make_key() {
    image::DigestKey key{};
    if (getrandom(key.data(), key.size(), 0) != static_cast<ssize_t>(key.size())) return false;
    std::string path = path_of("new-XXXXXX");
    const File file(mkostemp(path.data(), O_CLOEXEC));
    if (!file) return false;
    struct stat damaged {};
    if (stat(path_of("key").c_str(), &damaged) == 0 && damaged.st_size < static_cast<off_t>(key.size()))
        unlink(path_of("key").c_str());
    if (write_all(file.get(), key)) (void)!link(path.c_str(), path_of("key").c_str());
    unlink(path.c_str());
    return read_key();
}

std::optional<std::vector<uint8_t>> ImageCache::find(const image::Digest& name) {
    if (!key_) return {};
    const std::string path = path_of(image::to_hex(name));
    const File file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    struct stat status {};
    if (!file || fstat(file.get(), &status) != 0) return {};
    std::vector<uint8_t> content;
    const auto bytes = static_cast<uint64_t>(status.st_size);
    const bool sound = S_ISREG(status.st_mode) && bytes <= kMostImage &&
                       (content.resize(bytes), read_all(file.get(), content)) &&
                       image::digest_of(*key_, as_image(content)) == name;
    if (!sound) {
        BF_LOG("worker", kWarn, "the cached code image %s is damaged and is removed", path.c_str());
        unlink(path.c_str());
        return {};
    }
    futimens(file.get(), nullptr);  // used now
    return content;
}

void ImageCache::keep(std::span<const uint8_t> content) {
    if (!key_ || content.size() > most_) return;
    const std::string name = image::to_hex(image::digest_of(*key_, as_image(content)));
    std::string path = path_of("new-XXXXXX");
    {
        const File file(mkostemp(path.data(), O_CLOEXEC));
        if (!file) return complain("write into");
        if (!write_all(file.get(), content)) {
            complain("write into");
            unlink(path.c_str());
            return;
        }
    }
    if (rename(path.c_str(), path_of(name).c_str()) != 0) {
        complain("write into");
        unlink(path.c_str());
    }
    drop_oldest();
}

// Files of workers that were killed while they wrote are among them.
void ImageCache::drop_oldest() {
    std::vector<std::tuple<int64_t, int64_t, uint64_t, std::string>> files;
    uint64_t total = 0;
    std::error_code error;
    for (std::filesystem::directory_iterator at(folder_, error), end; !error && at != end;
         at.increment(error)) {
        struct stat status {};
        const std::string path = at->path().string();
        if (at->path().filename() == "key" || lstat(path.c_str(), &status) != 0 || !S_ISREG(status.st_mode))
            continue;
        const auto bytes = static_cast<uint64_t>(status.st_size);
        files.emplace_back(status.st_mtim.tv_sec, status.st_mtim.tv_nsec, bytes, path);
        total += bytes;
    }
    std::sort(files.begin(), files.end());
    for (const auto& [seconds, nanoseconds, bytes, path] : files) {
        if (total <= most_) return;
        unlink(path.c_str());
        total -= bytes;
    }
}

void ImageCache::complain(const char* what) {
    if (complained_) return;
    complained_ = true;
    BF_LOG(
        "worker", kWarn,
        "cannot %s the cache of code images %s: %s; sessions start slower. Check the disk and the folder, or "
        "set --image-cache 0",
        what, folder_.c_str(), strerror(errno));
}

}  // namespace bitfusion::worker
