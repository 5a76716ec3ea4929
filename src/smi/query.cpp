#include "smi/query.h"

#include <algorithm>
#include <functional>
#include <sstream>

#include "smi/table.h"

namespace bitfusion::smi {
namespace {

constexpr const char* kNothing = "[N/A]";

using Value = std::optional<std::string>;

struct GpuField {
    const char* name;
    const char* other_name;  // "" where there is none
    const char* unit;        // "" where there is none
    std::function<Value(const Gpu&)> value;
};

Value number(const std::optional<unsigned>& value) {
    return value ? Value(std::to_string(*value)) : std::nullopt;
}
Value count(const std::optional<uint64_t>& value) {
    return value ? Value(std::to_string(*value)) : std::nullopt;
}
Value mebibytes(const std::optional<uint64_t>& bytes) {
    return bytes ? Value(std::to_string(*bytes >> 20)) : std::nullopt;
}
Value watts(const std::optional<unsigned>& milliwatts) {
    if (!milliwatts) return std::nullopt;
    char text[32];
    snprintf(text, sizeof text, "%u.%02u", *milliwatts / 1000, *milliwatts % 1000 / 10);
    return text;
}
Value enabled(const std::optional<bool>& state) {
    return state ? Value(*state ? "Enabled" : "Disabled") : std::nullopt;
}
Value known(const std::string& text) { return text.empty() ? Value() : Value(text); }
Value hexadecimal(const char* pattern, unsigned value) {
    char text[32];
    snprintf(text, sizeof text, pattern, value);
    return text;
}

using Gpus = const Gpu&;

const std::vector<GpuField>& gpu_fields() {
    static const std::vector<GpuField> fields = {
        {"name", "gpu_name", "", [](Gpus g) { return known(g.name); }},
        {"serial", "gpu_serial", "", [](Gpus g) { return known(g.serial); }},
        {"uuid", "gpu_uuid", "", [](Gpus g) { return known(g.uuid); }},
        {"index", "", "", [](Gpus g) { return Value(std::to_string(g.index)); }},
        {"compute_cap", "", "", [](Gpus g) { return g.capability; }},
        {"vbios_version", "", "", [](Gpus g) { return known(g.vbios); }},
        {"pci.bus_id", "gpu_bus_id", "", [](Gpus g) { return known(g.bus_id); }},
        {"pci.domain", "", "", [](Gpus g) { return hexadecimal("0x%04X", g.pci_domain); }},
        {"pci.bus", "", "", [](Gpus g) { return hexadecimal("0x%02X", g.pci_bus); }},
        {"pci.device", "", "", [](Gpus g) { return hexadecimal("0x%02X", g.pci_device); }},
        {"pci.device_id", "", "", [](Gpus g) { return hexadecimal("0x%08X", g.pci_device_id); }},
        {"pci.sub_device_id", "", "", [](Gpus g) { return hexadecimal("0x%08X", g.pci_subsystem_id); }},
        {"pcie.link.gen.current", "pcie.link.gen.gpucurrent", "",
         [](Gpus g) { return number(g.pcie_generation); }},
        {"pcie.link.gen.max", "", "", [](Gpus g) { return number(g.pcie_generation_most); }},
        {"pcie.link.width.current", "", "", [](Gpus g) { return number(g.pcie_width); }},
        {"pcie.link.width.max", "", "", [](Gpus g) { return number(g.pcie_width_most); }},
        {"persistence_mode", "", "", [](Gpus g) { return enabled(g.persistence); }},
        {"display_mode", "display_attached", "", [](Gpus g) { return enabled(g.display_attached); }},
        {"display_active", "", "", [](Gpus g) { return enabled(g.display_active); }},
        {"compute_mode", "", "", [](Gpus g) { return g.compute_mode; }},
        {"mig.mode.current", "", "", [](Gpus g) { return enabled(g.mig); }},
        {"mig.mode.pending", "", "", [](Gpus g) { return enabled(g.mig_pending); }},
        {"ecc.mode.current", "", "", [](Gpus g) { return enabled(g.ecc); }},
        {"ecc.mode.pending", "", "", [](Gpus g) { return enabled(g.ecc_pending); }},
        {"ecc.errors.corrected.volatile.total", "", "",
         [](Gpus g) { return count(g.ecc_corrected_volatile); }},
        {"ecc.errors.uncorrected.volatile.total", "", "",
         [](Gpus g) { return count(g.ecc_uncorrected_volatile); }},
        {"ecc.errors.corrected.aggregate.total", "", "",
         [](Gpus g) { return count(g.ecc_corrected_aggregate); }},
        {"ecc.errors.uncorrected.aggregate.total", "", "",
         [](Gpus g) { return count(g.ecc_uncorrected_aggregate); }},
        {"fan.speed", "", "%", [](Gpus g) { return number(g.fan_percent); }},
        {"pstate", "", "",
         [](Gpus g) {
             return g.performance_state ? Value("P" + std::to_string(*g.performance_state)) : Value();
         }},
        {"memory.total", "", "MiB", [](Gpus g) { return mebibytes(g.memory_total); }},
        {"memory.reserved", "", "MiB", [](Gpus g) { return mebibytes(g.memory_reserved); }},
        {"memory.used", "", "MiB", [](Gpus g) { return mebibytes(g.memory_used); }},
        {"memory.free", "", "MiB", [](Gpus g) { return mebibytes(g.memory_free); }},
        {"utilization.gpu", "", "%", [](Gpus g) { return number(g.utilization); }},
        {"utilization.memory", "", "%", [](Gpus g) { return number(g.utilization_memory); }},
        {"temperature.gpu", "", "", [](Gpus g) { return number(g.temperature); }},
        {"power.draw", "", "W", [](Gpus g) { return watts(g.power); }},
        {"power.limit", "", "W", [](Gpus g) { return watts(g.power_limit_requested); }},
        {"enforced.power.limit", "", "W", [](Gpus g) { return watts(g.power_limit); }},
        {"power.default_limit", "", "W", [](Gpus g) { return watts(g.power_limit_default); }},
        {"power.min_limit", "", "W", [](Gpus g) { return watts(g.power_limit_least); }},
        {"power.max_limit", "", "W", [](Gpus g) { return watts(g.power_limit_most); }},
        {"clocks.current.graphics", "clocks.gr", "MHz", [](Gpus g) { return number(g.clock[0]); }},
        {"clocks.current.sm", "clocks.sm", "MHz", [](Gpus g) { return number(g.clock[1]); }},
        {"clocks.current.memory", "clocks.mem", "MHz", [](Gpus g) { return number(g.clock[2]); }},
        {"clocks.current.video", "clocks.video", "MHz", [](Gpus g) { return number(g.clock[3]); }},
        {"clocks.max.graphics", "clocks.max.gr", "MHz", [](Gpus g) { return number(g.clock_most[0]); }},
        {"clocks.max.sm", "", "MHz", [](Gpus g) { return number(g.clock_most[1]); }},
        {"clocks.max.memory", "clocks.max.mem", "MHz", [](Gpus g) { return number(g.clock_most[2]); }},
    };
    return fields;
}

// Of the machine, not of one GPU: timestamp, driver_version, count.
bool is_of_the_machine(const std::string& name) {
    return name == "timestamp" || name == "driver_version" || name == "count";
}

std::string of_the_machine(const std::string& name, const Reading& reading, std::time_t now) {
    if (name == "driver_version") return reading.driver_version;
    if (name == "count") return std::to_string(reading.gpus.size());
    std::tm parts{};
    localtime_r(&now, &parts);
    char text[64];
    strftime(text, sizeof text, "%Y/%m/%d %H:%M:%S.000", &parts);
    return text;
}

const GpuField* gpu_field(const std::string& name) {
    for (const GpuField& field : gpu_fields()) {
        if (name == field.name || (*field.other_name != '\0' && name == field.other_name)) return &field;
    }
    return nullptr;
}

std::string with_unit(const Value& value, const std::string& unit, CsvFormat format) {
    if (!value) return kNothing;
    return format.units && !unit.empty() ? *value + " " + unit : *value;
}

std::string heading(const std::string& name, const std::string& unit) {
    return unit.empty() ? name : name + " [" + unit + "]";
}

void add_line(std::string* out, const std::vector<std::string>& cells) {
    for (size_t i = 0; i < cells.size(); ++i) *out += (i == 0 ? "" : ", ") + cells[i];
    *out += '\n';
}

Error no_field(const std::string& name, const char* option) {
    return {"Field \"" + name + "\" is not a valid field to query; see " + option, 0};
}

}  // namespace

Result<CsvFormat> parse_format(const std::string& text) {
    CsvFormat format;
    bool csv = false;
    std::istringstream words(text);
    for (std::string word; std::getline(words, word, ',');) {
        word.erase(0, word.find_first_not_of(' '));
        if (word == "csv")
            csv = true;
        else if (word == "noheader")
            format.header = false;
        else if (word == "nounits")
            format.units = false;
        else
            return fail("\"" + word + "\" is no format; use csv[,noheader][,nounits]");
    }
    if (!csv) return fail("--format needs csv: --format=csv[,noheader][,nounits]");
    return format;
}

Result<std::string> query_gpus(const Reading& reading, const std::vector<std::string>& fields,
                               CsvFormat format, std::time_t now) {
    std::vector<std::string> line;
    for (const std::string& name : fields) {
        const GpuField* field = gpu_field(name);
        if (field == nullptr && !is_of_the_machine(name))
            return tl::unexpected(no_field(name, "--help-query-gpu"));
        line.push_back(heading(name, field != nullptr ? field->unit : ""));
    }
    std::string out;
    if (format.header) add_line(&out, line);
    for (const Gpu& gpu : reading.gpus) {
        line.clear();
        for (const std::string& name : fields) {
            const GpuField* field = gpu_field(name);
            line.push_back(field != nullptr ? with_unit(field->value(gpu), field->unit, format)
                                            : of_the_machine(name, reading, now));
        }
        add_line(&out, line);
    }
    return out;
}

Result<std::string> query_processes(const Reading& reading, const std::vector<std::string>& fields,
                                    CsvFormat format) {
    const auto value_of = [](const std::string& name, const Gpu& gpu, const Process& process) -> Value {
        if (name == "pid") return std::to_string(process.pid);
        if (name == "process_name" || name == "name") return process.name;
        if (name == "used_gpu_memory" || name == "used_memory") return mebibytes(process.used_bytes);
        if (name == "gpu_name") return known(gpu.name);
        if (name == "gpu_uuid") return known(gpu.uuid);
        if (name == "gpu_bus_id") return known(gpu.bus_id);
        if (name == "gpu_serial") return known(gpu.serial);
        return std::nullopt;
    };
    constexpr const char* kNames[] = {"pid",         "process_name", "name",     "used_gpu_memory",
                                      "used_memory", "gpu_name",     "gpu_uuid", "gpu_bus_id",
                                      "gpu_serial"};
    const auto unit_of = [](const std::string& name) { return name.starts_with("used_") ? "MiB" : ""; };
    std::vector<std::string> line;
    for (const std::string& name : fields) {
        if (std::find(std::begin(kNames), std::end(kNames), name) == std::end(kNames))
            return tl::unexpected(no_field(name, "nvidia-smi --help"));
        line.push_back(heading(name, unit_of(name)));
    }
    std::string out;
    if (format.header) add_line(&out, line);
    for (const Gpu& gpu : reading.gpus) {
        for (const Process& process : gpu.processes) {
            line.clear();
            for (const std::string& name : fields)
                line.push_back(with_unit(value_of(name, gpu, process), unit_of(name), format));
            add_line(&out, line);
        }
    }
    return out;
}

std::string list_gpu_fields() {
    std::string out = "timestamp\ndriver_version\ncount\n";
    for (const GpuField& field : gpu_fields()) {
        out += heading(field.name, field.unit);
        if (*field.other_name != '\0') out += std::string("  or  ") + field.other_name;
        out += '\n';
    }
    return out;
}

}  // namespace bitfusion::smi
