#include "link/shm_link.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <string>
#include <thread>

#include "link/file_rights.h"

namespace bitfusion::link {
namespace {

// Published at a time, so that the other side copies out while this one copies in.
constexpr size_t kStep = 128u << 10;

tl::unexpected<Error> gone() { return fail("cannot write to the peer: it has gone", EPIPE); }

// Before a sleep in the midst of a transfer. With few cores the peer needs the core more than we do.
template <typename Condition>
bool spin_until(const Condition& holds) {
    static const std::chrono::microseconds time(std::thread::hardware_concurrency() > 2 ? 30 : 0);
    const auto end = std::chrono::steady_clock::now() + time;
    do {
        for (int i = 0; i < 32; ++i) {
            if (holds()) return true;
            __builtin_ia32_pause();
        }
    } while (std::chrono::steady_clock::now() < end);
    return false;
}

void ring_bell(int socket) {
    const uint8_t byte = 1;
    // A full socket rings already, and a broken one is found by whoever reads it.
    (void)!::send(socket, &byte, 1, MSG_NOSIGNAL | MSG_DONTWAIT);
}

// Takes old rings off. False: the peer has gone.
bool silence(int socket) {
    std::array<uint8_t, 64> rings{};
    for (;;) {
        const ssize_t got = recv(socket, rings.data(), rings.size(), MSG_DONTWAIT);
        if (got > 0) return true;
        if (got < 0 && errno == EINTR) continue;
        return got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
    }
}

// What comes was caused by what went before it. The thread sanitizer cannot see that: another process stands
// between the two or, in a test of both ends, a second mapping of the same memory. One word for all links, as
// the sanitizer has one for all sockets.
class Causality {
  public:
#ifdef __SANITIZE_THREAD__
    static void cause() { word_.fetch_add(1, std::memory_order_release); }
    static void effect() { (void)word_.load(std::memory_order_acquire); }

  private:
    static inline std::atomic<uint64_t> word_{0};
#else
    static void cause() {}
    static void effect() {}
#endif
};

class ShmLink final : public Link {
  public:
    ShmLink(ShmSide side, ShmMemory memory, ShmSockets sockets)
        : memory_(std::move(memory)),
          sockets_(std::move(sockets)),
          putter_(memory_.words(side == ShmSide::kClient ? 0 : 1),
                  memory_.bytes(side == ShmSide::kClient ? 0 : 1)),
          taker_(memory_.words(side == ShmSide::kClient ? 1 : 0),
                 memory_.bytes(side == ShmSide::kClient ? 1 : 0)) {
        memory_.close_file();
    }

    Status send(std::span<const iovec> pieces) override {
        size_t unpublished = 0;
        for (const iovec& piece : pieces) {
            const auto* data = static_cast<const uint8_t*>(piece.iov_base);
            for (size_t at = 0; at < piece.iov_len;) {
                auto room = putter_.room();
                if (!room) return tl::unexpected<Error>(room.error());
                if (*room == 0) {
                    publish();
                    unpublished = 0;
                    Status waited = wait_for_room();
                    if (!waited) return waited;
                    continue;
                }
                const size_t take = std::min({*room, piece.iov_len - at, kStep});
                putter_.put(data + at, take);
                at += take;
                unpublished += take;
                if (unpublished >= kStep) {
                    publish();
                    unpublished = 0;
                }
            }
        }
        publish();
        return {};
    }

    Result<Received> receive(void* target, size_t bytes, Wait wait) override {
        bool woken = false;
        for (;;) {
            // A wish that the peer has taken back already is a ring that has come or will.
            if (asleep_) rung_ = taker_.stay_awake() || rung_;
            asleep_ = false;
            auto left = taker_.left();
            if (!left) return tl::unexpected<Error>(left.error());
            if (*left != 0)
                return Received{take(static_cast<uint8_t*>(target), std::min(bytes, *left)), false};
            // What was put before the peer went is seen by now: its end is read before the ring is.
            if (closed_) return Received{0, true};
            if (wait == Wait::kNo) return Received{};
            if (spin_until([&] { return taker_.left().value_or(1) != 0; })) continue;
            if (!prepare_wait(woken)) continue;
            pollfd ready{sockets_.data_bell.get(), POLLIN, 0};
            poll(&ready, 1, -1);
            woken = true;
        }
    }

