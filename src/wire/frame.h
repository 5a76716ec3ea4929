// Frame: the fixed head of every message after the opening (docs/wire.md, "frames").
//
// Client to worker: size, wire number, the thread's capture mode, the context it is current in, and the
// call's number. Worker to client: size, wire number, result, and the number of the call that it answers (0
// for events). Plain data; little endian as it stands.
#pragma once

#include <cstdint>

namespace bitfusion::wire {

struct RequestHead {
    uint32_t bytes;    // of the body that follows
    uint16_t id;       // msg::Id
    uint16_t thread;   // low 2 bits: CUstreamCaptureMode of the calling thread
    uint32_t context;  // low half of the name of the thread's current context; 0: none
    uint32_t call;     // counts from 1 in program order
};
static_assert(sizeof(RequestHead) == 16);

struct ReplyHead {
    uint32_t bytes;
    uint16_t id;
    uint16_t reserved;
    int32_t result;  // CUresult of a reply
    uint32_t call;   // 0: an event
};
static_assert(sizeof(ReplyHead) == 16);

// Bodies are shorter than this; larger copies travel as several messages.
constexpr uint32_t kMostBody = 64u << 20;

}  // namespace bitfusion::wire
