// What becomes of a request while nodes of etcd hang: real sockets, and nodes that say what the test wants.
#include "store/etcd_pulse.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <list>
#include <mutex>
#include <string>
#include <thread>

#include "base/descriptor.h"
#include "store/etcd_http.h"

namespace bitfusion::store {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

// Takes connections, as the kernel does for a process that hangs.
class SilentNode {
  public:
    SilentNode() : listener_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof address;
        EXPECT_EQ(bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
        EXPECT_EQ(listen(listener_.get(), 16), 0);
        EXPECT_EQ(getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
        port_ = ntohs(address.sin_port);
    }
    std::string url(const std::string& scheme = "http") const {
        return scheme + "://127.0.0.1:" + std::to_string(port_);
    }
    int listener() const { return listener_.get(); }

  private:
    Descriptor listener_;
    uint16_t port_ = 0;
};

// One that is alive: it says its version, and answers requests when the test lets it.
class LivingNode : public SilentNode {
  public:
    // `busy`: requests are answered only after the version was asked for.
    explicit LivingNode(bool busy) : busy_(busy), accepting_([this] { accept_all(); }) {}
    ~LivingNode() {
        stop();
        shutdown(listener(), SHUT_RDWR);
        accepting_.join();
        for (std::thread& one : serving_) one.join();
    }
    LivingNode(const LivingNode&) = delete;
    LivingNode& operator=(const LivingNode&) = delete;

    int requests() const { return requests_; }
    int versions() const { return versions_; }

  private:
    void stop() {
        const std::lock_guard lock(mutex_);
        over_ = true;
        changed_.notify_all();
        for (const int one : open_) shutdown(one, SHUT_RDWR);
    }
    void accept_all() {
        for (;;) {
            const int connection = accept4(listener(), nullptr, nullptr, SOCK_CLOEXEC);
            if (connection < 0) return;
            const std::lock_guard lock(mutex_);
            if (over_) {
                close(connection);
                return;
            }
            open_.push_back(connection);
            serving_.emplace_back([this, connection] { serve(Descriptor(connection)); });
        }
    }
    void serve(Descriptor connection) {
        char text[4096];
        for (;;) {
            const ssize_t got = recv(connection.get(), text, sizeof text, 0);
            if (got <= 0) break;
            const bool version = std::string(text, static_cast<size_t>(got)).starts_with("GET /version ");
            std::unique_lock lock(mutex_);
            ++(version ? versions_ : requests_);
            changed_.notify_all();
            changed_.wait(lock, [&] { return over_ || version || !busy_ || versions_ > 0; });
            const std::string answer =
                "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}";
            if (send(connection.get(), answer.data(), answer.size(), MSG_NOSIGNAL) < 0) break;
        }
        const std::lock_guard lock(mutex_);
        std::erase(open_, connection.get());
    }

    const bool busy_;
    std::atomic<int> requests_ = 0;
    std::atomic<int> versions_ = 0;
    std::mutex mutex_;
    std::condition_variable changed_;
    bool over_ = false;
    std::vector<int> open_;
    std::list<std::thread> serving_;
    std::thread accepting_;
};

std::unique_ptr<EtcdHttp> http_to(const std::vector<std::string>& urls, std::chrono::seconds timeout) {
    EtcdOptions options;
    options.endpoints = urls;
    options.timeout = timeout;
    return EtcdHttp::make(options).value();
}

TEST(EtcdPulse, ToldApartAreTheLivingTheSilentAndTheDead) {
    const SilentNode silent;
    const LivingNode living(false);
    std::vector<EtcdEndpoint> endpoints;
    for (const std::string& url :
         {silent.url(), living.url(), std::string("http://127.0.0.1:1"), silent.url("https")})
        endpoints.push_back(parse_etcd_endpoint(url).value());
    boost::asio::ssl::context tls(boost::asio::ssl::context::tls_client);
    EXPECT_EQ(etcd_nodes_alive(endpoints, tls, 2s), (std::vector<bool>{false, true, false, false}));
    EXPECT_EQ(living.requests(), 0);
}

TEST(EtcdPulse, NodesThatHangAreNotWaitedForOneAfterTheOther) {
    const SilentNode nodes[3];
    const auto http = http_to({nodes[0].url(), nodes[1].url(), nodes[2].url("https")}, 60s);
    for (const bool once : {false, true}) {
        const auto begun = Clock::now();
        const auto answer = http->post("/v3/kv/range", nlohmann::json::object(), once);
        ASSERT_FALSE(answer);
        EXPECT_EQ(answer.error().code, kUnreachable);
        EXPECT_LT(Clock::now() - begun, 30s) << "one of them would have had 60";
    }
}

TEST(EtcdPulse, ANodeThatHangsIsPassedOverForOneThatLives) {
    const SilentNode silent;
    const LivingNode living(false);
    const auto http = http_to({silent.url(), living.url()}, 60s);
    EXPECT_TRUE(http->post("/v3/kv/range", nlohmann::json::object(), false));
    EXPECT_EQ(living.requests(), 1);
}

TEST(EtcdPulse, ANodeThatIsBusyIsWaitedFor) {
    const LivingNode busy(true);
    const auto http = http_to({busy.url()}, 60s);
    EXPECT_TRUE(http->post("/v3/kv/txn", nlohmann::json::object(), true));
    EXPECT_EQ(busy.requests(), 1) << "it was not sent twice";
    EXPECT_EQ(busy.versions(), 1);
}

}  // namespace
}  // namespace bitfusion::store
