#include "daemon/listen.h"

#include "base/log.h"

namespace bitfusion::daemon {

using asio::ip::tcp;

Result<uint16_t> open_listener(tcp::acceptor& acceptor, const std::string& address, uint16_t port,
                               const char* flag) {
    boost::system::error_code error;
    const auto ip = asio::ip::make_address(address, error);
    const tcp::endpoint endpoint(ip, port);
    if (!error) acceptor.open(endpoint.protocol(), error);
    if (!error) acceptor.set_option(tcp::acceptor::reuse_address(true), error);
    if (!error) acceptor.bind(endpoint, error);
    if (!error) acceptor.listen(asio::socket_base::max_listen_connections, error);
    if (error) {
        return fail("cannot listen on " + address + ":" + std::to_string(port) + ": " + error.message() +
                        "; is another manager running? Choose another port with " + flag +
                        " or address with --listen",
                    error.value());
    }
    return acceptor.local_endpoint().port();
}

Task<bool> accept_again(tcp::acceptor& acceptor, boost::system::error_code error, const char* port) {
    if (!acceptor.is_open() || error == asio::error::operation_aborted) co_return false;
    BF_LOG("daemon", kWarn, "cannot accept on the %s port: %s; raise the limit of open files (ulimit -n)",
           port, error.message().c_str());
    asio::steady_timer pause(acceptor.get_executor(), std::chrono::milliseconds(100));
    co_await pause.async_wait(kNoThrow);
    co_return acceptor.is_open();
}

std::string address_text(const std::string& ip, uint16_t port) {
    const bool v6 = ip.find(':') != std::string::npos;
    return (v6 ? "[" + ip + "]" : ip) + ":" + std::to_string(port);
}

std::string peer_text(const tcp::socket& socket) {
    boost::system::error_code error;
    const auto endpoint = socket.remote_endpoint(error);
    if (error) return "?";
    return address_text(endpoint.address().to_string(), endpoint.port());
}

}  // namespace bitfusion::daemon
