#include "daemon/log_book.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <boost/asio/post.hpp>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <fstream>
#include <optional>

#include "base/log_listener.h"

namespace bitfusion::daemon {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr std::array<const char*, 6> kLevels = {"off", "error", "warn", "info", "debug", "trace"};
constexpr const char* kFile = "manager.log";
constexpr size_t kMostLineBytes = 2048;

LogBook* g_book = nullptr;
std::mutex g_book_mutex;

// Thousands of a number's lines share one millisecond: the number says when, and its last digits which.
uint64_t number_at(const std::string& time) {
    tm parts{};
    const char* const rest = strptime(time.c_str(), "%Y-%m-%dT%H:%M:%S", &parts);
    if (rest == nullptr) return 0;
    const long milliseconds = *rest == '.' ? strtol(rest + 1, nullptr, 10) : 0;
    const auto seconds = static_cast<uint64_t>(std::max<time_t>(0, timegm(&parts)));
    return (seconds * 1000 + static_cast<uint64_t>(milliseconds)) * 1000;
}

}  // namespace

std::optional<log::Level> log_level_from(const std::string& text) {
    for (size_t i = 1; i < kLevels.size(); ++i) {
        if (text == kLevels[i]) return static_cast<log::Level>(i);
    }
    return std::nullopt;
}

std::optional<LogLine> log_line_from(const std::string& line) {
    const size_t time_end = line.find(' ');
    const size_t level_end = time_end == std::string::npos ? time_end : line.find(' ', time_end + 1);
    const size_t part_end = level_end == std::string::npos ? level_end : line.find('[', level_end);
    const size_t head_end = part_end == std::string::npos ? part_end : line.find("] ", part_end);
    if (head_end == std::string::npos || number_at(line.substr(0, time_end)) == 0) return std::nullopt;
    const auto level = log_level_from(line.substr(time_end + 1, level_end - time_end - 1));
    if (!level) return std::nullopt;
    return LogLine{0, line.substr(0, time_end), *level, line.substr(level_end + 1, part_end - level_end - 1),
                   line.substr(head_end + 2)};
}

LogBook::LogBook(asio::io_context& io) : io_(io), changed_(io) {
    const std::lock_guard lock(g_book_mutex);
    g_book = this;
    log::listen(heard, log::Level::kInfo);
}

LogBook::~LogBook() {
    const std::lock_guard lock(g_book_mutex);
    log::listen(nullptr, log::Level::kOff);
    g_book = nullptr;
}

void LogBook::heard(const char* text, size_t size) {
    const std::lock_guard lock(g_book_mutex);
    if (g_book != nullptr) g_book->add(std::string(text, size));
}

void LogBook::add(const std::string& text) {
    auto line = log_line_from(text);
    if (!line) return;
    bool ring = false;
    {
        const std::lock_guard lock(mutex_);
        remember(std::move(*line));
        write(text + "\n");
        ring = !std::exchange(ringing_, true);
    }
    if (!ring) return;
    asio::post(io_, [this] {
        {
            const std::lock_guard lock(mutex_);
            ringing_ = false;
        }
        changed_.ring();
    });
}

void LogBook::remember(LogLine line) {
    newest_ = std::max(newest_ + 1, number_at(line.time));
    line.number = newest_;
    lines_.push_back(std::move(line));
    if (lines_.size() <= kMostLines) return;
    forgotten_ = lines_.front().number;
    lines_.pop_front();
}

void LogBook::write(const std::string& text) {
    if (!descriptor_) return;
    if (file_bytes_ + text.size() > kMostFileBytes) {
        rename(file_.c_str(), (file_.string() + ".1").c_str());
        descriptor_ = Descriptor(
            open(file_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600));
        file_bytes_ = 0;
        if (!descriptor_) return;
    }
    // A line that cannot be written has nowhere to be reported; it is still among the lines in memory.
    const ssize_t written = ::write(descriptor_.get(), text.data(), text.size());
    if (written > 0) file_bytes_ += static_cast<size_t>(written);
}

void LogBook::load(const fs::path& file) {
    std::ifstream in(file, std::ios::binary);
    for (std::string line; std::getline(in, line);) {
        if (line.size() > kMostLineBytes) continue;
        if (auto read = log_line_from(line)) remember(std::move(*read));
    }
}

Status LogBook::keep_in(const fs::path& folder) {
    const std::lock_guard lock(mutex_);
    file_ = folder / kFile;
    // What was logged until now comes after what earlier processes left.
    std::deque<LogLine> since = std::exchange(lines_, {});
    newest_ = 0;
    load(file_.string() + ".1");
    load(file_);
    descriptor_ =
        Descriptor(open(file_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600));
    struct stat now {};
    const bool sound = descriptor_ && fstat(descriptor_.get(), &now) == 0 && S_ISREG(now.st_mode);
    const int trouble = errno;
    file_bytes_ = sound ? static_cast<size_t>(now.st_size) : 0;
    if (!sound) descriptor_.close();
    for (LogLine& line : since) {
        write(line.time + " " + kLevels[static_cast<size_t>(line.level)] + " " + line.part + "[" +
              std::to_string(getpid()) + "] " + line.text + "\n");
        remember(std::move(line));
    }
    if (!sound)
        return fail("the log is not kept in " + file_.string() + ": " + strerror(trouble) +
                    "; make it a file of this user");
    return {};
}

json LogBook::read(log::Level most, uint64_t after, size_t count) const {
    const std::lock_guard lock(mutex_);
    std::deque<const LogLine*> chosen;
    uint64_t next = std::max(after, newest_);
    for (const LogLine& line : lines_) {
        if (line.number <= after || line.level > most) continue;
        if (after != 0 && chosen.size() == count) {
            next = chosen.back()->number;
            break;
        }
        chosen.push_back(&line);
        if (chosen.size() > count) chosen.pop_front();
    }
    json rows = json::array();
    for (const LogLine* line : chosen) {
        rows.push_back({{"seq", line->number},
                        {"time", line->time},
                        {"level", kLevels[static_cast<size_t>(line->level)]},
                        {"part", line->part},
                        {"text", line->text}});
    }
    return {{"lines", std::move(rows)}, {"next", next}, {"lost", after != 0 && after < forgotten_}};
}

uint64_t LogBook::newest() const {
    const std::lock_guard lock(mutex_);
    return newest_;
}

}  // namespace bitfusion::daemon
