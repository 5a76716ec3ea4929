// JIT options of the program: what of them travels, and how logs and times come back into its memory. The
// caller's arrays must live as long as the object, as CUDA asks. One thread.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "cuda_types.gen.h"

namespace bitfusion::client {

class JitOptions {
  public:
    JitOptions(unsigned count, CUjit_option* options, void** values);

    // False when there is one that only a driver in this process could serve.
    bool good() const { return good_; }
    // Pairs for the wire.
    std::span<const uint8_t> bytes() const {
        return {reinterpret_cast<const uint8_t*>(carried_.data()), carried_.size() * sizeof(Option)};
    }
    // Writes texts into the program's buffers; their size slots say how long each is.
    void give_logs(std::string_view info, std::string_view error);
    void give_wall_time(float milliseconds);

  private:
    struct Option {
        uint32_t option;
        uint32_t reserved = 0;
        uint64_t value;
    };
    static_assert(sizeof(Option) == 16);
    struct Log {
        char* buffer = nullptr;
        void** size = nullptr;
        size_t room = 0;  // what the size slot said before it was written
    };
    static void give(Log* log, std::string_view text);

    bool good_ = true;
    std::vector<Option> carried_;
    Log info_;
    Log error_;
    std::vector<void**> wall_times_;
};

}  // namespace bitfusion::client
