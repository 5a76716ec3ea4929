// Probe: the far end of `bitfusion net_perf`: data connections that are echoed instead of given to a worker.
//
// A probe is admitted by a ticket of its own, asked for over REST, good for one connection within 30 s. After
// Welcome the client sends messages, a length (u32, little endian, 1 to 1000000) and as many bytes; each
// comes back whole once it was received whole, so that a round trip is two transfers. Nothing is ever sent
// that was not received on the same connection, and a probe ends after 10 s, 1000 messages or 64 MB: it
// amplifies nothing and cannot keep the link busy. At most 4 at a time. The daemon's thread only.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <map>
#include <memory>
#include <optional>

#include "daemon/async.h"
#include "daemon/data_connection.h"
#include "wire/hello.h"

namespace bitfusion::daemon {

class Probes {
  public:
    using tcp = asio::ip::tcp;

    static constexpr size_t kMostMessageBytes = 1000000;
    static constexpr size_t kMostMessages = 1000;
    static constexpr size_t kMostBytes = 64000000;
    static constexpr size_t kMostTickets = 64;
    static constexpr long kMostAtOnce = 4;

    explicit Probes(asio::io_context& io) : io_(io), slots_(std::make_shared<int>(0)) {}

    // Nothing when too many tickets are out.
    std::optional<wire::Ticket> issue();
    bool knows(const wire::Ticket& ticket) const { return tickets_.contains(ticket); }
    // Whether it is one of ours and still good; it is used up then.
    bool take(const wire::Ticket& ticket);
    // Whether one more can be served now.
    bool has_room() const { return slots_.use_count() <= kMostAtOnce; }
    // Admits the connection and echoes until the client ends or a limit is reached.
    Task<void> serve(std::shared_ptr<DataConnection> connection);

  private:
    asio::io_context& io_;
    std::map<wire::Ticket, Clock::time_point> tickets_;  // until when they are good
    std::shared_ptr<void> slots_;                        // each probe holds a copy
};

}  // namespace bitfusion::daemon
