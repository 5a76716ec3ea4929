// Report: how the CLI speaks to its user. Listings go to stdout; everything else, the banner too, goes to
// stderr, so that the output of a program under `bitfusion run` stays its own.
#pragma once

#include <string>

namespace bitfusion::cli {

constexpr int kSuccess = 0;
constexpr int kFailure = 1;
constexpr int kUsage = 2;
constexpr int kNotExecutable = 126;
constexpr int kNotFound = 127;

// "bitfusion: <text>"
void say_error(const std::string& text);
// "[INFO] 2021-07-02T07:07:28Z <text>", also with WARN.
void say_info(const std::string& text);
void say_warning(const std::string& text);
// The text as it is.
void say_plain(const std::string& text);

// One line: control characters of texts that came from elsewhere become '?'.
std::string one_line(const std::string& text);

// Writes to stdout and says so if that fails. The exit code.
int print(const std::string& text);

}  // namespace bitfusion::cli
