// The commands that keep a pool: each is one REST request and a table of the answer.
#include <fcntl.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstring>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>

#include "base/percent.h"
#include "cli/admin_options.h"
#include "cli/commands.h"
#include "cli/listing.h"
#include "cli/report.h"
#include "cli/rest_client.h"

namespace bitfusion::cli {
namespace {

using nlohmann::json;

struct Request {
    Method method = Method::kGet;
    std::string target;
    json body;
};

tl::unexpected<Error> wrong(const std::string& text) { return fail(text, kUsage); }

// "90d", "12h", "30m", "45s", "0" or "never".
Result<int64_t> seconds_of(const std::string& text) {
    if (text == "never") return 0;
    int64_t value = 0;
    const char* end = text.data() + text.size();
    const auto [at, error] = std::from_chars(text.data(), end, value);
    const std::string unit(at, end);
    const int64_t factor = unit == "d"                   ? 86400
                           : unit == "h"                 ? 3600
                           : unit == "m"                 ? 60
                           : unit == "s" || unit.empty() ? 1
                                                         : 0;
    if (error != std::errc{} || factor == 0 || value < 0 || value > 40000)
        return wrong("--expires is '" + text + "': give a number with d, h, m or s, such as 90d, or never");
    return value * factor;
}

// Nothing for "default".
Result<json> number_of(const std::string& text, const std::string& what) {
    if (text == "default") return json();
    double value = 0;
    const char* end = text.data() + text.size();
    const auto [at, error] = std::from_chars(text.data(), end, value);
    if (error != std::errc{} || at != end || !std::isfinite(value) || value < 0)
        return wrong(what + " is '" + text + "': give a number, such as 3.5, or default");
    return json(value);
}

// Without echo where somebody types it.
Result<std::string> password_of(const AdminOptions& options) {
    std::string password;
    if (options.has("password-file")) {
        std::ifstream in(options.flag("password-file"));
        if (!std::getline(in, password))
            return wrong("cannot read a password from " + options.flag("password-file") + ": " +
                         strerror(errno));
        return password;
    }
    termios before{};
    const bool terminal = tcgetattr(STDIN_FILENO, &before) == 0;
    if (terminal) {
        say_plain("Password: ");
        termios quiet = before;
        quiet.c_lflag &= ~static_cast<tcflag_t>(ECHO);
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet);
    }
    const bool got = static_cast<bool>(std::getline(std::cin, password));
    if (terminal) {
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
        say_plain("\n");
    }
    if (!got) return wrong("no password came on standard input; type one, or use --password-file");
    return password;
}

Result<Request> token_request(const AdminOptions& o) {
    const std::string one =
        o.arguments.empty() ? "/v1/tokens" : "/v1/tokens/" + base::percent_encoded(o.arguments[0]);
    if (o.verb == "list") return Request{Method::kGet, one, nullptr};
    if (o.verb == "delete") return Request{Method::kDelete, one, nullptr};
    if (o.verb == "download") {
        if (!o.has("bundle"))
            return wrong("--bundle is missing: say which file to write, for example --bundle client.tar");
        return Request{Method::kGet, one + "/bundle", nullptr};
    }
    Request request{Method::kPut, one, json::object()};
    if (o.verb == "activate" || o.verb == "deactivate") request.body["active"] = o.verb == "activate";
    if (o.verb == "move") request.body["enrolled"] = false;
    if (o.verb == "renew") request.body["renewed"] = true;
    if (o.verb == "revoke") request.body["revoked"] = true;
    if (o.has("expires")) {
        const auto seconds = seconds_of(o.flag("expires"));
        if (!seconds) return tl::unexpected(seconds.error());
        request.body["expires_in_s"] = *seconds;
    } else if (o.verb == "extend") {
        return wrong("--expires is missing: say for how long from now, for example --expires 365d");
    }
    if (o.verb != "create") return request;
    request.method = Method::kPost;
    if (o.has("description")) request.body["description"] = o.flag("description");
    if (o.has("role")) request.body["role"] = o.flag("role");
    if (o.has("shared")) request.body["shared"] = true;
    if (o.has("inactive")) request.body["active"] = false;
    return request;
}

Result<Request> user_request(const AdminOptions& o) {
    if (o.verb == "list") return Request{Method::kGet, "/v1/users", nullptr};
    const std::string one = "/v1/users/" + base::percent_encoded(o.arguments[0]);
    if (o.verb == "delete") return Request{Method::kDelete, one, nullptr};
    if (o.verb == "role") return Request{Method::kPut, one, {{"role", o.arguments[1]}}};
    const auto password = password_of(o);
    if (!password) return tl::unexpected(password.error());
    if (o.verb == "password") return Request{Method::kPut, one, {{"password", *password}}};
    const std::string role = o.has("role") ? o.flag("role") : "viewer";
    return Request{
        Method::kPost, "/v1/users", {{"name", o.arguments[0]}, {"password", *password}, {"role", role}}};
}

Result<Request> clients_request(const AdminOptions& o) {
    if (o.verb == "list") return Request{Method::kGet, "/v1/clients", nullptr};
    const std::string one = "/v1/clients/" + base::percent_encoded(o.arguments[0]);
    if (o.verb == "delete") return Request{Method::kDelete, one, nullptr};
    if (o.verb == "enable" || o.verb == "disable")
        return Request{Method::kPut, one, {{"enabled", o.verb == "enable"}}};
    const bool quota = o.verb == "quota";
    const auto number = number_of(o.arguments[1], quota ? "GPUS" : "MINUTES");
    if (!number) return tl::unexpected(number.error());
    return Request{Method::kPut, one, {{quota ? "own_quota" : "idle_limit_minutes", *number}}};
}

Result<Request> servers_request(const AdminOptions& o) {
    if (o.verb == "list") return Request{Method::kGet, "/v1/servers", nullptr};
    if (o.verb == "invite") return Request{Method::kPost, "/v1/invitations", json::object()};
    const std::string one = "/v1/servers/" + base::percent_encoded(o.arguments[0]);
    if (o.verb == "remove")
        return Request{Method::kDelete, one + (o.has("force") ? "?force=true" : ""), nullptr};
    return Request{Method::kPut, one, {{"accepts", o.verb == "accept"}}};
}

Result<Request> leases_request(const AdminOptions& o) {
    if (o.verb == "list") return Request{Method::kGet, "/v1/leases", nullptr};
    if (o.verb == "waiting") return Request{Method::kGet, "/v1/claims", nullptr};
    return Request{Method::kDelete, "/v1/leases/" + base::percent_encoded(o.arguments[0]), nullptr};
}

Result<Request> settings_request(const AdminOptions& o) {
    if (o.verb == "show") return Request{Method::kGet, "/v1/settings", nullptr};
    const auto number = number_of(o.arguments[1], o.arguments[0]);
    if (!number) return tl::unexpected(number.error());
    return Request{Method::kPut, "/v1/settings", {{o.arguments[0], *number}}};
}

Result<Request> request_of(const AdminOptions& o) {
    if (o.noun == "token") return token_request(o);
    if (o.noun == "user") return user_request(o);
    if (o.noun == "clients") return clients_request(o);
    if (o.noun == "servers") return servers_request(o);
    if (o.noun == "leases") return leases_request(o);
    if (o.noun == "settings") return settings_request(o);
    if (o.verb == "rotate") return Request{Method::kPost, "/v1/certificates/rotate", json::object()};
    return Request{Method::kGet, "/v1/certificates", nullptr};
}

std::string cell(const json& value) {
    if (value.is_null()) return "-";
    if (value.is_boolean()) return value.get<bool>() ? "yes" : "no";
    if (value.is_string())
        return value.get_ref<const std::string&>().empty() ? "-" : one_line(value.get<std::string>());
    if (value.is_number_float()) {
        char text[32];
        snprintf(text, sizeof text, "%g", value.get<double>());
        return text;
    }
    if (value.is_array() || value.is_object()) return std::to_string(value.size());
    return value.dump();
}

std::vector<std::string> columns_of(const AdminOptions& o) {
    if (o.noun == "token")
        return {"id", "role", "state", "host", "shared", "created", "expires", "description"};
    if (o.noun == "user") return {"name", "role", "created"};
    if (o.noun == "clients")
        return {"id", "name", "enabled", "held", "quota", "leases", "waiting", "idle_limit_minutes"};
    if (o.noun == "servers") return {"id", "hostname", "address", "up", "accepts", "leases", "gpus"};
    if (o.noun == "leases" && o.verb == "waiting") return {"id", "client", "place", "asks"};
    if (o.noun == "leases")
        return {"id", "state", "held", "persistent", "created", "workers", "memory_mib", "owner"};
    return {"file", "subject", "not_before", "not_after", "fingerprint"};
}

std::string table(const json& rows, const std::vector<std::string>& columns) {
    std::vector<std::vector<std::string>> lines = {columns};
    for (const json& row : rows) {
        std::vector<std::string> line;
        for (const std::string& column : columns) line.push_back(cell(row.value(column, json())));
        lines.push_back(std::move(line));
    }
    std::vector<size_t> widths(columns.size());
    for (const auto& line : lines) {
        for (size_t i = 0; i < line.size(); ++i) widths[i] = std::max(widths[i], line[i].size());
    }
    std::string text;
    for (const auto& line : lines) {
        std::string out;
        for (size_t i = 0; i < line.size(); ++i) {
            out += line[i];
            if (i + 1 < line.size()) out.append(widths[i] - line[i].size() + 2, ' ');
        }
        text += out + "\n";
    }
    return text;
}

std::string text_of(const AdminOptions& o, const json& body) {
    for (const auto& [key, value] : body.items()) {
        if (value.is_array() && (o.verb == "list" || o.verb == "show" || o.verb == "waiting"))
            return table(value, columns_of(o));
    }
    // Alone on its line: it goes into a file as it is.
    if (o.verb == "invite") return cell(body.value("invitation", json())) + "\n";
    std::string text;
    for (const auto& [key, value] : body.items()) text += key + ": " + cell(value) + "\n";
    return text;
}

int write_bundle(const std::string& path, const std::string& bytes) {
    const int file = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    const bool written = file >= 0 && fchmod(file, 0600) == 0 &&
                         write(file, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size());
    if (file >= 0) close(file);
    if (!written) {
        say_error("cannot write " + path + ": " + strerror(errno) + "; choose another file with --bundle");
        return kFailure;
    }
    say_info("The client's bundle is in " + path +
             ": unpack it on the client into ~/.bitfusion (tar -C ~/.bitfusion -xf " + path + ")");
    return kSuccess;
}

// The first server that answers; the pool's servers share what they know.
Result<Answer> ask_first(const std::vector<Endpoint>& servers, const Request& request, Endpoint* asked) {
    Error last;
    for (const Endpoint& server : servers) {
        auto answer = ask(server, request.method, request.target, request.body);
        if (answer && answer->status != 421) {
            *asked = server;
            return answer;
        }
        last = answer ? Error{"server " + server.text() + ": " + refusal_text(*answer), 0} : answer.error();
        if (!answer && answer.error().code != kUnreachable) break;
    }
    return tl::unexpected(last);
}

}  // namespace

