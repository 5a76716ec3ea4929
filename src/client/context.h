// Contexts: the calling thread's stack of current contexts, the state of primary contexts, and what the
// private tables keep per context. All of it is the client's own: the worker learns of a context when it is
// retained or created, and each message says in which context it was called.
#pragma once

#include <atomic>
#include <cstdint>

#include "cuda_types.gen.h"

namespace bitfusion::client {

// The primary context's handle of a device: fixed from the start, whether or not it is active.
CUcontext primary_context(CUdevice device);
// Device of any known context; false when it is none of ours or gone.
bool device_of(CUcontext context, CUdevice* device);
uint64_t id_of(CUcontext context);
// The calling thread's current context without any check; nullptr: none.
CUcontext current_context();
CUdevice current_device();  // -1 without a context

// Whether the process has ever had more than one context: then the end of one says nothing of the others'
// work.
inline constinit std::atomic<int> g_contexts_made{0};  // kept by context.cpp
inline bool several_contexts() { return g_contexts_made.load(std::memory_order_relaxed) > 1; }

using StorageDestructor = void (*)(CUcontext, void* key, void* value);
CUresult storage_put(CUcontext context, void* key, void* value, StorageDestructor destructor);
CUresult storage_get(CUcontext context, void* key, void** value);
CUresult storage_delete(CUcontext context, void* key);

// Runs the destructors of everything stored in a context; before it is destroyed or reset.
void run_storage_destructors(CUcontext context);

// Forgets the thread's and the process's context state of a session; tests open several sessions in one
// process.
void forget_contexts();

}  // namespace bitfusion::client
