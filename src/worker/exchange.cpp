#include "worker/exchange.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "base/log.h"

namespace bitfusion::worker {
namespace {

constexpr uint32_t kMagic = 0x68736662;  // "bfsh"
constexpr timeval kPatience{2, 0};       // for one message of another worker
constexpr int kPauseMs = 50;

struct TokenBody {
    uint32_t magic;
    uint32_t slot;
    std::array<uint8_t, 32> secret;
    std::array<uint8_t, 24> zeros;
};
static_assert(sizeof(TokenBody) == Exchange::kTokenBytes);

// What one worker answers another, with the descriptor beside it.
struct Answer {
    uint32_t found;
    Exchange::Kind kind;
    uint64_t bytes;
    uint64_t charge;
    std::array<uint8_t, Exchange::kRawBytes> raw;
};

bool fill_random(void* data, size_t bytes) {
    return getrandom(data, bytes, 0) == static_cast<ssize_t>(bytes);
}

sockaddr_un address_of(const uint8_t* name, socklen_t* length) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::string text = "bitfusion-";  // behind a zero byte: no file
    for (size_t i = 0; i < ExchangeMemory::kNameBytes; ++i) {
        constexpr char kDigits[] = "0123456789abcdef";
        text += kDigits[name[i] >> 4];
        text += kDigits[name[i] & 15];
    }
    memcpy(address.sun_path + 1, text.data(), text.size());
    *length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + text.size());
    return address;
}

// Whoever is at the other end runs as the same user, as all workers do.
bool same_user(int connection) {
    ucred peer{};
    socklen_t bytes = sizeof peer;
    return getsockopt(connection, SOL_SOCKET, SO_PEERCRED, &peer, &bytes) == 0 && peer.uid == geteuid();
}

void set_patience(int connection) {
    setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &kPatience, sizeof kPatience);
    setsockopt(connection, SOL_SOCKET, SO_SNDTIMEO, &kPatience, sizeof kPatience);
}

void close_if_open(int descriptor) {
    if (descriptor >= 0) close(descriptor);
}

// Room for the control message of one descriptor.
union Control {
    cmsghdr header;
    char bytes[CMSG_SPACE(sizeof(int))];
};

bool send_answer(int connection, const Answer& answer, int descriptor) {
    iovec part{const_cast<Answer*>(&answer), sizeof answer};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    Control control{};
    if (descriptor >= 0) {
        message.msg_control = &control;
        message.msg_controllen = sizeof control;
        cmsghdr* header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof descriptor);
        memcpy(CMSG_DATA(header), &descriptor, sizeof descriptor);
    }
    return sendmsg(connection, &message, MSG_NOSIGNAL) == static_cast<ssize_t>(sizeof answer);
}

bool receive_answer(int connection, Answer* answer, int* descriptor) {
    iovec part{answer, sizeof *answer};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    Control control{};
    message.msg_control = &control;
    message.msg_controllen = sizeof control;
    const ssize_t got = recvmsg(connection, &message, MSG_CMSG_CLOEXEC);
    const cmsghdr* header = got > 0 ? CMSG_FIRSTHDR(&message) : nullptr;
    if (header != nullptr && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS &&
        header->cmsg_len == CMSG_LEN(sizeof *descriptor))
        memcpy(descriptor, CMSG_DATA(header), sizeof *descriptor);
    return got == static_cast<ssize_t>(sizeof *answer);
}

}  // namespace

Exchange::Exchange(ExchangeMemory* memory, int slot) : memory_(memory), slot_(slot) {}

Exchange::~Exchange() {
    if (thread_.joinable()) {
        const uint64_t one = 1;
        [[maybe_unused]] const ssize_t written = write(stop_, &one, sizeof one);
        thread_.join();
        for (auto& byte : memory_->names[slot_]) byte.store(0);
    }
    close_if_open(listener_);
    close_if_open(stop_);
    for (const auto& [secret, offer] : offers_) close_if_open(offer.object.descriptor);
}

bool Exchange::listen() {
    if (thread_.joinable()) return true;
    if (memory_ == nullptr) return false;
    std::array<uint8_t, ExchangeMemory::kNameBytes> name{};
    if (!fill_random(name.data(), name.size())) return false;
    socklen_t length = 0;
    const sockaddr_un address = address_of(name.data(), &length);
    listener_ = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    stop_ = eventfd(0, EFD_CLOEXEC);
    if (listener_ < 0 || stop_ < 0 ||
        bind(listener_, reinterpret_cast<const sockaddr*>(&address), length) != 0 ||
        ::listen(listener_, 64) != 0) {
        BF_LOG("worker", kWarn, "nothing can be shared with other processes: no socket (%s); raise ulimit -n",
               strerror(errno));
        close_if_open(listener_);
        close_if_open(stop_);
        listener_ = stop_ = -1;
        return false;
    }
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    thread_ = std::thread([this] { serve(); });
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    for (size_t i = 0; i < name.size(); ++i) memory_->names[slot_][i].store(name[i]);
    return true;
}

