#include "bench/delay_line.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <mutex>
#include <vector>

namespace bitfusion::bench {
namespace {

using Clock = std::chrono::steady_clock;
constexpr size_t kPiece = 64u << 10;
// And no line holds more than what it takes this long to hand on: a slow one is felt by the sender.
constexpr auto kLongestQueue = std::chrono::milliseconds(250);
// What may be under way in one direction: 64 MiB hold 50 ms of 10 Gbit/s.
constexpr size_t kMostUnderWay = 64u << 20;

struct Piece {
    Clock::time_point due;
    std::vector<uint8_t> bytes;  // empty: the sender has finished
};

// Short waits burn a core: a sleep is late by tens of microseconds, which is what is being added.
void wait_until(Clock::time_point due) {
    constexpr auto kTooShortToSleep = std::chrono::microseconds(300);
    const auto now = Clock::now();
    if (due - now > kTooShortToSleep) std::this_thread::sleep_until(due - kTooShortToSleep);
    while (Clock::now() < due) __builtin_ia32_pause();
}

bool send_all(int descriptor, const std::vector<uint8_t>& bytes) {
    for (size_t at = 0; at < bytes.size();) {
        const ssize_t sent = send(descriptor, bytes.data() + at, bytes.size() - at, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR) continue;
        if (sent <= 0) return false;
        at += static_cast<size_t>(sent);
    }
    return true;
}

// One direction of a connection: a thread that receives and stamps, a thread that waits and sends.
class Direction {
  public:
    Direction(int from, int to, std::chrono::microseconds one_way, DelayLine::Line* line)
        : from_(from), to_(to), one_way_(one_way), line_(line), in_([this] { receive(); }), out_([this] {
              hand_on();
          }) {}
    ~Direction() {
        in_.join();
        out_.join();
    }
    Direction(const Direction&) = delete;
    Direction& operator=(const Direction&) = delete;
    bool over() const { return over_.load(); }

  private:
    void receive() {
        for (;;) {
            std::vector<uint8_t> bytes(kPiece);
            const ssize_t got = recv(from_, bytes.data(), bytes.size(), 0);
            if (got < 0 && errno == EINTR) continue;
            bytes.resize(got > 0 ? static_cast<size_t>(got) : 0);
            const bool finished = bytes.empty();
            // A piece occupies the line for its length, and arrives one way later.
            const auto passed = line_->pass(bytes.size());
            std::unique_lock<std::mutex> lock(lock_);
            changed_.wait(lock, [&] { return under_way_ < kMostUnderWay || broken_; });
            if (broken_) return;
            under_way_ += bytes.size();
            pieces_.push_back({passed + one_way_, std::move(bytes)});
            changed_.notify_all();
            if (finished) return;
            changed_.wait_until(lock, passed - kLongestQueue, [&] { return broken_; });
        }
    }
    void hand_on() {
        for (;;) {
            Piece piece;
            {
                std::unique_lock<std::mutex> lock(lock_);
                changed_.wait(lock, [&] { return !pieces_.empty(); });
                piece = std::move(pieces_.front());
                pieces_.pop_front();
            }
            wait_until(piece.due);
            if (piece.bytes.empty() || !send_all(to_, piece.bytes)) break;
            const std::lock_guard<std::mutex> lock(lock_);
            under_way_ -= piece.bytes.size();
            changed_.notify_all();
        }
        shutdown(to_, SHUT_WR);
        shutdown(from_, SHUT_RD);
        const std::lock_guard<std::mutex> lock(lock_);
        broken_ = true;
        changed_.notify_all();
        over_.store(true);
    }

