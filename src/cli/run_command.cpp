#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "cli/allocation.h"
#include "cli/commands.h"
#include "cli/program.h"
#include "cli/report.h"
#include "cli/rest_client.h"

namespace bitfusion::cli {
namespace {

constexpr rlim_t kFewOpenFiles = 1024;

// Connecting fails late and in other words when the limit is too low (spec: "cannot allocate memory").
void check_open_files() {
    rlimit limit{};
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= kFewOpenFiles) return;
    say_warning("at most " + std::to_string(limit.rlim_cur) +
                " files can be open: connecting may fail with \"cannot allocate memory\"; raise the limit "
                "with 'ulimit -n "
                "4096' or more");
}

void release_run(const Granted& granted, bool held) {
    if (!held) return;  // the server has ended the lease, or is gone
    say_info("Releasing GPUs...");
    if (release(granted.server, granted.id)) say_info("Released GPUs on 1 servers");
}

}  // namespace

int run_command(const RunOptions& options, const std::string& root) {
    offer_programs(root);
    const auto path = find_program(options.program.front());
    if (!path) {
        say_error(path.error().what);
        return path.error().code;
    }
    check_open_files();
    auto allocated = allocate(options.allocation, options.program.front());
    if (!allocated) return kFailure;
    const Granted& granted = allocated->granted;
    Hold& hold = allocated->hold;
    say_banner(granted);
    say_info("Locked " + std::to_string(granted.ordinals.size()) + " GPUs with " +
             fraction_text(options.allocation, granted));
    say_running(granted, options.program);

    bool held = true;
    const Watch watch = {hold.descriptor(), [&] {
                             held = hold.still_open();
                             if (!held) {
                                 say_warning("server " + granted.server.text() +
                                             " ended the session: the program's GPU calls fail from now on; "
                                             "see the server's log: journalctl -u bitfusion-manager.service");
                             }
                             return held;
                         }};
    const auto code = run_program({*path, options.program, gpu_environment(granted.session(), root)}, watch);
    if (!code) say_error(code.error().what);
    release_run(granted, held);
    return code ? *code : code.error().code;
}

int local_command(const LocalOptions& options, const std::string& root) {
    const auto path = find_program(options.program.front());
    if (!path) {
        say_error(path.error().what);
        return path.error().code;
    }
    // Inside of `bitfusion run` our library stands first; local means the machine's own.
    unsetenv("BITFUSION_SESSION");
    const std::string ours = root + "/lib/bitfusion/cuda";
    if (const char* libraries = getenv("LD_LIBRARY_PATH"); libraries != nullptr) {
        std::string rest = libraries;
        if (rest == ours || rest.starts_with(ours + ":")) rest.erase(0, ours.size() + 1);
        if (rest.empty())
            unsetenv("LD_LIBRARY_PATH");
        else
            setenv("LD_LIBRARY_PATH", rest.c_str(), 1);
    }
    std::vector<char*> arguments;
    for (const std::string& word : options.program) arguments.push_back(const_cast<char*>(word.c_str()));
    arguments.push_back(nullptr);
    execv(path->c_str(), arguments.data());
    say_error("cannot execute " + *path + ": " + strerror(errno) + "; check its permissions and format");
    return kNotExecutable;
}

}  // namespace bitfusion::cli
