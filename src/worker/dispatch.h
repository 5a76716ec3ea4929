// Dispatch: from wire numbers to handlers (the table is generated).
#pragma once

#include <cstdint>

#include "wire/codec.h"
#include "wire/frame.h"

namespace bitfusion::worker {

class Session;

// One message under way: its head. The body is read through the Reader.
struct Frame {
    wire::RequestHead head;
};

struct Handler {
    void (*serve)(Session&, const Frame&, wire::Reader&) = nullptr;
    bool answers = false;  // a call; else a post
    bool bulk = false;     // the body ends in data that go to the GPU
    bool waits = false;    // the driver may wait in it for everything that runs on the GPU
};

// nullptr: nothing has this number.
const Handler* handler_of(uint16_t id);

}  // namespace bitfusion::worker
