#include "nvml/entry.h"

#include <exception>
#include <memory>
#include <new>
#include <set>
#include <string>

#include "base/log.h"

namespace bitfusion::nvml {
namespace {

bool first_time(const char* symbol) {
    static auto* const lock = std::make_unique<std::mutex>().release();
    static auto* const told = std::make_unique<std::set<std::string>>().release();
    const std::lock_guard guard(*lock);
    return told->insert(symbol).second;
}

}  // namespace

nvmlReturn_t not_served(const char* symbol, const char* why) {
    if (first_time(symbol))
        BF_LOG("nvml", kInfo, "%s is not served: %s (docs/coverage-nvml.md)", symbol, why);
    return NVML_ERROR_NOT_SUPPORTED;
}

nvmlReturn_t acknowledged(const char* symbol, const char* why) {
    if (first_time(symbol)) BF_LOG("nvml", kInfo, "%s is acknowledged, no more: %s", symbol, why);
    return NVML_SUCCESS;
}

nvmlReturn_t not_permitted(const char* symbol) {
    if (first_time(symbol)) {
        BF_LOG("nvml", kInfo, "%s is refused: GPUs are set up on their server, by its administrator", symbol);
    }
    return NVML_ERROR_NO_PERMISSION;
}

nvmlReturn_t answered(const char* symbol, nvmlReturn_t result) {
    if (result != NVML_SUCCESS) BF_LOG("entry", kDebug, "%s returns %d", symbol, static_cast<int>(result));
    return result;
}

nvmlReturn_t caught(const char* symbol) noexcept {
    try {
        throw;
    } catch (const std::bad_alloc&) {
        return NVML_ERROR_MEMORY;
    } catch (const std::exception& e) {
        BF_LOG("nvml", kError, "%s: %s; please report it with the program that shows it", symbol, e.what());
    } catch (...) {
        BF_LOG("nvml", kError, "%s: unknown exception; please report it with the program that shows it",
               symbol);
    }
    return NVML_ERROR_UNKNOWN;
}

}  // namespace bitfusion::nvml
