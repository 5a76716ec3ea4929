// SharedRecords: the records of an interprocess event, where all its processes see them.
//
// Each record has a number; the processes count together. The file is one page; who maps it may be a process
// that scribbles, so every number read here only ever decides whether to wait. Any thread and process.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>

#include "device/soft/shared_file.h"

namespace bitfusion::soft {

class SharedRecords {
    struct Page;
    struct Key {};  // only make() and open() make them

  public:
    SharedRecords(Key, SharedFilePtr file, Page* page);
    ~SharedRecords();
    SharedRecords(const SharedRecords&) = delete;
    SharedRecords& operator=(const SharedRecords&) = delete;

    // Null without memory.
    static std::shared_ptr<SharedRecords> make(int gpu);
    // Those of another process; null when the file is not of an event.
    static std::shared_ptr<SharedRecords> open(const SharedFilePtr& file);

    // A new record, which is the last one from now on.
    uint64_t begin();
    void pass(uint64_t number);
    uint64_t last() const;
    bool passed(uint64_t number) const;
    const SharedFile& file() const { return *file_; }

  private:
    // Of records that are further apart than this the older one counts as passed.
    static constexpr uint64_t kKept = 256;
    struct Page {
        std::atomic<uint64_t> last;
        std::array<std::atomic<uint64_t>, kKept> passed;  // number % kKept -> number
    };
    static std::shared_ptr<SharedRecords> map(SharedFilePtr file);

    const SharedFilePtr file_;
    Page* const page_;
};

}  // namespace bitfusion::soft
