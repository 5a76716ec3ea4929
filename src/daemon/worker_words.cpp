#include "daemon/worker_words.h"

#include <algorithm>
#include <array>
#include <boost/asio/posix/stream_descriptor.hpp>

#include "base/log.h"
#include "daemon/dispatcher.h"
#include "daemon/log_book.h"

namespace bitfusion::daemon {
namespace {

constexpr size_t kMostLineBytes = 1536;  // with the head that it gets, less than a line of the log may have
constexpr size_t kMostRoomBytes = 23;
constexpr auto kSecond = std::chrono::seconds(1);

bool room_name(const std::string& text) {
    return !text.empty() && text.size() <= kMostRoomBytes &&
           std::all_of(text.begin(), text.end(), [](char c) { return (c >= 'a' && c <= 'z') || c == '_'; });
}

void say(const std::string& room, log::Level level, const std::string& text, pid_t pid) {
    if (log::enabled(room.c_str(), level))
        log::line(room.c_str(), level, "worker %d: %s", static_cast<int>(pid),
                  harmless(text, kMostLineBytes).c_str());
}

}  // namespace

std::string worker_log_levels(const char* said) {
    std::string levels = "info";
    const std::string text = said == nullptr ? "" : said;
    for (size_t at = 0; at < text.size();) {
        const size_t end = std::min(text.find(',', at), text.size());
        const std::string one = text.substr(at, end - at);
        at = end + 1;
        const size_t equals = one.find('=');
        const std::string level = equals == std::string::npos ? one : one.substr(equals + 1);
        if (level != "debug" && level != "trace") continue;  // info is what all have
        if (equals == std::string::npos)
            levels = level + levels.substr(std::min(levels.find(','), levels.size()));
        else
            levels += "," + one;
    }
    return levels;
}

void log_worker_line(const std::string& line, pid_t pid) {
    const auto read = log_line_from(line);
    if (read && room_name(read->part))
        say(read->part, read->level, read->text, pid);
    else if (!line.empty())
        say("worker", log::Level::kWarn, line, pid);
}

Task<void> hear_worker(Descriptor words, pid_t pid) {
    asio::posix::stream_descriptor reading(co_await asio::this_coro::executor, words.release());
    std::array<char, 4096> piece{};
    std::string line;
    auto second = Clock::now();
    int lines = 0;
    const auto take = [&] {
        if (Clock::now() - second >= kSecond) {
            if (lines > kMostWorkerLines)
                BF_LOG("daemon", kWarn, "worker %d: %d more lines within a second are left out",
                       static_cast<int>(pid), lines - kMostWorkerLines);
            second = Clock::now();
            lines = 0;
        }
        if (++lines <= kMostWorkerLines) log_worker_line(line, pid);
        line.clear();
    };
    for (;;) {
        const auto [error, size] = co_await reading.async_read_some(asio::buffer(piece), kNoThrow);
        for (size_t i = 0; i < size; ++i) {
            if (piece[i] == '\n')
                take();
            else if (line.size() < 2 * kMostLineBytes)
                line += piece[i];
        }
        if (error) break;
    }
    if (!line.empty()) take();
}

}  // namespace bitfusion::daemon
