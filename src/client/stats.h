// Stats: exact counts of what the program asked and what travelled. BITFUSION_STATS=1 prints them to stderr
// at exit, BITFUSION_STATS=<path> writes them to that file as JSON. Counting is off otherwise and costs one
// branch. Any thread.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <string>

#include "messages.gen.h"

namespace bitfusion::client {

class Stats {
  public:
    struct Totals {
        uint64_t calls = 0;        // entries of the driver API
        uint64_t local = 0;        // of these, answered without a message
        uint64_t posted = 0;       // messages without an answer
        uint64_t round_trips = 0;  // times a thread waited for the network
        uint64_t bytes_out = 0;
        uint64_t bytes_in = 0;
        uint64_t sends = 0;  // system calls
        // Of these, over lanes (lanes.h): pieces and their bytes, both ways.
        uint64_t lane_pieces = 0;
        uint64_t lane_bytes = 0;
    };

    void enable(const char* where);
    static bool enabled() { return enabled_.load(std::memory_order_relaxed); }

    void entered() { add(&calls_, 1); }
    void answered_locally() { add(&local_, 1); }
    void posted(uint16_t id) { travelled(id, &posted_); }
    void waited(uint16_t id) { travelled(id, &round_trips_); }
    void sent(uint64_t bytes) {
        add(&bytes_out_, bytes);
        add(&sends_, 1);
    }
    void received(uint64_t bytes) { add(&bytes_in_, bytes); }
    void sent_by_lane(uint64_t bytes) {
        sent(bytes);
        travelled_by_lane(bytes);
    }
    void received_by_lane(uint64_t bytes) {
        received(bytes);
        travelled_by_lane(bytes);
    }

    Totals totals() const;
    void print() const;

  private:
    void add(std::atomic<uint64_t>* counter, uint64_t n) {
        if (enabled()) counter->fetch_add(n, std::memory_order_relaxed);
    }
    void travelled_by_lane(uint64_t bytes) {
        add(&lane_pieces_, 1);
        add(&lane_bytes_, bytes);
    }
    void travelled(uint16_t id, std::atomic<uint64_t>* counter) {
        if (!enabled()) return;
        counter->fetch_add(1, std::memory_order_relaxed);
        by_message_[id].fetch_add(1, std::memory_order_relaxed);
        ++messages_of_this_thread;
    }
    std::string text() const;
    std::string json() const;

    static inline std::atomic<bool> enabled_{false};  // a process has one of these
    std::string where_;
    std::atomic<uint64_t> calls_{0}, local_{0}, posted_{0}, round_trips_{0}, bytes_out_{0}, bytes_in_{0},
        sends_{0}, lane_pieces_{0}, lane_bytes_{0};
    std::array<std::atomic<uint64_t>, msg::kMostId + 1> by_message_{};

  public:
    static thread_local uint64_t messages_of_this_thread;
};

Stats& stats();

}  // namespace bitfusion::client
