#include <algorithm>
#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "cli/listing.h"
#include "cli/report.h"

namespace bitfusion::cli {

using nlohmann::json;

int config_command(const std::vector<ConfigRow>& rows, bool as_json) {
    if (as_json) {
        json list = json::array();
        for (const ConfigRow& row : rows)
            list.push_back({{"key", row.key},
                            {"value", row.value},
                            {"origin", row.origin},
                            {"environment", row.environment}});
        return print(json{{"schema", kListingSchema}, {"settings", std::move(list)}}.dump(2) + "\n");
    }
    size_t key_width = 0;
    size_t value_width = 0;
    for (const ConfigRow& row : rows) {
        key_width = std::max(key_width, row.key.size());
        value_width = std::max(value_width, row.value.size());
    }
    std::string text;
    for (const ConfigRow& row : rows) {
        text += row.key + std::string(key_width - row.key.size() + 2, ' ') + row.value +
                std::string(value_width - row.value.size() + 2, ' ') + row.origin + "\n";
    }
    return print(text);
}

}  // namespace bitfusion::cli
