#include "cli/server_view.h"

#include <cmath>

#include "cli/report.h"
#include "cli/rest_client.h"

namespace bitfusion::cli {
namespace {

using nlohmann::json;

const json* member(const json& object, const char* key) {
    const auto found = object.find(key);
    return found == object.end() || found->is_null() ? nullptr : &*found;
}

std::string text_of(const json& object, const char* key) {
    const json* value = member(object, key);
    return value != nullptr && value->is_string() ? one_line(value->get<std::string>()) : "";
}

std::optional<int64_t> number_of(const json& object, const char* key) {
    const json* value = member(object, key);
    if (value == nullptr) return std::nullopt;
    if (value->is_number_integer()) return value->get<int64_t>();
    if (value->is_number_float() && std::fabs(value->get<double>()) < 1e15)
        return static_cast<int64_t>(std::llround(value->get<double>()));
    return std::nullopt;
}

bool read_size(const json& object, const char* key, uint64_t* size) {
    const auto number = number_of(object, key);
    if (!number || *number < 0) return false;
    *size = static_cast<uint64_t>(*number);
    return true;
}

bool read_gpu(const json& object, GpuView* gpu) {
    if (!object.is_object()) return false;
    const auto ordinal = number_of(object, "ordinal");
    if (!ordinal || !read_size(object, "memory_mib", &gpu->memory_mib) ||
        !read_size(object, "free_mib", &gpu->free_mib) ||
        !read_size(object, "allocated_mib", &gpu->allocated_mib)) {
        return false;
    }
    gpu->ordinal = *ordinal;
    gpu->name = text_of(object, "name");
    gpu->capability = text_of(object, "capability");
    gpu->pci = text_of(object, "pci");
    gpu->performance_state = text_of(object, "performance_state");
    gpu->compute_mode = text_of(object, "compute_mode");
    gpu->memory_used_mib = number_of(object, "memory_used_mib");
    gpu->temperature_c = number_of(object, "temperature_c");
    gpu->fan_percent = number_of(object, "fan_percent");
    gpu->power_w = number_of(object, "power_w");
    gpu->power_limit_w = number_of(object, "power_limit_w");
    gpu->utilization_percent = number_of(object, "utilization_percent");
    gpu->ecc_errors = number_of(object, "ecc_errors");
    const json* persistence = member(object, "persistence");
    if (persistence != nullptr && persistence->is_boolean()) gpu->persistence = persistence->get<bool>();
    return true;
}

}  // namespace

Result<ServerView> view_server(const Endpoint& endpoint, const json& document) {
    ServerView view;
    view.endpoint = endpoint;
    view.version = text_of(document, "version");
    const json* gpus = member(document, "gpus");
    const auto tasks = number_of(document, "running_tasks");
    if (view.version.empty() || gpus == nullptr || !gpus->is_array() || !tasks)
        return tl::unexpected(not_a_manager(endpoint, "its answer has no version, gpus and running_tasks"));
    view.running_tasks = *tasks;
    view.id = text_of(document, "id");
    view.pool = text_of(document, "pool");
    const json* leader = member(document, "leader");
    view.leader = leader != nullptr && leader->is_boolean() && leader->get<bool>();
    view.driver_version = text_of(document, "driver_version");
    view.inventory_error = text_of(document, "inventory_error");
    for (const json& object : *gpus) {
        GpuView gpu;
        if (!read_gpu(object, &gpu))
            return tl::unexpected(not_a_manager(endpoint, "a GPU lacks its ordinal or memory"));
        view.gpus.push_back(std::move(gpu));
    }
    view.document = document;
    return view;
}

Result<ServerView> ask_server(const Endpoint& endpoint, bool fresh) {
    auto answer = ask(endpoint, Method::kGet, fresh ? "/v1/server?fresh=true" : "/v1/server");
    if (!answer) return tl::unexpected(answer.error());
    if (answer->status == 403) return tl::unexpected(refused_identity(endpoint, refusal_text(*answer)));
    if (answer->status != 200)
        return tl::unexpected(not_a_manager(endpoint, "status " + std::to_string(answer->status)));
    return view_server(endpoint, answer->body);
}

}  // namespace bitfusion::cli
