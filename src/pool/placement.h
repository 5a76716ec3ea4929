// Placement: which GPUs of one server a request gets, and how much memory of each.
//
// Pure functions: (state, request) -> decision. No clock, no I/O, no randomness: equal input gives equal
// output, so that a decision can be repeated by any server and applied by compare-and-set. Any thread. Units
// are MiB everywhere. Rules R4 to R8 of the product: all GPUs of a request come from one server and are
// distinct; without a partition a request gets whole GPUs; with one, every GPU gives the same number of MiB,
// and a fraction is taken of the smallest GPU of the request.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace bitfusion::pool {

struct Device {
    uint32_t ordinal = 0;  // unique within the server
    uint64_t memory_mib = 0;
};

// A part of one device's memory that a lease owns.
struct Holding {
    std::string lease;
    uint32_t ordinal = 0;
    uint64_t memory_mib = 0;
};

// What one server has and what is given away of it. The sum of a device's holdings never exceeds its memory.
struct State {
    std::vector<Device> devices;
    std::vector<Holding> holdings;
};

// At most one of memory_mib and fraction; neither means whole GPUs.
struct Request {
    uint32_t gpus = 1;
    std::optional<uint64_t> memory_mib;  // per GPU, >= 1
    std::optional<double> fraction;      // of the smallest GPU of the request, > 0.0 and <= 1.0
};

struct Part {
    uint32_t ordinal = 0;
    uint64_t memory_mib = 0;
};

struct Grant {
    uint64_t partition_mib = 0;  // per GPU; 0 means whole GPUs
    std::vector<Part> parts;     // ascending ordinals
};

enum class RefusalKind {
    kMalformed,  // no server can ever grant this
    kNever,      // this server can never grant it: too many GPUs, or a partition larger than its GPUs
    kNotNow,     // it would fit when leases end
};

struct Refusal {
    RefusalKind kind = RefusalKind::kMalformed;
    std::string text;  // what is wrong, what is free, and what to do
};

using Decision = std::variant<Grant, Refusal>;

// Decides without changing the state. Fits tightly: opens as few untouched GPUs as possible, then leaves as
// little memory as possible on those it uses, then prefers smaller GPUs and lower ordinals.
Decision place(const State& state, const Request& request);

// floor(memory x fraction), forgiving the binary rounding of decimal fractions (100 x 0.29 is 29).
uint64_t partition_of(uint64_t memory_mib, double fraction);

// A device of a server with what no lease holds of it, and how much of that may be given away: less where
// room is kept for somebody. spare_mib <= free_mib <= device.memory_mib.
struct Spot {
    Device device;
    uint64_t free_mib = 0;
    uint64_t spare_mib = 0;

    bool untouched() const { return free_mib == device.memory_mib; }
};

// What is wrong with a request on any server: always kMalformed.
std::optional<Refusal> malformed(const Request& request);

// The grant alone, for a request that is not malformed; nothing where it does not fit now. place() is this
// with words.
std::optional<Grant> fit(const std::vector<Spot>& spots, const Request& request);

// "2 GPUs with 1024 MiB", "1 whole GPU".
std::string text_of(const Request& request);

// Memory of a device that no lease holds; 0 for an ordinal that the state does not have.
uint64_t free_mib(const State& state, uint32_t ordinal);

// The state after a grant, and after a lease ended. Ending a lease that holds nothing changes nothing.
State with_grant(State state, const std::string& lease, const Grant& grant);
State without_lease(State state, const std::string& lease);

}  // namespace bitfusion::pool
