// Lanes: the further connections of a session, and the threads that move bytes over them.
//
// The client asks for lanes (LanesOpen) and is told one secret for each. It connects to the daemon, which
// passes the connection on (link/lane_door.h); here the secret admits it, once. Then one thread of the lane
// receives pieces of copies into buffers that the dispatch thread has given it, another sends what the
// dispatch thread hands over. No thread of a lane touches the driver, or knows where a piece belongs: that is
// for the dispatch thread (lane_copies.h). What a lane may hold is bounded by the buffers that it was given:
// data that come early wait in the network.
//
// The dispatch thread calls everything here.
#pragma once

#include <array>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/descriptor.h"
#include "link/link.h"
#include "wire/hello.h"
#include "worker/staging.h"

namespace bitfusion::worker {

class Lanes {
  public:
    static constexpr size_t kMost = 8;
    static constexpr size_t kMostPiece = 4u << 20;

    struct Piece {
        uint64_t number = 0;  // of the copy in; the ticket of a copy out
        uint64_t offset = 0;
        size_t bytes = 0;
        Staging::Buffer* buffer = nullptr;
        size_t lane = 0;  // that brought it
    };
    // What the threads have done since the last look.
    struct News {
        std::vector<Piece> arrived;
        std::vector<Staging::Buffer*> sent;
        std::string failed;  // why a lane is gone; empty: none is
        bool wrong = false;  // because of what came over it
    };
    using Wrap = std::function<std::unique_ptr<link::Link>(std::unique_ptr<link::Link>)>;

    Lanes();
    ~Lanes();
    Lanes(const Lanes&) = delete;
    Lanes& operator=(const Lanes&) = delete;

    // Where connections come from, and what is put around each of them (traffic.h). Before the first invite.
    void open_door(Descriptor door, Wrap wrap);
    // The secrets of so many lanes at most, one behind the other; none without a door, and the second time.
    std::vector<uint8_t> invite(size_t count);

    // Lanes are numbered by their places among `invited`.
    size_t invited() const { return lanes_.size(); }
    bool is_open(size_t lane) const;
    size_t open_count() const { return open_.load(std::memory_order_acquire); }

    // A buffer for what the lane brings.
    void give(size_t lane, Staging::Buffer* buffer);
    // Those given that it has not begun to fill.
    std::vector<Staging::Buffer*> take_back(size_t lane);
    // Over any lane; the buffer comes back as news.
    void send(const Piece& piece);

    bool has_news() const { return news_there_.load(std::memory_order_acquire); }
    News take_news();
    // Polls readable while there are news; -1 before there is any lane.
    int wait_descriptor() const { return wake_.get(); }

    // Ends the connections and the threads.
    void end();

  private:
    using Secret = wire::LaneKey::Secret;
    struct Lane {
        size_t number = 0;
        std::unique_ptr<link::Link> link;
        std::deque<Staging::Buffer*> spare;
        std::thread in;   // waits for the connection, then receives
        std::thread out;  // started by `in`
        bool open = false;
    };

    bool admit(const Secret& shown);
    Status connect(Lane* lane);
    Status receive_piece(Lane* lane);
    void run_in(Lane* lane);
    void run_out(Lane* lane);
    void fail_lane(const Error& why);
    void ring();  // with lock_ held

    Descriptor door_;
    Wrap wrap_;
    Descriptor wake_;
    std::atomic<size_t> open_{0};
    std::atomic<bool> news_there_{false};
    std::vector<std::unique_ptr<Lane>> lanes_;  // made once, before any thread

    mutable std::mutex lock_;  // guards what follows, and a lane's link (while it is made), spare and open
    std::condition_variable given_;
    std::condition_variable work_;
    std::vector<Secret> secrets_;  // that nobody has shown yet
    std::deque<Piece> outgoing_;
    News news_;
    bool over_ = false;
};

}  // namespace bitfusion::worker
