#include "cli/servers.h"

#include <arpa/inet.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <array>
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

// The form of release 3.5: the key `servers` at the beginning of a line.
bool is_yaml(const std::string& text) {
    return text.starts_with("servers:") || text.find("\nservers:") != std::string::npos;
}

std::string line_of(const std::string& path, const YAML::Mark& mark) {
    return path + " line " + std::to_string(mark.line + 1) + ": ";
}

// The address that worked before goes first.
Status add_yaml_server(const YAML::Node& node, const std::string& path, std::vector<Endpoint>* servers) {
    std::vector<YAML::Node> addresses;
    if (node.IsMap() && node["reachable"] && node["reachable"].IsScalar() &&
        !node["reachable"].Scalar().empty())
        addresses.push_back(node["reachable"]);
    if (node.IsMap() && node["addresses"] && node["addresses"].IsSequence()) {
        for (const auto& address : node["addresses"]) addresses.push_back(address);
    }
    if (addresses.empty())
        return fail(line_of(path, node.Mark()) +
                    "a server is {reachable: ip:port, addresses: [ip:port, ...]}; correct the file");
    std::vector<Endpoint> endpoints;
    for (const YAML::Node& address : addresses) {
        auto endpoint = parse_endpoint(address.as<std::string>());
        if (!endpoint) return fail(line_of(path, address.Mark()) + endpoint.error().what);
        add_once(&endpoints, std::move(*endpoint));
    }
    Endpoint server = endpoints.front();
    server.others.assign(endpoints.begin() + 1, endpoints.end());
    add_once(servers, std::move(server));
    return {};
}

Result<std::vector<Endpoint>> parse_servers_yaml(const std::string& text, const std::string& path) {
    std::vector<Endpoint> servers;
    try {
        const YAML::Node list = YAML::Load(text)["servers"];
        if (!list.IsSequence() && !list.IsNull())
            return fail(line_of(path, list.Mark()) + "servers must be a list; correct the file");
        for (const auto& node : list) {
            if (auto added = add_yaml_server(node, path, &servers); !added)
                return tl::unexpected(added.error());
        }
    } catch (const YAML::Exception& error) {
        return fail(line_of(path, error.mark) + "not YAML: " + error.msg + "; correct the file");
    }
    if (servers.empty())
        return fail(path + " names no server; write one, for example: reachable: 10.0.0.7:56001");
    return servers;
}

}  // namespace

bool Endpoint::loopback() const {
    return (ip == "::1" || ip.starts_with("127.")) &&
           std::all_of(others.begin(), others.end(), [](const Endpoint& other) { return other.loopback(); });
}

Result<Endpoint> parse_endpoint(const std::string& text) {
    const std::string whole = trimmed(text);
    const auto wrong = [&whole] {
        return fail("'" + whole +
                    "' is not an IP address with an optional port; write for example 10.0.0.7:56001 or "
                    "[fd00::7]:56001");
    };
    Endpoint endpoint;
    std::string rest;
    if (whole.starts_with("[")) {
        const size_t end = whole.find(']');
        if (end == std::string::npos) return wrong();
        endpoint.ip = whole.substr(1, end - 1);
        rest = whole.substr(end + 1);
    } else {
        // Several colons without brackets are an IPv6 address without a port, or with one behind white space.
        const bool v6 = std::count(whole.begin(), whole.end(), ':') > 1;
        const size_t split = whole.find_first_of(v6 ? " \t" : ": \t");
        endpoint.ip = whole.substr(0, split);
        if (split != std::string::npos) rest = whole.substr(split);
    }
    std::array<uint8_t, 16> address{};
    const int family = endpoint.v6() ? AF_INET6 : AF_INET;
    if (inet_pton(family, endpoint.ip.c_str(), address.data()) != 1 || (whole[0] == '[' && !endpoint.v6()))
        return wrong();
    // IPv6 can be written in several ways; one server is to have one name.
    std::array<char, INET6_ADDRSTRLEN> plain{};
    endpoint.ip = inet_ntop(family, address.data(), plain.data(), plain.size());
    if (rest.empty()) return endpoint;
    const std::string port = trimmed(rest.substr(1));
    const char* end = port.data() + port.size();
    const auto [at, error] = std::from_chars(port.data(), end, endpoint.port);
    const bool separated = rest[0] == ':' || rest[0] == ' ' || rest[0] == '\t';
    if (!separated || port.empty() || error != std::errc{} || at != end || endpoint.port == 0)
        return fail("'" + whole +
                    "' has no port from 1 to 65535 after the address; write for example 10.0.0.7:56001");
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
    if (is_yaml(text)) return parse_servers_yaml(text, path);
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
