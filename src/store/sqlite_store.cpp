#include "store/sqlite_store.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <map>
#include <mutex>

#include "store/open.h"
#include "store/schema.h"
#include "store/sqlite_database.h"

namespace bitfusion::store {
namespace {

// "BFUS": tells our files from other SQLite files (PRAGMA application_id).
constexpr int64_t kApplication = 0x42465553;
// Of the tables, not of what is in them.
constexpr int64_t kTables = 1;
// So many revisions long a watch may be away; older entries that are gone are forgotten for good.
constexpr int64_t kRemembered = 10'000;

// Finds bits that turned over inside of a value, which SQLite does not look at (FNV-1a, 63 bits).
int64_t digest_of(std::string_view key, std::string_view value) {
    uint64_t digest = 0xcbf29ce484222325U;
    const auto add = [&digest](std::string_view bytes) {
        for (const char byte : bytes) digest = (digest ^ static_cast<uint8_t>(byte)) * 0x100000001b3U;
    };
    add(key);
    digest *= 0x100000001b3U;
    add(value);
    return static_cast<int64_t>(digest >> 1);
}

// The first key that does not begin with the prefix any more; keys are printable ASCII.
std::string after(const std::string& prefix) { return prefix + '\x7f'; }

// Held as long as the process has the store open; the kernel takes it back whatever ends the process.
class LockFile {
  public:
    ~LockFile() {
        if (descriptor_ >= 0) close(descriptor_);
    }
    LockFile() = default;
    LockFile(const LockFile&) = delete;
    LockFile& operator=(const LockFile&) = delete;

    Status take(const std::string& path) {
        descriptor_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (descriptor_ < 0) {
            return fail("cannot open " + path + ": " + strerror(errno) +
                            "; check that its folder exists and belongs to the manager's user",
                        kRefused);
        }
        if (flock(descriptor_, LOCK_EX | LOCK_NB) != 0) {
            return fail("another manager has this store open (" + path +
                            "); stop it first: systemctl stop bitfusion-manager",
                        kLocked);
        }
        return {};
    }

  private:
    int descriptor_ = -1;
};

class SqliteStore;

class SqliteLeadership : public Leadership {
  public:
    SqliteLeadership(SqliteStore& store, std::string role, uint64_t revision)
        : store_(store), role_(std::move(role)), revision_(revision) {}
    ~SqliteLeadership() override;
    Condition fence() const override { return {role_key(role_), revision_}; }
    Result<bool> keep() override;

  private:
    SqliteStore& store_;
    std::string role_;
    uint64_t revision_;
};

class SqliteStore : public Store {
  public:
    SqliteStore(std::unique_ptr<LockFile> lock, std::unique_ptr<SqliteDatabase> database)
        : lock_(std::move(lock)), database_(std::move(database)) {}

    Result<Snapshot> read(const std::string& prefix) override;
    Result<Commit> commit(const Transaction& transaction) override;
    Result<std::unique_ptr<Watch>> watch(const std::string& prefix, uint64_t revision) override;
    Result<std::unique_ptr<Leadership>> campaign(const std::string& role, const std::string& who,
                                                 std::chrono::seconds time_to_live) override;

    // Events after `revision`, which moves on; waits for the first one.
    Result<std::vector<Watch::Event>> events(const std::string& prefix, uint64_t& revision,
                                             std::chrono::milliseconds wait);
    void resign(const std::string& role);

  private:
    Result<Commit> write(const Transaction& transaction);
    Result<bool> holds(const Condition& condition);

    std::unique_ptr<LockFile> lock_;
    std::mutex mutex_;  // of all below
    std::condition_variable changed_;
    std::unique_ptr<SqliteDatabase> database_;
    std::map<std::string, uint64_t> roles_;  // held in this process: role, revision
};

class SqliteWatch : public Watch {
  public:
    SqliteWatch(SqliteStore& store, std::string prefix, uint64_t revision)
        : store_(store), prefix_(std::move(prefix)), revision_(revision) {}
    Result<std::vector<Event>> next(std::chrono::milliseconds wait) override {
        return store_.events(prefix_, revision_, wait);
    }

