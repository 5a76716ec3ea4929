#include "device/soft/shared_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <string>
#include <string_view>

namespace bitfusion::soft {
namespace {

constexpr int kSeals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
constexpr std::array<std::string_view, 3> kNames = {"bitfusion-soft-device-", "bitfusion-soft-physical-",
                                                    "bitfusion-soft-event-"};

// What the name of an anonymous file says; false when it is none of ours.
bool read_name(int descriptor, SharedFile::Use* use, int* gpu) {
    std::array<char, 128> target{};
    const std::string link = "/proc/self/fd/" + std::to_string(descriptor);
    const ssize_t length = readlink(link.c_str(), target.data(), target.size());
    if (length <= 0 || static_cast<size_t>(length) == target.size()) return false;
    std::string_view name(target.data(), static_cast<size_t>(length));
    constexpr std::string_view kBefore = "/memfd:";
    constexpr std::string_view kBehind = " (deleted)";
    if (!name.starts_with(kBefore) || !name.ends_with(kBehind)) return false;
    name = name.substr(kBefore.size(), name.size() - kBefore.size() - kBehind.size());
    for (size_t i = 0; i < kNames.size(); ++i) {
        if (!name.starts_with(kNames[i])) continue;
        const std::string_view number = name.substr(kNames[i].size());
        const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), *gpu);
        *use = static_cast<SharedFile::Use>(i);
        return error == std::errc() && end == number.data() + number.size() && *gpu >= 0;
    }
    return false;
}

}  // namespace

SharedFile::SharedFile(Key, Use for_what, int of_gpu, int file, uint64_t size, uint64_t number)
    : use(for_what), gpu(of_gpu), descriptor(file), bytes(size), inode(number) {}

SharedFile::~SharedFile() { close(descriptor); }

std::shared_ptr<SharedFile> SharedFile::take_over(int descriptor) {
    Use use{};
    int gpu = 0;
    struct stat status {};
    const bool good = fstat(descriptor, &status) == 0 && status.st_size > 0 &&
                      (fcntl(descriptor, F_GET_SEALS) & kSeals) == kSeals &&
                      read_name(descriptor, &use, &gpu);
    if (!good) {
        close(descriptor);
        return nullptr;
    }
    return std::make_shared<SharedFile>(Key{}, use, gpu, descriptor, static_cast<uint64_t>(status.st_size),
                                        status.st_ino);
}

std::shared_ptr<SharedFile> SharedFile::make(Use use, int gpu, uint64_t bytes) {
    const std::string name = std::string(kNames[static_cast<size_t>(use)]) + std::to_string(gpu);
    const int descriptor = memfd_create(name.c_str(), MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (descriptor < 0) return nullptr;
    if (ftruncate(descriptor, static_cast<off_t>(bytes)) != 0 ||
        fcntl(descriptor, F_ADD_SEALS, kSeals) != 0) {
        close(descriptor);
        return nullptr;
    }
    return take_over(descriptor);
}

std::shared_ptr<SharedFile> SharedFile::adopt(int descriptor) {
    const int own = fcntl(descriptor, F_DUPFD_CLOEXEC, 3);
    return own < 0 ? nullptr : take_over(own);
}

std::shared_ptr<SharedFile> SharedFile::open_in(pid_t process, int descriptor, uint64_t inode) {
    const std::string path = "/proc/" + std::to_string(process) + "/fd/" + std::to_string(descriptor);
    // Only a memfd is opened again this way; of anything else not even the opening may have an effect.
    struct stat status {};
    if (stat(path.c_str(), &status) != 0 || !S_ISREG(status.st_mode) || status.st_ino != inode)
        return nullptr;
    const int own = open(path.c_str(), O_RDWR | O_CLOEXEC);
    if (own < 0) return nullptr;
    auto file = take_over(own);
    return file != nullptr && file->inode == inode ? file : nullptr;
}

int SharedFile::duplicate() const { return fcntl(descriptor, F_DUPFD_CLOEXEC, 3); }

}  // namespace bitfusion::soft
