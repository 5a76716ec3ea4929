// Managed pages: the host's side of managed memory. One address serves both sides: the client's pages lie
// where the worker's memory lies. The device has no concurrent managed access, so memory changes hands: work
// takes all pages away from the program (what it wrote is sent ahead), and a page comes back, with its
// neighbours, when the program touches it. Only bytes that changed are sent.
//
// Managed ranges need not begin or end at a page: variables share pages with others. Any thread, but never
// one that holds a lock of the session: a touch is answered through it.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "cuda_types.gen.h"

namespace bitfusion::client {

// Makes [base, base + bytes), which is reserved, the program's. `zeros`: the worker's memory is all zeros;
// else its content is fetched when it is touched.
bool manage_pages(uint64_t base, size_t bytes, CUcontext context, bool zeros);
void unmanage_pages(uint64_t base, size_t bytes);
// Those whose context is gone.
void unmanage_pages_of(CUcontext context);

inline std::atomic<int> g_managed{0};
inline bool any_managed() { return g_managed.load(std::memory_order_relaxed) != 0; }

// The program's writes -> the worker; no page is the program's any more.
CUresult send_managed();
// After a synchronisation: what was fetched while the GPU was at work may be old.
void refresh_managed();
// Fetches pages ahead of a touch; drops what the program wrote.
void fetch_managed(uint64_t base, size_t bytes);
void discard_managed(uint64_t base, size_t bytes);

// Touches managed memory that the client is about to read or write itself under a lock.
void touch_managed(const volatile void* at, size_t bytes, bool write);

}  // namespace bitfusion::client
