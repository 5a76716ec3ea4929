#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "cli/program.h"
#include "cli/report.h"
#include "cli/rest_client.h"
#include "cli/shell_words.h"

namespace bitfusion::cli {
namespace {

using nlohmann::json;
using Clock = std::chrono::steady_clock;

constexpr auto kAskAgainEvery = std::chrono::seconds(1);
constexpr size_t kTicketDigits = 64;

struct Granted {
    Endpoint server;
    size_t index = 0;  // of the server in the list
    ServerView view;   // the server just before the grant
    std::string id;
    std::string ticket;
    Endpoint data;
    uint64_t memory_mib = 0;  // 0: whole GPUs
    uint64_t smallest_mib = 0;
    std::vector<uint64_t> ordinals;
};

// What all servers said when none granted.
struct Refused {
    std::vector<std::string> lines;
    bool may_fit_later = false;
};

std::string user_name() {
    const passwd* entry = getpwuid(geteuid());
    return entry != nullptr ? entry->pw_name : std::to_string(geteuid());
}

json lease_request(const RunOptions& options) {
    char host[256] = "";
    gethostname(host, sizeof host - 1);
    json request = {{"gpus", options.gpus},
                    {"hold", true},
                    {"client",
                     {{"host", host},
                      {"pid", static_cast<uint64_t>(getpid())},
                      {"user", user_name()},
                      {"program", options.program.front()}}}};
    if (options.memory_mib) request["memory_mib"] = *options.memory_mib;
    if (options.fraction) request["fraction"] = *options.fraction;
    return request;
}

bool is_uuid(const std::string& text) {
    return text.size() == 36 && text.find_first_not_of("0123456789abcdef-") == std::string::npos;
}

bool is_ticket(const std::string& text) {
    return text.size() == kTicketDigits && text.find_first_not_of("0123456789abcdef") == std::string::npos;
}

// Everything that goes into the program's environment or into a path is checked here.
Result<Granted> read_grant(const Endpoint& server, const json& body) {
    Granted granted;
    granted.server = server;
    try {
        granted.id = body.at("id").get<std::string>();
        granted.ticket = body.at("ticket").get<std::string>();
        granted.memory_mib = body.at("memory_mib").get<uint64_t>();
        const auto data = parse_endpoint(body.at("data_address").get<std::string>());
        for (const json& device : body.at("devices")) {
            granted.ordinals.push_back(device.at("ordinal").get<uint64_t>());
            const auto memory = device.at("memory_mib").get<uint64_t>();
            granted.smallest_mib =
                granted.ordinals.size() == 1 ? memory : std::min(granted.smallest_mib, memory);
        }
        if (data && is_uuid(granted.id) && is_ticket(granted.ticket) && !granted.ordinals.empty()) {
            granted.data = *data;
            return granted;
        }
    } catch (const json::exception&) {
    }
    return tl::unexpected(not_a_manager(server, "its grant lacks an id, ticket, data_address or devices"));
}

tl::expected<Granted, Refused> acquire_once(const RunOptions& options, const std::vector<Endpoint>& servers,
                                            bool first) {
    Refused refused;
    for (size_t i = 0; i < servers.size(); ++i) {
        const Endpoint& server = servers[i];
        if (first) say_info("Query server " + server.text() + " gpu availability");
        const auto view = ask_server(server, false);
        if (!view) {
            refused.lines.push_back(view.error().what);
            continue;
        }
        const auto answer = ask(server, Method::kPost, "/v1/leases", lease_request(options));
        if (!answer) {
            refused.lines.push_back(answer.error().what);
            continue;
        }
        if (answer->status != 201) {
            const auto later = answer->body.find("may_fit_later");
            refused.may_fit_later = refused.may_fit_later || (later != answer->body.end() && *later == true);
            refused.lines.push_back("server " + server.text() + ": " + refusal_text(*answer));
            continue;
        }
        auto granted = read_grant(server, answer->body);
        if (!granted) {
            refused.lines.push_back(granted.error().what);
            continue;
        }
        granted->index = i;
        granted->view = *view;
        return *granted;
    }
    return tl::unexpected(refused);
}

tl::expected<Granted, Refused> acquire(const RunOptions& options, const std::vector<Endpoint>& servers) {
    const auto give_up = Clock::now() + options.timeout;
    auto granted = acquire_once(options, servers, true);
    bool said = false;
    while (!granted && granted.error().may_fit_later && Clock::now() < give_up) {
        if (!said) {
            say_info("Waiting up to " + std::to_string(options.timeout.count()) +
                     " s for GPUs: " + granted.error().lines.front());
            said = true;
        }
        const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(give_up - Clock::now());
        const auto pause = std::min<std::chrono::milliseconds>(kAskAgainEvery, left).count();
        if (pause <= 0) break;
        const timespec duration = {pause / 1000, (pause % 1000) * 1000000};
        nanosleep(&duration, nullptr);
        granted = acquire_once(options, servers, false);
    }
    return granted;
}

std::string fraction_text(const RunOptions& options, const Granted& granted) {
    if (granted.memory_mib == 0) return "full memory";
    char text[32] = "";
    if (options.fraction) {
        snprintf(text, sizeof text, "%g", *options.fraction);
        return std::string("partial memory ") + text;
    }
    uint64_t smallest = 0;
    for (const GpuView& gpu : granted.view.gpus) {
        const bool ours = std::find(granted.ordinals.begin(), granted.ordinals.end(),
                                    static_cast<uint64_t>(gpu.ordinal)) != granted.ordinals.end();
        if (ours && (smallest == 0 || gpu.memory_mib < smallest)) smallest = gpu.memory_mib;
    }
    if (smallest == 0) return std::to_string(granted.memory_mib) + " MiB";
    snprintf(text, sizeof text, "%.3g",
             static_cast<double>(granted.memory_mib) / static_cast<double>(smallest));
    return std::string("partial memory ") + text;
}

std::string server_list_text(const std::vector<Endpoint>& servers, const char* separator) {
    std::string text;
    for (const Endpoint& server : servers) text += (text.empty() ? "" : separator) + server.text();
    return text;
}

void say_banner(const RunOptions& options, const std::vector<Endpoint>& servers, const Granted& granted) {
    std::string ordinals;
    for (const uint64_t ordinal : granted.ordinals)
        ordinals += (ordinals.empty() ? "" : " ") + std::to_string(ordinal);
    const std::string count = std::to_string(granted.ordinals.size());
    say_info("Choosing GPUs from server list [" + server_list_text(servers, " ") + "]");
    say_info("Requesting GPUs [" + ordinals + "] with " + std::to_string(granted.smallest_mib) +
             " MiB of memory from server " + std::to_string(granted.index) + ", with version " +
             granted.view.version + "...");
    say_plain("Requested resources:\nServer List: " + granted.server.text() +
              "\nClient idle timeout: 0 min\n");
    say_info("Locked " + count + " GPUs with " + fraction_text(options, granted));
    say_info("Running client command '" + join_words(options.program) + "' on " + count +
             " GPUs, with the following servers:");
    say_info(granted.data.ip + " " + std::to_string(granted.data.port) + " " + granted.id + " " +
             std::to_string(granted.server.port) + " " + granted.view.version);
    say_plain("\n");
}

std::vector<std::string> gpu_environment(const Granted& granted, const std::string& root) {
    std::string libraries = root + "/lib/bitfusion/cuda";
    if (const char* before = getenv("LD_LIBRARY_PATH"); before != nullptr && *before != '\0')
        libraries += ":" + std::string(before);
    return environment_with(
        {"LD_LIBRARY_PATH=" + libraries, "BITFUSION_SESSION=" + granted.data.text() + "/" + granted.ticket});
}

// nvidia-smi for machines that have none: last in PATH, so that NVIDIA's own wins where it is installed.
void offer_programs(const std::string& root) {
    const char* const before = getenv("PATH");
    const std::string path = before != nullptr ? before : "/usr/local/bin:/usr/bin:/bin";
    setenv("PATH", (path + ":" + root + "/lib/bitfusion/bin").c_str(), 1);
}

void release(const Granted& granted, bool held) {
    if (!held) return;  // the server has ended the lease, or is gone
    say_info("Releasing GPUs...");
    const auto answer = ask(granted.server, Method::kDelete, "/v1/leases/" + granted.id);
    if (!answer)
        say_warning(answer.error().what);
    else if (answer->status != 200 && answer->status != 404)
        say_warning("server " + granted.server.text() + ": " + refusal_text(*answer));
    else
        say_info("Released GPUs on 1 servers");
}

}  // namespace

int run_command(const RunOptions& options, const std::string& root) {
    offer_programs(root);
    const auto path = find_program(options.program.front());
    if (!path) {
        say_error(path.error().what);
        return path.error().code;
    }
    const auto servers = find_servers(options.servers);
    if (!servers) {
        say_error(servers.error().what);
        return kFailure;
    }
    const auto granted = acquire(options, *servers);
    if (!granted) {
        for (const std::string& line : granted.error().lines) say_error(line);
        return kFailure;
    }
    auto hold = Hold::open(granted->server, granted->id);
    if (!hold) {
        say_error(hold.error().what);
        return kFailure;
    }
    say_banner(options, *servers, *granted);

    bool held = true;
    const Watch watch = {hold->descriptor(), [&] {
                             held = hold->still_open();
                             if (!held) {
                                 say_warning("server " + granted->server.text() +
                                             " ended the session: the program's GPU calls fail from now on; "
                                             "see the server's log: journalctl -u bitfusion-manager.service");
                             }
                             return held;
                         }};
    const auto code = run_program({*path, options.program, gpu_environment(*granted, root)}, watch);
    if (!code) say_error(code.error().what);
    release(*granted, held);
    return code ? *code : code.error().code;
}

int local_command(const LocalOptions& options, const std::string& root) {
    const auto path = find_program(options.program.front());
    if (!path) {
        say_error(path.error().what);
        return path.error().code;
    }
    // Inside of `bitfusion run` our library stands first; local means the machine's own.
    unsetenv("BITFUSION_SESSION");
    const std::string ours = root + "/lib/bitfusion/cuda";
    if (const char* libraries = getenv("LD_LIBRARY_PATH"); libraries != nullptr) {
        std::string rest = libraries;
        if (rest == ours || rest.starts_with(ours + ":")) rest.erase(0, ours.size() + 1);
        if (rest.empty())
            unsetenv("LD_LIBRARY_PATH");
        else
            setenv("LD_LIBRARY_PATH", rest.c_str(), 1);
    }
    std::vector<char*> arguments;
    for (const std::string& word : options.program) arguments.push_back(const_cast<char*>(word.c_str()));
    arguments.push_back(nullptr);
    execv(path->c_str(), arguments.data());
    say_error("cannot execute " + *path + ": " + strerror(errno) + "; check its permissions and format");
    return kNotExecutable;
}

}  // namespace bitfusion::cli
