// Where a stream has got to, as an event of our own.
#pragma once

#include "cuda_types.gen.h"
#include "driver_table.gen.h"

namespace bitfusion::worker {

// A new event, recorded on the stream; whoever gets it destroys it. The stream may be of another context than
// the current one: "a memory copy will succeed even if it is issued to a stream that is not associated to the
// current device" (CUDA C++ Programming Guide), while an event has to be of its stream's. Of no use in a
// capture. One thread: the dispatch thread.
CUresult mark_stream(const DriverTable& driver, CUstream stream, CUevent* event);

}  // namespace bitfusion::worker
