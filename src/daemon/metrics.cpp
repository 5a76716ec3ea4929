#include "daemon/metrics.h"

#include <cmath>
#include <functional>
#include <optional>
#include <vector>

namespace bitfusion::daemon {
namespace {

using Labels = std::vector<std::pair<const char*, std::string>>;

std::string escaped(const std::string& value) {
    std::string out;
    for (const char c : value) {
        if (c == '\\' || c == '"') out += '\\';
        if (c == '\n')
            out += "\\n";
        else
            out += c;
    }
    return out;
}

std::string number_text(double value) {
    if (value == std::floor(value) && std::fabs(value) < 1e15)
        return std::to_string(static_cast<int64_t>(value));
    char text[32];
    snprintf(text, sizeof text, "%.9g", value);
    return text;
}

class Page {
  public:
    void family(const char* name, const char* type, const char* help) {
        name_ = name;
        text_ += "# HELP " + name_ + " " + help + "\n# TYPE " + name_ + " " + type + "\n";
    }
    void sample(const Labels& labels, double value, const char* suffix = "") {
        text_ += name_ + suffix;
        for (size_t i = 0; i < labels.size(); ++i)
            text_ += (i == 0 ? "{" : ",") + std::string(labels[i].first) + "=\"" + escaped(labels[i].second) +
                     "\"";
        text_ += (labels.empty() ? " " : "} ") + number_text(value) + "\n";
    }
    void single(const char* name, const char* type, const char* help, double value) {
        family(name, type, help);
        sample({}, value);
    }
    std::string take() { return std::move(text_); }

