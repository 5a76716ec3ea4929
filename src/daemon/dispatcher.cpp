#include "daemon/dispatcher.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "base/log.h"
#include "daemon/listen.h"
#include "daemon/worker_words.h"
#include "link/lane_door.h"

namespace bitfusion::daemon {
namespace {

using tcp = asio::ip::tcp;

constexpr auto kHelloDeadline = std::chrono::seconds(5);
constexpr auto kTicketPatience = std::chrono::seconds(2);  // while the pool cannot be asked about a ticket
constexpr long kMostStrangers = 512;

struct WorkerStart {
    pid_t pid = 0;
    Descriptor grant;  // where to write the grant
    Descriptor words;  // where to read what it logs
    Descriptor door;   // where to pass lanes on
};

Result<WorkerStart> start_worker(const std::string& path, const Lease& lease, int socket) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0)
        return fail(std::string("cannot make a pipe: ") + strerror(errno) + "; raise ulimit -n", errno);
    const Descriptor reading(ends[0]);
    Descriptor writing(ends[1]);
    if (pipe2(ends, O_CLOEXEC) != 0)
        return fail(std::string("cannot make a pipe: ") + strerror(errno) + "; raise ulimit -n", errno);
    Descriptor words(ends[0]);
    const Descriptor speaking(ends[1]);
    auto door = link::make_lane_door();
    if (!door) return tl::unexpected(door.error());
    ChildPlan plan;
    plan.path = path;
    plan.arguments = {"bitfusion-worker"};
    plan.environment = child_environment();
    std::erase_if(plan.environment,
                  [](const std::string& entry) { return entry.starts_with("BITFUSION_LOG="); });
    plan.environment.push_back("BITFUSION_LOG=" + worker_log_levels(getenv("BITFUSION_LOG")));
    plan.errors = speaking.get();
    plan.descriptors = {socket, reading.get(), lease.usage.descriptor(), door->inside.get()};
    plan.legacy_layout = true;
    const auto pid = start_child(plan);
    if (!pid) return tl::unexpected(pid.error());
    return WorkerStart{*pid, std::move(writing), std::move(words), std::move(door->outside)};
}

// A grant is far smaller than a pipe's buffer, so one write takes it all or the worker is gone.
bool write_grant(const Descriptor& pipe, const std::string& text) {
    return write(pipe.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size());
}

}  // namespace

std::string harmless(const std::string& text, size_t most) {
    std::string out = text.substr(0, most);
    for (char& c : out) {
        if (c < 0x20 || c > 0x7e) c = '?';
    }
    return out;
}

std::string grant_text(const Lease& lease, const wire::Hello& hello, const Report& report,
                       const Settings& settings, const WorkerGrant& worker) {
    std::string devices;
    for (const pool::Part& part : lease.grant.parts)
        devices += (devices.empty() ? "" : ",") + std::to_string(part.ordinal);
    std::string text;
    const auto line = [&text](const char* key, const std::string& value) {
        text += std::string(key) + "=" + value + "\n";
    };
    line("backend", report.backend);
    line("devices", devices);
    line("memory_mib", std::to_string(lease.grant.partition_mib));
    line("software_gpus", std::to_string(settings.software_gpus));
    line("software_memory", std::to_string(settings.software_memory));
    line("software_capability", std::to_string(settings.software_capability));
    line("software_launch_limit", std::to_string(settings.software_launch_limit.count()));
    line("lease", lease.id);
    line("program", harmless(hello.program, 255));
    line("process", std::to_string(hello.process));
    line("capabilities", std::to_string(hello.capabilities));
    line("slot", std::to_string(worker.slot));
    line("mapped_memory", std::to_string(settings.mapped_memory));
    line("shared_folder", settings.shared_folder);
    line("image_cache", settings.state_dir.empty() ? "" : settings.state_dir + "/images");
    line("image_cache_bytes", std::to_string(settings.image_cache));
    line("tls", worker.keys);
    return text;
}

Dispatcher::Dispatcher(asio::io_context& io, const Settings& settings, std::string worker,
                       Inventory& inventory, Leases& leases, Counters& counters, Probes& probes,
                       Admission admission)
    : io_(io),
      settings_(settings),
      worker_(std::move(worker)),
      inventory_(inventory),
      leases_(leases),
      counters_(counters),
      probes_(probes),
      admission_(std::move(admission)),
      acceptor_(io),
      slots_(std::make_shared<int>(0)) {}

Result<uint16_t> Dispatcher::listen() {
    return open_listener(acceptor_, settings_.listen, settings_.data_port, "--data-port");
}

void Dispatcher::start() { asio::co_spawn(io_, accept(), asio::detached); }

