// SignalsBlocked: while it lives, the calling thread and the threads that it starts block every signal. The
// program's signal handlers must never run on our threads: they may call us, and wait for what the thread
// under them is to do.
#pragma once

#include <csignal>

namespace bitfusion::client {

class SignalsBlocked {
  public:
    SignalsBlocked() {
        sigset_t all;
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before_);
    }
    ~SignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
    SignalsBlocked(const SignalsBlocked&) = delete;
    SignalsBlocked& operator=(const SignalsBlocked&) = delete;

  private:
    sigset_t before_;
};

}  // namespace bitfusion::client
