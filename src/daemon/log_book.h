// LogBook: the last lines that this process has logged, for who reads them through the REST API.
//
// Hears every line of level info and worse (base/log_listener.h), whatever BITFUSION_LOG says. Keeps the last
// kMostLines, and with a folder two files of kMostFileBytes there (manager.log, manager.log.1), which it
// reads when it opens; so a crash can be read about afterwards. Lines are numbered in order, also over
// restarts. Any thread logs; everything else is the daemon's thread. One book a process.
#pragma once

#include <deque>
#include <filesystem>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "base/descriptor.h"
#include "base/log.h"
#include "base/result.h"
#include "daemon/async.h"

namespace bitfusion::daemon {

struct LogLine {
    uint64_t number = 0;
    std::string time;  // "2026-11-22T03:04:05.678Z"
    log::Level level = log::Level::kInfo;
    std::string part;  // "daemon"
    std::string text;
};

// A line of the log's form (base/log.h); the number is left 0. Nothing where it has another.
std::optional<LogLine> log_line_from(const std::string& line);
std::optional<log::Level> log_level_from(const std::string& text);

class LogBook {
  public:
    static constexpr size_t kMostLines = 4096;
    static constexpr size_t kMostAsked = 2000;
    static constexpr size_t kMostFileBytes = 1 << 20;

    explicit LogBook(asio::io_context& io);
    ~LogBook();
    LogBook(const LogBook&) = delete;
    LogBook& operator=(const LogBook&) = delete;

    // Keeps the lines in this folder from now on.
    Status keep_in(const std::filesystem::path& folder);

    // {"lines", "next", "lost"}: lines of `most` and worse after number `after`; with 0 the newest `count`.
    nlohmann::json read(log::Level most, uint64_t after, size_t count) const;
    uint64_t newest() const;
    // Rings after lines came, once for many.
    Bell& changed() { return changed_; }

  private:
    static void heard(const char* text, size_t size);
    void add(const std::string& text);
    void remember(LogLine line);
    void write(const std::string& text);
    void load(const std::filesystem::path& file);

    asio::io_context& io_;
    Bell changed_;
    mutable std::mutex mutex_;  // of everything below
    std::deque<LogLine> lines_;
    uint64_t newest_ = 0;
    uint64_t forgotten_ = 0;  // the last number that is no longer kept
    std::filesystem::path file_;
    Descriptor descriptor_;
    size_t file_bytes_ = 0;
    bool ringing_ = false;
};

}  // namespace bitfusion::daemon
