// Folders and stores for tests.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <map>
#include <memory>
#include <string>

#include "store/open.h"

namespace bitfusion::store {

// A folder of the test's own, gone with it.
class Folder {
  public:
    Folder() {
        // In memory where that is to be had: some tests sync thousands of times.
        const std::filesystem::path memory = "/dev/shm";
        const bool fast = access(memory.c_str(), W_OK) == 0;
        std::string name =
            ((fast ? memory : std::filesystem::temp_directory_path()) / "bitfusion-store-XXXXXX").string();
        path_ = mkdtemp(name.data());
    }
    ~Folder() { std::filesystem::remove_all(path_); }
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;
    std::string file(const std::string& name) const { return path_ + "/" + name; }

  private:
    std::string path_;
};

// A store in memory that survives its users, and whose writes can be cut off at any time.
class MemoryStore : public Store {
  public:
    // The commit with this number (from 1) fails: before it is written, or after it.
    size_t cut_before = 0;
    size_t cut_after = 0;
    size_t commits = 0;

    Result<Snapshot> read(const std::string& prefix) override {
        Snapshot snapshot{{}, revision_};
        for (const auto& [key, entry] : entries_) {
            if (key.starts_with(prefix)) snapshot.entries.push_back(entry);
        }
        return snapshot;
    }

    Result<Commit> commit(const Transaction& transaction) override {
        if (auto ok = check(transaction); !ok) return tl::unexpected(ok.error());
        if (++commits == cut_before) return fail("the test cut this off", kUnreachable);
        for (const Condition& condition : transaction.conditions) {
            const auto found = entries_.find(condition.key);
            if ((found == entries_.end() ? 0 : found->second.revision) != condition.revision)
                return Commit{false, revision_};
        }
        ++revision_;
        for (const Write& write : transaction.writes) {
            if (write.value) {
                entries_[write.key] = {write.key, *write.value, revision_};
            } else {
                entries_.erase(write.key);
            }
        }
        if (commits == cut_after) return fail("the test cut this off", kUnreachable);
        return Commit{true, revision_};
    }

    Result<std::unique_ptr<Watch>> watch(const std::string&, uint64_t) override {
        return fail("the store of the test has no watches", kMalformed);
    }

    Result<std::unique_ptr<Leadership>> campaign(const std::string&, const std::string&,
                                                 std::chrono::seconds) override {
        return fail("the store of the test has no roles", kMalformed);
    }

  private:
    std::map<std::string, Entry> entries_;
    uint64_t revision_ = 0;
};

}  // namespace bitfusion::store
