// cuGetProcAddress: the newest variant of a name that the asked version already had.
#include <cstring>
#include <string_view>

#include "base/log.h"
#include "client/device.h"
#include "client/entry_table.h"
#include "client_hand.gen.h"

namespace bitfusion::client {
namespace {

struct Found {
    void* entry = nullptr;
    CUdriverProcAddressQueryResult status = CU_GET_PROC_ADDRESS_SYMBOL_NOT_FOUND;
};

Found find_entry(std::string_view base, int version, bool per_thread) {
    // The table is sorted: the first row with this name by bisection, then its variants in order of version.
    size_t low = 0;
    size_t high = kEntryVariantCount;
    while (low < high) {
        const size_t middle = (low + high) / 2;
        if (std::string_view(kEntryVariants[middle].base) < base)
            low = middle + 1;
        else
            high = middle;
    }
    Found found;
    bool has_per_thread = false;
    for (size_t i = low; i < kEntryVariantCount && kEntryVariants[i].base == base; ++i)
        has_per_thread |= kEntryVariants[i].per_thread_since != 0;
    for (size_t i = low; i < kEntryVariantCount && kEntryVariants[i].base == base; ++i) {
        const EntryVariant& v = kEntryVariants[i];
        const bool wanted = per_thread && has_per_thread;
        const int since = wanted ? v.per_thread_since : v.since;
        if (wanted && since == 0) continue;
        if (since <= version)
            found = {wanted ? v.per_thread_entry : v.entry, CU_GET_PROC_ADDRESS_SUCCESS};
        else if (found.entry == nullptr)
            found.status = CU_GET_PROC_ADDRESS_VERSION_NOT_SUFFICIENT;
    }
    return found;
}

}  // namespace

CUresult cuGetProcAddress_v2(const char* symbol, void** pfn, int cudaVersion, cuuint64_t flags,
                             CUdriverProcAddressQueryResult* symbolStatus) {
    constexpr cuuint64_t kKnown =
        CU_GET_PROC_ADDRESS_LEGACY_STREAM | CU_GET_PROC_ADDRESS_PER_THREAD_DEFAULT_STREAM;
    if (symbol == nullptr || pfn == nullptr || (flags & ~kKnown) != 0) return CUDA_ERROR_INVALID_VALUE;
    const Found found =
        find_entry(symbol, cudaVersion, (flags & CU_GET_PROC_ADDRESS_PER_THREAD_DEFAULT_STREAM) != 0);
    *pfn = found.entry;
    if (symbolStatus != nullptr) *symbolStatus = found.status;
    if (found.entry == nullptr)
        BF_LOG("client", kDebug, "cuGetProcAddress: no '%s' for version %d", symbol, cudaVersion);
    return CUDA_SUCCESS;  // measured: the driver reports a missing name in the status alone
}

CUresult cuGetProcAddress(const char* symbol, void** pfn, int cudaVersion, cuuint64_t flags) {
    return cuGetProcAddress_v2(symbol, pfn, cudaVersion, flags, nullptr);
}

}  // namespace bitfusion::client
