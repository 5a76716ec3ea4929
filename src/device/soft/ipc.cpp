// Handles by which another process opens memory (cuIpcGetMemHandle) and events (cuIpcGetEventHandle): they
// name this process and the file that holds the object. They are good for processes of the same user alone,
// as the files are found through /proc.
#include <unistd.h>

#include <cstring>
#include <map>
#include <mutex>
#include <tuple>

#include "device/soft/entry.h"
#include "device/soft/imported_memory.h"
#include "device/soft/memory.h"
#include "device/soft/serve.h"
#include "device/soft/shared_records.h"
#include "driver_table.gen.h"

namespace bitfusion::soft {
namespace {

struct Shared {
    char magic[8];
    uint64_t inode;
    uint64_t offset;
    uint64_t bytes;
    uint32_t process;
    uint32_t descriptor;
};
static_assert(sizeof(Shared) <= sizeof(CUipcMemHandle) && sizeof(Shared) <= sizeof(CUipcEventHandle));

constexpr char kMemory[8] = {'s', 'o', 'f', 't', 'm', 'e', 'm', 0};
constexpr char kEvent[8] = {'s', 'o', 'f', 't', 'e', 'v', 't', 0};

template <typename Handle>
void write_handle(Handle* out, const char (&magic)[8], const SharedFile& file, uint64_t offset,
                  uint64_t bytes) {
    Shared shared{};
    memcpy(shared.magic, magic, sizeof magic);
    shared.inode = file.inode;
    shared.offset = offset;
    shared.bytes = bytes;
    shared.process = static_cast<uint32_t>(getpid());
    shared.descriptor = static_cast<uint32_t>(file.descriptor);
    memset(out, 0, sizeof *out);
    memcpy(out, &shared, sizeof shared);
}

// A process cannot open what it shares itself: CUDA has one mapping of an allocation in each process.
template <typename Handle>
CUresult read_handle(const Handle& handle, const char (&magic)[8], SharedFile::Use use, Shared* shared,
                     SharedFilePtr* file) {
    memcpy(shared, &handle, sizeof *shared);
    if (memcmp(shared->magic, magic, sizeof magic) != 0) return CUDA_ERROR_INVALID_HANDLE;
    if (shared->process == static_cast<uint32_t>(getpid())) return CUDA_ERROR_INVALID_CONTEXT;
    *file = SharedFile::open_in(static_cast<pid_t>(shared->process), static_cast<int>(shared->descriptor),
                                shared->inode);
    return *file == nullptr || (*file)->use != use ? CUDA_ERROR_INVALID_HANDLE : CUDA_SUCCESS;
}

// Opened twice by a context, memory lies at one address and is closed twice.
struct Openings {
    struct Opening {
        CUdeviceptr address = 0;
        uint64_t id = 0;  // of the allocation: it is gone with its context
        int count = 0;
    };
    using Key = std::tuple<uint64_t, uint64_t, uint64_t>;  // inode, offset, context

