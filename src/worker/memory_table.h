// Memory table: the device memory of this session, and what the session has used of its partition.
//
// Every address of the wire is looked up here before the driver sees it: with unified addressing a number
// that is no device memory would otherwise be this process's own memory. One thread: the worker's dispatch
// thread; the usage counters are shared with the other workers of the lease.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <map>
#include <memory>

#include "wire/usage.h"

namespace bitfusion::worker {

using wire::Usage;

class Census;
class Overhead;

class MemoryTable {
  public:
    class Charge;
    struct Range {
        uint64_t bytes = 0;
        int device = 0;        // ordinal of the session
        uint64_t charged = 0;  // bytes that count against the partition
        uint64_t context = 0;  // name
        bool owned = true;     // false: a variable of a module, or a mapping
        uint64_t owner = 0;    // of a variable: its module's or library's name
        // Of a mapping, and of what processes share: keeps the charge of the memory behind it.
        std::shared_ptr<Charge> physical;
        bool of_graph = false;  // comes and goes with a graph: a free ends one use of it, not the range
        bool managed = false;
        bool pooled = false;  // of a memory pool, which keeps it for others when it is freed
    };
    // Bytes of the partition that are given back when the last who holds them lets go: memory made by
    // cuMemCreate lives until its handle is released and it is mapped nowhere. What is shared with other
    // workers of the lease is held by those too (wire/shared_charge.h).
    class Charge {
      public:
        // What table->charge() has taken.
        Charge(MemoryTable* table, int device, uint64_t bytes)
            : table_(table), device_(device), bytes_(bytes) {}
        // A shared one that this worker holds already.
        struct Held {
            uint64_t id;
        };
        Charge(MemoryTable* table, Held held) : table_(table), shared_(held.id) {}
        ~Charge();
        Charge(const Charge&) = delete;
        Charge& operator=(const Charge&) = delete;

      private:
        friend class MemoryTable;

        MemoryTable* const table_;
        const int device_ = 0;
        const uint64_t bytes_ = 0;  // that this worker made
        uint64_t shared_ = 0;       // id for the workers of the lease; 0: it is this worker's alone
    };

    // Tells the census what is charged; it must outlive this table.
    void report_to(Census* census) { census_ = census; }

    // `partition` is the limit per GPU in bytes; 0: none. `slot` is this worker's among the lease's.
    void open(Usage* usage, uint64_t partition, int slot = 0) {
        usage_ = usage;
        partition_ = partition;
        slot_ = slot;
    }

    // What else the process takes is counted by it, and what it says is asked for before a charge.
    void count_overhead(Overhead* overhead) { overhead_ = overhead; }

    // Takes bytes from the partition before they are allocated; false when they do not fit.
    bool charge(int device, uint64_t bytes);
    // The same of memory that a pool may have kept.
    bool charge_pooled(int device, uint64_t bytes);
    void refund(int device, uint64_t bytes);

    // What the overhead was, and what it is now; it may be more than the partition.
    void charge_beyond(int device, uint64_t before, uint64_t now);
    // What this session's calls have charged.
    struct Own {
        uint64_t charged = 0;
        // Of it:
        uint64_t managed = 0;
        uint64_t pooled = 0;
        uint64_t of_graphs = 0;
    };
    const Own& own(int device) const { return own_[static_cast<size_t>(device)]; }

    // Lets other workers of the lease hold this charge too: *id is what they give to hold(). False: no room.
    bool share(const std::shared_ptr<Charge>& charge, uint64_t* id);
    // The same of the owned range that begins at base.
    bool share(uint64_t base, uint64_t* id);
    // A charge that another worker of the lease has shared; null when nobody holds it any more.
    std::shared_ptr<Charge> hold(uint64_t id);

    // Replaces whatever stood there: the driver hands addresses out again when it is done with them.
    void add(uint64_t base, const Range& range);
    // Removes the owned range that begins at base and gives its bytes back.
    bool remove(uint64_t base);
    void remove_of_graph(uint64_t base);
    void remove_context(uint64_t context);
    void remove_variables(uint64_t owner);
    // Removes the mappings that lie in [base, base + bytes).
    void remove_mapped(uint64_t base, uint64_t bytes);

    bool within(uint64_t address, uint64_t bytes) const;
    const Range* range_at(uint64_t base) const;
    const Range* range_holding(uint64_t address) const;

    uint64_t partition() const { return partition_; }
    uint64_t used(int device) const { return usage_ != nullptr ? usage_->bytes[device].load() : 0; }
    // Gives back everything that this session still holds; at its end.
    void refund_all();

  private:
    bool take(int device, uint64_t bytes);
    bool charge_or_make_room(int device, uint64_t bytes);
    // Enters and leaves the sums by kind.
    void enter(const Range& range, bool in);
    std::map<uint64_t, Range>::iterator drop(std::map<uint64_t, Range>::iterator at);

    std::map<uint64_t, std::weak_ptr<Charge>> shared_;  // by id; outlives the ranges
    std::map<uint64_t, Range> ranges_;
    Usage* usage_ = nullptr;
    Census* census_ = nullptr;
    Overhead* overhead_ = nullptr;
    std::array<Own, Usage::kMostGpus> own_{};
    uint64_t partition_ = 0;
    int slot_ = 0;
};

}  // namespace bitfusion::worker
