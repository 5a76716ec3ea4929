#include "health/node.h"

#include <sys/resource.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

namespace bitfusion::health {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr std::streamsize kMostFileBytes = 1 << 20;
constexpr size_t kMostGpus = 64;

std::optional<int64_t> number_in(const json& object, const char* key) {
    const auto found = object.find(key);
    if (found == object.end() || !found->is_number_integer()) return std::nullopt;
    return found->get<int64_t>();
}

std::optional<std::string> text_in(const json& object, const char* key) {
    const auto found = object.find(key);
    if (found == object.end() || !found->is_string()) return std::nullopt;
    return found->get<std::string>();
}

Gpu gpu_of(const json& object) {
    Gpu gpu;
    gpu.ordinal = number_in(object, "ordinal").value_or(0);
    gpu.name = text_in(object, "name").value_or("");
    gpu.pci = text_in(object, "pci").value_or("");
    gpu.memory_mib = number_in(object, "memory_mib").value_or(0);
    gpu.memory_used_mib = number_in(object, "memory_used_mib");
    gpu.temperature_c = number_in(object, "temperature_c");
    gpu.utilization_percent = number_in(object, "utilization_percent");
    gpu.ecc_errors = number_in(object, "ecc_errors");
    gpu.compute_mode = text_in(object, "compute_mode");
    gpu.peers = text_in(object, "peers");
    const auto memory_operations = object.find("memory_operations");
    if (memory_operations != object.end() && memory_operations->is_boolean())
        gpu.memory_operations = memory_operations->get<bool>();
    return gpu;
}

}  // namespace

std::optional<std::string> Files::text(const std::string& inside) const {
    std::ifstream in(path(inside), std::ios::binary);
    if (!in) return std::nullopt;
    std::string content(kMostFileBytes, '\0');
    in.read(content.data(), kMostFileBytes);
    // Some files of sysfs open but answer the read with an error, such as the speed of a link that is down.
    if (in.bad() || (in.fail() && !in.eof())) return std::nullopt;
    content.resize(static_cast<size_t>(in.gcount()));
    return content;
}

std::optional<int64_t> Files::number(const std::string& inside) const {
    const auto content = text(inside);
    if (!content || content->empty()) return std::nullopt;
    char* end = nullptr;
    const int64_t value = strtoll(content->c_str(), &end, 0);
    return end == content->c_str() ? std::nullopt : std::optional<int64_t>(value);
}

std::vector<std::string> Files::entries(const std::string& inside) const {
    std::vector<std::string> names;
    std::error_code error;
    for (fs::directory_iterator at(path(inside), error), end; !error && at != end; at.increment(error))
        names.push_back(at->path().filename().string());
    std::sort(names.begin(), names.end());
    return names;
}

bool Files::exists(const std::string& inside) const {
    std::error_code error;
    return fs::exists(path(inside), error);
}

void observe(Node* node) {
    rlimit limit{};
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) node->open_files = limit.rlim_cur;
    node->addresses = own_addresses(Loopback::kLeftOut);
}

std::map<std::string, uint64_t> losses(const Files& files) {
    std::map<std::string, uint64_t> found;
    for (const std::string& name : files.entries("/sys/class/net")) {
        if (name == "lo") continue;
        const std::string folder = "/sys/class/net/" + name + "/statistics";
        const auto counters = files.entries(folder);
        if (counters.empty()) continue;
        uint64_t& sum = found[name];
        for (const std::string& counter : counters) {
            if (!counter.ends_with("errors") && !counter.ends_with("dropped")) continue;
            sum += static_cast<uint64_t>(files.number(folder + "/" + counter).value_or(0));
        }
    }
    return found;
}

Gpus gpus_of(const json& inventory) {
    Gpus gpus;
    if (!inventory.is_object()) {
        gpus.error = "there is no inventory";
        return gpus;
    }
    gpus.backend = text_in(inventory, "backend").value_or("");
    gpus.driver_version = text_in(inventory, "driver_version").value_or("");
    gpus.cuda_version = number_in(inventory, "cuda_version").value_or(0);
    gpus.management_gpus = number_in(inventory, "management_gpus");
    gpus.management_cuda_version = number_in(inventory, "management_cuda_version");
    gpus.error = text_in(inventory, "error").value_or("");
    const auto list = inventory.find("gpus");
    if (list == inventory.end() || !list->is_array()) return gpus;
    for (const json& object : *list) {
        if (object.is_object() && gpus.list.size() < kMostGpus) gpus.list.push_back(gpu_of(object));
    }
    return gpus;
}

}  // namespace bitfusion::health
