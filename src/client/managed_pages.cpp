#include "client/managed_pages.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <unordered_map>
#include <vector>

#include "base/log.h"
#include "client/context.h"
#include "client/feedback.h"
#include "client/page_view.h"
#include "client/session.h"
#include "client_hand.gen.h"
#include "wire/changes.h"

namespace bitfusion::client {
namespace {

constexpr uint64_t kPage = PageView::kPage;
constexpr uint64_t kBlock = 2u << 20;  // what is fetched at once lies in one
constexpr size_t kPages = kBlock / kPage;
constexpr size_t kPiece = 4u << 20;  // of changes in one message
constexpr size_t kBridge = 64;       // equal bytes that are sent rather than a run of their own
constexpr size_t kFewest = 16;       // pages that come with a touch; twice as many with each that follows on

enum class State : uint8_t {
    kNone,    // not managed
    kOpen,    // the program's from the start: both sides had zeros
    kHidden,  // the GPU's
    kShown,   // a copy of the GPU's
    kWritten  // by the program, since it was shown
};

struct Span {
    uint64_t base;
    uint64_t end;
};

using Page = std::array<uint8_t, kPage>;

struct Block {
    std::array<State, kPages> state{};
    std::vector<Span> spans;                                   // what of it is managed, by address
    std::unordered_map<size_t, std::unique_ptr<Page>> before;  // of written pages
    CUcontext context = nullptr;
    bool unsure = false;  // a page was fetched while the GPU was at work
};

struct Run {
    uint64_t base;
    size_t bytes;
};

class ManagedPages {
  public:
    bool add(uint64_t base, size_t bytes, CUcontext context, bool zeros);
    void remove(uint64_t base, size_t bytes);
    void remove_all_of(CUcontext context);
    CUresult send();
    void refresh();
    void fetch(uint64_t base, size_t bytes);
    void discard(uint64_t base, size_t bytes);
    bool touched(uint64_t address, bool write);

  private:
    bool start_locked();
    void remove_locked(uint64_t base, size_t bytes);
    template <typename Visit>
    void each_run(uint64_t number, const Block& block, State state, const Visit& visit);
    void set(Block* block, uint64_t number, const Run& run, State state);
    void gather_locked(uint64_t number, Block* block, wire::Changes* changes);
    CUresult post_locked(wire::Changes* changes, CUcontext context);
    void fetch_locked(uint64_t number, Block* block, size_t first, size_t count);
    void allow_locked(uint64_t number, Block* block, size_t first, size_t count);
    size_t follow(const Block& block, size_t first, State state, uint64_t address);

