// Page view: pages of the program that we watch. A page is open (plain memory), hidden (any touch is
// reported and waits), or shown (readable, a write is reported and waits). Two ways of the kernel's:
//
// userfaultfd   touches by system calls are reported like the program's own; needs a privilege
// SIGSEGV       works everywhere; a system call into a hidden page fails with EFAULT. Faults that are not
//               ours go on to the handler that was there before, and a handler that comes later is chained.
//
// Touches are reported on a thread of ours, so that the one who touches needs no stack and no locks:
// `touched` answers whether the page is ours, and has made it accessible when it returns. Addresses and sizes
// are whole pages. The owner serialises all calls; `touched` comes from the thread of the view.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>

namespace bitfusion::client {

class PageView {
  public:
    static constexpr size_t kPage = 4096;
    using Touched = std::function<bool(uint64_t address, bool write)>;

    virtual ~PageView() = default;
    PageView(const PageView&) = delete;
    PageView& operator=(const PageView&) = delete;

    // Takes over addresses that are reserved and have no access: open pages of zeros. False: no memory.
    virtual bool open(uint64_t base, size_t bytes) = 0;
    // Back to no access; the content is gone.
    virtual void close(uint64_t base, size_t bytes) = 0;

    // Open pages of which `visit` is called for the runs that were ever touched, and which are shown then.
    virtual void show_open(uint64_t base, size_t bytes,
                           const std::function<void(uint64_t, size_t)>& visit) = 0;
    // Hides pages that are open or shown; the content is gone.
    virtual void hide(uint64_t base, size_t bytes) = 0;
    // Hidden pages -> shown with this content, all at once.
    virtual void show(uint64_t base, size_t bytes, const uint8_t* content) = 0;
    // Shown pages that may be written without a report, and the way back.
    virtual void allow_writes(uint64_t base, size_t bytes) = 0;
    virtual void forbid_writes(uint64_t base, size_t bytes) = 0;
    // Where the content of open and shown pages can be read without touching them.
    virtual const uint8_t* content(uint64_t base) const = 0;

  protected:
    PageView() = default;
};

// nullptr when the kernel does not allow it to this process.
std::unique_ptr<PageView> make_userfault_view(PageView::Touched touched);
std::unique_ptr<PageView> make_signal_view(PageView::Touched touched);

}  // namespace bitfusion::client
