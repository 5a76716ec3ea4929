// Exchange: what the workers of one lease hand to each other: handles and file descriptors of the driver that
// a program shares between its processes (cuIpcGetMemHandle, cuMemExportToShareableHandle and their kin).
//
// A program never sees what the driver gave. It gets a token: the worker's slot in the lease and 32 random
// bytes. The worker that offered the object keeps it, and gives it to a worker of the same lease that shows
// the token, over a unix socket without a file. The socket's name is random too and stands in the lease's
// memory, which no other lease has; so a token of another lease finds nothing, and neither does a token whose
// worker has ended. Tokens come from programs: they are looked up, never followed.
//
// The dispatch thread offers, withdraws and asks; a thread of the exchange answers others, from the table
// alone, so that two workers that ask each other cannot block each other.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <thread>

#include "wire/usage.h"

namespace bitfusion::worker {

// Part of the lease's memory: where each of its workers listens.
struct ExchangeMemory {
    static constexpr size_t kNameBytes = 16;
    std::atomic<uint8_t> names[wire::Usage::kMostWorkers][kNameBytes];  // zeros: this worker offers nothing
};

class Exchange {
  public:
    static constexpr size_t kTokenBytes = 64;
    static constexpr size_t kRawBytes = 64;
    // As many as a program may have open files: each object that travels as one holds a descriptor here.
    static constexpr size_t kMostOffers = 65536;
    using Token = std::array<uint8_t, kTokenBytes>;

    enum class Kind : uint32_t { kMemory, kEvent, kAllocation, kPool, kPoolPointer };

    struct Object {
        Kind kind = Kind::kMemory;
        uint64_t bytes = 0;                    // of memory
        uint64_t charge = 0;                   // of memory: its shared charge (wire/shared_charge.h); 0: none
        std::array<uint8_t, kRawBytes> raw{};  // the driver's handle
        int descriptor = -1;                   // the driver's file; closed by who holds the object
    };

    // Without the lease's memory nothing can be offered or found.
    Exchange(ExchangeMemory* memory, int slot);
    ~Exchange();
    Exchange(const Exchange&) = delete;
    Exchange& operator=(const Exchange&) = delete;

    // Keeps the object for other workers, with its descriptor. What is offered twice under one source (an
    // address or a name; 0: none) has one token. `held` lives as long as the offer. Nothing when there is no
    // room, no socket or no lease; the descriptor is closed then.
    std::optional<Token> offer(const Object& object, uint64_t source, std::shared_ptr<void> held = nullptr);
    // The token of what was offered under that source.
    std::optional<Token> offered(Kind kind, uint64_t source) const;
    void withdraw(std::span<const uint8_t> token);
    void withdraw(Kind kind, uint64_t source);

    // The object behind a token of this lease, with a descriptor of its own; nothing when there is none of
    // that kind.
    std::optional<Object> ask(std::span<const uint8_t> token, Kind kind);

  private:
    using Secret = std::array<uint8_t, 32>;
    struct Offer {
        Object object;
        uint64_t source = 0;
        std::shared_ptr<void> held;
    };

    bool listen();
    void serve();
    void answer(int connection);
    Token token_of(const Secret& secret) const;
    std::optional<Object> find(const Secret& secret) const;  // with a new descriptor
    std::optional<Object> ask_other(int slot, const Secret& secret) const;

    ExchangeMemory* const memory_;
    const int slot_;
    mutable std::mutex lock_;  // guards the two maps
    std::map<Secret, Offer> offers_;
    std::map<std::pair<Kind, uint64_t>, Secret> by_source_;
    int listener_ = -1;
    int stop_ = -1;
    std::thread thread_;
};

}  // namespace bitfusion::worker
