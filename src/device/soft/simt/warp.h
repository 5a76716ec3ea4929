// Warp: 32 threads that one interpreter loop drives, and the block they belong to.
//
// The threads of a warp stand in groups: all threads of a group have the same program counter and call frame.
// A warp begins with one group; a divergent branch splits it, groups that meet at one instruction merge. The
// scheduler runs the group that is deepest in calls and furthest back, and lets a starving group have a turn
// now and then, so threads that wait for each other make progress.
//
// Owner: Block owns its warps, run() owns blocks. A block and all in it belong to one OS thread at a time.
// Units: program counters count instructions, addresses bytes. Errors: fault() stops the whole grid.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "device/soft/ptx/code.h"
#include "device/soft/simt/grid.h"

namespace bitfusion::soft {

inline constexpr uint32_t kAllLanes = 0xffff'ffff;
inline constexpr uint32_t kNoGroup = UINT32_MAX;
inline constexpr unsigned kBarriers = 16;        // that programs name
inline constexpr unsigned kClusterBarrier = 16;  // barrier.cluster's own
inline constexpr unsigned kAllBarriers = 17;

struct Block;

// One launch in progress; shared by all threads that run its blocks.
struct GridState {
    const LaunchRequest& request;
    const Program& program;
    const Code& code;
    const Kernel& kernel;
    const Function& entry;
    const std::byte* bank = nullptr;
    std::vector<std::byte> parameters;
    uint32_t shared_bytes = 0;
    uint32_t dynamic_shared_base = 0;
    uint32_t stack_bytes = 0;  // per thread
    // What cooperative groups find through %envreg1 (high half of its address) and %envreg2: its size, then
    // the word that grid.sync() counts in. Null in other launches.
    alignas(64) std::array<uint32_t, 16> workspace{};
    uint64_t workspace_address() const {
        return request.cooperative ? reinterpret_cast<uint64_t>(workspace.data()) : 0;
    }

    std::atomic<bool> stop{false};
    std::atomic<uint64_t> instructions{0};
    std::mutex fault_mutex;
    Fault fault;
    std::mutex print_mutex;

    GridState(const LaunchRequest& launch, const Function& function);
    std::chrono::steady_clock::time_point deadline = std::chrono::steady_clock::time_point::max();
    std::atomic<uint64_t> frame_bytes{0};  // registers of calls, which Frame accounts for

    bool late() const {
        return deadline != std::chrono::steady_clock::time_point::max() &&
               std::chrono::steady_clock::now() > deadline;
    }
    bool stopped() const {
        return stop.load(std::memory_order_relaxed) ||
               (request.cancel != nullptr && request.cancel->load(std::memory_order_relaxed));
    }
    void report(Fault what);
};

struct Frame {
    Frame() = default;
    ~Frame() {
        if (account != nullptr) account->fetch_sub(storage_bytes, std::memory_order_relaxed);
    }
    Frame(const Frame&) = delete;
    Frame& operator=(const Frame&) = delete;

    std::atomic<uint64_t>* account = nullptr;  // that storage_bytes was added to
    const Function* function = nullptr;
    Frame* parent = nullptr;
    uint32_t return_pc = 0;
    uint32_t call_site = 0;
    uint32_t depth = 0;
    uint32_t lanes = 0;  // still in this call
    uint64_t local_base = 0;
    std::unique_ptr<std::byte[]> storage;
    size_t storage_bytes = 0;
    std::byte* registers =
        nullptr;  // aligned to 64; in storage, or in Block::registers for the kernel itself
};

struct Group {
    enum class State : uint8_t {
        kRunnable,
        kBarrier,   // at a block barrier: waits for other warps or groups
        kConverge,  // at a warp-wide instruction: waits for the other lanes it names
    };
    uint32_t mask = 0;
    uint32_t pc = 0;
    Frame* frame = nullptr;
    State state = State::kRunnable;
    uint8_t barrier = 0;
    uint32_t wants = 0;     // kConverge: lanes it waits for
    uint64_t last_run = 0;  // Warp::steps when it last had a turn
};

struct Warp {
    // read by every instruction
    const std::byte* base[2] = {};  // registers of the current frame, constant bank
    std::byte* registers = nullptr;
    uint32_t pc = 0;
    uint32_t active = 0;
    uint32_t limit = 0;  // a program counter at or beyond this asks the scheduler
    const uint32_t* operands = nullptr;
    Block* block = nullptr;
    GridState* grid = nullptr;
    Window window;  // the window used last

