// Scheduler: runs tasks in the order that their graph allows.
//
// One lock guards all tasks, the tails of streams and the records of events: submitting is short, and
// correctness is worth more than the last microsecond of a software GPU. Pool threads are made when a task is
// ready and no thread is idle, up to kMostThreads (a kernel may spin until another stream's work lets it go,
// so a fixed small pool could deadlock). A thread that waits for a ready task runs it itself. Owner: the
// Driver. The threads live until end(), or as long as the process.
#pragma once

#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <span>
#include <thread>

#include "device/soft/task.h"

namespace bitfusion::soft {

class Scheduler {
  public:
    static constexpr size_t kMostThreads = 160;  // more than the 128 grids that a GPU keeps resident

    Scheduler() = default;
    Scheduler(const Scheduler&) = delete;
    Scheduler& operator=(const Scheduler&) = delete;

    std::mutex& mutex() { return mutex_; }

    // Hands the task over; it starts after every one of `after` (nulls and finished tasks are skipped). The
    // caller holds mutex().
    void submit_locked(const TaskPtr& task, std::span<const TaskPtr> after);

    // Returns when every one of the tasks is over. The caller does not hold mutex().
    void wait(std::span<const TaskPtr> tasks);
    void wait(const TaskPtr& task) { wait(std::span(&task, 1)); }

    // Waits for what the threads run and ends them. What has not begun never will. Nothing may wait here
    // then.
    void end();

  private:
    void make_ready(const TaskPtr& task);
    void finish(TaskPtr task);
    void run(const TaskPtr& task, std::unique_lock<std::mutex>& lock);
    void ensure_thread();
    void pool_loop();
    void host_loop();
    void poll_loop();

    std::mutex mutex_;
    std::condition_variable work_;
    std::condition_variable host_work_;
    std::condition_variable poll_work_;
    std::condition_variable over_;
    std::map<int, std::deque<TaskPtr>> ready_;
    size_t ready_count_ = 0;
    std::deque<TaskPtr> host_ready_;
    std::vector<TaskPtr> polled_;
    std::vector<TaskPtr> finished_marks_;
    bool finishing_ = false;
    bool ending_ = false;
    size_t idle_ = 0;
    std::vector<std::thread> threads_;
    std::thread host_thread_;
    std::thread poll_thread_;
};

}  // namespace bitfusion::soft
