#include "daemon/preferences.h"

#include <nlohmann/json.hpp>

namespace bitfusion::daemon {

using nlohmann::json;

Result<Preference> Preferences::read(const std::string& key) const {
    const auto found = store_.read(key);
    if (!found) return tl::unexpected<Error>(Error{found.error().what, 503});
    Preference preference;
    for (const store::Entry& entry : found->entries) {
        if (entry.key != key) continue;
        const json root = json::parse(entry.value, nullptr, false);
        if (!root.is_object())
            return fail("the store's " + key + " is damaged; restore the store from a backup", 503);
        if (const auto accepts = root.find("accepts"); accepts != root.end() && accepts->is_boolean())
            preference.accepts = accepts->get<bool>();
        if (const auto interval = root.find("metrics_interval_s");
            interval != root.end() && interval->is_number_integer()) {
            const std::chrono::seconds seconds(interval->get<int64_t>());
            if (seconds.count() > 0 && seconds <= kLongestInterval) preference.metrics_interval = seconds;
        }
    }
    return preference;
}

Result<Preference> Preferences::in_force(const std::string& server) const {
    const auto own = of(server);
    if (!own) return own;
    const auto all = of_all();
    if (!all) return all;
    Preference both = *own;
    if (!both.accepts) both.accepts = all->accepts;
    if (!both.metrics_interval) both.metrics_interval = all->metrics_interval;
    return both;
}

Status Preferences::write(const std::string& key, const Preference& preference) {
    json root = json::object();
    if (preference.accepts) root["accepts"] = *preference.accepts;
    if (preference.metrics_interval) root["metrics_interval_s"] = preference.metrics_interval->count();
    store::Transaction transaction;
    const bool nothing = root.empty();
    transaction.writes.push_back({key, nothing ? std::nullopt : std::optional(root.dump())});
    const auto written = store_.commit(transaction);
    if (!written) return tl::unexpected<Error>(Error{written.error().what, 503});
    return {};
}

}  // namespace bitfusion::daemon
