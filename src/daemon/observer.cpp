#include "daemon/observer.h"

#include <fcntl.h>
#include <sys/file.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <fstream>
#include <nlohmann/json.hpp>

#include "base/log.h"
#include "daemon/dispatcher.h"
#include "daemon/interface_bytes.h"

namespace bitfusion::daemon {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr auto kChecksEvery = std::chrono::seconds(60);
// A driver that does not answer is not asked at every interval.
constexpr auto kPauseAfterError = std::chrono::seconds(60);
constexpr const char* kTogglesFile = "health.json";

// What the checks read is what GET /v1/server shows.
json inventory_document(const Report& report) {
    json gpus = json::array();
    for (const Gpu& gpu : report.gpus) {
        json one = gpu.telemetry;
        one["ordinal"] = gpu.ordinal;
        one["name"] = gpu.name;
        one["memory_mib"] = gpu.memory_mib;
        gpus.push_back(std::move(one));
    }
    json document = {{"backend", report.backend},
                     {"driver_version", report.driver_version},
                     {"cuda_version", report.cuda_version},
                     {"error", report.error},
                     {"gpus", std::move(gpus)}};
    if (report.management_gpus) document["management_gpus"] = *report.management_gpus;
    if (report.management_cuda_version) document["management_cuda_version"] = *report.management_cuda_version;
    return document;
}

Status write_whole(const fs::path& file, const std::string& text) {
    const fs::path beside = file.string() + ".new";
    std::ofstream out(beside, std::ios::trunc);
    out << text;
    out.close();
    if (!out || rename(beside.c_str(), file.c_str()) != 0)
        return fail(
            "cannot write " + file.string() + ": " + strerror(errno) + "; make room or check its owner",
            errno);
    return {};
}

}  // namespace

std::string name_part(const std::string& text) {
    std::string part = harmless(text, 64);
    std::replace_if(
        part.begin(), part.end(), [](char c) { return c == ' ' || c == '/'; }, '_');
    return part.empty() ? "_" : part;
}

Observer::Observer(asio::io_context& io, const Settings& settings, Inventory& inventory, Leases& leases,
                   const Counters& counters, std::string installation)
    : io_(io),
      settings_(settings),
      inventory_(inventory),
      leases_(leases),
      counters_(counters),
      installation_(std::move(installation)),
      pause_(io) {}

