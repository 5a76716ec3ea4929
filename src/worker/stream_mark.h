// Where a stream has got to: as an event of our own, or as a mark in memory of this process that the GPU sets
// when it comes there. To look at a mark costs nothing, while to ask for an event is a call of 0.3 us and the
// GPU reports it later (H100: a read of 4 bytes takes 0.7 us less).
//
// One thread: the dispatch thread.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>

#include "cuda_types.gen.h"
#include "driver_table.gen.h"

namespace bitfusion::worker {

// A new event, recorded on the stream; whoever gets it destroys it. The stream may be of another context than
// the current one: "a memory copy will succeed even if it is issued to a stream that is not associated to the
// current device" (CUDA C++ Programming Guide), while an event has to be of its stream's. Of no use in a
// capture.
CUresult mark_stream(const DriverTable& driver, CUstream stream, CUevent* event);

class StreamMarks {
  public:
    explicit StreamMarks(const DriverTable* driver) : driver_(driver) {}

    // What says, asked again and again until it is not CUDA_ERROR_NOT_READY, whether everything that is on
    // the stream now is done. `context`: the current one, by name. Empty with *result.
    std::function<CUresult()> place(CUstream stream, uint64_t context, CUresult* result);
    // The same without an event; empty where the GPU has no way to write a mark.
    std::function<CUresult()> place_word(CUstream stream, uint64_t context);
    // The context ends: what waits for its marks is told.
    void forget_context(uint64_t context);

  private:
    struct Page;
    std::shared_ptr<Page> page_of(uint64_t context);

    const DriverTable* const driver_;
    std::map<uint64_t, std::shared_ptr<Page>> pages_;  // by context; null: it can have none
};

}  // namespace bitfusion::worker
