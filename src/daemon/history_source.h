// HistorySource: the history as a Prometheus-compatible server keeps it, where `--prometheus` names one: that
// server scrapes /metrics of ours, and the charts are read from it. docs/rest.md, "History", says how it is
// configured.
//
// It is asked over HTTP with `query_range` and `query`; what it answers is bounded (kMostSourceBytes),
// checked (history_query.h) and has a deadline for the whole request. The daemon's thread only.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "daemon/async.h"
#include "daemon/history_query.h"
#include "daemon/peer.h"
#include "daemon/settings.h"

namespace bitfusion::daemon {

// "https://10.0.0.9:9090/prometheus" taken apart.
struct SourceAddress {
    bool tls = false;
    std::string authority;  // "10.0.0.9:9090"
    std::string path;       // "/prometheus", without a slash at its end
    bool loopback = false;
};
// Fails where it is none, or has what does not belong there: a user, a password, a query.
Result<SourceAddress> source_address(const std::string& url);

class HistorySource {
  public:
    static constexpr std::chrono::seconds kDeadline{8};  // of all questions of one request
    static constexpr size_t kMostAtOnce = 8;             // answers that are held in memory

    // Reads the files that the settings name. `settings.prometheus` is not empty.
    static Result<std::unique_ptr<HistorySource>> open(asio::io_context& io, const Settings& settings,
                                                       HistoryPlace place);

    HistorySource(std::string url, SourceAddress address, std::string token, HistoryPlace place,
                  std::unique_ptr<Peer> peer);

    const std::string& url() const { return url_; }
    // All series whose names begin so, sorted. Every error has an HTTP status.
    Task<Result<std::vector<std::string>>> names(std::string prefix);
    // Those of them that were ever measured in the time.
    Task<Result<std::map<std::string, history::Range>>> ranges(std::vector<std::string> names, int64_t from,
                                                               int64_t to, size_t most_points);

  private:
    // The body of a good answer.
    Task<Result<std::string>> ask(std::string path, std::string form, Clock::time_point until);
    tl::unexpected<Error> trouble(const std::string& what) const;

    std::string url_;
    SourceAddress address_;
    std::string token_;
    HistoryPlace place_;
    std::unique_ptr<Peer> peer_;
    std::shared_ptr<void> slots_ = std::make_shared<int>(0);  // each request holds a copy
};

}  // namespace bitfusion::daemon
