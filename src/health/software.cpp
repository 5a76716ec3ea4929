#include <dlfcn.h>
#include <unistd.h>

#include <array>
#include <cstdio>

#include "health/checks.h"

namespace bitfusion::health {
namespace {

constexpr int64_t kLeastCuda = 12000;
constexpr std::array<unsigned, 3> kLeastDriver = {525, 60, 13};

std::string cuda_text(int64_t version) {
    return std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10);
}

// A name: the bundle's own copy before the system's; or a path. "" when it opens.
std::string wrong_library(const std::string& installation, const std::string& name) {
    const std::string ours = installation + "/lib/bitfusion/private/" + name;
    const std::string path = name[0] != '/' && access(ours.c_str(), R_OK) == 0 ? ours : name;
    void* library = dlopen(path.c_str(), RTLD_LAZY | RTLD_LOCAL);
    if (library == nullptr) {
        const char* why = dlerror();
        return why == nullptr ? path + " does not open" : why;
    }
    dlclose(library);
    return "";
}

}  // namespace

Finding check_cuda_version(const Node& node) {
    if (!node.gpus.error.empty()) return fatal(node.gpus.error);
    if (node.gpus.cuda_version == 0) return pass("this server has no GPU");
    const std::string seen = "CUDA " + cuda_text(node.gpus.cuda_version);
    if (node.gpus.cuda_version < kLeastCuda) return fatal(seen + ", 12.0 is needed; install a newer driver");
    return pass(seen);
}

Finding check_driver_version(const Node& node) {
    if (!node.gpus.error.empty()) return fatal(node.gpus.error);
    if (node.gpus.backend != "real")
        return pass(node.gpus.backend == "soft" ? "software GPUs need no driver" : "this server has no GPU");
    std::array<unsigned, 3> version{};
    if (sscanf(node.gpus.driver_version.c_str(), "%u.%u.%u", &version[0], &version[1], &version[2]) < 2)
        return marginal("the driver tells no version; install libnvidia-ml.so.1, which comes with it");
    if (version < kLeastDriver)
        return fatal(node.gpus.driver_version + ", 525.60.13 is needed; install a newer driver");
    return pass(node.gpus.driver_version);
}

Finding check_libraries(const Node& node) {
    std::string missing;
    const auto need = [&](const std::string& wrong) {
        if (!wrong.empty()) missing += (missing.empty() ? "" : "; ") + wrong;
    };
    if (node.side == Side::kServer) {
        need(wrong_library(node.installation, "liblz4.so.1"));
        need(wrong_library(node.installation, "libzstd.so.1"));
        // The driver's libraries were opened by the worker: the daemon itself never loads them.
        need(node.gpus.error);
        if (missing.empty() && node.gpus.backend == "real" && !node.gpus.management_gpus)
            return marginal("libnvidia-ml.so.1 does not open; it comes with NVIDIA's driver");
    } else {
        need(wrong_library(node.installation, node.installation + "/lib/bitfusion/cuda/libcuda.so.1"));
    }
    if (!missing.empty()) return fatal(missing + "; install the complete bundle again");
    return pass(node.side == Side::kServer ? "liblz4, libzstd and the GPUs' driver open"
                                           : "the stand-in libcuda.so.1 opens");
}

}  // namespace bitfusion::health
