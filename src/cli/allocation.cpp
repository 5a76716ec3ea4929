#include "cli/allocation.h"

#include <pwd.h>
#include <signal.h>
#include <sys/random.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <ctime>
#include <nlohmann/json.hpp>

#include "cli/program.h"
#include "cli/report.h"
#include "cli/rest_client.h"
#include "cli/shell_words.h"

namespace bitfusion::cli {
namespace {

using nlohmann::json;
using Clock = std::chrono::steady_clock;

constexpr size_t kTicketDigits = 64;
constexpr timespec kAskAgainEvery = {0, 500000000};

std::string user_name() {
    const passwd* entry = getpwuid(geteuid());
    return entry != nullptr ? entry->pw_name : std::to_string(geteuid());
}

bool is_digits(const std::string& text, size_t count) {
    return text.size() == count && text.find_first_not_of("0123456789abcdef") == std::string::npos;
}

bool is_uuid(const std::string& text) {
    return text.size() == 36 && text.find_first_not_of("0123456789abcdef-") == std::string::npos;
}

std::string random_digits(size_t bytes) {
    std::string out;
    std::vector<uint8_t> random(bytes);
    size_t at = 0;
    while (at < bytes) {
        const ssize_t got = getrandom(random.data() + at, bytes - at, 0);
        if (got > 0) at += static_cast<size_t>(got);
    }
    constexpr char kDigits[] = "0123456789abcdef";
    for (const uint8_t byte : random) {
        out += kDigits[byte >> 4];
        out += kDigits[byte & 15];
    }
    return out;
}

std::string random_uuid() {
    std::string text = random_digits(16);
    text[12] = '4';
    text[16] = "89ab"[text[16] & 3];
    for (const size_t place : {8u, 13u, 18u, 23u}) text.insert(place, "-");
    return text;
}

// A server of the list, and what became of the request there.
struct Candidate {
    Endpoint server;
    size_t index = 0;
    ServerView view;
    int64_t idle_limit_minutes = 0;
    std::string claim;   // id, while it waits there
    std::string ticket;  // of this claim
    std::string said;    // what the user was told of its waiting
};

uint64_t needed_mib(const Allocation& wanted, const GpuView& gpu) {
    if (wanted.memory_mib) return *wanted.memory_mib;
    if (wanted.fraction) return static_cast<uint64_t>(static_cast<double>(gpu.memory_mib) * *wanted.fraction);
    return gpu.memory_mib;
}

// Servers with room first, and of those the fullest, so that whole GPUs stay free elsewhere.
std::pair<int, uint64_t> rank(const Allocation& wanted, const ServerView& view) {
    uint32_t fitting = 0;
    uint64_t free = 0;
    for (const GpuView& gpu : view.gpus) {
        free += gpu.free_mib;
        fitting += gpu.free_mib >= needed_mib(wanted, gpu) ? 1 : 0;
    }
    const int order = fitting >= wanted.gpus ? 0 : view.gpus.size() >= wanted.gpus ? 1 : 2;
    return {order, free};
}

class Search {
  public:
    Search(const Allocation& wanted, const AllocationFor& purpose) : wanted_(wanted), purpose_(purpose) {}

    // The servers that answer, best first.
    bool look() {
        const auto servers = find_servers(wanted_.servers);
        if (!servers) {
            say_error(servers.error().what);
            return false;
        }
        std::vector<Error> errors;
        for (size_t i = 0; i < servers->size(); ++i) {
            auto candidate = ask_candidate((*servers)[i], i);
            if (candidate)
                candidates_.push_back(std::move(*candidate));
            else
                errors.push_back(candidate.error());
        }
        if (candidates_.empty()) {
            say_none(errors);
            return false;
        }
        for (const Error& error : errors) say_warning(error.what.substr(0, error.what.find('\n')));
        std::stable_sort(candidates_.begin(), candidates_.end(), [&](const Candidate& a, const Candidate& b) {
            return rank(wanted_, a.view) < rank(wanted_, b.view);
        });
        return true;
    }

    // A signal that comes meanwhile ends the asking, and with it this process, but leaves no claim behind.
    std::optional<Granted> ask() {
        sigset_t before;
        sigemptyset(&ends_);
        for (const int number : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&ends_, number);
        sigprocmask(SIG_BLOCK, &ends_, &before);
        auto granted = submit_everywhere();
        if (granted) {
            cancel_others(granted->id);
        } else if (waiting()) {
            granted = wait();
        } else {
            for (const std::string& line : refusals_) say_error(line);
        }
        sigprocmask(SIG_SETMASK, &before, nullptr);
        return granted;
    }

