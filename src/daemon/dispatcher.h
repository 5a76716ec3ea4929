// Dispatcher: the data port. Reads a connection's hello, finds the lease, starts a worker and hands the
// socket over.
//
// Nothing is trusted before the ticket matched: the hello is bounded and has a deadline, the number of
// strangers is bounded, and bytes that are not a hello cost the sender its connection and us one counter. A
// ticket admits only as long as the token with which its lease was asked for is good.
//
// What a worker gets (start_worker):
//   fd 3  the connected TCP socket, blocking, after Welcome has been sent
//   fd 4  a pipe with the grant: lines key=value until end of file. A worker must read it to its end before
//   it
//         touches fd 3; an empty grant means that the client was lost meanwhile, and the worker exits.
//   fd 5  the lease's usage memory (wire/usage.h)
//   fd 6  where further connections of its session come (link/lane_door.h)
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <functional>
#include <memory>
#include <string>

#include "daemon/async.h"
#include "daemon/counters.h"
#include "daemon/data_connection.h"
#include "daemon/inventory.h"
#include "daemon/lease.h"
#include "daemon/probe.h"
#include "daemon/settings.h"

namespace bitfusion::daemon {

class Dispatcher {
  public:
    using tcp = asio::ip::tcp;
    // Whether a token still admits data connections; unset: no tokens.
    using Admitted = std::function<Status(const std::string& token)>;
    struct Admission {
        const link::TlsServer* tls = nullptr;  // null: connections are not encrypted
        Admitted admitted;
    };

    Dispatcher(asio::io_context& io, const Settings& settings, std::string worker, Inventory& inventory,
               Leases& leases, Counters& counters, Probes& probes, Admission admission);

    Result<uint16_t> listen();  // the port
    void start();
    void stop();

  private:
    Task<void> accept();
    Task<void> serve(tcp::socket socket, std::shared_ptr<void> slot);
    Task<void> refuse(DataConnection& connection, wire::Refusal refusal, std::string text);
    // Whether a worker has the connection now.
    Task<bool> admit(DataConnection& connection, LeasePointer lease, wire::Hello hello, std::string peer);
    // A lane goes to the worker that its hello names; that worker knows the secret.
    Task<void> admit_lane(DataConnection& connection, LeasePointer lease, wire::Hello hello,
                          std::string peer);
    // Out of the event queue, and blocking: as a worker gets it.
    static Result<Descriptor> released(DataConnection& connection);

    asio::io_context& io_;
    const Settings& settings_;
    std::string worker_;
    Inventory& inventory_;
    Leases& leases_;
    Counters& counters_;
    Probes& probes_;
    Admission admission_;
    tcp::acceptor acceptor_;
    std::shared_ptr<void> slots_;  // each stranger holds a copy
};

// The text of fd 4. `program` comes from the peer and is made harmless first.
struct WorkerGrant {
    int slot = 0;
    std::string keys;  // of the connection
};
std::string grant_text(const Lease& lease, const wire::Hello& hello, const Report& report,
                       const Settings& settings, const WorkerGrant& worker = {});

// Printable ASCII, at most `most` bytes; anything else becomes '?'. For text of a peer in logs and lines.
std::string harmless(const std::string& text, size_t most);

}  // namespace bitfusion::daemon
