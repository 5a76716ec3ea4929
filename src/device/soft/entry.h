// Entry: what every function of the table does before its own work.
//
// The order of checks is CUDA's: not initialised, then no or a dead context, then the context's sticky error,
// then the arguments. No exception leaves a function of the table.
#pragma once

#include <new>

#include "cuda_api.gen.h"
#include "device/soft/context.h"
#include "device/soft/driver.h"

namespace bitfusion::soft {

// The current context; INVALID_CONTEXT without one, CONTEXT_IS_DESTROYED when it is gone. Does not look at
// the sticky error.
CUresult current_context(ContextPtr* context);

// The context that a handle names; null means the current one.
CUresult context_of(CUcontext handle, ContextPtr* context);

CUresult report_exception() noexcept;

// A function that needs nothing.
template <typename Body>
CUresult entry(Body&& body) noexcept {
    try {
        return body();
    } catch (...) {
        return report_exception();
    }
}

// A function that needs cuInit.
template <typename Body>
CUresult entry_initialized(Body&& body) noexcept {
    if (!driver().initialized.load(std::memory_order_acquire)) return CUDA_ERROR_NOT_INITIALIZED;
    return entry(body);
}

// A function that needs a current context without a sticky error: body(const ContextPtr&).
template <typename Body>
CUresult entry_in_context(Body&& body) noexcept {
    return entry_initialized([&]() -> CUresult {
        ContextPtr context;
        CUresult result = current_context(&context);
        if (result == CUDA_SUCCESS) result = context->fault();
        if (result != CUDA_SUCCESS) return result;
        return body(static_cast<const ContextPtr&>(context));
    });
}

// A function on a stream: body(const ContextPtr&, const StreamPtr&), with the stream's own context.
template <typename Body>
CUresult entry_on_stream(CUstream handle, Body&& body) noexcept {
    return entry_in_context([&](const ContextPtr& current) -> CUresult {
        StreamPtr stream;
        ContextPtr owner;
        CUresult result = find_stream(current, handle, &stream, &owner);
        if (result == CUDA_SUCCESS) result = owner->fault();
        if (result != CUDA_SUCCESS) return result;
        return body(static_cast<const ContextPtr&>(owner), static_cast<const StreamPtr&>(stream));
    });
}

}  // namespace bitfusion::soft

// Puts a function into its place in the table; both have the name of the driver's symbol.
#define BF_SERVE(name) table->name = name
