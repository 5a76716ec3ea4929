#include "daemon/manager.h"

#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <boost/asio/post.hpp>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <memory>

#include "base/log.h"
#include "daemon/child.h"
#include "daemon/dispatcher.h"
#include "daemon/http_server.h"
#include "daemon/inventory.h"
#include "daemon/lease.h"
#include "daemon/look_routes.h"
#include "daemon/observer.h"
#include "daemon/probe.h"
#include "daemon/routes.h"

namespace bitfusion::daemon {
namespace {

constexpr auto kAnyAge = std::chrono::milliseconds(0);

void raise_open_files() {
    rlimit limit{};
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

// Complete or absent: written beside its place and renamed.
Status write_port_file(const std::string& path, const std::string& text) {
    const std::string beside = path + ".new";
    std::ofstream out(beside, std::ios::trunc);
    out << text;
    out.close();
    if (!out || rename(beside.c_str(), path.c_str()) != 0)
        return fail("cannot write " + path + ": " + strerror(errno) + "; choose another --port-file", errno);
    return {};
}

std::vector<std::string> inventory_arguments(const Settings& settings) {
    return {"bitfusion-worker",
            "--inventory",
            "--backend",
            settings.backend,
            "--software-gpus",
            std::to_string(settings.software_gpus),
            "--software-memory",
            std::to_string(settings.software_memory),
            "--software-capability",
            std::to_string(settings.software_capability)};
}

// <root>/lib/bitfusion/bitfusion-worker
std::string root_of(const std::string& worker) {
    std::string root = worker;
    for (int level = 0; level < 3; ++level) root.resize(std::min(root.size(), root.rfind('/')));
    return root;
}

class Manager {
  public:
    Manager(asio::io_context& io, const Settings& settings, const Installation& installation)
        : io_(io),
          settings_(settings),
          children_(io),
          inventory_(io, children_, installation.worker, inventory_arguments(settings)),
          leases_(io, children_, counters_, settings.auto_release_timeout),
          observer_(io, settings, inventory_, leases_, counters_, root_of(installation.worker)),
          probes_(io),
          look_(settings, inventory_, counters_, observer_, probes_, installation.version),
          api_(inventory_, leases_, counters_, look_, installation.version),
          control_(io, settings, api_, leases_, counters_),
          data_(io, settings, installation.worker, inventory_, leases_, counters_, probes_),
          signals_(io, SIGTERM, SIGINT) {}

    Status open() {
        auto control = control_.listen();
        if (!control) return tl::unexpected(control.error());
        auto data = data_.listen();
        if (!data) return tl::unexpected(data.error());
        control_port_ = *control;
        data_port_ = *data;
        api_.set_ports({control_port_, data_port_});
        look_.set_data_port(data_port_);
        signals_.async_wait([this](const boost::system::error_code& error, int number) {
            if (error) return;
            BF_LOG("daemon", kInfo, "signal %d: ending", number);
            asio::co_spawn(io_, shut_down(), asio::detached);
        });
        asio::co_spawn(io_, begin(), asio::detached);
        return {};
    }

    const Status& outcome() const { return outcome_; }

  private:
    Task<void> begin() {
        co_await inventory_.refresh(kAnyAge);
        api_.take_inventory();
        if (ending_) co_return;
        observer_.start([this] { api_.take_inventory(); });
        control_.start();
        data_.start();
        announce();
    }

    void announce() {
        const std::string control = settings_.listen + ":" + std::to_string(control_port_);
        const std::string data = settings_.listen + ":" + std::to_string(data_port_);
        if (!settings_.port_file.empty()) {
            outcome_ = write_port_file(settings_.port_file, "control=" + control + "\ndata=" + data + "\n");
            if (!outcome_) {
                asio::co_spawn(io_, shut_down(), asio::detached);
                return;
            }
        }
        const Report& report = inventory_.report();
        printf("bitfusion manager ready: control %s, data %s, %zu GPUs (%s)\n", control.c_str(), data.c_str(),
               report.gpus.size(), report.backend.empty() ? "no inventory" : report.backend.c_str());
        fflush(stdout);
        if (!report.error.empty())
            BF_LOG("daemon", kError, "no complete inventory: %s", report.error.c_str());
    }

    Task<void> shut_down() {
        if (ending_) co_return;
        ending_ = true;
        observer_.stop();
        control_.stop();
        data_.stop();
        co_await leases_.end_all("the manager ends");
        // Lets the connections that held a lease say so before the loop stops.
        co_await asio::post(io_, kNoThrow);
        io_.stop();
    }

    asio::io_context& io_;
    const Settings& settings_;
    Counters counters_;
    Children children_;
    Inventory inventory_;
    Leases leases_;
    Observer observer_;
    Probes probes_;
    LookApi look_;
    Api api_;
    HttpServer control_;
    Dispatcher data_;
    asio::signal_set signals_;
    uint16_t control_port_ = 0;
    uint16_t data_port_ = 0;
    bool ending_ = false;
    Status outcome_;
};

}  // namespace

Status run_manager(const Settings& settings, const Installation& installation) {
    signal(SIGPIPE, SIG_IGN);
    raise_open_files();
    if (access(installation.worker.c_str(), X_OK) != 0) {
        return fail("cannot run " + installation.worker + ": " + strerror(errno) +
                        "; install the complete bundle, bin and lib side by side",
                    errno);
    }
    if (settings.listen != "127.0.0.1") {
        BF_LOG("daemon", kWarn,
               "listening on %s without TLS: anyone who reaches ports of this address can use its GPUs",
               settings.listen.c_str());
    }
    // The manager outlives the io_context's queue: coroutines that are still suspended die with the queue
    // first.
    auto io = std::make_unique<asio::io_context>(1);
    Manager manager(*io, settings, installation);
    if (auto opened = manager.open(); !opened) return opened;
    io->run();
    return manager.outcome();
}

}  // namespace bitfusion::daemon
