#include "client/page_view.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <csetjmp>
#include <mutex>
#include <thread>
#include <vector>

namespace bitfusion::client {
namespace {

constexpr size_t kPage = PageView::kPage;
constexpr size_t kPages = 64;

struct Touch {
    uint64_t address;
    bool write;
    bool operator==(const Touch&) const = default;
};

// A page table of one flag each: hidden pages are shown full of `fill`, shown pages become writable.
class PageViewTest : public testing::TestWithParam<bool> {
  protected:
    void SetUp() override {
        const auto touched = [this](uint64_t address, bool write) { return this->touched(address, write); };
        auto made = GetParam() ? make_userfault_view(touched) : make_signal_view(touched);
        {
            const std::lock_guard<std::mutex> lock(lock_);  // the view's thread runs already
            view_ = std::move(made);
        }
        if (view_ == nullptr) GTEST_SKIP() << "the system does not allow it to this process";
        void* place =
            mmap(nullptr, kPages * kPage, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        ASSERT_NE(place, MAP_FAILED);
        memory_ = static_cast<volatile uint8_t*>(place);
        base_ = reinterpret_cast<uint64_t>(place);
        ASSERT_TRUE(view_->open(base_, kPages * kPage));
    }
    void TearDown() override {
        if (memory_ == nullptr) return;
        view_->close(base_, kPages * kPage);
        std::unique_ptr<PageView> ending;
        {
            const std::lock_guard<std::mutex> lock(lock_);
            ending = std::move(view_);
        }
        ending.reset();
        munmap(const_cast<uint8_t*>(memory_), kPages * kPage);
    }
    bool touched(uint64_t address, bool write) {
        const std::lock_guard<std::mutex> lock(lock_);
        if (address - base_ >= kPages * kPage) return false;
        const uint64_t page = address / kPage * kPage;
        touches_.push_back({page, write});
        if (!shown_[(page - base_) / kPage]) {
            const std::vector<uint8_t> content(kPage, fill_);
            view_->show(page, kPage, content.data());
            shown_[(page - base_) / kPage] = true;
        } else if (write) {
            view_->allow_writes(page, kPage);
        }
        return true;
    }
    // From now on pages are shown full of `fill`.
    void hide(uint8_t fill = 3) {
        const std::lock_guard<std::mutex> lock(lock_);
        fill_ = fill;
        view_->hide(base_, kPages * kPage);
        shown_.fill(false);
    }

    std::vector<Touch> touches() {
        const std::lock_guard<std::mutex> lock(lock_);
        return touches_;
    }

    std::mutex lock_;
    std::array<bool, kPages> shown_{};
    std::vector<Touch> touches_;
    uint8_t fill_ = 3;
    volatile uint8_t* memory_ = nullptr;
    uint64_t base_ = 0;
    std::unique_ptr<PageView> view_;
};

TEST_P(PageViewTest, OpenPagesAreZerosThatNobodyWatches) {
    EXPECT_EQ(memory_[5 * kPage], 0);
    memory_[7 * kPage] = 1;
    EXPECT_EQ(memory_[7 * kPage], 1);
    EXPECT_TRUE(touches().empty());
}

TEST_P(PageViewTest, TellsWhichOpenPagesWereTouched) {
    memory_[7 * kPage] = 1;
    memory_[20 * kPage + 5] = 2;
    std::vector<uint8_t> seen(kPages);
    view_->show_open(base_, kPages * kPage, [&](uint64_t first, size_t bytes) {
        for (uint64_t page = first; page < first + bytes; page += kPage) {
            seen[(page - base_) / kPage] = 1;
            if (page == base_ + 20 * kPage) {
                EXPECT_EQ(view_->content(page)[5], 2);
            }
        }
    });
    EXPECT_EQ(seen[7], 1);
    EXPECT_EQ(seen[20], 1);
    EXPECT_EQ(seen[40], 0);
}

TEST_P(PageViewTest, ReportsATouchOnceAndAWriteOnce) {
    hide();
    EXPECT_EQ(memory_[3 * kPage + 100], 3);
    EXPECT_EQ(memory_[3 * kPage + 101], 3);
    memory_[3 * kPage + 100] = 9;
    memory_[3 * kPage + 102] = 9;
    EXPECT_EQ(memory_[3 * kPage + 101], 3);
    EXPECT_EQ(memory_[3 * kPage + 100], 9);
    const uint64_t page = base_ + 3 * kPage;
    EXPECT_EQ(touches(), (std::vector<Touch>{{page, false}, {page, true}}));
    EXPECT_EQ(view_->content(page)[100], 9);
    view_->forbid_writes(page, kPage);
    memory_[3 * kPage] = 8;
    EXPECT_EQ(touches().size(), 3u);
}

TEST_P(PageViewTest, HiddenPagesForgetTheirContent) {
    memory_[0] = 77;
    hide(4);
    EXPECT_EQ(memory_[0], 4);
    hide(5);
    EXPECT_EQ(memory_[0], 5);
}

TEST_P(PageViewTest, ThreadsThatTouchOnePageAllGoOn) {
    std::atomic<int> wrong{0};
    for (uint8_t round = 0; round < 50; ++round) {
        hide(round);
        std::vector<std::thread> threads;
        for (size_t t = 0; t < 4; ++t) {
            threads.emplace_back([&, t] {
                for (size_t page = 0; page < 8; ++page) {
                    if (memory_[page * kPage + 8 + t] != round) ++wrong;
                    memory_[page * kPage + t] = 1;
                }
            });
        }
        for (std::thread& thread : threads) thread.join();
    }
    EXPECT_EQ(wrong.load(), 0);
}

TEST_P(PageViewTest, SystemCallsAreReportedWhereTheKernelCan) {
    hide();
    std::array<int, 2> ends{};
    ASSERT_EQ(pipe(ends.data()), 0);
    if (!GetParam()) {  // the kernel has no one to tell: the page has to be touched first
        EXPECT_EQ(write(ends[1], const_cast<uint8_t*>(memory_), 64), -1);
        EXPECT_EQ(errno, EFAULT);
        EXPECT_EQ(memory_[0], 3);
    }
    EXPECT_EQ(write(ends[1], const_cast<uint8_t*>(memory_), 64), 64);
    std::array<uint8_t, 64> got{};
    EXPECT_EQ(read(ends[0], got.data(), 64), 64);
    EXPECT_EQ(got[63], 3);
    EXPECT_EQ(write(ends[1], got.data(), 64), 64);
    if (!GetParam()) memory_[kPage] = 0;
    EXPECT_EQ(read(ends[0], const_cast<uint8_t*>(memory_) + kPage, 64), 64);
    EXPECT_EQ(memory_[kPage + 1], 3);
    close(ends[0]);
    close(ends[1]);
}

sigjmp_buf g_back;
std::atomic<int> g_foreign{0};

TEST_P(PageViewTest, OtherFaultsGoToTheProgramsHandler) {
    // Also one that was put in front of ours: the next hide puts it behind.
    struct sigaction theirs {};
    struct sigaction before {};
    theirs.sa_handler = [](int) {
        ++g_foreign;
        siglongjmp(g_back, 1);
    };
    sigaction(SIGSEGV, &theirs, &before);
    hide();
    EXPECT_EQ(memory_[0], 3);
    void* nothing = mmap(nullptr, kPage, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ASSERT_NE(nothing, MAP_FAILED);
    g_foreign = 0;
    if (sigsetjmp(g_back, 1) == 0) {
        *static_cast<volatile uint8_t*>(nothing) = 1;
        ADD_FAILURE() << "the write went through";
    }
    EXPECT_EQ(g_foreign.load(), 1);
    EXPECT_EQ(memory_[kPage], 3);
    munmap(nothing, kPage);
    sigaction(SIGSEGV, &before, nullptr);
}

INSTANTIATE_TEST_SUITE_P(Views, PageViewTest, testing::Bool(),
                         [](const auto& which) { return which.param ? "userfault" : "signal"; });

}  // namespace
}  // namespace bitfusion::client
