#include "device/soft/print_log.h"

#include <cstdio>

namespace bitfusion::soft {

void PrintLog::add(std::string_view text) {
    const std::lock_guard lock(mutex_);
    texts_.emplace_back(text);
    bytes_ += text.size();
    while (bytes_ > most_ && texts_.size() > 1) {
        bytes_ -= texts_.front().size();
        texts_.pop_front();
    }
}

void PrintLog::limit(size_t bytes) {
    const std::lock_guard lock(mutex_);
    most_ = bytes;
}

void PrintLog::flush() {
    const std::lock_guard lock(mutex_);
    if (texts_.empty()) return;
    for (const std::string& text : texts_) fwrite(text.data(), 1, text.size(), stdout);
    fflush(stdout);
    texts_.clear();
    bytes_ = 0;
}

}  // namespace bitfusion::soft
