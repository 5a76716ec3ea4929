// TlsRecord: the record layer of TLS 1.3 (RFC 8446, section 5) over secrets that a handshake made.
//
// OpenSSL makes the handshakes (tls_handshake.h); its connection objects allow neither one thread to send
// while another receives nor the move of a connection into another process, and both are needed here. The
// cryptography itself stays OpenSSL's. TlsSealer and TlsOpener: one thread at a time each; they share
// nothing.
#pragma once

#include <sys/uio.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/result.h"
#include "link/link.h"
#include "link/tls_keys.h"

namespace bitfusion::link {

constexpr size_t kTlsHeadBytes = 5;
constexpr size_t kTlsMostPlain = 16384;
constexpr size_t kTlsMostRecord = kTlsHeadBytes + kTlsMostPlain + 256;

struct FreeCipher {
    void operator()(EVP_CIPHER_CTX* context) const { EVP_CIPHER_CTX_free(context); }
};

// One direction: a key, its number of records, and the secret of the next key.
class TlsDirection {
  public:
    Status open(uint16_t suite, const std::vector<uint8_t>& secret, uint64_t sequence, bool sealing);
    ~TlsDirection();
    TlsDirection() = default;
    TlsDirection(const TlsDirection&) = delete;
    TlsDirection& operator=(const TlsDirection&) = delete;

    EVP_CIPHER_CTX* begin_record(const uint8_t* head);  // null when the cipher refuses
    Status next_key();
    bool worn() const { return sequence_ >= suite_->most_records; }
    uint64_t sequence() const { return sequence_; }
    const std::vector<uint8_t>& secret() const { return secret_; }
    uint16_t suite() const { return suite_->number; }

  private:
    Status use_secret();

    const TlsSuite* suite_ = nullptr;
    std::unique_ptr<EVP_CIPHER_CTX, FreeCipher> cipher_;
    std::vector<uint8_t> secret_;
    TlsKey key_;
    uint64_t sequence_ = 0;
    bool sealing_ = false;
};

class TlsSealer {
  public:
    Status open(uint16_t suite, const std::vector<uint8_t>& secret, uint64_t sequence) {
        return direction_.open(suite, secret, sequence, true);
    }
    // Appends records of application data with all bytes of the pieces, and KeyUpdates where they are due.
    Status seal(std::span<const iovec> pieces, std::vector<uint8_t>* out);
    // The peer asked for a new key; any thread.
    void ask_new_key() { new_key_.store(true, std::memory_order_relaxed); }
    const TlsDirection& direction() const { return direction_; }

  private:
    Status record(uint8_t type, std::span<const iovec> pieces, size_t bytes, std::vector<uint8_t>* out);

    TlsDirection direction_;
    std::atomic<bool> new_key_{false};
};

class TlsOpener {
  public:
    enum class Kind { kData, kClosed, kNothing };
    struct Opened {
        Kind kind = Kind::kNothing;  // kNothing: a record of the protocol itself was served
        size_t bytes = 0;
    };

    Status open(uint16_t suite, const std::vector<uint8_t>& secret, uint64_t sequence) {
        return direction_.open(suite, secret, sequence, false);
    }
    // Bytes of the whole record at the front, 0 when its head is not complete; fails on what is no record.
    static Result<size_t> record_bytes(const uint8_t* front, size_t have);
    // Most bytes of plain data that a record of this size can hold.
    static size_t most_plain(size_t record_bytes);
    // Opens one whole record into `plain`, which has room for most_plain() bytes. Nothing in `plain` counts
    // unless it succeeds. Calls for a new key of the other direction are left in wants_new_key().
    Result<Opened> open_record(const uint8_t* record, size_t bytes, uint8_t* plain);
    bool take_wish_for_new_key() { return std::exchange(wants_new_key_, false); }
    const TlsDirection& direction() const { return direction_; }

  private:
    Result<Opened> serve_handshake(const uint8_t* message, size_t bytes);

    TlsDirection direction_;
    bool wants_new_key_ = false;
};

// A connected stream socket whose handshake is over; the link owns and closes it. Send and receive may run in
// two threads. `early` are bytes of the peer that were read with the handshake.
Result<std::unique_ptr<Link>> over_tls(int descriptor, const TlsState& state,
                                       const std::vector<uint8_t>& early = {});

}  // namespace bitfusion::link
