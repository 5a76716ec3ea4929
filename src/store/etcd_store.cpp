#include <algorithm>
#include <charconv>
#include <mutex>

#include "store/etcd_http.h"
#include "store/open.h"
#include "store/outage.h"
#include "store/schema.h"

namespace bitfusion::store {
namespace {

using nlohmann::json;

constexpr int kPage = 1000;
constexpr auto kTryAgainAfter = std::chrono::milliseconds(300);
constexpr auto kProbeTimeout = std::chrono::milliseconds(1000);

// The gateway writes 64-bit numbers as texts and leaves out those that are 0.
std::optional<int64_t> number(const json& object, const char* key) {
    const auto found = object.is_object() ? object.find(key) : object.end();
    if (!object.is_object() || found == object.end()) return 0;
    if (found->is_number_integer()) return found->get<int64_t>();
    if (!found->is_string()) return std::nullopt;
    const auto& text = found->get_ref<const std::string&>();
    int64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return value;
}

std::optional<std::string> bytes(const json& object, const char* key) {
    const auto found = object.find(key);
    if (found == object.end()) return std::string();
    if (!found->is_string()) return std::nullopt;
    return from_base64(found->get_ref<const std::string&>());
}

bool flag(const json& object, const char* key) {
    const auto found = object.find(key);
    return found != object.end() && found->is_boolean() && found->get<bool>();
}

const json& member(const json& object, const char* key) {
    static const json kNone;
    const auto found = object.is_object() ? object.find(key) : object.end();
    return !object.is_object() || found == object.end() ? kNone : *found;
}

tl::unexpected<Error> nonsense() {
    return fail("etcd answered what this version does not understand; check that it is etcd 3.4 or later",
                kUnreachable);
}

Result<uint64_t> revision_of(const json& answer) {
    const auto revision = number(member(answer, "header"), "revision");
    if (!revision || *revision <= 0) return nonsense();
    return static_cast<uint64_t>(*revision);
}

class EtcdStore;

class EtcdLeadership : public Leadership {
  public:
    EtcdLeadership(EtcdStore& store, std::string role, uint64_t revision, int64_t lease)
        : store_(store), role_(std::move(role)), revision_(revision), lease_(lease) {}
    ~EtcdLeadership() override;
    Condition fence() const override { return {role_key(role_), revision_}; }
    Result<bool> keep() override;

  private:
    EtcdStore& store_;
    std::string role_;
    uint64_t revision_;
    int64_t lease_;
};

class EtcdWatch : public Watch {
  public:
    EtcdWatch(std::unique_ptr<EtcdHttp::Lines> lines, std::string prefix)
        : lines_(std::move(lines)), prefix_(std::move(prefix)) {}

    Result<std::vector<Event>> next(std::chrono::milliseconds wait) override {
        const auto until = std::chrono::steady_clock::now() + wait;
        for (;;) {
            const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
                until - std::chrono::steady_clock::now());
            auto line = lines_->next(std::max(left, std::chrono::milliseconds(0)));
            if (!line) return tl::unexpected(line.error());
            if (!*line) return std::vector<Event>();
            auto events = events_of(member(**line, "result"));
            if (!events || !events->empty()) return events;
        }
    }

  private:
    Result<std::vector<Event>> events_of(const json& result) {
        if (!result.is_object()) return nonsense();
        const auto compacted = number(result, "compact_revision");
        if (compacted && *compacted > 0) {
            return fail("etcd has forgotten changes before revision " + std::to_string(*compacted) +
                            "; read it again and watch from there",
                        kCompacted);
        }
        if (flag(result, "canceled"))
            return fail("etcd ended the watch; read again and watch from there", kUnreachable);
        std::vector<Event> events;
        const json& list = member(result, "events");
        if (list.is_null()) return events;
        if (!list.is_array()) return nonsense();
        for (const json& item : list) {
            const json& entry = member(item, "kv");
            if (!entry.is_object()) return nonsense();
            const auto key = bytes(entry, "key");
            const auto value = bytes(entry, "value");
            const auto revision = number(entry, "mod_revision");
            if (!key || !value || !revision || !key->starts_with(prefix_)) return nonsense();
            Event event{key->substr(prefix_.size()), std::nullopt, static_cast<uint64_t>(*revision)};
            const json& type = member(item, "type");
            if (type != json("DELETE")) event.value = *value;
            events.push_back(std::move(event));
        }
        return events;
    }

