#include "pool/vacancy.h"

#include <algorithm>
#include <functional>

namespace bitfusion::pool {

Vacancy::Vacancy() : by_untouched_(kMostGpus + 1), by_touched_(kMostGpus + 1) {}

void Vacancy::put(uint32_t number, const std::vector<Spot>& spots) {
    remove(number);
    if (number >= known_.size()) known_.resize(number + 1);
    Summary& summary = known_[number];
    summary.present = true;
    for (const Spot& spot : spots) {
        if (spot.untouched()) {
            ++summary.untouched;
        } else if (spot.free_mib > 0) {
            summary.touched.push_back(spot.free_mib);
        }
    }
    std::sort(summary.touched.begin(), summary.touched.end(), std::greater<>());
    by_untouched_[summary.untouched].insert(number);
    for (size_t k = 0; k < summary.touched.size(); ++k)
        by_touched_[k + 1].insert({summary.touched[k], number});
}

void Vacancy::remove(uint32_t number) {
    if (number >= known_.size() || !known_[number].present) return;
    Summary& summary = known_[number];
    by_untouched_[summary.untouched].erase(number);
    for (size_t k = 0; k < summary.touched.size(); ++k)
        by_touched_[k + 1].erase({summary.touched[k], number});
    summary = {};
}

uint32_t Vacancy::most_untouched() const {
    for (uint32_t count = kMostGpus; count > 0; --count) {
        if (!by_untouched_[count].empty()) return count;
    }
    return 0;
}

}  // namespace bitfusion::pool
