#include "daemon/backups.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <fstream>

#include "base/log.h"
#include "daemon/dispatcher.h"
#include "daemon/lease.h"
#include "health/report.h"
#include "history/series.h"

namespace bitfusion::daemon {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr const char* kEnding = ".backup";
constexpr const char* kToggles = "health.json";
constexpr const char* kPool = "pool.json";
constexpr uint64_t kMostDocumentBytes = 64 << 20;
constexpr size_t kMostBackups = 100;

// A folder for one operation, gone afterwards.
struct Scratch {
    explicit Scratch(fs::path where) : path(std::move(where)) { remove(); }
    ~Scratch() { remove(); }
    Scratch(const Scratch&) = delete;
    Scratch& operator=(const Scratch&) = delete;
    void remove() {
        std::error_code ignored;
        fs::remove_all(path, ignored);
    }
    fs::path path;
};

Status put_text(const fs::path& file, const std::string& text) {
    std::ofstream out(file, std::ios::binary | std::ios::trunc);
    out << text;
    out.close();
    if (!out)
        return fail("cannot write " + file.string() + ": " + strerror(errno) + "; make room on its disk",
                    503);
    return {};
}

Result<std::string> get_text(const fs::path& file, uint64_t most) {
    std::error_code error;
    const uint64_t size = fs::file_size(file, error);
    if (error) return fail("no such backup; list them with GET /v1/backups", 404);
    if (size > most)
        return fail(file.filename().string() + " has more than " + std::to_string(most >> 20) + " MiB", 409);
    std::string text(size, '\0');
    std::ifstream in(file, std::ios::binary);
    in.read(text.data(), static_cast<std::streamsize>(size));
    if (!in) return fail("cannot read " + file.string() + ": " + strerror(errno), 503);
    return text;
}

json row_of(const backup::Manifest& manifest, uint64_t bytes) {
    return {{"name", manifest.name},
            {"created", manifest.created},
            {"version", manifest.version},
            {"pool", manifest.pool},
            {"bytes", bytes},
            {"files", manifest.entries.size()}};
}

Status check_contents(const backup::Manifest& manifest, const fs::path& root) {
    for (const backup::Entry& entry : manifest.entries) {
        std::string wrong;
        if (entry.path.starts_with("history/")) {
            const auto bytes = get_text(root / entry.path, history::kSeriesBytes);
            const auto name = bytes ? history::series_name(*bytes) : tl::unexpected(bytes.error());
            if (!name) wrong = name.error().what;
        } else {
            const auto text = get_text(root / entry.path, kMostDocumentBytes);
            if (!text || json::parse(*text, nullptr, false).is_discarded()) wrong = "it is not JSON";
        }
        if (!wrong.empty())
            return fail("the backup cannot be used: " + entry.path + ": " + wrong +
                            "; nothing was changed, take another backup",
                        400);
    }
    return {};
}

// Puts `fresh` in the place of `old`; either both moves happen or none.
Status swap_folder(const fs::path& fresh, const fs::path& old, const fs::path& aside) {
    std::error_code error;
    fs::create_directories(fresh, error);
    if (fs::exists(old)) fs::rename(old, aside, error);
    if (!error) fs::rename(fresh, old, error);
    if (!error) return {};
    std::error_code back;
    if (!fs::exists(old) && fs::exists(aside)) fs::rename(aside, old, back);
    return fail("cannot put the history in its place: " + error.message() + "; nothing was changed", 503);
}

}  // namespace

Result<std::string> pool_of(const fs::path& folder) {
    const fs::path file = folder / "pool";
    std::string name;
    if (std::ifstream in(file); in && std::getline(in, name) && !name.empty() && name.size() <= 64)
        return name;
    if (fs::exists(file))
        return fail(file.string() + " is damaged; restore a backup of the folder, or delete it", 503);
    name = random_uuid();
    if (auto put = put_text(file, name + "\n"); !put) return tl::unexpected(put.error());
    return name;
}

