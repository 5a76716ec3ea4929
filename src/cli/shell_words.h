// Shell words: splits the one-string spelling `run -n 1 "app args"` as a shell splits a line, without
// expansion.
//
// White space separates; '...' keeps everything; "..." keeps everything but \" \\ \$ \` and a backslash
// before a line end; outside of quotes a backslash keeps the next character. Variables, globs, pipes and
// redirections mean nothing here: they are ordinary characters. Pure.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"

namespace bitfusion::cli {

Result<std::vector<std::string>> split_words(const std::string& line);

// The words with blanks between them; for messages.
std::string join_words(const std::vector<std::string>& words);

}  // namespace bitfusion::cli
