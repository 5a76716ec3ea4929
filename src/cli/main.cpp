// The executable: the CLI, and the daemon behind `bitfusion manager`. The only file that knows both rooms.
#include <unistd.h>

#include <climits>
#include <cstdlib>
#include <exception>
#include <string>

#include "base/log.h"
#include "cli/commands.h"
#include "cli/report.h"
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

int manager(const cli::ManagerOptions& options, const std::string& root) {
    const bool named = !options.config.empty();
    const auto file =
        daemon::read_settings_file(named ? options.config : daemon::kDefaultSettingsFile, named);
    if (!file) {
        cli::say_error(file.error().what);
        return cli::kFailure;
    }
    const auto environment = [](const std::string& name) -> std::optional<std::string> {
        const char* value = getenv(name.c_str());
        return value == nullptr ? std::nullopt : std::optional<std::string>(value);
    };
    const auto settings = daemon::resolve_settings(options.flags, environment, *file);
    if (!settings) {
        cli::say_error(settings.error().what);
        return cli::kUsage;
    }
    if (getenv("BITFUSION_LOG") == nullptr) log::configure("warn,daemon=info");
    const auto served =
        daemon::run_manager(*settings, {BITFUSION_VERSION, root + "/lib/bitfusion/bitfusion-worker"});
    if (served) return cli::kSuccess;
    cli::say_error(served.error().what);
    return cli::kFailure;
}

struct Dispatch {
    const std::string& root;

    int operator()(const cli::RunOptions& options) const { return cli::run_command(options, root); }
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
    } catch (const std::exception& error) {
        cli::say_error(std::string("internal error: ") + error.what() + "; please report it");
        return cli::kFailure;
    }
}
