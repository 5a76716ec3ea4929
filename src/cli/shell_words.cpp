#include "cli/shell_words.h"

#include <cstring>

namespace bitfusion::cli {
namespace {

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n'; }

}  // namespace

Result<std::vector<std::string>> split_words(const std::string& line) {
    std::vector<std::string> words;
    std::string word;
    bool in_word = false;
    char quote = '\0';
    for (size_t i = 0; i < line.size(); ++i) {
        const char c = line[i];
        if (quote == '\'') {
            if (c == '\'')
                quote = '\0';
            else
                word += c;
        } else if (c == '\\') {
            if (i + 1 == line.size()) return fail("the command ends in a backslash; remove it or double it");
            const char next = line[++i];
            const bool special = strchr("\"\\$`\n", next) != nullptr;
            if (quote == '"' && !special) word += '\\';
            if (next != '\n') word += next;
            in_word = in_word || next != '\n';
        } else if (quote == '"') {
            if (c == '"')
                quote = '\0';
            else
                word += c;
        } else if (c == '\'' || c == '"') {
            quote = c;
            in_word = true;
        } else if (is_space(c)) {
            if (in_word) words.push_back(std::move(word));
            word.clear();
            in_word = false;
        } else {
            word += c;
            in_word = true;
        }
    }
    if (quote != '\0')
        return fail(std::string("the command has an open ") + quote +
                    " quote; close it or write the program after --");
    if (in_word) words.push_back(std::move(word));
    return words;
}

std::string join_words(const std::vector<std::string>& words) {
    std::string line;
    for (const std::string& word : words) line += (line.empty() ? "" : " ") + word;
    return line;
}

}  // namespace bitfusion::cli
