#include "device/soft/imported_memory.h"

#include <sys/mman.h>

#include "device/soft/driver.h"

namespace bitfusion::soft {
namespace {

void* pointer_to(uint64_t address) { return reinterpret_cast<void*>(static_cast<uintptr_t>(address)); }

}  // namespace

ImportedMemory::ImportedMemory(Key, SharedFilePtr file, uint64_t pages, uint64_t taken, uint64_t offset)
    : file_(std::move(file)), pages_(pages), taken_(taken), offset_(offset) {}

ImportedMemory::~ImportedMemory() {
    // Empty pages instead of a hole; where even that fails the addresses are not used again.
    if (mmap(pointer_to(pages_), taken_, PROT_READ | PROT_WRITE,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0) != MAP_FAILED)
        driver().host_arena->give(pages_, taken_);
}

std::shared_ptr<ImportedMemory> ImportedMemory::map(const SharedFilePtr& file, uint64_t offset,
                                                    uint64_t bytes) {
    if (file == nullptr || bytes == 0 || offset >= file->bytes || bytes > file->bytes - offset)
        return nullptr;
    const uint64_t first = offset / kPage * kPage;
    const uint64_t taken = (offset + bytes - first + kPage - 1) / kPage * kPage;
    const uint64_t pages = driver().host_arena->take(taken, kPage);
    if (pages == 0) return nullptr;
    if (mmap(pointer_to(pages), taken, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, file->descriptor,
             static_cast<off_t>(first)) == MAP_FAILED) {
        driver().host_arena->give(pages, taken);
        return nullptr;
    }
    return std::make_shared<ImportedMemory>(Key{}, file, pages, taken, offset);
}

}  // namespace bitfusion::soft
