#include "cli/options.h"

#include <CLI/CLI.hpp>
#include <charconv>
#include <cmath>

#include "cli/help_text.h"
#include "cli/shell_words.h"

namespace bitfusion::cli {
namespace {

constexpr uint64_t kMostGpus = 64;
constexpr uint64_t kMostMemoryMib = UINT64_C(1) << 40;

struct Raw {
    std::string gpus, memory, partition, timeout, list, file, topic, config, session, client_dir, authority,
        join, invitation;
    std::vector<std::string> words;
    std::vector<std::string> filters;
    std::vector<std::string> names;
    std::map<std::string, std::string> flags;
    bool json = false;
};

void add_server_options(CLI::App* command, Raw* raw) {
    command->add_option("-l,--server_list", raw->list, "servers to use instead: \"ip:port;ip:port\"");
    command->add_option("-s,--servers", raw->file, "path of another servers.conf");
}

void add_json(CLI::App* command, Raw* raw) { command->add_flag("--json", raw->json, "print JSON"); }

// One CLI11 tree for parsing and for `help <command>`.
class Tree {
  public:
    explicit Tree(const std::vector<ServiceFlag>& service_flags)
        : app_("Run application with Bitfusion", "bitfusion"), look_(app_) {
        app_.require_subcommand(0, 1);
        add_run();
        add_session();
        CLI::App* local =
            add("local", "",
                "Runs an application on this machine's own CUDA driver, without Bitfusion's library.\n"
                "bitfusion local -- app args…   or   bitfusion local \"app args…\"");
        add_program(local);
        CLI::App* list =
            add("list_gpus", "", "Lists servers and GPUs in the pool, and what is free of them.");
        add_server_options(list, &raw_);
        add_json(list, &raw_);
        CLI::App* smi = add("smi", "", "Displays smi-like tables for all servers.");
        add_server_options(smi, &raw_);
        add_json(smi, &raw_);
        add_json(add("version", "v", "Displays the version."), &raw_);
        add("help", "h", "Shows a list of commands or help for one command.")
            ->add_option("command", raw_.topic, "the command to explain");
        add_manager(
            service_flags, "manager", "",
            "Runs the service that owns this server's GPUs. A value comes from the flag, else from the\n"
            "environment (BITFUSION_CONTROL_PORT for --control-port), else from the settings file.");
        add_manager(service_flags, "resource_scheduler", "srs",
                    "Runs the service without analytics (manager --roles server,scheduler).");
        add_manager(service_flags, "server", "s",
                    "Runs the service as a server alone (manager --roles server).");
        add_manager(service_flags, "analytics", "",
                    "Runs the service without GPUs, to look at others (manager --roles analytics).");
        CLI::App* init = add_manager(
            service_flags, "init", "",
            "Begins a pool: its authority, this server's certificate, and the administrator's token, which "
            "is\n"
            "written with the authority into --client-dir. Run it once, on the pool's first server.");
        init->add_option("--client-dir", raw_.client_dir,
                         "folder for the administrator's client files; ~/.bitfusion without it");
        init->add_option("--name", raw_.names, "another name or address of this server; may be repeated")
            ->take_all();
        init->add_option(
            "--authority", raw_.authority,
            "state folder (ca.crt, ca.key) of the pool that this server joins, instead of a new pool");
        init->add_option(
            "--join", raw_.join,
            "control address of a server of the pool that this one joins, instead of a new pool");
        init->add_option("--invitation", raw_.invitation,
                         "file with the pool's invitation (bitfusion servers invite), -: standard input");
        CLI::App* config = add_manager(
            service_flags, "config", "",
            "bitfusion config show: every setting of the manager, its value and where it comes from.");
        config->add_option("verb", raw_.topic, "show")->required();
        add_json(config, &raw_);
    }

    CLI::App* add_manager(const std::vector<ServiceFlag>& service_flags, const char* name, const char* alias,
                          const char* text) {
        CLI::App* manager = add(name, alias, text);
        manager->add_option("--config", raw_.config, "settings file (YAML, the keys are the flags' names)")
            ->default_str("/etc/bitfusion/bitfusion-manager.yaml");
        for (const ServiceFlag& flag : service_flags) {
            auto* option = manager->add_option_function<std::string>(
                "--" + flag.name,
                [this, name = flag.name](const std::string& value) { raw_.flags[name] = value; }, flag.help);
            if (!flag.fallback.empty()) option->default_str(flag.fallback);
        }
        return manager;
    }

