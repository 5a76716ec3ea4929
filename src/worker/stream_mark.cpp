#include "worker/stream_mark.h"

#include <sys/mman.h>

#include <atomic>
#include <utility>
#include <vector>

namespace bitfusion::worker {
namespace {

// Of a word, before the context is asked whether it is well: 10 us and more.
constexpr uint32_t kLooks = 128;

CUresult make_and_record(const DriverTable& driver, CUstream stream, CUevent* event) {
    CUresult result = driver.cuEventCreate(event, CU_EVENT_DISABLE_TIMING);
    if (result != CUDA_SUCCESS) return result;
    result = driver.cuEventRecord(*event, stream);
    if (result != CUDA_SUCCESS) driver.cuEventDestroy_v2(std::exchange(*event, nullptr));
    return result;
}

}  // namespace

CUresult mark_stream(const DriverTable& driver, CUstream stream, CUevent* event) {
    // Nearly always the stream is of the current context: the driver is asked for it only where it is not.
    CUresult result = make_and_record(driver, stream, event);
    if (result != CUDA_ERROR_INVALID_HANDLE || driver.cuStreamGetCtx == nullptr) return result;
    CUcontext context = nullptr;
    result = driver.cuStreamGetCtx(stream, &context);
    if (result == CUDA_SUCCESS) result = driver.cuCtxPushCurrent_v2(context);
    if (result != CUDA_SUCCESS) return result;
    result = make_and_record(driver, stream, event);
    driver.cuCtxPopCurrent_v2(&context);
    return result;
}

// Words of memory that the GPU writes. Registered with one context; the mapping stays until nobody waits, or
// for ever when the GPU may still write.
struct StreamMarks::Page {
    explicit Page(const DriverTable* with) : driver(with) {}
    ~Page() {
        if (words != nullptr && !registered) munmap(words, kBytes);
    }
    Page(const Page&) = delete;
    Page& operator=(const Page&) = delete;

    CUresult open() {
        void* const place = mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (place == MAP_FAILED) return CUDA_ERROR_OUT_OF_MEMORY;
        words = static_cast<uint32_t*>(place);
        CUresult result = driver->cuMemHostRegister_v2(words, kBytes, CU_MEMHOSTREGISTER_DEVICEMAP);
        registered = result == CUDA_SUCCESS;
        if (registered) result = driver->cuMemHostGetDevicePointer_v2(&device, words, 0);
        if (result == CUDA_SUCCESS) result = driver->cuEventCreate(&witness, CU_EVENT_DISABLE_TIMING);
        for (uint32_t i = 0; i < kBytes / sizeof *words; ++i) free.push_back(i);
        return result;
    }
    void close() {
        gone = true;
        if (registered && free.size() == kBytes / sizeof *words)
            registered = driver->cuMemHostUnregister(words) != CUDA_SUCCESS;
    }

    static constexpr size_t kBytes = 4096;
    const DriverTable* const driver;
    uint32_t* words = nullptr;
    CUdeviceptr device = 0;
    bool registered = false;
    bool gone = false;          // the context
    CUevent witness = nullptr;  // never recorded: says whether the context has failed
    std::vector<uint32_t> free;
};

std::shared_ptr<StreamMarks::Page> StreamMarks::page_of(uint64_t context) {
    const auto [known, fresh] = pages_.try_emplace(context);
    if (!fresh || driver_->cuStreamWriteValue32_v2 == nullptr) return known->second;
    auto page = std::make_shared<Page>(driver_);
    if (page->open() == CUDA_SUCCESS)
        known->second = std::move(page);
    else
        page->close();
    return known->second;
}

std::function<CUresult()> StreamMarks::place_word(CUstream stream, uint64_t context) {
    const auto page = page_of(context);
    if (page == nullptr || page->free.empty()) return {};
    const uint32_t at = page->free.back();
    std::atomic_ref<uint32_t> word(page->words[at]);
    word.store(0, std::memory_order_relaxed);
    // A stream of another context is refused.
    const CUdeviceptr device = page->device + at * sizeof(uint32_t);
    if (driver_->cuStreamWriteValue32_v2(stream, device, 1, 0) != CUDA_SUCCESS) return {};
    page->free.pop_back();
    return [page, word, at, looks = 0u]() mutable {
        if (word.load(std::memory_order_acquire) != 0) {
            page->free.push_back(at);
            return CUDA_SUCCESS;
        }
        if (page->gone) return CUDA_ERROR_CONTEXT_IS_DESTROYED;
        if (++looks % kLooks != 0) return CUDA_ERROR_NOT_READY;
        // After a fault the GPU writes nothing more: the word is not used again.
        const CUresult state = page->driver->cuEventQuery(page->witness);
        return state == CUDA_SUCCESS ? CUDA_ERROR_NOT_READY : state;
    };
}

std::function<CUresult()> StreamMarks::place(CUstream stream, uint64_t context, CUresult* result) {
    *result = CUDA_SUCCESS;
    if (auto word = place_word(stream, context)) return word;
    CUevent event = nullptr;
    *result = mark_stream(*driver_, stream, &event);
    if (*result != CUDA_SUCCESS) return {};
    return [driver = driver_, event] {
        const CUresult state = driver->cuEventQuery(event);
        if (state != CUDA_ERROR_NOT_READY) driver->cuEventDestroy_v2(event);
        return state;
    };
}

void StreamMarks::forget_context(uint64_t context) {
    const auto found = pages_.find(context);
    if (found == pages_.end()) return;
    if (found->second != nullptr) found->second->close();
    pages_.erase(found);
}

}  // namespace bitfusion::worker
