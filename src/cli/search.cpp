#include "cli/search.h"

#include <pwd.h>
#include <sys/random.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <ctime>

#include "cli/report.h"

namespace bitfusion::cli {
namespace {

using nlohmann::json;
using Clock = std::chrono::steady_clock;

constexpr size_t kTicketDigits = 64;
constexpr timespec kAskAgainEvery = {0, 500000000};
constexpr auto kLookAgainEvery = std::chrono::seconds(10);
// Half a second apart: longer than servers need to elect another that schedules.
constexpr int kMostFailures = 60;
constexpr unsigned kTryLater = 503;
constexpr size_t kMostFilters = 32;  // of a request

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

uint64_t smallest_gpu(const ServerView& view, const std::vector<uint64_t>& ordinals) {
    uint64_t smallest = 0;
    for (const GpuView& gpu : view.gpus) {
        const bool ours =
            std::find(ordinals.begin(), ordinals.end(), static_cast<uint64_t>(gpu.ordinal)) != ordinals.end();
        if (ours && (smallest == 0 || gpu.memory_mib < smallest)) smallest = gpu.memory_mib;
    }
    return smallest;
}

struct Claimed {
    std::string client;  // as the pool knows this machine
    int64_t idle_limit_minutes = 0;
};

Result<Claimed> claim_id(const Endpoint& server) {
    const auto answer = ::bitfusion::cli::ask(server, Method::kPost, "/v1/claim_id", json::object());
    if (!answer) return tl::unexpected(answer.error());
    Claimed claimed;
    const auto client = answer->body.find("client");
    if (client != answer->body.end() && client->is_string()) claimed.client = client->get<std::string>();
    const auto limit = answer->body.find("idle_limit_minutes");
    if (limit != answer->body.end() && limit->is_number_integer())
        claimed.idle_limit_minutes = limit->get<int64_t>();
    return claimed;
}

}  // namespace

bool Search::look() {
    const auto servers = find_servers(wanted_.servers);
    if (!servers) {
        say_error(servers.error().what);
        return false;
    }
    std::vector<Error> errors;
    std::vector<Candidate> found;
    for (size_t i = 0; i < servers->size(); ++i) {
        auto candidate = ask_candidate((*servers)[i], i);
        if (candidate) {
            found.push_back(std::move(*candidate));
            continue;
        }
        if (candidate.error().code == kUnreachable) absent_.push_back({(*servers)[i], i});
        errors.push_back(candidate.error());
    }
    if (found.empty()) {
        say_none(errors);
        return false;
    }
    for (const Error& error : errors) say_warning(error.what.substr(0, error.what.find('\n')));
    std::stable_sort(found.begin(), found.end(), [&](const Candidate& a, const Candidate& b) {
        return rank(wanted_, a.view) < rank(wanted_, b.view);
    });
    for (Candidate& candidate : found) add(std::move(candidate));
    return true;
}

void Search::add(Candidate candidate) {
    const std::string pool = candidate.view.pool.empty() ? candidate.server.text() : candidate.view.pool;
    candidates_.push_back(std::move(candidate));
    for (Group& group : groups_) {
        if (group.pool != pool) continue;
        group.servers.push_back(candidates_.size() - 1);
        return;
    }
    Group group;
    group.pool = pool;
    group.servers = {candidates_.size() - 1};
    groups_.push_back(std::move(group));
}

std::optional<Granted> Search::ask() {
    sigset_t before;
    sigemptyset(&ends_);
    for (const int number : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&ends_, number);
    sigprocmask(SIG_BLOCK, &ends_, &before);
    // Rounded up: a request that may wait at all is not refused for a moment's lack.
    const auto gone = begun_ ? Clock::now() - *begun_ : Clock::duration::zero();
    left_ =
        std::max(std::chrono::seconds(0), std::chrono::ceil<std::chrono::seconds>(wanted_.timeout - gone));
    if (!begun_) begun_ = Clock::now();
    refusals_.clear();
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

void Search::say_choice(const Granted& granted) const {
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

Result<Search::Candidate> Search::ask_candidate(const Endpoint& server, size_t index) const {
    Candidate candidate;
    candidate.server = server;
    candidate.index = index;
    const auto claimed = claim_id(server);
    if (!claimed) return tl::unexpected(claimed.error());
    say_info("Query server " + server.text() + " to claim client id: " + claimed->client);
    candidate.idle_limit_minutes = claimed->idle_limit_minutes;
    say_info("Query server " + server.text() + " gpu availability");
    auto view = ask_server(server, false);
    if (!view) return tl::unexpected(view.error());
    candidate.view = std::move(*view);
    return candidate;
}

void Search::say_none(const std::vector<Error>& errors) const {
    bool refused = !errors.empty();
    for (const Error& error : errors) {
        refused = refused && error.code == kRefusedIdentity;
        if (error.code == kRefusedIdentity)
            say_warning(error.what);
        else
            say_error(error.what);
    }
    if (refused) say_plain("Error: none of the servers responded correctly to client id claim requests.\n");
}

json Search::request_of(const Group& group) const {
    char host[256] = "";
    gethostname(host, sizeof host - 1);
    json request = {{"id", group.claim},
                    {"ticket", group.ticket},
                    {"gpus", wanted_.gpus},
                    {"hold", true},
                    {"timeout_s", left_.count()},
                    {"filters", wanted_.filters},
                    {"client",
                     {{"host", host},
                      {"pid", static_cast<uint64_t>(getpid())},
                      {"user", user_name()},
                      {"program", program_}}}};
    if (wanted_.memory_mib) request["memory_mib"] = *wanted_.memory_mib;
    if (wanted_.fraction) request["fraction"] = *wanted_.fraction;
    for (const std::string& address : group.left_out) request["filters"].push_back("server.addr!=" + address);
    if (wanted_.servers.file.empty() && wanted_.servers.list.empty()) return request;
    // The pool may have more servers than were named. Those that are down now may be back when it is our
    // turn.
    json only = json::array();
    for (const size_t number : group.servers) only.push_back(candidates_[number].view.id);
    for (const Absent& absent : absent_) only.push_back(absent.server.text());
    request["servers"] = std::move(only);
    return request;
}

Result<Answer> Search::ask_group(Group& group, Method method, const std::string& target, const json& body) {
    Result<Answer> answer = tl::unexpected(Error{"nobody was asked", kUnreachable});
    for (size_t tried = 0; tried < group.servers.size(); ++tried) {
        answer = ::bitfusion::cli::ask(asked(group).server, method, target, body);
        if (answer && answer->status != kTryLater) return answer;
        if (tried + 1 < group.servers.size()) group.at = (group.at + 1) % group.servers.size();
    }
    return answer;
}

std::optional<Granted> Search::submit(Group& group) {
    group.asked = true;
    group.ticket = random_digits(kTicketDigits / 2);
    group.claim = random_uuid();
    return send(group);
}

// The same request again is the same claim: the pool may have taken it and nobody could say so.
std::optional<Granted> Search::send(Group& group) {
    const auto answer = ask_group(group, Method::kPost, "/v1/leases", request_of(group));
    const bool later = answer ? answer->status == kTryLater : answer.error().code == kUnreachable;
    group.taken = !later;
    group.waits = later && Clock::now() - *begun_ < wanted_.timeout && ++group.failures < kMostFailures;
    const std::string trouble = !answer ? answer.error().what
                                : answer->status >= 400
                                    ? "server " + asked(group).server.text() + ": " + refusal_text(*answer)
                                    : "";
    if (group.waits) {
        if (group.failures == 1) {
            say_warning(trouble);
            say_info("Waiting up to " + std::to_string(left_.count()) + " s for the pool to answer");
        }
        return std::nullopt;
    }
    group.failures = 0;
    if (!trouble.empty()) {
        refusals_.push_back(trouble);
        return std::nullopt;
    }
    if (answer->status == 202) {
        group.waits = true;
        say_waiting(group, answer->body);
        return std::nullopt;
    }
    return read_grant(group, answer->body);
}

// Everything that goes into the program's environment or into a path is checked here.
std::optional<Granted> Search::read_grant(Group& group, const json& body) {
    const Candidate* server = &asked(group);
    Granted granted;
    granted.ticket = group.ticket;
    granted.idle_limit_minutes = server->idle_limit_minutes;
    try {
        granted.id = body.at("id").get<std::string>();
        granted.server_id = body.value("server", "");
        granted.server_address = body.value("server_address", "");
        granted.memory_mib = body.at("memory_mib").get<uint64_t>();
        granted.pin = body.value("pin", "");
        const std::string& where = granted.server_id;
        bool known = where.empty() || where == server->view.id;
        for (const size_t number : group.servers) {
            if (known || candidates_[number].view.id != where) continue;
            server = &candidates_[number];
            known = true;
        }
        granted.server = server->server;
        granted.index = server->index;
        granted.version = server->view.version;
        auto data = parse_endpoint(body.at("data_address").get<std::string>());
        // One of the pool that the list does not have.
        auto control = known ? Result<Endpoint>(server->server)
                             : parse_endpoint(body.at("control_address").get<std::string>());
        for (const json& device : body.at("devices")) {
            const auto ordinal = device.at("ordinal").get<uint64_t>();
            const auto memory = device.at("memory_mib").get<uint64_t>();
            granted.smallest_mib = granted.ordinals.empty() ? memory : std::min(granted.smallest_mib, memory);
            granted.ordinals.push_back(ordinal);
        }
        if (data && control && is_uuid(granted.id) &&
            (granted.pin.empty() || is_digits(granted.pin, kTicketDigits)) && !granted.ordinals.empty()) {
            granted.server = *control;
            granted.data = *data;
            granted.smallest_gpu_mib = known ? smallest_gpu(server->view, granted.ordinals) : 0;
            return granted;
        }
    } catch (const json::exception&) {
    }
    group.waits = false;
    refusals_.push_back(
        not_a_manager(asked(group).server, "its grant lacks an id, addresses or devices").what);
    return std::nullopt;
}

void Search::say_waiting(Group& group, const json& body) {
    const auto number = [&](const char* key) {
        const auto found = body.find(key);
        return found != body.end() && found->is_number_unsigned() ? std::to_string(found->get<uint64_t>())
                                                                  : "?";
    };
    const auto text = body.find("text");
    const std::string why = text != body.end() && text->is_string() ? text->get<std::string>() : "";
    const std::string now = "place " + number("place") + " of " + number("waiting") +
                            " in the queue of server " + asked(group).server.text() + ": " + why;
    if (now == group.said) return;
    group.said = now;
    say_info("Waiting up to " + std::to_string(left_.count()) + " s for GPUs, " + now);
}

std::optional<Granted> Search::submit_everywhere() {
    for (Group& group : groups_) {
        if (group.asked || group.servers.empty()) continue;
        auto granted = submit(group);
        if (granted) return granted;
    }
    return std::nullopt;
}

bool Search::waiting() const {
    return std::any_of(groups_.begin(), groups_.end(), [](const Group& group) { return group.waits; });
}

std::optional<Granted> Search::wait() {
    refusals_.clear();
    auto look_again = Clock::now() + kLookAgainEvery;
    while (waiting()) {
        const int ended_by = sigtimedwait(&ends_, nullptr, &kAskAgainEvery);
        if (ended_by > 0) {
            cancel_others("");
            sigprocmask(SIG_UNBLOCK, &ends_, nullptr);
            raise(ended_by);
        }
        std::optional<Granted> granted;
        for (Group& group : groups_) {
            if (group.waits && !granted) granted = ask_again(group);
        }
        if (!granted && Clock::now() > look_again) {
            granted = ask_absent();
            look_again = Clock::now() + kLookAgainEvery;
        }
        if (!granted) continue;
        cancel_others(granted->id);
        return granted;
    }
    for (const std::string& line : refusals_) say_error(line);
    return std::nullopt;
}

// Servers that were down may be of a pool that was not asked yet.
std::optional<Granted> Search::ask_absent() {
    const std::vector<Absent> absent = std::exchange(absent_, {});
    for (const Absent& one : absent) {
        auto view = ask_server(one.server, false);
        auto candidate = view ? ask_candidate(one.server, one.index) : tl::unexpected(view.error());
        if (!candidate) {
            absent_.push_back(one);
            continue;
        }
        say_info("server " + one.server.text() + " answers again");
        add(std::move(*candidate));
    }
    return submit_everywhere();
}

std::optional<Granted> Search::ask_again(Group& group) {
    if (!group.taken) return send(group);
    const auto answer = ask_group(group, Method::kGet, "/v1/claims/" + group.claim);
    const bool later = answer ? answer->status == kTryLater : answer.error().code == kUnreachable;
    if (later && ++group.failures < kMostFailures) return std::nullopt;
    group.failures = 0;
    if (!answer || answer->status != 200) {
        group.waits = false;
        refusals_.push_back(answer ? "server " + asked(group).server.text() + ": " + refusal_text(*answer)
                                   : answer.error().what);
        return std::nullopt;
    }
    if (answer->body.value("state", "") != "granted") {
        say_waiting(group, answer->body);
        return std::nullopt;
    }
    return read_grant(group, answer->body);
}

bool Search::is_of(const Candidate& candidate, const Granted& granted) const {
    return candidate.server == granted.server ||
           (!granted.server_id.empty() && candidate.view.id == granted.server_id);
}

// Whether somebody of the group answers who can be told which server shall not serve.
bool Search::may_serve_without(const Group& group, const Granted& granted) const {
    if (group.claim != granted.id) return !group.servers.empty();
    const bool tellable = !granted.server_address.empty() &&
                          wanted_.filters.size() + group.left_out.size() < kMostFilters &&
                          std::find(group.left_out.begin(), group.left_out.end(), granted.server_address) ==
                              group.left_out.end();
    return tellable && std::any_of(group.servers.begin(), group.servers.end(),
                                   [&](size_t number) { return !is_of(candidates_[number], granted); });
}

bool Search::can_do_without(const Granted& granted) const {
    return std::any_of(groups_.begin(), groups_.end(),
                       [&](const Group& group) { return may_serve_without(group, granted); });
}

void Search::leave_out(const Granted& granted) {
    for (Group& group : groups_) {
        if (group.claim == granted.id) {
            const bool goes_on = may_serve_without(group, granted);
            std::erase_if(group.servers, [&](size_t number) { return is_of(candidates_[number], granted); });
            group.at = 0;
            // Nobody needs to wait until it is over: who is down says so when he is back.
            const std::string lease = "/v1/leases/" + granted.id + "?wait=false";
            if (group.servers.empty())
                (void)::bitfusion::cli::ask(granted.server, Method::kDelete, lease);
            else
                (void)ask_group(group, Method::kDelete, lease);
            if (goes_on)
                group.left_out.push_back(granted.server_address);
            else
                group.servers.clear();
        }
        group.asked = false;
        group.waits = false;
        group.said.clear();
        group.failures = 0;
    }
}

void Search::cancel_others(const std::string& id) {
    for (Group& group : groups_) {
        if (!group.waits || group.claim == id) continue;
        // It may have been granted meanwhile.
        const auto cancelled = ask_group(group, Method::kDelete, "/v1/claims/" + group.claim);
        if (cancelled && cancelled->status != 200)
            (void)ask_group(group, Method::kDelete, "/v1/leases/" + group.claim);
        group.waits = false;
    }
}

}  // namespace bitfusion::cli
