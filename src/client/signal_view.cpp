// Watched pages by mprotect(2) and SIGSEGV: a file in memory is mapped twice, once for the program with
// changing protection, once for us, so that content can be put in place before the program sees any of it.
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <thread>

#include "base/futex.h"
#include "client/page_view.h"
#include "client/signals_blocked.h"

namespace bitfusion::client {
namespace {

// Addresses for the second mapping: what all managed memory of a process may be together.
constexpr uint64_t kWindow = uint64_t{1} << 38;

void* pointer(uint64_t address) { return reinterpret_cast<void*>(address); }

// One touch that waits, on the stack of the signal handler.
struct Request {
    uint64_t address;
    bool write;
    bool ours = false;
    std::atomic<uint32_t> done{0};
    Request* next = nullptr;
};

// All that the handler uses: no locks, no memory.
std::atomic<Request*> g_requests{nullptr};
std::atomic<int> g_bell{-1};
std::atomic<pid_t> g_process{0};
std::atomic<bool> g_stopping{false};
struct sigaction g_before {};
thread_local bool t_serving = false;

void on_fault(int number, siginfo_t* info, void* context) {
    const int saved = errno;
    const int bell = g_bell.load();
    if (bell >= 0 && !t_serving && g_process.load() == getpid() && info->si_code > 0) {
        Request request{reinterpret_cast<uint64_t>(info->si_addr), false};
        const auto* machine = static_cast<const ucontext_t*>(context);
        request.write = (machine->uc_mcontext.gregs[REG_ERR] & 2) != 0;
        request.next = g_requests.load();
        while (!g_requests.compare_exchange_weak(request.next, &request)) {
        }
        const uint64_t one = 1;
        if (write(bell, &one, sizeof one) == sizeof one) {
            while (request.done.load() == 0) base::futex_wait(&request.done, 0);
            if (request.ours) {
                errno = saved;
                return;
            }
        }
    }
    errno = saved;
    if ((g_before.sa_flags & SA_SIGINFO) != 0 && g_before.sa_sigaction != nullptr) {
        g_before.sa_sigaction(number, info, context);
    } else if (g_before.sa_handler != SIG_DFL && g_before.sa_handler != SIG_IGN) {
        g_before.sa_handler(number);
    } else {
        // The instruction runs again and ends the process as it would have without us.
        struct sigaction plain {};
        plain.sa_handler = SIG_DFL;
        sigaction(number, &plain, nullptr);
    }
}

// A program may have put its own handler in front: then it becomes the next one behind ours.
void install_handler() {
    struct sigaction now {};
    sigaction(SIGSEGV, nullptr, &now);
    if ((now.sa_flags & SA_SIGINFO) != 0 && now.sa_sigaction == on_fault) return;
    g_before = now;
    struct sigaction ours {};
    ours.sa_sigaction = on_fault;
    ours.sa_flags = SA_SIGINFO | SA_ONSTACK;
    sigemptyset(&ours.sa_mask);
    sigaction(SIGSEGV, &ours, nullptr);
}

class SignalView final : public PageView {
  public:
    SignalView(int file, int bell, uint8_t* window, Touched touched)
        : file_(file), bell_(bell), window_(window), touched_(std::move(touched)) {
        g_stopping = false;
        g_process = getpid();
        const SignalsBlocked quiet;
        thread_ = std::thread([this] { run(); });
        g_bell = bell_;
        install_handler();
    }
    ~SignalView() override {
        g_bell = -1;
        g_stopping = true;
        const uint64_t one = 1;
        if (write(bell_, &one, sizeof one) != sizeof one) abort();  // a counter far from its end
        thread_.join();
        munmap(window_, kWindow);
        ::close(file_);
        ::close(bell_);
    }

    bool open(uint64_t base, size_t bytes) override {
        const uint64_t offset = place(bytes);
        if (offset == kWindow) return false;
        if (mmap(pointer(base), bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE | MAP_FIXED, file_,
                 static_cast<off_t>(offset)) == MAP_FAILED) {
            return false;
        }
        const std::lock_guard<std::mutex> lock(lock_);
        pieces_[base] = {offset, bytes};
        return true;
    }

