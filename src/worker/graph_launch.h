// Graph launches that touch the client: data that copies of the graph bring for the client leave when it has
// run, and before that at each host function and event that comes after them (docs/life-of-a-call.md, "A
// graph").
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "cuda_types.gen.h"

namespace bitfusion::worker {

class Session;
struct HostMemory;

// One launch under way.
struct GraphRun {
    struct Output {
        uint64_t ticket;
        std::shared_ptr<HostMemory> memory;
        bool sent = false;
    };
    struct Function {
        uint64_t ticket;
        std::vector<uint64_t> before;
        uint64_t passed = 0;
    };
    uint64_t launch = 0;
    CUevent done = nullptr;  // recorded behind the launch; gone when it is over
    bool over = false;
    std::vector<Output> outputs;
    std::vector<Function> functions;
};

class GraphRuns {
  public:
    explicit GraphRuns(Session* session) : s_(*session) {}
    void add(const std::shared_ptr<GraphRun>& run);
    // A graph has come to this host function: the data that are there by now leave.
    void before_function(uint64_t ticket);
    // The same for an event of this run.
    void send(GraphRun& run, const std::vector<uint64_t>& tickets);
    void finish(GraphRun& run);

  private:
    void send(GraphRun::Output& output);

    Session& s_;
    std::vector<std::shared_ptr<GraphRun>> runs_;  // in the order of their launches
};

}  // namespace bitfusion::worker
