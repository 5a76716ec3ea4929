// Entry: what every exported function of the stand-in driver does before its own work. Generated code
// includes it.
#pragma once

#include <exception>
#include <new>

#include "argument_printer.gen.h"
#include "base/log.h"
#include "client/session.h"
#include "client/stats.h"
#include "client/stream.h"
#include "cuda_types.gen.h"

namespace bitfusion::client {

// CUDA_ERROR_NOT_SUPPORTED; logged once per function with its name and the reason.
CUresult not_served(const char* symbol, const char* why);

// Logged at debug as "entry": which call of the program got which error.
CUresult failed(const char* symbol, CUresult result);

// No exception may leave an exported function.
CUresult caught(const char* symbol) noexcept;

// Counts one entry: whether it was answered without any message shows at its end.
class Counted {
  public:
    Counted() : counting_(Stats::enabled()) {
        if (counting_) {
            stats().entered();
            before_ = Stats::messages_of_this_thread;
        }
    }
    ~Counted() {
        if (counting_ && before_ == Stats::messages_of_this_thread) stats().answered_locally();
    }
    Counted(const Counted&) = delete;
    Counted& operator=(const Counted&) = delete;

  private:
    bool counting_;
    uint64_t before_ = 0;
};

inline bool tracing() {
    static const bool on = log::enabled("entry", log::Level::kTrace);
    return on;
}

}  // namespace bitfusion::client

#define BF_ENTRY(symbol, needs_session, ...)                                                        \
    const ::bitfusion::client::Counted counted;                                                     \
    if (::bitfusion::client::tracing()) {                                                           \
        char arguments[512] = "";                                                                   \
        ::bitfusion::client::print_arguments_##symbol(arguments,                                    \
                                                      sizeof arguments __VA_OPT__(, ) __VA_ARGS__); \
        BF_LOG("entry", kTrace, "%s %s", #symbol, arguments);                                       \
    }                                                                                               \
    if (needs_session && ::bitfusion::client::session() == nullptr) return CUDA_ERROR_NOT_INITIALIZED