Status Observer::take_folder() {
    if (settings_.state_dir.empty())
        return fail("no folder for it was named; start the manager with --state-dir /var/lib/bitfusion");
    std::error_code error;
    fs::create_directories(settings_.state_dir, error);
    const fs::path lock = fs::path(settings_.state_dir) / "lock";
    lock_ = Descriptor(open(lock.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!lock_)
        return fail("cannot write in " + settings_.state_dir + ": " + strerror(errno) +
                    "; choose another --state-dir or change its owner");
    if (flock(lock_.get(), LOCK_EX | LOCK_NB) != 0) {
        lock_.close();
        return fail("another manager uses " + settings_.state_dir + "; give each one its own --state-dir");
    }
    folder_ = settings_.state_dir;
    return {};
}

void Observer::open_history() {
    auto opened = history::History::open(folder_ / "history", settings_.history_series);
    if (!opened) {
        history_error_ = opened.error().what;
        BF_LOG("daemon", kWarn, "no history is kept: %s", history_error_.c_str());
        return;
    }
    history_.emplace(std::move(*opened));
    history_error_.clear();
}

void Observer::start(std::function<void()> refreshed) {
    refreshed_ = std::move(refreshed);
    if (auto taken = take_folder(); !taken) {
        history_error_ = taken.error().what;
        if (!settings_.state_dir.empty())
            BF_LOG("daemon", kWarn, "no history is kept: %s", history_error_.c_str());
    } else {
        open_history();
        if (auto loaded = load_toggles(); !loaded) BF_LOG("daemon", kWarn, "%s", loaded.error().what.c_str());
    }
    asio::co_spawn(io_, watch(), asio::detached);
}

Task<void> Observer::watch() {
    const auto stopped = stopped_;
    for (;;) {
        record();
        check(kChecksEvery);
        const bool well = inventory_.report().error.empty();
        const Clock::duration pause =
            well ? interval() : std::max<Clock::duration>(interval(), kPauseAfterError);
        pause_.expires_after(pause);
        // A new interval ends the pause early.
        co_await pause_.async_wait(kNoThrow);
        if (*stopped) co_return;
        co_await inventory_.refresh(interval() / 2);
        refreshed_();
    }
}

void Observer::stop() {
    *stopped_ = true;
    pause_.cancel();
}

void Observer::set_interval(std::optional<std::chrono::seconds> interval) {
    if (interval == interval_) return;
    interval_ = interval;
    pause_.cancel();
}

void Observer::record() {
    if (!history_) return;
    const int64_t now = time(nullptr);
    const Census census = this->census();
    const auto put = [&](const std::string& name, double value) {
        const auto kept = history_->record(name, now, value);
        if (!kept && record_error_ != kept.error().what) {
            record_error_ = kept.error().what;
            BF_LOG("daemon", kWarn, "a measurement is not kept: %s", record_error_.c_str());
        }
    };
    for (const Gpu& gpu : inventory_.report().gpus) {
        const std::string prefix = "gpu/" + name_part(gpu.uuid) + "/";
        const auto use = census.gpus.find(gpu.ordinal);
        put(prefix + "memory_mib", static_cast<double>(gpu.memory_mib));
        put(prefix + "allocated_mib", static_cast<double>(use->second.allocated_mib));
        put(prefix + "partitions", static_cast<double>(use->second.partitions));
        for (const char* key :
             {"memory_used_mib", "utilization_percent", "temperature_c", "power_w", "ecc_errors"}) {
            const auto found = gpu.telemetry.find(key);
            if (found != gpu.telemetry.end() && found->is_number()) put(prefix + key, found->get<double>());
        }
    }
    put("server/gpus", static_cast<double>(inventory_.report().gpus.size()));
    put("server/gpus_allocated", census.gpus_allocated);
    put("server/leases", static_cast<double>(census.leases));
    put("server/sessions", static_cast<double>(census.sessions));
    if (census.waiting) put("server/waiting", static_cast<double>(*census.waiting));
    const auto use = pool_use();
    if (use) {
        put("pool/gpus", use->gpus);
        put("pool/gpus_allocated", use->gpus_allocated);
        put("pool/waiting", static_cast<double>(use->waiting));
    }
    for (const auto& [client, gpus] : use ? use->clients : census.clients)
        put("client/" + name_part(client) + "/gpus_allocated", gpus);
    record_network(now);
}

void Observer::record_network(int64_t now) {
    for (const auto& [name, bytes] : interface_bytes()) {
        const std::pair<const char*, uint64_t> directions[] = {{"rx", bytes.received}, {"tx", bytes.sent}};
        for (const auto& [direction, count] : directions) {
            const std::string series = "net/" + name_part(name) + "/" + direction + "_bytes_per_second";
            const auto at = Clock::now();
            const auto before = network_bytes_.find(series);
            if (before != network_bytes_.end() && count >= before->second.first) {
                const double seconds = std::chrono::duration<double>(at - before->second.second).count();
                if (seconds > 0) {
                    const auto kept = history_->record(
                        series, now, static_cast<double>(count - before->second.first) / seconds);
                    if (!kept) record_error_ = kept.error().what;
                }
            }
            network_bytes_[series] = {count, at};
        }
    }
}

Census Observer::census() const {
    Census census = take_census(leases_, inventory_.report(), counters_);
    if (queue_length_) census.waiting = queue_length_();
    return census;
}

health::Node Observer::node() const {
    health::Node node;
    node.side = health::Side::kServer;
    health::observe(&node);
    node.gpus = health::gpus_of(inventory_document(inventory_.report()));
    node.controllers = {{settings_.listen, ""}};  // itself: it answers whoever reads this
    node.installation = installation_;
    node.data_folder = folder_.empty() ? "/" : folder_.string();
    node.earlier_losses = losses_;
    if (fill_store_) fill_store_(&node.store);
    node.store.history_error = history_error_;
    if (history_) {
        node.store.history_series = history_->names().size();
        node.store.history_damaged = history_->damaged();
    }
    return node;
}

const std::vector<health::Checked>& Observer::check(std::chrono::seconds most_age) {
    if (!results_.empty() && Clock::now() - checked_ < most_age) return results_;
    const health::Node now = node();
    results_ = health::run_checks(now, off_);
    losses_ = health::losses(now.files);
    checked_ = Clock::now();
    return results_;
}

Status Observer::set_counted(const std::string& name, bool counted) {
    const auto& all = health::checks();
    if (std::none_of(all.begin(), all.end(), [&](const health::Check& check) { return name == check.name; }))
        return fail("no check has this name; list them with GET /v1/health", 404);
    std::set<std::string> next = off_;
    if (counted)
        next.erase(name);
    else
        next.insert(name);
    if (!folder_.empty()) {
        if (auto written = write_whole(folder_ / kTogglesFile, json{{"off", next}}.dump() + "\n"); !written)
            return tl::unexpected(Error{written.error().what, 503});
    }
    off_ = std::move(next);
    for (health::Checked& result : results_) result.counted = !off_.contains(result.check->name);
    return {};
}

Status Observer::load_toggles() {
    std::ifstream in(folder_ / kTogglesFile);
    if (!in) {
        off_.clear();
        return {};
    }
    const json root = json::parse(in, nullptr, false);
    const auto off = root.is_object() ? root.find("off") : root.end();
    if (!root.is_object() || off == root.end() || !off->is_array())
        return fail((folder_ / kTogglesFile).string() + " is damaged: every check counts; delete it");
    off_.clear();
    for (const json& name : *off) {
        if (name.is_string()) off_.insert(name.get<std::string>());
    }
    for (health::Checked& result : results_) result.counted = !off_.contains(result.check->name);
    return {};
}

Status Observer::replace_history(const std::function<Status(const fs::path&)>& change) {
    history_.reset();
    const Status changed = change(folder_ / "history");
    open_history();
    return changed;
}

}  // namespace bitfusion::daemon
