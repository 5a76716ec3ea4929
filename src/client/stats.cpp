#include "client/stats.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <vector>

namespace bitfusion::client {

thread_local uint64_t Stats::messages_of_this_thread = 0;

Stats& stats() {
    // Never destroyed: other libraries' exit handlers still call the driver after our statics would have
    // gone.
    static Stats* const made = std::make_unique<Stats>().release();
    return *made;
}

void Stats::enable(const char* where) {
    where_ = where;
    enabled_.store(true, std::memory_order_relaxed);
}

Stats::Totals Stats::totals() const {
    Totals t;
    t.calls = calls_.load();
    t.local = local_.load();
    t.posted = posted_.load();
    t.round_trips = round_trips_.load();
    t.bytes_out = bytes_out_.load();
    t.bytes_in = bytes_in_.load();
    t.sends = sends_.load();
    t.lane_pieces = lane_pieces_.load();
    t.lane_bytes = lane_bytes_.load();
    return t;
}

std::string Stats::text() const {
    const Totals t = totals();
    char line[512];
    snprintf(line, sizeof line,
             "bitfusion: driver calls %llu, answered locally %llu, posted %llu, round trips %llu, bytes out "
             "%llu, bytes in %llu, sends %llu, over lanes %llu pieces of %llu bytes\n",
             static_cast<unsigned long long>(t.calls), static_cast<unsigned long long>(t.local),
             static_cast<unsigned long long>(t.posted), static_cast<unsigned long long>(t.round_trips),
             static_cast<unsigned long long>(t.bytes_out), static_cast<unsigned long long>(t.bytes_in),
             static_cast<unsigned long long>(t.sends), static_cast<unsigned long long>(t.lane_pieces),
             static_cast<unsigned long long>(t.lane_bytes));
    std::string out = line;
    std::vector<std::pair<uint64_t, uint16_t>> rows;
    for (uint16_t id = 0; id <= msg::kMostId; ++id) {
        if (const uint64_t n = by_message_[id].load(); n != 0) rows.emplace_back(n, id);
    }
    std::sort(rows.rbegin(), rows.rend());
    for (const auto& [count, id] : rows) {
        snprintf(line, sizeof line, "bitfusion:   %10llu %s\n", static_cast<unsigned long long>(count),
                 msg::name_of(id));
        out += line;
    }
    return out;
}

std::string Stats::json() const {
    const Totals t = totals();
    char line[512];
    snprintf(line, sizeof line,
             "{\"schema\": 1, \"calls\": %llu, \"local\": %llu, \"posted\": %llu, \"round_trips\": %llu, "
             "\"bytes_out\": %llu, "
             "\"bytes_in\": %llu, \"sends\": %llu, \"lane_pieces\": %llu, \"lane_bytes\": %llu, "
             "\"messages\": {",
             static_cast<unsigned long long>(t.calls), static_cast<unsigned long long>(t.local),
             static_cast<unsigned long long>(t.posted), static_cast<unsigned long long>(t.round_trips),
             static_cast<unsigned long long>(t.bytes_out), static_cast<unsigned long long>(t.bytes_in),
             static_cast<unsigned long long>(t.sends), static_cast<unsigned long long>(t.lane_pieces),
             static_cast<unsigned long long>(t.lane_bytes));
    std::string out = line;
    const char* comma = "";
    for (uint16_t id = 0; id <= msg::kMostId; ++id) {
        const uint64_t n = by_message_[id].load();
        if (n == 0) continue;
        snprintf(line, sizeof line, "%s\"%s\": %llu", comma, msg::name_of(id),
                 static_cast<unsigned long long>(n));
        out += line;
        comma = ", ";
    }
    return out + "}}\n";
}

void Stats::print() const {
    const bool to_file = where_.find('/') != std::string::npos;
    const std::string out = to_file ? json() : text();
    const int file =
        to_file ? open(where_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644) : STDERR_FILENO;
    if (file < 0) return;
    // Statistics that cannot be written are lost; the program's own exit code must not change for them.
    [[maybe_unused]] const ssize_t written = write(file, out.data(), out.size());
    if (to_file) close(file);
}

}  // namespace bitfusion::client
