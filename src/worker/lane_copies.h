// LaneCopies: large linear copies whose data travel over lanes, as the dispatch thread sees them.
//
// A copy takes effect at its message's place: what came over a lane before that waits, and no other message
// is served while a copy in has not been given to the driver whole; copies out on a stream of their own are,
// so that both directions move at once. Buffers are the session's staging; copies out leave one for each
// lane, so that copies in never wait for them. The dispatch thread only.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "cuda_types.gen.h"
#include "messages.gen.h"
#include "worker/dispatch.h"
#include "worker/lanes.h"
#include "worker/staging.h"

namespace bitfusion::worker {

class LaneCopies {
  public:
    explicit LaneCopies(Session* session) : session_(session) {}
    ~LaneCopies();

    Lanes lanes;

    // The rest of CopyInLanes; `result` is what is known of it so far. Its data are taken in any case.
    void begin_in(const Frame& frame, const msg::CopyInLanes& m, CUstream stream, CUresult result);
    // Copies in that are not with the driver yet.
    bool any_in() const { return !ins_.empty(); }
    // Returns when there are none.
    void finish_ins();
    // Whether a copy out on this stream may begin before they are: both streams are the program's own.
    bool may_overtake(uint64_t stream) const;

    // Told when everything that can be sent was handed to the lanes: how many bytes, and the first error.
    using Sent = std::function<void(uint64_t bytes, CUresult status)>;
    // The driver's refusal, if there was one, is also returned.
    CUresult begin_out(CUdeviceptr device, uint64_t bytes, CUstream stream, uint64_t ticket,
                       const Sent& sent);

    // Looks at what the lanes have done. True: something moved.
    bool progress();
    // progress() has to be called again without being woken.
    bool hungry() const { return hungry_ || short_of_buffers_; }

  private:
    struct In {
        Frame frame;
        uint64_t number;
        CUdeviceptr device;
        uint64_t bytes;
        uint64_t stream_name;
        CUstream stream;
        CUresult result;
        uint64_t played = 0;
    };
    struct Out;

    bool look();
    bool play();
    bool play_piece(In* in, const Lanes::Piece& piece);
    void feed();
    void take_back();
    void free_buffer(const Lanes::Piece& piece);
    Staging::Buffer* buffer_for(const In& in, size_t lane);
    Staging::Buffer* buffer_out(CUresult* result);
    void peer_is_wrong(const char* what);

    static constexpr size_t kMostIn = Staging::kMost / 2;  // with the lanes

    // For the data of a copy that has failed: read, so that the lane stays in step.
    struct Scrap {
        std::vector<uint8_t> bytes;
        Staging::Buffer buffer;
        bool given = false;
    };

    Session* const session_;
    uint64_t last_number_ = 0;
    std::deque<In> ins_;
    std::deque<Lanes::Piece> early_;           // that came before their copy's turn
    std::array<size_t, Lanes::kMost> held_{};  // buffers of each lane: given, being filled, or early
    std::array<Scrap, Lanes::kMost> scraps_;
    size_t outs_ = 0;                // buffers of copies out
    bool hungry_ = false;            // a lane has no buffer to receive into
    bool short_of_buffers_ = false;  // a copy out waits for one
    std::string failed_;             // why a lane is gone
};

}  // namespace bitfusion::worker