void Exchange::serve() {
    std::array<pollfd, 2> waited{{{listener_, POLLIN, 0}, {stop_, POLLIN, 0}}};
    while (poll(waited.data(), waited.size(), -1) >= 0 || errno == EINTR) {
        if (waited[1].revents != 0) return;
        const int connection = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
        if (connection < 0) {  // without descriptors it stays in the queue: not at once again
            poll(&waited[1], 1, kPauseMs);
            continue;
        }
        if (same_user(connection)) answer(connection);
        close(connection);
    }
}

void Exchange::answer(int connection) {
    set_patience(connection);
    Secret secret{};
    if (recv(connection, secret.data(), secret.size(), 0) != static_cast<ssize_t>(secret.size())) return;
    const std::optional<Object> object = find(secret);
    Answer answer{};
    if (object) answer = {1, object->kind, object->bytes, object->charge, object->raw};
    send_answer(connection, answer, object ? object->descriptor : -1);
    if (object) close_if_open(object->descriptor);
}

Exchange::Token Exchange::token_of(const Secret& secret) const {
    const TokenBody body{kMagic, static_cast<uint32_t>(slot_), secret, {}};
    Token token{};
    memcpy(token.data(), &body, sizeof body);
    return token;
}

std::optional<Exchange::Token> Exchange::offer(const Object& object, uint64_t source,
                                               std::shared_ptr<void> held) {
    Secret secret{};
    if (listen() && fill_random(secret.data(), secret.size())) {
        const std::lock_guard guard(lock_);
        if (offers_.size() < kMostOffers) {
            offers_[secret] = {object, source, std::move(held)};
            if (source != 0) by_source_[{object.kind, source}] = secret;
            return token_of(secret);
        }
    }
    close_if_open(object.descriptor);
    return std::nullopt;
}

std::optional<Exchange::Token> Exchange::offered(Kind kind, uint64_t source) const {
    const std::lock_guard guard(lock_);
    const auto found = by_source_.find({kind, source});
    if (found == by_source_.end()) return std::nullopt;
    return token_of(found->second);
}

void Exchange::withdraw(std::span<const uint8_t> token) {
    TokenBody body{};
    if (token.size() != sizeof body) return;
    memcpy(&body, token.data(), sizeof body);
    const std::lock_guard guard(lock_);
    const auto found = offers_.find(body.secret);
    if (found == offers_.end()) return;
    close_if_open(found->second.object.descriptor);
    by_source_.erase({found->second.object.kind, found->second.source});
    offers_.erase(found);
}

void Exchange::withdraw(Kind kind, uint64_t source) {
    if (const auto token = offered(kind, source)) withdraw(*token);
}

std::optional<Exchange::Object> Exchange::find(const Secret& secret) const {
    const std::lock_guard guard(lock_);
    const auto found = offers_.find(secret);
    if (found == offers_.end()) return std::nullopt;
    Object object = found->second.object;
    if (object.descriptor >= 0) {
        object.descriptor = fcntl(object.descriptor, F_DUPFD_CLOEXEC, 3);
        if (object.descriptor < 0) return std::nullopt;
    }
    return object;
}

std::optional<Exchange::Object> Exchange::ask_other(int slot, const Secret& secret) const {
    std::array<uint8_t, ExchangeMemory::kNameBytes> name{};
    for (size_t i = 0; i < name.size(); ++i) name[i] = memory_->names[slot][i].load();
    if (std::all_of(name.begin(), name.end(), [](uint8_t byte) { return byte == 0; })) return std::nullopt;
    socklen_t length = 0;
    const sockaddr_un address = address_of(name.data(), &length);
    const int connection = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (connection < 0) return std::nullopt;
    set_patience(connection);
    Answer answer{};
    Object object;
    const bool answered =
        connect(connection, reinterpret_cast<const sockaddr*>(&address), length) == 0 &&
        same_user(connection) &&
        send(connection, secret.data(), secret.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(secret.size()) &&
        receive_answer(connection, &answer, &object.descriptor) && answer.found == 1;
    close(connection);
    if (!answered) {
        close_if_open(object.descriptor);
        return std::nullopt;
    }
    object.kind = answer.kind;
    object.bytes = answer.bytes;
    object.charge = answer.charge;
    object.raw = answer.raw;
    return object;
}

std::optional<Exchange::Object> Exchange::ask(std::span<const uint8_t> token, Kind kind) {
    TokenBody body{};
    if (token.size() != sizeof body || memory_ == nullptr) return std::nullopt;
    memcpy(&body, token.data(), sizeof body);
    if (body.magic != kMagic || body.slot >= wire::Usage::kMostWorkers) return std::nullopt;
    auto object = static_cast<int>(body.slot) == slot_ ? find(body.secret)
                                                       : ask_other(static_cast<int>(body.slot), body.secret);
    if (object && object->kind == kind) return object;
    if (object) close_if_open(object->descriptor);
    return std::nullopt;
}

}  // namespace bitfusion::worker
