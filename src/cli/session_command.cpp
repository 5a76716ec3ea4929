// request_gpus, client and release_gpus: one session for several commands.
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "cli/allocation.h"
#include "cli/commands.h"
#include "cli/program.h"
#include "cli/report.h"
#include "cli/session_file.h"
#include "cli/shell_words.h"

namespace bitfusion::cli {
namespace {

// For a shell to read: single quotes keep everything but themselves.
std::string quoted(const std::string& text) {
    std::string out = "'";
    for (const char c : text) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
    return out + "'";
}

bool matches(const SessionFile& session, const Allocation& wanted) {
    return wanted.gpus == 0 ||
           (session.gpus == wanted.gpus && session.memory_mib == wanted.memory_mib.value_or(0) &&
            session.fraction == wanted.fraction.value_or(0));
}

}  // namespace

int request_gpus_command(const RequestOptions& options) {
    const auto allocated = allocate(options.allocation, "request_gpus");
    if (!allocated) return kFailure;
    const Granted& granted = allocated->granted;
    const auto path = write_session_file(options.file, options.allocation, granted);
    if (!path) {
        say_error(path.error().what);
        release(granted.server, granted.id);
        return kFailure;
    }
    // Until here the GPUs go back when this process dies; from here on the file is who has them.
    if (const auto kept = keep(granted); !kept) {
        say_error(kept.error().what);
        release(granted.server, granted.id);
        unlink(path->c_str());
        return kFailure;
    }
    say_banner(granted);
    say_info("Locked " + std::to_string(granted.ordinals.size()) + " GPUs with " +
             fraction_text(options.allocation, granted) + ", configuration saved to '" + *path + "'");
    const int printed = print("export BITFUSION_SESSION_FILE=" + quoted(*path) + "\n");
    if (printed != kSuccess) {
        release(granted.server, granted.id);
        unlink(path->c_str());
    }
    return printed;
}

int client_command(const ClientOptions& options, const std::string& root) {
    offer_programs(root);
    const auto path = find_program(options.program.front());
    if (!path) {
        say_error(path.error().what);
        return path.error().code;
    }
    const auto session = read_session_file(options.file);
    if (!session) {
        say_error(session.error().what);
        return kFailure;
    }
    say_info("Running client command '" + join_words(options.program) + "' on " +
             std::to_string(session->gpus) + " GPUs, with the following servers:");
    say_info(session->data.ip + " " + std::to_string(session->data.port) + " " + session->lease + " " +
             std::to_string(session->server.port) + " " + session->version);
    say_plain("\n");
    const auto code = run_program({*path, options.program, gpu_environment(session->session, root)}, Watch());
    if (!code) say_error(code.error().what);
    return code ? *code : code.error().code;
}

int release_gpus_command(const ReleaseOptions& options) {
    const auto session = read_session_file(options.file);
    if (!session) {
        say_error(session.error().what);
        return kFailure;
    }
    if (!matches(*session, options.allocation)) {
        say_error("the options do not match those of the session " + session->path +
                  "; leave them out, or name another session with --file");
        return kFailure;
    }
    say_info("Releasing GPUs from config file '" + session->path + "'...");
    if (!release(session->server, session->lease)) return kFailure;
    if (unlink(session->path.c_str()) != 0 && errno != ENOENT)
        say_warning("cannot remove " + session->path + ": " + strerror(errno));
    say_info("Released GPUs on 1 servers and removed generated config file '" + session->path + "'");
    return kSuccess;
}

}  // namespace bitfusion::cli
