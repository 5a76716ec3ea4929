#include "cli/redact.h"

#include <algorithm>
#include <array>
#include <cctype>

namespace bitfusion::cli {
namespace {

constexpr const char* kRemoved = "<removed>";
constexpr std::array<const char*, 16> kWords = {
    "token",       "ticket",  "password", "passwd", "passphrase",    "secret", "session",    "private_key",
    "private-key", "api_key", "api-key",  "apikey", "authorization", "cookie", "credential", "bearer"};
constexpr std::array<const char*, 2> kOurs = {"bf-", "bfs-"};  // tokens, sessions of people
constexpr size_t kUuid = 36;

bool letter_or_digit(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0; }
bool hex(char c) { return std::isxdigit(static_cast<unsigned char>(c)) != 0; }
bool base64(char c) { return letter_or_digit(c) || c == '+' || c == '_' || c == '='; }
bool base64_or_dash(char c) { return base64(c) || c == '-'; }

// How many characters from `at` on satisfy it.
size_t run_of(const std::string& text, size_t at, bool (*holds)(char)) {
    size_t end = at;
    while (end < text.size() && holds(text[end])) ++end;
    return end - at;
}

bool is_uuid(const std::string& text) {
    for (size_t i = 0; i < text.size(); ++i) {
        const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (dash ? text[i] != '-' : !hex(text[i])) return false;
    }
    return text.size() == kUuid;
}

// A random text with dashes in it, or one of ours.
bool is_secret(const std::string& word) {
    constexpr size_t kLeastOurs = 40;
    constexpr size_t kLeast = 43;  // what 32 random bytes are
    for (const char* prefix : kOurs) {
        if (word.starts_with(prefix) && word.size() >= kLeastOurs) return true;
    }
    if (word.size() < kLeast || is_uuid(word.substr(word.size() - kUuid))) return false;
    const auto has = [&](int (*kind)(int)) {
        return std::any_of(word.begin(), word.end(), [&](unsigned char c) { return kind(c) != 0; });
    };
    return has(std::isupper) && has(std::islower) && has(std::isdigit);
}

// Whether the name that the word at `at` belongs to is a flag: --server-token.
bool is_flag(const std::string& line, size_t at) {
    while (at > 0 && base64_or_dash(line[at - 1])) --at;
    return line.compare(at, 2, "--") == 0;
}

// Where the value after a secret's name begins in the line, its end where the value is on the next; npos when
// there is none.
size_t value_after_word(const std::string& line) {
    std::string lower = line;
    std::transform(lower.begin(), lower.end(), lower.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    size_t first = std::string::npos;
    for (const char* word : kWords) {
        for (size_t at = lower.find(word); at != std::string::npos; at = lower.find(word, at + 1)) {
            size_t value = at + std::string(word).size();
            while (value < line.size() && (letter_or_digit(line[value]) || line[value] == '_')) ++value;
            const size_t separators = value;
            while (value < line.size() && std::string(" \t\"':=").find(line[value]) != std::string::npos)
                ++value;
            // A name without ':' or '=' after it is only a word, but "Bearer x" and "--token x" need none.
            const std::string between = line.substr(separators, value - separators);
            const bool assigned = between.find_first_of(":=") != std::string::npos ||
                                  std::string(word) == "bearer" || (is_flag(line, at) && !between.empty());
            if (assigned) first = std::min(first, value);
        }
    }
    return first;
}

// The end of the name and password that an address begins with at `at`, behind "://"; `at` without them.
size_t after_credentials(const std::string& text, size_t at) {
    const size_t end = text.find_first_of("@/ \t\"'", at);
    const bool there = end != std::string::npos && text[end] == '@' && text.find(':', at) < end;
    return there ? end : at;
}

std::string part_without_secrets(const std::string& text) {
    std::string out;
    for (size_t at = 0; at < text.size();) {
        const size_t digits = run_of(text, at, hex);
        const size_t letters = run_of(text, at, base64);
        const size_t word = run_of(text, at, base64_or_dash);
        if (is_secret(text.substr(at, word))) {
            out += kRemoved;
            at += word;
        } else if (digits >= 32 || letters >= 40) {
            out += kRemoved;
            at += std::max(digits, letters);
        } else if (text.compare(at, 3, "://") == 0) {
            const size_t end = after_credentials(text, at + 3);
            out += "://";
            if (end != at + 3) out += kRemoved;
            at = end;
        } else {
            const size_t step = std::max<size_t>(1, letters);
            out += text.substr(at, step);
            at += step;
        }
    }
    return out;
}

size_t indent_of(const std::string& line) { return std::min(line.find_first_not_of(" \t"), line.size()); }

// A value that goes on below: nothing, a list, an object or YAML's text of several lines.
bool goes_on(const std::string& value) {
    return value.empty() || std::string("[{|>").find(value.front()) != std::string::npos;
}

class Redactor {
  public:
    // What stands for the line, without its end.
    std::string line(const std::string& line) {
        if (below_ && (line.find_first_not_of(" \t") == std::string::npos || indent_of(line) > indent_))
            return line.empty() ? "" : kRemoved;
        below_ = false;
        const size_t value = value_after_word(line);
        std::string out = part_without_secrets(line.substr(0, value));
        if (value == std::string::npos) return out;
        if (goes_on(line.substr(value))) {
            below_ = true;
            indent_ = indent_of(line);
        }
        return value < line.size() ? out + kRemoved : out;
    }

  private:
    bool below_ = false;  // under a secret's name
    size_t indent_ = 0;   // of that name
};

}  // namespace

std::string without_secrets(const std::string& text) {
    std::string out;
    bool in_pem = false;
    Redactor redactor;
    for (size_t at = 0; at < text.size();) {
        const size_t end = std::min(text.find('\n', at), text.size());
        const std::string line = text.substr(at, end - at);
        if (line.find("-----BEGIN") != std::string::npos) {
            in_pem = true;
            out += std::string(kRemoved) + "\n";
        }
        if (!in_pem) out += redactor.line(line) + (end < text.size() ? "\n" : "");
        if (line.find("-----END") != std::string::npos) in_pem = false;
        at = end + 1;
    }
    return out;
}

}  // namespace bitfusion::cli
