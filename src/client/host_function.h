// Host functions: code of the program that runs where a stream or a graph has come to it. The stream waits
// meanwhile. All run one after the other on one thread of ours, as on the driver's.
#pragma once

#include <cstdint>
#include <functional>

#include "cuda_types.gen.h"

namespace bitfusion::client {

// The thread is started when it is first needed: call this before anything can become due.
void start_host_thread();
// After what is due already. Any thread.
void run_on_host_thread(std::function<void()> task);

// Puts a point of our own into the stream: `action` runs when the stream has come there.
CUresult post_host_action(CUstream stream, std::function<void()> action);

// Whether a host function of a stream has been posted and not run yet.
bool host_functions_open();

}  // namespace bitfusion::client
