// Fills a folder with 30 days of history, as a server would have left it: every tier of every series is full.
// bench/console_pool.py starts a manager on it. Usage: fill_history FOLDER NAME... with names of series.
#include <unistd.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <ctime>

#include "history/history.h"

int main(int count, char** arguments) {
    using namespace bitfusion::history;
    if (count < 3) {
        fprintf(stderr, "usage: fill_history FOLDER NAME...\n");
        return 2;
    }
    auto history = History::open(arguments[1], 100000);
    if (!history) {
        fprintf(stderr, "fill_history: %s\n", history.error().what.c_str());
        return 1;
    }
    const int64_t now = time(nullptr);
    for (int i = 2; i < count; ++i) {
        // From the far past, each stretch as finely as the finest tier that still has it will keep it.
        int64_t at = now - static_cast<int64_t>(kTiers.back().reach_s());
        for (size_t tier = kTiers.size(); tier-- > 0;) {
            const int64_t until = tier == 0 ? now : now - static_cast<int64_t>(kTiers[tier - 1].reach_s());
            for (; at < until; at += kTiers[tier].step_s) {
                const double value = 50 + 50 * std::sin(static_cast<double>(at) / 9000 + i);
                if (const auto kept = history->record(arguments[i], at, value); !kept) {
                    fprintf(stderr, "fill_history: %s\n", kept.error().what.c_str());
                    return 1;
                }
            }
        }
    }
    return 0;
}
