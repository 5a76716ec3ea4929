#include "cli/redact.h"

#include <algorithm>
#include <array>
#include <cctype>

namespace bitfusion::cli {
namespace {

constexpr const char* kRemoved = "<removed>";
constexpr std::array<const char*, 9> kWords = {"token",   "ticket",      "password", "passwd", "secret",
                                               "session", "private_key", "api_key",  "bearer"};

bool hex(char c) { return std::isxdigit(static_cast<unsigned char>(c)) != 0; }
bool base64(char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '+' || c == '_' || c == '=';
}

// How many characters from `at` on satisfy it.
size_t run_of(const std::string& text, size_t at, bool (*holds)(char)) {
    size_t end = at;
    while (end < text.size() && holds(text[end])) ++end;
    return end - at;
}

// Where the value after a secret's name begins in the line; npos when it has none.
size_t value_after_word(const std::string& line) {
    std::string lower = line;
    std::transform(lower.begin(), lower.end(), lower.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    size_t first = std::string::npos;
    for (const char* word : kWords) {
        for (size_t at = lower.find(word); at != std::string::npos; at = lower.find(word, at + 1)) {
            size_t value = at + std::string(word).size();
            while (value < line.size() &&
                   (std::isalnum(static_cast<unsigned char>(line[value])) || line[value] == '_'))
                ++value;
            const size_t separators = value;
            while (value < line.size() && std::string(" \t\"':=").find(line[value]) != std::string::npos)
                ++value;
            // A name without ':' or '=' after it is only a word, but "Bearer x" needs none.
            const bool assigned =
                line.substr(separators, value - separators).find_first_of(":=") != std::string::npos ||
                std::string(word) == "bearer";
            if (assigned && value < line.size()) first = std::min(first, value);
        }
    }
    return first;
}

std::string line_without_secrets(const std::string& line) {
    const size_t value = value_after_word(line);
    const std::string head = line.substr(0, value);
    std::string out;
    for (size_t at = 0; at < head.size();) {
        const size_t digits = run_of(head, at, hex);
        const size_t letters = run_of(head, at, base64);
        if (digits >= 32 || letters >= 40) {
            out += kRemoved;
            at += std::max(digits, letters);
        } else {
            const size_t step = std::max<size_t>(1, letters);
            out += head.substr(at, step);
            at += step;
        }
    }
    return value == std::string::npos ? out : out + kRemoved;
}

}  // namespace

std::string without_secrets(const std::string& text) {
    std::string out;
    bool in_pem = false;
    for (size_t at = 0; at < text.size();) {
        const size_t end = std::min(text.find('\n', at), text.size());
        const std::string line = text.substr(at, end - at);
        if (line.find("-----BEGIN") != std::string::npos) {
            in_pem = true;
            out += std::string(kRemoved) + "\n";
        }
        if (!in_pem) out += line_without_secrets(line) + (end < text.size() ? "\n" : "");
        if (line.find("-----END") != std::string::npos) in_pem = false;
        at = end + 1;
    }
    return out;
}

}  // namespace bitfusion::cli
