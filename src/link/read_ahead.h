// Read-ahead: what the peer has sent, taken from a socket while sending to the peer makes no progress.
//
// For links of which one thread both sends and receives. Against a peer that reads all the time such a thread
// may block in a send: that ends by itself, except where the kernel loses its way. Linux 6.17 and later drops
// data for which it had promised room ("tcp: stronger sk_rcvbuf checks"); acknowledgements that the peer
// sends after such data lie outside the window then and are dropped as well, so that both directions stand
// still until somebody reads here.
//
// Of one thread.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/result.h"

namespace bitfusion::link {

// From now on a send on this socket that finds no room for so long returns EAGAIN. Before a link is made of
// it.
Status limit_send(int descriptor, std::chrono::milliseconds patience = std::chrono::seconds(1));

class ReadAhead {
  public:
    // What a peer may make us keep that sends and does not read.
    static constexpr size_t kMost = 32u << 20;

    bool empty() const { return begin_ == bytes_.size(); }
    // After such an EAGAIN: takes what is there, up to kMost in all.
    void fill(int descriptor);
    // At most `bytes` of what was taken, in order.
    size_t take(void* target, size_t bytes);

  private:
    std::vector<uint8_t> bytes_;  // [begin_, end) is to be taken
    size_t begin_ = 0;
};

}  // namespace bitfusion::link