    const int from_;
    const int to_;
    const std::chrono::microseconds one_way_;
    DelayLine::Line* const line_;
    std::mutex lock_;
    std::condition_variable changed_;
    std::deque<Piece> pieces_;
    size_t under_way_ = 0;
    bool broken_ = false;
    std::atomic<bool> over_{false};
    std::thread in_;
    std::thread out_;
};

int connect_to(const DelayLineOptions& options) {
    sockaddr_in place{};
    place.sin_family = AF_INET;
    place.sin_port = htons(options.to_port);
    if (inet_pton(AF_INET, options.to_host.c_str(), &place.sin_addr) != 1) return -1;
    const int made = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (made >= 0 && connect(made, reinterpret_cast<sockaddr*>(&place), sizeof place) == 0) return made;
    if (made >= 0) close(made);
    return -1;
}

void no_delay(int descriptor) {
    const int on = 1;
    setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

}  // namespace

struct DelayLine::Connection {
    Connection(int client, int server, std::chrono::microseconds one_way, Line* up, Line* down)
        : client(client),
          server(server),
          up(client, server, one_way, up),
          down(server, client, one_way, down) {}
    ~Connection() { cut(); }
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;
    void cut() const {
        shutdown(client.number, SHUT_RDWR);
        shutdown(server.number, SHUT_RDWR);
    }
    bool over() const { return up.over() && down.over(); }

    struct Descriptor {
        explicit Descriptor(int n) : number(n) {}
        ~Descriptor() { close(number); }
        Descriptor(const Descriptor&) = delete;
        Descriptor& operator=(const Descriptor&) = delete;
        operator int() const { return number; }
        const int number;
    };
    Descriptor client;
    Descriptor server;
    Direction up;
    Direction down;
};

Clock::time_point DelayLine::Line::pass(size_t bytes) {
    const std::lock_guard<std::mutex> lock(lock_);
    free_ = std::max(free_, Clock::now());
    if (bits_per_second_ > 0)
        free_ += std::chrono::nanoseconds(
            static_cast<int64_t>(static_cast<double>(bytes) * 8e9 / bits_per_second_));
    return free_;
}

void DelayLine::Line::set_rate(double bits_per_second) {
    const std::lock_guard<std::mutex> lock(lock_);
    bits_per_second_ = bits_per_second;
}

DelayLine::DelayLine(const DelayLineOptions& options) : options_(options) {
    set_rate(options.bits_per_second);
}

void DelayLine::set_rate(double bits_per_second) {
    up_.set_rate(bits_per_second);
    down_.set_rate(bits_per_second);
}

Result<std::unique_ptr<DelayLine>> DelayLine::open(const DelayLineOptions& options) {
    auto line = std::make_unique<DelayLine>(options);
    line->listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in place{};
    place.sin_family = AF_INET;
    place.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof place;
    if (line->listener_ < 0 ||
        bind(line->listener_, reinterpret_cast<sockaddr*>(&place), sizeof place) != 0 ||
        listen(line->listener_, 64) != 0 ||
        getsockname(line->listener_, reinterpret_cast<sockaddr*>(&place), &length) != 0)
        return fail(std::string("the delay line cannot listen: ") + strerror(errno), errno);
    line->port_ = ntohs(place.sin_port);
    line->acceptor_ = std::thread([l = line.get()] { l->accept_all(); });
    return line;
}

DelayLine::~DelayLine() {
    over_.store(true);
    if (listener_ >= 0) shutdown(listener_, SHUT_RDWR);
    if (acceptor_.joinable()) acceptor_.join();
    for (const auto& connection : connections_) connection->cut();
    connections_.clear();
    if (listener_ >= 0) close(listener_);
}

void DelayLine::accept_all() {
    while (!over_.load()) {
        const int client = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
        if (client < 0) {
            if (errno == EINTR || errno == ECONNABORTED) continue;
            return;
        }
        connections_.remove_if([](const auto& connection) { return connection->over(); });
        const int server = connect_to(options_);
        if (server < 0) {
            close(client);
            continue;
        }
        no_delay(client);
        no_delay(server);
        connections_.push_back(std::make_unique<Connection>(client, server, options_.one_way, &up_, &down_));
    }
}

}  // namespace bitfusion::bench
