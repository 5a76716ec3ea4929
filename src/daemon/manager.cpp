#include "daemon/manager.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/asio/post.hpp>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>

#include "base/log.h"
#include "daemon/audit.h"
#include "daemon/child.h"
#include "daemon/console_files.h"
#include "daemon/control_tls.h"
#include "daemon/dispatcher.h"
#include "daemon/events.h"
#include "daemon/forward.h"
#include "daemon/gate.h"
#include "daemon/gpu_lock.h"
#include "daemon/history_source.h"
#include "daemon/http_server.h"
#include "daemon/init.h"
#include "daemon/inventory.h"
#include "daemon/lease.h"
#include "daemon/listen.h"
#include "daemon/log_book.h"
#include "daemon/look_routes.h"
#include "daemon/observer.h"
#include "daemon/peer.h"
#include "daemon/pool_watch.h"
#include "daemon/preferences.h"
#include "daemon/probe.h"
#include "daemon/routes.h"
#include "daemon/scheduler.h"
#include "daemon/sign_ins.h"
#include "store/open.h"

namespace bitfusion::daemon {
namespace {

constexpr auto kAnyAge = std::chrono::milliseconds(0);

constexpr rlim_t kFewOpenFiles = 4096;

void raise_open_files() {
    rlimit limit{};
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_max < kFewOpenFiles) {
        BF_LOG("daemon", kWarn,
               "at most %llu files can be open: connections may fail with \"cannot allocate memory\"; raise "
               "the limit: "
               "ulimit -n 4096 or more, or LimitNOFILE= of the service",
               static_cast<unsigned long long>(limit.rlim_max));
    }
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
            "--watch",
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

// What makes the server trusted; nothing of it where it is insecure.
struct Trust {
    std::optional<StateFolder> folder;
    std::optional<link::TlsServer> data;
    std::unique_ptr<asio::ssl::context> control;
    std::optional<identity::Registry> registry;
};

// The folder of a server that remembers nothing; it goes with the process.
class ScratchFolder {
  public:
    ScratchFolder() {
        std::error_code ignored;
        std::string path =
            (std::filesystem::temp_directory_path(ignored) / "bitfusion-manager-XXXXXX").string();
        if (mkdtemp(path.data()) != nullptr) path_ = path;
    }
    ScratchFolder(const ScratchFolder&) = delete;
    ScratchFolder& operator=(const ScratchFolder&) = delete;
    ~ScratchFolder() {
        std::error_code ignored;
        if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
    }
    const std::string& path() const { return path_; }

