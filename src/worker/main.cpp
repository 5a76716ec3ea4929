// bitfusion-worker: serves one client process, or tells the inventory of this host's GPUs.
//
// Started by the daemon with the client's connection on descriptor 3, the grant on 4 and the lease's usage
// counters on 5; further connections of the same client come over 6. It has no other connection, file or
// credential. With --inventory it prints one line and ends; with --inventory --watch it writes a line to
// descriptor 3 for each byte that it reads there, until the end.
#include <openssl/crypto.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <future>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "base/log.h"
#include "device/device.h"
#include "device/management.h"
#include "device/soft/load.h"
#include "device/soft/management.h"
#include "device/soft/soft_device.h"
#include "link/read_ahead.h"
#include "link/shm_meet.h"
#include "link/tls_record.h"
#include "wire/hello.h"
#include "worker/census.h"
#include "worker/grant.h"
#include "worker/inventory.h"
#include "worker/session.h"
#include "worker/traffic.h"

namespace bitfusion::worker {
namespace {

constexpr int kConnection = 3;
constexpr int kGrant = 4;
constexpr int kUsage = 5;
constexpr int kLanes = 6;
constexpr const char* kUsageText =
    "usage: bitfusion-worker --inventory [--watch] [--backend auto|soft|real] [--software-gpus N] "
    "[--software-memory "
    "BYTES] [--software-capability 89]\n"
    "       (without --inventory it is started by 'bitfusion manager' with a client's connection)\n";

Status open_driver(const Grant& grant, DriverTable* table) {
    if (grant.backend == "real") return open_driver_library(kDriverLibrary, table);
    soft::SoftOptions options;
    options.gpus = grant.software_gpus;
    options.memory_bytes = grant.software_memory;
    options.cc_major = static_cast<int>(grant.software_capability / 10);
    options.cc_minor = static_cast<int>(grant.software_capability % 10);
    options.launch_limit = std::chrono::seconds(grant.software_launch_limit);
    return soft::open_soft_device(options, table);
}

bool write_line(int descriptor, const std::string& text) {
    const std::string line = text + "\n";
    for (size_t at = 0; at < line.size();) {
        const ssize_t written = write(descriptor, line.data() + at, line.size() - at);
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) return false;
        at += static_cast<size_t>(written);
    }
    return true;
}

// Whether the daemon wants one more line.
bool is_asked() {
    char byte = 0;
    ssize_t got = 0;
    do {
        got = read(kConnection, &byte, 1);
    } while (got < 0 && errno == EINTR);
    return got == 1;
}

int tell_inventory(Grant grant, bool watch) {
    if (grant.backend == "auto") grant.backend = has_real_driver() ? "real" : "soft";
    DriverTable table;
    const Status opened = open_driver(grant, &table);
    Inventory inventory(table, grant.backend == "real");
    const auto text = [&] { return opened ? inventory.look() : failed_inventory(opened.error().what); };
    if (!watch) return write_line(STDOUT_FILENO, text()) && opened ? 0 : 1;
    while (is_asked()) {
        // Without a driver the next process tries again.
        if (!write_line(kConnection, text()) || !opened) return 1;
    }
    return 0;
}

LeaseMemory* map_lease_memory() {
    struct stat status {};
    if (fstat(kUsage, &status) != 0 || status.st_size < static_cast<off_t>(sizeof(LeaseMemory)))
        return nullptr;
    void* place = mmap(nullptr, sizeof(LeaseMemory), PROT_READ | PROT_WRITE, MAP_SHARED, kUsage, 0);
    return place == MAP_FAILED ? nullptr : static_cast<LeaseMemory*>(place);
}

// What the software GPUs' kernels report, under the lease's own numbers of the GPUs.
class LoadOfLease : public soft::LoadKeeper {
  public:
    LoadOfLease(Census* census, const std::vector<int>& devices) : census_(census), devices_(devices) {}
    void begin(int gpu) override { census_->begin_load(of_lease(gpu), monotonic_ns()); }
    void end(int gpu) override { census_->end_load(of_lease(gpu), monotonic_ns()); }
    unsigned busy_percent(int gpu) override { return census_->busy_percent(of_lease(gpu), monotonic_ns()); }

  private:
    int of_lease(int ordinal) const {
        const auto place = std::find(devices_.begin(), devices_.end(), ordinal);
        return place == devices_.end() ? -1 : static_cast<int>(place - devices_.begin());
    }

