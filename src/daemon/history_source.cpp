#include "daemon/history_source.h"

#include <algorithm>
#include <ctime>
#include <fstream>
#include <iterator>

#include "base/percent.h"
#include "daemon/dispatcher.h"

namespace bitfusion::daemon {
namespace {

constexpr const char* kAdvice = "check that it runs, and the address of --prometheus";
constexpr size_t kMostFileBytes = 1 << 20;

Result<std::string> read_file(const std::string& path, const char* setting) {
    std::ifstream in(path, std::ios::binary);
    std::string text(kMostFileBytes, '\0');
    in.read(text.data(), static_cast<std::streamsize>(text.size()));
    text.resize(static_cast<size_t>(in.gcount()));
    if (text.empty())
        return fail("cannot read " + path + ", or it is empty; correct --" + std::string(setting));
    return text;
}

Result<std::string> read_token(const std::string& path) {
    auto text = read_file(path, "prometheus-token-file");
    if (!text) return text;
    while (!text->empty() && (text->back() == '\n' || text->back() == '\r')) text->pop_back();
    const bool proper = !text->empty() && text->size() <= 4096 &&
                        std::all_of(text->begin(), text->end(), [](char c) { return c > ' ' && c < 0x7f; });
    if (!proper) return fail(path + " holds no token; it must be one line of printable characters");
    return text;
}

}  // namespace

Result<SourceAddress> source_address(const std::string& url) {
    const auto wrong = fail(
        "an address such as http://10.0.0.9:9090 or https://metrics.example/prometheus is expected, without "
        "user, password and query");
    SourceAddress address;
    const bool proper =
        std::all_of(url.begin(), url.end(), [](char c) { return c > ' ' && c < 0x7f && c != '\\'; });
    size_t at = 0;
    if (url.starts_with("http://")) {
        at = 7;
    } else if (url.starts_with("https://")) {
        at = 8;
        address.tls = true;
    } else {
        return wrong;
    }
    const size_t slash = std::min(url.find('/', at), url.size());
    std::string authority = url.substr(at, slash - at);
    address.path = url.substr(slash);
    while (address.path.ends_with('/')) address.path.pop_back();
    if (!proper || authority.empty() || url.find_first_of("@?#") != std::string::npos) return wrong;
    const size_t bracket = authority.starts_with('[') ? authority.find(']') : 0;
    if (bracket == std::string::npos) return wrong;
    const size_t colon = authority.find(':', bracket);
    const std::string host = authority.substr(0, colon);
    const std::string port =
        colon == std::string::npos ? (address.tls ? "443" : "80") : authority.substr(colon + 1);
    const bool digits = !port.empty() && port.size() <= 5 &&
                        std::all_of(port.begin(), port.end(), [](char c) { return c >= '0' && c <= '9'; });
    if (!digits || host.empty() || std::stoi(port) < 1 || std::stoi(port) > 65535) return wrong;
    address.authority = host + ":" + port;
    address.loopback = host.starts_with("127.") || host == "localhost" || host == "[::1]";
    return address;
}

HistorySource::HistorySource(std::string url, SourceAddress address, std::string token, HistoryPlace place,
                             std::unique_ptr<Peer> peer)
    : url_(std::move(url)),
      address_(std::move(address)),
      token_(std::move(token)),
      place_(std::move(place)),
      peer_(std::move(peer)) {}

Result<std::unique_ptr<HistorySource>> HistorySource::open(asio::io_context& io, const Settings& settings,
                                                           HistoryPlace place) {
    auto address = source_address(settings.prometheus);
    if (!address) return fail("--prometheus is '" + settings.prometheus + "': " + address.error().what);
    PeerTerms terms{address->tls, "", kMostSourceBytes, kAdvice};
    if (!settings.prometheus_ca_file.empty()) {
        auto authority = read_file(settings.prometheus_ca_file, "prometheus-ca-file");
        if (!authority) return tl::unexpected(authority.error());
        terms.authority = std::move(*authority);
    }
    std::string token;
    if (!settings.prometheus_token_file.empty()) {
        if (!address->tls && !address->loopback)
            return fail("a token would be sent in clear to " + settings.prometheus +
                        "; give --prometheus an https:// address, or no --prometheus-token-file");
        auto read = read_token(settings.prometheus_token_file);
        if (!read) return tl::unexpected(read.error());
        token = std::move(*read);
    }
    auto peer = Peer::make_outside(io, std::move(terms));
    if (!peer) return fail("--prometheus-ca-file: " + peer.error().what + "; give the authority as PEM");
    return std::make_unique<HistorySource>(settings.prometheus, std::move(*address), std::move(token),
                                           std::move(place), std::move(*peer));
}

tl::unexpected<Error> HistorySource::trouble(const std::string& what) const {
    return fail("the history is kept by " + url_ + ", which " + what, 503);
}

Task<Result<std::string>> HistorySource::ask(std::string path, std::string form, Clock::time_point until) {
    const auto left = std::chrono::ceil<std::chrono::seconds>(until - Clock::now());
    if (left.count() <= 0)
        co_return trouble("did not answer in time; look at its load, or choose a shorter period");
    PeerRequest request;
    request.verb = boost::beast::http::verb::post;
    request.target = address_.path + path;
    request.content_type = "application/x-www-form-urlencoded";
    request.body = std::move(form);
    if (!token_.empty()) request.headers.emplace_back("Authorization", "Bearer " + token_);
    const auto answer = co_await peer_->ask(address_.authority, std::move(request), left);
    if (!answer) co_return fail("the history is kept by " + url_ + ": " + answer.error().what, 503);
    if (answer->status == 200) co_return answer->body;
    const std::string said = refusal_in(answer->body);
    const std::string status = "answers with status " + std::to_string(answer->status);
    if (answer->status == 401 || answer->status == 403)
        co_return trouble(status + ": it wants to know who asks; see --prometheus-token-file");
    if (said.empty()) co_return trouble(status + "; " + kAdvice);
    co_return trouble(status + ": " + said);
}

Task<Result<std::vector<std::string>>> HistorySource::names(std::string prefix) {
    const auto slot = slots_;
    if (slots_.use_count() > static_cast<long>(kMostAtOnce) + 1)
        co_return fail("too many charts are loading at once; try again in a few seconds", 503);
    const auto until = Clock::now() + kDeadline;
    std::vector<std::string> all;
    for (const Measurement& measurement : measurements()) {
        const std::string fixed = measurement.label == nullptr ? measurement.tail : measurement.head;
        // Whether a name of it can begin so.
        if (!fixed.starts_with(prefix) && (measurement.label == nullptr || !prefix.starts_with(fixed)))
            continue;
        // VictoriaMetrics would leave out what began within the last 30 s; to others "nocache" means nothing.
        const std::string query = base::percent_encoded(subjects_query(measurement, place_));
        const auto body = co_await ask("/api/v1/query", "query=" + query + "&nocache=1", until);
        if (!body) co_return tl::unexpected<Error>(body.error());
        const auto subjects = subjects_from(*body, measurement);
        if (!subjects) co_return trouble(subjects.error().what);
        for (const std::string& subject : *subjects) {
            std::string name = series_of(measurement, subject);
            if (name.starts_with(prefix)) all.push_back(std::move(name));
        }
    }
    std::sort(all.begin(), all.end());
    all.erase(std::unique(all.begin(), all.end()), all.end());
    co_return all;
}

Task<Result<std::map<std::string, history::Range>>> HistorySource::ranges(std::vector<std::string> names,
                                                                          int64_t from, int64_t to,
                                                                          size_t most_points) {
    const auto slot = slots_;
    if (slots_.use_count() > static_cast<long>(kMostAtOnce) + 1)
        co_return fail("too many charts are loading at once; try again in a few seconds", 503);
    const auto until = Clock::now() + kDeadline;
    const Steps steps = steps_between(from, to, time(nullptr), most_points);
    std::map<std::string, history::Range> found;
    // One question for all subjects of a measurement, as far as they fit.
    std::map<const Measurement*, std::vector<std::string>> asked;
    for (const std::string& name : names) {
        const auto named = named_series(name);
        if (named) asked[named->measurement].push_back(named->subject);
    }
    for (const auto& [measurement, all] : asked) {
        if (steps.first > steps.last) break;
        for (const auto& subjects : grouped(all)) {
            const std::string query = range_query(*measurement, subjects, place_, steps.step_s);
            const std::string form =
                "query=" + base::percent_encoded(query) + "&start=" + std::to_string(steps.first) +
                "&end=" + std::to_string(steps.asked_last()) + "&step=" + std::to_string(steps.step_s);
            const auto body = co_await ask("/api/v1/query_range", form, until);
            if (!body) co_return tl::unexpected<Error>(body.error());
            auto ranges = ranges_from(*body, *measurement, steps);
            if (!ranges) co_return trouble(ranges.error().what);
            for (const std::string& subject : subjects) {
                const auto range = ranges->find(subject);
                if (range != ranges->end())
                    found[series_of(*measurement, subject)] = std::move(range->second);
            }
        }
    }
    co_return found;
}

}  // namespace bitfusion::daemon
