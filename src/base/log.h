// Log: one line per event on stderr, filtered by level per room.
//
// BITFUSION_LOG=<level>[,room=level...] with level one of off, error, warn, info, debug, trace; default warn.
// debug is proportional to the number of objects, trace to the number of calls. A line is written with one
// write(2), so lines of several threads and processes do not mix. Any thread may log; nothing is allocated
// after the first call. Lowercase text, "device 3" rather than "device=3".
#pragma once

#include <cstdarg>

namespace bitfusion::log {

enum class Level : int { kOff = 0, kError, kWarn, kInfo, kDebug, kTrace };

// The level in force for a room ("client", "worker", ...); reads BITFUSION_LOG once.
Level level_of(const char* room);

inline bool enabled(const char* room, Level level) {
    return static_cast<int>(level_of(room)) >= static_cast<int>(level);
}

void line(const char* room, Level level, const char* format, ...) __attribute__((format(printf, 3, 4)));

// Lines go to this descriptor instead of standard error.
void write_to(int descriptor);

// Replaces what BITFUSION_LOG said; for --verbose flags and tests. Same syntax. False when it does not parse.
bool configure(const char* text);

}  // namespace bitfusion::log

#define BF_LOG(room, level, ...)                                                       \
    do {                                                                               \
        if (::bitfusion::log::enabled(room, ::bitfusion::log::Level::level))           \
            ::bitfusion::log::line(room, ::bitfusion::log::Level::level, __VA_ARGS__); \
    } while (0)
