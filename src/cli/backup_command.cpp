#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <ctime>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "cli/listing.h"
#include "cli/report.h"
#include "cli/rest_client.h"

namespace bitfusion::cli {
namespace {

using nlohmann::json;

constexpr uint64_t kMostBackupBytes = 64 << 20;

int refused(const std::string& what) {
    say_error(what);
    return kFailure;
}

// What may stand in the path of a request as it is.
bool proper_word(const std::string& word) {
    return word.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") ==
           std::string::npos;
}

std::string stamp(const json& row) {
    const auto created = row.find("created");
    if (created == row.end() || !created->is_number_integer()) return "?";
    const std::time_t seconds = created->get<int64_t>();
    tm parts{};
    gmtime_r(&seconds, &parts);
    char text[32];
    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
    return text;
}

std::string padded(std::string text, size_t width) {
    if (text.size() < width) text.append(width - text.size(), ' ');
    return text + "  ";
}

std::string text_in(const json& row, const char* key) {
    const auto found = row.find(key);
    if (found == row.end()) return "?";
    return found->is_string()   ? one_line(found->get<std::string>())
           : found->is_number() ? found->dump()
                                : "?";
}

// Complete or not there; readable by its owner alone.
Status save(const std::string& file, const std::string& bytes) {
    const int fd = open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return fail("cannot make " + file + ": " + strerror(errno) + "; choose another file: --output");
    size_t done = 0;
    while (done < bytes.size()) {
        const ssize_t wrote = write(fd, bytes.data() + done, bytes.size() - done);
        if (wrote < 0 && errno == EINTR) continue;
        if (wrote <= 0) break;
        done += static_cast<size_t>(wrote);
    }
    const bool complete = done == bytes.size() && fsync(fd) == 0;
    close(fd);
    if (complete) return {};
    unlink(file.c_str());
    return fail("cannot write " + file + ": " + strerror(errno) + "; make room on its disk");
}

int download(const Endpoint& server, const BackupOptions& options) {
    const auto answer =
        exchange_bytes(server, Method::kGet, "/v1/backups/" + options.name, "", "", kMostBackupBytes);
    if (!answer) return refused(answer.error().what);
    if (answer->status != 200) return refused(refusal_text(*answer));
    const std::string file = options.file.empty() ? options.name + ".backup" : options.file;
    if (auto saved = save(file, answer->bytes); !saved) return refused(saved.error().what);
    if (options.json)
        return print(json{{"schema", kListingSchema}, {"name", options.name}, {"file", file}}.dump(2) + "\n");
    return print("Backup " + options.name + " was saved as " + file + "\n");
}

int restore(const Endpoint& server, const BackupOptions& options) {
    std::ifstream in(options.name, std::ios::binary | std::ios::ate);
    if (!in)
        return refused("cannot read " + options.name + ": " + strerror(errno) + "; give the downloaded file");
    const auto size = static_cast<uint64_t>(in.tellg());
    if (size > kMostBackupBytes) return refused(options.name + " has more than 64 MiB: it is no backup");
    std::string bytes(size, '\0');
    in.seekg(0);
    in.read(bytes.data(), static_cast<std::streamsize>(size));
    if (!in) return refused("cannot read " + options.name + "; give the downloaded file");
    std::string target = "/v1/restore";
    if (!options.pool.empty()) target += "?pool=" + options.pool;
    const auto answer =
        exchange_bytes(server, Method::kPost, target, "application/octet-stream", bytes, 1 << 20);
    if (!answer) return refused(answer.error().what);
    if (answer->status != 200) return refused(refusal_text(*answer));
    const json row = json::parse(answer->bytes, nullptr, false);
    if (!row.is_object()) return refused(not_a_manager(server, "its answer is not a JSON object").what);
    if (options.json) return print(json{{"schema", kListingSchema}, {"restored", row}}.dump(2) + "\n");
    return print("Backup " + text_in(row, "name") + " of " + stamp(row) + " was restored\n");
}

int show(const Result<Answer>& answer, unsigned wanted, bool as_json,
         const std::function<std::string(const json&)>& text) {
    if (!answer) return refused(answer.error().what);
    if (answer->status != wanted) return refused(refusal_text(*answer));
    if (!as_json) return print(text(answer->body));
    json document = answer->body;
    document["schema"] = kListingSchema;
    return print(document.dump(2, ' ', false, json::error_handler_t::replace) + "\n");
}

}  // namespace

std::string backups_text(const json& document) {
    std::string text = padded("Name", 24) + padded("Created", 20) + padded("Bytes", 10) + "Version\n";
    for (const json& row : document.value("backups", json::array())) {
        if (!row.is_object()) continue;
        text += padded(text_in(row, "name"), 24) + padded(stamp(row), 20) +
                padded(text_in(row, "bytes"), 10) + text_in(row, "version") + "\n";
    }
    return text;
}

int backup_command(const BackupOptions& options) {
    const bool is_file = options.action == BackupOptions::Action::kRestore;
    if ((!is_file && !proper_word(options.name)) || !proper_word(options.pool))
        return refused(
            "a backup's name, and a pool's, has A-Z a-z 0-9 . _ - only; see: bitfusion backup list");
    const auto endpoints = find_servers(options.servers);
    if (!endpoints) return refused(endpoints.error().what);
    const Endpoint& server = endpoints->front();
    using Action = BackupOptions::Action;
    switch (options.action) {
        case Action::kDownload:
            return download(server, options);
        case Action::kRestore:
            return restore(server, options);
        case Action::kCreate:
            return show(ask(server, Method::kPost, "/v1/backups", {{"name", options.name}}), 201,
                        options.json,
                        [](const json& row) { return "Backup " + text_in(row, "name") + " was made\n"; });
        case Action::kDelete:
            return show(ask(server, Method::kDelete, "/v1/backups/" + options.name), 200, options.json,
                        [](const json& row) { return "Backup " + text_in(row, "name") + " was deleted\n"; });
        case Action::kList:
            break;
    }
    return show(ask(server, Method::kGet, "/v1/backups"), 200, options.json, backups_text);
}

}  // namespace bitfusion::cli
