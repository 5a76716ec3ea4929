#include "health/report.h"

#include <array>
#include <nlohmann/json.hpp>

namespace bitfusion::health {
namespace {

using nlohmann::json;

std::string cell(const json& row, const char* key) {
    const auto found = row.find(key);
    std::string text = found != row.end() && found->is_string() ? found->get<std::string>() : "?";
    for (char& c : text) {
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
    }
    return text;
}

std::string padded(std::string text, size_t width) {
    if (text.size() < width) text.append(width - text.size(), ' ');
    return text + "  ";
}

std::string row_text(const std::array<std::string, 4>& cells) {
    return padded(cells[0], 8) + padded(cells[1], 16) + padded(cells[2], 16) + cells[3] + "\n";
}

}  // namespace

json to_json(const std::vector<Checked>& results) {
    json rows = json::array();
    for (const Checked& result : results) {
        rows.push_back({{"status", text_of(result.finding.verdict)},
                        {"type", text_of(result.check->type)},
                        {"name", result.check->name},
                        {"details", result.finding.details},
                        {"counted", result.counted}});
    }
    return {{"status", text_of(overall(results))}, {"checks", std::move(rows)}};
}

std::string table(const json& report) {
    const auto rows = report.is_object() ? report.find("checks") : report.end();
    if (rows == report.end() || !rows->is_array()) return "";
    std::string text = row_text({"Status", "Type", "Name", "Details"});
    for (const json& row : *rows) {
        if (!row.is_object()) return "";
        const auto counted = row.find("counted");
        const bool off = counted != row.end() && counted->is_boolean() && !counted->get<bool>();
        text += row_text({cell(row, "status"), cell(row, "type"), cell(row, "name"),
                          (off ? "(not counted) " : "") + cell(row, "details")});
    }
    return text;
}

}  // namespace bitfusion::health
