#include "device/soft/stream_value.h"

#include <atomic>

#include "device/soft/capture.h"
#include "device/soft/entry.h"
#include "device/soft/serve.h"
#include "driver_table.gen.h"

namespace bitfusion::soft {
namespace {

constexpr unsigned kMostOperations = 256;
constexpr unsigned kConditionMask = 0x3;

template <typename T>
T load(CUdeviceptr address) {
    return std::atomic_ref<T>(*reinterpret_cast<T*>(static_cast<uintptr_t>(address)))
        .load(std::memory_order_acquire);
}

template <typename T>
void store(CUdeviceptr address, T value) {
    std::atomic_ref<T>(*reinterpret_cast<T*>(static_cast<uintptr_t>(address)))
        .store(value, std::memory_order_release);
}

template <typename T>
bool satisfied(CUdeviceptr address, T value, unsigned flags) {
    const T now = load<T>(address);
    switch (flags & kConditionMask) {
        case CU_STREAM_WAIT_VALUE_GEQ:
            return static_cast<std::make_signed_t<T>>(now - value) >= 0;
        case CU_STREAM_WAIT_VALUE_EQ:
            return now == value;
        case CU_STREAM_WAIT_VALUE_AND:
            return (now & value) != 0;
        default:
            return static_cast<T>(~(now | value)) != 0;
    }
}

bool good_address(CUdeviceptr address, uint64_t bytes) {
    const auto found = driver().memory.find(address);
    return found && found->kind != MemoryKind::kArray && address % bytes == 0 &&
           driver().memory.covers(address, bytes);
}

CUresult value_operation(CUstream handle, const CUstreamBatchMemOpParams* operations, unsigned count,
                         unsigned flags) {
    return entry_on_stream(handle, [&](const ContextPtr& context, const StreamPtr& stream) {
        if (flags != 0 || (count != 0 && operations == nullptr)) return CUDA_ERROR_INVALID_VALUE;
        if (count > kMostOperations) return CUDA_ERROR_INVALID_VALUE;
        const CUresult result = check_values(operations, count);
        if (result != CUDA_SUCCESS || count == 0) return result;
        ValueWork work;
        work.context = context->handle;
        work.operations.assign(operations, operations + count);
        return submit(context, stream, std::move(work));
    });
}

CUstreamBatchMemOpParams wait_operation(CUstreamBatchMemOpType type, CUdeviceptr address, uint64_t value,
                                        unsigned flags) {
    CUstreamBatchMemOpParams operation{};
    operation.operation = type;
    operation.waitValue.address = address;
    if (type == CU_STREAM_MEM_OP_WAIT_VALUE_64)
        operation.waitValue.value64 = value;
    else
        operation.waitValue.value = static_cast<cuuint32_t>(value);
    operation.waitValue.flags = flags;
    return operation;
}

CUstreamBatchMemOpParams write_operation(CUstreamBatchMemOpType type, CUdeviceptr address, uint64_t value,
                                         unsigned flags) {
    CUstreamBatchMemOpParams operation{};
    operation.operation = type;
    operation.writeValue.address = address;
    if (type == CU_STREAM_MEM_OP_WRITE_VALUE_64)
        operation.writeValue.value64 = value;
    else
        operation.writeValue.value = static_cast<cuuint32_t>(value);
    operation.writeValue.flags = flags;
    return operation;
}

CUresult cuStreamWaitValue32_v2(CUstream stream, CUdeviceptr address, cuuint32_t value, unsigned int flags) {
    const auto operation = wait_operation(CU_STREAM_MEM_OP_WAIT_VALUE_32, address, value, flags);
    return value_operation(stream, &operation, 1, 0);
}
CUresult cuStreamWaitValue64_v2(CUstream stream, CUdeviceptr address, cuuint64_t value, unsigned int flags) {
    const auto operation = wait_operation(CU_STREAM_MEM_OP_WAIT_VALUE_64, address, value, flags);
    return value_operation(stream, &operation, 1, 0);
}
CUresult cuStreamWriteValue32_v2(CUstream stream, CUdeviceptr address, cuuint32_t value, unsigned int flags) {
    const auto operation = write_operation(CU_STREAM_MEM_OP_WRITE_VALUE_32, address, value, flags);
    return value_operation(stream, &operation, 1, 0);
}
CUresult cuStreamWriteValue64_v2(CUstream stream, CUdeviceptr address, cuuint64_t value, unsigned int flags) {
    const auto operation = write_operation(CU_STREAM_MEM_OP_WRITE_VALUE_64, address, value, flags);
    return value_operation(stream, &operation, 1, 0);
}
CUresult cuStreamBatchMemOp_v2(CUstream stream, unsigned int count, CUstreamBatchMemOpParams* operations,
                               unsigned int flags) {
    return value_operation(stream, operations, count, flags);
}

}  // namespace

CUresult check_values(const CUstreamBatchMemOpParams* operations, unsigned count) {
    for (unsigned i = 0; i < count; ++i) {
        const CUstreamBatchMemOpParams& operation = operations[i];
        bool good = false;
        switch (operation.operation) {
            case CU_STREAM_MEM_OP_WAIT_VALUE_32:
            case CU_STREAM_MEM_OP_WAIT_VALUE_64: {
                const unsigned known = kConditionMask | static_cast<unsigned>(CU_STREAM_WAIT_VALUE_FLUSH);
                const uint64_t bytes = operation.operation == CU_STREAM_MEM_OP_WAIT_VALUE_64 ? 8 : 4;
                good = (operation.waitValue.flags & ~known) == 0 &&
                       good_address(operation.waitValue.address, bytes);
                break;
            }
            case CU_STREAM_MEM_OP_WRITE_VALUE_32:
            case CU_STREAM_MEM_OP_WRITE_VALUE_64: {
                const uint64_t bytes = operation.operation == CU_STREAM_MEM_OP_WRITE_VALUE_64 ? 8 : 4;
                good = operation.writeValue.flags <= CU_STREAM_WRITE_VALUE_NO_MEMORY_BARRIER &&
                       good_address(operation.writeValue.address, bytes);
                break;
            }
            case CU_STREAM_MEM_OP_FLUSH_REMOTE_WRITES:
                good = operation.flushRemoteWrites.flags == 0;
                break;
            case CU_STREAM_MEM_OP_BARRIER:
                good = operation.memoryBarrier.flags <= CU_STREAM_MEMORY_BARRIER_TYPE_GPU;
                break;
            default:
                break;
        }
        if (!good) return CUDA_ERROR_INVALID_VALUE;
    }
    return CUDA_SUCCESS;
}

std::vector<TaskPtr> make_value_tasks(const ValueWork& work, const ContextPtr& context, int priority) {
    std::vector<TaskPtr> tasks;
    for (const CUstreamBatchMemOpParams& operation : work.operations) {
        auto task = std::make_shared<Task>();
        task->lane = Lane::kInline;
        task->priority = priority;
        task->context = context;
        switch (operation.operation) {
            case CU_STREAM_MEM_OP_WAIT_VALUE_32:
                task->lane = Lane::kPoll;
                task->ready = [wait = operation.waitValue] {
                    return satisfied<uint32_t>(wait.address, wait.value, wait.flags);
                };
                break;
            case CU_STREAM_MEM_OP_WAIT_VALUE_64:
                task->lane = Lane::kPoll;
                task->ready = [wait = operation.waitValue] {
                    return satisfied<uint64_t>(wait.address, wait.value64, wait.flags);
                };
                break;
            case CU_STREAM_MEM_OP_WRITE_VALUE_32:
                task->body = [write = operation.writeValue] { store<uint32_t>(write.address, write.value); };
                break;
            case CU_STREAM_MEM_OP_WRITE_VALUE_64:
                task->body = [write = operation.writeValue] {
                    store<uint64_t>(write.address, write.value64);
                };
                break;
            default:
                // Barriers and flushes: stream order and the host's memory model already give them.
                break;
        }
        tasks.push_back(std::move(task));
    }
    return tasks;
}

void serve_stream_values(DriverTable* table) {
    BF_SERVE(cuStreamWaitValue32_v2);
    BF_SERVE(cuStreamWaitValue64_v2);
    BF_SERVE(cuStreamWriteValue32_v2);
    BF_SERVE(cuStreamWriteValue64_v2);
    BF_SERVE(cuStreamBatchMemOp_v2);
}

}  // namespace bitfusion::soft
