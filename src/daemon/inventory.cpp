#include "daemon/inventory.h"

#include <array>
#include <set>

#include "base/descriptor.h"
#include "base/log.h"

namespace bitfusion::daemon {
namespace {

using nlohmann::json;

constexpr size_t kMostGpus = 64;
constexpr size_t kMostTextBytes = 256;
constexpr uint64_t kMostMemoryMib = UINT64_C(1) << 40;

const std::array<const char*, 15> kTelemetry = {"memory_used_mib",
                                                "capability",
                                                "pci",
                                                "temperature_c",
                                                "fan_percent",
                                                "power_w",
                                                "power_limit_w",
                                                "utilization_percent",
                                                "performance_state",
                                                "persistence",
                                                "ecc_errors",
                                                "compute_mode",
                                                "mig",
                                                "memory_operations",
                                                "peers"};

Result<std::string> text_of(const json& object, const char* key, bool required) {
    const auto found = object.find(key);
    if (found == object.end() || found->is_null()) {
        if (required) return fail(std::string("has no ") + key);
        return std::string();
    }
    if (!found->is_string() || found->get_ref<const std::string&>().size() > kMostTextBytes)
        return fail(std::string("has no short text as ") + key);
    return found->get<std::string>();
}

Result<Gpu> gpu_of(const json& object) {
    if (!object.is_object()) return fail("has a GPU that is not an object");
    Gpu gpu;
    const auto ordinal = object.find("ordinal");
    const auto memory = object.find("memory_mib");
    if (ordinal == object.end() || !ordinal->is_number_unsigned() || ordinal->get<uint64_t>() >= kMostGpus)
        return fail("has a GPU without an ordinal below 64");
    if (memory == object.end() || !memory->is_number_unsigned() || memory->get<uint64_t>() > kMostMemoryMib ||
        memory->get<uint64_t>() == 0) {
        return fail("has a GPU without memory_mib");
    }
    gpu.ordinal = ordinal->get<uint32_t>();
    gpu.memory_mib = memory->get<uint64_t>();
    auto uuid = text_of(object, "uuid", true);
    if (!uuid) return tl::unexpected(uuid.error());
    auto name = text_of(object, "name", true);
    if (!name) return tl::unexpected(name.error());
    gpu.uuid = std::move(*uuid);
    gpu.name = std::move(*name);
    gpu.telemetry = json::object();
    for (const char* key : kTelemetry) {
        const auto found = object.find(key);
        if (found == object.end()) continue;
        const bool short_text =
            found->is_string() && found->get_ref<const std::string&>().size() <= kMostTextBytes;
        if (found->is_null() || found->is_number() || found->is_boolean() || short_text)
            gpu.telemetry[key] = *found;
    }
    return gpu;
}

}  // namespace

Result<Report> parse_report(const std::string& text) {
    const auto wrong = [](const std::string& what) {
        return fail("the inventory of bitfusion-worker " + what +
                    "; check that both are of one installation");
    };
    const json root = json::parse(text, nullptr, false);
    if (!root.is_object()) return wrong("is not a JSON object");
    Report report;
    auto backend = text_of(root, "backend", false);
    auto driver = text_of(root, "driver_version", false);
    auto error = text_of(root, "error", false);
    if (!driver || !error) return wrong("has a driver_version or error that is not a short text");
    // A worker that could not open any driver names none, and says why.
    if (!backend || (*backend != "soft" && *backend != "real" && (!backend->empty() || error->empty())))
        return wrong("names no backend soft or real");
    report.backend = *backend;
    report.driver_version = *driver;
    report.error = *error;
    const auto cuda = root.find("cuda_version");
    if (cuda != root.end() && cuda->is_number_integer()) report.cuda_version = cuda->get<int64_t>();
    const auto management = root.find("management_gpus");
    if (management != root.end() && management->is_number_integer())
        report.management_gpus = management->get<int64_t>();
    const auto management_cuda = root.find("management_cuda_version");
    if (management_cuda != root.end() && management_cuda->is_number_integer())
        report.management_cuda_version = management_cuda->get<int64_t>();
    const auto gpus = root.find("gpus");
    if (gpus == root.end() || !gpus->is_array() || gpus->size() > kMostGpus)
        return wrong("has no list of at most 64 GPUs");
    if (report.backend.empty() && !gpus->empty()) return wrong("has GPUs of no backend");
    std::set<uint32_t> seen;
    for (const json& object : *gpus) {
        auto gpu = gpu_of(object);
        if (!gpu) return wrong(gpu.error().what);
        if (!seen.insert(gpu->ordinal).second) return wrong("names an ordinal twice");
        report.gpus.push_back(std::move(*gpu));
    }
    return report;
}

Inventory::Inventory(asio::io_context& io, Children& children, std::string worker,
                     std::vector<std::string> arguments)
    : watcher_(io, children, std::move(worker), std::move(arguments)), done_(io) {}

Task<void> Inventory::refresh(std::chrono::milliseconds most_age) {
    if (running_) {
        while (running_) co_await done_.wait();
        co_return;
    }
    if (taken_ != Clock::time_point::min() && Clock::now() - taken_ < most_age) co_return;
    running_ = true;
    Result<Report> fresh = co_await run();
    running_ = false;
    taken_ = Clock::now();
    if (fresh) {
        report_ = std::move(*fresh);
    } else {
        report_.error = fresh.error().what;
        BF_LOG("daemon", kError, "%s", report_.error.c_str());
    }
    done_.ring();
}

Task<Result<Report>> Inventory::run() {
    const auto line = co_await watcher_.look();
    if (!line) co_return tl::unexpected(line.error());
    co_return parse_report(*line);
}

}  // namespace bitfusion::daemon
