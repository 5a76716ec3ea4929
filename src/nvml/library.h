// Library: what nvmlInit makes and nvmlShutdown ends, one for the process: the session, and what has been
// read through it. NVML may be called by any thread; one lock serialises all of it.
//
// A child of fork shares the parent's socket, which it must not touch: its first call opens a session of its
// own.
#pragma once

#include <array>
#include <chrono>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <vector>

#include "link/link.h"
#include "nvml/session.h"
#include "nvml_groups.gen.h"
#include "wire/rows.h"

namespace bitfusion::nvml {

constexpr size_t kMostDevices = 64;

// The rows of one group, for one device or pair.
struct Snapshot {
    std::vector<wire::Row> rows;
    std::chrono::steady_clock::time_point taken{};
};

struct Library {
    std::mutex lock;
    unsigned references = 0;
    std::unique_ptr<Session> session;
    size_t devices = 0;
    std::array<std::vector<Snapshot>, kMonitorGroups>
        snapshots;                      // by group, by device (pair: first * n + second)
    std::unique_ptr<link::Link> given;  // by use_link
    // By handle, the threads that wait on each: woken when it ends. A child of fork has the sets without
    // them.
    std::map<nvmlEventSet_t, std::set<std::condition_variable*>> event_sets;
};

Library& library();
bool initialised();

// Frees all event sets. The lock is held.
void end_event_sets(Library* l);

// Opens the session when need be. The lock is held. The error has been logged.
nvmlReturn_t ensure_session(Library* l);

// For tests: another link than BITFUSION_SESSION names, for the next session.
void use_link(std::unique_ptr<link::Link> link);

}  // namespace bitfusion::nvml
