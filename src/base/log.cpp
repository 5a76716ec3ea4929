#include "base/log.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <mutex>

#include "base/log_listener.h"

namespace bitfusion::log {
namespace {

constexpr std::array<const char*, 6> kNames = {"off", "error", "warn", "info", "debug", "trace"};
constexpr int kMostRooms = 16;

struct Filter {
    struct Room {
        char name[24];
        Level level;
    };
    std::array<Room, kMostRooms> rooms{};
    int count = 0;
    Level fallback = Level::kWarn;
};

Filter g_filter;  // what is written
Filter g_heard;   // what is written or listened to: nothing is added to the cost of what is neither
Level g_listened = Level::kOff;
std::atomic<Listener> g_listener{nullptr};
std::mutex g_configure;
std::atomic<bool> g_ready{false};
std::atomic<int> g_descriptor{STDERR_FILENO};

Level level_in(const Filter& filter, const char* room) {
    for (int i = 0; i < filter.count; ++i) {
        if (strcmp(filter.rooms[i].name, room) == 0) return filter.rooms[i].level;
    }
    return filter.fallback;
}

void put_filter(const Filter& filter) {
    g_filter = filter;
    g_heard = filter;
    g_heard.fallback = std::max(g_heard.fallback, g_listened);
    for (int i = 0; i < g_heard.count; ++i)
        g_heard.rooms[i].level = std::max(g_heard.rooms[i].level, g_listened);
}

bool parse_level(const char* text, size_t length, Level* level) {
    for (size_t i = 0; i < kNames.size(); ++i) {
        if (strlen(kNames[i]) == length && strncmp(kNames[i], text, length) == 0) {
            *level = static_cast<Level>(i);
            return true;
        }
    }
    return false;
}

bool parse(const char* text, Filter* filter) {
    while (*text != '\0') {
        const size_t length = strcspn(text, ",");
        const auto* equals = static_cast<const char*>(memchr(text, '=', length));
        if (equals == nullptr) {
            if (!parse_level(text, length, &filter->fallback)) return false;
        } else {
            const auto name_length = static_cast<size_t>(equals - text);
            Filter::Room room{};
            if (name_length >= sizeof room.name || filter->count == kMostRooms) return false;
            memcpy(room.name, text, name_length);
            if (!parse_level(equals + 1, length - name_length - 1, &room.level)) return false;
            filter->rooms[filter->count++] = room;
        }
        text += length;
        if (*text == ',') ++text;
    }
    return true;
}

void read_environment() {
    const std::lock_guard<std::mutex> lock(g_configure);
    if (g_ready.load(std::memory_order_relaxed)) return;
    const char* text = getenv("BITFUSION_LOG");
    Filter filter;
    const bool good = text == nullptr || parse(text, &filter);
    put_filter(good ? filter : Filter());
    g_ready.store(true, std::memory_order_release);
    if (!good) {
        dprintf(STDERR_FILENO,
                "bitfusion: BITFUSION_LOG=%s is not <level>[,room=level]; levels: off error warn info debug "
                "trace\n",
                text);
    }
}

}  // namespace

bool configure(const char* text) {
    Filter filter;
    if (!parse(text, &filter)) return false;
    const std::lock_guard<std::mutex> lock(g_configure);
    put_filter(filter);
    g_ready.store(true, std::memory_order_release);
    return true;
}

void listen(Listener listener, Level most) {
    if (!g_ready.load(std::memory_order_acquire)) read_environment();
    const std::lock_guard<std::mutex> lock(g_configure);
    g_listener.store(listener);
    g_listened = listener == nullptr ? Level::kOff : most;
    put_filter(Filter(g_filter));
}

void write_to(int descriptor) { g_descriptor.store(descriptor); }

Level level_of(const char* room) {
    if (!g_ready.load(std::memory_order_acquire)) read_environment();
    return level_in(g_heard, room);
}

void line(const char* room, Level level, const char* format, ...) {
    char text[2048];
    timespec now{};
    clock_gettime(CLOCK_REALTIME, &now);
    tm parts{};
    gmtime_r(&now.tv_sec, &parts);
    int used =
        snprintf(text, sizeof text, "%04d-%02d-%02dT%02d:%02d:%02d.%03ldZ %s %s[%d] ", parts.tm_year + 1900,
                 parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec,
                 now.tv_nsec / 1000000, kNames[static_cast<size_t>(level)], room, static_cast<int>(getpid()));
    va_list arguments;
    va_start(arguments, format);
    const int wanted = vsnprintf(text + used, sizeof text - static_cast<size_t>(used) - 1, format, arguments);
    va_end(arguments);
    if (wanted > 0) used += wanted;
    if (used > static_cast<int>(sizeof text) - 2) used = static_cast<int>(sizeof text) - 2;
    if (const Listener listener = g_listener.load(); listener != nullptr && level <= g_listened)
        listener(text, static_cast<size_t>(used));
    if (level > level_in(g_filter, room)) return;
    text[used++] = '\n';
    // A log line that cannot be written has nowhere to be reported.
    [[maybe_unused]] const ssize_t written = write(g_descriptor.load(), text, static_cast<size_t>(used));
}

}  // namespace bitfusion::log
