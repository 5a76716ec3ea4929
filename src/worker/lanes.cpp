#include "worker/lanes.h"

#include <openssl/crypto.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/log.h"
#include "link/lane_door.h"
#include "link/tls_record.h"
#include "messages.gen.h"
#include "wire/frame.h"

namespace bitfusion::worker {
namespace {

// Of a piece, both ways: a head, the copy's number, the offset.
constexpr size_t kFields = 16;

Result<std::unique_ptr<link::Link>> over_passed(link::PassedLane* passed) {
    if (passed->tls.empty()) return link::over_socket(passed->connection.release());
    const auto state = link::tls_state_from_text(passed->tls);
    OPENSSL_cleanse(passed->tls.data(), passed->tls.size());
    if (!state) return tl::unexpected<Error>(state.error());
    return link::over_tls(passed->connection.release(), *state);
}

Status read_exactly(link::Link* link, void* target, size_t bytes) {
    for (size_t at = 0; at < bytes;) {
        auto got = link->receive(static_cast<uint8_t*>(target) + at, bytes - at, link::Wait::kBlock);
        if (!got) return tl::unexpected<Error>(got.error());
        if (got->closed) return fail("it was closed");
        at += got->bytes;
    }
    return {};
}

}  // namespace

Lanes::Lanes() = default;

Lanes::~Lanes() { end(); }

// ---- opening

void Lanes::open_door(Descriptor door, Wrap wrap) {
    door_ = std::move(door);
    wrap_ = std::move(wrap);
}

std::vector<uint8_t> Lanes::invite(size_t count) {
    if (!door_ || !lanes_.empty() || count == 0) return {};
    wake_ = Descriptor(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!wake_) return {};
    count = std::min(count, kMost);
    std::vector<uint8_t> told(count * sizeof(Secret));
    if (getrandom(told.data(), told.size(), 0) != static_cast<ssize_t>(told.size())) return {};
    for (size_t i = 0; i < count; ++i) {
        memcpy(secrets_.emplace_back().data(), told.data() + i * sizeof(Secret), sizeof(Secret));
        lanes_.push_back(std::make_unique<Lane>());
        lanes_.back()->number = i;
    }
    const std::lock_guard<std::mutex> lock(lock_);
    for (const auto& lane : lanes_) lane->in = std::thread([this, at = lane.get()] { run_in(at); });
    return told;
}

// Each secret is good once. All are compared, so that the time tells nothing.
bool Lanes::admit(const Secret& shown) {
    const std::lock_guard<std::mutex> lock(lock_);
    auto found = secrets_.end();
    for (auto at = secrets_.begin(); at != secrets_.end(); ++at) {
        if (CRYPTO_memcmp(at->data(), shown.data(), shown.size()) == 0) found = at;
    }
    if (found == secrets_.end()) return false;
    secrets_.erase(found);
    return true;
}

// Waits for a connection that shows a secret.
Status Lanes::connect(Lane* lane) {
    for (;;) {
        auto passed = link::take_lane(door_.get());
        if (!passed) return tl::unexpected<Error>(passed.error());
        if (!admit(passed->secret)) {
            BF_LOG("worker", kWarn, "a connection wants to be a lane and shows no secret of this session");
            continue;
        }
        auto made = over_passed(&*passed);
        if (!made) return tl::unexpected<Error>(made.error());
        link::Link* link = nullptr;
        {
            const std::lock_guard<std::mutex> lock(lock_);
            if (over_) return fail("the session is over");
            lane->link = wrap_ ? wrap_(std::move(*made)) : std::move(*made);
            link = lane->link.get();
            // Before the client hears of it and uses it.
            lane->open = true;
            open_.fetch_add(1, std::memory_order_release);
        }
        wire::ReplyHead ready{0, msg::kId_LaneReady, 0, 0, 0};
        const iovec piece{&ready, sizeof ready};
        return link->send({&piece, 1});
    }
}

void Lanes::run_in(Lane* lane) {
    Status good = connect(lane);
    {
        const std::lock_guard<std::mutex> lock(lock_);
        if (over_ || !lane->open) return;  // the client does without it
        // Not before the lane has said that it is one.
        if (good) lane->out = std::thread([this, lane] { run_out(lane); });
    }
    while (good) good = receive_piece(lane);
    lane->link->shut();  // the client may be in the middle of sending
    fail_lane(good.error());
}

bool Lanes::is_open(size_t lane) const {
    const std::lock_guard<std::mutex> lock(lock_);
    return lanes_[lane]->open;
}

// ---- receiving

Status Lanes::receive_piece(Lane* lane) {
    struct {
        wire::RequestHead head;
        uint64_t number;
        uint64_t offset;
    } data{};
    static_assert(sizeof data == sizeof data.head + kFields);
    Status read = read_exactly(lane->link.get(), &data, sizeof data);
    if (!read) return read;
    if (data.head.id != msg::kId_LaneData || data.head.bytes <= kFields ||
        data.head.bytes - kFields > kMostPiece)
        return fail("something else than a piece of a copy came over it", EPROTO);
    Piece piece{data.number, data.offset, data.head.bytes - kFields, nullptr, lane->number};
    {
        std::unique_lock<std::mutex> lock(lock_);
        given_.wait(lock, [&] { return over_ || !lane->spare.empty(); });
        if (over_) return fail("the session is over");
        piece.buffer = lane->spare.front();
        lane->spare.pop_front();
    }
    read = read_exactly(lane->link.get(), piece.buffer->data, piece.bytes);
    if (!read) return read;
    const std::lock_guard<std::mutex> lock(lock_);
    news_.arrived.push_back(piece);
    ring();
    return {};
}

void Lanes::give(size_t lane, Staging::Buffer* buffer) {
    const std::lock_guard<std::mutex> lock(lock_);
    lanes_[lane]->spare.push_back(buffer);
    given_.notify_all();
}

std::vector<Staging::Buffer*> Lanes::take_back(size_t lane) {
    const std::lock_guard<std::mutex> lock(lock_);
    std::vector<Staging::Buffer*> back(lanes_[lane]->spare.begin(), lanes_[lane]->spare.end());
    lanes_[lane]->spare.clear();
    return back;
}

// ---- sending

void Lanes::send(const Piece& piece) {
    const std::lock_guard<std::mutex> lock(lock_);
    outgoing_.push_back(piece);
    work_.notify_one();
}

void Lanes::run_out(Lane* lane) {
    std::unique_lock<std::mutex> lock(lock_);
    for (;;) {
        work_.wait(lock, [&] { return over_ || !outgoing_.empty(); });
        if (over_) return;
        const Piece piece = outgoing_.front();
        outgoing_.pop_front();
        lock.unlock();
        struct {
            wire::ReplyHead head;
            uint64_t number;
            uint64_t offset;
        } data{{static_cast<uint32_t>(kFields + piece.bytes), msg::kId_CopyOutData, 0, 0, 0},
               piece.number,
               piece.offset};
        static_assert(sizeof data == sizeof data.head + kFields);
        const std::array<iovec, 2> pieces = {iovec{&data, sizeof data},
                                             iovec{piece.buffer->data, piece.bytes}};
        const Status sent = lane->link->send(pieces);
        if (!sent) fail_lane(sent.error());
        lock.lock();
        news_.sent.push_back(piece.buffer);
        ring();
    }
}

// ---- news

void Lanes::ring() {
    if (news_there_.exchange(true, std::memory_order_acq_rel)) return;
    const uint64_t one = 1;
    // The counter is far from full, so this does not fail; the descriptor stays readable until it is read.
    [[maybe_unused]] const ssize_t written = write(wake_.get(), &one, sizeof one);
}

void Lanes::fail_lane(const Error& why) {
    const std::lock_guard<std::mutex> lock(lock_);
    if (over_) return;
    if (news_.failed.empty()) news_.failed = "a lane of the client is gone: " + why.what;
    news_.wrong = news_.wrong || why.code == EPROTO;
    ring();
}

Lanes::News Lanes::take_news() {
    const std::lock_guard<std::mutex> lock(lock_);
    uint64_t count = 0;
    [[maybe_unused]] const ssize_t got = read(wake_.get(), &count, sizeof count);
    news_there_.store(false, std::memory_order_release);
    return std::exchange(news_, {});
}

void Lanes::end() {
    {
        const std::lock_guard<std::mutex> lock(lock_);
        over_ = true;
        for (const auto& lane : lanes_) {
            if (lane->link != nullptr) lane->link->shut();
        }
        given_.notify_all();
        work_.notify_all();
    }
    if (door_) link::close_lane_door(door_.get());
    for (const auto& lane : lanes_) {
        if (lane->in.joinable()) lane->in.join();
        if (lane->out.joinable()) lane->out.join();
    }
}

}  // namespace bitfusion::worker
