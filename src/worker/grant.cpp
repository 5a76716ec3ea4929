#include "worker/grant.h"

#include <unistd.h>

#include <charconv>
#include <sstream>

#include "wire/usage.h"

namespace bitfusion::worker {
namespace {

constexpr size_t kMostBytes = 65536;

template <typename T>
bool number(const std::string& text, T* value) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *value);
    return error == std::errc() && end == text.data() + text.size();
}

bool ordinals(const std::string& text, std::vector<int>* devices) {
    std::istringstream parts(text);
    for (std::string part; std::getline(parts, part, ',');) {
        int ordinal = 0;
        if (!number(part, &ordinal) || ordinal < 0) return false;
        devices->push_back(ordinal);
    }
    return !devices->empty();
}

}  // namespace

Result<Grant> parse_grant(const std::string& text) {
    Grant grant;
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
        const size_t equals = line.find('=');
        if (equals == std::string::npos) continue;
        const std::string key = line.substr(0, equals);
        const std::string value = line.substr(equals + 1);
        bool good = true;
        if (key == "backend")
            grant.backend = value;
        else if (key == "devices")
            good = ordinals(value, &grant.devices);
        else if (key == "memory_mib")
            good = number(value, &grant.memory_mib);
        else if (key == "software_gpus")
            good = number(value, &grant.software_gpus);
        else if (key == "software_memory")
            good = number(value, &grant.software_memory);
        else if (key == "software_capability")
            good = number(value, &grant.software_capability);
        else if (key == "software_launch_limit")
            good = number(value, &grant.software_launch_limit);
        else if (key == "lease")
            grant.lease = value;
        else if (key == "program")
            grant.program = value;
        else if (key == "process")
            good = number(value, &grant.process);
        else if (key == "capabilities")
            good = number(value, &grant.capabilities);
        else if (key == "slot")
            good = number(value, &grant.slot) && grant.slot >= 0 && grant.slot < wire::Usage::kMostWorkers;
        else if (key == "mapped_memory")
            good = number(value, &grant.mapped_memory);
        else if (key == "shared_folder")
            grant.shared_folder = value;
        else if (key == "image_cache")
            grant.image_cache = value;
        else if (key == "image_cache_bytes")
            good = number(value, &grant.image_cache_bytes);
        else if (key == "tls")
            grant.tls = value;
        if (!good)
            return fail("the grant's line '" + line +
                        "' cannot be read; daemon and worker must be of one version");
    }
    if (grant.devices.empty())
        return fail("the grant names no device; daemon and worker must be of one version");
    if (grant.backend != "soft" && grant.backend != "real")
        return fail("the grant's backend '" + grant.backend + "' is unknown");
    return grant;
}

Result<Grant> read_grant(int descriptor) {
    std::string text;
    char piece[4096];
    for (;;) {
        const ssize_t got = read(descriptor, piece, sizeof piece);
        if (got < 0)
            return fail("the grant cannot be read; the daemon starts workers with it on descriptor 4");
        if (got == 0) break;
        text.append(piece, static_cast<size_t>(got));
        if (text.size() > kMostBytes)
            return fail("the grant is too long; daemon and worker must be of one version");
    }
    return parse_grant(text);
}

}  // namespace bitfusion::worker
