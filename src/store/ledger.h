// Ledger: the pool with its store. Every command is written down before it is answered.
//
//     auto ledger = Ledger::open(store, std::move(leadership), now);
//     auto standing = ledger->run(now, [&](pool::Pool& pool) { return pool.submit(claim, now); });
//     for (const auto& notice : ledger->take_notices()) ...
//
// If writing fails, the pool is read from the store again: then the command has happened completely, in a
// first part that is consistent in itself, or not at all, and its caller gets the error instead of an answer;
// asking again with the same id is safe. When the role of the scheduler is lost, the ledger is closed: open a
// new one after the next election. One thread at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <type_traits>
#include <vector>

#include "base/result.h"
#include "pool/pool.h"
#include "store/store.h"

namespace bitfusion::store {

// The role whose holder may change the pool.
constexpr char kScheduler[] = "scheduler";

// All records of the pool that the store holds: for those who only look. Fails with kCorrupt, naming the key.
Result<pool::Records> read_records(Store& store);

class Ledger {
  public:
    // Reads the pool from the store. `store` outlives the ledger.
    static Result<Ledger> open(Store& store, std::unique_ptr<Leadership> leadership, pool::Time now);

    // Runs `command(pool)`, which returns a Result, and writes down what it did, also where the result is an
    // error.
    template <typename Command>
    auto run(pool::Time now, Command command) -> std::invoke_result_t<Command, pool::Pool&> {
        if (auto open = ready(now); !open) return tl::unexpected(open.error());
        auto answer = command(pool_);
        if (auto written = write_down(now); !written) return tl::unexpected(written.error());
        return answer;
    }

    // Notices of what is written down, in order. After opening, and after a failure, every lease is there
    // once more: being told twice that a lease was granted or is ending must do no harm.
    std::vector<pool::Notice> take_notices();

    // What is written down, as long as good(). With several threads or while writing fails, read it in run().
    const pool::Pool& pool() const { return pool_; }
    // The store has what the pool has and the role is held. False after a failure that could not be healed
    // yet: the next run() tries again.
    bool good() const { return good_; }
    // Passes on Leadership::keep(); false: the role is lost and nothing can be run any more.
    Result<bool> keep();

  private:
    Ledger(Store& store, std::unique_ptr<Leadership> leadership, pool::Pool pool, uint64_t sequence);
    void remind();
    Status ready(pool::Time now);
    Status write_down(pool::Time now);
    Status read_again(pool::Time now);

    Store* store_;
    std::unique_ptr<Leadership> leadership_;
    pool::Pool pool_;
    uint64_t sequence_;  // revision of the store's last transaction of a ledger
    std::vector<pool::Notice> notices_;
    bool good_ = true;
    bool deposed_ = false;
};

}  // namespace bitfusion::store
