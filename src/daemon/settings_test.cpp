#include "daemon/settings.h"

#include <gtest/gtest.h>

namespace bitfusion::daemon {
namespace {

std::optional<std::string> nothing(const std::string&) { return std::nullopt; }

TEST(Settings, Defaults) {
    const auto settings = resolve_settings({}, nothing, {});
    ASSERT_TRUE(settings) << settings.error().what;
    EXPECT_EQ(settings->listen, "127.0.0.1");
    EXPECT_EQ(settings->control_port, 56001);
    EXPECT_EQ(settings->data_port, 55001);
    EXPECT_EQ(settings->backend, "auto");
    EXPECT_EQ(settings->software_memory, UINT64_C(4) << 30);
    EXPECT_EQ(settings->software_capability, 89u);
    EXPECT_EQ(settings->software_launch_limit, std::chrono::seconds(0));
    EXPECT_EQ(settings->auto_release_timeout, std::chrono::minutes(10));
    EXPECT_EQ(settings->mapped_memory, UINT64_C(8) << 30);
}

TEST(Settings, FlagBeatsEnvironmentBeatsFileBeatsDefault) {
    const auto environment = [](const std::string& name) -> std::optional<std::string> {
        if (name == "BITFUSION_CONTROL_PORT") return "2";
        if (name == "BITFUSION_DATA_PORT") return "2";
        return std::nullopt;
    };
    const Values file = {{"control-port", "1"}, {"data-port", "1"}, {"software-gpus", "7"}};
    const auto settings = resolve_settings({{"control-port", "3"}}, environment, file);
    ASSERT_TRUE(settings) << settings.error().what;
    EXPECT_EQ(settings->control_port, 3);
    EXPECT_EQ(settings->data_port, 2);
    EXPECT_EQ(settings->software_gpus, 7u);
}

TEST(Settings, AWrongValueNamesItsOrigin) {
    const auto settings = resolve_settings({}, nothing, {{"control-port", "70000"}});
    ASSERT_FALSE(settings);
    EXPECT_NE(settings.error().what.find("control-port in the settings file is '70000'"), std::string::npos)
        << settings.error().what;
    EXPECT_FALSE(resolve_settings({{"listen", "localhost"}}, nothing, {}));
    EXPECT_FALSE(resolve_settings({{"backend", "cuda"}}, nothing, {}));
    EXPECT_FALSE(resolve_settings({{"software-memory", "4XB"}}, nothing, {}));
    for (const char* wrong : {"9", "9.", ".9", "4.9", "13.0", "8.10", "8.x"})
        EXPECT_FALSE(resolve_settings({{"software-capability", wrong}}, nothing, {})) << wrong;
    EXPECT_EQ(resolve_settings({{"software-capability", "9.0"}}, nothing, {})->software_capability, 90u);
    EXPECT_FALSE(resolve_settings({{"auto-release-timeout", "0"}}, nothing, {}));
    for (const char* wrong : {"", "-1", "1G1", "8193MiB", "99999999999999999999"})
        EXPECT_FALSE(resolve_settings({{"mapped-memory", wrong}}, nothing, {})) << wrong;
    EXPECT_EQ(resolve_settings({{"mapped-memory", "0"}}, nothing, {})->mapped_memory, 0u);
    EXPECT_EQ(resolve_settings({{"mapped-memory", "20MiB"}}, nothing, {})->mapped_memory, UINT64_C(20) << 20);
}

TEST(Settings, YamlFile) {
    const auto values = parse_settings_text("backend: soft\nsoftware-gpus: 2\nport-file:\n", "f.yaml");
    ASSERT_TRUE(values) << values.error().what;
    EXPECT_EQ(values->at("backend"), "soft");
    EXPECT_EQ(values->at("software-gpus"), "2");
    EXPECT_EQ(values->at("port-file"), "");
    EXPECT_TRUE(parse_settings_text("", "f.yaml")->empty());
    EXPECT_FALSE(parse_settings_text("colour: red\n", "f.yaml"));
    EXPECT_FALSE(parse_settings_text("- a\n", "f.yaml"));
    EXPECT_FALSE(parse_settings_text("backend: [soft]\n", "f.yaml"));
    EXPECT_FALSE(parse_settings_text("backend: [soft\n", "f.yaml"));
}

TEST(Settings, AnErrorOfTheFileNamesItsLine) {
    const auto unknown = parse_settings_text("backend: soft\n\ncolour: red\n", "f.yaml");
    ASSERT_FALSE(unknown);
    EXPECT_NE(unknown.error().what.find("f.yaml line 3 has the unknown key 'colour'"), std::string::npos)
        << unknown.error().what;
    const auto wrong = parse_settings_text("# ports\ncontrol-port: 70000\n", "f.yaml");
    ASSERT_FALSE(wrong);
    EXPECT_NE(wrong.error().what.find("f.yaml line 2: control-port is '70000'"), std::string::npos)
        << wrong.error().what;
}

TEST(Settings, InsecureIsForLoopbackOnly) {
    EXPECT_TRUE(resolve_settings({{"insecure", "true"}}, nothing, {}));
    EXPECT_TRUE(resolve_settings({{"insecure", "true"}, {"listen", "::1"}}, nothing, {}));
    EXPECT_FALSE(resolve_settings({{"insecure", "true"}, {"listen", "0.0.0.0"}}, nothing, {}));
    EXPECT_FALSE(resolve_settings({{"insecure", "perhaps"}}, nothing, {}));
    EXPECT_TRUE(resolve_settings({{"listen", "::"}}, nothing, {}));
}

TEST(Settings, ExplainsWhereEachComesFrom) {
    const auto environment = [](const std::string& name) -> std::optional<std::string> {
        if (name == "BITFUSION_DATA_PORT") return "2";
        return std::nullopt;
    };
    std::map<std::string, std::string> origins;
    for (const SettingOrigin& row :
         explain_settings({{"control-port", "3"}}, environment, {{"backend", "soft"}}))
        origins[row.key] = row.value + " " + row.origin;
    EXPECT_EQ(origins["control-port"], "3 flag");
    EXPECT_EQ(origins["data-port"], "2 environment");
    EXPECT_EQ(origins["backend"], "soft file");
    EXPECT_EQ(origins["listen"], "127.0.0.1 default");
    EXPECT_EQ(origins.size(), setting_rows().size());
}

TEST(Settings, DurationsAndSizes) {
    EXPECT_EQ(*parse_duration("10"), std::chrono::seconds(10));
    EXPECT_EQ(*parse_duration("10m"), std::chrono::minutes(10));
    EXPECT_EQ(*parse_duration("2h"), std::chrono::hours(2));
    for (const char* wrong : {"", "m", "10x", "-1", "1.5m", "99999999999999999999"})
        EXPECT_FALSE(parse_duration(wrong)) << wrong;
    EXPECT_EQ(*parse_bytes("512MiB"), UINT64_C(512) << 20);
    EXPECT_EQ(*parse_bytes("4G"), UINT64_C(4) << 30);
    EXPECT_EQ(*parse_bytes("17"), 17u);
    for (const char* wrong : {"", "GiB", "4 GiB", "4GB", "1048577T", "99999999999999999999"})
        EXPECT_FALSE(parse_bytes(wrong)) << wrong;
}

}  // namespace
}  // namespace bitfusion::daemon