int admin_command(const AdminOptions& options) {
    if (options.verb == "help") return print(admin_help(options.noun));
    const auto request = request_of(options);
    if (!request) {
        say_error(request.error().what);
        return kUsage;
    }
    const auto servers = find_servers(options.servers);
    if (!servers) {
        say_error(servers.error().what);
        return kFailure;
    }
    Endpoint asked;
    const auto answer = ask_first(*servers, *request, &asked);
    if (!answer) {
        say_error(answer.error().what);
        return kFailure;
    }
    if (answer->status >= 300) {
        say_error("server " + asked.text() + ": " + refusal_text(*answer));
        return kFailure;
    }
    if (!answer->file.empty()) return write_bundle(options.flag("bundle"), answer->file);
    json body = answer->body;
    body["schema"] = kListingSchema;
    const int printed = print(options.json ? body.dump(2, ' ', false, json::error_handler_t::replace) + "\n"
                                           : text_of(options, answer->body));
    if (printed != kSuccess || options.verb != "create" || !options.has("bundle")) return printed;
    const auto bundle = ask(asked, Method::kGet, "/v1/tokens/" + answer->body.value("id", "") + "/bundle");
    if (!bundle || bundle->file.empty()) {
        say_error(bundle ? "server " + asked.text() + ": " + refusal_text(*bundle) : bundle.error().what);
        return kFailure;
    }
    return write_bundle(options.flag("bundle"), bundle->file);
}

}  // namespace bitfusion::cli
