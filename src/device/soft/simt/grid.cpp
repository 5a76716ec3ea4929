#include "device/soft/simt/grid.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <mutex>
#include <new>
#include <thread>
#include <vector>

#include "base/log.h"
#include "device/soft/simt/lanes.h"
#include "device/soft/simt/warp.h"

namespace bitfusion::soft {

namespace {

// A block that ran this long is set aside for others. Blocks of cooperative grids wait for each other all the
// time.
constexpr uint64_t kSlice = 4'000'000;
constexpr uint64_t kCooperativeSlice = 200'000;
constexpr uint64_t kMostResident = 64;
// Host memory that the blocks of a grid may take together, where one alone does not need more.
constexpr uint64_t kMostResidentBytes = uint64_t{2} << 30;
constexpr uint64_t kMostCooperativeBytes = uint64_t{8} << 30;

uint64_t bytes_of_block(const GridState& grid) {
    const uint64_t warps = (grid.request.block.count() + kWarpSize - 1) / kWarpSize;
    return grid.shared_bytes +
           warps * (uint64_t{grid.stack_bytes} * kWarpSize + grid.entry.register_bytes + sizeof(Warp));
}

}  // namespace

// One run() in progress: hands blocks to the threads that work on it.
class GridJob {
  public:
    explicit GridJob(GridState& grid)
        : grid_(grid),
          total_(grid.request.grid.count()),
          most_alive_(
              grid.request.cooperative
                  ? total_
                  : std::clamp<uint64_t>(kMostResidentBytes / bytes_of_block(grid), 1, kMostResident)) {}

    bool has_work() {
        const std::lock_guard lock(mutex_);
        return !grid_.stopped() && ((next_ < total_ && alive_ < most_alive_) || !waiting_.empty());
    }

    // Runs blocks until none is left to take.
    void work() {
        try {
            while (std::unique_ptr<Block> block = take()) {
                const auto progress = block->run(grid_.request.cooperative ? kCooperativeSlice : kSlice);
                give_back(std::move(block), progress);
            }
        } catch (const std::bad_alloc&) {
            Fault fault;
            fault.kind = FaultKind::kOutOfResources;
            fault.kernel = grid_.kernel.name;
            fault.message = "no host memory for the blocks of the grid; free memory or launch smaller blocks";
            grid_.report(std::move(fault));
        }
    }

  private:
    std::unique_ptr<Block> take() {
        std::unique_ptr<Block> block;
        uint64_t number = 0;
        {
            const std::lock_guard lock(mutex_);
            if (grid_.stopped()) return nullptr;
            if (next_ < total_ && alive_ < most_alive_) {
                number = next_++;
                ++alive_;
                if (!finished_.empty()) {
                    block = std::move(finished_.back());
                    finished_.pop_back();
                }
            } else if (!waiting_.empty()) {
                block = std::move(waiting_.front());
                waiting_.pop_front();
                return block;
            } else {
                return nullptr;
            }
        }
        if (block == nullptr) block = std::make_unique<Block>(grid_);
        block->begin(number);
        return block;
    }

    void give_back(std::unique_ptr<Block> block, Block::Progress progress) {
        uint64_t count = 0;
        for (Warp& warp : block->warps) count += std::exchange(warp.thread_instructions, 0);
        grid_.instructions.fetch_add(count, std::memory_order_relaxed);
        const std::lock_guard lock(mutex_);
        if (progress == Block::Progress::kAgain)
            waiting_.push_back(std::move(block));
        else if (progress == Block::Progress::kFinished) {
            finished_.push_back(std::move(block));
            --alive_;
        }
    }

    GridState& grid_;
    const uint64_t total_;
    const uint64_t most_alive_;  // blocks that have begun and have not ended
    std::mutex mutex_;
    uint64_t alive_ = 0;
    uint64_t next_ = 0;
    std::deque<std::unique_ptr<Block>> waiting_;
    std::vector<std::unique_ptr<Block>> finished_;  // their memory serves further blocks
};

struct BlockPool::State {
    struct Entry {
        GridJob* job = nullptr;
        unsigned helpers = 0;
    };
    std::mutex mutex;
    std::condition_variable wake;     // helpers: there may be work
    std::condition_variable settled;  // run(): a helper has left a job
    std::vector<std::shared_ptr<Entry>> entries;
    size_t turn = 0;
    bool ending = false;
    std::vector<std::thread> threads;

