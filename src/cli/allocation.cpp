#include "cli/allocation.h"

#include <cstdlib>

#include "cli/program.h"
#include "cli/report.h"
#include "cli/rest_client.h"
#include "cli/search.h"
#include "cli/shell_words.h"

namespace bitfusion::cli {

std::string Granted::session() const { return data.text() + "/" + ticket + (pin.empty() ? "" : "/" + pin); }

std::optional<Allocated> allocate(const Allocation& wanted, const std::string& program) {
    Search search(wanted, program);
    if (!search.look()) return std::nullopt;
    for (;;) {
        auto granted = search.ask();
        if (!granted) return std::nullopt;
        search.say_choice(*granted);
        auto hold = Hold::open(granted->server, granted->id);
        if (hold) return Allocated{std::move(*granted), std::move(*hold)};
        // Who refuses us, or is of another pool, is not ill.
        const int code = hold.error().code;
        const bool ill = code != kRefusedIdentity && code != kWrongAuthority;
        if (!ill || !search.can_do_without(*granted)) {
            say_error(hold.error().what);
            release(granted->server, granted->id);
            return std::nullopt;
        }
        const std::string why = hold.error().what.substr(0, hold.error().what.find_first_of(";\n"));
        say_warning("the GPUs of server " + granted->server.text() + " are given back (" + why +
                    ") and asked for again without that server");
        search.leave_out(*granted);
    }
}

Status keep(const Granted& granted) {
    const auto answer = ask(granted.server, Method::kPut, "/v1/leases/" + granted.id, {{"persistent", true}});
    if (!answer) return tl::unexpected(answer.error());
    if (answer->status == 200) return {};
    return fail("server " + granted.server.text() + " does not keep the GPUs: " + refusal_text(*answer));
}

std::string fraction_text(const Allocation& wanted, const Granted& granted) {
    if (granted.memory_mib == 0) return "full memory";
    char text[32] = "";
    if (wanted.fraction) {
        snprintf(text, sizeof text, "%g", *wanted.fraction);
        return std::string("partial memory ") + text;
    }
    if (granted.smallest_gpu_mib == 0) return std::to_string(granted.memory_mib) + " MiB";
    snprintf(text, sizeof text, "%.3g",
             static_cast<double>(granted.memory_mib) / static_cast<double>(granted.smallest_gpu_mib));
    return std::string("partial memory ") + text;
}

void say_banner(const Granted& granted) {
    say_plain("Requested resources:\nServer List: " + granted.server.text() +
              "\nClient idle timeout: " + std::to_string(granted.idle_limit_minutes) + " min\n");
}

void say_running(const Granted& granted, const std::vector<std::string>& program) {
    say_info("Running client command '" + join_words(program) + "' on " +
             std::to_string(granted.ordinals.size()) + " GPUs, with the following servers:");
    say_info(granted.data.ip + " " + std::to_string(granted.data.port) + " " + granted.id + " " +
             std::to_string(granted.server.port) + " " + granted.version);
    say_plain("\n");
}

bool release(const Endpoint& server, const std::string& lease) {
    const auto answer = ask(server, Method::kDelete, "/v1/leases/" + lease);
    // 202: its server is down and takes the GPUs back when it is there again.
    if (answer && (answer->status == 200 || answer->status == 202 || answer->status == 404)) return true;
    say_warning(answer ? "server " + server.text() + ": " + refusal_text(*answer) : answer.error().what);
    return false;
}

void offer_programs(const std::string& root) {
    const char* const before = getenv("PATH");
    const std::string path = before != nullptr ? before : "/usr/local/bin:/usr/bin:/bin";
    setenv("PATH", (path + ":" + root + "/lib/bitfusion/bin").c_str(), 1);
}

std::vector<std::string> gpu_environment(const std::string& session, const std::string& root) {
    std::string libraries = root + "/lib/bitfusion/cuda";
    if (const char* before = getenv("LD_LIBRARY_PATH"); before != nullptr && *before != '\0')
        libraries += ":" + std::string(before);
    return environment_with({"LD_LIBRARY_PATH=" + libraries, "BITFUSION_SESSION=" + session});
}

}  // namespace bitfusion::cli
