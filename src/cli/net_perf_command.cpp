#include <arpa/inet.h>
#include <unistd.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "cli/listing.h"
#include "cli/probe_client.h"
#include "cli/report.h"
#include "cli/rest_client.h"
#include "health/node.h"

namespace bitfusion::cli {
namespace {

using nlohmann::json;

struct Interface {
    std::string name;
    std::string ip;
    unsigned prefix = 32;
};

std::string ip_text(uint32_t ip) {
    const in_addr address{htonl(ip)};
    char text[INET_ADDRSTRLEN] = "";
    inet_ntop(AF_INET, &address, text, sizeof text);
    return text;
}

std::vector<Interface> own_interfaces() {
    health::Node node;
    health::observe(&node);
    std::vector<Interface> all = {{"lo", "127.0.0.1", 8}};
    for (const health::Address& address : node.addresses)
        all.push_back({address.interface, ip_text(address.ip), address.prefix});
    return all;
}

// A server's names and addresses; what is not proper is left out.
std::vector<Interface> interfaces_of(const json& document) {
    constexpr size_t kMost = 16;
    std::vector<Interface> all;
    const auto list = document.find("interfaces");
    if (list == document.end() || !list->is_array()) return all;
    for (const json& object : *list) {
        if (!object.is_object() || all.size() >= kMost) continue;
        const auto name = object.find("name");
        const auto ip = object.find("ip");
        const auto prefix = object.find("prefix");
        if (name == object.end() || !name->is_string() || ip == object.end() || !ip->is_string() ||
            prefix == object.end() || !prefix->is_number_unsigned() || prefix->get<uint64_t>() > 32 ||
            !parse_endpoint(ip->get<std::string>())) {
            continue;
        }
        all.push_back({one_line(name->get<std::string>()), ip->get<std::string>(), prefix->get<unsigned>()});
    }
    return all;
}

bool same_subnet(const Interface& a, const Interface& b) {
    in_addr first{}, second{};
    inet_pton(AF_INET, a.ip.c_str(), &first);
    inet_pton(AF_INET, b.ip.c_str(), &second);
    const unsigned prefix = std::max(a.prefix, b.prefix);
    const uint32_t mask = prefix == 0 ? 0 : ~uint32_t{0} << (32 - prefix);
    return (ntohl(first.s_addr) & mask) == (ntohl(second.s_addr) & mask);
}

// Every pair in one subnet; a server without one is reached as the kernel routes.
std::vector<std::pair<Interface, Interface>> pairs_of(const std::vector<Interface>& ours,
                                                      const std::vector<Interface>& theirs,
                                                      const Endpoint& endpoint) {
    std::vector<std::pair<Interface, Interface>> pairs;
    for (const Interface& own : ours) {
        for (const Interface& other : theirs) {
            if (same_subnet(own, other)) pairs.emplace_back(own, other);
        }
    }
    if (!pairs.empty()) return pairs;
    Interface far{"routed", endpoint.ip, 32};
    for (const Interface& other : theirs) {
        if (other.ip == endpoint.ip) far.name = other.name;
    }
    return {{{"any", "", 0}, far}};
}

Result<Measurement> measure_pair(const Endpoint& endpoint, uint16_t port, const Interface& own,
                                 const Interface& other) {
    const auto granted = ask(endpoint, Method::kPost, "/v1/probes");
    if (!granted) return tl::unexpected(granted.error());
    const auto ticket = granted->body.find("ticket");
    if (granted->status != 201 || ticket == granted->body.end() || !ticket->is_string())
        return fail(refusal_text(*granted));
    const auto secret = wire::ticket_from_hex(ticket->get<std::string>());
    if (!secret) return tl::unexpected(secret.error());
    std::optional<link::Pin> pin;
    if (const auto told = granted->body.find("pin"); told != granted->body.end()) {
        const auto read = link::pin_from_hex(told->is_string() ? told->get<std::string>() : "");
        if (!read) return tl::unexpected(read.error());
        pin = *read;
    }
    return measure(own.ip, other.ip, port, *secret, pin);
}

// All pairs of one server; what failed is in "error".
json measure_server(const Endpoint& endpoint, bool* complete) {
    json row = {{"address", endpoint.text()}, {"pairs", json::array()}};
    const auto give_up = [&](const Error& why) {
        say_error(why.what);
        row["error"] = why.what;
        *complete = false;
        return row;
    };
    const auto answer = ask(endpoint, Method::kGet, "/v1/interfaces");
    if (!answer) return give_up(answer.error());
    const auto port = answer->body.find("data_port");
    if (answer->status != 200 || port == answer->body.end() || !port->is_number_unsigned() ||
        port->get<uint64_t>() > 65535) {
        return give_up(not_a_manager(endpoint, "it tells no interfaces"));
    }
    for (const auto& [own, other] : pairs_of(own_interfaces(), interfaces_of(answer->body), endpoint)) {
        json pair = {{"client_interface", own.name},
                     {"server_interface", other.name},
                     {"server_ip", other.ip},
                     {"kind", "tcp"}};
        const auto measured = measure_pair(endpoint, port->get<uint16_t>(), own, other);
        if (measured) {
            pair["latency_us"] = measured->small_us;
            pair["latency_1mb_us"] = measured->large_us;
            pair["bandwidth_gb_per_s"] = measured->bandwidth();
        } else {
            pair["error"] = measured.error().what;
            say_error(own.name + " => [" + other.ip + "] " + other.name + ": " + measured.error().what +
                      "; check the firewall for the data port");
            *complete = false;
        }
        row["pairs"].push_back(std::move(pair));
    }
    return row;
}

std::string host_name() {
    char name[256] = "";
    return gethostname(name, sizeof name - 1) == 0 ? name : "client";
}

}  // namespace

std::string net_perf_text(const std::string& client, const json& document) {
    std::string text =
        "Displayed results are calculated from round-trip measurements\n"
        "BW(1MB) = 1000/(LAT(1MB) - LAT(1B))\n";
    for (const json& server : document["servers"]) {
        for (const json& pair : server["pairs"]) {
            if (pair.contains("error")) continue;
            char figures[96];
            snprintf(figures, sizeof figures, "Single packet lat = %ld us, bw(1MB) = %.2f GB/s",
                     std::lround(pair["latency_us"].get<double>()), pair["bandwidth_gb_per_s"].get<double>());
            text += "[ " + client + "] " + pair["client_interface"].get<std::string>() + " => [" +
                    pair["server_ip"].get<std::string>() + "] " +
                    pair["server_interface"].get<std::string>() + " ( " + pair["kind"].get<std::string>() +
                    ") " + figures + "\n";
        }
    }
    return text;
}

int net_perf_command(const NetPerfOptions& options) {
    const auto endpoints = find_servers(options.servers);
    if (!endpoints) {
        say_error(endpoints.error().what);
        return kFailure;
    }
    json document = {{"schema", kListingSchema}, {"client", host_name()}, {"servers", json::array()}};
    bool complete = true;
    for (const Endpoint& endpoint : *endpoints)
        document["servers"].push_back(measure_server(endpoint, &complete));
    const int printed =
        print(options.json ? document.dump(2, ' ', false, json::error_handler_t::replace) + "\n"
                           : net_perf_text(host_name(), document));
    return complete ? printed : kFailure;
}

}  // namespace bitfusion::cli
