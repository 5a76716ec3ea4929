#include "store/ledger.h"

#include <algorithm>

#include "base/log.h"
#include "store/records.h"

namespace bitfusion::store {
namespace {

struct Reading {
    pool::Records records;
    uint64_t sequence = 0;  // revision of kSequenceKey; 0: there is none
};

Result<Reading> read_pool(Store& store) {
    const auto snapshot = store.read(kPoolPrefix);
    if (!snapshot) return tl::unexpected(snapshot.error());
    Reading reading;
    for (const Entry& entry : snapshot->entries) {
        if (entry.key == kSequenceKey) reading.sequence = entry.revision;
        if (auto ok = add_record(reading.records, entry); !ok) return tl::unexpected(ok.error());
    }
    return reading;
}

}  // namespace

Result<pool::Records> read_records(Store& store) {
    auto reading = read_pool(store);
    if (!reading) return tl::unexpected(reading.error());
    return std::move(reading->records);
}

Ledger::Ledger(Store& store, std::unique_ptr<Leadership> leadership, pool::Pool pool, uint64_t sequence)
    : store_(&store), leadership_(std::move(leadership)), pool_(std::move(pool)), sequence_(sequence) {}

Result<Ledger> Ledger::open(Store& store, std::unique_ptr<Leadership> leadership, pool::Time now) {
    auto reading = read_pool(store);
    if (!reading) return tl::unexpected(reading.error());
    auto pool = pool::Pool::restore(std::move(reading->records), now);
    if (!pool) return tl::unexpected(pool.error());
    Ledger ledger(store, std::move(leadership), std::move(*pool), reading->sequence);
    ledger.remind();
    if (auto written = ledger.write_down(now); !written) return tl::unexpected(written.error());
    return ledger;
}

Status Ledger::ready(pool::Time now) {
    if (deposed_)
        return fail("this server does not schedule any more, another one does; ask again in a moment", 503);
    if (good_) return {};
    return read_again(now);
}

Status Ledger::write_down(pool::Time now) {
    pool::Effects effects = pool_.take_effects();
    auto at = effects.changes.begin();
    while (at != effects.changes.end()) {
        Transaction transaction;
        if (leadership_) transaction.conditions.push_back(leadership_->fence());
        // A transaction that was given up as lost but still arrives must not write over later ones.
        transaction.conditions.push_back({kSequenceKey, sequence_});
        transaction.writes.push_back({kSequenceKey, "1"});
        size_t bytes = 0;
        for (; at != effects.changes.end() && transaction.writes.size() < kMostWrites; ++at) {
            Write write = write_of(*at);
            bytes += write.key.size() + (write.value ? write.value->size() : 0);
            // One record alone is always small enough.
            if (bytes > kMostTransactionBytes / 2 && transaction.writes.size() > 1) break;
            std::erase_if(transaction.writes, [&](const Write& earlier) { return earlier.key == write.key; });
            transaction.writes.push_back(std::move(write));
        }
        const auto commit = store_->commit(transaction);
        if (commit && commit->done) {
            sequence_ = commit->revision;
            continue;
        }
        good_ = false;
        if (auto again = read_again(now); !again)
            BF_LOG("store", kError, "the pool cannot be read again: %s", again.error().what.c_str());
        if (commit) return fail("the pool changed meanwhile; ask again", 503);
        BF_LOG("store", kError, "the pool cannot be written: %s", commit.error().what.c_str());
        return fail(commit.error().what, 503);
    }
    std::move(effects.notices.begin(), effects.notices.end(), std::back_inserter(notices_));
    return {};
}

Status Ledger::read_again(pool::Time now) {
    if (leadership_) {
        const auto kept = leadership_->keep();
        if (!kept) return tl::unexpected(Error{kept.error().what, 503});
        if (!*kept) {
            deposed_ = true;
            return ready(now);
        }
    }
    auto reading = read_pool(*store_);
    if (!reading) return tl::unexpected(Error{reading.error().what, 503});
    auto pool = pool::Pool::restore(std::move(reading->records), now);
    if (!pool) return tl::unexpected(pool.error());
    pool->take_signs_of_life(pool_);
    pool_ = std::move(*pool);
    sequence_ = reading->sequence;
    good_ = true;
    remind();
    return {};
}

void Ledger::remind() {
    for (const pool::Lease* lease : pool_.leases()) {
        const bool ending = lease->state == pool::LeaseState::kEnding;
        notices_.push_back({ending ? pool::Notice::Kind::kEnding : pool::Notice::Kind::kGranted, lease->id,
                            ending ? lease->end_reason : lease->why_here});
    }
}

std::vector<pool::Notice> Ledger::take_notices() { return std::exchange(notices_, {}); }

Result<bool> Ledger::keep() {
    if (deposed_) return false;
    if (!leadership_) return true;
    const auto kept = leadership_->keep();
    if (kept && !*kept) deposed_ = true;
    return kept;
}

}  // namespace bitfusion::store