    void close(uint64_t base, size_t bytes) override {
        mmap(pointer(base), bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
        const uint64_t offset = offset_of(base);
        fallocate(file_, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, static_cast<off_t>(offset),
                  static_cast<off_t>(bytes));
        const std::lock_guard<std::mutex> lock(lock_);
        auto it = std::prev(pieces_.upper_bound(base));
        const auto [first, piece] = *it;
        pieces_.erase(it);
        // What is closed may be the middle of what was opened.
        if (first < base) pieces_[first] = {piece.offset, base - first};
        if (base + bytes < first + piece.bytes)
            pieces_[base + bytes] = {offset + bytes, first + piece.bytes - base - bytes};
        free_.emplace(bytes, offset);
    }

    void show_open(uint64_t base, size_t bytes, const std::function<void(uint64_t, size_t)>& visit) override {
        forbid_writes(base, bytes);
        const auto begin = static_cast<off_t>(offset_of(base));
        const off_t end = begin + static_cast<off_t>(bytes);
        for (off_t at = begin; at < end;) {
            const off_t data = lseek(file_, at, SEEK_DATA);
            if (data < 0 || data >= end) break;
            off_t hole = lseek(file_, data, SEEK_HOLE);
            if (hole < 0 || hole > end) hole = end;
            visit(base + static_cast<uint64_t>(data - begin), static_cast<size_t>(hole - data));
            at = hole;
        }
    }

    void hide(uint64_t base, size_t bytes) override {
        install_handler();
        mprotect(pointer(base), bytes, PROT_NONE);
    }
    void show(uint64_t base, size_t bytes, const uint8_t* content) override {
        memcpy(window_ + offset_of(base), content, bytes);
        mprotect(pointer(base), bytes, PROT_READ);
    }
    void allow_writes(uint64_t base, size_t bytes) override {
        mprotect(pointer(base), bytes, PROT_READ | PROT_WRITE);
    }
    void forbid_writes(uint64_t base, size_t bytes) override {
        install_handler();
        mprotect(pointer(base), bytes, PROT_READ);
    }
    const uint8_t* content(uint64_t base) const override { return window_ + offset_of(base); }

  private:
    struct Piece {
        uint64_t offset;
        uint64_t bytes;
    };

    uint64_t offset_of(uint64_t base) const {
        const std::lock_guard<std::mutex> lock(lock_);
        const auto it = std::prev(pieces_.upper_bound(base));
        return it->second.offset + (base - it->first);
    }
    // A part of the file that nobody has.
    uint64_t place(size_t bytes) {
        const std::lock_guard<std::mutex> lock(lock_);
        if (const auto found = free_.find(bytes); found != free_.end()) {
            const uint64_t offset = found->second;
            free_.erase(found);
            return offset;
        }
        if (bytes > kWindow - used_) return kWindow;
        used_ += bytes;
        return used_ - bytes;
    }

    void run() {
        t_serving = true;
        for (;;) {
            uint64_t count = 0;
            if (read(bell_, &count, sizeof count) < 0 && errno != EINTR) return;
            for (Request* at = g_requests.exchange(nullptr); at != nullptr;) {
                Request* const next = at->next;  // the request is gone once it is done
                at->ours = touched_(at->address, at->write);
                at->done.store(1);
                base::futex_wake(&at->done);
                at = next;
            }
            if (g_stopping) return;
        }
    }

    const int file_;
    const int bell_;
    uint8_t* const window_;
    const Touched touched_;
    mutable std::mutex lock_;
    std::map<uint64_t, Piece> pieces_;        // by address
    std::multimap<uint64_t, uint64_t> free_;  // bytes -> offset
    uint64_t used_ = 0;
    std::thread thread_;
};

}  // namespace

std::unique_ptr<PageView> make_signal_view(PageView::Touched touched) {
    const int file = memfd_create("managed memory", MFD_CLOEXEC);
    const int bell = eventfd(0, EFD_CLOEXEC);
    void* window = MAP_FAILED;
    if (file >= 0 && bell >= 0 && ftruncate(file, static_cast<off_t>(kWindow)) == 0)
        window = mmap(nullptr, kWindow, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, file, 0);
    if (window == MAP_FAILED) {
        if (file >= 0) close(file);
        if (bell >= 0) close(bell);
        return nullptr;
    }
    return std::make_unique<SignalView>(file, bell, static_cast<uint8_t*>(window), std::move(touched));
}

}  // namespace bitfusion::client