Status Backups::ready() const {
    if (observer_.folder().empty())
        return fail("this server keeps nothing on its disk: " + observer_.history_error(), 409);
    return {};
}

fs::path Backups::file_of(const std::string& name) const {
    return observer_.folder() / "backups" / (name + kEnding);
}

Result<json> Backups::create(const std::string& name, const std::map<std::string, json>& documents) {
    if (auto able = ready(); !able) return tl::unexpected(able.error());
    if (!backup::proper_name(name))
        return fail("name must have 1 to 64 of A-Z a-z 0-9 . _ - and not begin with a dot", 400);
    for (const health::Checked& result : observer_.check(std::chrono::seconds(2))) {
        const std::string check = result.check->name;
        if (check.starts_with("cass_") && result.finding.verdict == health::Verdict::kFatal)
            return fail(
                "no backup while the pool's store is not healthy (" + check + "): " + result.finding.details,
                409);
    }
    const fs::path file = file_of(name);
    std::error_code error;
    if (fs::exists(file, error))
        return fail("a backup has this name already; choose another or delete it first", 409);
    fs::create_directories(file.parent_path(), error);
    const auto listed = list();
    if (listed && listed->size() >= kMostBackups)
        return fail("there are 100 backups; delete some first", 409);
    auto pool = pool_of(observer_.folder());
    if (!pool) return tl::unexpected(pool.error());

    // Files in use go on changing: what is packed is a copy of one moment.
    Scratch scratch(observer_.folder() / "backup.new");
    fs::create_directories(scratch.path, error);
    backup::Manifest manifest{*pool, name, version_, time(nullptr), {}};
    for (const auto& [document, content] : documents) {
        const std::string text = content.dump(2, ' ', false, json::error_handler_t::replace);
        if (auto put = put_text(scratch.path / document, text); !put) return tl::unexpected(put.error());
        manifest.entries.push_back({document, 0});
    }
    if (keep_ != nullptr) {
        const auto text = keep_->save();
        if (!text) return tl::unexpected(text.error());
        if (auto put = put_text(scratch.path / kPool, *text); !put) return tl::unexpected(put.error());
        manifest.entries.push_back({kPool, 0});
    }
    if (fs::exists(observer_.folder() / kToggles)) {
        fs::copy_file(observer_.folder() / kToggles, scratch.path / kToggles, error);
        manifest.entries.push_back({kToggles, 0});
    }
    if (observer_.history() != nullptr && !error) {
        fs::copy(observer_.history()->folder(), scratch.path / "history", error);
        for (fs::directory_iterator at(scratch.path / "history", error), end; !error && at != end;
             at.increment(error)) {
            if (at->path().extension() == ".series")
                manifest.entries.push_back({"history/" + at->path().filename().string(), 0});
        }
    }
    if (error)
        return fail("cannot copy what is to be saved: " + error.message() + "; make room on its disk", 503);
    if (auto written = backup::write(file, manifest, scratch.path); !written)
        return tl::unexpected(written.error());
    if (fs::file_size(file, error) > kMostBackupBytes) {
        fs::remove(file, error);
        return fail("the backup would have more than 64 MiB; start the manager with a lower --history-series",
                    409);
    }
    BF_LOG("daemon", kInfo, "backup %s was made", name.c_str());
    return row_of(manifest, fs::file_size(file, error));
}

Result<json> Backups::list() const {
    if (auto able = ready(); !able) return tl::unexpected(able.error());
    json rows = json::array();
    std::error_code error;
    for (fs::directory_iterator at(observer_.folder() / "backups", error), end; !error && at != end;
         at.increment(error)) {
        if (at->path().extension() != kEnding || rows.size() >= kMostBackups) continue;
        const auto manifest = backup::read_manifest(at->path());
        std::error_code size_error;
        if (manifest && manifest->name + kEnding == at->path().filename().string())
            rows.push_back(row_of(*manifest, at->file_size(size_error)));
    }
    std::sort(rows.begin(), rows.end(), [](const json& a, const json& b) {
        return std::pair(b["created"].get<int64_t>(), a["name"].get<std::string>()) <
               std::pair(a["created"].get<int64_t>(), b["name"].get<std::string>());
    });
    return rows;
}

