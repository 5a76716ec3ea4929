// Watched pages by userfaultfd(2): anonymous memory, missing and write-protect faults.
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <thread>
#include <vector>

#include "base/log.h"
#include "client/page_view.h"
#include "client/signals_blocked.h"

namespace bitfusion::client {
namespace {

constexpr uint64_t kPopulated = uint64_t{3} << 62;  // in /proc/self/pagemap: present or swapped

void* pointer(uint64_t address) { return reinterpret_cast<void*>(address); }

// Kernel-mode faults, those of system calls, need the privilege; without them SIGSEGV does as well.
int open_userfaultfd() {
    const auto direct = static_cast<int>(syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK));
    if (direct >= 0) return direct;
    const int device = open("/dev/userfaultfd", O_RDWR | O_CLOEXEC);
    if (device < 0) return -1;
    const int made = ioctl(device, USERFAULTFD_IOC_NEW, O_CLOEXEC | O_NONBLOCK);
    close(device);
    return made;
}

class UserfaultView final : public PageView {
  public:
    UserfaultView(int faults, int end, int pagemap, Touched touched)
        : faults_(faults), end_(end), pagemap_(pagemap), touched_(std::move(touched)) {
        const SignalsBlocked quiet;
        thread_ = std::thread([this] { run(); });
    }
    ~UserfaultView() override {
        const uint64_t one = 1;
        if (write(end_, &one, sizeof one) != sizeof one) abort();  // an eventfd that counts to one
        thread_.join();
        for (const int descriptor : {faults_, end_, pagemap_}) ::close(descriptor);
    }

    bool open(uint64_t base, size_t bytes) override {
        return mmap(pointer(base), bytes, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0) != MAP_FAILED;
    }

    void close(uint64_t base, size_t bytes) override {
        mmap(pointer(base), bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
    }

    void show_open(uint64_t base, size_t bytes, const std::function<void(uint64_t, size_t)>& visit) override {
        watch(base, bytes);
        forbid_writes(base, bytes);
        std::array<uint64_t, 512> entries{};
        for (size_t at = 0; at < bytes;) {
            const size_t pages = std::min(entries.size(), (bytes - at) / kPage);
            const auto where = static_cast<off_t>((base + at) / kPage * sizeof(uint64_t));
            const bool known = pread(pagemap_, entries.data(), pages * sizeof(uint64_t), where) ==
                               static_cast<ssize_t>(pages * sizeof(uint64_t));
            for (size_t i = 0; i < pages;) {
                size_t end = i;
                while (end < pages && (!known || (entries[end] & kPopulated) != 0)) ++end;
                if (end != i) visit(base + at + i * kPage, (end - i) * kPage);
                i = end + 1;
            }
            at += pages * kPage;
        }
    }

    void hide(uint64_t base, size_t bytes) override {
        watch(base, bytes);
        madvise(pointer(base), bytes, MADV_DONTNEED);
    }

    void show(uint64_t base, size_t bytes, const uint8_t* content) override {
        for (size_t at = 0; at < bytes;) {
            uffdio_copy copy{};
            copy.dst = base + at;
            copy.src = reinterpret_cast<uint64_t>(content + at);
            copy.len = bytes - at;
            copy.mode = UFFDIO_COPY_MODE_WP;
            if (ioctl(faults_, UFFDIO_COPY, &copy) == 0) return;
            if (copy.copy > 0)
                at += static_cast<size_t>(copy.copy);
            else if (errno == EEXIST)
                at += kPage;  // there already: whoever waits for it goes on
            else if (errno != EAGAIN)
                break;
        }
        wake(base, bytes);
    }

    void allow_writes(uint64_t base, size_t bytes) override { protect(base, bytes, 0); }
    void forbid_writes(uint64_t base, size_t bytes) override {
        protect(base, bytes, UFFDIO_WRITEPROTECT_MODE_WP);
    }
    const uint8_t* content(uint64_t base) const override {
        return static_cast<const uint8_t*>(pointer(base));
    }

  private:
    void watch(uint64_t base, size_t bytes) {
        uffdio_register range{};
        range.range = {base, bytes};
        range.mode = UFFDIO_REGISTER_MODE_MISSING | UFFDIO_REGISTER_MODE_WP;
        if (ioctl(faults_, UFFDIO_REGISTER, &range) != 0)
            BF_LOG("client", kError, "managed memory at %#llx cannot be watched: error %d",
                   static_cast<unsigned long long>(base), errno);
    }
    void protect(uint64_t base, size_t bytes, uint64_t mode) {
        uffdio_writeprotect range{};
        range.range = {base, bytes};
        range.mode = mode;
        while (ioctl(faults_, UFFDIO_WRITEPROTECT, &range) != 0 && errno == EAGAIN) {
        }
    }
    void wake(uint64_t base, size_t bytes) {
        uffdio_range range{base, bytes};
        ioctl(faults_, UFFDIO_WAKE, &range);
    }

    void run() {
        for (;;) {
            std::array<pollfd, 2> ready = {pollfd{faults_, POLLIN, 0}, pollfd{end_, POLLIN, 0}};
            if (poll(ready.data(), ready.size(), -1) < 0 && errno != EINTR) return;
            if (ready[1].revents != 0) return;
            uffd_msg message{};
            if (read(faults_, &message, sizeof message) != sizeof message ||
                message.event != UFFD_EVENT_PAGEFAULT)
                continue;
            const uint64_t address = message.arg.pagefault.address;
            const bool write =
                (message.arg.pagefault.flags & (UFFD_PAGEFAULT_FLAG_WRITE | UFFD_PAGEFAULT_FLAG_WP)) != 0;
            if (!touched_(address, write)) {
                // Given back meanwhile: nothing can be right, but nobody may wait for ever.
                static const std::vector<uint8_t> zeros(kPage);
                show(address / kPage * kPage, kPage, zeros.data());
            }
            wake(address / kPage * kPage, kPage);
        }
    }

    const int faults_;
    const int end_;
    const int pagemap_;
    const Touched touched_;
    std::thread thread_;
};

}  // namespace

std::unique_ptr<PageView> make_userfault_view(PageView::Touched touched) {
    const int faults = open_userfaultfd();
    if (faults < 0) return nullptr;
    uffdio_api api{};
    api.api = UFFD_API;
    api.features = UFFD_FEATURE_PAGEFAULT_FLAG_WP;
    const int pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
    const int end = eventfd(0, EFD_CLOEXEC);
    if (pagemap < 0 || end < 0 || ioctl(faults, UFFDIO_API, &api) != 0) {
        for (const int descriptor : {faults, pagemap, end}) {
            if (descriptor >= 0) close(descriptor);
        }
        return nullptr;
    }
    return std::make_unique<UserfaultView>(faults, end, pagemap, std::move(touched));
}

}  // namespace bitfusion::client
