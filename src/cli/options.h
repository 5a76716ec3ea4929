// Options: the command line, parsed and checked. The only place that knows CLI11, which compiles slowly.
//
// Errors are one line that ends with what to do. `--` ends the options of `run` and `local`: what follows is
// the program and its arguments as they are; without `--` one argument is a whole command line
// (shell_words.h).
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/result.h"
#include "cli/admin_options.h"
#include "cli/look_options.h"
#include "cli/servers.h"

namespace bitfusion::cli {

constexpr auto kDefaultTimeout = std::chrono::minutes(30);

// What `run` and `request_gpus` ask for.
struct Allocation {
    uint32_t gpus = 0;
    std::optional<uint64_t> memory_mib;
    std::optional<double> fraction;
    std::chrono::seconds timeout = kDefaultTimeout;
    std::vector<std::string> filters;
    ServerOptions servers;
};

struct RunOptions {
    Allocation allocation;
    std::vector<std::string> program;
};

struct RequestOptions {
    Allocation allocation;
    std::string file;  // where the session is written; empty: a new file of /tmp
};

struct ClientOptions {
    std::string file;  // of the session; empty: BITFUSION_SESSION_FILE, or the only one of this user
    std::vector<std::string> program;
};

struct ReleaseOptions {
    std::string file;
    Allocation allocation;  // gpus 0: not said
};

struct LocalOptions {
    std::vector<std::string> program;
};

struct ListOptions {
    ServerOptions servers;
    bool json = false;
};

struct SmiOptions {
    ServerOptions servers;
    bool json = false;
};

struct VersionOptions {
    bool json = false;
};

struct HelpOptions {
    std::string text;  // what to print
};

struct ManagerOptions {
    std::map<std::string, std::string> flags;  // only those given, by name without dashes
    std::string config;                        // empty: the default file, which may be absent
};

// `bitfusion init`
struct InitOptions {
    ManagerOptions manager;
    std::string client_dir;  // empty: ~/.bitfusion
    std::vector<std::string> names;
    std::string authority;
    std::string join;        // ip or ip:port of a server of the pool that this one joins
    std::string invitation;  // file with it, "-": standard input
};

// `bitfusion config show`
struct ConfigOptions {
    ManagerOptions manager;
    bool json = false;
};

// A command of the original that has nothing to do here, and says so.
struct NothingOptions {
    std::string text;
};

using Command = std::variant<RunOptions, RequestOptions, ClientOptions, ReleaseOptions, AdminOptions,
                             LocalOptions, ListOptions, SmiOptions, VersionOptions, HelpOptions, InitOptions,
                             ConfigOptions, NothingOptions, ManagerOptions, LookCommand>;

// A flag of `manager` as the service describes it.
struct ServiceFlag {
    std::string name;
    std::string fallback;
    std::string help;
};

// `arguments` without argv[0].
Result<Command> parse_command_line(const std::vector<std::string>& arguments,
                                   const std::vector<ServiceFlag>& service_flags);

// "10", "10s", "10m", "10h"
Result<std::chrono::seconds> parse_timeout(const std::string& text);

}  // namespace bitfusion::cli
