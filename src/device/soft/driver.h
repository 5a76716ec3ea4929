// Driver: the one software driver of the process, and all its objects.
//
// Reached through driver(); made by open_soft_device() and never destroyed: its threads may be running a
// kernel when the process ends, as a GPU may.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "cuda_api.gen.h"
#include "device/soft/arena.h"
#include "device/soft/context.h"
#include "device/soft/event.h"
#include "device/soft/gpu.h"
#include "device/soft/handles.h"
#include "device/soft/images.h"
#include "device/soft/memory_map.h"
#include "device/soft/scheduler.h"
#include "device/soft/simt/grid.h"
#include "device/soft/soft_device.h"

namespace bitfusion::soft {

class Array;
class Capture;
class Graph;
class GraphExec;
class GraphNode;
class ImageReference;
class Library;
class LibraryKernel;
class LinkState;
class MemoryPool;
class MipmappedArray;
class Module;
class ModuleFunction;
class PhysicalMemory;
class UserObject;

inline constexpr int kDriverVersion = 13000;

struct Driver {
    Driver(const SoftOptions& options, std::unique_ptr<Arena> host_arena,
           std::unique_ptr<Arena> virtual_arena);
    ~Driver();

    const SoftOptions options;
    std::atomic<bool> initialized{false};
    std::vector<std::unique_ptr<Gpu>> gpus;

    std::unique_ptr<Arena> host_arena;     // pinned and managed memory, 4 KiB granules
    std::unique_ptr<Arena> virtual_arena;  // cuMemAddressReserve, 2 MiB granules
    MemoryMap memory;
    std::mutex reservations_mutex;
    std::map<uint64_t, uint64_t> reservations;  // cuMemAddressReserve: base -> bytes

    Scheduler scheduler;
    BlockPool blocks;
    std::mutex graph_mutex;  // graphs, their nodes, captures; taken before the scheduler's lock
    std::vector<std::shared_ptr<Capture>> captures;  // that go on; guarded by graph_mutex
    std::atomic<size_t> capture_count{0};            // captures.size(), to be asked without the lock

    Handles<Context, CUcontext> contexts{1};
    Handles<Stream, CUstream> streams{2};
    Handles<Event, CUevent> events{3};
    Handles<Module, CUmodule> modules{4};
    Handles<ModuleFunction, CUfunction> functions{5};
    Handles<Library, CUlibrary> libraries{6};
    Handles<LibraryKernel, CUkernel> kernels{7};
    Handles<LinkState, CUlinkState> links{8};
    Handles<MemoryPool, CUmemoryPool> pools{9};
    Handles<Array, CUarray> arrays{10};
    Handles<Graph, CUgraph> graphs{11};
    Handles<GraphNode, CUgraphNode> nodes{12};
    Handles<GraphExec, CUgraphExec> graph_execs{13};
    Handles<PhysicalMemory, CUmemGenericAllocationHandle> physical{14};
    Handles<UserObject, CUuserObject> user_objects{15};
    Images images;  // numbered as a table of kind 16 would be
    Handles<MipmappedArray, CUmipmappedArray> mipmapped_arrays{17};
    Handles<ImageReference, CUtexref> texture_references{18};
    Handles<ImageReference, CUsurfref> surface_references{19};

    std::atomic<uint64_t> last_id{0};  // contexts, streams, captures, grids
    uint64_t next_id() { return ++last_id; }

    Gpu* gpu_of(CUdevice device) {
        return device >= 0 && static_cast<size_t>(device) < gpus.size()
                   ? gpus[static_cast<size_t>(device)].get()
                   : nullptr;
    }
};

// Valid after open_soft_device().
Driver& driver();

}  // namespace bitfusion::soft
