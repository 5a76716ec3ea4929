// Events: tells browsers that something changed, so that they need not ask all the time.
//
// An event is the name of a list, and of one thing in it where it was one. What is published while a reader
// is slow is joined, each name once, so a subscription never holds more than kTopics entries. The daemon's
// thread only.
#pragma once

#include <array>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "daemon/async.h"

namespace bitfusion::daemon {

// In the order of topics(): the names are those of GET /v1/events.
enum class Topic {
    kLeases,
    kQueue,
    kClients,
    kServers,
    kSettings,
    kTokens,
    kUsers,
    kHealth,
    kBackups,
    kAudit,
    kLogs,
};
constexpr size_t kTopics = 11;
const std::array<const char*, kTopics>& topic_names();

class Subscription {
  public:
    Subscription(asio::io_context& io, std::string reader, std::vector<Topic> topics)
        : pulse(io), reader_(std::move(reader)), topics_(std::move(topics)) {}

    void add(Topic topic, const std::string& id);
    // What has come since the last call, in the form of the stream; empty when nothing has.
    std::string take();
    void end();
    bool ended() const { return ended_; }
    const std::string& reader() const { return reader_; }

    // Whether the reader may still read: asked before something is sent, at the latest with each heartbeat.
    std::function<bool()> admitted;
    asio::steady_timer pulse;  // what the stream sleeps on; cancelled when there is something

  private:
    std::string reader_;
    std::vector<Topic> topics_;
    std::map<Topic, std::string> pending_;  // and what it was; empty: several or all
    bool ended_ = false;
};

class Events {
  public:
    static constexpr size_t kMostStreams = 128;
    static constexpr size_t kMostOfReader = 16;

    explicit Events(asio::io_context& io) : io_(io) {}

    void publish(Topic topic, const std::string& id = "");
    // `reader` is who it is, for the bound. 429 when there are too many.
    Result<std::shared_ptr<Subscription>> subscribe(const std::string& reader, std::vector<Topic> topics);
    size_t streams() const;
    // Ends all of them.
    void close();

  private:
    asio::io_context& io_;
    std::vector<std::weak_ptr<Subscription>> subscriptions_;
    bool closed_ = false;
};

}  // namespace bitfusion::daemon
