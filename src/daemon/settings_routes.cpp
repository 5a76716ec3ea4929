// What holds for all clients and servers of the pool.
#include <cmath>

#include "base/log.h"
#include "daemon/dispatcher.h"
#include "daemon/etag.h"
#include "daemon/look_routes.h"
#include "daemon/preferences.h"
#include "daemon/routes.h"

namespace bitfusion::daemon {
namespace {

using nlohmann::json;

constexpr double kMostQuota = 1e6;
constexpr int64_t kMostMinutes = 365 * 24 * 60;

json settings_json(const pool::Settings& settings, const Preference& servers) {
    json out = {
        {"quota", settings.quota.gpus()},
        {"idle_limit_minutes", settings.idle_limit.count()},
        {"auto_release_seconds", settings.auto_release.count()},
        {"claim_silence_seconds", settings.claim_silence.count()},
        {"server_silence_seconds", settings.server_silence.count()},
        {"accepts", servers.accepts.value_or(true)},
        {"metrics_interval_s", servers.metrics_interval ? json(servers.metrics_interval->count()) : json()}};
    out["etag"] = etag_of(out);
    return out;
}

// From `least` to `most`; fails with 400.
Result<double> number_of(const json& value, const std::string& key, double least, double most) {
    if (!value.is_number() || !std::isfinite(value.get<double>()) || value.get<double>() < least ||
        value.get<double>() > most) {
        return fail(key + " must be a number from " + std::to_string(static_cast<int64_t>(least)) + " to " +
                        std::to_string(static_cast<int64_t>(most)),
                    400);
    }
    return value.get<double>();
}

// `own_auto_release`: of this server's option, which holds again at null.
Status change(const json& body, std::chrono::seconds own_auto_release, pool::Settings* pool,
              Preference* servers) {
    for (const auto& [key, value] : body.items()) {
        if (key == "accepts" && value.is_boolean()) {
            servers->accepts = value.get<bool>();
            continue;
        }
        if (key == "auto_release_seconds" && value.is_null()) {
            pool->auto_release_chosen = false;
            pool->auto_release = own_auto_release;
            continue;
        }
        if (key == "metrics_interval_s" && value.is_null()) {
            servers->metrics_interval.reset();
            continue;
        }
        const bool whole = key == "idle_limit_minutes" || key == "auto_release_seconds";
        if (!whole && key != "quota" && key != "metrics_interval_s")
            return fail("'" + harmless(key, 64) + "' cannot be set so; see /v1/openapi.json", 400);
        const auto number =
            key == "metrics_interval_s"
                ? number_of(value, key, 1, static_cast<double>(Preferences::kLongestInterval.count()))
                : number_of(value, key, key == "auto_release_seconds" ? 1 : 0,
                            key == "quota" ? kMostQuota : kMostMinutes);
        if (!number) return tl::unexpected<Error>(number.error());
        const int64_t rounded = std::llround(*number);
        if (key == "quota") pool->quota = pool::Share::from(*number);
        if (key == "idle_limit_minutes") pool->idle_limit = std::chrono::minutes(rounded);
        if (key == "auto_release_seconds") {
            pool->auto_release = std::chrono::seconds(rounded);
            pool->auto_release_chosen = true;
        }
        if (key == "metrics_interval_s") servers->metrics_interval = std::chrono::seconds(rounded);
    }
    return {};
}

}  // namespace

Reply Api::get_settings(const Asked&) {
    const auto servers = parts_.preferences.of_all();
    if (!servers) return error_reply(servers.error());
    const auto settings = parts_.scheduler.run([&](pool::Pool& pool, pool::Time) -> Result<json> {
        return settings_json(pool.settings(), *servers);
    });
    if (!settings) return error_reply(settings.error());
    Reply reply = json_reply(*settings);
    reply.headers.emplace_back("ETag", (*settings)["etag"].get<std::string>());
    return reply;
}

Reply Api::put_settings(const Asked& asked) {
    const auto body = object_of(asked);
    if (!body) return error_reply(body.error());
    json current;
    const auto settings = parts_.scheduler.run([&](pool::Pool& pool, pool::Time now) -> Result<json> {
        auto servers = parts_.preferences.of_all();
        if (!servers) return tl::unexpected(servers.error());
        pool::Settings next = pool.settings();
        current = settings_json(next, *servers);
        if (auto same = check_etag(asked.request.if_match, current["etag"]); !same)
            return tl::unexpected(same.error());
        const Preference before = *servers;
        if (auto changed = change(*body, parts_.scheduler.auto_release(), &next, &*servers); !changed)
            return tl::unexpected(changed.error());
        if (auto set = pool.set_settings(next, now); !set) return tl::unexpected(set.error());
        if (*servers != before) {
            if (auto put = parts_.preferences.put_for_all(*servers); !put) return tl::unexpected(put.error());
        }
        return settings_json(pool.settings(), *servers);
    });
    if (!settings && settings.error().code == 412) return stale_reply(std::move(current));
    if (!settings) return error_reply(settings.error());
    take_preferences();
    return json_reply(*settings);
}

void Api::take_preferences() {
    const auto own = parts_.preferences.in_force(parts_.scheduler.self().id);
    if (!own) {
        BF_LOG("daemon", kWarn, "%s", own.error().what.c_str());
        return;
    }
    parts_.look.set_interval(own->metrics_interval);
    if (!parts_.scheduler.leading()) return;
    const auto followed = parts_.scheduler.run([&](pool::Pool& pool, pool::Time now) -> Status {
        std::vector<std::string> ids;
        for (const pool::Server* server : pool.servers()) ids.push_back(server->id);
        for (const std::string& id : ids) {
            const auto preference = parts_.preferences.in_force(id);
            if (!preference) return tl::unexpected<Error>(preference.error());
            if (!preference->accepts || pool.server(id)->accepts == *preference->accepts) continue;
            if (auto set = pool.set_accepts(id, *preference->accepts, now); !set) return set;
        }
        return {};
    });
    if (!followed) BF_LOG("daemon", kWarn, "%s", followed.error().what.c_str());
}

}  // namespace bitfusion::daemon
