// CopyThreads: threads that copy memory of this process, so that a large copy has the bandwidth of several
// cores (and several take its page faults). They are started by the first job and sleep between jobs. Any
// thread may hand in jobs. Owned by the session, which ends them.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>
#include <thread>
#include <vector>

namespace bitfusion::client {

// The cores that this process may run on; 1 when the system does not say.
size_t usable_cores();

class CopyThreads {
  public:
    static constexpr size_t kMost = 16;
    // A quarter of the cores that this process may use, 4 at most: more do not make memory faster. None where
    // there are fewer than four, which the program and the other threads need.
    static size_t usual();

    // Lives with whoever hands it in, until wait() has returned.
    struct Job {
        void* target = nullptr;
        const void* source = nullptr;
        size_t bytes = 0;
        // When the bytes are there and before wait() returns, on the thread that copied.
        void (*copied)(Job*) = nullptr;
        bool done = true;  // guarded by the lock of whose it is
    };

    explicit CopyThreads(size_t count) : count_(count) {}
    ~CopyThreads() { end(); }
    CopyThreads(const CopyThreads&) = delete;
    CopyThreads& operator=(const CopyThreads&) = delete;

    // How many jobs are done at once, at best; 0: each by whoever hands it in.
    size_t count() const { return count_; }
    // Returns before the copy is done, or after: without threads the caller does it.
    void copy(Job* job);
    void wait(const Job& job);
    static void carry_out(const Job& job);

    // Does what has been handed in, and ends the threads; later jobs are done by their callers.
    void end();

  private:
    void start();
    void run();
    static void finish(Job* job);

    const size_t count_;
    std::mutex lock_;
    std::condition_variable handed_in_;
    std::condition_variable done_;
    std::deque<Job*> jobs_;
    bool started_ = false;
    bool over_ = false;
    std::vector<std::thread> threads_;
};

}  // namespace bitfusion::client
