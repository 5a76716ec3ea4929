// Registered copies: large asynchronous copies between the GPU and memory that the program registered itself
// (cuMemHostRegister), when the worker is on this machine. Such pages are the program's and cannot be shared
// with the worker, so the bytes go through slots (slots.h): copy threads of this process move them between
// the program's memory and a slot, the GPU between the slot and its own memory, in the order of the stream.
// The caller waits until what goes to the GPU is in slots, and for nothing else; the GPU waits for nothing:
// what has no slot goes another way, for a stream that waited for this process would, with enough work behind
// it, stop the worker that this process waits for. A completion that the worker announces never overtakes the
// bytes (feedback.h). Any thread.
#pragma once

#include <cstddef>

#include "cuda_types.gen.h"

namespace bitfusion::client {

constexpr size_t kLeastRegisteredCopy = 2u << 20;

// Makes ready for copies of memory of this size; where memory is registered.
void expect_registered_copies(size_t bytes);

// Begin the copy, or the first part of it. Return how many bytes that is: the others, maybe all, must go
// another way. *result is an error only when nothing was begun and nothing shall be.
size_t begin_copy_in(CUdeviceptr target, const void* source, size_t bytes, CUstream stream, CUresult* result);
size_t begin_copy_out(void* target, CUdeviceptr source, size_t bytes, CUstream stream, CUresult* result);

// Returns when no copy that was begun reads or writes the memory any more.
void await_registered_copies(const void* begin, size_t bytes);

}  // namespace bitfusion::client
