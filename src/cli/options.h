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
#include "cli/look_options.h"
#include "cli/servers.h"

namespace bitfusion::cli {

struct RunOptions {
    uint32_t gpus = 0;
    std::optional<uint64_t> memory_mib;
    std::optional<double> fraction;
    std::chrono::seconds timeout{0};
    ServerOptions servers;
    std::vector<std::string> program;
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

using Command = std::variant<RunOptions, LocalOptions, ListOptions, SmiOptions, VersionOptions, HelpOptions,
                             ManagerOptions, LookCommand>;

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