    std::shared_ptr<Entry> find_work() {
        for (size_t i = 0; i < entries.size(); ++i) {
            const auto& entry = entries[(turn + i) % entries.size()];
            if (entry->job->has_work()) {
                turn = (turn + i + 1) % entries.size();
                return entry;
            }
        }
        return nullptr;
    }

    void help() {
        std::unique_lock lock(mutex);
        while (!ending) {
            const std::shared_ptr<Entry> entry = find_work();
            if (entry == nullptr) {
                wake.wait(lock);
                continue;
            }
            ++entry->helpers;
            lock.unlock();
            entry->job->work();
            lock.lock();
            if (--entry->helpers == 0) settled.notify_all();
        }
    }

    void run(GridJob& job) {
        const auto entry = std::make_shared<Entry>();
        entry->job = &job;
        {
            const std::lock_guard lock(mutex);
            entries.push_back(entry);
        }
        wake.notify_all();
        job.work();
        std::unique_lock lock(mutex);
        std::erase(entries, entry);
        settled.wait(lock, [&] { return entry->helpers == 0; });
    }
};

BlockPool::BlockPool(unsigned threads) : state_(std::make_unique<State>()) {
    for (unsigned i = 0; i < threads; ++i) state_->threads.emplace_back([this] { state_->help(); });
}

BlockPool::~BlockPool() {
    {
        const std::lock_guard lock(state_->mutex);
        state_->ending = true;
    }
    state_->wake.notify_all();
    for (std::thread& thread : state_->threads) thread.join();
}

GridState::GridState(const LaunchRequest& launch, const Function& function)
    : request(launch),
      program(*launch.program->program()),
      code(program.code()),
      kernel(program.kernels()[launch.kernel]),
      entry(function),
      bank(launch.program->constant_bank()) {
    parameters.assign(launch.parameters.begin(), launch.parameters.begin() + kernel.parameter_bytes);
    dynamic_shared_base = (entry.static_shared_bytes + 127) / 128 * 128;
    if (launch.dynamic_shared_bytes == 0 && !kernel.uses_dynamic_shared)
        dynamic_shared_base = entry.static_shared_bytes;
    shared_bytes = dynamic_shared_base + launch.dynamic_shared_bytes;
    if (code.uses_reserved_shared) shared_bytes = (shared_bytes + 15) / 16 * 16 + kReservedSharedBytes;
    workspace[0] = sizeof workspace;
    if (launch.time_limit.count() > 0) deadline = std::chrono::steady_clock::now() + launch.time_limit;
    stack_bytes = (entry.stack_bytes + launch.stack_bytes + 15) / 16 * 16;
}

void GridState::report(Fault what) {
    const std::lock_guard lock(fault_mutex);
    if (fault.kind == FaultKind::kNone) {
        BF_LOG("device", kDebug, "kernel %s: %s: %s", what.kernel.c_str(), to_string(what.kind),
               what.message.c_str());
        fault = std::move(what);
    }
    stop.store(true, std::memory_order_relaxed);
}

void Warp::fault(FaultKind kind, unsigned lane, uint64_t address, std::string message) {
    attention();
    if (grid->stop.load(std::memory_order_relaxed)) return;
    Fault what;
    what.kind = kind;
    what.kernel = grid->kernel.name;
    what.block = block->index;
    what.thread = Dim3{tid_x[lane], tid_y[lane], tid_z[lane]};
    what.address = address;
    const uint32_t at = pc == 0 ? 0 : pc - 1;
    if (at < grid->code.origins.size()) {
        what.line = grid->code.origins[at].line;
        what.instruction = grid->code.texts[grid->code.origins[at].text];
    }
    if (message.empty()) {
        char text[96];
        std::snprintf(text, sizeof text, "%s at address 0x%llx", to_string(kind),
                      static_cast<unsigned long long>(address));
        message = text;
    }
    what.message = std::move(message);
    grid->report(std::move(what));
}

const char* to_string(FaultKind kind) {
    switch (kind) {
        case FaultKind::kNone:
            return "no fault";
        case FaultKind::kIllegalAddress:
            return "illegal address";
        case FaultKind::kMisalignedAddress:
            return "misaligned address";
        case FaultKind::kIllegalInstruction:
            return "illegal instruction";
        case FaultKind::kInvalidAddressSpace:
            return "invalid address space";
        case FaultKind::kInvalidPc:
            return "invalid program counter";
        case FaultKind::kStack:
            return "stack error";
        case FaultKind::kAssert:
            return "assertion failed";
        case FaultKind::kTrap:
            return "trap";
        case FaultKind::kTimeout:
            return "out of time";
        case FaultKind::kDeadlock:
            return "deadlock";
        case FaultKind::kCancelled:
            return "cancelled";
        case FaultKind::kInvalidLaunch:
            return "invalid launch";
        case FaultKind::kOutOfResources:
            return "out of resources";
    }
    return "unknown fault";
}

namespace {

// Empty: the request is sound.
std::string objection(const LaunchRequest& request) {
    if (request.program == nullptr) return "the launch names no program; load one first";
    const Program& program = *request.program->program();
    if (request.kernel >= program.kernels().size())
        return "the launch names no kernel of its program; look the kernel up";
    const Kernel& kernel = program.kernels()[request.kernel];
    const Dim3& grid = request.grid;
    const Dim3& block = request.block;
    if (grid.x == 0 || grid.y == 0 || grid.z == 0 || grid.x > INT32_MAX || grid.y > 65535 || grid.z > 65535)
        return "the grid's dimensions are out of range; launch 1..2147483647 x 1..65535 x 1..65535 blocks";
    if (block.x == 0 || block.y == 0 || block.z == 0 || block.x > kMaxThreadsPerBlock ||
        block.y > kMaxThreadsPerBlock || block.z > 64 || block.count() > kMaxThreadsPerBlock)
        return "the block's dimensions are out of range; launch at most 1024 threads a block";
    if (block.count() > kernel.max_threads_per_block)
        return "the block is larger than the kernel was compiled for; launch fewer threads";
    if (kernel.required_block[0] != 0 &&
        (kernel.required_block[0] != block.x || kernel.required_block[1] != block.y ||
         kernel.required_block[2] != block.z))
        return "the block has not the dimensions that the kernel requires; launch with those of .reqntid";
    if (request.cluster.count() != 1)
        return "clusters of blocks are not supported by the software GPU; launch without them";
    if (request.parameters.size() < kernel.parameter_bytes)
        return "the parameters are too short; pass all of the kernel's parameters";
    if (uint64_t{kernel.static_shared_bytes} + 128 + request.dynamic_shared_bytes >
        kMaxSharedBytesPerBlock + 128)
        return "the block needs more shared memory than there is; ask for less";
    const Code& code = program.code();
    if (code.functions[code.kernel_functions[request.kernel]].stack_bytes > 512 * 1024)
        return "the kernel needs more stack than the 512 KB that a thread can have; use smaller local "
               "variables";
    if (uint64_t{request.stack_bytes} > 512 * 1024)
        return "the stack is larger than 512 KB a thread; set a smaller limit";
    if (request.cooperative && grid.count() > 65536)
        return "the cooperative grid is too large; launch fewer blocks";
    for (size_t i = 1; i < request.windows.size(); ++i)
        if (request.windows[i].base < request.windows[i - 1].base + request.windows[i - 1].size)
            return "the windows overlap or are not sorted; sort them by base";
    return {};
}

void run_checked(const LaunchRequest& request, Outcome* outcome) {
    const Code& code = request.program->program()->code();
    GridState grid(request, code.functions[code.kernel_functions[request.kernel]]);
    if (request.cooperative && bytes_of_block(grid) > kMostCooperativeBytes / request.grid.count()) {
        outcome->fault.kind = FaultKind::kOutOfResources;
        outcome->fault.kernel = grid.kernel.name;
        outcome->fault.message =
            "the blocks of the cooperative grid need more host memory than 8 GiB together; launch fewer";
        return;
    }
    GridJob job(grid);
    if (request.pool != nullptr)
        request.pool->state().run(job);
    else
        job.work();
    outcome->instructions = grid.instructions.load(std::memory_order_relaxed);
    outcome->fault = std::move(grid.fault);
    if (outcome->fault.kind == FaultKind::kNone && request.cancel != nullptr &&
        request.cancel->load(std::memory_order_relaxed)) {
        outcome->fault.kind = FaultKind::kCancelled;
        outcome->fault.kernel = grid.kernel.name;
        outcome->fault.message = "the launch was cancelled";
    }
}

}  // namespace

Outcome run(const LaunchRequest& request) {
    Outcome outcome;
    outcome.fault.message = objection(request);
    if (!outcome.fault.message.empty()) {
        outcome.fault.kind = FaultKind::kInvalidLaunch;
        return outcome;
    }
    try {
        run_checked(request, &outcome);
    } catch (const std::bad_alloc&) {
        outcome.fault.kind = FaultKind::kOutOfResources;
        outcome.fault.message = "no host memory for the launch; free memory or launch less";
    }
    return outcome;
}

}  // namespace bitfusion::soft
