// The worker's side of meeting in shared memory.
#include <fcntl.h>
#include <openssl/crypto.h>
#include <poll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <deque>
#include <string>

#include "base/log.h"
#include "link/file_rights.h"
#include "link/shm_link.h"
#include "link/shm_meet.h"

namespace bitfusion::link {
namespace {

// Others of this machine may connect; who is quiet makes way for who comes later.
constexpr size_t kMostStrangers = 8;

bool is_safe(const std::string& folder) {
    struct stat status {};
    if (stat(folder.c_str(), &status) != 0 || !S_ISDIR(status.st_mode)) return false;
    if (status.st_uid != 0 && status.st_uid != geteuid()) return false;
    return (status.st_mode & (S_IWGRP | S_IWOTH)) == 0 || (status.st_mode & S_ISVTX) != 0;
}

Descriptor listen_at(const sockaddr_un& where, size_t name_bytes) {
    Descriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name_bytes);
    if (!socket || bind(socket.get(), reinterpret_cast<const sockaddr*>(&where), size) != 0 ||
        listen(socket.get(), static_cast<int>(kMostStrangers)) != 0)
        return {};
    return socket;
}

class Meeting {
  public:
    Meeting(const ShmOffer& offer, const std::vector<std::string>& folders) : secret_(offer.secret) {
        const std::string name = shm_socket_name(offer.name);
        sockaddr_un where{};
        where.sun_family = AF_UNIX;
        name.copy(where.sun_path + 1, sizeof where.sun_path - 1);  // a leading zero: no file
        add(listen_at(where, 1 + name.size()));
        for (const std::string& folder : folders) {
            const std::string path = folder + "/" + name;
            if (path.size() >= sizeof where.sun_path || !is_safe(folder)) continue;
            where = {};
            where.sun_family = AF_UNIX;
            path.copy(where.sun_path, sizeof where.sun_path - 1);
            if (!add(listen_at(where, path.size() + 1))) continue;
            path_ = path;
            chmod(path.c_str(), 0666);  // a client in a container may be another user; the secret admits
            break;
        }
    }
    ~Meeting() { close_doors(); }
    Meeting(const Meeting&) = delete;
    Meeting& operator=(const Meeting&) = delete;

    bool open() const { return !doors_.empty(); }

    // Waits until the client has answered over `link`; serves who comes to the doors meanwhile.
    Result<uint8_t> wait_for_answer(Link* link) {
        bool woken = false;
        for (;;) {
            if (link->prepare_wait(woken)) {
                std::vector<pollfd> ready = {{link->wait_descriptor(), POLLIN, 0}};
                for (const Descriptor& door : doors_) ready.push_back({door.get(), POLLIN, 0});
                for (const Stranger& stranger : strangers_)
                    ready.push_back({stranger.socket.get(), POLLIN, 0});
                if (poll(ready.data(), ready.size(), -1) < 0 && errno != EINTR)
                    return fail(std::string("cannot wait for a client: ") + strerror(errno), errno);
                woken = true;
                serve(ready);
            }
            uint8_t answer = 0;
            const auto got = link->receive(&answer, 1, Wait::kNo);
            if (!got) return tl::unexpected<Error>(got.error());
            if (got->closed) return fail("the client has gone before it chose a link");
            if (got->bytes == 1) return answer;
        }
    }

    // Of the client that showed the secret.
    std::unique_ptr<Link> take_link() { return std::move(link_); }

  private:
    struct Stranger {
        Descriptor socket;
        ShmSecret said{};
        size_t bytes = 0;
    };

    bool add(Descriptor door) {
        if (!door) return false;
        doors_.push_back(std::move(door));
        return true;
    }

    void close_doors() {
        doors_.clear();
        strangers_.clear();
        if (!path_.empty()) unlink(path_.c_str());
        path_.clear();
    }

    void serve(const std::vector<pollfd>& ready) {
        const size_t first_stranger = 1 + doors_.size();
        std::deque<Stranger> kept;
        for (size_t i = 0; i < strangers_.size() && link_ == nullptr; ++i) {
            Stranger& stranger = strangers_[i];
            if (ready[first_stranger + i].revents == 0 || listen_to(&stranger))
                kept.push_back(std::move(stranger));
        }
        strangers_ = std::move(kept);
        if (link_ != nullptr) return close_doors();
        for (const Descriptor& door : doors_) {
            Descriptor socket(accept4(door.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
            if (!socket) continue;
            if (strangers_.size() == kMostStrangers) strangers_.pop_front();
            strangers_.push_back({std::move(socket), {}, 0});
        }
    }

    // False: nothing more is expected of it.
    bool listen_to(Stranger* stranger) {
        const ssize_t got = recv(stranger->socket.get(), stranger->said.data() + stranger->bytes,
                                 stranger->said.size() - stranger->bytes, MSG_DONTWAIT);
        if (got < 0) return errno == EAGAIN || errno == EINTR;
        if (got == 0) return false;
        stranger->bytes += static_cast<size_t>(got);
        if (stranger->bytes < stranger->said.size()) return true;
        if (CRYPTO_memcmp(stranger->said.data(), secret_.data(), secret_.size()) == 0)
            hand_over(std::move(stranger->socket));
        return false;
    }

    void hand_over(Descriptor socket) {
        auto memory = ShmMemory::make();
        auto room = socket_pair();
        auto files = socket_pair();
        if (!memory || !room || !files) {
            BF_LOG("link", kInfo, "no memory is shared: %s",
                   !memory ? memory.error().what.c_str() : "cannot make a socket pair; raise ulimit -n");
            return;
        }
        const std::array<int, 3> given = {memory->file(), room->first.get(), files->first.get()};
        if (!send_rights(socket.get(), kShmJoined, given)) return;
        link_ = over_shm(ShmSide::kWorker, std::move(*memory),
                         {std::move(socket), std::move(room->second), std::move(files->second)});
    }

    const ShmSecret secret_;
    std::vector<Descriptor> doors_;
    std::string path_;
    std::deque<Stranger> strangers_;
    std::unique_ptr<Link> link_;
};

}  // namespace

Result<std::unique_ptr<Link>> offer_shm(std::unique_ptr<Link> link, const std::vector<std::string>& folders) {
    ShmOffer offer;
    if (getrandom(offer.name.data(), offer.name.size(), 0) != static_cast<ssize_t>(offer.name.size()) ||
        getrandom(offer.secret.data(), offer.secret.size(), 0) != static_cast<ssize_t>(offer.secret.size()))
        return fail("the kernel gives no random bytes");
    Meeting meeting(offer, folders);
    if (!meeting.open()) offer.name = {};
    const iovec piece{&offer, sizeof offer};
    Status sent = link->send({&piece, 1});
    if (!sent) return tl::unexpected<Error>(sent.error());
    const auto answer = meeting.wait_for_answer(link.get());
    OPENSSL_cleanse(&offer, sizeof offer);
    if (!answer) return tl::unexpected<Error>(answer.error());
    if (*answer == kShmDeclined) return link;
    auto shared = meeting.take_link();
    if (*answer != kShmJoined || shared == nullptr)
        return fail("the client says that it shares memory, and does not", EPROTO);
    return shared;
}

}  // namespace bitfusion::link
