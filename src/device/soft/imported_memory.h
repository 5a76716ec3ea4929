// ImportedMemory: memory of another process's device, mapped into the addresses of this one.
//
// It lies among the host's addresses, whose granules are pages: what shares a page with it in the other
// process is mapped as well, but nothing of that is entered in the memory map. Owner: the allocation in the
// memory map; who drops it has made sure that no work uses it any more. Units: bytes.
#pragma once

#include <cstdint>
#include <memory>

#include "device/soft/shared_file.h"

namespace bitfusion::soft {

class ImportedMemory {
    struct Key {};  // only map() makes them

  public:
    ImportedMemory(Key, SharedFilePtr file, uint64_t pages, uint64_t taken, uint64_t offset);
    ~ImportedMemory();
    ImportedMemory(const ImportedMemory&) = delete;
    ImportedMemory& operator=(const ImportedMemory&) = delete;

    // Null when the range is not in the file, or no addresses are left.
    static std::shared_ptr<ImportedMemory> map(const SharedFilePtr& file, uint64_t offset, uint64_t bytes);

    uint64_t address() const { return pages_ + offset_ % kPage; }
    const SharedFile& file() const { return *file_; }
    uint64_t offset() const { return offset_; }

  private:
    static constexpr uint64_t kPage = 4096;

    const SharedFilePtr file_;
    const uint64_t pages_;
    const uint64_t taken_;
    const uint64_t offset_;
};

}  // namespace bitfusion::soft
