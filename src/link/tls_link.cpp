// The link over a socket and the record layer.
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "link/read_ahead.h"
#include "link/tls_record.h"

namespace bitfusion::link {
namespace {

constexpr size_t kInBytes = 16 * kTlsMostRecord;
constexpr size_t kOutBytes = 256 << 10;  // sealed at a time, so that the socket is never idle for long

class TlsLink final : public Link {
  public:
    explicit TlsLink(int descriptor) : descriptor_(descriptor), in_(kInBytes), spill_(kTlsMostRecord) {}
    ~TlsLink() override {
        for (const int descriptor : {descriptor_, wake_, wait_}) {
            if (descriptor >= 0) close(descriptor);
        }
    }
    TlsLink(const TlsLink&) = delete;
    TlsLink& operator=(const TlsLink&) = delete;

    Status open(const TlsState& state, const std::vector<uint8_t>& early) {
        Status sealer = sealer_.open(state.suite, state.write_secret, state.write_sequence);
        if (!sealer) return sealer;
        Status opener = opener_.open(state.suite, state.read_secret, state.read_sequence);
        if (!opener) return opener;
        // Bytes that were received but not yet taken do not show on the socket: they ring the second bell.
        wake_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        wait_ = epoll_create1(EPOLL_CLOEXEC);
        epoll_event event{};
        event.events = EPOLLIN;
        if (wake_ < 0 || wait_ < 0 || epoll_ctl(wait_, EPOLL_CTL_ADD, wake_, &event) != 0 ||
            epoll_ctl(wait_, EPOLL_CTL_ADD, descriptor_, &event) != 0) {
            return fail(std::string("cannot watch a connection: ") + strerror(errno) + "; check 'ulimit -n'",
                        errno);
        }
        if (early.size() > in_.size()) return fail("the peer sent too much with its handshake");
        if (early.size() != 0) memcpy(in_.data(), early.data(), early.size());
        in_end_ = early.size();
        return show_what_is_left();
    }

    Status send(std::span<const iovec> pieces) override {
        std::vector<iovec> batch;
        size_t index = 0;
        size_t offset = 0;
        while (index < pieces.size()) {
            batch.clear();
            size_t bytes = 0;
            while (index < pieces.size() && bytes < kOutBytes) {
                const size_t take = std::min(pieces[index].iov_len - offset, kOutBytes - bytes);
                batch.push_back({static_cast<uint8_t*>(pieces[index].iov_base) + offset, take});
                bytes += take;
                offset += take;
                if (offset == pieces[index].iov_len) {
                    ++index;
                    offset = 0;
                }
            }
            out_.clear();
            Status sealed = sealer_.seal(batch, &out_);
            if (!sealed) return sealed;
            Status sent = send_out();
            if (!sent) return sent;
        }
        return {};
    }

    Result<Received> receive(void* target, size_t bytes, Wait wait) override {
        auto got = receive_plain(static_cast<uint8_t*>(target), bytes, wait);
        if (!got) return got;
        Status shown = show_what_is_left();
        if (!shown) return tl::unexpected<Error>(shown.error());
        return got;
    }

    int wait_descriptor() const override { return wait_; }
    bool prepare_wait(bool /*woken*/) override { return ahead_.empty(); }
    void shut() override { shutdown(descriptor_, SHUT_RDWR); }
    void leave_to_parent() override {
        for (const int descriptor : {descriptor_, wake_, wait_}) close(descriptor);
    }

  private:
    Result<Received> receive_plain(uint8_t* target, size_t bytes, Wait wait) {
        size_t have = take_spilt(target, bytes);
        while (have < bytes && !closed_) {
            const auto record = TlsOpener::record_bytes(in_.data() + in_begin_, in_end_ - in_begin_);
            if (!record) return tl::unexpected<Error>(record.error());
            if (*record == 0 || *record > in_end_ - in_begin_) {
                if (have > 0) break;
                auto more = receive_some(wait);
                if (!more) return tl::unexpected<Error>(more.error());
                if (!*more) break;
                continue;
            }
            auto opened = open_record(*record, target + have, bytes - have);
            if (!opened) return tl::unexpected<Error>(opened.error());
            have += *opened;
        }
        return Received{have, have == 0 && closed_};
    }