  private:
    SqliteStore& store_;
    std::string prefix_;
    uint64_t revision_;
};

Result<Snapshot> SqliteStore::read(const std::string& prefix) {
    const std::lock_guard lock(mutex_);
    Snapshot snapshot;
    const auto revision = database_->number("SELECT revision FROM head");
    if (!revision) return tl::unexpected(revision.error());
    snapshot.revision = static_cast<uint64_t>(*revision);
    auto rows = database_->prepare(
        "SELECT key, value, revision, digest FROM entries WHERE key >= ?1 AND key < ?2 AND value IS NOT NULL "
        "ORDER BY key");
    if (!rows) return tl::unexpected(rows.error());
    const std::string end = after(prefix);
    rows->bind(1, prefix).bind(2, end);
    for (;;) {
        const auto row = rows->step();
        if (!row) return tl::unexpected(row.error());
        if (!*row) return snapshot;
        Entry entry{rows->text(0), rows->text(1), static_cast<uint64_t>(rows->number(2))};
        if (digest_of(entry.key, entry.value) != rows->number(3)) {
            return fail(
                "the store " + database_->path() + " is corrupt: the entry '" + entry.key +
                    "' changed on the disk; stop the manager, move the file away and restore a backup in its "
                    "place",
                kCorrupt);
        }
        snapshot.entries.push_back(std::move(entry));
    }
}

Result<bool> SqliteStore::holds(const Condition& condition) {
    auto row = database_->prepare("SELECT revision FROM entries WHERE key = ?1 AND value IS NOT NULL");
    if (!row) return tl::unexpected(row.error());
    const auto found = row->bind(1, condition.key).step();
    if (!found) return tl::unexpected(found.error());
    return (*found ? static_cast<uint64_t>(row->number(0)) : 0) == condition.revision;
}

Result<Commit> SqliteStore::write(const Transaction& transaction) {
    const auto head = database_->number("SELECT revision FROM head");
    if (!head) return tl::unexpected(head.error());
    for (const Condition& condition : transaction.conditions) {
        const auto held = holds(condition);
        if (!held) return tl::unexpected(held.error());
        if (!*held) return Commit{false, static_cast<uint64_t>(*head)};
    }
    const int64_t revision = *head + 1;
    for (const Write& write : transaction.writes) {
        // Of an entry that goes a row without a value stays for a while, so that watches learn of it.
        auto put = database_->prepare(
            write.value ? "INSERT INTO entries(key, revision, value, digest) VALUES (?1, ?2, ?3, ?4) "
                          "ON CONFLICT(key) DO UPDATE SET revision = ?2, value = ?3, digest = ?4"
                        : "UPDATE entries SET revision = ?2, value = NULL, digest = 0 WHERE key = ?1 "
                          "AND value IS NOT NULL");
        if (!put) return tl::unexpected(put.error());
        put->bind(1, write.key).bind(2, revision);
        if (write.value) put->bind(3, *write.value).bind(4, digest_of(write.key, *write.value));
        if (auto done = put->run(); !done) return tl::unexpected(done.error());
    }
    auto next = database_->prepare("UPDATE head SET revision = ?1");
    if (!next) return tl::unexpected(next.error());
    if (auto done = next->bind(1, revision).run(); !done) return tl::unexpected(done.error());
    if (revision % (kRemembered / 10) == 0 && revision > kRemembered) {
        auto forget = database_->prepare("DELETE FROM entries WHERE value IS NULL AND revision <= ?1");
        if (!forget) return tl::unexpected(forget.error());
        if (auto done = forget->bind(1, revision - kRemembered).run(); !done)
            return tl::unexpected(done.error());
        auto mark = database_->prepare("UPDATE head SET forgotten = ?1");
        if (!mark) return tl::unexpected(mark.error());
        if (auto done = mark->bind(1, revision - kRemembered).run(); !done)
            return tl::unexpected(done.error());
    }
    return Commit{true, static_cast<uint64_t>(revision)};
}

Result<Commit> SqliteStore::commit(const Transaction& transaction) {
    if (auto ok = check(transaction); !ok) return tl::unexpected(ok.error());
    const std::lock_guard lock(mutex_);
    if (auto begun = database_->run("BEGIN IMMEDIATE"); !begun) return tl::unexpected(begun.error());
    auto result = write(transaction);
    if (result && result->done) {
        if (auto ended = database_->run("COMMIT"); !ended) result = tl::unexpected(ended.error());
    }
    if (!result || !result->done) {
        // Where SQLite has rolled back by itself this says that there is nothing to roll back.
        (void)database_->run("ROLLBACK");
        return result;
    }
    changed_.notify_all();
    return result;
}

Result<std::unique_ptr<Watch>> SqliteStore::watch(const std::string& prefix, uint64_t revision) {
    return std::make_unique<SqliteWatch>(*this, prefix, revision);
}

Result<std::vector<Watch::Event>> SqliteStore::events(const std::string& prefix, uint64_t& revision,
                                                      std::chrono::milliseconds wait) {
    const auto until = std::chrono::steady_clock::now() + wait;
    const std::string end = after(prefix);
    std::unique_lock lock(mutex_);
    for (;;) {
        const auto forgotten = database_->number("SELECT forgotten FROM head");
        if (!forgotten) return tl::unexpected(forgotten.error());
        if (static_cast<uint64_t>(*forgotten) > revision) {
            return fail("the store has forgotten changes since revision " + std::to_string(revision) +
                            "; read it again and watch from there",
                        kCompacted);
        }
        auto rows = database_->prepare(
            "SELECT key, value, revision FROM entries WHERE revision > ?1 AND key >= ?2 AND key < ?3 "
            "ORDER BY revision, key");
        if (!rows) return tl::unexpected(rows.error());
        rows->bind(1, static_cast<int64_t>(revision)).bind(2, prefix).bind(3, end);
        std::vector<Watch::Event> events;
        for (;;) {
            const auto row = rows->step();
            if (!row) return tl::unexpected(row.error());
            if (!*row) break;
            Watch::Event event{rows->text(0), std::nullopt, static_cast<uint64_t>(rows->number(2))};
            if (!rows->is_null(1)) event.value = rows->text(1);
            events.push_back(std::move(event));
        }
        const auto head = database_->number("SELECT revision FROM head");
        if (!head) return tl::unexpected(head.error());
        revision = static_cast<uint64_t>(*head);
        if (!events.empty()) return events;
        if (changed_.wait_until(lock, until) == std::cv_status::timeout) return events;
    }
}

Result<std::unique_ptr<Leadership>> SqliteStore::campaign(const std::string& role, const std::string& who,
                                                          std::chrono::seconds) {
    {
        const std::lock_guard lock(mutex_);
        if (!roles_.emplace(role, 0).second) return nullptr;
    }
    // An entry of an earlier process may be there: it is dead, or it would have the lock.
    const auto won = commit({{}, {{role_key(role), who}}});
    const std::lock_guard lock(mutex_);
    if (!won) {
        roles_.erase(role);
        return tl::unexpected(won.error());
    }
    roles_[role] = won->revision;
    return std::make_unique<SqliteLeadership>(*this, role, won->revision);
}

void SqliteStore::resign(const std::string& role) {
    (void)commit({{}, {{role_key(role), std::nullopt}}});
    const std::lock_guard lock(mutex_);
    roles_.erase(role);
}

SqliteLeadership::~SqliteLeadership() { store_.resign(role_); }

Result<bool> SqliteLeadership::keep() {
    const auto now = store_.read(role_key(role_));
    if (!now) return tl::unexpected(now.error());
    for (const Entry& entry : now->entries) {
        if (entry.key == role_key(role_)) return entry.revision == revision_;
    }
    return false;
}

Status make_tables(SqliteDatabase& database) {
    for (const char* sql : {
             "BEGIN IMMEDIATE",
             "CREATE TABLE entries(key TEXT NOT NULL PRIMARY KEY, revision INTEGER NOT NULL, value TEXT, "
             "digest INTEGER "
             "NOT NULL) WITHOUT ROWID",
             "CREATE INDEX entries_by_revision ON entries(revision)",
             "CREATE TABLE head(revision INTEGER NOT NULL, forgotten INTEGER NOT NULL)",
             "INSERT INTO head VALUES (0, 0)",
             "PRAGMA application_id = 1111905619",
             "PRAGMA user_version = 1",
             "COMMIT",
         }) {
        if (auto done = database.run(sql); !done) return done;
    }
    return {};
}

Status check_file(SqliteDatabase& database) {
    const auto application = database.number("PRAGMA application_id");
    if (!application) return tl::unexpected(application.error());
    const auto tables = database.number("SELECT count(*) FROM sqlite_schema");
    if (!tables) return tl::unexpected(tables.error());
    if (*tables == 0) return make_tables(database);
    if (*application != kApplication) {
        return fail("the store " + database.path() + " is a database of another program; name another file",
                    kCorrupt);
    }
    const auto version = database.number("PRAGMA user_version");
    if (!version) return tl::unexpected(version.error());
    if (*version > kTables) {
        return fail(
            "the store " + database.path() +
                " was written by a later version; install that version, or restore a backup of before",
            kTooNew);
    }
    auto verdict = database.prepare("PRAGMA integrity_check(1)");
    if (!verdict) return tl::unexpected(verdict.error());
    const auto row = verdict->step();
    if (!row) return tl::unexpected(row.error());
    if (!*row || verdict->text(0) != "ok") {
        return fail("the store " + database.path() + " is corrupt (" + verdict->text(0) +
                        "); stop the manager, move the file away and restore a backup in its place",
                    kCorrupt);
    }
    return {};
}

static_assert(kApplication == 1111905619);

}  // namespace

Result<std::unique_ptr<Store>> open_sqlite_with(const SqliteOptions& options, const char* vfs) {
    auto lock = std::make_unique<LockFile>();
    if (auto taken = lock->take(options.path + "-lock"); !taken) return tl::unexpected(taken.error());
    auto database = SqliteDatabase::open(options.path, vfs);
    if (!database) return tl::unexpected(database.error());
    if (options.most_bytes > 0) {
        const auto page = (*database)->number("PRAGMA page_size");
        if (!page) return tl::unexpected(page.error());
        const uint64_t pages = options.most_bytes / static_cast<uint64_t>(*page);
        if (auto done = (*database)->run("PRAGMA max_page_count = " + std::to_string(pages)); !done)
            return tl::unexpected(done.error());
    }
    if (auto ok = check_file(**database); !ok) return tl::unexpected(ok.error());
    // FULL: what is answered survives a power cut, too.
    for (const char* sql :
         {"PRAGMA journal_mode = WAL", "PRAGMA synchronous = FULL", "PRAGMA trusted_schema = OFF"}) {
        if (auto done = (*database)->run(sql); !done) return tl::unexpected(done.error());
    }
    auto store = std::make_unique<SqliteStore>(std::move(lock), std::move(*database));
    // Reads every entry once, so that a damaged one is found now and not in the middle of work.
    if (const auto all = store->read(""); !all) return tl::unexpected(all.error());
    if (auto ok = check_schema(*store, "the store " + options.path); !ok) return tl::unexpected(ok.error());
    return store;
}

Result<std::unique_ptr<Store>> open_sqlite(const SqliteOptions& options) {
    return open_sqlite_with(options, nullptr);
}

}  // namespace bitfusion::store
