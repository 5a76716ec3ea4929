#include <unistd.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "cli/listing.h"
#include "cli/probe_client.h"
#include "cli/report.h"
#include "cli/rest_client.h"
#include "health/address.h"

namespace bitfusion::cli {
namespace {

using nlohmann::json;

using health::Address;

// A server's names and addresses; what is not proper is left out.
std::vector<Address> interfaces_of(const json& document) {
    constexpr size_t kMost = 16;
    std::vector<Address> all;
    const auto list = document.find("interfaces");
    if (list == document.end() || !list->is_array()) return all;
    for (const json& object : *list) {
        if (!object.is_object() || all.size() >= kMost) continue;
        const auto name = object.find("name");
        const auto ip = object.find("ip");
        const auto prefix = object.find("prefix");
        if (name == object.end() || !name->is_string() || ip == object.end() || !ip->is_string() ||
            prefix == object.end() || !prefix->is_number_unsigned() || prefix->get<uint64_t>() > 128) {
            continue;
        }
        Address address{one_line(name->get<std::string>()), ip->get<std::string>(), prefix->get<unsigned>()};
        if (health::proper(address)) all.push_back(std::move(address));
    }
    return all;
}

// Every pair in one subnet; a server without one is reached as the kernel routes.
std::vector<std::pair<Address, Address>> pairs_of(const std::vector<Address>& ours,
                                                  const std::vector<Address>& theirs,
                                                  const Endpoint& endpoint) {
    std::vector<std::pair<Address, Address>> pairs;
    for (const Address& own : ours) {
        for (const Address& other : theirs) {
            if (health::same_subnet(own, other)) pairs.emplace_back(own, other);
        }
    }
    if (!pairs.empty()) return pairs;
    Address far{"routed", endpoint.ip, 0};
    for (const Address& other : theirs) {
        if (other.ip == endpoint.ip) far.interface = other.interface;
    }
    return {{{"any", "", 0}, far}};
}

Result<Measurement> measure_pair(const Endpoint& endpoint, uint16_t port, const Address& own,
                                 const Address& other) {
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
    const auto ours = health::own_addresses(health::Loopback::kToo);
    for (const auto& [own, other] : pairs_of(ours, interfaces_of(answer->body), endpoint)) {
        json pair = {{"client_interface", own.interface},
                     {"server_interface", other.interface},
                     {"server_ip", other.ip},
                     {"kind", "tcp"}};
        const auto measured = measure_pair(endpoint, port->get<uint16_t>(), own, other);
        if (measured) {
            pair["latency_us"] = measured->small_us;
            pair["latency_1mb_us"] = measured->large_us;
            pair["bandwidth_gb_per_s"] = measured->bandwidth();
        } else {
            pair["error"] = measured.error().what;
            say_error(own.interface + " => [" + other.ip + "] " + other.interface + ": " +
                      measured.error().what + "; check the firewall for the data port");
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
