// FunctionCase: one function whose client and worker halves are generated, and the calls that its test makes
// of it. The cases are generated with the halves (api/gen/function_cases.py) and run by
// function_case_test.cpp: a valid call reaches the driver once, with the program's arguments; a call with one
// wrong argument never does.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <string>
#include <type_traits>
#include <unordered_map>
#include <vector>

#include "client/session.h"
#include "driver_table.gen.h"
#include "handle_kinds.gen.h"
#include "session/server.h"

namespace bitfusion::session_test {

constexpr uint8_t kFromProgram = 0x11;  // fills what the program hands in
constexpr uint8_t kFromDriver = 0x22;   // fills what the driver writes
constexpr unsigned kMadeByDriver = 9;   // which object_of() the driver creates

// Calls of a driver's function, and the bytes of its arguments in their order.
struct Record {
    int calls = 0;
    std::vector<uint8_t> bytes;

    template <typename T>
    void put(const T& value) {
        put_all(&value, 1);
    }
    template <typename T>
    void put_all(const T* values, size_t count) {
        const auto* raw = reinterpret_cast<const uint8_t*>(values);
        bytes.insert(bytes.end(), raw, raw + count * sizeof(T));
    }
};

// What the function under test was given. Written by the worker's thread, read when the call is settled.
Record& driver_record();

// The driver's object number `which` of a type. Nobody follows it: it stands for a handle.
template <typename T>
T object_of(uint64_t which) {
    const uint64_t word = 0xb1f0000 + which * 16;
    if constexpr (std::is_pointer_v<T>)
        return reinterpret_cast<T>(word);
    else
        return static_cast<T>(word);
}

// A value that passes the worker's checks: the fill, but for types whose fields are translated or checked.
template <typename T>
T example(uint8_t fill) {
    T value;
    memset(static_cast<void*>(&value), fill, sizeof value);
    return value;
}
template <>
CUmemLocation example(uint8_t fill);
template <>
CUmemAllocationProp example(uint8_t fill);
template <>
CUmemPoolProps example(uint8_t fill);
template <>
CUmemAccessDesc example(uint8_t fill);
template <>
CUDA_MEMSET_NODE_PARAMS example(uint8_t fill);
template <>
CUstreamBatchMemOpParams example(uint8_t fill);
// The device memory that examples point to.
void set_example_memory(CUdeviceptr memory);

template <typename T>
bool same(const T& a, const T& b) {
    return memcmp(&a, &b, sizeof a) == 0;
}
bool all_are(const void* data, size_t bytes, uint8_t value);

enum class Handle { kGood, kDead, kOfAnotherKind };

// The arguments that a case may use. One session; the test's thread.
class Given {
  public:
    // `memory`: `bytes` of device memory of this session.
    Given(Server* server, CUdeviceptr memory, size_t bytes)
        : server_(server), memory_(memory), bytes_(bytes) {}

    // A handle of the program that stands for an object of its own.
    template <typename T>
    T handle(Handle which) {
        const wire::Kind kind = wire::kind_for<T>;
        const wire::Kind other = kind == wire::Kind::kEvent ? wire::Kind::kStream : wire::Kind::kEvent;
        const uint64_t name = wire::make_name(which == Handle::kOfAnotherKind ? other : kind, false, ++last_);
        const uint64_t object = 0xb1f0000 + last_ * 16;
        if (which != Handle::kDead) server_->bind(name, object);
        objects_[name] = object;
        return client::from_wire_name<T>(name);
    }
    // What the driver is to get for it.
    template <typename T>
    T object(T handle) const {
        const auto found = objects_.find(client::wire_name(handle));
        return found == objects_.end() ? T{} : client::from_wire_name<T>(found->second);
    }
    CUdeviceptr memory() const { return memory_; }
    CUdeviceptr end_of_memory() const { return memory_ + bytes_ - 1; }
    static CUdeviceptr host();

    // The call's own error, or the one that the worker announced for it later.
    CUresult settled(CUresult result) const;
    void compare(const Record& wanted) const;

  private:
    Server* server_;
    CUdeviceptr memory_;
    size_t bytes_;
    uint64_t last_ = 100000;  // apart from what the session itself counts
    std::unordered_map<uint64_t, uint64_t> objects_;
};

struct FunctionCase {
    struct Wrong {
        std::string what;
        CUresult error;
    };
    std::string symbol;
    void (*install)(DriverTable* table);
    // `wrong`: the number of the wrong argument in `wrongs`, or -1 for a valid call.
    CUresult (*call)(Given& given, int wrong);
    std::vector<Wrong> wrongs;
};

const std::vector<FunctionCase>& function_cases();

}  // namespace bitfusion::session_test
