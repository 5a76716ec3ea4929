// LiveObjects: a client's session with one object of each kind that travels, and bodies of requests that name
// them: what hostile bodies are made from. The software driver is renewed with each: no other session runs
// when one ends.
#pragma once

#include <map>
#include <vector>

#include "message_shapes.gen.h"
#include "session/raw_peer.h"

namespace bitfusion::session_test {

class LiveObjects {
  public:
    LiveObjects();
    // The session's end: nothing on the GPU is waited for.
    ~LiveObjects();

    bool open() const { return open_; }
    RawClient& client() { return client_; }
    // 0 when this kind of object has not been made.
    uint64_t of(wire::Kind kind) const;
    // A name that was given and has been given back.
    uint64_t dead(wire::Kind kind) const { return wire::make_name(kind, true, 0x7f000000u); }
    uint64_t fresh(wire::Kind kind) { return wire::make_name(kind, false, ++last_); }

    // The fields of a request that is shaped well, each on its own: its numbers are 1, its handles live, its
    // addresses the session's.
    std::vector<Bytes> fields_of(const msg::MessageShape& shape);

    // Sends the body and learns what became of it, without waiting for the GPU: the answer's result or the
    // error that was announced; CUDA_ERROR_UNKNOWN when the session has ended.
    CUresult outcome(const msg::MessageShape& shape, const Bytes& body);

  private:
    uint64_t named(uint16_t id, const Bytes& body);
    void keep(wire::Kind kind, uint64_t name);

    RawClient client_;
    std::map<wire::Kind, uint64_t> names_;
    uint32_t last_ = 50000;
    bool open_ = false;
};

Bytes joined(const std::vector<Bytes>& fields);

}  // namespace bitfusion::session_test
