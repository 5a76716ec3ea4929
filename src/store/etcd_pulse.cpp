#include "store/etcd_pulse.h"

#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <deque>

namespace bitfusion::store {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;

constexpr auto kNoThrow = asio::as_tuple(asio::use_awaitable);

// Anything that a process of the other side has to say.
asio::awaitable<bool> answers(tcp::socket socket, std::string request) {
    const auto [write_error, sent] = co_await asio::async_write(socket, asio::buffer(request), kNoThrow);
    if (write_error) co_return false;
    std::array<char, 1> first{};
    const auto [error, got] = co_await socket.async_read_some(asio::buffer(first), kNoThrow);
    co_return !error;
}

// No request is needed: a handshake is made by the process, where a connection alone is made by its kernel.
asio::awaitable<bool> shakes_hands(tcp::socket socket, std::string host, asio::ssl::context& tls) {
    asio::ssl::stream<tcp::socket> secure(std::move(socket), tls);
    SSL_set_tlsext_host_name(secure.native_handle(), host.c_str());
    const auto [error] = co_await secure.async_handshake(asio::ssl::stream_base::client, kNoThrow);
    co_return !error;
}

asio::awaitable<void> ask(EtcdEndpoint endpoint, asio::ssl::context& tls, bool* alive) {
    tcp::socket socket(co_await asio::this_coro::executor);
    boost::system::error_code unknown;
    tcp::resolver resolver(socket.get_executor());
    const auto addresses = resolver.resolve(endpoint.host, endpoint.port, unknown);
    if (unknown) co_return;
    const auto [error, at] = co_await asio::async_connect(socket, addresses, kNoThrow);
    if (error) co_return;
    if (endpoint.tls) {
        *alive = co_await shakes_hands(std::move(socket), endpoint.host, tls);
        co_return;
    }
    *alive = co_await answers(std::move(socket), "GET /version HTTP/1.1\r\nHost: " + endpoint.host + ":" +
                                                     endpoint.port + "\r\nConnection: close\r\n\r\n");
}

}  // namespace

std::vector<bool> etcd_nodes_alive(const std::vector<EtcdEndpoint>& endpoints, asio::ssl::context& tls,
                                   std::chrono::milliseconds wait) {
    std::deque<bool> alive(endpoints.size(), false);
    asio::io_context io(1);  // its end is the end of those that have not answered
    for (size_t node = 0; node < endpoints.size(); ++node)
        asio::co_spawn(io, ask(endpoints[node], tls, &alive[node]), asio::detached);
    io.run_for(wait);
    return {alive.begin(), alive.end()};
}

}  // namespace bitfusion::store