    std::unique_ptr<EtcdHttp::Lines> lines_;
    std::string prefix_;
};

class EtcdStore : public Store {
  public:
    // `probe`: a connection of its own, to ask an etcd that hangs whether it still does.
    EtcdStore(std::unique_ptr<EtcdHttp> http, std::unique_ptr<EtcdHttp> probe, const EtcdOptions& options)
        : http_(std::move(http)),
          prefix_(options.prefix),
          timeout_(options.timeout),
          probe_(std::move(probe)),
          outage_([this] { return answers(); }, kTryAgainAfter) {}

    Result<Snapshot> read(const std::string& prefix) override {
        Snapshot snapshot;
        std::string from = prefix_ + prefix;
        for (;;) {
            json body = {{"key", to_base64(from)},
                         {"range_end", to_base64(after(prefix_ + prefix))},
                         {"limit", kPage}};
            // All pages as of the first, so that they are one moment.
            if (snapshot.revision > 0) body["revision"] = std::to_string(snapshot.revision);
            const auto answer = post("/v3/kv/range", body, false);
            if (!answer) return tl::unexpected(answer.error());
            if (snapshot.revision == 0) {
                const auto revision = revision_of(*answer);
                if (!revision) return tl::unexpected(revision.error());
                snapshot.revision = *revision;
            }
            const json& list = member(*answer, "kvs");
            if (!list.is_null() && !list.is_array()) return nonsense();
            for (const json& item : list) {
                const auto key = bytes(item, "key");
                const auto value = bytes(item, "value");
                const auto revision = number(item, "mod_revision");
                if (!key || !value || !revision || *revision <= 0 || !key->starts_with(prefix_))
                    return nonsense();
                from = *key + '\0';
                snapshot.entries.push_back(
                    {key->substr(prefix_.size()), *value, static_cast<uint64_t>(*revision)});
            }
            if (!flag(*answer, "more") || list.empty()) return snapshot;
        }
    }

    Result<Commit> commit(const Transaction& transaction) override { return commit_with(transaction, 0); }

    Result<std::unique_ptr<Watch>> watch(const std::string& prefix, uint64_t revision) override {
        const std::lock_guard lock(mutex_);
        auto lines = http_->stream("/v3/watch", {{"create_request",
                                                  {{"key", to_base64(prefix_ + prefix)},
                                                   {"range_end", to_base64(after(prefix_ + prefix))},
                                                   {"start_revision", std::to_string(revision + 1)}}}});
        if (!lines) return tl::unexpected(lines.error());
        return std::make_unique<EtcdWatch>(std::move(*lines), prefix_);
    }

    Result<std::unique_ptr<Leadership>> campaign(const std::string& role, const std::string& who,
                                                 std::chrono::seconds time_to_live) override {
        // Without a lease for those who would lose anyway.
        const auto holder = read(role_key(role));
        if (!holder) return tl::unexpected(holder.error());
        for (const Entry& entry : holder->entries) {
            if (entry.key == role_key(role)) return nullptr;
        }
        const auto granted = post("/v3/lease/grant", {{"TTL", std::to_string(time_to_live.count())}}, false);
        if (!granted) return tl::unexpected(granted.error());
        const auto lease = number(*granted, "ID");
        if (!lease || *lease == 0) return nonsense();
        const auto won = commit_with({{{role_key(role), 0}}, {{role_key(role), who}}}, *lease);
        if (!won || !won->done) {
            revoke(*lease);
            if (!won) return tl::unexpected(won.error());
            return nullptr;
        }
        return std::make_unique<EtcdLeadership>(*this, role, won->revision, *lease);
    }

