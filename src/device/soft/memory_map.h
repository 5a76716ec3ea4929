// MemoryMap: every range of memory that the driver knows, by address.
//
// Device allocations, pinned and registered host memory, managed memory and mapped virtual ranges share one
// map, because with unified addressing a bare pointer must tell what it points to. What is not in the map is
// ordinary memory of the program. Owner: the Driver. Any thread. Units: bytes.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <shared_mutex>
#include <vector>

#include "cuda_api.gen.h"

namespace bitfusion::soft {

class Gpu;
class Context;
class ImportedMemory;
class MemoryPool;
class PhysicalMemory;

enum class MemoryKind : uint8_t {
    kDevice,      // cuMemAlloc
    kPooled,      // cuMemAllocAsync
    kModule,      // a variable of a module; not the program's to free
    kArray,       // storage of a CUarray; reached through the array only
    kPinned,      // cuMemHostAlloc
    kRegistered,  // cuMemHostRegister
    kManaged,     // cuMemAllocManaged, managed variables
    kMapped,      // cuMemMap
    kOpened,      // cuIpcOpenMemHandle; another process's
    kGraph,       // of an allocation node; lives with its graphs
};

// What the program advised about managed memory.
struct ManagedHints {
    bool read_mostly = false;
    CUmemLocation preferred{CU_MEM_LOCATION_TYPE_INVALID, 0};
    CUmemLocation last_prefetch{CU_MEM_LOCATION_TYPE_INVALID, 0};
    std::set<int> accessed_by;
};

struct Allocation {
    uint64_t base = 0;
    uint64_t bytes = 0;  // as asked for
    uint64_t taken = 0;  // as taken from the arena and counted
    MemoryKind kind = MemoryKind::kDevice;
    Gpu* gpu = nullptr;       // null for pinned host memory of no particular device
    uint64_t context_id = 0;  // 0: belongs to no context
    CUcontext context = nullptr;
    unsigned flags = 0;  // of the call that made it
    uint64_t id = 0;     // CU_POINTER_ATTRIBUTE_BUFFER_ID
    bool sync_memops = false;
    bool freeing = false;  // cuMemFreeAsync was called; the stream has not got there yet
    bool readable = true;  // kMapped: access granted by cuMemSetAccess
    bool writable = true;
    std::map<int, CUmemAccess_flags> peer_access;  // kMapped: of other devices
    std::shared_ptr<PhysicalMemory> physical;      // kMapped: what is mapped here
    ManagedHints hints;
    std::shared_ptr<MemoryPool> pool;  // kPooled
    // kOpened, and kPooled that came with cuMemPoolImportPointer: the memory is not of this process's device.
    std::shared_ptr<ImportedMemory> imported;

    uint64_t end() const { return base + bytes; }
    bool device_side() const {
        return kind == MemoryKind::kDevice || kind == MemoryKind::kPooled || kind == MemoryKind::kModule ||
               kind == MemoryKind::kMapped || kind == MemoryKind::kGraph || kind == MemoryKind::kOpened;
    }
};

class MemoryMap {
  public:
    void add(Allocation allocation);
    // Takes the allocation that starts exactly there, if it is of one of the kinds.
    std::optional<Allocation> remove(uint64_t base, std::initializer_list<MemoryKind> kinds);
    std::optional<Allocation> find(uint64_t address) const;
    // Changes the allocation that contains the address; false if there is none.
    bool update(uint64_t address, const std::function<void(Allocation&)>& change);
    // True when [address, address + bytes) lies in one allocation, or in mapped ranges without a gap. Zero
    // bytes lie anywhere.
    bool covers(uint64_t address, uint64_t bytes) const;
    bool overlaps(uint64_t address, uint64_t bytes) const;
    std::vector<Allocation> of_context(uint64_t context_id) const;
    // Base and size of every cuMemHostRegister range; asked at each launch.
    std::vector<std::pair<uint64_t, uint64_t>> registered() const;
    uint64_t next_id() { return ++last_id_; }
    void clear();

  private:
    const Allocation* containing(uint64_t address) const;

    mutable std::shared_mutex mutex_;
    std::map<uint64_t, Allocation> ranges_;
    std::map<uint64_t, uint64_t> registered_;
    std::atomic<uint64_t> last_id_{0};
};

}  // namespace bitfusion::soft