    std::mutex mutex;
    std::map<Key, Opening> by_source;
};

Openings& openings() {
    static Openings* const made =
        std::make_unique<Openings>().release();  // as the driver, until the process ends
    return *made;
}

bool still_open(const Openings::Opening& opening) {
    const auto found = driver().memory.find(opening.address);
    return found && found->kind == MemoryKind::kOpened && found->id == opening.id;
}

CUresult cuIpcGetMemHandle(CUipcMemHandle* out, CUdeviceptr address) {
    return entry_in_context([&](const ContextPtr&) {
        if (out == nullptr) return CUDA_ERROR_INVALID_VALUE;
        const auto found = driver().memory.find(address);
        if (!found || found->kind != MemoryKind::kDevice) return CUDA_ERROR_INVALID_VALUE;
        const Arena& arena = found->gpu->arena();
        if (arena.file() == nullptr) return CUDA_ERROR_NOT_SUPPORTED;
        write_handle(out, kMemory, *arena.file(), arena.offset_of(found->base), found->bytes);
        return CUDA_SUCCESS;
    });
}

CUresult cuIpcOpenMemHandle_v2(CUdeviceptr* out, CUipcMemHandle handle, unsigned int flags) {
    return entry_in_context([&](const ContextPtr& context) {
        if (out == nullptr || flags != CU_IPC_MEM_LAZY_ENABLE_PEER_ACCESS) return CUDA_ERROR_INVALID_VALUE;
        Shared shared{};
        SharedFilePtr file;
        const CUresult result = read_handle(handle, kMemory, SharedFile::Use::kDevice, &shared, &file);
        if (result != CUDA_SUCCESS) return result;
        Gpu* gpu = driver().gpu_of(file->gpu);
        if (gpu == nullptr) return CUDA_ERROR_INVALID_DEVICE;
        const std::lock_guard lock(openings().mutex);
        Openings::Opening& opening = openings().by_source[{shared.inode, shared.offset, context->id}];
        if (opening.count == 0 || !still_open(opening)) {
            auto imported = ImportedMemory::map(file, shared.offset, shared.bytes);
            if (imported == nullptr) return CUDA_ERROR_MAP_FAILED;
            Allocation allocation;
            allocation.base = imported->address();
            allocation.bytes = allocation.taken = shared.bytes;
            allocation.kind = MemoryKind::kOpened;
            allocation.gpu = gpu;
            allocation.context_id = context->id;
            allocation.context = context->handle;
            allocation.id = driver().memory.next_id();
            allocation.imported = std::move(imported);
            opening = {allocation.base, allocation.id, 0};
            driver().memory.add(std::move(allocation));
        }
        ++opening.count;
        *out = opening.address;
        return CUDA_SUCCESS;
    });
}

CUresult cuIpcCloseMemHandle(CUdeviceptr address) {
    return entry_in_context([&](const ContextPtr&) {
        const std::lock_guard lock(openings().mutex);
        for (auto at = openings().by_source.begin(); at != openings().by_source.end(); ++at) {
            Openings::Opening& opening = at->second;
            if (opening.address != address || opening.count == 0 || !still_open(opening)) continue;
            if (--opening.count != 0) return CUDA_SUCCESS;
            wait_for_device(*driver().memory.find(address)->gpu);
            release(address, {MemoryKind::kOpened});
            openings().by_source.erase(at);
            return CUDA_SUCCESS;
        }
        return CUDA_ERROR_INVALID_VALUE;
    });
}

CUresult cuIpcGetEventHandle(CUipcEventHandle* out, CUevent handle) {
    return entry_in_context([&](const ContextPtr&) {
        if (out == nullptr) return CUDA_ERROR_INVALID_VALUE;
        const EventPtr event = driver().events.find(handle);
        if (event == nullptr || event->shared == nullptr) return CUDA_ERROR_INVALID_HANDLE;
        write_handle(out, kEvent, event->shared->file(), 0, 0);
        return CUDA_SUCCESS;
    });
}

CUresult cuIpcOpenEventHandle(CUevent* out, CUipcEventHandle handle) {
    return entry_in_context([&](const ContextPtr& context) {
        if (out == nullptr) return CUDA_ERROR_INVALID_VALUE;
        Shared shared{};
        SharedFilePtr file;
        const CUresult result = read_handle(handle, kEvent, SharedFile::Use::kEvent, &shared, &file);
        if (result != CUDA_SUCCESS) return result;
        auto event = std::make_shared<Event>(driver().events.issue(), context,
                                             CU_EVENT_DISABLE_TIMING | CU_EVENT_INTERPROCESS);
        event->shared = SharedRecords::open(file);
        if (event->shared == nullptr) return CUDA_ERROR_MAP_FAILED;
        *out = event->handle;
        driver().events.add(event->handle, event);
        return CUDA_SUCCESS;
    });
}

}  // namespace

void serve_ipc(DriverTable* table) {
    BF_SERVE(cuIpcGetMemHandle);
    BF_SERVE(cuIpcOpenMemHandle_v2);
    BF_SERVE(cuIpcCloseMemHandle);
    BF_SERVE(cuIpcGetEventHandle);
    BF_SERVE(cuIpcOpenEventHandle);
}

}  // namespace bitfusion::soft
