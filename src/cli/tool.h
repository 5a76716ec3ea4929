// Tool: runs another program of this machine and takes what it prints.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "base/result.h"

namespace bitfusion::cli {

// Runs arguments[0] (searched in PATH without a slash) and returns its standard output, at most `most_bytes`.
// Standard input is empty; standard error is left alone. Fails when it cannot be run, ends with another
// status than 0, or takes longer than `deadline`, after which it is killed.
Result<std::string> output_of(const std::vector<std::string>& arguments, size_t most_bytes,
                              std::chrono::seconds deadline);

}  // namespace bitfusion::cli
