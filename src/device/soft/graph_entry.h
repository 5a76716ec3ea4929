// What the entries about graphs have in common: finding graphs and nodes under the graph lock.
#pragma once

#include "device/soft/entry.h"
#include "device/soft/graph.h"

namespace bitfusion::soft {

// body(const GraphPtr&), with the graph lock held.
template <typename Body>
CUresult entry_on_graph(CUgraph handle, Body&& body) noexcept {
    return entry_initialized([&]() -> CUresult {
        const std::lock_guard lock(driver().graph_mutex);
        const GraphPtr graph = driver().graphs.find(handle);
        return graph == nullptr ? CUDA_ERROR_INVALID_VALUE : body(graph);
    });
}

template <typename Body>
CUresult entry_on_node(CUgraphNode handle, Body&& body) noexcept {
    return entry_initialized([&]() -> CUresult {
        const std::lock_guard lock(driver().graph_mutex);
        const GraphNodePtr node = driver().nodes.find(handle);
        return node == nullptr || node->graph == nullptr ? CUDA_ERROR_INVALID_VALUE : body(*node);
    });
}

template <typename Body>
CUresult entry_on_exec(CUgraphExec handle, Body&& body) noexcept {
    return entry_initialized([&]() -> CUresult {
        const std::lock_guard lock(driver().graph_mutex);
        const GraphExecPtr exec = driver().graph_execs.find(handle);
        return exec == nullptr ? CUDA_ERROR_INVALID_VALUE : body(*exec);
    });
}

// The two-call pattern of the list functions: a null array asks for the number; else up to *count entries are
// written, what is left over is zeroed, and *count becomes the number written.
template <typename Handle>
CUresult write_list(const std::vector<Handle>& list, Handle* out, size_t* count) {
    if (count == nullptr) return CUDA_ERROR_INVALID_VALUE;
    if (out == nullptr) {
        *count = list.size();
        return CUDA_SUCCESS;
    }
    for (size_t i = 0; i < *count; ++i) out[i] = i < list.size() ? list[i] : Handle{};
    if (*count > list.size()) *count = list.size();
    return CUDA_SUCCESS;
}

}  // namespace bitfusion::soft
