#include "daemon/probe.h"

#include <array>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <vector>

#include "base/log.h"
#include "daemon/lease.h"

namespace bitfusion::daemon {
namespace {

constexpr auto kTicketLife = std::chrono::seconds(30);
constexpr auto kProbeLife = std::chrono::seconds(10);

}  // namespace

std::optional<wire::Ticket> Probes::issue() {
    const auto now = Clock::now();
    std::erase_if(tickets_, [now](const auto& entry) { return entry.second < now; });
    if (tickets_.size() >= kMostTickets) return std::nullopt;
    wire::Ticket ticket{};
    fill_random(ticket.data(), ticket.size());
    tickets_[ticket] = now + kTicketLife;
    return ticket;
}

// Guessing one of 2^256 is not helped by how long the look-up takes.
bool Probes::take(const wire::Ticket& ticket) {
    const auto found = tickets_.find(ticket);
    if (found == tickets_.end()) return false;
    const bool good = found->second >= Clock::now();
    tickets_.erase(found);
    return good;
}

Task<void> Probes::serve(std::shared_ptr<tcp::socket> socket) {
    const std::shared_ptr<void> slot = slots_;
    asio::steady_timer deadline(io_, kProbeLife);
    deadline.async_wait([socket](const boost::system::error_code& error) {
        boost::system::error_code ignored;
        if (!error) socket->close(ignored);
    });
    boost::system::error_code ignored;
    socket->set_option(tcp::no_delay(true), ignored);
    const std::vector<uint8_t> welcome = wire::encode(wire::Welcome{});
    if (const auto [error, sent] = co_await asio::async_write(*socket, asio::buffer(welcome), kNoThrow);
        error)
        co_return;
    std::vector<uint8_t> message;
    size_t total = 0;
    for (size_t count = 0; count < kMostMessages; ++count) {
        std::array<uint8_t, 4> head{};
        const auto [head_error, head_got] = co_await asio::async_read(*socket, asio::buffer(head), kNoThrow);
        if (head_error) co_return;
        const size_t length = head[0] | head[1] << 8 | head[2] << 16 | static_cast<size_t>(head[3]) << 24;
        total += length;
        if (length == 0 || length > kMostMessageBytes || total > kMostBytes) {
            BF_LOG("daemon", kInfo, "a probe ends: %zu bytes are more than it may send", length);
            break;
        }
        message.resize(length);
        const auto [error, got] = co_await asio::async_read(*socket, asio::buffer(message), kNoThrow);
        if (error) co_return;
        const auto [write_error, sent] = co_await asio::async_write(*socket, asio::buffer(message), kNoThrow);
        if (write_error) co_return;
    }
    socket->shutdown(tcp::socket::shutdown_send, ignored);
}

}  // namespace bitfusion::daemon