    CLI::App& app() { return app_; }
    Raw& raw() { return raw_; }
    const LookTree& look() const { return look_; }

  private:
    CLI::App* add(const std::string& name, const std::string& alias, const std::string& text) {
        CLI::App* command = app_.add_subcommand(name, text);
        if (!alias.empty()) command->alias(alias);
        return command;
    }

    void add_program(CLI::App* command) {
        command->add_option("application", raw_.words, "one command line in quotes, or the program after --");
        command->positionals_at_end();
    }

    void add_allocation(CLI::App* command) {
        command->add_option("-n", raw_.gpus, "number of GPUs, all of one server (required)");
        command->add_option("-m", raw_.memory,
                            "partition: MiB of each GPU; all of its memory without -m and -p");
        command->add_option(
            "-p", raw_.partition,
            "partition: fraction of the smallest GPU's memory, > 0.0 and <= 1.0; above 1 it means MB");
        command
            ->add_option(
                "-t,--timeout", raw_.timeout,
                "how long to wait for GPUs to become free: seconds, or with s, m, h; 0 does not wait")
            ->default_str("30m");
        command
            ->add_option("--filter", raw_.filters,
                         "only such servers and GPUs, for example device.name=Tesla or "
                         "server.cuda-version>=12; may be "
                         "repeated")
            ->take_all();
        add_server_options(command, &raw_);
    }

    void add_session() {
        CLI::App* request = add("request_gpus", "",
                                "Requests GPUs of one server for a session of several commands (bitfusion "
                                "client), until release_gpus.\n"
                                "The session is written to a file; standard output has the variables that "
                                "hand it on to other tools:\n"
                                "eval \"$(bitfusion request_gpus -n 1)\"");
        add_allocation(request);
        request->add_option("-f,--file", raw_.session,
                            "file to write the session to; a new file of /tmp without it");
        CLI::App* client =
            add("client", "c",
                "Runs an application on the GPUs of a session (bitfusion request_gpus).\n"
                "bitfusion client [options] -- app args…   or   bitfusion client \"app args…\"");
        client->add_option(
            "-f,--file", raw_.session,
            "file of the session; without it BITFUSION_SESSION_FILE, or the only session of this user");
        add_program(client);
        CLI::App* release =
            add("release_gpus", "",
                "Ends a session. Options must match a previous request_gpus command, or name its file.");
        release->add_option(
            "-f,--file", raw_.session,
            "file of the session; without it BITFUSION_SESSION_FILE, or the only session of this user");
        add_allocation(release);
    }

    void add_run() {
        CLI::App* run = add(
            "run", "",
            "Requests GPUs of one server, runs an application on them, then releases them.\n"
            "bitfusion run -n N [options] -- app args…   or   bitfusion run -n N [options] \"app args…\"\n"
            "The quoted form is split as a shell does (quotes and backslashes) and nothing in it is "
            "expanded.\n"
            "The application's standard output is its own: the banner and log lines go to standard error.\n"
            "The exit code is the application's, or 128 plus the number of the signal that ended it; 126 and "
            "127\n"
            "mean that it cannot be executed or was not found, and that nothing was allocated.");
        add_allocation(run);
        add_program(run);
    }

