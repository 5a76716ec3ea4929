// What an administrator watches: events, the audit trail, logs, and the pages themselves.
#include <unistd.h>

#include <charconv>
#include <ctime>

#include "base/log.h"
#include "daemon/audit.h"
#include "daemon/console_files.h"
#include "daemon/dispatcher.h"
#include "daemon/etag.h"
#include "daemon/events.h"
#include "daemon/gate.h"
#include "daemon/log_book.h"
#include "daemon/look_routes.h"
#include "daemon/pool_watch.h"
#include "daemon/routes.h"
#include "daemon/trail.h"

namespace bitfusion::daemon {
namespace {

using nlohmann::json;

constexpr uint64_t kUsualPage = 100;
constexpr uint64_t kUsualLines = 500;
constexpr uint64_t kLongestWait = 30;
constexpr size_t kMostLogWaiters = 64;
constexpr const char* kNoConsole =
    "<!doctype html><title>bitfusion</title><p>This server has no web console: its files are missing in "
    "share/bitfusion/console beside the program. Install the complete bundle, or build them with: cmake "
    "--build build --target console</p>";

// The number in the query, `fallback` where it is not given; nothing where it is not proper or above `most`.
std::optional<uint64_t> number_in(const std::string& query, const char* key, uint64_t fallback,
                                  uint64_t most) {
    const auto text = query_value(query, key);
    if (!text) return fallback;
    uint64_t value = 0;
    const char* const end = text->data() + text->size();
    const auto [at, error] = std::from_chars(text->data(), end, value);
    if (text->empty() || error != std::errc{} || at != end || value > most) return std::nullopt;
    return value;
}

}  // namespace

Reply Api::first_page(const Asked&) {
    Reply reply;
    reply.status = 302;
    reply.text = "see /console/\n";
    reply.content_type = "text/plain; charset=utf-8";
    reply.headers.emplace_back("Location", "/console/");
    return reply;
}

Reply Api::console(const Asked& asked) {
    const auto file = parts_.console.find(asked.id);
    Reply reply;
    if (file == nullptr) {
        if (!asked.id.empty() && asked.id != "index.html")
            return error_reply(404, "the console has no such file; begin at /console/");
        reply.status = 503;
        reply.text = kNoConsole;
        reply.content_type = "text/html; charset=utf-8";
        return reply;
    }
    reply.content_type = file->type;
    reply.headers.emplace_back("ETag", file->etag);
    reply.headers.emplace_back("Vary", "Accept-Encoding");
    reply.headers.emplace_back("Cache-Control",
                               file->immutable ? "public, max-age=31536000, immutable" : "no-cache");
    if (names_etag(asked.request.if_none_match, file->etag)) {
        reply.status = 304;
        return reply;
    }
    const bool packed = asked.request.takes_gzip && !file->gzip.empty();
    if (packed) reply.headers.emplace_back("Content-Encoding", "gzip");
    reply.text = packed ? file->gzip : file->content;
    return reply;
}

Reply Api::events(const Asked& asked) {
    auto subscription = parts_.events.subscribe(asked.caller.name, topics_for(asked.caller.role));
    if (!subscription) {
        Reply reply = error_reply(subscription.error());
        reply.headers.emplace_back("Retry-After", "10");
        return reply;
    }
    ApiRequest request = asked.request;
    request.body.clear();
    (*subscription)->admitted = [this, caller = asked.caller, request] {
        return parts_.gate.still(caller, request);
    };
    Reply reply;
    reply.events = std::move(*subscription);
    return reply;
}

Reply Api::about(const Asked&) {
    const std::time_t started =
        time(nullptr) - std::chrono::duration_cast<std::chrono::seconds>(Clock::now() - started_).count();
    return json_reply({{"version", parts_.version},
                       {"server", parts_.scheduler.self().id},
                       {"hostname", parts_.scheduler.self().name},
                       {"pool", parts_.look.pool_name()},
                       {"started", identity::stamp(started)},
                       {"uptime_s", time(nullptr) - started},
                       {"insecure", parts_.registry == nullptr},
                       {"history", parts_.look.history_costs()}});
}

Reply Api::audit(const Asked& asked) {
    const auto before = number_in(asked.query, "before", 0, UINT64_MAX);
    const auto limit = number_in(asked.query, "limit", kUsualPage, Audit::kMostPage);
    if (!before || !limit || *limit == 0)
        return error_reply(400, "before is a number of an entry, limit is from 1 to 500");
    const auto page = parts_.audit.page(*before, *limit);
    return page ? json_reply(*page) : error_reply(503, page.error().what);
}

Task<Reply> Api::logs(Asked asked) {
    if (auto elsewhere = ask_there(asked.id)) co_return std::move(*elsewhere);
    const auto level = log_level_from(query_value(asked.query, "level").value_or("info"));
    const auto lines = number_in(asked.query, "lines", kUsualLines, LogBook::kMostAsked);
    const auto after = number_in(asked.query, "after", 0, UINT64_MAX);
    const auto wait = number_in(asked.query, "wait", 0, kLongestWait);
    if (!level || !lines || *lines == 0 || !after || !wait) {
        co_return error_reply(400,
                              "level is error, warn, info or debug; lines is from 1 to 2000, after a number "
                              "of a line, wait from 0 to 30 seconds");
    }
    json found = parts_.log_book.read(*level, *after, *lines);
    if (*wait == 0 || !found["lines"].empty() || log_waiters_ >= kMostLogWaiters || closed_)
        co_return json_reply(std::move(found));
    // A timer that rings the bell: who waits for lines is woken by either.
    ++log_waiters_;
    const auto until = Clock::now() + std::chrono::seconds(*wait);
    asio::steady_timer limit(co_await asio::this_coro::executor, until);
    limit.async_wait([&bell = parts_.log_book.changed()](const boost::system::error_code& error) {
        if (!error) bell.ring();
    });
    while (found["lines"].empty() && Clock::now() < until && !closed_) {
        co_await parts_.log_book.changed().wait();
        found = parts_.log_book.read(*level, *after, *lines);
    }
    --log_waiters_;
    co_return json_reply(std::move(found));
}

void Api::note(const Route& route, const Asked& asked, json change, const Reply& reply) {
    const std::string what = trail_name(route);
    std::string subject = asked.second.empty() ? asked.id : asked.id + " " + asked.second;
    identity::Caller caller = asked.caller;
    if (what == "sign in") {
        const bool named = change.is_object() && change.contains("name") && change["name"].is_string();
        subject = named ? change["name"].get<std::string>() : "";
        change = nullptr;
        if (reply.status < 400) caller.name = "person " + subject;
    } else if (subject.empty() && reply.body.is_object()) {
        // What was made has its name in the answer.
        for (const char* key : {"id", "name"}) {
            const auto found = reply.body.find(key);
            if (subject.empty() && found != reply.body.end() && found->is_string())
                subject = found->get<std::string>();
        }
    }
    record(what, subject, std::move(change), asked.request, caller.name.empty() ? nullptr : &caller, reply);
    if (reply.status >= 400) return;
    for (const Topic topic : topics_of(route)) parts_.events.publish(topic, asked.id);
}

void Api::record(const std::string& what, const std::string& subject, json change, const ApiRequest& request,
                 const identity::Caller* caller, const Reply& reply) {
    AuditEntry entry;
    entry.time = time(nullptr);
    entry.who = caller != nullptr ? caller->name : "nobody";
    entry.role = identity::text_of(caller != nullptr ? caller->role : identity::Role::kNobody);
    entry.from = request.peer_ip;
    entry.what = what;
    entry.subject = subject;
    entry.change = std::move(change);
    entry.status = reply.status;
    entry.outcome = "done";
    if (reply.status >= 400 && reply.body.is_object()) entry.outcome = reply.body.value("error", "refused");
    if (auto added = parts_.audit.add(std::move(entry)); !added) {
        BF_LOG("daemon", kError, "the audit trail lacks %s by %s: %s", what.c_str(),
               caller != nullptr ? caller->name.c_str() : "nobody", added.error().what.c_str());
        return;
    }
    parts_.events.publish(Topic::kAudit);
}

}  // namespace bitfusion::daemon
