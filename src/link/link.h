// Link: a reliable, ordered byte stream between a client and its worker; the seam between the data path and
// its transports. Fillings: a connected socket (tcp.h, and what the dispatcher hands to a worker), the same
// encrypted (tls_record.h, tls_handshake.h), memory that both processes share (shm_link.h), and the
// in-process pair for tests (loop.h).
//
// One thread may send while another receives; two senders or two receivers need a lock of their own.
// Errors are final: after one, the link only closes.
#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "base/descriptor.h"
#include "base/result.h"

namespace bitfusion::link {

enum class Wait {
    kNo,     // return 0 bytes at once when nothing is there
    kBlock,  // sleep until something is there
};

struct Received {
    size_t bytes = 0;     // 0 with open: nothing there (Wait::kNo)
    bool closed = false;  // the peer has gone
};

class Link {
  public:
    virtual ~Link() = default;

    // Sends every byte of the pieces, in order; blocks while the peer does not read.
    virtual Status send(std::span<const iovec> pieces) = 0;

    // Receives at least one byte and at most `bytes`, except as said in Received.
    virtual Result<Received> receive(void* target, size_t bytes, Wait wait) = 0;

    // A descriptor that polls readable when receive() would not block, provided that prepare_wait() has said
    // so since the last receive().
    virtual int wait_descriptor() const = 0;

    // Whoever receives calls this before anybody sleeps on wait_descriptor(). False: do not, receive() has
    // something to say. `woken`: such a sleep has ended since the last call.
    virtual bool prepare_wait(bool woken) {
        (void)woken;
        return true;
    }

    // Bytes cost no network: the peer is on this machine.
    virtual bool shares_memory() const { return false; }

    // Gives the peer a file of this machine, beside the bytes: the peer takes files in the order in which
    // they were given, and one that was given before a byte was sent is there when the byte is. Only where
    // shares_memory(). One thread gives, one takes; neither blocks.
    virtual Status give_file(int descriptor);
    virtual Result<Descriptor> take_file();

    // Ends both directions; a blocked peer or thread wakes. Any thread.
    virtual void shut() = 0;

    // In a child of fork, which uses the link no more: drops its copies of the descriptors, so that the
    // connection ends with the parent.
    virtual void leave_to_parent() = 0;
};

// A connected stream socket (TCP or UNIX); the link owns and closes it.
std::unique_ptr<Link> over_socket(int descriptor);

}  // namespace bitfusion::link
