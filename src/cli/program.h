// Program: finding, starting and waiting for the user's program in the foreground.
//
// The program shares our process group and terminal, so that Ctrl-C, Ctrl-\ and Ctrl-Z reach it as they reach
// us; signals that are sent to us alone are passed on. One program at a time, on the process's only thread.
#pragma once

#include <sys/types.h>

#include <functional>
#include <string>
#include <vector>

#include "base/result.h"

namespace bitfusion::cli {

// The path that exec would take: `name` itself when it has a slash, else searched along PATH. The error's
// code is the exit code: 127 not found, 126 found but not executable.
Result<std::string> find_program(const std::string& name);

struct ProgramPlan {
    std::string path;
    std::vector<std::string> arguments;    // argv[0] included
    std::vector<std::string> environment;  // complete
};

// A descriptor that is looked at while the program runs; -1 for none.
struct Watch {
    int descriptor = -1;
    // Called when it is readable; false when it needs no more watching.
    std::function<bool()> readable;
};

// Starts it, waits for its end and returns the exit code: the program's own, or 128 + n when signal n ended
// it. The error's code is 126 when it could not be executed.
Result<int> run_program(const ProgramPlan& plan, const Watch& watch);

// This process's environment, with `changes` (NAME=value) put in the place of what they name.
std::vector<std::string> environment_with(const std::vector<std::string>& changes);

}  // namespace bitfusion::cli
