#include "daemon/name_lookup.h"

#include <sys/socket.h>

#include <algorithm>
#include <csignal>

namespace bitfusion::daemon {
namespace {

using tcp = asio::ip::tcp;

// glibc tells of the end by a signal to the whole process or in a thread that it makes for that; the one
// disturbs the workers' parent and the other is a second thread. So it is looked at instead: often at first,
// for what /etc/hosts knows, then more seldom.
constexpr auto kFirstLook = std::chrono::milliseconds(1);
constexpr auto kLongestPause = std::chrono::milliseconds(64);

#if defined(__SANITIZE_THREAD__)
// ThreadSanitizer does not survive glibc's own threads: there the answer is waited for.
int begin(gaicb* question) {
    question->__return = getaddrinfo(question->ar_name, nullptr, question->ar_request, &question->ar_result);
    return 0;
}
#else
int begin(gaicb* question) {
    gaicb* list[] = {question};
    sigevent nothing{};
    nothing.sigev_notify = SIGEV_NONE;
    return getaddrinfo_a(GAI_NOWAIT, list, 1, &nothing);
}
#endif

int state(gaicb* question) { return gai_error(question); }

bool give_up(gaicb* question) { return gai_cancel(question) != EAI_NOTCANCELED; }

// The addresses of a list of getaddrinfo(3), without repetitions.
std::vector<tcp::endpoint> endpoints_in(const addrinfo* list, uint16_t port) {
    std::vector<tcp::endpoint> found;
    for (const addrinfo* one = list; one != nullptr; one = one->ai_next) {
        tcp::endpoint endpoint;
        if (one->ai_addrlen > endpoint.capacity()) continue;
        std::copy_n(reinterpret_cast<const char*>(one->ai_addr), one->ai_addrlen,
                    reinterpret_cast<char*>(endpoint.data()));
        endpoint.resize(one->ai_addrlen);
        endpoint.port(port);
        if (std::find(found.begin(), found.end(), endpoint) == found.end()) found.push_back(endpoint);
    }
    return found;
}

}  // namespace

const NameService& machine_names() {
    static const NameService glibc{begin, state, give_up};
    return glibc;
}

// One question, for all who wait for it.
class NameLookup::Question {
  public:
    Question(std::string host, const NameService& service)
        : service_(service), asked_(std::make_unique<Asked>()) {
        asked_->host = std::move(host);
        asked_->hints.ai_family = AF_UNSPEC;
        asked_->hints.ai_socktype = SOCK_STREAM;
        asked_->control.ar_name = asked_->host.c_str();
        asked_->control.ar_request = &asked_->hints;
    }
    Question(const Question&) = delete;
    Question& operator=(const Question&) = delete;
    ~Question() {
        if (!begun_) return;
        if (going_on() && !service_.give_up(&asked_->control)) {
            // glibc's thread still writes there, and will when we are gone: that memory is its own now.
            static_cast<void>(asked_.release());
            return;
        }
        if (asked_->control.ar_result != nullptr) freeaddrinfo(asked_->control.ar_result);
    }

    int begin() {
        const int error = service_.begin(&asked_->control);
        begun_ = error == 0;
        return error;
    }
    bool going_on() const { return service_.state(&asked_->control) == EAI_INPROGRESS; }
    int outcome() const { return service_.state(&asked_->control); }
    const addrinfo* answer() const { return asked_->control.ar_result; }

  private:
    // What glibc's thread reads and writes.
    struct Asked {
        gaicb control{};
        addrinfo hints{};
        std::string host;
    };

    NameService service_;
    std::unique_ptr<Asked> asked_;
    bool begun_ = false;
};

NameLookup::NameLookup(asio::io_context& io, const NameService& service) : io_(io), service_(service) {}
NameLookup::~NameLookup() = default;

size_t NameLookup::under_way() {
    // Who waits for an ended one holds it himself.
    std::erase_if(questions_, [](const auto& entry) { return !entry.second->going_on(); });
    return questions_.size();
}

Result<std::shared_ptr<NameLookup::Question>> NameLookup::question_for(const std::string& host) {
    const size_t others = under_way();
    const auto same = questions_.find(host);
    if (same != questions_.end()) return same->second;
    if (others >= kMostAtOnce)
        return fail("its name is not asked for, as " + std::to_string(others) +
                    " other names have no answer yet; look at this machine's name server");
    auto question = std::make_shared<Question>(host, service_);
    if (const int error = question->begin(); error != 0)
        return fail(std::string("its name cannot be asked for: ") + gai_strerror(error));
    questions_.emplace(host, question);
    return question;
}

Task<Result<std::vector<tcp::endpoint>>> NameLookup::endpoints(std::string host, uint16_t port,
                                                               Clock::time_point until) {
    boost::system::error_code no_address;
    const auto address = asio::ip::make_address(host, no_address);
    if (!no_address) co_return std::vector{tcp::endpoint(address, port)};
    const auto question = question_for(host);
    if (!question) co_return tl::unexpected<Error>(question.error());
    asio::steady_timer pause(io_);
    for (auto next = kFirstLook; (*question)->going_on(); next = std::min(next * 2, kLongestPause)) {
        const auto now = Clock::now();
        if (now >= until)
            co_return fail(
                "its name had no answer in time; look at this machine's name server, or give its "
                "address in numbers");
        pause.expires_at(std::min<Clock::time_point>(now + next, until));
        co_await pause.async_wait(kNoThrow);
    }
    if (const int error = (*question)->outcome(); error != 0)
        co_return fail(std::string("its name is not known: ") + gai_strerror(error));
    auto found = endpoints_in((*question)->answer(), port);
    if (found.empty()) co_return fail("its name has no address");
    co_return found;
}

}  // namespace bitfusion::daemon
