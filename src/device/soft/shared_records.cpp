#include "device/soft/shared_records.h"

#include <sys/mman.h>

namespace bitfusion::soft {

SharedRecords::SharedRecords(Key, SharedFilePtr file, Page* page) : file_(std::move(file)), page_(page) {}

SharedRecords::~SharedRecords() { munmap(page_, sizeof(Page)); }

std::shared_ptr<SharedRecords> SharedRecords::map(SharedFilePtr file) {
    if (file == nullptr || file->bytes < sizeof(Page)) return nullptr;
    void* page = mmap(nullptr, sizeof(Page), PROT_READ | PROT_WRITE, MAP_SHARED, file->descriptor, 0);
    if (page == MAP_FAILED) return nullptr;
    return std::make_shared<SharedRecords>(Key{}, std::move(file), static_cast<Page*>(page));
}

std::shared_ptr<SharedRecords> SharedRecords::make(int gpu) {
    return map(SharedFile::make(SharedFile::Use::kEvent, gpu, sizeof(Page)));
}

std::shared_ptr<SharedRecords> SharedRecords::open(const SharedFilePtr& file) {
    return file == nullptr || file->use != SharedFile::Use::kEvent ? nullptr : map(file);
}

uint64_t SharedRecords::begin() { return page_->last.fetch_add(1) + 1; }

void SharedRecords::pass(uint64_t number) {
    std::atomic<uint64_t>& slot = page_->passed[number % kKept];
    uint64_t before = slot.load();
    while (before < number && !slot.compare_exchange_weak(before, number)) {
    }
}

uint64_t SharedRecords::last() const { return page_->last.load(); }

bool SharedRecords::passed(uint64_t number) const {
    return number == 0 || page_->passed[number % kKept].load() >= number;
}

}  // namespace bitfusion::soft
