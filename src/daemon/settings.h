// Settings: what an administrator can say to `bitfusion manager`, and how it is found.
//
// One table names every key; a key's value comes from, in this order: the flag --key, the environment
// BITFUSION_KEY (capitals, '-' as '_'), the YAML file (top-level mapping of the same keys), the default.
// Pure but for read_settings_file. Errors name the key, where its value came from and what is allowed; those
// of a file also the line.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/result.h"

namespace bitfusion::daemon {

struct Settings {
    std::string listen;  // IPv4 or IPv6 address
    uint16_t control_port = 0;
    uint16_t data_port = 0;
    std::string backend;  // auto, soft or real
    uint32_t software_gpus = 0;
    uint64_t software_memory = 0;  // bytes per software GPU
    uint32_t software_capability = 89;
    std::chrono::seconds software_launch_limit{0};  // 0: none
    std::chrono::seconds auto_release_timeout{0};
    std::string port_file;  // empty: none
    std::string state_dir;  // empty: by whoever runs it
    bool insecure = false;
    std::string advertise;       // address for others; empty: the one they came by
    std::string server_name;     // empty: the host's
    uint64_t image_cache = 0;    // bytes of code images that are kept in the state folder; 0: none
    uint64_t mapped_memory = 0;  // bytes of this machine's RAM for the mapped memory of one program
    std::string shared_folder;   // where local clients find their workers' memory; empty: the usual places
    std::set<std::string> roles;
    std::chrono::seconds metrics_interval{10};
    uint32_t history_series = 1024;
    std::string prometheus;  // whom the history is read from; empty: the own store
    std::string prometheus_ca_file;
    std::string prometheus_token_file;
    std::vector<std::string> etcd;  // endpoints; empty: a database of this server alone
    std::string etcd_ca_file;
    std::string etcd_certificate_file;
    std::string etcd_key_file;

    bool loopback() const;  // of `listen`
};

struct SettingRow {
    const char* key;
    const char* fallback;
    const char* help;
};

const std::vector<SettingRow>& setting_rows();

using Values = std::map<std::string, std::string>;
using Environment = std::function<std::optional<std::string>(const std::string&)>;

// `flags` holds only what was given; `file` what the settings file holds.
Result<Settings> resolve_settings(const Values& flags, const Environment& environment, const Values& file);

// The same for people: every key with its value and where that comes from: "flag", "environment", "file",
// "default".
struct SettingOrigin {
    std::string key;
    std::string value;
    std::string origin;
    std::string environment;  // the variable that would set it
};
std::vector<SettingOrigin> explain_settings(const Values& flags, const Environment& environment,
                                            const Values& file);

// Reads the YAML mapping. A file that does not exist is empty unless `required`. Unknown keys are errors.
Result<Values> read_settings_file(const std::string& path, bool required);
Result<Values> parse_settings_text(const std::string& text, const std::string& path);

// "10", "10s", "10m", "10h"; whole numbers only.
Result<std::chrono::seconds> parse_duration(const std::string& text);
// "4096", "512MiB", "4GiB", "1TiB", also K, M, G, T with or without "iB"; powers of 1024.
Result<uint64_t> parse_bytes(const std::string& text);

constexpr const char* kDefaultSettingsFile = "/etc/bitfusion/bitfusion-manager.yaml";

}  // namespace bitfusion::daemon