    Raw raw_;
    CLI::App app_;
    LookTree look_;
};

Result<uint64_t> whole_number(const std::string& text, uint64_t least, uint64_t most,
                              const std::string& flag) {
    uint64_t value = 0;
    const char* end = text.data() + text.size();
    const auto [at, error] = std::from_chars(text.data(), end, value);
    if (text.empty() || error != std::errc{} || at != end || value < least || value > most) {
        return fail(flag + " is '" + text + "': give a whole number from " + std::to_string(least) + " to " +
                    std::to_string(most));
    }
    return value;
}

Status parse_partition(const Raw& raw, Allocation* options) {
    if (!raw.memory.empty() && !raw.partition.empty())
        return fail("-m and -p were both given: give one of them");
    if (!raw.memory.empty()) {
        auto memory = whole_number(raw.memory, 1, kMostMemoryMib, "-m");
        if (!memory) return tl::unexpected(memory.error());
        options->memory_mib = *memory;
    }
    if (raw.partition.empty()) return {};
    double value = 0;
    const char* end = raw.partition.data() + raw.partition.size();
    const auto [at, error] = std::from_chars(raw.partition.data(), end, value);
    if (error != std::errc{} || at != end || !std::isfinite(value) || value <= 0.0) {
        return fail("-p is '" + raw.partition +
                    "': give a fraction > 0.0 and <= 1.0, such as 0.5, or -m for MiB");
    }
    if (value <= 1.0) {
        options->fraction = value;
        return {};
    }
    auto memory = whole_number(raw.partition, 1, kMostMemoryMib, "-p");
    if (!memory) return fail(memory.error().what + " of MB, or a fraction > 0.0 and <= 1.0");
    options->memory_mib = *memory;
    return {};
}

Result<std::vector<std::string>> program_of(const Raw& raw,
                                            const std::optional<std::vector<std::string>>& after,
                                            const std::string& command) {
    const std::string usage = "write: bitfusion " + command + " -- app args";
    if (after) {
        if (!raw.words.empty()) return fail("'" + raw.words.front() + "' stands before --; " + usage);
        if (after->empty() || after->front().empty()) return fail("no application after --; " + usage);
        return *after;
    }
    if (raw.words.size() > 1)
        return fail("several arguments without --; " + usage + ", or put the whole command in quotes");
    if (raw.words.empty()) return fail("no application was given; " + usage);
    auto words = split_words(raw.words.front());
    if (!words) return words;
    if (words->empty() || words->front().empty()) return fail("the application is empty; " + usage);
    return words;
}

Result<Allocation> allocation_of(const Raw& raw, const std::string& example) {
    Allocation options;
    if (raw.gpus.empty()) return fail("-n is missing: say how many GPUs, for example bitfusion " + example);
    auto gpus = whole_number(raw.gpus, 1, kMostGpus, "-n");
    if (!gpus) return tl::unexpected(gpus.error());
    options.gpus = static_cast<uint32_t>(*gpus);
    if (auto partition = parse_partition(raw, &options); !partition) return tl::unexpected(partition.error());
    if (!raw.timeout.empty()) {
        auto timeout = parse_timeout(raw.timeout);
        if (!timeout) return tl::unexpected(timeout.error());
        options.timeout = *timeout;
    }
    options.filters = raw.filters;
    options.servers = {raw.list, raw.file};
    return options;
}

Result<Command> run_of(const Raw& raw, const std::optional<std::vector<std::string>>& after) {
    auto allocation = allocation_of(raw, "run -n 1 -- app args");
    if (!allocation) return tl::unexpected(allocation.error());
    auto program = program_of(raw, after, "run -n N");
    if (!program) return tl::unexpected(program.error());
    return RunOptions{std::move(*allocation), std::move(*program)};
}

Result<Command> release_of(const Raw& raw) {
    ReleaseOptions options;
    options.file = raw.session;
    if (raw.gpus.empty()) return options;
    auto allocation = allocation_of(raw, "release_gpus -n 1");
    if (!allocation) return tl::unexpected(allocation.error());
    options.allocation = std::move(*allocation);
    return options;
}

// Commands of the original whose work is done elsewhere or not at all.
std::optional<NothingOptions> nothing_of(const std::string& name) {
    if (name == "register" || name == "unregister")
        return NothingOptions{
            "There is no plug-in to register: every manager serves the pool's REST API itself.\n"};
    if (name == "initdb")
        return NothingOptions{
            "There is no database to set up: the manager makes its own (bitfusion init).\n"};
    return std::nullopt;
}

Result<Command> help_of(Tree& tree, const std::string& topic) {
    if (const std::string noun = admin_noun(topic); !noun.empty()) return HelpOptions{admin_help(noun)};
    if (topic.empty()) return HelpOptions{overview_text()};
    if (const auto nothing = nothing_of(topic)) return HelpOptions{nothing->text};
    if (topic == "removenode")
        return HelpOptions{
            "bitfusion removenode ID: removes a server that is gone (servers remove --force ID).\n"};
    try {
        return HelpOptions{tree.app().get_subcommand(topic)->help("bitfusion")};
    } catch (const CLI::Error&) {
        return fail("'" + topic + "' is not a command; see the list: bitfusion help");
    }
}

Result<Command> command_of(Tree& tree, const std::string& name,
                           const std::optional<std::vector<std::string>>& after) {
    const Raw& raw = tree.raw();
    if (name == "run") return run_of(raw, after);
    if (name == "client") {
        auto program = program_of(raw, after, "client");
        if (!program) return tl::unexpected(program.error());
        return ClientOptions{raw.session, std::move(*program)};
    }
    if (name == "local") {
        auto program = program_of(raw, after, "local");
        if (!program) return tl::unexpected(program.error());
        return LocalOptions{std::move(*program)};
    }
    if (after)
        return fail("'" + name + "' runs no application; remove -- and what follows, see: bitfusion help " +
                    name);
    if (name == "request_gpus") {
        auto allocation = allocation_of(raw, "request_gpus -n 1");
        if (!allocation) return tl::unexpected(allocation.error());
        return RequestOptions{std::move(*allocation), raw.session};
    }
    if (name == "release_gpus") return release_of(raw);
    if (tree.look().has(name)) {
        auto command = tree.look().command_of(name);
        if (!command) return tl::unexpected(command.error());
        return std::move(*command);
    }
    if (name == "list_gpus") return ListOptions{{raw.list, raw.file}, raw.json};
    if (name == "smi") return SmiOptions{{raw.list, raw.file}, raw.json};
    if (name == "version") return VersionOptions{raw.json};
    if (name == "manager") return ManagerOptions{raw.flags, raw.config};
    if (name == "resource_scheduler" || name == "server" || name == "analytics") {
        ManagerOptions options{raw.flags, raw.config};
        options.flags.emplace("roles", name == "resource_scheduler" ? "server,scheduler" : name);
        return options;
    }
    if (name == "init")
        return InitOptions{{raw.flags, raw.config}, raw.client_dir, raw.names,
                           raw.authority,           raw.join,       raw.invitation};
    if (name == "config") {
        if (raw.topic != "show")
            return fail("config has no verb '" + raw.topic + "'; write: bitfusion config show");
        return ConfigOptions{{raw.flags, raw.config}, raw.json};
    }
    return help_of(tree, raw.topic);
}

}  // namespace

Result<std::chrono::seconds> parse_timeout(const std::string& text) {
    uint64_t unit = 1;
    std::string digits = text;
    const char last = text.empty() ? '\0' : text.back();
    if (last == 's' || last == 'm' || last == 'h') {
        unit = last == 'h' ? 3600 : last == 'm' ? 60 : 1;
        digits.pop_back();
    }
    const auto value = whole_number(digits, 0, 1000000, "--timeout");
    if (!value)
        return fail("--timeout is '" + text +
                    "': give whole seconds, or a number with s, m or h, such as 10m");
    return std::chrono::seconds(static_cast<int64_t>(*value * unit));
}

Result<Command> parse_command_line(const std::vector<std::string>& arguments,
                                   const std::vector<ServiceFlag>& service_flags) {
    std::vector<std::string> ours;
    std::optional<std::vector<std::string>> after;
    for (auto at = arguments.begin(); at != arguments.end(); ++at) {
        if (*at == "--") {
            after.emplace(at + 1, arguments.end());
            break;
        }
        ours.push_back(*at);
    }
    if (ours.empty()) return HelpOptions{overview_text()};
    if (ours.front() == "--help" || ours.front() == "-h") return HelpOptions{overview_text()};
    if (ours.front() == "--version" || ours.front() == "-v") return VersionOptions{};

    if (!admin_noun(ours.front()).empty()) {
        auto admin = parse_admin(ours);
        if (!admin) return tl::unexpected(admin.error());
        return std::move(*admin);
    }
    if (ours.front() == "removenode") {
        ours = {"servers", "remove", "--force", ours.size() > 1 ? ours[1] : ""};
        auto admin = parse_admin(ours);
        if (!admin) return tl::unexpected(admin.error());
        return std::move(*admin);
    }
    if (const auto nothing = nothing_of(ours.front())) return *nothing;

    Tree tree(service_flags);
    std::string name;
    for (const CLI::App* command : tree.app().get_subcommands({})) {
        if (command->check_name(ours.front())) name = command->get_name();
    }
    if (name.empty()) return fail("'" + ours.front() + "' is not a command; see the list: bitfusion help");
    std::vector<std::string> reversed(ours.rbegin(), ours.rend());
    try {
        tree.app().parse(reversed);
    } catch (const CLI::CallForHelp&) {
        return help_of(tree, name);
    } catch (const CLI::Error& error) {
        std::string what = error.what();
        for (char& c : what) c = c == '\n' ? ' ' : c;
        return fail(name + ": " + what + "; see: bitfusion help " + name);
    }
    return command_of(tree, name, after);
}

}  // namespace bitfusion::cli
