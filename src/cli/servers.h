// Servers: which managers the CLI talks to, and where that list comes from.
//
// First found wins: --server_list, --servers (a file), BITFUSION_SERVERS (a list), ~/.bitfusion/servers.conf,
// /etc/bitfusion/servers.conf. A file has one server a line, `ip`, `ip:port` or `ip port`, '#' starts a
// comment; or it is YAML, a mapping whose key `servers` is a list of {reachable: ip:port, addresses:
// [ip:port, ...]}: one server with all its addresses. A list has `ip` or `ip:port` separated by ';'. The port
// defaults to 56001; IPv6 addresses with a port stand in brackets: [fd00::7]:56001. Files are only read.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"

namespace bitfusion::cli {

constexpr uint16_t kDefaultControlPort = 56001;

struct Endpoint {
    std::string ip;
    uint16_t port = kDefaultControlPort;
    // The same server under other addresses, tried in turn where this one does not answer.
    std::vector<Endpoint> others;

    bool v6() const { return ip.find(':') != std::string::npos; }
    bool loopback() const;  // all of its addresses
    std::string text() const { return (v6() ? "[" + ip + "]" : ip) + ":" + std::to_string(port); }
    bool operator==(const Endpoint& other) const { return ip == other.ip && port == other.port; }
};

Result<Endpoint> parse_endpoint(const std::string& text);
Result<std::vector<Endpoint>> parse_server_list(const std::string& list);
Result<std::vector<Endpoint>> parse_servers_text(const std::string& text, const std::string& path);

struct ServerOptions {
    std::string list;  // --server_list
    std::string file;  // --servers
};

Result<std::vector<Endpoint>> find_servers(const ServerOptions& options);

}  // namespace bitfusion::cli
