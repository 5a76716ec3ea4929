#include "daemon/settings.h"

#include <arpa/inet.h>
#include <yaml-cpp/yaml.h>

#include <array>
#include <cctype>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <fstream>
#include <sstream>

namespace bitfusion::daemon {
namespace {

constexpr uint64_t kMostMappedMemory = uint64_t{8} << 30;  // what a worker allows at all

Result<uint64_t> parse_number(const std::string& text, uint64_t most) {
    uint64_t value = 0;
    const char* end = text.data() + text.size();
    const auto [at, error] = std::from_chars(text.data(), end, value);
    if (text.empty() || error != std::errc{} || at != end || value > most)
        return fail("a whole number from 0 to " + std::to_string(most) + " is expected");
    return value;
}

std::string environment_name(std::string key) {
    for (char& c : key) c = c == '-' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    return "BITFUSION_" + key;
}

std::set<std::string> words_of(const std::string& list) {
    std::set<std::string> words;
    std::istringstream in(list);
    for (std::string word; std::getline(in, word, ',');) {
        const size_t first = word.find_first_not_of(' ');
        if (first != std::string::npos)
            words.insert(word.substr(first, word.find_last_not_of(' ') - first + 1));
    }
    return words;
}

// The settings that are taken as they are.
std::string* text_setting(const std::string& key, Settings* settings) {
    if (key == "port-file") return &settings->port_file;
    if (key == "advertise") return &settings->advertise;
    if (key == "server-name") return &settings->server_name;
    if (key == "etcd-ca-file") return &settings->etcd_ca_file;
    if (key == "etcd-certificate-file") return &settings->etcd_certificate_file;
    if (key == "etcd-key-file") return &settings->etcd_key_file;
    if (key == "prometheus") return &settings->prometheus;
    if (key == "prometheus-ca-file") return &settings->prometheus_ca_file;
    if (key == "prometheus-token-file") return &settings->prometheus_token_file;
    return nullptr;
}

Status apply(const std::string& key, const std::string& value, Settings* settings) {
    if (key == "listen") {
        std::array<uint8_t, 16> address{};
        if (inet_pton(AF_INET, value.c_str(), address.data()) != 1 &&
            inet_pton(AF_INET6, value.c_str(), address.data()) != 1) {
            return fail("an IP address is expected, such as 127.0.0.1, 0.0.0.0, ::1 or ::");
        }
        settings->listen = value;
    } else if (key == "control-port" || key == "data-port") {
        auto port = parse_number(value, 65535);
        if (!port) return tl::unexpected(port.error());
        (key == "data-port" ? settings->data_port : settings->control_port) = static_cast<uint16_t>(*port);
    } else if (key == "backend") {
        if (value != "auto" && value != "soft" && value != "real")
            return fail("auto, soft or real is expected");
        settings->backend = value;
    } else if (key == "software-gpus") {
        auto count = parse_number(value, 64);
        if (!count) return tl::unexpected(count.error());
        settings->software_gpus = static_cast<uint32_t>(*count);
    } else if (key == "software-memory") {
        auto bytes = parse_bytes(value);
        if (!bytes) return tl::unexpected(bytes.error());
        if (*bytes < 1 << 20) return fail("at least 1MiB is expected");
        settings->software_memory = *bytes;
    } else if (key == "image-cache") {
        auto bytes = parse_bytes(value);
        if (!bytes) return tl::unexpected(bytes.error());
        settings->image_cache = *bytes;
    } else if (key == "mapped-memory") {
        auto bytes = parse_bytes(value);
        if (!bytes) return tl::unexpected(bytes.error());
        if (*bytes > kMostMappedMemory) return fail("at most 8GiB are expected");
        settings->mapped_memory = *bytes;
    } else if (key == "software-capability") {
        const size_t dot = value.find('.');
        auto major = parse_number(value.substr(0, dot), 12);
        auto minor = parse_number(dot == std::string::npos ? "" : value.substr(dot + 1), 9);
        if (!major || !minor || *major < 5) return fail("a compute capability from 5.0 to 12.9 is expected");
        settings->software_capability = static_cast<uint32_t>(*major * 10 + *minor);
    } else if (key == "software-launch-limit") {
        auto duration = parse_duration(value);
        if (!duration) return tl::unexpected(duration.error());
        settings->software_launch_limit = *duration;
    } else if (key == "auto-release-timeout") {
        auto duration = parse_duration(value);
        if (!duration) return tl::unexpected(duration.error());
        if (duration->count() == 0) return fail("more than 0 seconds are expected");
        settings->auto_release_timeout = *duration;
    } else if (key == "state-dir") {
        if (!value.empty() && value[0] != '/') return fail("an absolute path is expected");
        settings->state_dir = value;
    } else if (key == "shared-folder") {
        if ((!value.empty() && value[0] != '/') || value.find('\n') != std::string::npos)
            return fail("an absolute path is expected");
        settings->shared_folder = value;
    } else if (key == "metrics-interval") {
        auto duration = parse_duration(value);
        if (!duration) return tl::unexpected(duration.error());
        if (duration->count() == 0) return fail("more than 0 seconds are expected");
        settings->metrics_interval = *duration;
    } else if (key == "history-series") {
        auto count = parse_number(value, 100000);
        if (!count) return tl::unexpected(count.error());
        settings->history_series = static_cast<uint32_t>(*count);
    } else if (key == "insecure") {
        if (value != "true" && value != "false" && value != "1" && value != "0")
            return fail("true or false is expected");
        settings->insecure = value == "true" || value == "1";
    } else if (key == "roles") {
        settings->roles = words_of(value);
        for (const std::string& role : settings->roles) {
            if (role != "server" && role != "scheduler" && role != "analytics")
                return fail("a list of server, scheduler and analytics is expected");
        }
        if (settings->roles.empty())
            return fail("at least one of server, scheduler and analytics is expected");
    } else if (key == "etcd") {
        const auto endpoints = words_of(value);
        settings->etcd.assign(endpoints.begin(), endpoints.end());
        for (const std::string& endpoint : endpoints) {
            if (!endpoint.starts_with("http://") && !endpoint.starts_with("https://"))
                return fail("endpoints such as https://10.0.0.7:2379, separated by ',', are expected");
        }
    } else if (std::string* const text = text_setting(key, settings); text != nullptr) {
        *text = value;
    }
    return {};
}

struct Chosen {
    std::string value;
    const char* origin;
};

Chosen choose(const SettingRow& row, const Values& flags, const Environment& environment,
              const Values& file) {
    if (const auto flag = flags.find(row.key); flag != flags.end()) return {flag->second, "flag"};
    if (const auto in_environment = environment(environment_name(row.key)))
        return {*in_environment, "environment"};
    if (const auto in_file = file.find(row.key); in_file != file.end()) return {in_file->second, "file"};
    return {row.fallback, "default"};
}

std::string origin_text(const SettingRow& row, const std::string& origin) {
    if (origin == "flag") return "--" + std::string(row.key);
    if (origin == "environment") return environment_name(row.key);
    if (origin == "file") return std::string(row.key) + " in the settings file";
    return "the default of " + std::string(row.key);
}

}  // namespace

const std::vector<SettingRow>& setting_rows() {
    static const std::vector<SettingRow> rows = {
        {"listen", "127.0.0.1", "IPv4 or IPv6 address to listen on"},
        {"control-port", "56001", "port of the REST API; 0 picks a free one"},
        {"data-port", "55001", "port of the data connections; 0 picks a free one"},
        {"backend", "auto",
         "auto, soft or real: whose GPUs are served; auto takes real ones where there are any"},
        {"software-gpus", "1", "number of software GPUs (backend soft)"},
        {"software-memory", "4GiB", "memory of each software GPU (backend soft)"},
        {"software-capability", "8.9", "compute capability of the software GPUs (backend soft)"},
        {"software-launch-limit", "0s", "end a kernel that runs longer (s, m, h); 0s: never (backend soft)"},
        {"auto-release-timeout", "10m", "end a lease that nobody holds or uses for this long (s, m, h)"},
        {"port-file", "", "file that receives the two listening addresses when the manager is ready"},
        {"state-dir", "",
         "folder of the pool's keys and database, of history and backups; empty: /var/lib/bitfusion, or for "
         "users other than root "
         "~/.local/state/bitfusion"},
        {"metrics-interval", "10s", "how often GPUs are measured (s, m, h)"},
        {"history-series", "1024", "the most series that the history keeps, 134 KiB each and 8 a GPU"},
        {"prometheus", "",
         "address of a Prometheus-compatible server that scrapes this one, such as http://10.0.0.9:9090: the "
         "charts are read from it; empty: from this server's own history"},
        {"prometheus-ca-file", "",
         "authority of its certificate (https); empty: those that this machine trusts"},
        {"prometheus-token-file", "", "file with the token that it wants to see (Authorization: Bearer)"},
        {"insecure", "false",
         "true: no TLS and no tokens, and nothing is remembered; loopback addresses only"},
        {"advertise", "",
         "address or name under which clients reach this server; empty: the address by which they came"},
        {"server-name", "", "name of this server in listings; empty: the host's"},
        {"image-cache", "4GiB",
         "how much of the disk code images of earlier sessions may take, in the state folder, so that "
         "programs "
         "start faster; 0: none are kept"},
        {"mapped-memory", "8GiB",
         "how much of this server's RAM the mapped pinned memory of one program may take, where it is not "
         "the "
         "program's own that is shared; each page counts twice, for there is a copy of it; 0: none"},
        {"shared-folder", "",
         "folder that containers of this machine mount too, to share memory with their workers instead of "
         "using the network; clients name it in BITFUSION_SHARED_FOLDER. Empty: /run/bitfusion if it is "
         "there, else the folder of temporary files"},
        {"roles", "server,scheduler,analytics",
         "what this process does: server serves its GPUs, scheduler gives them out, analytics tells of them"},
        {"etcd", "",
         "endpoints of the etcd that the servers of a pool share, separated by ','; empty: this server is "
         "the pool"},
        {"etcd-ca-file", "", "authority of etcd's certificates (https)"},
        {"etcd-certificate-file", "", "certificate for etcd (https)"},
        {"etcd-key-file", "", "its key"},
    };
    return rows;
}

Result<std::chrono::seconds> parse_duration(const std::string& text) {
    std::string digits = text;
    uint64_t unit = 1;
    if (!digits.empty()) {
        switch (digits.back()) {
            case 'h':
                unit = 3600;
                break;
            case 'm':
                unit = 60;
                break;
            case 's':
                break;
            default:
                unit = 0;
        }
    }
    if (unit != 0)
        digits.pop_back();
    else
        unit = 1;
    const auto number = parse_number(digits, 1000000);
    if (!number)
        return fail("a duration is a whole number with an optional s, m or h, such as 10, 10s, 10m, 10h");
    return std::chrono::seconds(static_cast<int64_t>(*number * unit));
}

Result<uint64_t> parse_bytes(const std::string& text) {
    const size_t digits = text.find_first_not_of("0123456789");
    const std::string suffix = digits == std::string::npos ? "" : text.substr(digits);
    const auto number = parse_number(text.substr(0, digits), UINT64_C(1) << 40);
    int shift = -1;
    if (suffix.empty()) shift = 0;
    const char* const letters = "KMGT";
    for (int i = 0; i < 4; ++i) {
        const std::string letter(1, letters[i]);
        if (suffix == letter || suffix == letter + "iB") shift = 10 * (i + 1);
    }
    if (!number || shift < 0 || *number > (UINT64_C(1) << 50) >> shift)
        return fail("a size is a whole number with an optional KiB, MiB, GiB or TiB, such as 4GiB");
    return *number << shift;
}

Result<Values> parse_settings_text(const std::string& text, const std::string& path) {
    Values values;
    try {
        const YAML::Node root = YAML::Load(text);
        if (!root || root.IsNull()) return values;
        if (!root.IsMap())
            return fail(path + " is not a mapping of keys to values; write lines such as 'backend: soft'");
        for (const auto& entry : root) {
            const auto key = entry.first.as<std::string>();
            bool known = false;
            for (const SettingRow& row : setting_rows()) known = known || key == row.key;
            const std::string where = path + " line " + std::to_string(entry.first.Mark().line + 1);
            if (!known)
                return fail(where + " has the unknown key '" + key + "'; see: bitfusion help manager");
            if (!entry.second.IsScalar() && !entry.second.IsNull())
                return fail(where + ": the value of '" + key +
                            "' must be one word; see: bitfusion help manager");
            values[key] = entry.second.IsNull() ? "" : entry.second.as<std::string>();
            Settings scratch;
            if (auto applied = apply(key, values[key], &scratch); !applied)
                return fail(where + ": " + key + " is '" + values[key] + "': " + applied.error().what);
        }
    } catch (const YAML::Exception& error) {
        return fail(path + " is not YAML: " + error.what() + "; correct or remove the file");
    }
    return values;
}

Result<Values> read_settings_file(const std::string& path, bool required) {
    std::ifstream in(path);
    if (!in) {
        if (errno == ENOENT && !required) return Values{};
        return fail(
            "cannot read " + path + ": " + std::strerror(errno) + "; check the path and its permissions",
            errno);
    }
    std::ostringstream text;
    text << in.rdbuf();
    return parse_settings_text(text.str(), path);
}

bool Settings::loopback() const { return listen == "::1" || listen.starts_with("127."); }

Result<Settings> resolve_settings(const Values& flags, const Environment& environment, const Values& file) {
    Settings settings;
    for (const SettingRow& row : setting_rows()) {
        const Chosen chosen = choose(row, flags, environment, file);
        if (auto applied = apply(row.key, chosen.value, &settings); !applied)
            return fail(origin_text(row, chosen.origin) + " is '" + chosen.value +
                        "': " + applied.error().what);
    }
    if (settings.insecure && !settings.loopback()) {
        return fail(
            "insecure is for loopback addresses and listen is '" + settings.listen +
            "': without TLS and tokens anybody could use the GPUs; run 'bitfusion init' once and leave "
            "insecure out");
    }
    return settings;
}

std::vector<SettingOrigin> explain_settings(const Values& flags, const Environment& environment,
                                            const Values& file) {
    std::vector<SettingOrigin> rows;
    for (const SettingRow& row : setting_rows()) {
        const Chosen chosen = choose(row, flags, environment, file);
        rows.push_back({row.key, chosen.value, chosen.origin, environment_name(row.key)});
    }
    return rows;
}

}  // namespace bitfusion::daemon
