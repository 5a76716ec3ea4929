#include "pool/filter.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <vector>

namespace bitfusion::pool {
namespace {

constexpr size_t kMostValueBytes = 255;

// How the values of a field are compared.
enum class Kind { kAddress, kPart, kVersion, kFlag, kNumber };

struct FieldName {
    std::string_view name;
    FilterField field;
    Kind kind;
};

constexpr std::array<FieldName, 9> kFields{{
    {"server.addr", FilterField::kServerAddr, Kind::kAddress},
    {"server.hostname", FilterField::kServerHostname, Kind::kPart},
    {"server.cuda-version", FilterField::kServerCudaVersion, Kind::kVersion},
    {"server.driver-version", FilterField::kServerDriverVersion, Kind::kVersion},
    {"server.has-rdma", FilterField::kServerHasRdma, Kind::kFlag},
    {"device.id", FilterField::kDeviceId, Kind::kNumber},
    {"device.name", FilterField::kDeviceName, Kind::kPart},
    {"device.phy-memory", FilterField::kDevicePhyMemory, Kind::kNumber},
    {"device.capability", FilterField::kDeviceCapability, Kind::kVersion},
}};

struct TestName {
    std::string_view name;
    FilterTest test;
};

// The long ones first: "=" begins none of them, but "!=" and ">=" end with it.
constexpr std::array<TestName, 4> kTests{{
    {"!=", FilterTest::kNotEqual},
    {">=", FilterTest::kAtLeast},
    {"<=", FilterTest::kAtMost},
    {"=", FilterTest::kEqual},
}};

const FieldName& name_of(FilterField field) {
    for (const FieldName& name : kFields) {
        if (name.field == field) return name;
    }
    __builtin_trap();
}

std::optional<uint64_t> number_of(std::string_view text) {
    uint64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return number;
}

// "11.2" as {11, 2}; nothing where a part is no number.
std::optional<std::vector<uint64_t>> version_of(std::string_view text) {
    std::vector<uint64_t> parts;
    for (;;) {
        const size_t dot = text.find('.');
        const auto part = number_of(text.substr(0, dot));
        if (!part) return std::nullopt;
        parts.push_back(*part);
        if (dot == std::string_view::npos) return parts;
        text.remove_prefix(dot + 1);
    }
}

std::string lower(std::string_view text) {
    std::string out(text);
    for (char& c : out) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    return out;
}

// -1, 0 or 1, as far as `wanted` goes; a missing part of `actual` counts as 0.
int compare_versions(std::vector<uint64_t> actual, const std::vector<uint64_t>& wanted) {
    actual.resize(wanted.size());
    if (actual == wanted) return 0;
    return actual < wanted ? -1 : 1;
}

int compare_numbers(uint64_t actual, uint64_t wanted) { return actual < wanted ? -1 : actual > wanted; }

bool passes(FilterTest test, int comparison) {
    switch (test) {
        case FilterTest::kEqual:
            return comparison == 0;
        case FilterTest::kNotEqual:
            return comparison != 0;
        case FilterTest::kAtLeast:
            return comparison >= 0;
        case FilterTest::kAtMost:
            return comparison <= 0;
    }
    return false;
}

// The address without its port; the brackets of IPv6 stay.
std::string_view host_of(std::string_view address) {
    const size_t colon = address.rfind(':');
    if (colon == std::string_view::npos || address.find(']', colon) != std::string_view::npos) return address;
    return address.substr(0, colon);
}

std::string_view fact(FilterField field, const Server& server, const Gpu& gpu) {
    switch (field) {
        case FilterField::kServerAddr:
            return server.address;
        case FilterField::kServerHostname:
            return server.hostname;
        case FilterField::kServerCudaVersion:
            return server.cuda_version;
        case FilterField::kServerDriverVersion:
            return server.driver_version;
        case FilterField::kDeviceName:
            return gpu.name;
        case FilterField::kDeviceCapability:
            return gpu.capability;
        case FilterField::kServerHasRdma:
        case FilterField::kDeviceId:
        case FilterField::kDevicePhyMemory:
            break;
    }
    return {};
}

Result<Filter> wrong(std::string_view text, const std::string& what) {
    const std::string shown(text.substr(0, kMostValueBytes));
    return fail("--filter '" + shown + "' " + what, 400);
}

std::string field_names() {
    std::string names;
    for (const FieldName& field : kFields) names += (names.empty() ? "" : ", ") + std::string(field.name);
    return names;
}

}  // namespace

Result<Filter> parse_filter(std::string_view text) {
    const size_t end = text.find_first_of("=!<>");
    if (end == std::string_view::npos)
        return wrong(text, "has no test; write FIELD=VALUE, FIELD!=VALUE, FIELD>=VALUE or FIELD<=VALUE");
    const std::string_view field_text = text.substr(0, end);
    const auto* field = std::find_if(kFields.begin(), kFields.end(),
                                     [&](const FieldName& name) { return name.name == field_text; });
    if (field == kFields.end()) return wrong(text, "names no field; the fields are " + field_names());
    const std::string_view rest = text.substr(end);
    const auto* test = std::find_if(kTests.begin(), kTests.end(),
                                    [&](const TestName& name) { return rest.starts_with(name.name); });
    if (test == kTests.end()) return wrong(text, "has no test that there is; use one of = != >= <=");
    const std::string_view value = rest.substr(test->name.size());
    const auto printable = [](char c) { return c >= ' ' && c <= '~'; };
    if (value.empty() || value.size() > kMostValueBytes ||
        !std::all_of(value.begin(), value.end(), printable))
        return wrong(text, "needs a value of 1 to 255 printable characters after the test");
    const bool ordered = test->test == FilterTest::kAtLeast || test->test == FilterTest::kAtMost;
    if (ordered && field->kind != Kind::kVersion && field->kind != Kind::kNumber)
        return wrong(text, "compares what has no order; use = or != for this field");
    if (field->kind == Kind::kNumber && !number_of(value)) return wrong(text, "needs a whole number");
    if (field->kind == Kind::kVersion && !version_of(value))
        return wrong(text, "needs a version in numbers, such as 11.2");
    if (field->kind == Kind::kFlag && value != "true" && value != "false")
        return wrong(text, "needs true or false");
    return Filter{field->field, test->test, std::string(value)};
}

std::string text_of(const Filter& filter) {
    std::string text(name_of(filter.field).name);
    for (const TestName& test : kTests) {
        if (test.test == filter.test) text += test.name;
    }
    return text + filter.value;
}

bool holds(const Filter& filter, const Server& server, const Gpu& gpu) {
    const std::string_view actual = fact(filter.field, server, gpu);
    switch (name_of(filter.field).kind) {
        case Kind::kAddress:
            return passes(filter.test, actual == filter.value || host_of(actual) == filter.value ? 0 : 1);
        case Kind::kPart:
            return passes(filter.test, lower(actual).find(lower(filter.value)) != std::string::npos ? 0 : 1);
        case Kind::kFlag:
            return passes(filter.test, server.has_rdma == (filter.value == "true") ? 0 : 1);
        case Kind::kVersion: {
            const auto has = version_of(actual);
            const auto wanted = version_of(filter.value);
            // A version that is not known is not equal to any, and neither above nor below.
            if (!has || !wanted) return filter.test == FilterTest::kNotEqual;
            return passes(filter.test, compare_versions(*has, *wanted));
        }
        case Kind::kNumber: {
            const uint64_t has = filter.field == FilterField::kDeviceId ? gpu.ordinal : gpu.memory_mib;
            const auto wanted = number_of(filter.value);
            return wanted && passes(filter.test, compare_numbers(has, *wanted));
        }
    }
    return false;
}

}  // namespace bitfusion::pool
