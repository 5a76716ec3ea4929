// Async: the daemon's way of waiting. The daemon is one thread: everything runs on one io_context, so nothing
// in this room takes a lock; a coroutine owns what it awaits with and shares only with others of the same
// thread.
#pragma once

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>

namespace bitfusion::daemon {

namespace asio = boost::asio;

template <typename T>
using Task = asio::awaitable<T>;

// co_await of an operation gives (error_code, ...) instead of throwing.
inline constexpr auto kNoThrow = asio::as_tuple(asio::use_awaitable);

using Clock = std::chrono::steady_clock;

// Wakes every coroutine that waits. Waiters check their condition themselves, before and after.
class Bell {
  public:
    explicit Bell(asio::io_context& io) : timer_(io, Clock::time_point::max()) {}
    void ring() { timer_.cancel(); }
    Task<void> wait() { co_await timer_.async_wait(kNoThrow); }

  private:
    asio::steady_timer timer_;
};

}  // namespace bitfusion::daemon
