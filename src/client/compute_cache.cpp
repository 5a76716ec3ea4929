#include "client/compute_cache.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <memory>
#include <system_error>

#include "base/log.h"

namespace bitfusion::client {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kMagic = 0x3130656863614642;  // "BFCache01", its first eight letters
constexpr uint64_t kMostInMemory = 64u << 20;
constexpr uint64_t kMostOfOne = 256u << 20;
constexpr uint64_t kDefaultBytes = 1u << 30;  // CUDA's own default
constexpr uint64_t kMostBytes = 4ull << 30;   // CUDA's own limit

struct Head {
    uint64_t magic;
    uint64_t bytes;
    std::array<uint8_t, 32> digest;
};

std::array<uint8_t, 32> digest_of(std::span<const uint8_t> data) {
    std::array<uint8_t, 32> out{};
    unsigned length = 0;
    EVP_Digest(data.data(), data.size(), out.data(), &length, EVP_sha256(), nullptr);
    return out;
}

class File {
  public:
    explicit File(int descriptor) : descriptor_(descriptor) {}
    ~File() {
        if (descriptor_ >= 0) close(descriptor_);
    }
    File(const File&) = delete;
    File& operator=(const File&) = delete;
    bool open() const { return descriptor_ >= 0; }
    int get() const { return descriptor_; }
    bool read_all(void* data, size_t bytes) const {
        for (size_t at = 0; at < bytes;) {
            const ssize_t n = ::read(descriptor_, static_cast<uint8_t*>(data) + at, bytes - at);
            if (n < 0 && errno == EINTR) continue;
            if (n <= 0) return false;
            at += static_cast<size_t>(n);
        }
        return true;
    }
    bool write_all(const void* data, size_t bytes) const {
        for (size_t at = 0; at < bytes;) {
            const ssize_t n = ::write(descriptor_, static_cast<const uint8_t*>(data) + at, bytes - at);
            if (n < 0 && errno == EINTR) continue;
            if (n <= 0) return false;
            at += static_cast<size_t>(n);
        }
        return true;
    }

  private:
    int descriptor_;
};

std::string value_of(const char* name) {
    const char* value = getenv(name);
    return value != nullptr ? value : "";
}

std::string folder_of_environment() {
    const std::string given = value_of("CUDA_CACHE_PATH");
    if (!given.empty()) return given + "/bitfusion";
    const std::string cache = value_of("XDG_CACHE_HOME");
    if (!cache.empty()) return cache + "/bitfusion/compute";
    const std::string home = value_of("HOME");
    return home.empty() ? "" : home + "/.cache/bitfusion/compute";
}

}  // namespace

ComputeCache::ComputeCache(std::string folder, uint64_t most_bytes)
    : folder_(std::move(folder)), most_bytes_(most_bytes) {}

ComputeCache::Key ComputeCache::key_of(std::span<const std::string_view> parts) {
    Key key{};
    const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> state(EVP_MD_CTX_new(), EVP_MD_CTX_free);
    EVP_DigestInit_ex(state.get(), EVP_sha256(), nullptr);
    for (const std::string_view part : parts) {
        const uint64_t bytes = part.size();  // so that no two lists of parts run into the same text
        EVP_DigestUpdate(state.get(), &bytes, sizeof bytes);
        EVP_DigestUpdate(state.get(), part.data(), part.size());
    }
    unsigned length = 0;
    EVP_DigestFinal_ex(state.get(), key.data(), &length);
    return key;
}

std::string ComputeCache::path_of(const Key& key) const {
    constexpr std::string_view kDigits = "0123456789abcdef";
    std::string name;
    for (const uint8_t byte : key) {
        name += kDigits[byte >> 4];
        name += kDigits[byte & 15];
    }
    return folder_ + "/" + name;
}

std::optional<std::vector<uint8_t>> ComputeCache::find(const Key& key) {
    {
        const std::lock_guard<std::mutex> lock(lock_);
        const auto found = memory_.find(key);
        if (found != memory_.end()) return found->second;
    }
    return folder_.empty() ? std::nullopt : read(key);
}

