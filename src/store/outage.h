// Outage: remembers that a store does not answer, so that only the first who asks waits for it. As long as it
// lasts everybody else is told so at once, and a thread of its own tries whether it is over. Private to
// src/store.
//
// Threads: any. The thread runs only while there is an outage and ends with the object, which waits for the
// try that is under way.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <stop_token>
#include <thread>

#include "base/result.h"

namespace bitfusion::store {

class Outage {
  public:
    // `answers` asks the store once and takes some seconds at most. It is called by the thread alone.
    Outage(std::function<bool()> answers, std::chrono::milliseconds every);
    ~Outage();
    Outage(const Outage&) = delete;
    Outage& operator=(const Outage&) = delete;

    // Why it began; nothing while there is none.
    std::optional<Error> now();
    void begin(Error why);

  private:
    void watch(const std::stop_token& stop);

    std::function<bool()> answers_;
    std::chrono::milliseconds every_;
    std::mutex mutex_;
    std::condition_variable_any changed_;
    std::optional<Error> why_;
    std::jthread thread_;  // last: ends before what it uses
};

}  // namespace bitfusion::store
