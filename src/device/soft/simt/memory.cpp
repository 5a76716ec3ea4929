#include "device/soft/simt/memory.h"

#include <algorithm>

namespace bitfusion::soft {

bool find_window(Warp& warp, uint64_t address, uint64_t bytes) {
    const auto windows = warp.grid->request.windows;
    const auto at =
        std::upper_bound(windows.begin(), windows.end(), address,
                         [](uint64_t value, const Window& window) { return value < window.base; });
    if (at != windows.begin() && inside(*(at - 1), address, bytes)) {
        warp.window = *(at - 1);
        return true;
    }
    const Window workspace{warp.grid->workspace_address(), sizeof warp.grid->workspace};
    if (workspace.base == 0 || !inside(workspace, address, bytes)) return false;
    warp.window = workspace;
    return true;
}

std::byte* bad_address(Warp& warp, unsigned lane, uint64_t address, uint32_t bytes, AddressSpace space) {
    const bool misaligned = (address & (bytes - 1)) != 0;
    FaultKind kind = misaligned ? FaultKind::kMisalignedAddress : FaultKind::kIllegalAddress;
    const char* where = space == AddressSpace::kShared  ? "shared memory"
                        : space == AddressSpace::kLocal ? "local memory"
                        : space == AddressSpace::kParam ? "the parameters"
                                                        : "global memory";
    char text[160];
    std::snprintf(text, sizeof text, "%s 0x%llx of %s in an access of %u bytes",
                  misaligned ? "misaligned address" : "address", static_cast<unsigned long long>(address),
                  where, bytes);
    std::string message = text;
    if (!misaligned) message += " is outside of what is allocated";
    warp.fault(kind, lane, address, std::move(message));
    return nullptr;
}

std::byte* resolve_slowly(Warp& warp, unsigned lane, uint64_t address, uint32_t bytes) {
    if ((address & (bytes - 1)) != 0) return bad_address(warp, lane, address, bytes, AddressSpace::kGeneric);
    if (find_window(warp, address, bytes)) return reinterpret_cast<std::byte*>(address);
    if (address - kSharedWindowBase < kSpecialWindowBytes)
        return resolve<AddressSpace::kShared>(warp, lane, address - kSharedWindowBase, bytes);
    if (address - kLocalWindowBase < kSpecialWindowBytes)
        return resolve<AddressSpace::kLocal>(warp, lane, address - kLocalWindowBase, bytes);
    if (address - kParamWindowBase < kSpecialWindowBytes)
        return resolve<AddressSpace::kParam>(warp, lane, address - kParamWindowBase, bytes);
    return bad_address(warp, lane, address, bytes, AddressSpace::kGeneric);
}

}  // namespace bitfusion::soft
