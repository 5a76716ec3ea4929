#include "cli/servers.h"

#include <arpa/inet.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>

namespace bitfusion::cli {
namespace {

constexpr const char* kSystemFile = "/etc/bitfusion/servers.conf";
constexpr const char* kBlank = " \t\r";

std::string trimmed(const std::string& text) {
    const size_t first = text.find_first_not_of(kBlank);
    if (first == std::string::npos) return "";
    return text.substr(first, text.find_last_not_of(kBlank) - first + 1);
}

Result<std::vector<Endpoint>> read_servers_file(const std::string& path) {
    std::ifstream in(path);
    std::ostringstream text;
    if (!in || !(text << in.rdbuf())) {
        // An empty file leaves the stream failed as well, with nothing to blame.
        if (in.is_open() && !in.bad()) return parse_servers_text("", path);
        return fail(
            "cannot read " + path + ": " + std::strerror(errno) + "; check the path and its permissions",
            errno);
    }
    return parse_servers_text(text.str(), path);
}

bool exists(const std::string& path) {
    return std::ifstream(path).is_open() || (errno != ENOENT && errno != ENOTDIR);
}

void add_once(std::vector<Endpoint>* servers, Endpoint endpoint) {
    if (std::find(servers->begin(), servers->end(), endpoint) == servers->end())
        servers->push_back(std::move(endpoint));
}

}  // namespace

Result<Endpoint> parse_endpoint(const std::string& text) {
    const std::string whole = trimmed(text);
    const size_t split = whole.find_first_of(": \t");
    Endpoint endpoint;
    endpoint.ip = whole.substr(0, split);
    in_addr address{};
    if (inet_pton(AF_INET, endpoint.ip.c_str(), &address) != 1) {
        return fail("'" + whole +
                    "' is not an IPv4 address with an optional port; write for example 10.0.0.7:56001");
    }
    if (split != std::string::npos) {
        const std::string port = trimmed(whole.substr(split + 1));
        const char* end = port.data() + port.size();
        const auto [at, error] = std::from_chars(port.data(), end, endpoint.port);
        if (port.empty() || error != std::errc{} || at != end || endpoint.port == 0)
            return fail("'" + whole +
                        "' has no port from 1 to 65535 after the address; write for example 10.0.0.7:56001");
    }
    return endpoint;
}

Result<std::vector<Endpoint>> parse_server_list(const std::string& list) {
    std::vector<Endpoint> servers;
    std::istringstream in(list);
    for (std::string item; std::getline(in, item, ';');) {
        if (trimmed(item).empty()) continue;
        auto endpoint = parse_endpoint(item);
        if (!endpoint) return tl::unexpected(endpoint.error());
        add_once(&servers, std::move(*endpoint));
    }
    if (servers.empty())
        return fail("the server list is empty; write for example \"10.0.0.7:56001;10.0.0.8\"");
    return servers;
}

Result<std::vector<Endpoint>> parse_servers_text(const std::string& text, const std::string& path) {
    std::vector<Endpoint> servers;
    std::istringstream in(text);
    int number = 0;
    for (std::string line; std::getline(in, line);) {
        ++number;
        line = trimmed(line.substr(0, line.find('#')));
        if (line.empty()) continue;
        auto endpoint = parse_endpoint(line);
        if (!endpoint) return fail(path + " line " + std::to_string(number) + ": " + endpoint.error().what);
        add_once(&servers, std::move(*endpoint));
    }
    if (servers.empty()) return fail(path + " names no server; write one a line, for example 10.0.0.7:56001");
    return servers;
}

Result<std::vector<Endpoint>> find_servers(const ServerOptions& options) {
    if (!options.list.empty()) {
        auto servers = parse_server_list(options.list);
        if (!servers) return fail("--server_list: " + servers.error().what);
        return servers;
    }
    if (!options.file.empty()) return read_servers_file(options.file);
    if (const char* list = getenv("BITFUSION_SERVERS"); list != nullptr && *list != '\0') {
        auto servers = parse_server_list(list);
        if (!servers) return fail("BITFUSION_SERVERS: " + servers.error().what);
        return servers;
    }
    if (const char* home = getenv("HOME"); home != nullptr) {
        const std::string own = std::string(home) + "/.bitfusion/servers.conf";
        if (exists(own)) return read_servers_file(own);
    }
    if (exists(kSystemFile)) return read_servers_file(kSystemFile);
    return fail(
        "no list of servers: write their addresses, one a line, to ~/.bitfusion/servers.conf or "
        "/etc/bitfusion/servers.conf (for example: echo 10.0.0.7:56001 > ~/.bitfusion/servers.conf), or name "
        "them "
        "with --server_list");
}

}  // namespace bitfusion::cli
