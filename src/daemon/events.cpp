#include "daemon/events.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace bitfusion::daemon {

const std::array<const char*, kTopics>& topic_names() {
    static constexpr std::array<const char*, kTopics> kNames = {"leases",   "queue",  "clients", "servers",
                                                                "settings", "tokens", "users",   "health",
                                                                "backups",  "audit",  "logs"};
    return kNames;
}

void Subscription::add(Topic topic, const std::string& id) {
    if (ended_ || std::find(topics_.begin(), topics_.end(), topic) == topics_.end()) return;
    const auto [place, first] = pending_.try_emplace(topic, id);
    if (!first && place->second != id) place->second.clear();
    pulse.cancel();
}

std::string Subscription::take() {
    std::string text;
    for (const auto& [topic, id] : pending_) {
        const nlohmann::json data = id.empty() ? nlohmann::json::object() : nlohmann::json{{"id", id}};
        text += std::string("event: ") + topic_names()[static_cast<size_t>(topic)] +
                "\ndata: " + data.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace) + "\n\n";
    }
    pending_.clear();
    return text;
}

void Subscription::end() {
    ended_ = true;
    pulse.cancel();
}

void Events::publish(Topic topic, const std::string& id) {
    for (const auto& weak : subscriptions_) {
        if (const auto subscription = weak.lock()) subscription->add(topic, id);
    }
}

Result<std::shared_ptr<Subscription>> Events::subscribe(const std::string& reader,
                                                        std::vector<Topic> topics) {
    std::erase_if(subscriptions_, [](const auto& weak) { return weak.expired(); });
    const auto of_reader = std::count_if(
        subscriptions_.begin(), subscriptions_.end(),
        [&](const std::weak_ptr<Subscription>& weak) { return weak.lock()->reader() == reader; });
    if (closed_) return fail("the manager is shutting down; ask again when it runs", 503);
    if (subscriptions_.size() >= kMostStreams || static_cast<size_t>(of_reader) >= kMostOfReader)
        return fail("too many streams of events are open; close some browser windows", 429);
    auto made = std::make_shared<Subscription>(io_, reader, std::move(topics));
    subscriptions_.push_back(made);
    return made;
}

size_t Events::streams() const {
    return static_cast<size_t>(std::count_if(subscriptions_.begin(), subscriptions_.end(),
                                             [](const auto& weak) { return !weak.expired(); }));
}

void Events::close() {
    closed_ = true;
    for (const auto& weak : subscriptions_) {
        if (const auto subscription = weak.lock()) subscription->end();
    }
}

}  // namespace bitfusion::daemon
