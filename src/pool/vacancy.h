// Vacancy: an index of the servers by their room, so that a decision looks at a few servers instead of all.
//
// Finds candidates in the order of tightness: first those that need the fewest untouched GPUs, among them
// those with the least room, among them the one with the lowest number. A superset: whether a candidate
// really fits is fit()'s to say (placement.h). Holds only servers that may be used now. One thread.
#pragma once

#include <cstdint>
#include <set>
#include <utility>
#include <vector>

#include "pool/placement.h"
#include "pool/server.h"

namespace bitfusion::pool {

class Vacancy {
  public:
    Vacancy();

    // What the server has free; replaces what was known of it.
    void put(uint32_t number, const std::vector<Spot>& spots);
    void remove(uint32_t number);

    uint32_t most_untouched() const;

    // Calls visit(number) for servers with at least `gpus` untouched GPUs until it returns true; adds the
    // servers that it came by to `steps`.
    template <typename Visit>
    bool find_whole(uint32_t gpus, uint64_t& steps, Visit visit) const {
        for (uint32_t untouched = gpus; untouched <= kMostGpus; ++untouched) {
            for (const uint32_t number : by_untouched_[untouched]) {
                ++steps;
                if (visit(number)) return true;
            }
        }
        return false;
    }

    // The same for servers with at least `gpus` GPUs of which each is untouched or has `mib` free.
    template <typename Visit>
    bool find_partition(uint32_t gpus, uint64_t mib, uint64_t& steps, Visit visit) const {
        for (uint32_t opened = 0; opened <= gpus && gpus <= kMostGpus; ++opened) {
            const uint32_t touched = gpus - opened;
            if (touched == 0) return find_whole(gpus, steps, visit);
            const auto& servers = by_touched_[touched];
            for (auto at = servers.lower_bound({mib, 0}); at != servers.end(); ++at) {
                ++steps;
                if (known_[at->second].untouched >= opened && visit(at->second)) return true;
            }
        }
        return false;
    }

  private:
    struct Summary {
        bool present = false;
        uint32_t untouched = 0;
        std::vector<uint64_t> touched;  // free MiB of the GPUs that are partly used, the most first
    };

    std::vector<Summary> known_;                    // by number
    std::vector<std::set<uint32_t>> by_untouched_;  // by the count of untouched GPUs: numbers
    // by k: (free MiB of its touched GPU with the k-th most, number)
    std::vector<std::set<std::pair<uint64_t, uint32_t>>> by_touched_;
};

}  // namespace bitfusion::pool
