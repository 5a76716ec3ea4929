// Arena: a range of addresses in which memory comes and goes.
//
// The range is reserved once and committed by the kernel page by page on first touch, so an unused gigabyte
// costs nothing. Which parts are in use is kept twice: as a map of free ranges for placement, and as one byte
// per granule that running kernels read without a lock. The arena does not count bytes against a limit; its
// owner does. Units: bytes. Any thread.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>

#include "base/result.h"
#include "device/soft/shared_file.h"
#include "device/soft/simt/grid.h"

namespace bitfusion::soft {

class Arena {
    struct Key {};  // only reserve() makes arenas

  public:
    Arena(Key, uint64_t base, uint64_t bytes, uint8_t* granules, unsigned granule_shift, SharedFilePtr file);
    // `hint` is a wish, so that device addresses stay away from where programs keep their own memory; the
    // kernel may place the range elsewhere. `bytes` is a multiple of the granule. With a file of that size
    // its pages are the arena's, so that other processes can map them too.
    static Result<std::unique_ptr<Arena>> reserve(uint64_t hint, uint64_t bytes, unsigned granule_shift,
                                                  SharedFilePtr file = nullptr);
    ~Arena();
    Arena(const Arena&) = delete;
    Arena& operator=(const Arena&) = delete;

    // Places `bytes` (rounded up to granules) and opens them to kernels; 0 when no gap is large enough.
    uint64_t take(uint64_t bytes, uint64_t alignment);
    // Places exactly there; false when any part is taken or outside.
    bool take_at(uint64_t address, uint64_t bytes);
    // Returns what take gave, same size. The pages go back to the operating system.
    void give(uint64_t address, uint64_t bytes);
    // Closes or opens a part of a taken range to kernels without giving it back.
    void set_open(uint64_t address, uint64_t bytes, bool open);

    uint64_t granule() const { return uint64_t{1} << granule_shift_; }
    uint64_t round_up(uint64_t bytes) const { return (bytes + granule() - 1) & ~(granule() - 1); }
    bool contains(uint64_t address) const { return address >= base_ && address - base_ < bytes_; }
    Window window() const { return {base_, bytes_, granules_, granule_shift_}; }
    // What other processes map; null: nobody can.
    const SharedFilePtr& file() const { return file_; }
    uint64_t offset_of(uint64_t address) const { return address - base_; }

  private:
    uint64_t base_;
    uint64_t bytes_;
    uint8_t* granules_;
    unsigned granule_shift_;
    SharedFilePtr file_;
    std::mutex mutex_;
    std::map<uint64_t, uint64_t> gaps_;  // address -> bytes
};

}  // namespace bitfusion::soft
