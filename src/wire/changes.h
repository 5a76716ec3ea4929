// Changes: the bytes of a piece of memory that differ from what the other side knows, as runs (where, how
// many) and their data one after the other. Both directions of memory that program and GPU share travel so:
// what did not change is not sent, and two sides that write different words never overwrite each other.
//
// Words of four bytes are compared: a flag of that size is never seen half written. Plain data; one thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace bitfusion::wire {

// Up to so many bytes of mapped memory the worker tells what changed before each completion; beyond that the
// client asks, because looking takes time.
constexpr uint64_t kMostAnnounced = 1u << 20;

struct Run {
    uint64_t address = 0;
    uint64_t bytes = 0;
};
static_assert(sizeof(Run) == 16);

struct Changes {
    std::vector<Run> runs;
    std::vector<uint8_t> data;
    size_t joinable = 0;  // runs before this one are never made longer

    bool empty() const { return runs.empty(); }
    // Ends the run at hand: what follows is of another allocation, and a driver copies within one only.
    void part() { joinable = runs.size(); }
    std::span<const uint8_t> run_bytes() const {
        return {reinterpret_cast<const uint8_t*>(runs.data()), runs.size() * sizeof(Run)};
    }
};

// Appends what differs between `now` and `known`, and brings `known` up to date. `address` is what the first
// byte is called on the wire. Runs that are at most `bridge` equal bytes apart become one. Stops when `most`
// bytes of data have been gathered; returns how many bytes were looked at.
size_t gather_changes(const uint8_t* now, uint8_t* known, size_t bytes, uint64_t address, size_t bridge,
                      size_t most, Changes* changes);

// Calls visit(address, data) for each run; false, after some or none, when runs and data do not fit together
// or visit returns false.
template <typename Visit>
bool each_change(std::span<const uint8_t> runs, std::span<const uint8_t> data, const Visit& visit) {
    if (runs.size() % sizeof(Run) != 0) return false;
    size_t at = 0;
    for (size_t i = 0; i < runs.size(); i += sizeof(Run)) {
        Run run;
        __builtin_memcpy(&run, runs.data() + i, sizeof run);
        if (run.bytes > data.size() - at || !visit(run.address, data.subspan(at, run.bytes))) return false;
        at += run.bytes;
    }
    return at == data.size();
}

}  // namespace bitfusion::wire
