#include "device/soft/scheduler.h"

#include <chrono>
#include <system_error>

#include "base/log.h"
#include "device/soft/context.h"

namespace bitfusion::soft {
namespace {

constexpr auto kPollEvery = std::chrono::microseconds(50);

void run_body(Task& task) {
    if (!task.body) return;
    if (task.context != nullptr && task.context->fault() != CUDA_SUCCESS && !task.runs_on_fault) return;
    try {
        task.body();
    } catch (const std::exception& thrown) {
        BF_LOG("soft", kError, "a task failed on the host: %s", thrown.what());
        if (task.context != nullptr) task.context->set_fault(CUDA_ERROR_UNKNOWN);
    }
}

}  // namespace

void Scheduler::submit_locked(const TaskPtr& task, std::span<const TaskPtr> after) {
    for (const TaskPtr& before : after) {
        if (before == nullptr || before == task || before->done()) continue;
        before->successors.push_back(task);
        ++task->waits;
    }
    if (task->waits == 0) make_ready(task);
}

void Scheduler::make_ready(const TaskPtr& task) {
    if (ending_) return;
    task->state = Task::State::kReady;
    switch (task->lane) {
        case Lane::kInline:
            run_body(*task);
            finish(task);
            return;
        case Lane::kPool:
            ready_[task->priority].push_back(task);
            ++ready_count_;
            ensure_thread();
            work_.notify_one();
            // A waiter may want to run it itself.
            over_.notify_all();
            return;
        case Lane::kHost:
            host_ready_.push_back(task);
            if (!host_thread_.joinable()) host_thread_ = std::thread([this] { host_loop(); });
            host_work_.notify_one();
            return;
        case Lane::kPoll:
            polled_.push_back(task);
            if (!poll_thread_.joinable()) poll_thread_ = std::thread([this] { poll_loop(); });
            poll_work_.notify_one();
            return;
    }
}

// Marks end inside make_ready of their predecessor's end: a list instead of recursion keeps long chains of
// marks from using up the stack.
void Scheduler::finish(TaskPtr task) {
    finished_marks_.push_back(std::move(task));
    if (finishing_) return;
    finishing_ = true;
    while (!finished_marks_.empty()) {
        const TaskPtr next = std::move(finished_marks_.back());
        finished_marks_.pop_back();
        next->state = Task::State::kDone;
        next->body = nullptr;
        next->ready = nullptr;
        next->context = nullptr;
        next->over.store(true, std::memory_order_release);
        const std::vector<TaskPtr> successors = std::move(next->successors);
        next->successors.clear();
        for (const TaskPtr& successor : successors) {
            if (--successor->waits == 0) make_ready(successor);
        }
    }
    finishing_ = false;
    over_.notify_all();
}

void Scheduler::run(const TaskPtr& task, std::unique_lock<std::mutex>& lock) {
    task->state = Task::State::kRunning;
    lock.unlock();
    run_body(*task);
    // What the body holds may end with it, and its end may need this lock.
    task->body = nullptr;
    lock.lock();
    finish(task);
}

void Scheduler::ensure_thread() {
    if (idle_ >= ready_count_ || threads_.size() >= kMostThreads) return;
    try {
        threads_.emplace_back([this] { pool_loop(); });
    } catch (const std::system_error& thrown) {
        if (threads_.empty()) throw;
        BF_LOG("soft", kDebug, "no further pool thread: %s", thrown.what());
    }
}

void Scheduler::pool_loop() {
    std::unique_lock lock(mutex_);
    while (true) {
        ++idle_;
        work_.wait(lock, [this] { return ready_count_ != 0 || ending_; });
        --idle_;
        if (ending_) return;
        const auto queue = ready_.begin();
        const TaskPtr task = std::move(queue->second.front());
        queue->second.pop_front();
        if (queue->second.empty()) ready_.erase(queue);
        --ready_count_;
        if (task->state == Task::State::kReady) run(task, lock);
    }
}

void Scheduler::host_loop() {
    std::unique_lock lock(mutex_);
    while (true) {
        host_work_.wait(lock, [this] { return !host_ready_.empty() || ending_; });
        if (ending_) return;
        const TaskPtr task = std::move(host_ready_.front());
        host_ready_.pop_front();
        run(task, lock);
    }
}

void Scheduler::poll_loop() {
    std::unique_lock lock(mutex_);
    while (true) {
        if (polled_.empty() && !ending_)
            poll_work_.wait(lock);
        else
            poll_work_.wait_for(lock, kPollEvery);
        if (ending_) return;
        std::vector<TaskPtr> waiting;
        waiting.swap(polled_);
        for (const TaskPtr& task : waiting) {
            const bool faulted = task->context != nullptr && task->context->fault() != CUDA_SUCCESS;
            if (!faulted && !task->ready()) {
                polled_.push_back(task);
                continue;
            }
            run_body(*task);
            finish(task);
        }
    }
}

void Scheduler::end() {
    std::vector<std::thread> threads;
    {
        const std::lock_guard lock(mutex_);
        ending_ = true;
        threads.swap(threads_);
        if (host_thread_.joinable()) threads.push_back(std::move(host_thread_));
        if (poll_thread_.joinable()) threads.push_back(std::move(poll_thread_));
        work_.notify_all();
        host_work_.notify_all();
        poll_work_.notify_all();
    }
    for (std::thread& thread : threads) thread.join();
    ready_.clear();
    host_ready_.clear();
    polled_.clear();
}

void Scheduler::wait(std::span<const TaskPtr> tasks) {
    for (const TaskPtr& task : tasks) {
        if (task == nullptr || task->done()) continue;
        std::unique_lock lock(mutex_);
        while (!task->done()) {
            if (task->state == Task::State::kReady && task->lane == Lane::kPool)
                run(task, lock);
            else
                over_.wait(lock);
        }
    }
}

}  // namespace bitfusion::soft