    Census* const census_;
    const std::vector<int> devices_;
};

// Starting NVML takes 10 to 20 ms. Whoever has a partition needs it with the first context, so that it starts
// beside the driver; others only when they ask for it.
Monitor::Open management_of(const Grant& grant) {
    if (grant.backend != "real")
        return [](ManagementTable* table) { return soft::open_soft_management(table); };
    const auto open = [] {
        ManagementTable table;
        Status opened = open_management_library(kManagementLibrary, &table);
        return std::pair(std::move(opened), table);
    };
    const auto when =
        grant.memory_mib != 0 ? std::launch::async | std::launch::deferred : std::launch::deferred;
    auto opening = std::make_shared<decltype(std::async(when, open))>(std::async(when, open));
    return [opening](ManagementTable* table) {
        auto [opened, filled] = opening->get();
        *table = filled;
        return opened;
    };
}

// Null: the session is served without being counted.
Traffic* map_traffic() {
    constexpr size_t kPage = 4096;
    void* page = mmap(nullptr, kPage, PROT_READ | PROT_WRITE, MAP_SHARED, kUsage, 0);
    if (page == MAP_FAILED) return nullptr;
    return reinterpret_cast<Traffic*>(static_cast<char*>(page) + kTrafficOffset);
}

// The daemon made the handshake; the worker goes on with the keys of this one connection.
Result<std::unique_ptr<link::Link>> open_connection(Grant* grant) {
    // The session's thread sends and receives.
    if (auto limited = link::limit_send(kConnection); !limited) return tl::unexpected<Error>(limited.error());
    if (grant->tls.empty()) return link::over_socket(kConnection);
    const auto state = link::tls_state_from_text(grant->tls);
    OPENSSL_cleanse(grant->tls.data(), grant->tls.size());
    grant->tls.clear();
    if (!state) return tl::unexpected<Error>(state.error());
    return link::over_tls(kConnection, *state);
}

// The link of the session: that connection, or memory that a client on this machine shares.
Result<std::unique_ptr<link::Link>> open_link(Grant* grant) {
    auto connection = open_connection(grant);
    if (!connection || (grant->capabilities & wire::kCapabilitySharedMemory) == 0) return connection;
    std::vector<std::string> folders = link::shm_folders();
    if (!grant->shared_folder.empty()) folders.insert(folders.begin(), grant->shared_folder);
    return link::offer_shm(std::move(*connection), folders);
}

int serve_client() {
    auto grant = read_grant(kGrant);
    if (!grant) {
        BF_LOG("worker", kError, "%s", grant.error().what.c_str());
        return 2;
    }
    // First, so that a client of this machine can choose its link while the driver starts.
    auto link = open_link(&*grant);
    if (!link) {
        BF_LOG("worker", kError, "%s", link.error().what.c_str());
        return 2;
    }
    const Monitor::Open management = management_of(*grant);
    DriverTable table;
    Status opened = open_driver(*grant, &table);
    if (!opened) {
        BF_LOG("worker", kError, "%s", opened.error().what.c_str());
        return 2;
    }
    if (const CUresult started = table.cuInit(0); started != CUDA_SUCCESS) {
        BF_LOG("worker", kError, "the driver does not start: error %d; look at 'nvidia-smi'", started);
        return 2;
    }
    // Captures of one thread of the client must not forbid calls of another: they all run on this thread.
    CUstreamCaptureMode mode = CU_STREAM_CAPTURE_MODE_RELAXED;
    if (table.cuThreadExchangeStreamCaptureMode != nullptr) table.cuThreadExchangeStreamCaptureMode(&mode);
    const std::string lease = grant->lease;
    LeaseMemory* const memory = map_lease_memory();
    Usage* const usage = memory != nullptr ? &memory->usage : nullptr;
    if (usage == nullptr && grant->memory_mib != 0) {
        BF_LOG("worker", kError,
               "the lease's usage counters cannot be mapped, so its partition could not be kept; nothing is "
               "served");
        return 2;
    }
    // Kernels that never end still report when the session is over: never destroyed.
    Census* const census = std::make_unique<Census>().release();
    census->join(memory != nullptr ? &memory->census : nullptr, static_cast<uint32_t>(getpid()),
                 grant->process, grant->program);
    soft::keep_load(std::make_unique<LoadOfLease>(census, grant->devices).release());
    const std::string backend = grant->backend;
    std::string why;
    {
        Traffic* const traffic = map_traffic();
        const int slot = grant->slot;
        Session session(table, std::move(*grant), counted(std::move(*link), traffic), usage);
        if (memory != nullptr) session.exchange = std::make_unique<Exchange>(&memory->exchange, slot);
        session.traffic = traffic;
        session.lane_copies.lanes.open_door(Descriptor(kLanes), [traffic](std::unique_ptr<link::Link> lane) {
            return counted(std::move(lane), traffic);
        });
        session.images.open(session.grant.image_cache, session.grant.image_cache_bytes);
        session.report_to(census);
        session.monitor.open_with(management);
        if (session.memory.partition() != 0 || backend == "soft") session.count_overhead();
        Status captured = session.printed.capture();
        if (!captured) BF_LOG("worker", kWarn, "%s", captured.error().what.c_str());
        why = session.run();
    }
    census->leave();
    BF_LOG("worker", kInfo, "the session of lease %s is over: %s", lease.c_str(), why.c_str());
    return 0;
}

int run(int argc, char** argv) {
    bool list = false;
    bool watch = false;
    Grant wanted;
    wanted.backend = "auto";
    for (int i = 1; i < argc; ++i) {
        const std::string_view word = argv[i];
        const char* value = i + 1 < argc ? argv[i + 1] : nullptr;
        if (word == "--inventory") {
            list = true;
        } else if (word == "--watch") {
            watch = true;
        } else if (value != nullptr && word == "--backend") {
            wanted.backend = argv[++i];
        } else if (value != nullptr && word == "--software-gpus") {
            wanted.software_gpus = atoi(argv[++i]);
        } else if (value != nullptr && word == "--software-memory") {
            wanted.software_memory = strtoull(argv[++i], nullptr, 10);
        } else if (value != nullptr && word == "--software-capability") {
            wanted.software_capability = static_cast<uint32_t>(strtoul(argv[++i], nullptr, 10));
        } else {
            fputs(kUsageText, stderr);
            return 2;
        }
    }
    if (list) return tell_inventory(wanted, watch);
    if (lseek(kGrant, 0, SEEK_CUR) < 0 && errno == EBADF) {
        fputs(kUsageText, stderr);
        return 2;
    }
    return serve_client();
}

}  // namespace
}  // namespace bitfusion::worker

int main(int argc, char** argv) {
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);  // a limit of file sizes makes the image cache fail, not the session
    signal(SIGINT, SIG_IGN);   // a Ctrl-C at the daemon's terminal is the daemon's to handle
    const int code = bitfusion::worker::run(argc, argv);
    // The process is over and with it everything of the client; the driver's exit handlers could still wait
    // for kernels that never end.
    fflush(stdout);
    _exit(code);
}