    void say_choice(const Granted& granted) const {
        std::string list;
        for (const Candidate& candidate : candidates_)
            list += (list.empty() ? "" : " ") + candidate.server.text();
        std::string ordinals;
        for (const uint64_t ordinal : granted.ordinals)
            ordinals += (ordinals.empty() ? "" : " ") + std::to_string(ordinal);
        say_info("Choosing GPUs from server list [" + list + "]");
        say_info("Requesting GPUs [" + ordinals + "] with " + std::to_string(granted.smallest_mib) +
                 " MiB of memory from server " + std::to_string(granted.index) + ", with version " +
                 granted.version + "...");
    }

  private:
    Result<Candidate> ask_candidate(const Endpoint& server, size_t index) {
        Candidate candidate;
        candidate.server = server;
        candidate.index = index;
        say_info("Query server " + server.text() + " gpu availability");
        auto view = ask_server(server, false);
        if (!view) return tl::unexpected(view.error());
        candidate.view = std::move(*view);
        const auto claimed = ask_id(server);
        if (!claimed) return tl::unexpected(claimed.error());
        candidate.idle_limit_minutes = *claimed;
        return candidate;
    }

    Result<int64_t> ask_id(const Endpoint& server) {
        const auto answer = ::bitfusion::cli::ask(server, Method::kPost, "/v1/claim_id", json::object());
        if (!answer) return tl::unexpected(answer.error());
        const auto limit = answer->body.find("idle_limit_minutes");
        return limit != answer->body.end() && limit->is_number_integer() ? limit->get<int64_t>() : 0;
    }

    void say_none(const std::vector<Error>& errors) const {
        bool refused = !errors.empty();
        for (const Error& error : errors) {
            refused = refused && error.code == kRefusedIdentity;
            if (error.code == kRefusedIdentity)
                say_warning(error.what);
            else
                say_error(error.what);
        }
        if (refused)
            say_plain("Error: none of the servers responded correctly to client id claim requests.\n");
    }

    json request_of(const Candidate& candidate, const std::string& id) const {
        char host[256] = "";
        gethostname(host, sizeof host - 1);
        json request = {{"id", id},
                        {"ticket", candidate.ticket},
                        {"gpus", wanted_.gpus},
                        {"hold", !purpose_.persistent},
                        {"persistent", purpose_.persistent},
                        {"timeout_s", wanted_.timeout.count()},
                        {"filters", wanted_.filters},
                        {"client",
                         {{"host", host},
                          {"pid", static_cast<uint64_t>(getpid())},
                          {"user", user_name()},
                          {"program", purpose_.program}}}};
        if (wanted_.memory_mib) request["memory_mib"] = *wanted_.memory_mib;
        if (wanted_.fraction) request["fraction"] = *wanted_.fraction;
        return request;
    }

    std::optional<Granted> submit(Candidate* candidate, std::vector<std::string>* refusals) {
        candidate->ticket = random_digits(kTicketDigits / 2);
        const std::string id = random_uuid();
        const auto answer =
            ::bitfusion::cli::ask(candidate->server, Method::kPost, "/v1/leases", request_of(*candidate, id));
        if (!answer) {
            refusals->push_back(answer.error().what);
            return std::nullopt;
        }
        if (answer->status == 202) {
            candidate->claim = id;
            say_waiting(candidate, answer->body);
            return std::nullopt;
        }
        if (answer->status != 201) {
            refusals->push_back("server " + candidate->server.text() + ": " + refusal_text(*answer));
            return std::nullopt;
        }
        return read_grant(*candidate, answer->body, refusals);
    }

    // Everything that goes into the program's environment or into a path is checked here.
    std::optional<Granted> read_grant(const Candidate& candidate, const json& body,
                                      std::vector<std::string>* refusals) const {
        Granted granted;
        granted.server = candidate.server;
        granted.index = candidate.index;
        granted.version = candidate.view.version;
        granted.ticket = candidate.ticket;
        granted.idle_limit_minutes = candidate.idle_limit_minutes;
        try {
            granted.id = body.at("id").get<std::string>();
            granted.memory_mib = body.at("memory_mib").get<uint64_t>();
            granted.pin = body.value("pin", "");
            const auto data = parse_endpoint(body.at("data_address").get<std::string>());
            for (const json& device : body.at("devices")) {
                const auto ordinal = device.at("ordinal").get<uint64_t>();
                const auto memory = device.at("memory_mib").get<uint64_t>();
                granted.smallest_mib =
                    granted.ordinals.empty() ? memory : std::min(granted.smallest_mib, memory);
                granted.ordinals.push_back(ordinal);
            }
            if (data && is_uuid(granted.id) &&
                (granted.pin.empty() || is_digits(granted.pin, kTicketDigits)) && !granted.ordinals.empty()) {
                granted.data = *data;
                granted.smallest_gpu_mib = smallest_gpu(candidate.view, granted.ordinals);
                return granted;
            }
        } catch (const json::exception&) {
        }
        refusals->push_back(
            not_a_manager(candidate.server, "its grant lacks an id, data_address or devices").what);
        return std::nullopt;
    }

