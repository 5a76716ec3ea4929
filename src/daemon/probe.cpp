#include "daemon/probe.h"

#include <array>
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

Task<void> Probes::serve(std::shared_ptr<DataConnection> kept) {
    const std::shared_ptr<void> slot = slots_;
    DataConnection& connection = *kept;
    tcp::socket& socket = connection.socket();
    asio::steady_timer deadline(io_, kProbeLife);
    deadline.async_wait([kept](const boost::system::error_code& error) {
        boost::system::error_code ignored;
        if (!error) kept->socket().close(ignored);
    });
    boost::system::error_code ignored;
    socket.set_option(tcp::no_delay(true), ignored);
    std::vector<uint8_t> welcome = wire::encode(wire::Welcome{});
    const Status welcomed = co_await connection.write(std::move(welcome));
    if (!welcomed) co_return;
    size_t total = 0;
    for (size_t count = 0; count < kMostMessages; ++count) {
        std::array<uint8_t, 4> head{};
        const Status head_read = co_await connection.read(head.data(), head.size());
        if (!head_read) co_return;
        const size_t length = head[0] | head[1] << 8 | head[2] << 16 | static_cast<size_t>(head[3]) << 24;
        total += length;
        if (length == 0 || length > kMostMessageBytes || total > kMostBytes) {
            BF_LOG("daemon", kInfo, "a probe ends: %zu bytes are more than it may send", length);
            break;
        }
        std::vector<uint8_t> message(length);
        const Status body_read = co_await connection.read(message.data(), length);
        if (!body_read) co_return;
        const Status written = co_await connection.write(std::move(message));
        if (!written) co_return;
    }
    socket.shutdown(tcp::socket::shutdown_send, ignored);
}

}  // namespace bitfusion::daemon