void Dispatcher::stop() {
    boost::system::error_code ignored;
    acceptor_.close(ignored);
}

Task<void> Dispatcher::accept() {
    while (acceptor_.is_open()) {
        auto [error, socket] = co_await acceptor_.async_accept(kNoThrow);
        if (error) {
            if (!co_await accept_again(acceptor_, error, "data")) co_return;
            continue;
        }
        ++counters_.data_connections;
        if (slots_.use_count() > kMostStrangers) {
            ++counters_.hello_overload;
            BF_LOG("daemon", kInfo, "data connection closed: %ld others have not said hello yet",
                   slots_.use_count() - 1);
            continue;
        }
        asio::co_spawn(io_, serve(std::move(socket), slots_), asio::detached);
    }
}

Task<void> Dispatcher::refuse(DataConnection& connection, wire::Refusal refusal, std::string text) {
    wire::Welcome welcome;
    welcome.refusal = refusal;
    welcome.text = std::move(text);
    std::vector<uint8_t> bytes = wire::encode(welcome);
    co_await connection.write(std::move(bytes));
    boost::system::error_code ignored;
    connection.socket().shutdown(tcp::socket::shutdown_send, ignored);
}

Task<void> Dispatcher::serve(tcp::socket accepted, [[maybe_unused]] std::shared_ptr<void> slot) {
    const auto connection = std::make_shared<DataConnection>(std::move(accepted));
    const std::string peer = peer_text(connection->socket());
    const Clock::time_point connected = Clock::now();
    asio::steady_timer deadline(io_, kHelloDeadline);
    const auto late = std::make_shared<bool>(false);
    deadline.async_wait([connection, late](const boost::system::error_code& error) {
        if (error) return;
        *late = true;
        boost::system::error_code ignored;
        connection->socket().close(ignored);
    });
    const auto drop = [&](const std::string& why) {
        if (*late) {
            ++counters_.hello_timeouts;
            BF_LOG("daemon", kInfo, "data connection from %s closed: no hello within 5 s", peer.c_str());
        } else {
            ++counters_.hello_malformed;
            BF_LOG("daemon", kInfo, "data connection from %s closed: %s", peer.c_str(), why.c_str());
        }
    };

    const Status opened = co_await connection->open(admission_.tls);
    if (!opened) {
        drop(opened.error().what);
        co_return;
    }
    std::array<uint8_t, wire::kPrefixBytes> prefix_bytes{};
    const Status read_prefix = co_await connection->read(prefix_bytes.data(), prefix_bytes.size());
    if (!read_prefix) {
        drop("it ended before its hello (" + read_prefix.error().what + ")");
        co_return;
    }
    const auto prefix = wire::decode_prefix(prefix_bytes.data(), wire::kHelloMagic);
    if (!prefix) {
        drop("it does not speak the data protocol");
        co_return;
    }
    std::vector<uint8_t> body(prefix->body_bytes);
    const Status read_body = co_await connection->read(body.data(), body.size());
    if (!read_body) {
        drop("its hello is cut short (" + read_body.error().what + ")");
        co_return;
    }
    if (prefix->version != wire::kProtocolVersion) {
        ++counters_.hello_version;
        const std::string text = "the client speaks protocol version " + std::to_string(prefix->version) +
                                 ", this server " + std::to_string(wire::kProtocolVersion) +
                                 "; install the same release on both (see: bitfusion version)";
        BF_LOG("daemon", kInfo, "data connection from %s refused: %s", peer.c_str(), text.c_str());
        co_await refuse(*connection, wire::Refusal::kVersion, text);
        co_return;
    }
    const auto hello = wire::decode_hello(*prefix, body);
    if (!hello || (admission_.tls != nullptr && connection->has_unread())) {
        drop(hello ? "it did not wait for its welcome" : "its hello is cut short");
        co_return;
    }
    if (probes_.knows(hello->ticket) && !probes_.has_room()) {
        co_await refuse(*connection, wire::Refusal::kBusy,
                        "the server is measuring with others; try again in some seconds");
        co_return;
    }
    if (probes_.take(hello->ticket)) {
        deadline.cancel();
        co_await probes_.serve(connection);
        co_return;
    }
    LeasePointer lease = leases_.by_ticket(hello->ticket);
    if (!lease) {
        // Where another server schedules, it may have granted it a moment ago.
        co_await leases_.catch_up(kTicketPatience);
        lease = leases_.by_ticket(hello->ticket);
    }
    if (!lease) {
        ++counters_.hello_ticket;
        BF_LOG("daemon", kInfo, "data connection from %s refused: no lease has its ticket", peer.c_str());
        co_await refuse(
            *connection, wire::Refusal::kTicket,
            "no lease has this ticket: it ended or never was; start the program with: bitfusion run");
        co_return;
    }
    if (admission_.admitted && !lease->note.token.empty()) {
        const Status admitted = admission_.admitted(lease->note.token);
        if (!admitted) {
            ++counters_.hello_ticket;
            const std::string text = admitted.error().what;
            BF_LOG("daemon", kInfo, "data connection from %s refused: %s", peer.c_str(), text.c_str());
            co_await refuse(*connection, wire::Refusal::kTicket, text);
            co_return;
        }
    }
    if (hello->lane) {
        co_await admit_lane(*connection, lease, *hello, peer);
        co_return;
    }
    if (co_await admit(*connection, lease, *hello, peer))
        counters_.attach_times.add(std::chrono::duration<double>(Clock::now() - connected).count());
}

