#include "cli/options.h"

#include <gtest/gtest.h>

#include "cli/help_text.h"

namespace bitfusion::cli {
namespace {

using Words = std::vector<std::string>;

const std::vector<ServiceFlag> kFlags = {{"listen", "127.0.0.1", "address"}, {"port-file", "", "file"}};

template <typename T>
T parsed(const Words& arguments) {
    const auto command = parse_command_line(arguments, kFlags);
    if (!command || !std::holds_alternative<T>(*command)) {
        ADD_FAILURE() << (command ? "another command" : command.error().what);
        return {};
    }
    return std::get<T>(*command);
}

std::string refused(const Words& arguments) {
    const auto command = parse_command_line(arguments, kFlags);
    if (command) {
        ADD_FAILURE() << "accepted";
        return "";
    }
    EXPECT_EQ(command.error().what.find('\n'), std::string::npos) << command.error().what;
    return command.error().what;
}

TEST(Options, RunWithBothSpellings) {
    const auto one = parsed<RunOptions>({"run", "-n", "2", "-m", "1024", "--", "app", "-n", "7", "--", "x"});
    EXPECT_EQ(one.allocation.gpus, 2u);
    EXPECT_EQ(one.allocation.memory_mib, 1024u);
    EXPECT_EQ(one.program, (Words{"app", "-n", "7", "--", "x"}));
    const auto other = parsed<RunOptions>({"run", "-n", "1", "-p", "0.37", "python 'a b.py' -x"});
    EXPECT_EQ(other.allocation.fraction, 0.37);
    EXPECT_EQ(other.program, (Words{"python", "a b.py", "-x"}));
    EXPECT_FALSE(other.allocation.memory_mib);
}

TEST(Options, RunServersAndTimeout) {
    const auto run = parsed<RunOptions>(
        {"run", "-n", "1", "-t", "10m", "-l", "10.0.0.1;10.0.0.2", "-s", "/tmp/servers", "--", "app"});
    EXPECT_EQ(run.allocation.timeout, std::chrono::minutes(10));
    EXPECT_EQ(run.allocation.servers.list, "10.0.0.1;10.0.0.2");
    EXPECT_EQ(run.allocation.servers.file, "/tmp/servers");
    EXPECT_EQ(parsed<RunOptions>({"run", "-n", "1", "--timeout", "10", "app"}).allocation.timeout,
              std::chrono::seconds(10));
    EXPECT_EQ(parsed<RunOptions>({"run", "-n", "1", "app"}).allocation.timeout, std::chrono::minutes(30));
    EXPECT_EQ(*parse_timeout("10s"), std::chrono::seconds(10));
    EXPECT_EQ(*parse_timeout("10h"), std::chrono::hours(10));
    for (const char* wrong : {"", "s", "10d", "-1", "1.5"}) EXPECT_FALSE(parse_timeout(wrong)) << wrong;
}

TEST(Options, APartitionAboveOneIsMegabytes) {
    EXPECT_EQ(parsed<RunOptions>({"run", "-n", "1", "-p", "5461", "app"}).allocation.memory_mib, 5461u);
    EXPECT_EQ(parsed<RunOptions>({"run", "-n", "1", "-p", "1", "app"}).allocation.fraction, 1.0);
    refused({"run", "-n", "1", "-p", "1.5", "app"});
}

TEST(Options, WhatRunRefuses) {
    EXPECT_NE(refused({"run", "app"}).find("-n is missing"), std::string::npos);
    for (const char* wrong : {"0", "-1", "65", "x", "1.5", "99999999999999999999"})
        refused({"run", std::string("-n=") + wrong, "app"});
    for (const char* wrong : {"0", "-0.5", "nan", "inf", "x", "0.5x", "1e400"})
        refused({"run", "-n", "1", "-p", wrong, "--", "app"});
    refused({"run", "-n", "1", "-m", "0", "app"});
    refused({"run", "-n", "1", "-m", "1G", "app"});
    refused({"run", "-n", "1", "-m", "1", "-p", "0.5", "app"});
    refused({"run", "-n", "1"});
    refused({"run", "-n", "1", "--"});
    refused({"run", "-n", "1", ""});
    refused({"run", "-n", "1", "app", "arg"});
    refused({"run", "-n", "1", "app", "--", "arg"});
    refused({"run", "-n", "1", "--colour", "--", "app"});
    refused({"run", "-n", "1", "'open"});
}

TEST(Options, AliasesAndHelp) {
    parsed<VersionOptions>({"v"});
    EXPECT_TRUE(parsed<VersionOptions>({"version", "--json"}).json);
    EXPECT_EQ(parsed<HelpOptions>({}).text, overview_text());
    EXPECT_EQ(parsed<HelpOptions>({"h"}).text, overview_text());
    EXPECT_EQ(parsed<HelpOptions>({"--help"}).text, overview_text());
    const std::string run = parsed<HelpOptions>({"help", "run"}).text;
    EXPECT_NE(run.find("--timeout"), std::string::npos);
    EXPECT_EQ(parsed<HelpOptions>({"run", "--help"}).text, run);
    EXPECT_NE(parsed<HelpOptions>({"help", "manager"}).text.find("127.0.0.1"), std::string::npos);
    EXPECT_NE(refused({"help", "nonsense"}).find("bitfusion help"), std::string::npos);
    EXPECT_NE(refused({"nonsense"}).find("bitfusion help"), std::string::npos);
}

TEST(Options, EveryListedCommandHasDetailAndParses) {
    for (const CommandGroup& group : command_groups()) {
        for (const CommandRow& row : group.rows) {
            const std::string names = row.names;
            const std::string name = names.substr(0, names.find(','));
            EXPECT_FALSE(parsed<HelpOptions>({"help", name}).text.empty()) << name;
            const size_t comma = names.find(", ");
            if (comma != std::string::npos) parsed<HelpOptions>({"help", names.substr(comma + 2)});
        }
    }
}

TEST(Options, HelpHasTheLayoutOfTheGuide) {
    const std::string text = overview_text();
    EXPECT_EQ(text.find("NAME:\n    bitfusion - "), 0u);
    EXPECT_NE(text.find("\nUSAGE:\n   bitfusion <command> <options> \"application\"\n"
                        "   bitfusion <command> <options> -- [application]\n   bitfusion help [command]\n"),
              std::string::npos);
    EXPECT_NE(text.find("\n        version, v       Display full Bitfusion version\n"), std::string::npos);
    EXPECT_NE(text.find("\n   Client Commands:\n"), std::string::npos);
    EXPECT_NE(text.find("\n        manager                  Run Bitfusion manager server\n"),
              std::string::npos);
    EXPECT_NE(text.find("\nEXAMPLES:\n   $ bitfusion "), std::string::npos);
}

TEST(Options, ManagerKeepsOnlyWhatWasGiven) {
    const auto manager =
        parsed<ManagerOptions>({"manager", "--listen", "0.0.0.0", "--config", "/tmp/m.yaml"});
    EXPECT_EQ(manager.flags.size(), 1u);
    EXPECT_EQ(manager.flags.at("listen"), "0.0.0.0");
    EXPECT_EQ(manager.config, "/tmp/m.yaml");
    refused({"manager", "--colour", "red"});
    refused({"manager", "--", "x"});
}

TEST(Options, Local) {
    EXPECT_EQ(parsed<LocalOptions>({"local", "--", "a", "b"}).program, (Words{"a", "b"}));
}

}  // namespace
}  // namespace bitfusion::cli
