#include "daemon/history_source.h"

#include <gtest/gtest.h>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/write.hpp>
#include <ctime>
#include <filesystem>
#include <fstream>

namespace bitfusion::daemon {
namespace {

using tcp = asio::ip::tcp;

TEST(SourceAddress, IsTakenApart) {
    const auto plain = source_address("http://127.0.0.1:9090");
    ASSERT_TRUE(plain);
    EXPECT_FALSE(plain->tls);
    EXPECT_EQ(plain->authority, "127.0.0.1:9090");
    EXPECT_EQ(plain->path, "");
    EXPECT_TRUE(plain->loopback);
    const auto secure = source_address("https://metrics.example/select/0/prometheus/");
    ASSERT_TRUE(secure);
    EXPECT_TRUE(secure->tls);
    EXPECT_EQ(secure->authority, "metrics.example:443");
    EXPECT_EQ(secure->path, "/select/0/prometheus");
    EXPECT_FALSE(secure->loopback);
    EXPECT_EQ(source_address("http://[fd00::7]")->authority, "[fd00::7]:80");
    for (const char* wrong :
         {"", "10.0.0.9:9090", "ftp://a", "http://", "http:///x", "http://u:p@a", "http://a?x=1",
          "http://a#b", "http://a:", "http://a:0", "http://a:70000", "http://a:9x", "http://a b",
          "http://[fd00::7", "http://a\r\nHost: b", "http://a\\b"})
        EXPECT_FALSE(source_address(wrong)) << wrong;
}

// Answers every connection's first request with the same text, after which it closes.
class SourceTest : public testing::Test {
  protected:
    SourceTest() : acceptor_(io_, tcp::endpoint(asio::ip::address_v4::loopback(), 0)) {
        settings_.prometheus = "http://127.0.0.1:" + std::to_string(acceptor_.local_endpoint().port());
    }

    void answer(std::string text) { asio::co_spawn(io_, serve(std::move(text)), asio::detached); }
    void answer_json(const std::string& status, const std::string& body) {
        answer("HTTP/1.1 " + status + "\r\nContent-Type: application/json\r\nContent-Length: " +
               std::to_string(body.size()) + "\r\nConnection: close\r\n\r\n" + body);
    }

    Result<std::map<std::string, history::Range>> ranges() {
        auto source = HistorySource::open(io_, settings_, {"s-1", "p-1"});
        if (!source) return tl::unexpected(source.error());
        Result<std::map<std::string, history::Range>> found = fail("never");
        const int64_t now = time(nullptr);
        const std::vector<std::string> names = {"server/gpus"};
        asio::co_spawn(
            io_,
            [&, now]() -> Task<void> {
                found = co_await (*source)->ranges(names, now - 300, now, 100);
                acceptor_.close();
            },
            asio::detached);
        io_.run();
        return found;
    }

    asio::io_context io_;
    tcp::acceptor acceptor_;
    Settings settings_;
    std::string request_;

  private:
    Task<void> serve(std::string text) {
        auto [error, socket] = co_await acceptor_.async_accept(kNoThrow);
        if (error) co_return;
        const auto [read_error, size] =
            co_await asio::async_read_until(socket, asio::dynamic_buffer(request_), "step=", kNoThrow);
        if (!read_error) co_await asio::async_write(socket, asio::buffer(text), kNoThrow);
    }
};

TEST_F(SourceTest, ReadsWhatTheServerTells) {
    const int64_t step = time(nullptr) / 10 * 10;
    answer_json("200 OK",
                R"({"status":"success","data":{"resultType":"matrix","result":[{"metric":{},"values":[[)" +
                    std::to_string(step) + R"(,"2.5"]]}]}})");
    const auto found = ranges();
    ASSERT_TRUE(found) << found.error().what;
    ASSERT_EQ(found->size(), 1u);
    EXPECT_EQ(found->at("server/gpus").points.at(0).mean, 2.5);
    EXPECT_EQ(found->at("server/gpus").points.at(0).time, step - 10);
    EXPECT_TRUE(request_.starts_with("POST /api/v1/query_range HTTP/1.1\r\n")) << request_;
    EXPECT_EQ(request_.find("Authorization"), std::string::npos);
}

TEST_F(SourceTest, ErrorsSayWhoAndWhatToDo) {
    const struct {
        std::string answer;
        const char* said;
    } cases[] = {
        {"HTTP/1.1 422 No\r\nContent-Length: 40\r\n\r\n{\"status\":\"error\",\"error\":\"over budget\"}",
         "422: over budget"},
        {"HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n", "--prometheus-token-file"},
        {"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n", "status 302"},
        {"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n<a/>", "as no Prometheus-compatible server does"},
        {"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n", "body limit"},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n", "cannot reach server"},
        {"SSH-2.0-OpenSSH_9.2\r\n", "cannot reach server"},
        {"", "cannot reach server"}};
    for (const auto& one : cases) {
        io_.restart();
        acceptor_ = tcp::acceptor(io_, tcp::endpoint(asio::ip::address_v4::loopback(), 0));
        settings_.prometheus = "http://127.0.0.1:" + std::to_string(acceptor_.local_endpoint().port());
        answer(one.answer);
        const auto found = ranges();
        ASSERT_FALSE(found) << one.answer;
        EXPECT_EQ(found.error().code, 503);
        EXPECT_NE(found.error().what.find(one.said), std::string::npos) << found.error().what;
        EXPECT_NE(found.error().what.find(settings_.prometheus), std::string::npos) << found.error().what;
    }
}

TEST_F(SourceTest, AServerThatIsNotThereIsSaid) {
    acceptor_.close();
    const auto found = ranges();
    ASSERT_FALSE(found);
    EXPECT_NE(found.error().what.find("check that it runs"), std::string::npos) << found.error().what;
}

TEST_F(SourceTest, ATokenIsShownAndNeverInClearOverTheNetwork) {
    const auto file =
        std::filesystem::temp_directory_path() / ("bitfusion-source-token-" + std::to_string(getpid()));
    std::ofstream(file) << "tell-me\n";
    settings_.prometheus_token_file = file;
    answer("HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n");
    EXPECT_FALSE(ranges());
    EXPECT_NE(request_.find("\r\nAuthorization: Bearer tell-me\r\n"), std::string::npos) << request_;
    settings_.prometheus = "http://192.0.2.1:9090";
    const auto refused = HistorySource::open(io_, settings_, {});
    ASSERT_FALSE(refused);
    EXPECT_NE(refused.error().what.find("in clear"), std::string::npos);
    settings_.prometheus = "https://192.0.2.1:9090";
    EXPECT_TRUE(HistorySource::open(io_, settings_, {}));
    std::ofstream(file) << "two words\n";
    EXPECT_FALSE(HistorySource::open(io_, settings_, {}));
    settings_.prometheus_token_file = file.string() + ".none";
    EXPECT_FALSE(HistorySource::open(io_, settings_, {}));
    std::filesystem::remove(file);
}

TEST_F(SourceTest, AnAuthorityMustBeOne) {
    const auto file =
        std::filesystem::temp_directory_path() / ("bitfusion-source-ca-" + std::to_string(getpid()));
    std::ofstream(file) << "no certificate\n";
    settings_.prometheus = "https://127.0.0.1:1";
    settings_.prometheus_ca_file = file;
    const auto opened = HistorySource::open(io_, settings_, {});
    ASSERT_FALSE(opened);
    EXPECT_NE(opened.error().what.find("--prometheus-ca-file"), std::string::npos) << opened.error().what;
    std::filesystem::remove(file);
}

}  // namespace
}  // namespace bitfusion::daemon