    std::byte* shared = nullptr;
    uint32_t shared_bytes = 0;
    std::byte* local = nullptr;  // lane i's stack begins at local + i * stack_bytes
    uint32_t stack_bytes = 0;

    uint32_t live = 0;  // lanes that have not exited
    uint32_t first_live = 0;
    uint32_t number = 0;
    bool force = false;  // run a warp-wide instruction although lanes are missing
    std::array<uint32_t, 32> tid_x{}, tid_y{}, tid_z{};
    std::array<uint32_t, 32> stack_top{};  // alloca: bytes in use at the end of the stack

    uint32_t current = kNoGroup;
    uint32_t group_count = 0;
    std::array<Group, 32> groups{};
    std::array<uint32_t, kAllBarriers> at_barrier{};
    uint64_t steps = 0;       // instructions issued, with extra weight for waiting loops
    uint64_t budget_end = 0;  // steps at which the slice is over
    uint64_t turn_end = 0;    // a starving group keeps its turn until then
    uint32_t turn_lanes = 0;  // the group that has it
    uint64_t weight = 0;      // the part of steps that are no instructions
    uint64_t counted = 0;     // instructions (steps - weight) when they were last added up
    uint64_t thread_instructions = 0;

    std::vector<std::unique_ptr<Frame>> frames;
    std::vector<std::unique_ptr<Frame>> spare_frames;

    Group& group() { return groups[current]; }
    Frame& frame() { return *groups[current].frame; }
    // Asks the scheduler to look at the warp after this instruction.
    void attention() { limit = 0; }
    void fault(FaultKind kind, unsigned lane, uint64_t address, std::string message = {});
    // The instruction is part of waiting for another thread: makes the others' turn come sooner.
    void waits(uint32_t extra = 256) {
        steps += extra;
        weight += extra;
    }
};

struct NamedBarrier {
    uint32_t expected = 0;  // threads; 0: all of the block
    uint32_t passing = 0;   // threads of bar.arrive, which do not wait
    uint32_t count_true = 0;
    bool all_true = true;
    bool any_true = false;
};

struct Block {
    GridState& grid;
    Dim3 index;
    uint64_t number = 0;
    uint32_t threads = 0;
    uint32_t finished_warps = 0;
    std::vector<uint64_t> shared;
    std::unique_ptr<std::byte[]> local;
    std::unique_ptr<std::byte[]> registers;
    std::vector<Warp> warps;
    std::array<NamedBarrier, kAllBarriers> barriers{};

    explicit Block(GridState& state);  // may throw std::bad_alloc
    // Sets everything up for the block with this linear index; also after another block has finished here.
    void begin(uint64_t linear_index);
    enum class Progress : uint8_t { kFinished, kAgain, kStopped };
    // Runs every warp for about `slice` instructions.
    Progress run(uint64_t slice);
};

// schedule.cpp: groups of a warp.
// Chooses the group to run next and makes it current. False: nothing to do now (all wait, or all have
// exited).
bool choose_group(Warp& warp);
// Puts the current group's program counter away; none is current after it.
void park_group(Warp& warp);
// Splits `mask` off the current group to continue at `pc`. The rest continues where it is.
void split_group(Warp& warp, uint32_t mask, uint32_t pc);
// Ends the lanes of `mask` of the current group.
void exit_lanes(Warp& warp, uint32_t mask);
// Waits until the lanes of `wanted` have come to this instruction; true: go on, they are here. False: the
// handler must return at once, the instruction will be run again.
bool converged(Warp& warp, uint32_t wanted);
// Makes `frame` the current group's.
void enter_frame(Warp& warp, Frame* frame);
// Null when the thread's stack is used up.
Frame* new_frame(Warp& warp, const Function& function, Frame* parent, uint32_t lanes, uint64_t local_base);
void leave_frame(Warp& warp, Frame* frame, uint32_t lanes);

// barrier.cpp
// The current group's lanes in `mask` arrive at barrier `id` and wait. `expected` 0: all threads of the
// block.
void wait_at_barrier(Warp& warp, uint32_t mask, uint32_t id, uint32_t expected);
void pass_barrier(Warp& warp, uint32_t mask, uint32_t id, uint32_t expected);
// Threads have exited or arrived: opens what is complete.
void open_barriers(Block& block, uint32_t which);
// execute_barrier.cpp: the result of bar.red for a group that it lets go.
void write_reduction(Warp& warp, const Group& group, const NamedBarrier& barrier);

// interpreter.cpp: runs the warp until its slice is over or nothing can go on.
void run_warp(Warp& warp, uint64_t slice);

}  // namespace bitfusion::soft
