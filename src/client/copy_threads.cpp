#include "client/copy_threads.h"

#include <sched.h>

#include <algorithm>
#include <cstring>
#include <system_error>

#include "client/signals_blocked.h"

namespace bitfusion::client {

size_t usable_cores() {
    cpu_set_t cores;
    return sched_getaffinity(0, sizeof cores, &cores) == 0 ? static_cast<size_t>(CPU_COUNT(&cores)) : 1;
}

size_t CopyThreads::usual() { return std::min<size_t>(usable_cores() / 4, 4); }

void CopyThreads::copy(Job* job) {
    {
        const std::lock_guard<std::mutex> lock(lock_);
        if (!started_ && !over_) start();
        if (!threads_.empty() && !over_) {
            job->done = false;
            jobs_.push_back(job);
            handed_in_.notify_one();
            return;
        }
    }
    finish(job);
}

void CopyThreads::finish(Job* job) {
    carry_out(*job);
    if (job->copied != nullptr) job->copied(job);
}

void CopyThreads::carry_out(const Job& job) { memcpy(job.target, job.source, job.bytes); }

void CopyThreads::wait(const Job& job) {
    std::unique_lock<std::mutex> lock(lock_);
    done_.wait(lock, [&] { return job.done; });
}

void CopyThreads::start() {
    started_ = true;
    const SignalsBlocked quiet;
    try {
        for (size_t i = 0; i < count_; ++i) threads_.emplace_back([this] { run(); });
    } catch (const std::system_error&) {
        // No more threads for this process: those that there are will do.
    }
}

void CopyThreads::run() {
    // Except for these: a program may serve the faults of its own memory, which we read and write here.
    sigset_t faults;
    sigemptyset(&faults);
    sigaddset(&faults, SIGSEGV);
    sigaddset(&faults, SIGBUS);
    pthread_sigmask(SIG_UNBLOCK, &faults, nullptr);
    std::unique_lock<std::mutex> lock(lock_);
    while (true) {
        handed_in_.wait(lock, [this] { return over_ || !jobs_.empty(); });
        if (jobs_.empty()) return;
        Job* const job = jobs_.front();
        jobs_.pop_front();
        lock.unlock();
        finish(job);
        lock.lock();
        job->done = true;
        done_.notify_all();
    }
}

void CopyThreads::end() {
    {
        const std::lock_guard<std::mutex> lock(lock_);
        over_ = true;
        handed_in_.notify_all();
    }
    for (std::thread& thread : threads_)
        if (thread.joinable()) thread.join();
}

}  // namespace bitfusion::client
