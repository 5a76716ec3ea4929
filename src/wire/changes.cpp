#include "wire/changes.h"

#include <algorithm>
#include <cstring>

namespace bitfusion::wire {
namespace {

constexpr size_t kBlock = 4096;
constexpr size_t kWord = 4;

// One run: from now on the other side knows these bytes. They are read once, because they may change
// meanwhile.
void take(const uint8_t* now, uint8_t* known, size_t first, size_t end, uint64_t address, Changes* changes) {
    memcpy(known + first, now + first, end - first);
    changes->data.insert(changes->data.end(), known + first, known + end);
    if (changes->runs.size() > changes->joinable) {
        Run& last = changes->runs.back();
        if (last.address + last.bytes == address + first) {
            last.bytes += end - first;
            return;
        }
    }
    changes->runs.push_back({address + first, end - first});
}

}  // namespace

size_t gather_changes(const uint8_t* now, uint8_t* known, size_t bytes, uint64_t address, size_t bridge,
                      size_t most, Changes* changes) {
    size_t block = 0;
    for (; block < bytes && changes->data.size() < most; block += kBlock) {
        const size_t block_end = std::min(bytes, block + kBlock);
        if (memcmp(now + block, known + block, block_end - block) == 0) continue;
        size_t first = block_end;  // of the run that is open
        size_t end = block;        // one past its last difference
        for (size_t at = block; at < block_end; at += kWord) {
            const size_t word = std::min(kWord, block_end - at);
            if (memcmp(now + at, known + at, word) == 0) continue;
            if (first != block_end && at - end > bridge) {
                take(now, known, first, end, address, changes);
                first = block_end;
            }
            if (first == block_end) first = at;
            end = at + word;
        }
        if (first != block_end) take(now, known, first, end, address, changes);
    }
    return std::min(block, bytes);
}

}  // namespace bitfusion::wire
