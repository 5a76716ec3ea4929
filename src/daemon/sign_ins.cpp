#include "daemon/sign_ins.h"

#include <optional>

#include "base/log.h"
#include "daemon/dispatcher.h"

namespace bitfusion::daemon {

Task<Result<identity::SignedIn>> SignIns::check(std::string name, std::string password, std::string address,
                                                std::time_t* retry_after) {
    *retry_after = 1;
    if (registry_ == nullptr)
        co_return fail("this server is insecure: it knows no people; see: bitfusion help init", 404);
    if (waiting_ >= kMostWaiting) co_return fail("too many sign-ins at a time; try again in a second", 429);
    const std::time_t now = time(nullptr);
    const std::string shown = harmless(name, 32);
    if (const std::time_t wait = attempts_.begin(shown, address, now); wait > 0) {
        *retry_after = wait;
        co_return fail("too many wrong passwords; try again in " + std::to_string(wait) + " seconds", 429);
    }
    ++waiting_;
    std::optional<Result<identity::SignedIn>> answer;
    co_await asio::co_spawn(
        thread_,
        [&]() -> Task<void> {
            answer.emplace(registry_->log_in(name, password, now));
            co_return;
        },
        kNoThrow);
    --waiting_;
    if (!answer) co_return fail("the manager is shutting down; try again when it runs", 503);
    if (*answer)
        attempts_.succeeded(shown, address);
    else
        BF_LOG("daemon", kWarn, "sign-in as %s from %s refused", shown.c_str(), address.c_str());
    co_return std::move(*answer);
}

}  // namespace bitfusion::daemon
