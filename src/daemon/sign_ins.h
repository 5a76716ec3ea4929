// SignIns: checks passwords beside the daemon's thread, since each check takes a tenth of a second, and not
// more often than attempts.h allows. The daemon's thread calls; one thread of its own checks.
#pragma once

#include <boost/asio/thread_pool.hpp>
#include <string>

#include "daemon/async.h"
#include "identity/attempts.h"
#include "identity/registry.h"

namespace bitfusion::daemon {

class SignIns {
  public:
    static constexpr int kMostWaiting = 8;

    explicit SignIns(identity::Registry* registry) : registry_(registry), thread_(1) {}
    ~SignIns() { thread_.join(); }
    SignIns(const SignIns&) = delete;
    SignIns& operator=(const SignIns&) = delete;

    // 401 wrong, 429 too many tries: then `retry_after` is how many seconds to wait.
    Task<Result<identity::SignedIn>> check(std::string name, std::string password, std::string address,
                                           std::time_t* retry_after);

  private:
    identity::Registry* registry_;  // null: there are no people
    identity::Attempts attempts_;
    asio::thread_pool thread_;
    int waiting_ = 0;
};

}  // namespace bitfusion::daemon