  private:
    std::string text_;
    std::string name_;
};

std::optional<double> reading(const Gpu& gpu, const char* key) {
    const auto found = gpu.telemetry.find(key);
    if (found == gpu.telemetry.end() || !found->is_number()) return std::nullopt;
    return found->get<double>();
}

Labels labels_of(const MetricsView& view, const Gpu& gpu) {
    const auto pci = gpu.telemetry.find("pci");
    return {{"gpu", std::to_string(gpu.ordinal)},
            {"UUID", gpu.uuid},
            {"pci_bus_id", pci != gpu.telemetry.end() && pci->is_string() ? pci->get<std::string>() : ""},
            {"device", "nvidia" + std::to_string(gpu.ordinal)},
            {"modelName", gpu.name},
            {"Hostname", view.host}};
}

struct GpuFamily {
    const char* name;
    const char* help;
    std::function<std::optional<double>(const Gpu&)> value;
};

// Names and units as in DCGM's field identifiers (NVIDIA, "DCGM API Reference": field identifiers).
const std::vector<GpuFamily>& dcgm_families() {
    static const std::vector<GpuFamily> all = {
        {"DCGM_FI_DEV_GPU_TEMP", "GPU temperature (in C).",
         [](const Gpu& gpu) { return reading(gpu, "temperature_c"); }},
        {"DCGM_FI_DEV_POWER_USAGE", "Power draw (in W).",
         [](const Gpu& gpu) { return reading(gpu, "power_w"); }},
        {"DCGM_FI_DEV_POWER_MGMT_LIMIT", "Power limit in force (in W).",
         [](const Gpu& gpu) { return reading(gpu, "power_limit_w"); }},
        {"DCGM_FI_DEV_FAN_SPEED", "Fan speed (in %).",
         [](const Gpu& gpu) { return reading(gpu, "fan_percent"); }},
        {"DCGM_FI_DEV_GPU_UTIL", "GPU utilization (in %).",
         [](const Gpu& gpu) { return reading(gpu, "utilization_percent"); }},
        {"DCGM_FI_DEV_FB_TOTAL", "Framebuffer memory of the GPU (in MiB).",
         [](const Gpu& gpu) { return std::optional<double>(static_cast<double>(gpu.memory_mib)); }},
        {"DCGM_FI_DEV_FB_USED", "Framebuffer memory used (in MiB).",
         [](const Gpu& gpu) { return reading(gpu, "memory_used_mib"); }},
        {"DCGM_FI_DEV_FB_FREE", "Framebuffer memory free (in MiB).",
         [](const Gpu& gpu) -> std::optional<double> {
             const auto used = reading(gpu, "memory_used_mib");
             if (!used) return std::nullopt;
             return std::max(0.0, static_cast<double>(gpu.memory_mib) - *used);
         }},
        {"DCGM_FI_DEV_ECC_DBE_VOL_TOTAL", "Uncorrected volatile ECC errors.",
         [](const Gpu& gpu) { return reading(gpu, "ecc_errors"); }},
    };
    return all;
}

void put_gpus(const MetricsView& view, Page* page) {
    for (const GpuFamily& family : dcgm_families()) {
        bool begun = false;
        for (const Gpu& gpu : view.report.gpus) {
            const auto value = family.value(gpu);
            if (!value) continue;
            if (!begun) page->family(family.name, "gauge", family.help);
            begun = true;
            page->sample(labels_of(view, gpu), *value);
        }
    }
    if (view.report.gpus.empty()) return;
    // Labels of our own families are spelled as Prometheus advises.
    const auto ours = [](const Gpu& gpu) {
        return Labels{{"gpu", std::to_string(gpu.ordinal)}, {"uuid", gpu.uuid}, {"model", gpu.name}};
    };
    const auto use_of = [&](const Gpu& gpu) {
        const auto found = view.census.gpus.find(gpu.ordinal);
        return found == view.census.gpus.end() ? Census::GpuUse{} : found->second;
    };
    page->family("bitfusion_gpu_allocated_mebibytes", "gauge", "Memory of the GPU that is given to leases.");
    for (const Gpu& gpu : view.report.gpus)
        page->sample(ours(gpu), static_cast<double>(use_of(gpu).allocated_mib));
    page->family("bitfusion_gpu_partitions", "gauge", "Partitions on the GPU.");
    for (const Gpu& gpu : view.report.gpus)
        page->sample(ours(gpu), static_cast<double>(use_of(gpu).partitions));
}

void put_use(const MetricsView& view, Page* page) {
    const Census& census = view.census;
    page->single("bitfusion_gpus", "gauge", "GPUs of this server.",
                 static_cast<double>(view.report.gpus.size()));
    page->single("bitfusion_gpus_allocated", "gauge",
                 "GPUs given to leases; a partition counts as its fraction.", census.gpus_allocated);
    page->single("bitfusion_leases", "gauge", "Leases.", static_cast<double>(census.leases));
    page->single("bitfusion_sessions", "gauge", "Processes of clients that have a worker.",
                 static_cast<double>(census.sessions));
    if (census.waiting)
        page->single("bitfusion_queue_length", "gauge", "Requests that wait for GPUs.",
                     static_cast<double>(*census.waiting));
    if (!census.clients.empty()) {
        page->family("bitfusion_client_gpus_allocated", "gauge",
                     "GPUs given to a client; a partition counts as its fraction.");
        for (const auto& [client, gpus] : census.clients) page->sample({{"client", client}}, gpus);
    }
    page->single("bitfusion_received_bytes_total", "counter", "Bytes that workers received from programs.",
                 static_cast<double>(census.traffic.received_bytes));
    page->single("bitfusion_sent_bytes_total", "counter", "Bytes that workers sent to programs.",
                 static_cast<double>(census.traffic.sent_bytes));
    page->single("bitfusion_round_trips_total", "counter", "Calls of programs that waited for an answer.",
                 static_cast<double>(census.traffic.round_trips));
}

void put_pool(const PoolUse& use, Page* page) {
    page->single("bitfusion_pool_gpus", "gauge", "GPUs of all servers that are up.", use.gpus);
    page->single("bitfusion_pool_gpus_allocated", "gauge", "GPUs of all servers given to leases.",
                 use.gpus_allocated);
    page->single("bitfusion_pool_queue_length", "gauge", "Requests that wait in the pool.",
                 static_cast<double>(use.waiting));
}

void put_interfaces(const std::map<std::string, InterfaceBytes>& all, Page* page) {
    if (all.empty()) return;
    page->family("bitfusion_interface_received_bytes_total", "counter", "Bytes that an interface received.");
    for (const auto& [name, bytes] : all)
        page->sample({{"interface", name}}, static_cast<double>(bytes.received));
    page->family("bitfusion_interface_sent_bytes_total", "counter", "Bytes that an interface sent.");
    for (const auto& [name, bytes] : all)
        page->sample({{"interface", name}}, static_cast<double>(bytes.sent));
}

void put_attach_times(const AttachTimes& times, Page* page) {
    page->family("bitfusion_attach_seconds", "histogram",
                 "Time from a program's connection until a worker serves it.");
    for (size_t i = 0; i < AttachTimes::kBounds.size(); ++i)
        page->sample({{"le", number_text(AttachTimes::kBounds[i])}}, static_cast<double>(times.within(i)),
                     "_bucket");
    page->sample({{"le", "+Inf"}}, static_cast<double>(times.count()), "_bucket");
    page->sample({}, times.sum(), "_sum");
    page->sample({}, static_cast<double>(times.count()), "_count");
}

void put_counters(const Counters& counters, Page* page) {
    const auto put = [page](const char* name, const char* help, uint64_t value) {
        page->single(name, "counter", help, static_cast<double>(value));
    };
    put("bitfusion_leases_granted_total", "Leases granted.", counters.leases_granted);
    put("bitfusion_leases_refused_total", "Requests for leases refused.", counters.leases_refused);
    put("bitfusion_leases_ended_total", "Leases that ended.", counters.leases_ended);
    put("bitfusion_workers_started_total", "Workers started.", counters.workers_started);
    put("bitfusion_workers_failed_total", "Workers that failed.", counters.workers_failed);
    put("bitfusion_control_requests_total", "Requests on the control port.", counters.control_requests);
    page->family("bitfusion_rejected_connections_total", "counter",
                 "Connections that were closed or refused, by reason.");
    const std::pair<const char*, uint64_t> reasons[] = {
        {"control_malformed", counters.control_malformed}, {"control_timeout", counters.control_timeouts},
        {"control_overload", counters.control_overload},   {"hello_malformed", counters.hello_malformed},
        {"hello_timeout", counters.hello_timeouts},        {"hello_version", counters.hello_version},
        {"hello_ticket", counters.hello_ticket},           {"hello_busy", counters.hello_busy},
        {"hello_overload", counters.hello_overload}};
    for (const auto& [reason, count] : reasons)
        page->sample({{"reason", reason}}, static_cast<double>(count));
}

void put_health(const std::vector<health::Checked>& results, Page* page) {
    if (results.empty()) return;
    page->single("bitfusion_health", "gauge", "Health of this server: 0 pass, 1 marginal, 2 fatal.",
                 static_cast<double>(health::overall(results)));
    page->family("bitfusion_health_check", "gauge", "A check's verdict: 0 pass, 1 marginal, 2 fatal.");
    for (const health::Checked& result : results)
        page->sample({{"check", result.check->name}, {"counted", result.counted ? "true" : "false"}},
                     static_cast<double>(result.finding.verdict));
}

}  // namespace

std::string metrics_text(const MetricsView& view) {
    Page page;
    page.family("bitfusion_build_info", "gauge", "Version of this server; always 1.");
    page.sample({{"version", view.version},
                 {"backend", view.report.backend},
                 {"server", view.server},
                 {"pool", view.pool}},
                1);
    put_gpus(view, &page);
    put_use(view, &page);
    if (view.pool_use) put_pool(*view.pool_use, &page);
    put_interfaces(view.interfaces, &page);
    put_attach_times(view.counters.attach_times, &page);
    put_counters(view.counters, &page);
    put_health(view.health, &page);
    return page.take();
}

}  // namespace bitfusion::daemon