    std::mutex lock_;
    std::unique_ptr<PageView> view_;
    std::map<uint64_t, Block> blocks_;
    std::set<uint64_t> held_;  // blocks with pages that are not hidden
    uint64_t follows_ = 0;     // where a touch would go on with the last one
    size_t ahead_ = kFewest;
};

ManagedPages& managed() {
    static ManagedPages* const made = std::make_unique<ManagedPages>().release();  // outlives every handler
    return *made;
}

bool ManagedPages::start_locked() {
    if (view_ != nullptr) return true;
    const auto touched = [this](uint64_t address, bool write) { return this->touched(address, write); };
    const char* asked = getenv("BITFUSION_MANAGED");
    if (asked == nullptr || strcmp(asked, "signal") != 0) view_ = make_userfault_view(touched);
    if (view_ == nullptr) {
        BF_LOG("client", kDebug, "managed memory is watched by SIGSEGV");
        view_ = make_signal_view(touched);
    }
    if (view_ == nullptr) BF_LOG("client", kError, "managed memory cannot be watched on this system");
    return view_ != nullptr;
}

template <typename Visit>
void ManagedPages::each_run(uint64_t number, const Block& block, State state, const Visit& visit) {
    for (size_t i = 0; i < kPages; ++i) {
        if (block.state[i] != state) continue;
        size_t end = i;
        while (end < kPages && block.state[end] == state) ++end;
        visit(Run{number * kBlock + i * kPage, (end - i) * kPage});
        i = end;
    }
}

void ManagedPages::set(Block* block, uint64_t number, const Run& run, State state) {
    const size_t first = (run.base - number * kBlock) / kPage;
    std::fill_n(block->state.begin() + static_cast<std::ptrdiff_t>(first), run.bytes / kPage, state);
}

bool ManagedPages::add(uint64_t base, size_t bytes, CUcontext context, bool zeros) {
    const std::lock_guard<std::mutex> lock(lock_);
    if (!start_locked()) return false;
    const uint64_t first = base / kPage * kPage;
    const uint64_t end = (base + bytes + kPage - 1) / kPage * kPage;
    // Pages that are managed already stay as they are.
    for (uint64_t at = first; at < end;) {
        const auto known = [this](uint64_t page) {
            const auto found = blocks_.find(page / kBlock);
            return found != blocks_.end() && found->second.state[page % kBlock / kPage] != State::kNone;
        };
        uint64_t stop = at;
        while (stop < end && !known(stop)) stop += kPage;
        if (stop != at && !view_->open(at, stop - at)) return false;
        if (stop != at && !zeros) view_->hide(at, stop - at);
        at = std::max(stop, at) + (stop == at ? kPage : 0);
    }
    for (uint64_t number = base / kBlock; number * kBlock < base + bytes; ++number) {
        Block& block = blocks_[number];
        block.context = context;
        const Span span{std::max(base, number * kBlock), std::min(base + bytes, (number + 1) * kBlock)};
        block.spans.insert(std::upper_bound(block.spans.begin(), block.spans.end(), span,
                                            [](const Span& a, const Span& b) { return a.base < b.base; }),
                           span);
        for (uint64_t page = span.base / kPage; page * kPage < span.end; ++page) {
            State& state = block.state[page % kPages];
            if (state == State::kNone) state = zeros ? State::kOpen : State::kHidden;
        }
        if (zeros) held_.insert(number);
    }
    g_managed = static_cast<int>(blocks_.size());
    return true;
}

void ManagedPages::remove(uint64_t base, size_t bytes) {
    const std::lock_guard<std::mutex> lock(lock_);
    remove_locked(base, bytes);
}

void ManagedPages::remove_locked(uint64_t base, size_t bytes) {
    for (uint64_t number = base / kBlock; number * kBlock < base + bytes; ++number) {
        const auto found = blocks_.find(number);
        if (found == blocks_.end()) continue;
        Block& block = found->second;
        std::erase_if(block.spans, [&](const Span& s) { return s.base < base + bytes && base < s.end; });
        for (size_t i = 0; i < kPages; ++i) {
            const uint64_t page = number * kBlock + i * kPage;
            const bool used = std::any_of(block.spans.begin(), block.spans.end(), [&](const Span& s) {
                return s.base < page + kPage && page < s.end;
            });
            if (used || block.state[i] == State::kNone) continue;
            size_t end = i + 1;  // close neighbours together
            while (end < kPages && block.spans.empty() && block.state[end] != State::kNone) ++end;
            view_->close(page, (end - i) * kPage);
            for (; i < end; ++i) {
                block.state[i] = State::kNone;
                block.before.erase(i);
            }
            --i;
        }
        if (block.spans.empty()) {
            blocks_.erase(found);
            held_.erase(number);
        }
    }
    g_managed = static_cast<int>(blocks_.size());
}

void ManagedPages::remove_all_of(CUcontext context) {
    const std::lock_guard<std::mutex> lock(lock_);
    std::vector<Span> gone;
    for (const auto& [number, block] : blocks_) {
        if (block.context == context) gone.insert(gone.end(), block.spans.begin(), block.spans.end());
    }
    for (const Span& span : gone) remove_locked(span.base, span.end - span.base);
}

// What the program wrote into this block; its written pages can no longer be written without a report.
void ManagedPages::gather_locked(uint64_t number, Block* block, wire::Changes* changes) {
    Page zeros{};
    const auto gather = [&](const Run& run, bool open) {
        for (uint64_t page = run.base; page < run.base + run.bytes; page += kPage) {
            uint8_t* known = zeros.data();
            if (!open) known = block->before[(page - number * kBlock) / kPage]->data();
            for (const Span& span : block->spans) {
                const uint64_t first = std::max(span.base, page);
                const uint64_t end = std::min(span.end, page + kPage);
                if (first >= end) continue;
                if (first == span.base) changes->part();
                const size_t data_before = changes->data.size();
                wire::gather_changes(view_->content(page) + (first - page), known + (first - page),
                                     end - first, first, kBridge, SIZE_MAX, changes);
                if (open && changes->data.size() != data_before) zeros.fill(0);
            }
        }
    };
    std::vector<Run> runs;
    each_run(number, *block, State::kOpen, [&](const Run& run) { runs.push_back(run); });
    for (const Run& run : runs)
        view_->show_open(run.base, run.bytes, [&](uint64_t base, size_t bytes) {
            gather({base, bytes}, true);
        });
    each_run(number, *block, State::kWritten, [&](const Run& run) {
        view_->forbid_writes(run.base, run.bytes);
        gather(run, false);
    });
}

CUresult ManagedPages::post_locked(wire::Changes* changes, CUcontext context) {
    if (changes->empty()) return CUDA_SUCCESS;
    const bool push = current_context() == nullptr && cuCtxPushCurrent_v2(context) == CUDA_SUCCESS;
    const msg::MirrorIn m{changes->run_bytes(), {}};
    const CUresult result = session()->post_bulk(
        msg::MirrorIn::kId, m.size(), [&](wire::Writer& w) { m.encode(w); }, changes->data.data(),
        changes->data.size(), true);
    if (push) cuCtxPopCurrent_v2(nullptr);
    *changes = {};
    return result;
}

CUresult ManagedPages::send() {
    const std::lock_guard<std::mutex> lock(lock_);
    wire::Changes changes;
    CUresult result = CUDA_SUCCESS;
    for (const uint64_t number : held_) {
        Block& block = blocks_[number];
        gather_locked(number, &block, &changes);
        for (const State state : {State::kOpen, State::kShown, State::kWritten}) {
            each_run(number, block, state, [&](const Run& run) { view_->hide(run.base, run.bytes); });
        }
        for (State& state : block.state) state = state == State::kNone ? State::kNone : State::kHidden;
        block.before.clear();
        block.unsure = false;
        if (changes.data.size() >= kPiece - kBlock) {  // the next block may fill the rest
            const CUresult posted = post_locked(&changes, block.context);
            if (result == CUDA_SUCCESS) result = posted;
        }
    }
    const CUresult posted =
        held_.empty() ? CUDA_SUCCESS : post_locked(&changes, blocks_[*held_.begin()].context);
    held_.clear();
    return result == CUDA_SUCCESS ? posted : result;
}

void ManagedPages::refresh() {
    const std::lock_guard<std::mutex> lock(lock_);
    for (const uint64_t number : held_) {
        Block& block = blocks_[number];
        if (!block.unsure) continue;
        std::vector<Run> runs;
        each_run(number, block, State::kShown, [&](const Run& run) { runs.push_back(run); });
        for (const Run& run : runs) {
            view_->hide(run.base, run.bytes);
            set(&block, number, run, State::kHidden);
        }
        block.unsure = false;
    }
}

// Hidden pages -> shown. What of them is not managed is nobody's.
void ManagedPages::fetch_locked(uint64_t number, Block* block, size_t first, size_t count) {
    const uint64_t base = number * kBlock + first * kPage;
    std::vector<uint8_t> content(count * kPage);
    if (current_context() != block->context) cuCtxSetCurrent(block->context);
    const bool idle = all_idle();
    for (const Span& span : block->spans) {
        const uint64_t begin = std::max(span.base, base);
        const uint64_t end = std::min<uint64_t>(span.end, base + content.size());
        if (begin >= end) continue;
        auto nothing = [](wire::Reader&) {};
        Pending pending{DecodeRef(nothing)};
        pending.bulk = content.data() + (begin - base);
        pending.bulk_bytes = end - begin;
        const msg::MirrorOut m{begin, end - begin};
        Session* s = session();
        CUresult result = CUDA_ERROR_NOT_INITIALIZED;
        if (s != nullptr) {
            s->begin_call(
                msg::MirrorOut::kId, m.size(), [&](wire::Writer& w) { m.encode(w); }, &pending);
            result = s->finish_call(&pending, msg::MirrorOut::kId);
        }
        // There is nobody to tell but the log; the error of the work before comes with the next call.
        if (result != CUDA_SUCCESS)
            BF_LOG("client", kError, "managed memory at %#llx cannot be fetched: error %d",
                   static_cast<unsigned long long>(begin), result);
    }
    view_->show(base, content.size(), content.data());
    set(block, number, {base, content.size()}, State::kShown);
    block->unsure |= !idle;
    held_.insert(number);
}

void ManagedPages::allow_locked(uint64_t number, Block* block, size_t first, size_t count) {
    const uint64_t base = number * kBlock + first * kPage;
    for (size_t i = 0; i < count; ++i) {
        auto before = std::make_unique<Page>();
        memcpy(before->data(), view_->content(base + i * kPage), kPage);
        block->before[first + i] = std::move(before);
    }
    set(block, number, {base, count * kPage}, State::kWritten);
    view_->allow_writes(base, count * kPage);
}

// How many pages from `first` on are in this state and go with it: more when touches follow on each other.
size_t ManagedPages::follow(const Block& block, size_t first, State state, uint64_t address) {
    ahead_ = address / kPage * kPage == follows_ ? std::min(ahead_ * 2, kPages) : kFewest;
    size_t count = 0;
    while (count < ahead_ && first + count < kPages && block.state[first + count] == state) ++count;
    follows_ = (address / kPage + count) * kPage;
    return count;
}

bool ManagedPages::touched(uint64_t address, bool write) {
    const std::lock_guard<std::mutex> lock(lock_);
    const auto found = blocks_.find(address / kBlock);
    if (found == blocks_.end()) return false;
    Block& block = found->second;
    const size_t page = address % kBlock / kPage;
    if (block.state[page] == State::kNone) return false;
    if (block.state[page] == State::kHidden) {
        const size_t count = follow(block, page, State::kHidden, address);
        fetch_locked(found->first, &block, page, count);
        if (write) allow_locked(found->first, &block, page, 1);
    } else if (block.state[page] == State::kShown && write) {
        allow_locked(found->first, &block, page, follow(block, page, State::kShown, address));
    }
    return true;
}

void ManagedPages::fetch(uint64_t base, size_t bytes) {
    const std::lock_guard<std::mutex> lock(lock_);
    const CUcontext context = current_context();
    for (uint64_t number = base / kBlock; number * kBlock < base + bytes; ++number) {
        const auto found = blocks_.find(number);
        if (found == blocks_.end()) continue;
        std::vector<Run> runs;
        each_run(number, found->second, State::kHidden, [&](const Run& run) { runs.push_back(run); });
        for (const Run& run : runs) {
            const uint64_t first = std::max(run.base, base / kPage * kPage);
            const uint64_t end = std::min(run.base + run.bytes, (base + bytes + kPage - 1) / kPage * kPage);
            if (first < end)
                fetch_locked(number, &found->second, (first - number * kBlock) / kPage,
                             (end - first) / kPage);
        }
    }
    if (current_context() != context) cuCtxSetCurrent(context);
}

// Pages wholly inside: what is at their edges still counts.
void ManagedPages::discard(uint64_t base, size_t bytes) {
    const std::lock_guard<std::mutex> lock(lock_);
    for (uint64_t page = (base + kPage - 1) / kPage * kPage; page + kPage <= base + bytes; page += kPage) {
        const auto found = blocks_.find(page / kBlock);
        if (found == blocks_.end()) continue;
        State& state = found->second.state[page % kBlock / kPage];
        if (state == State::kNone || state == State::kHidden) continue;
        view_->hide(page, kPage);
        found->second.before.erase(page % kBlock / kPage);
        state = State::kHidden;
    }
}

}  // namespace

bool manage_pages(uint64_t base, size_t bytes, CUcontext context, bool zeros) {
    return managed().add(base, bytes, context, zeros);
}
void unmanage_pages(uint64_t base, size_t bytes) { managed().remove(base, bytes); }
void unmanage_pages_of(CUcontext context) {
    if (any_managed()) managed().remove_all_of(context);
}
CUresult send_managed() { return managed().send(); }
void refresh_managed() { managed().refresh(); }
void fetch_managed(uint64_t base, size_t bytes) { managed().fetch(base, bytes); }
void discard_managed(uint64_t base, size_t bytes) { managed().discard(base, bytes); }

void touch_managed(const volatile void* at, size_t bytes, bool write) {
    if (at == nullptr || bytes == 0) return;
    const auto first = reinterpret_cast<uint64_t>(at);
    for (uint64_t page = first; page < first + bytes; page = (page / kPage + 1) * kPage) {
        auto* const byte = reinterpret_cast<volatile uint8_t*>(page);
        const uint8_t now = *byte;
        if (write) *byte = now;
    }
}

}  // namespace bitfusion::client