    bool prepare_wait(bool woken) override {
        if (closed_) return false;
        if (woken || rung_) {
            rung_ = false;
            closed_ = !silence(sockets_.data_bell.get());
            if (closed_) return false;
        }
        const auto may_sleep = taker_.prepare_sleep();
        asleep_ = may_sleep.value_or(false);
        return asleep_;  // receive() finds what is wrong
    }

    int wait_descriptor() const override { return sockets_.data_bell.get(); }

    bool shares_memory() const override { return true; }

    Status give_file(int descriptor) override {
        return send_rights(sockets_.files.get(), 0, {&descriptor, 1});
    }

    Result<Descriptor> take_file() override {
        auto rights = receive_rights(sockets_.files.get(), false);
        if (!rights) return tl::unexpected<Error>(rights.error());
        if (rights->descriptors.size() != 1) return fail("the peer gave no file", EPROTO);
        return std::move(rights->descriptors.front());
    }

    void shut() override {
        shutdown(sockets_.data_bell.get(), SHUT_RDWR);
        shutdown(sockets_.room_bell.get(), SHUT_RDWR);
        shutdown(sockets_.files.get(), SHUT_RDWR);
    }

    void leave_to_parent() override {
        sockets_.data_bell.close();
        sockets_.room_bell.close();
        sockets_.files.close();
    }

  private:
    void publish() {
        Causality::cause();
        if (putter_.publish()) ring_bell(sockets_.data_bell.get());
    }

    size_t take(uint8_t* target, size_t bytes) {
        Causality::effect();
        for (size_t at = 0; at < bytes;) {
            const size_t step = std::min(bytes - at, kStep);
            if (taker_.take(target + at, step)) ring_bell(sockets_.room_bell.get());
            at += step;
        }
        return bytes;
    }

    Status wait_for_room() {
        if (spin_until([&] { return putter_.room().value_or(1) != 0; })) return {};
        if (!silence(sockets_.room_bell.get())) return gone();
        const auto may_sleep = putter_.prepare_sleep();
        if (!may_sleep) return tl::unexpected<Error>(may_sleep.error());
        if (*may_sleep) {
            // The peer's end shows on both sockets; an idle ring of data must not wake this side.
            std::array<pollfd, 2> ready = {pollfd{sockets_.room_bell.get(), POLLIN, 0},
                                           pollfd{sockets_.data_bell.get(), POLLRDHUP, 0}};
            while (poll(ready.data(), ready.size(), -1) < 0 && errno == EINTR) {
            }
            putter_.stay_awake();  // one ring too many wakes once too often
            if ((ready[1].revents & (POLLRDHUP | POLLHUP | POLLERR | POLLNVAL)) != 0) return gone();
        }
        return {};
    }

    ShmMemory memory_;
    ShmSockets sockets_;
    ShmPutter putter_;
    ShmTaker taker_;
    // Of whoever receives:
    bool closed_ = false;
    bool asleep_ = false;  // the peer may ring at any time
    bool rung_ = false;    // there may be rings on the socket
};

}  // namespace

std::unique_ptr<Link> over_shm(ShmSide side, ShmMemory memory, ShmSockets sockets) {
    return std::make_unique<ShmLink>(side, std::move(memory), std::move(sockets));
}

Result<std::pair<Descriptor, Descriptor>> socket_pair() {
    std::array<int, 2> ends{};
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0)
        return fail(std::string("cannot make a socket pair: ") + strerror(errno) + "; check 'ulimit -n'",
                    errno);
    return std::pair(Descriptor(ends[0]), Descriptor(ends[1]));
}

Result<std::pair<std::unique_ptr<Link>, std::unique_ptr<Link>>> shm_pair() {
    auto made = ShmMemory::make();
    if (!made) return tl::unexpected<Error>(made.error());
    auto again = ShmMemory::adopt(Descriptor(dup(made->file())));
    auto data = socket_pair();
    auto room = socket_pair();
    auto files = socket_pair();
    if (!again || !data || !room || !files)
        return fail("cannot make a pair of links in shared memory", errno);
    return std::pair(over_shm(ShmSide::kClient, std::move(*again),
                              {std::move(data->first), std::move(room->first), std::move(files->first)}),
                     over_shm(ShmSide::kWorker, std::move(*made),
                              {std::move(data->second), std::move(room->second), std::move(files->second)}));
}

}  // namespace bitfusion::link
