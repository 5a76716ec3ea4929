// Audit: who changed what, when, from where, and what came of it; kept in the pool's store, the last 10000.
//
// An entry has a number that no other has, also where several servers write: one key each, made only where it
// is free. What was refused is written at most 60 times an hour, so that nobody can push the trail out by
// trying; how many were left out is in the next entry. Secrets are never in it. The daemon's thread only;
// waits for the store. Without a store that answers the change stands and an error is logged.
#pragma once

#include <cstdint>
#include <ctime>
#include <nlohmann/json.hpp>
#include <string>

#include "base/result.h"
#include "store/store.h"

namespace bitfusion::daemon {

struct AuditEntry {
    std::time_t time = 0;
    std::string who;   // "person ann", "token abcdefg"
    std::string role;  // of who
    std::string from;  // address
    std::string what;  // "PUT /v1/clients/{id}", "sign in"
    std::string subject;
    nlohmann::json change;  // what was asked; null: nothing to say
    unsigned status = 200;
    std::string outcome;  // "done", or why not
};

// What may be kept of a request's body: without passwords and other secrets, at most 1 KiB.
nlohmann::json kept_of(const std::string& body);

class Audit {
  public:
    static constexpr uint64_t kMostEntries = 10000;
    static constexpr size_t kMostPage = 500;
    static constexpr int kRefusalsAnHour = 60;

    // `store` outlives it.
    explicit Audit(store::Store& store) : store_(store) {}

    Status add(AuditEntry entry);
    // The newest first: at most `limit` with numbers below `before` (0: all). {"entries", "next"}.
    Result<nlohmann::json> page(uint64_t before, size_t limit);

  private:
    Result<uint64_t> newest();
    bool counts_as_too_many(const AuditEntry& entry);

    store::Store& store_;
    uint64_t last_ = 0;  // the newest number known
    bool known_ = false;
    std::time_t hour_ = 0;
    int refusals_ = 0;
    uint64_t left_out_ = 0;
};

}  // namespace bitfusion::daemon