std::optional<std::vector<uint8_t>> ComputeCache::read(const Key& key) const {
    const std::string path = path_of(key);
    const File file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    if (!file.open()) return std::nullopt;
    struct stat about {};
    Head head{};
    if (fstat(file.get(), &about) == 0 && S_ISREG(about.st_mode) && about.st_uid == geteuid() &&
        file.read_all(&head, sizeof head) && head.magic == kMagic && head.bytes <= kMostOfOne &&
        head.bytes + sizeof head == static_cast<uint64_t>(about.st_size)) {
        std::vector<uint8_t> data(head.bytes);
        if (file.read_all(data.data(), data.size()) && digest_of(data) == head.digest) {
            futimens(file.get(), nullptr);  // used: it stays longer
            return data;
        }
    }
    BF_LOG("client", kWarn, "the compute cache's file %s is damaged; it is removed", path.c_str());
    unlink(path.c_str());
    return std::nullopt;
}

bool ComputeCache::write(const Key& key, std::span<const uint8_t> data) const {
    std::error_code failed;
    if (!fs::is_directory(folder_, failed)) {
        fs::create_directories(folder_, failed);
        if (failed || chmod(folder_.c_str(), 0700) != 0) return false;
    }
    std::string temporary = folder_ + "/new-XXXXXX";
    const File file(mkostemp(temporary.data(), O_CLOEXEC));
    if (!file.open()) return false;
    const Head head{kMagic, data.size(), digest_of(data)};
    if (file.write_all(&head, sizeof head) && file.write_all(data.data(), data.size()) &&
        rename(temporary.c_str(), path_of(key).c_str()) == 0)
        return true;
    unlink(temporary.c_str());
    return false;
}

void ComputeCache::keep(const Key& key, std::span<const uint8_t> data) {
    if (data.size() > std::min(kMostOfOne, most_bytes_)) return;
    const std::lock_guard<std::mutex> lock(lock_);
    if (!folder_.empty()) {
        written_bytes_ += data.size() + sizeof(Head);
        if (!looked_ || written_bytes_ > most_bytes_ / 16) make_room();
        if (write(key, data)) return;
    }
    if (memory_bytes_ + data.size() > kMostInMemory ||
        !memory_.try_emplace(key, data.begin(), data.end()).second)
        return;
    if (memory_bytes_ == 0 && !folder_.empty())
        BF_LOG("client", kInfo, "the compute cache cannot write to %s: it lasts as long as this process",
               folder_.c_str());
    memory_bytes_ += data.size();
}

// Other processes write too: the folder is looked at again whenever this one has written a sixteenth.
void ComputeCache::make_room() {
    looked_ = true;
    written_bytes_ = 0;
    struct Old {
        fs::file_time_type used;
        uint64_t bytes;
        fs::path path;
    };
    std::vector<Old> files;
    uint64_t total = 0;
    std::error_code failed;
    for (fs::directory_iterator it(folder_, failed), end; !failed && it != end; it.increment(failed)) {
        std::error_code gone;
        if (!it->is_regular_file(gone)) continue;
        const uint64_t bytes = it->file_size(gone);
        const auto used = it->last_write_time(gone);
        if (gone) continue;
        files.push_back({used, bytes, it->path()});
        total += bytes;
    }
    const uint64_t wanted = most_bytes_ - most_bytes_ / 8;
    if (total <= wanted) return;
    std::sort(files.begin(), files.end(), [](const Old& a, const Old& b) { return a.used < b.used; });
    for (const Old& file : files) {
        if (total <= wanted) break;
        if (fs::remove(file.path, failed)) total -= file.bytes;
    }
}

ComputeCache* compute_cache() {
    static const std::unique_ptr<ComputeCache> cache = [] {
        const std::string disabled = value_of("CUDA_CACHE_DISABLE");
        if (!disabled.empty() && disabled != "0") return std::unique_ptr<ComputeCache>();
        const std::string given = value_of("CUDA_CACHE_MAXSIZE");
        const uint64_t bytes = given.empty() ? kDefaultBytes : strtoull(given.c_str(), nullptr, 10);
        return std::make_unique<ComputeCache>(folder_of_environment(), std::min(bytes, kMostBytes));
    }();
    return cache.get();
}

}  // namespace bitfusion::client