    static uint64_t smallest_gpu(const ServerView& view, const std::vector<uint64_t>& ordinals) {
        uint64_t smallest = 0;
        for (const GpuView& gpu : view.gpus) {
            const bool ours = std::find(ordinals.begin(), ordinals.end(),
                                        static_cast<uint64_t>(gpu.ordinal)) != ordinals.end();
            if (ours && (smallest == 0 || gpu.memory_mib < smallest)) smallest = gpu.memory_mib;
        }
        return smallest;
    }

    void say_waiting(Candidate* candidate, const json& body) const {
        const auto number = [&](const char* key) {
            const auto found = body.find(key);
            return found != body.end() && found->is_number_unsigned() ? std::to_string(found->get<uint64_t>())
                                                                      : "?";
        };
        const auto text = body.find("text");
        const std::string why = text != body.end() && text->is_string() ? text->get<std::string>() : "";
        const std::string now = "place " + number("place") + " of " + number("waiting") +
                                " in the queue of server " + candidate->server.text() + ": " + why;
        if (now == candidate->said) return;
        candidate->said = now;
        say_info("Waiting up to " + std::to_string(wanted_.timeout.count()) + " s for GPUs, " + now);
    }

    std::optional<Granted> submit_everywhere() {
        for (Candidate& candidate : candidates_) {
            auto granted = submit(&candidate, &refusals_);
            if (granted) return granted;
        }
        return std::nullopt;
    }

    bool waiting() const {
        return std::any_of(candidates_.begin(), candidates_.end(),
                           [](const Candidate& candidate) { return !candidate.claim.empty(); });
    }

    std::optional<Granted> wait() {
        refusals_.clear();
        while (waiting()) {
            const int ended_by = sigtimedwait(&ends_, nullptr, &kAskAgainEvery);
            if (ended_by > 0) {
                cancel_others("");
                sigprocmask(SIG_UNBLOCK, &ends_, nullptr);
                raise(ended_by);
            }
            for (Candidate& candidate : candidates_) {
                if (candidate.claim.empty()) continue;
                auto granted = ask_again(&candidate, &refusals_);
                if (!granted) continue;
                cancel_others(granted->id);
                return granted;
            }
        }
        for (const std::string& line : refusals_) say_error(line);
        return std::nullopt;
    }

    std::optional<Granted> ask_again(Candidate* candidate, std::vector<std::string>* refusals) {
        const auto answer =
            ::bitfusion::cli::ask(candidate->server, Method::kGet, "/v1/claims/" + candidate->claim);
        if (!answer && answer.error().code == kUnreachable && ++unreachable_ < kMostUnreachable)
            return std::nullopt;
        unreachable_ = 0;
        if (!answer || answer->status != 200) {
            candidate->claim.clear();
            refusals->push_back(answer ? "server " + candidate->server.text() + ": " + refusal_text(*answer)
                                       : answer.error().what);
            return std::nullopt;
        }
        if (answer->body.value("state", "") != "granted") {
            say_waiting(candidate, answer->body);
            return std::nullopt;
        }
        return read_grant(*candidate, answer->body, refusals);
    }

    void cancel_others(const std::string& id) {
        for (Candidate& candidate : candidates_) {
            if (candidate.claim.empty() || candidate.claim == id) continue;
            // It may have been granted meanwhile.
            const auto cancelled =
                ::bitfusion::cli::ask(candidate.server, Method::kDelete, "/v1/claims/" + candidate.claim);
            if (cancelled && cancelled->status != 200)
                ::bitfusion::cli::ask(candidate.server, Method::kDelete, "/v1/leases/" + candidate.claim);
            candidate.claim.clear();
        }
    }

    static constexpr int kMostUnreachable = 60;
    const Allocation& wanted_;
    const AllocationFor& purpose_;
    std::vector<Candidate> candidates_;
    std::vector<std::string> refusals_;
    sigset_t ends_{};
    int unreachable_ = 0;
};

}  // namespace

std::string Granted::session() const { return data.text() + "/" + ticket + (pin.empty() ? "" : "/" + pin); }

std::optional<Granted> allocate(const Allocation& wanted, const AllocationFor& purpose) {
    Search search(wanted, purpose);
    if (!search.look()) return std::nullopt;
    auto granted = search.ask();
    if (granted) search.say_choice(*granted);
    return granted;
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
    if (answer && (answer->status == 200 || answer->status == 404)) return true;
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