    size_t take_spilt(uint8_t* target, size_t bytes) {
        const size_t take = std::min(bytes, spill_end_ - spill_begin_);
        memcpy(target, spill_.data() + spill_begin_, take);
        spill_begin_ += take;
        return take;
    }

    // Bytes that went to the target.
    Result<size_t> open_record(size_t record, uint8_t* target, size_t room) {
        const bool fits = TlsOpener::most_plain(record) <= room;
        auto opened = opener_.open_record(in_.data() + in_begin_, record, fits ? target : spill_.data());
        if (!opened) return tl::unexpected<Error>(opened.error());
        in_begin_ += record;
        if (opener_.take_wish_for_new_key()) sealer_.ask_new_key();
        if (opened->kind == TlsOpener::Kind::kClosed) closed_ = true;
        if (opened->kind != TlsOpener::Kind::kData) return size_t{0};
        if (fits) return opened->bytes;
        spill_begin_ = 0;
        spill_end_ = opened->bytes;
        return take_spilt(target, room);
    }

    // False: nothing is there, or the peer has gone.
    Result<bool> receive_some(Wait wait) {
        memmove(in_.data(), in_.data() + in_begin_, in_end_ - in_begin_);
        in_end_ -= in_begin_;
        in_begin_ = 0;
        if (!ahead_.empty()) {
            in_end_ += ahead_.take(in_.data() + in_end_, in_.size() - in_end_);
            return true;
        }
        for (;;) {
            const ssize_t got = recv(descriptor_, in_.data() + in_end_, in_.size() - in_end_,
                                     wait == Wait::kNo ? MSG_DONTWAIT : 0);
            if (got > 0) {
                in_end_ += static_cast<size_t>(got);
                return true;
            }
            if (got < 0 && errno == EINTR) continue;
            if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return false;
            if (got < 0 && errno != ECONNRESET && errno != EPIPE)
                return fail(std::string("cannot read from the peer: ") + strerror(errno), errno);
            closed_ = true;
            return false;
        }
    }

    Status send_out() {
        for (size_t at = 0; at < out_.size();) {
            const ssize_t sent = ::send(descriptor_, out_.data() + at, out_.size() - at, MSG_NOSIGNAL);
            if (sent < 0 && errno == EINTR) continue;
            if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
                ahead_.fill(descriptor_);
                continue;
            }
            if (sent < 0) return fail(std::string("cannot write to the peer: ") + strerror(errno), errno);
            at += static_cast<size_t>(sent);
        }
        return {};
    }

    Status show_what_is_left() {
        const auto record = TlsOpener::record_bytes(in_.data() + in_begin_, in_end_ - in_begin_);
        // What is no record is found by the next receive, which must be called for that.
        const bool left = spill_end_ > spill_begin_ || closed_ || !record ||
                          (*record != 0 && *record <= in_end_ - in_begin_);
        if (left == rung_) return {};
        uint64_t count = 1;
        const ssize_t done = left ? write(wake_, &count, sizeof count) : read(wake_, &count, sizeof count);
        if (done != static_cast<ssize_t>(sizeof count)) return fail("cannot watch a connection", errno);
        rung_ = left;
        return {};
    }

    int descriptor_;
    int wake_ = -1;
    int wait_ = -1;
    TlsSealer sealer_;
    std::vector<uint8_t> out_;
    TlsOpener opener_;
    ReadAhead ahead_;          // sealed bytes that come before those of the socket
    std::vector<uint8_t> in_;  // sealed bytes of the peer: [in_begin_, in_end_)
    size_t in_begin_ = 0;
    size_t in_end_ = 0;
    std::vector<uint8_t> spill_;  // opened bytes that the last target had no room for
    size_t spill_begin_ = 0;
    size_t spill_end_ = 0;
    bool closed_ = false;
    bool rung_ = false;
};

}  // namespace

Result<std::unique_ptr<Link>> over_tls(int descriptor, const TlsState& state,
                                       const std::vector<uint8_t>& early) {
    auto link = std::make_unique<TlsLink>(descriptor);
    Status opened = link->open(state, early);
    if (!opened) return tl::unexpected<Error>(opened.error());
    return link;
}

}  // namespace bitfusion::link
