// WorkerWords: what a worker writes to its standard error, taken into this server's log line by line, so that
// the log that administrators read (log_book.h) has the workers' lines too.
//
// A worker works for a program of a stranger: what it says is bounded, made printable, and always shown as
// the words of its process, with the time at which it came; more than kMostLines a second are counted and
// left out. Lines of the log's own form keep their room and level; anything else, the last words of a crash
// for example, is a warning. The daemon's thread only.
#pragma once

#include <sys/types.h>

#include <string>

#include "base/descriptor.h"
#include "daemon/async.h"

namespace bitfusion::daemon {

constexpr int kMostWorkerLines = 200;  // a second

// The worker's BITFUSION_LOG: what this process was told, and every room at least at level info, which is
// what the log book keeps. `said` may be null.
std::string worker_log_levels(const char* said);

// Reads until the worker and all that it started have closed the other end.
Task<void> hear_worker(Descriptor words, pid_t pid);

// One line of it, without its end.
void log_worker_line(const std::string& line, pid_t pid);

}  // namespace bitfusion::daemon