  private:
    std::string path_;
};

std::optional<PoolUse> use_of(const pool::Pool* pool) {
    if (pool == nullptr) return std::nullopt;
    PoolUse use;
    for (const pool::Server* server : pool->servers()) {
        if (pool->room(server->id).up) use.gpus += static_cast<double>(server->gpus.size());
    }
    for (const pool::Lease* lease : pool->leases()) {
        use.gpus_allocated += lease->share.gpus();
        const pool::Client* client = pool->client(lease->client);
        use.clients[client_label(client == nullptr ? "" : client->name)] += lease->share.gpus();
    }
    use.waiting = pool->waiting().size();
    return use;
}

// What the checks of the store look at: it answers, and knows the servers that this one sees.
void describe_store(store::Store& store, const Settings& settings, const pool::Pool* pool,
                    health::Store* found) {
    found->kind = settings.etcd.empty() ? "sqlite" : "etcd";
    found->members = found->voters = found->voters_wanted = std::max<size_t>(1, settings.etcd.size());
    const auto servers = store.read("pool/server/");
    if (!servers) {
        found->error = servers.error().what;
        found->quorum = servers.error().code != store::kUnreachable;
        return;
    }
    found->servers = servers->entries.size();
    found->servers_known = pool == nullptr ? found->servers : pool->servers().size();
}

class Manager {
  public:
    Manager(asio::io_context& io, const Settings& settings, const Installation& installation,
            store::Store& store, Trust trust, std::string server_id, std::unique_ptr<Peer> peer)
        : io_(io),
          settings_(settings),
          trust_(std::move(trust)),
          server_id_(std::move(server_id)),
          peer_(std::move(peer)),
          children_(io),
          inventory_(io, children_, installation.worker, inventory_arguments(settings)),
          scheduler_(io, store),
          forwarder_(peer_ ? std::make_unique<Forwarder>(io, scheduler_, *peer_) : nullptr),
          leases_(io, children_, counters_, scheduler_),
          observer_(io, settings, inventory_, leases_, counters_, root_of(installation.worker)),
          probes_(io),
          log_book_(io),
          events_(io),
          audit_(store),
          preferences_(store),
          keep_(store, scheduler_),
          console_(root_of(installation.worker) + "/share/bitfusion/console"),
          watch_(io, scheduler_, leases_, observer_, events_),
          gate_(trust_.registry ? &*trust_.registry : nullptr),
          sign_ins_(trust_.registry ? &*trust_.registry : nullptr),
          look_(settings, inventory_, counters_, observer_, probes_, installation.version),
          api_({inventory_, scheduler_, leases_, counters_, look_, gate_, sign_ins_, audit_, events_,
                log_book_, console_, preferences_, watch_, trust_.registry ? &*trust_.registry : nullptr,
                trust_.folder ? &*trust_.folder : nullptr, store, forwarder_.get(), installation.version}),
          control_(io, settings, trust_.control.get(), api_, leases_, counters_),
          data_(io, settings, installation.worker, inventory_, leases_, counters_, probes_, admission()),
          signals_(io, SIGTERM, SIGINT) {
        scheduler_.set_changed([this] {
            leases_.mirror();
            renew_data();
        });
        observer_.ask_queue([this] {
            const pool::Pool* pool = scheduler_.pool();
            return pool == nullptr ? std::nullopt : std::optional(pool->waiting().size());
        });
        observer_.ask_pool([this] { return use_of(scheduler_.pool()); });
        observer_.ask_store([this, &store](health::Store* found) {
            describe_store(store, settings_, scheduler_.pool(), found);
        });
        scheduler_.set_known([this] { return leases_.ids(); });
        look_.set_keep(&keep_);
    }

