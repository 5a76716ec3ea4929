// DelayLine: a network between two programs on one machine. A TCP relay that hands every byte on after a
// fixed time and no faster than a given rate, in both directions, in order. For measurements: no kernel
// module, no privileges.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "base/result.h"

namespace bitfusion::bench {

struct DelayLineOptions {
    std::string to_host = "127.0.0.1";
    uint16_t to_port = 0;
    std::chrono::microseconds one_way{0};  // half of the added round trip
    double bits_per_second = 0;  // of each direction, all connections together; 0: as fast as it goes
};

class DelayLine {
  public:
    // Listens on 127.0.0.1 and relays from its own threads until destroyed.
    static Result<std::unique_ptr<DelayLine>> open(const DelayLineOptions& options);
    explicit DelayLine(const DelayLineOptions& options);  // not open yet; use open()
    ~DelayLine();
    DelayLine(const DelayLine&) = delete;
    DelayLine& operator=(const DelayLine&) = delete;

    uint16_t port() const { return port_; }
    // What comes from now on goes at this rate, on connections that are open too. Any thread.
    void set_rate(double bits_per_second);

    // One direction of the network: what its connections share.
    class Line {
      public:
        // When bytes that come now have passed.
        std::chrono::steady_clock::time_point pass(size_t bytes);
        void set_rate(double bits_per_second);

      private:
        std::mutex lock_;
        double bits_per_second_ = 0;
        std::chrono::steady_clock::time_point free_{};
    };

  private:
    struct Connection;
    void accept_all();

    const DelayLineOptions options_;
    Line up_;
    Line down_;
    int listener_ = -1;
    uint16_t port_ = 0;
    std::atomic<bool> over_{false};
    std::list<std::unique_ptr<Connection>> connections_;  // of the accepting thread
    std::thread acceptor_;
};

}  // namespace bitfusion::bench
