// Kept: what stands on this side for something that stays with the client as long as graphs refer to it: host
// memory that their copies read or write, host functions, objects of the program, and device memory that a
// graph brings with it.
//
// Each has the client's ticket for it and is a user object of the driver: graphs, their clones and their
// executable forms hold it, and the driver says when the last of them, and its last launch, is gone. Then the
// client is told (KeptReleased) and forgets its half. The driver calls the destructor on any thread; it only
// puts the ticket into a box, which the dispatch thread empties. Everything else here is the dispatch
// thread's. Source document: CUDA C++ Programming Guide, "CUDA User Objects".
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "cuda_types.gen.h"
#include "driver_table.gen.h"
#include "worker/host_functions.h"

namespace bitfusion::worker {

class Session;
struct GraphRun;

// Memory of ours that copies of graphs use in the place of the client's. The bytes of a box lie packed.
struct HostMemory {
    // A session may have this many bytes of it.
    static constexpr uint64_t kMostBytes = 2ull << 30;

    HostMemory(Session* session, size_t bytes, uint64_t run);
    ~HostMemory();
    HostMemory(const HostMemory&) = delete;
    HostMemory& operator=(const HostMemory&) = delete;

    Session* const session;
    uint8_t* data = nullptr;  // null: there was no memory
    const size_t bytes;
    const uint64_t run;  // so many bytes each lie without a gap in the client's memory
    bool pinned = false;
    std::vector<std::weak_ptr<GraphRun>> used_by;  // launches that may not be over
};

struct Kept {
    enum class Kind { kHostMemory, kHostFunction, kUserObject, kGraphMemory };
    Kind kind;
    uint64_t ticket;
    CUuserObject object = nullptr;
    std::shared_ptr<HostMemory> memory;
    HostFunctions::Point* point = nullptr;
    uint64_t name = 0;  // of a user object
    uint64_t held = 0;  // of a user object: references of the program itself
    std::map<uint64_t, uint64_t>
        held_by;              // references of graphs, by the graph's name, as far as we made them
    CUdeviceptr address = 0;  // of graph memory
};

class KeptTable {
  public:
    static constexpr size_t kMost = 1u << 20;
    // Tickets from here on are our own; the client's lie below.
    static constexpr uint64_t kOwnTickets = 1ull << 62;

    explicit KeptTable(Session* session);

    uint64_t own_ticket() { return kOwnTickets + ++last_own_ticket_; }
    // Makes the driver's object with `count` references, which the caller must place or give back. Null with
    // a result when that fails; null with CUDA_SUCCESS when the ticket is taken, which is the peer's fault.
    Kept* make(Kept::Kind kind, uint64_t ticket, unsigned count, CUresult* result);
    Kept* find(uint64_t ticket, Kept::Kind kind);
    // Memory for a kHostMemory; CUDA_ERROR_OUT_OF_MEMORY when there is none.
    CUresult give_memory(Kept* kept, size_t bytes, uint64_t run);
    // The host memory that begins at this address of ours; null: it is none.
    Kept* host_memory_at(const void* address);
    // The host function whose point the driver has.
    Kept* host_function_of(const void* point);

    // Moves the caller's one reference into the graph, or gives it back.
    void place(Kept* kept, CUgraph graph, uint64_t graph_name);
    void give_back(Kept* kept);
    // Takes one reference more, for somebody who is no graph.
    void retain(Kept* kept);
    // Takes a reference away from a graph if it has one that we know of.
    void remove_from(Kept* kept, CUgraph graph, uint64_t graph_name);
    void graph_cloned(uint64_t from, uint64_t to);
    void graph_forgotten(uint64_t name);

    bool any_gone() const { return box_->any.load(std::memory_order_acquire); }
    // Tells the client of what is gone.
    void reap();
    int wait_descriptor() const { return box_->wake; }

    uint64_t host_bytes = 0;

  private:
    struct Box {
        Box();
        ~Box();
        Box(const Box&) = delete;
        Box& operator=(const Box&) = delete;
        std::mutex lock;
        std::deque<uint64_t> gone;
        std::atomic<bool> any{false};
        int wake = -1;
    };
    struct Destruction {  // what the driver is given
        std::shared_ptr<Box> box;
        uint64_t ticket;
    };
    static void destroyed(void* destruction);

    Session& s_;
    uint64_t last_own_ticket_ = 0;
    std::shared_ptr<Box> box_;
    std::unordered_map<uint64_t, std::unique_ptr<Kept>> kept_;
    std::unordered_map<const void*, Kept*> by_address_;  // host memory and points
};

}  // namespace bitfusion::worker