    Status open(const Cluster& cluster) {
        if (!settings_.prometheus.empty()) {
            auto source = HistorySource::open(io_, settings_, {server_id_, cluster.id});
            if (!source) return tl::unexpected(source.error());
            history_source_ = std::move(*source);
        }
        look_.set_place({server_id_, cluster.id, history_source_.get()});
        auto control = control_.listen();
        if (!control) return tl::unexpected(control.error());
        auto data = data_.listen();
        if (!data) return tl::unexpected(data.error());
        control_port_ = *control;
        data_port_ = *data;
        const bool any = settings_.listen == "0.0.0.0" || settings_.listen == "::";
        const std::string host = !settings_.advertise.empty() ? settings_.advertise
                                 : any                        ? server_name_of(settings_)
                                                              : settings_.listen;
        Member self;
        self.id = server_id_;
        self.name = server_name_of(settings_);
        self.control_address = address_text(host, control_port_);
        self.data_address = address_text(host, data_port_);
        if (trust_.data) self.pin = link::hex_of(trust_.data->pin().data(), trust_.data->pin().size());
        self.authority = trust_.folder && trust_.folder->authority();
        scheduler_.set_cluster(cluster, peer_.get());
        api_.set_place({control_port_, data_port_, settings_.advertise, self.pin, settings_.etcd});
        api_.set_renewed([this] { return renew(); });
        self_ = self;
        gate_.set_port(control_port_);
        look_.set_data_port(data_port_, self.pin);
        if (auto opened = scheduler_.open(self, settings_.auto_release_timeout); !opened) return opened;
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
    Dispatcher::Admission admission() {
        Dispatcher::Admission admission;
        if (trust_.data) admission.tls = &*trust_.data;
        if (trust_.registry) {
            admission.admitted = [this](const std::string& token) {
                return trust_.registry->still_admitted(token, time(nullptr));
            };
        }
        return admission;
    }

    Status lock_gpus() {
        if (inventory_.report().backend != "real") return {};
        std::vector<std::string> uuids;
        for (const Gpu& gpu : inventory_.report().gpus) uuids.push_back(gpu.uuid);
        return locks_.take(uuids);
    }

    // The control port's next connections have the new certificate. The data port's key is in the hands of
    // those who have leases: it changes when there is none.
    Status renew() {
        if (auto used = use_certificate(*trust_.control, *trust_.folder); !used) return used;
        renewed_ = true;
        renew_data();
        return {};
    }

    void renew_data() {
        if (!renewed_ || !leases_.all().empty()) return;
        auto next = link::TlsServer::open(trust_.folder->server_certificate(), trust_.folder->server_key());
        if (!next) {
            BF_LOG("daemon", kError, "%s", next.error().what.c_str());
            return;
        }
        renewed_ = false;
        *trust_.data = std::move(*next);
        self_.pin = link::hex_of(trust_.data->pin().data(), trust_.data->pin().size());
        api_.set_pin(self_.pin);
        look_.set_data_port(data_port_, self_.pin);
        if (auto told = scheduler_.set_self(self_); !told)
            BF_LOG("daemon", kError, "%s", told.error().what.c_str());
        BF_LOG("daemon", kInfo, "the data port has the new certificate's key");
    }

    Task<void> begin() {
        co_await inventory_.refresh(kAnyAge);
        outcome_ = lock_gpus();
        if (!outcome_) {
            asio::co_spawn(io_, shut_down(), asio::detached);
            co_return;
        }
        api_.take_inventory();
        leases_.mirror();
        if (ending_) co_return;
        observer_.start([this] {
            api_.take_inventory();
            api_.take_preferences();
        });
        api_.take_preferences();
        if (!observer_.folder().empty()) {
            if (auto kept = log_book_.keep_in(observer_.folder()); !kept)
                BF_LOG("daemon", kWarn, "%s", kept.error().what.c_str());
        }
        watch_.start();
        asio::co_spawn(io_, tell_of_logs(), asio::detached);
        control_.start();
        data_.start();
        announce();
    }

    void announce() {
        const std::string control = address_text(settings_.listen, control_port_);
        const std::string data = address_text(settings_.listen, data_port_);
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

    Task<void> tell_of_logs() {
        while (!ending_) {
            co_await log_book_.changed().wait();
            events_.publish(Topic::kLogs);
        }
    }

    Task<void> shut_down() {
        if (ending_) co_return;
        ending_ = true;
        events_.close();
        watch_.stop();
        observer_.stop();
        control_.stop();
        data_.stop();
        leases_.stop();
        api_.close();
        log_book_.changed().ring();
        co_await leases_.end_all("the manager ends");
        co_await scheduler_.leave();
        scheduler_.close();
        // Lets the connections that held a lease say so before the loop stops.
        co_await asio::post(io_, kNoThrow);
        io_.stop();
    }

    asio::io_context& io_;
    const Settings& settings_;
    Trust trust_;
    std::string server_id_;
    std::unique_ptr<Peer> peer_;  // null: this server is alone
    Counters counters_;
    GpuLocks locks_;
    Children children_;
    Inventory inventory_;
    Scheduler scheduler_;
    std::unique_ptr<Forwarder> forwarder_;
    Leases leases_;
    Observer observer_;
    Probes probes_;
    LogBook log_book_;
    Events events_;
    Audit audit_;
    Preferences preferences_;
    PoolKeep keep_;
    ConsoleFiles console_;
    PoolWatch watch_;
    Gate gate_;
    SignIns sign_ins_;
    std::unique_ptr<HistorySource> history_source_;  // null: the observer keeps the history
    LookApi look_;
    Api api_;
    HttpServer control_;
    Dispatcher data_;
    asio::signal_set signals_;
    uint16_t control_port_ = 0;
    uint16_t data_port_ = 0;
    Member self_;
    bool renewed_ = false;  // the data port still has the old key
    bool ending_ = false;
    Status outcome_;
};

// A server that others cannot reach may begin a pool by itself; any other must be told to, or it would take
// the place of a pool that it should join.
Status begin_pool(const Settings& settings, const StateFolder& folder) {
    if (folder.initialised()) return {};
    if (!settings.loopback()) {
        return fail("this server belongs to no pool yet (" + folder.path() +
                    " has no certificate): run 'bitfusion init' " +
                    "on the pool's first server once, or join a pool: bitfusion servers invite on one of its "
                    "servers, then here: bitfusion init --join ADDRESS --invitation FILE");
    }
    InitOptions options;
    options.client_dir = usual_client_folder();
    if (options.client_dir.empty() || access((options.client_dir + "/client.yaml").c_str(), F_OK) == 0) {
        options.client_dir = folder.file("admin");
    }
    auto done = initialise(settings, options);
    if (!done) return tl::unexpected(done.error());
    BF_LOG("daemon", kInfo, "a pool was begun in %s; its administrator's token is in %s",
           folder.path().c_str(), options.client_dir.c_str());
    return {};
}

Result<Trust> open_trust(const Settings& settings, const StateFolder& folder, store::Store& store) {
    Trust trust;
    if (settings.insecure) return trust;
    auto data = link::TlsServer::open(folder.server_certificate(), folder.server_key());
    if (!data) return tl::unexpected(data.error());
    auto control = open_control_tls(folder);
    if (!control) return tl::unexpected(control.error());
    auto registry = identity::Registry::open(store);
    if (!registry) return tl::unexpected(registry.error());
    trust.folder = folder;
    trust.data.emplace(std::move(*data));
    trust.control = std::move(*control);
    trust.registry = std::move(*registry);
    return trust;
}

// How this server finds the others of its pool; null where its store is its own.
Result<std::unique_ptr<Peer>> open_peer(asio::io_context& io, const Settings& settings, const Trust& trust) {
    if (settings.etcd.empty()) return nullptr;
    if (settings.advertise.empty() && (settings.listen == "0.0.0.0" || settings.listen == "::")) {
        return fail("servers that share an etcd must know each other's addresses, and " + settings.listen +
                    " is none; say under which address the others reach this server: --advertise ADDRESS");
    }
    if (!trust.folder) return Peer::make(io, "");
    const auto authority = trust.folder->read("ca.crt");
    if (!authority) return tl::unexpected(authority.error());
    return Peer::make(io, *authority);
}

}  // namespace

Status run_manager(const Settings& settings, const Installation& installation) {
    signal(SIGPIPE, SIG_IGN);
    umask(077);  // what is written here is keys and who has what
    raise_open_files();
    if (access(installation.worker.c_str(), X_OK) != 0) {
        return fail("cannot run " + installation.worker + ": " + strerror(errno) +
                        "; install the complete bundle, bin and lib side by side",
                    errno);
    }
    const bool scratch = settings.insecure && settings.state_dir.empty();
    const auto scratch_folder = scratch ? std::make_unique<ScratchFolder>() : nullptr;
    const StateFolder folder = scratch ? StateFolder(scratch_folder->path()) : state_folder_of(settings);
    if (settings.insecure) {
        BF_LOG("daemon", kWarn,
               "insecure: no TLS and no tokens; every user of this machine can use its GPUs and read what "
               "travels");
    } else if (auto begun = begin_pool(settings, folder); !begun) {
        return begun;
    }
    if (auto made = folder.make(); !made) return made;
    auto store = open_store(settings, folder.database());
    if (!store) return tl::unexpected(store.error());
    auto trust = open_trust(settings, folder, **store);
    if (!trust) return tl::unexpected(trust.error());
    const auto server_id = folder.server_id();
    if (!server_id) return tl::unexpected(server_id.error());
    // The manager outlives the io_context's queue: coroutines that are still suspended die with the queue
    // first.
    auto io = std::make_unique<asio::io_context>(1);
    Settings effective = settings;
    if (!scratch) effective.state_dir = folder.path();
    auto cluster = open_cluster(**store);
    if (!cluster) return tl::unexpected(cluster.error());
    if (const auto joined = folder.read(kPoolFile); joined && *joined != cluster->id) {
        return fail("this server joined the pool " + *joined + ", and its store is that of another pool, " +
                    cluster->id + "; give it the etcd of its pool (--etcd), or move " + folder.path() +
                    " away to join another");
    }
    auto peer = open_peer(*io, settings, *trust);
    if (!peer) return tl::unexpected(peer.error());
    Manager manager(*io, effective, installation, **store, std::move(*trust), *server_id, std::move(*peer));
    if (auto opened = manager.open(*cluster); !opened) return opened;
    io->run();
    return manager.outcome();
}

}  // namespace bitfusion::daemon