Task<bool> Dispatcher::admit(DataConnection& connection, LeasePointer lease, wire::Hello hello,
                             std::string peer) {
    const auto slot = lease->free_slot();
    if (!slot) {
        ++counters_.hello_busy;
        co_await refuse(connection, wire::Refusal::kBusy,
                        "the lease has its most processes, 256; end some of the program's processes");
        co_return false;
    }
    auto worker = start_worker(worker_, *lease, connection.socket().native_handle());
    if (!worker) {
        ++counters_.hello_busy;
        BF_LOG("daemon", kError, "lease %s: %s", lease->id.c_str(), worker.error().what.c_str());
        co_await refuse(
            connection, wire::Refusal::kBusy,
            "the server cannot start a worker; see its log: journalctl -u bitfusion-manager.service");
        co_return false;
    }
    const pid_t pid = worker->pid;
    leases_.add_worker(lease, pid, *slot);
    lease->doors[*slot] = std::move(worker->door);
    asio::co_spawn(io_, hear_worker(std::move(worker->words), pid), asio::detached);
    wire::Welcome welcome;
    welcome.capabilities = hello.capabilities & wire::kServerCapabilities;
    std::vector<uint8_t> bytes = wire::encode(welcome);
    const Status welcomed = co_await connection.write(std::move(bytes));
    const auto ours = released(connection);
    hello.capabilities = welcome.capabilities;
    WorkerGrant grant;
    grant.slot = *slot;
    grant.keys = connection.keys();
    if (!welcomed || !ours || lease->ending ||
        !write_grant(worker->grant, grant_text(*lease, hello, inventory_.report(), settings_, grant))) {
        BF_LOG("daemon", kInfo, "lease %s: %s went away while its worker %d started", lease->id.c_str(),
               peer.c_str(), static_cast<int>(pid));
        if (lease->workers.contains(pid)) kill(-pid, SIGTERM);
        co_return false;
    }
    BF_LOG("daemon", kInfo, "lease %s: worker %d for %s pid %u at %s", lease->id.c_str(),
           static_cast<int>(pid), harmless(hello.program, 255).c_str(), hello.process, peer.c_str());
    co_return true;
}

Result<Descriptor> Dispatcher::released(DataConnection& connection) {
    tcp::socket& socket = connection.socket();
    boost::system::error_code error;
    socket.set_option(tcp::no_delay(true), error);
    // Blocking mode belongs to the open socket, which the worker shares: set before it is told to begin.
    if (!error) socket.native_non_blocking(false, error);
    // Closing alone would leave the shared socket in the event queue; releasing takes it out.
    boost::system::error_code release_error;
    Descriptor ours(socket.release(release_error));
    if (error) return fail(error.message(), error.value());
    return ours;
}

Task<void> Dispatcher::admit_lane(DataConnection& connection, LeasePointer lease, wire::Hello hello,
                                  std::string peer) {
    wire::Welcome welcome;
    welcome.capabilities = hello.capabilities & wire::kServerCapabilities;
    std::vector<uint8_t> bytes = wire::encode(welcome);
    const Status welcomed = co_await connection.write(std::move(bytes));
    auto ours = released(connection);
    const auto door = lease->doors.find(static_cast<int>(hello.lane->worker));
    std::string why;
    if (!welcomed || !ours) {
        why = "it went away";
    } else if (lease->ending || door == lease->doors.end()) {
        why = "its session is over";
    } else {
        link::PassedLane lane;
        lane.connection = std::move(*ours);
        lane.secret = hello.lane->secret;
        lane.tls = connection.keys();
        const Status passed = link::pass_lane(door->second.get(), lane);
        if (!passed) why = passed.error().what;
    }
    if (why.empty()) co_return;
    ++counters_.hello_ticket;
    BF_LOG("daemon", kInfo, "lease %s: a lane from %s closed: %s", lease->id.c_str(), peer.c_str(),
           why.c_str());
}

}  // namespace bitfusion::daemon