Result<std::string> Backups::read(const std::string& name) const {
    if (auto able = ready(); !able) return tl::unexpected(able.error());
    if (!backup::proper_name(name)) return fail("no such backup; list them with GET /v1/backups", 404);
    return get_text(file_of(name), kMostBackupBytes);
}

Status Backups::remove(const std::string& name) {
    if (auto able = ready(); !able) return able;
    std::error_code error;
    if (!backup::proper_name(name) || !fs::remove(file_of(name), error))
        return fail(
            error ? "cannot delete it: " + error.message() : "no such backup; list them with GET /v1/backups",
            error ? 503 : 404);
    BF_LOG("daemon", kInfo, "backup %s was deleted", name.c_str());
    return {};
}

Result<std::optional<KeptPool>> Backups::kept_pool(const fs::path& contents) const {
    // Backups of releases before it hold nothing of the pool.
    if (keep_ == nullptr || !fs::exists(contents / kPool)) return std::nullopt;
    const auto text = get_text(contents / kPool, kMostDocumentBytes);
    if (!text) return tl::unexpected(text.error());
    auto kept = PoolKeep::read(*text);
    if (!kept) return tl::unexpected(kept.error());
    return std::optional(std::move(*kept));
}

Result<json> Backups::restore(const std::string& bytes, const std::string& pool) {
    if (auto able = ready(); !able) return tl::unexpected(able.error());
    Scratch scratch(observer_.folder() / "restore.new");
    Scratch aside(observer_.folder() / "restore.old");
    std::error_code error;
    fs::create_directories(scratch.path, error);
    const fs::path file = scratch.path / "upload";
    if (auto put = put_text(file, bytes); !put) return tl::unexpected(put.error());
    const fs::path contents = scratch.path / "contents";
    const auto manifest = backup::unpack(file, contents);
    if (!manifest) return tl::unexpected(manifest.error());
    const auto ours = pool_of(observer_.folder());
    if (!ours) return tl::unexpected(ours.error());
    const auto kept = kept_pool(contents);
    if (!kept) return tl::unexpected(kept.error());
    const bool same = manifest->pool == *ours || (*kept && (*kept)->id == keep_->id());
    if (!same && manifest->pool != pool)
        return fail("this is a backup of another pool, " + harmless(manifest->pool, 64) +
                        "; nothing was changed. To take its place, name that pool with the restore",
                    409);
    if (auto checked = check_contents(*manifest, contents); !checked) return tl::unexpected(checked.error());

    if (*kept) {
        if (auto able = keep_->ready(); !able) return tl::unexpected(able.error());
        if (auto restored = keep_->restore(**kept); !restored) return tl::unexpected(restored.error());
    }
    auto replaced = observer_.replace_history(
        [&](const fs::path& folder) { return swap_folder(contents / "history", folder, aside.path); });
    if (!replaced) return tl::unexpected(replaced.error());
    if (fs::exists(contents / kToggles))
        fs::rename(contents / kToggles, observer_.folder() / kToggles, error);
    else
        fs::remove(observer_.folder() / kToggles, error);
    if (auto loaded = observer_.load_toggles(); !loaded)
        BF_LOG("daemon", kWarn, "%s", loaded.error().what.c_str());
    if (!same) {
        if (auto put = put_text(observer_.folder() / "pool", manifest->pool + "\n"); !put)
            return tl::unexpected(put.error());
    }
    BF_LOG("daemon", kInfo, "backup %s was restored", manifest->name.c_str());
    return row_of(*manifest, bytes.size());
}

}  // namespace bitfusion::daemon
