// PrintLog: what kernels printed and the program has not seen yet.
//
// As with CUDA, text appears on standard output at synchronisation points, in the order in which it was
// printed; when the buffer (CU_LIMIT_PRINTF_FIFO_SIZE) is full the oldest text is lost. Any thread.
#pragma once

#include <cstddef>
#include <deque>
#include <mutex>
#include <string>
#include <string_view>

namespace bitfusion::soft {

class PrintLog {
  public:
    void add(std::string_view text);
    void limit(size_t bytes);
    // Writes what is there to standard output and empties the log.
    void flush();

  private:
    std::mutex mutex_;
    std::deque<std::string> texts_;
    size_t bytes_ = 0;
    size_t most_ = size_t{1} << 20;
};

}  // namespace bitfusion::soft
