// MemoryStore: a store without disk or network, for the tests of this room.
#pragma once

#include <map>

#include "store/store.h"

namespace bitfusion::identity {

class MemoryStore final : public store::Store {
  public:
    Result<store::Snapshot> read(const std::string& prefix) override {
        if (fails) return fail("the store does not answer", store::kUnreachable);
        store::Snapshot snapshot;
        for (const auto& [key, entry] : entries_) {
            if (key.starts_with(prefix)) snapshot.entries.push_back(entry);
        }
        snapshot.revision = revision_;
        return snapshot;
    }
    Result<store::Commit> commit(const store::Transaction& transaction) override {
        if (fails) return fail("the store does not answer", store::kUnreachable);
        for (const store::Condition& condition : transaction.conditions) {
            const auto found = entries_.find(condition.key);
            if ((found == entries_.end() ? 0 : found->second.revision) != condition.revision)
                return store::Commit{false, revision_};
        }
        ++revision_;
        for (const store::Write& write : transaction.writes) {
            if (write.value)
                entries_[write.key] = {write.key, *write.value, revision_};
            else
                entries_.erase(write.key);
        }
        return store::Commit{true, revision_};
    }
    Result<std::unique_ptr<store::Watch>> watch(const std::string&, uint64_t) override {
        return fail("this store has no watches");
    }
    Result<std::unique_ptr<store::Leadership>> campaign(const std::string&, const std::string&,
                                                        std::chrono::seconds) override {
        return fail("this store has no roles");
    }

    bool fails = false;

  private:
    std::map<std::string, store::Entry> entries_;
    uint64_t revision_ = 0;
};

}  // namespace bitfusion::identity
