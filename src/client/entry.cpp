#include "client/entry.h"

#include <memory>
#include <mutex>
#include <set>
#include <string>

namespace bitfusion::client {

CUresult not_served(const char* symbol, const char* why) {
    static auto* const lock = std::make_unique<std::mutex>().release();
    static auto* const told = std::make_unique<std::set<std::string>>().release();
    const std::lock_guard<std::mutex> guard(*lock);
    if (told->insert(symbol).second)
        BF_LOG("client", kWarn, "%s is not served: %s (docs/coverage.md)", symbol, why);
    return CUDA_ERROR_NOT_SUPPORTED;
}

CUresult failed(const char* symbol, CUresult result) {
    if (result != CUDA_ERROR_NOT_READY) BF_LOG("entry", kDebug, "%s returns %d", symbol, result);
    return result;
}

CUresult caught(const char* symbol) noexcept {
    try {
        throw;
    } catch (const std::bad_alloc&) {
        return CUDA_ERROR_OUT_OF_MEMORY;
    } catch (const std::exception& e) {
        BF_LOG("client", kError, "%s: %s; please report it with the program that shows it", symbol, e.what());
    } catch (...) {
        BF_LOG("client", kError, "%s: unknown exception; please report it with the program that shows it",
               symbol);
    }
    return CUDA_ERROR_UNKNOWN;
}

}  // namespace bitfusion::client
