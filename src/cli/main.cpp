// The executable: the CLI, and the daemon behind `bitfusion manager`. The only file that knows both rooms.
#include <unistd.h>

#include <boost/system/system_error.hpp>
#include <climits>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <iostream>
#include <optional>
#include <string>

#include "base/log.h"
#include "cli/commands.h"
#include "cli/report.h"
#include "cli/servers.h"
#include "daemon/init.h"
#include "daemon/manager.h"

namespace {

using namespace bitfusion;  // NOLINT: the composition root

// <root>/bin/bitfusion is running; everything else is found from <root>.
Result<std::string> installation_root() {
    char path[PATH_MAX];
    const ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);
    if (length <= 0) return fail("cannot find the installation: /proc/self/exe is not readable; mount /proc");
    std::string root(path, static_cast<size_t>(length));
    for (int level = 0; level < 2; ++level) root.resize(std::min(root.size(), root.rfind('/')));
    return root;
}

std::vector<cli::ServiceFlag> service_flags() {
    std::vector<cli::ServiceFlag> flags;
    for (const daemon::SettingRow& row : daemon::setting_rows())
        flags.push_back({row.key, row.fallback, row.help});
    return flags;
}

std::optional<std::string> variable(const std::string& name) {
    const char* value = getenv(name.c_str());
    return value == nullptr ? std::nullopt : std::optional<std::string>(value);
}

Result<daemon::Values> settings_file(const cli::ManagerOptions& options) {
    const bool named = !options.config.empty();
    return daemon::read_settings_file(named ? options.config : daemon::kDefaultSettingsFile, named);
}

Result<daemon::Settings> settings_of(const cli::ManagerOptions& options) {
    const auto file = settings_file(options);
    if (!file) return tl::unexpected(Error{file.error().what, cli::kFailure});
    auto settings = daemon::resolve_settings(options.flags, variable, *file);
    if (!settings) return tl::unexpected(Error{settings.error().what, cli::kUsage});
    return settings;
}

int manager(const cli::ManagerOptions& options, const std::string& root) {
    const auto settings = settings_of(options);
    if (!settings) {
        cli::say_error(settings.error().what);
        return settings.error().code;
    }
    if (getenv("BITFUSION_LOG") == nullptr) log::configure("warn,daemon=info,identity=info");
    const auto served =
        daemon::run_manager(*settings, {BITFUSION_VERSION, root + "/lib/bitfusion/bitfusion-worker"});
    if (served) return cli::kSuccess;
    cli::say_error(served.error().what);
    return cli::kFailure;
}

// Its first word: what `bitfusion servers invite` printed.
std::string invitation_from(const std::string& path) {
    std::string text;
    if (path == "-") {
        std::cin >> text;
    } else {
        std::ifstream in(path);
        in >> text;
    }
    return text;
}

int init(const cli::InitOptions& options) {
    const auto settings = settings_of(options.manager);
    if (!settings) {
        cli::say_error(settings.error().what);
        return settings.error().code;
    }
    daemon::InitOptions wanted;
    wanted.client_dir = options.client_dir.empty() ? daemon::usual_client_folder() : options.client_dir;
    wanted.names = options.names;
    wanted.authority_dir = options.authority;
    if (!options.join.empty() || !options.invitation.empty()) {
        const auto address = cli::parse_endpoint(options.join);
        if (!address) {
            cli::say_error("--join: " + address.error().what);
            return cli::kUsage;
        }
        wanted.join = address->text();
        wanted.invitation = invitation_from(options.invitation);
    }
    const auto done = daemon::initialise(*settings, wanted);
    if (!done) {
        cli::say_error(done.error().what);
        return cli::kFailure;
    }
    if (!wanted.join.empty()) {
        std::string text = "This server is of the pool of " + wanted.join + " now.\nWritten:\n";
        for (const std::string& file : done->files) text += "  " + file + "\n";
        return cli::print(text + "Next: start the manager with the pool's store: bitfusion manager --etcd " +
                          done->etcd + "\n");
    }
    std::string text = "The pool is begun. Administrator's token: " + done->token_id + "\nWritten:\n";
    for (const std::string& file : done->files) text += "  " + file + "\n";
    return cli::print(
        text +
        "Next: start the manager (bitfusion manager), then make a bundle for each client: bitfusion token "
        "create --bundle client.tar\n");
}

int config(const cli::ConfigOptions& options) {
    const auto file = settings_file(options.manager);
    if (!file) {
        cli::say_error(file.error().what);
        return cli::kFailure;
    }
    std::vector<cli::ConfigRow> rows;
    for (const daemon::SettingOrigin& row : daemon::explain_settings(options.manager.flags, variable, *file))
        rows.push_back({row.key, row.value, row.origin, row.environment});
    const int printed = cli::config_command(rows, options.json);
    const auto settings = daemon::resolve_settings(options.manager.flags, variable, *file);
    if (settings) return printed;
    cli::say_error(settings.error().what);
    return cli::kUsage;
}

struct Dispatch {
    const std::string& root;

    int operator()(const cli::RunOptions& options) const { return cli::run_command(options, root); }
    int operator()(const cli::RequestOptions& options) const { return cli::request_gpus_command(options); }
    int operator()(const cli::ClientOptions& options) const { return cli::client_command(options, root); }
    int operator()(const cli::ReleaseOptions& options) const { return cli::release_gpus_command(options); }
    int operator()(const cli::AdminOptions& options) const { return cli::admin_command(options); }
    int operator()(const cli::InitOptions& options) const { return init(options); }
    int operator()(const cli::ConfigOptions& options) const { return config(options); }
    int operator()(const cli::NothingOptions& options) const { return cli::print(options.text); }
    int operator()(const cli::LocalOptions& options) const { return cli::local_command(options, root); }
    int operator()(const cli::ListOptions& options) const { return cli::list_gpus_command(options); }
    int operator()(const cli::SmiOptions& options) const { return cli::smi_command(options); }
    int operator()(const cli::VersionOptions& options) const { return cli::version_command(options); }
    int operator()(const cli::HelpOptions& options) const { return cli::print(options.text); }
    int operator()(const cli::LookCommand& command) const { return cli::look_command(command, root); }
    int operator()(const cli::ManagerOptions& options) const { return manager(options, root); }
};

int run(int count, char** arguments) {
    const auto command = cli::parse_command_line(
        std::vector<std::string>(arguments + (count > 0 ? 1 : 0), arguments + count), service_flags());
    if (!command) {
        cli::say_error(command.error().what);
        return cli::kUsage;
    }
    const auto root = installation_root();
    if (!root) {
        cli::say_error(root.error().what);
        return cli::kFailure;
    }
    return std::visit(Dispatch{*root}, *command);
}

}  // namespace

int main(int count, char** arguments) {
    try {
        return run(count, arguments);
    } catch (const boost::system::system_error& error) {
        // Boost.Asio cannot be made without descriptors; this is how it says so.
        const bool files = error.code() == boost::system::errc::too_many_files_open;
        cli::say_error(
            files ? "cannot allocate memory: too many files are open; raise the limit with 'ulimit -n "
                    "4096' or more"
                  : std::string("internal error: ") + error.what() + "; please report it");
        return cli::kFailure;
    } catch (const std::exception& error) {
        cli::say_error(std::string("internal error: ") + error.what() + "; please report it");
        return cli::kFailure;
    }
}
