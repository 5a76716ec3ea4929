// Result<T>: what every fallible function inside bitfusion returns. CUresult exists only at the edge.
//
// An Error says what is wrong and what to do next in one sentence each; the function that first decides
// that something is wrong writes the text and logs it, callers that pass it on do neither.
// Value types without shared state: any thread may own one.
#pragma once

#include <string>
#include <tl/expected.hpp>
#include <utility>

namespace bitfusion {

struct Error {
    std::string what;  // "cannot reach server 10.0.0.7:56001: connection refused; check that it runs: ..."
    int code = 0;      // errno, HTTP status or CUresult where one exists; 0 otherwise
};

template <typename T>
using Result = tl::expected<T, Error>;

using Status = Result<void>;

inline tl::unexpected<Error> fail(std::string what, int code = 0) {
    return tl::unexpected<Error>(Error{std::move(what), code});
}

}  // namespace bitfusion
