#include "cli/listing.h"

#include <nlohmann/json.hpp>

#include "cli/report.h"

namespace bitfusion::cli {

using nlohmann::json;

int listing_command(const ServerOptions& servers, bool as_json, bool fresh,
                    const std::function<std::string(const std::vector<Listed>&)>& text) {
    const auto endpoints = find_servers(servers);
    if (!endpoints) {
        say_error(endpoints.error().what);
        return kFailure;
    }
    std::vector<Listed> listed;
    json list = json::array();
    bool complete = true;
    for (const Endpoint& endpoint : *endpoints) {
        auto view = ask_server(endpoint, fresh);
        json entry = {{"address", endpoint.text()}};
        if (view) {
            if (!view->inventory_error.empty())
                say_warning("server " + endpoint.text() + ": " + view->inventory_error);
            entry["server"] = view->document;
            listed.push_back({endpoint, std::move(*view)});
        } else {
            complete = false;
            say_error(view.error().what);
            entry["error"] = view.error().what;
            listed.push_back({endpoint, std::nullopt});
        }
        list.push_back(std::move(entry));
    }
    const json document = {{"schema", kListingSchema}, {"servers", std::move(list)}};
    const int printed =
        print(as_json ? document.dump(2, ' ', false, json::error_handler_t::replace) + "\n" : text(listed));
    return complete ? printed : kFailure;
}

}  // namespace bitfusion::cli
