#include "cli/report.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <sstream>

namespace bitfusion::cli {
namespace {

void say_stamped(const char* level, const std::string& text) {
    timespec now{};
    clock_gettime(CLOCK_REALTIME, &now);
    tm parts{};
    gmtime_r(&now.tv_sec, &parts);
    char stamp[32];
    strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%SZ", &parts);
    say_plain("[" + std::string(level) + "] " + stamp + " " + one_line(text) + "\n");
}

}  // namespace

void say_plain(const std::string& text) {
    fwrite(text.data(), 1, text.size(), stderr);
    fflush(stderr);
}

void say_error(const std::string& text) {
    // The one text of several lines, which are to stand as they are.
    if (!text.starts_with("Error querying server ")) {
        say_plain("bitfusion: " + one_line(text) + "\n");
        return;
    }
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) say_plain(one_line(line) + "\n");
}
void say_info(const std::string& text) { say_stamped("INFO", text); }
void say_warning(const std::string& text) { say_stamped("WARN", text); }

std::string one_line(const std::string& text) {
    std::string out = text;
    for (char& c : out) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte < 0x20 || byte == 0x7f) c = '?';
    }
    return out;
}

int print(const std::string& text) {
    if (fwrite(text.data(), 1, text.size(), stdout) == text.size() && fflush(stdout) == 0) return kSuccess;
    say_error(std::string("cannot write to standard output: ") + strerror(errno));
    return kFailure;
}

}  // namespace bitfusion::cli