    // Waits for an etcd that hangs once; whoever comes after is told at once until it answers again.
    Result<json> post(const std::string& path, const json& body, bool once) {
        const std::lock_guard lock(mutex_);
        if (auto why = outage_.now()) return tl::unexpected(std::move(*why));
        const auto begun = std::chrono::steady_clock::now();
        auto answer = http_->post(path, body, once);
        const bool hung = std::chrono::steady_clock::now() - begun >= std::min(timeout_, kEtcdSilence);
        if (!answer && answer.error().code == kUnreachable && hung) outage_.begin(answer.error());
        return answer;
    }

    // What cannot be told to etcd now ends by itself when the time to live is over.
    void revoke(int64_t lease) { (void)post("/v3/lease/revoke", {{"ID", std::to_string(lease)}}, false); }

  private:
    static std::string after(std::string prefix) { return prefix + '\x7f'; }

    bool answers() {
        const json nothing = {{"key", to_base64(prefix_)}, {"count_only", true}};
        const auto answer = probe_->post("/v3/kv/range", nothing, false);
        // A refusal is an answer: of our credentials, or of too many requests.
        return answer || answer.error().code != kUnreachable;
    }

    Result<Commit> commit_with(const Transaction& transaction, int64_t lease) {
        if (auto ok = check(transaction); !ok) return tl::unexpected(ok.error());
        json compare = json::array();
        for (const Condition& condition : transaction.conditions) {
            compare.push_back({{"key", to_base64(prefix_ + condition.key)},
                               {"target", "MOD"},
                               {"result", "EQUAL"},
                               {"mod_revision", std::to_string(condition.revision)}});
        }
        json success = json::array();
        for (const Write& write : transaction.writes) {
            if (!write.value) {
                success.push_back({{"request_delete_range", {{"key", to_base64(prefix_ + write.key)}}}});
                continue;
            }
            json put = {{"key", to_base64(prefix_ + write.key)}, {"value", to_base64(*write.value)}};
            if (lease != 0) put["lease"] = std::to_string(lease);
            success.push_back({{"request_put", put}});
        }
        const auto answer = post("/v3/kv/txn", {{"compare", compare}, {"success", success}}, true);
        if (!answer) return tl::unexpected(answer.error());
        const auto revision = revision_of(*answer);
        if (!revision) return tl::unexpected(revision.error());
        return Commit{flag(*answer, "succeeded"), *revision};
    }

    std::mutex mutex_;  // of http_
    std::unique_ptr<EtcdHttp> http_;
    const std::string prefix_;
    const std::chrono::milliseconds timeout_;
    const std::unique_ptr<EtcdHttp> probe_;  // of the outage's thread
    Outage outage_;
};

EtcdLeadership::~EtcdLeadership() { store_.revoke(lease_); }

Result<bool> EtcdLeadership::keep() {
    const auto answer = store_.post("/v3/lease/keepalive", {{"ID", std::to_string(lease_)}}, false);
    if (!answer) return tl::unexpected(answer.error());
    const auto left = number(member(*answer, "result"), "TTL");
    if (!left) return nonsense();
    if (*left <= 0) return false;
    // The lease alone does not say that the role's entry is still the one that was won.
    const auto now = store_.read(role_key(role_));
    if (!now) return tl::unexpected(now.error());
    for (const Entry& entry : now->entries) {
        if (entry.key == role_key(role_)) return entry.revision == revision_;
    }
    return false;
}

}  // namespace

Result<std::unique_ptr<Store>> open_etcd(const EtcdOptions& options) {
    auto http = EtcdHttp::make(options);
    if (!http) return tl::unexpected(http.error());
    EtcdOptions impatient = options;
    impatient.timeout = std::min(options.timeout, kProbeTimeout);
    auto probe = EtcdHttp::make(impatient);
    if (!probe) return tl::unexpected(probe.error());
    auto store = std::make_unique<EtcdStore>(std::move(*http), std::move(*probe), options);
    if (auto ok = check_schema(*store, "etcd's " + options.prefix); !ok) return tl::unexpected(ok.error());
    return store;
}

}  // namespace bitfusion::store
