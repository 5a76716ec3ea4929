#include "device/soft/copy.h"

#include "device/soft/capture.h"
#include "device/soft/entry.h"
#include "device/soft/serve.h"
#include "driver_table.gen.h"

namespace bitfusion::soft {
namespace {

// Up to here a pageable source is copied aside so that the call can return; beyond it the call waits.
constexpr uint64_t kMostStagedBytes = uint64_t{1} << 20;

uint64_t address_of(const void* pointer) { return reinterpret_cast<uintptr_t>(pointer); }

// A copy without a stream runs in the legacy stream; only copies inside the device let the caller go on at
// once, unless the program wants otherwise.
bool is_waited_for(const Context& context, const CopyPlan& plan) {
    return plan.to.host || plan.from.host || plan.to.waited_for || plan.from.waited_for ||
           (context.flags & CU_CTX_SYNC_MEMOPS) != 0;
}

CUresult copy_now(const ContextPtr& context, CopyPlan plan) {
    if (plan.bytes() == 0) return CUDA_SUCCESS;
    CUresult result = forbid_implicit(context, *context->legacy);
    if (result == CUDA_SUCCESS) result = forbid_in_capture(context);
    if (result != CUDA_SUCCESS) return result;
    return is_waited_for(*context, plan)
               ? submit_and_wait(context, context->legacy, CopyWork{std::move(plan)})
               : submit(context, context->legacy, CopyWork{std::move(plan)});
}

CUresult row_now(uint64_t to, Place to_place, uint64_t from, Place from_place, size_t bytes) {
    return entry_in_context([&](const ContextPtr& context) {
        CopyPlan plan;
        const CUresult result = plan_row(to, to_place, from, from_place, bytes, &plan);
        return result != CUDA_SUCCESS ? result : copy_now(context, std::move(plan));
    });
}

CUresult row_later(uint64_t to, Place to_place, uint64_t from, Place from_place, size_t bytes,
                   CUstream handle) {
    return entry_on_stream(handle, [&](const ContextPtr& context, const StreamPtr& stream) {
        CopyPlan plan;
        const CUresult result = plan_row(to, to_place, from, from_place, bytes, &plan);
        return result != CUDA_SUCCESS ? result : copy_later(context, stream, std::move(plan));
    });
}

CUresult box_now(const CUDA_MEMCPY3D& box) {
    return entry_in_context([&](const ContextPtr& context) {
        CopyPlan plan;
        const CUresult result = plan_box(box, &plan);
        return result != CUDA_SUCCESS ? result : copy_now(context, std::move(plan));
    });
}

CUresult box_later(const CUDA_MEMCPY3D& box, CUstream handle) {
    return entry_on_stream(handle, [&](const ContextPtr& context, const StreamPtr& stream) {
        CopyPlan plan;
        const CUresult result = plan_box(box, &plan);
        return result != CUDA_SUCCESS ? result : copy_later(context, stream, std::move(plan));
    });
}

CUDA_MEMCPY3D to_box(const CUDA_MEMCPY2D& flat) {
    CUDA_MEMCPY3D box{};
    box.srcXInBytes = flat.srcXInBytes;
    box.srcY = flat.srcY;
    box.srcMemoryType = flat.srcMemoryType;
    box.srcHost = flat.srcHost;
    box.srcDevice = flat.srcDevice;
    box.srcArray = flat.srcArray;
    box.srcPitch = flat.srcPitch;
    box.dstXInBytes = flat.dstXInBytes;
    box.dstY = flat.dstY;
    box.dstMemoryType = flat.dstMemoryType;
    box.dstHost = flat.dstHost;
    box.dstDevice = flat.dstDevice;
    box.dstArray = flat.dstArray;
    box.dstPitch = flat.dstPitch;
    box.WidthInBytes = flat.WidthInBytes;
    box.Height = flat.Height;
    box.Depth = 1;
    return box;
}

CUDA_MEMCPY3D to_box(const CUDA_MEMCPY3D_PEER& peer) {
    CUDA_MEMCPY3D box{};
    box.srcXInBytes = peer.srcXInBytes;
    box.srcY = peer.srcY;
    box.srcZ = peer.srcZ;
    box.srcLOD = peer.srcLOD;
    box.srcMemoryType = peer.srcMemoryType;
    box.srcHost = peer.srcHost;
    box.srcDevice = peer.srcDevice;
    box.srcArray = peer.srcArray;
    box.srcPitch = peer.srcPitch;
    box.srcHeight = peer.srcHeight;
    box.dstXInBytes = peer.dstXInBytes;
    box.dstY = peer.dstY;
    box.dstZ = peer.dstZ;
    box.dstLOD = peer.dstLOD;
    box.dstMemoryType = peer.dstMemoryType;
    box.dstHost = peer.dstHost;
    box.dstDevice = peer.dstDevice;
    box.dstArray = peer.dstArray;
    box.dstPitch = peer.dstPitch;
    box.dstHeight = peer.dstHeight;
    box.WidthInBytes = peer.WidthInBytes;
    box.Height = peer.Height;
    box.Depth = peer.Depth;
    return box;
}

// A copy between contexts comes after, and before, the default streams of both.
CUresult copy_peers(const ContextPtr& context, const ContextPtr& to, const ContextPtr& from, CopyPlan plan) {
    if (plan.bytes() == 0) return CUDA_SUCCESS;
    CUresult result = forbid_implicit(context, *context->legacy);
    if (result == CUDA_SUCCESS) result = forbid_in_capture(context);
    if (result != CUDA_SUCCESS) return result;
    const bool waits = is_waited_for(*context, plan);
    {
        const std::lock_guard lock(driver().scheduler.mutex());
        std::vector<TaskPtr> after;
        for (const ContextPtr& side : {to, from}) {
            if (side == context) continue;
            const auto tails = tails_locked(*side, *side->legacy);
            after.insert(after.end(), tails.begin(), tails.end());
        }
        std::vector<TaskPtr> none;
        const TaskPtr task = make_tasks(CopyWork{std::move(plan)}, context, kLeastPriority, &none).front();
        append_locked(*context, *context->legacy, task, std::move(after));
        to->legacy->tail = task;
        from->legacy->tail = task;
    }
    return waits ? synchronize(*context) : CUDA_SUCCESS;
}

CUresult find_peers(CUcontext to, CUcontext from, ContextPtr* to_context, ContextPtr* from_context) {
    const CUresult result = context_of(to, to_context);
    return result != CUDA_SUCCESS ? result : context_of(from, from_context);
}

// --- entries

CUresult cuMemcpy(CUdeviceptr to, CUdeviceptr from, size_t bytes) {
    return row_now(to, Place::kAny, from, Place::kAny, bytes);
}
CUresult cuMemcpyAsync(CUdeviceptr to, CUdeviceptr from, size_t bytes, CUstream stream) {
    return row_later(to, Place::kAny, from, Place::kAny, bytes, stream);
}
CUresult cuMemcpyHtoD_v2(CUdeviceptr to, const void* from, size_t bytes) {
    return row_now(to, Place::kDevice, address_of(from), Place::kHost, bytes);
}
CUresult cuMemcpyHtoDAsync_v2(CUdeviceptr to, const void* from, size_t bytes, CUstream stream) {
    return row_later(to, Place::kDevice, address_of(from), Place::kHost, bytes, stream);
}
CUresult cuMemcpyDtoH_v2(void* to, CUdeviceptr from, size_t bytes) {
    return row_now(address_of(to), Place::kHost, from, Place::kDevice, bytes);
}
CUresult cuMemcpyDtoHAsync_v2(void* to, CUdeviceptr from, size_t bytes, CUstream stream) {
    return row_later(address_of(to), Place::kHost, from, Place::kDevice, bytes, stream);
}
CUresult cuMemcpyDtoD_v2(CUdeviceptr to, CUdeviceptr from, size_t bytes) {
    return row_now(to, Place::kDevice, from, Place::kDevice, bytes);
}
CUresult cuMemcpyDtoDAsync_v2(CUdeviceptr to, CUdeviceptr from, size_t bytes, CUstream stream) {
    return row_later(to, Place::kDevice, from, Place::kDevice, bytes, stream);
}

CUresult cuMemcpyPeer(CUdeviceptr to, CUcontext to_handle, CUdeviceptr from, CUcontext from_handle,
                      size_t bytes) {
    return entry_in_context([&](const ContextPtr& context) {
        ContextPtr to_context;
        ContextPtr from_context;
        CUresult result = find_peers(to_handle, from_handle, &to_context, &from_context);
        CopyPlan plan;
        if (result == CUDA_SUCCESS) result = plan_row(to, Place::kDevice, from, Place::kDevice, bytes, &plan);
        return result != CUDA_SUCCESS ? result
                                      : copy_peers(context, to_context, from_context, std::move(plan));
    });
}

CUresult cuMemcpyPeerAsync(CUdeviceptr to, CUcontext to_handle, CUdeviceptr from, CUcontext from_handle,
                           size_t bytes, CUstream stream) {
    return entry_in_context([&](const ContextPtr&) {
        ContextPtr to_context;
        ContextPtr from_context;
        const CUresult result = find_peers(to_handle, from_handle, &to_context, &from_context);
        return result != CUDA_SUCCESS ? result
                                      : row_later(to, Place::kDevice, from, Place::kDevice, bytes, stream);
    });
}

CUresult flat_now(const CUDA_MEMCPY2D* copy) {
    return entry_in_context([&](const ContextPtr&) {
        return copy == nullptr ? CUDA_ERROR_INVALID_VALUE : box_now(to_box(*copy));
    });
}
CUresult cuMemcpy2D_v2(const CUDA_MEMCPY2D* copy) { return flat_now(copy); }
CUresult cuMemcpy2DUnaligned_v2(const CUDA_MEMCPY2D* copy) { return flat_now(copy); }
CUresult cuMemcpy2DAsync_v2(const CUDA_MEMCPY2D* copy, CUstream stream) {
    return entry_in_context([&](const ContextPtr&) {
        return copy == nullptr ? CUDA_ERROR_INVALID_VALUE : box_later(to_box(*copy), stream);
    });
}
CUresult cuMemcpy3D_v2(const CUDA_MEMCPY3D* copy) {
    return entry_in_context(
        [&](const ContextPtr&) { return copy == nullptr ? CUDA_ERROR_INVALID_VALUE : box_now(*copy); });
}
CUresult cuMemcpy3DAsync_v2(const CUDA_MEMCPY3D* copy, CUstream stream) {
    return entry_in_context([&](const ContextPtr&) {
        return copy == nullptr ? CUDA_ERROR_INVALID_VALUE : box_later(*copy, stream);
    });
}

CUresult cuMemcpy3DPeer(const CUDA_MEMCPY3D_PEER* copy) {
    return entry_in_context([&](const ContextPtr& context) {
        if (copy == nullptr) return CUDA_ERROR_INVALID_VALUE;
        ContextPtr to;
        ContextPtr from;
        CUresult result = find_peers(copy->dstContext, copy->srcContext, &to, &from);
        CopyPlan plan;
        if (result == CUDA_SUCCESS) result = plan_box(to_box(*copy), &plan);
        if (result != CUDA_SUCCESS) return result;
        return plan.to.host || plan.from.host ? copy_now(context, std::move(plan))
                                              : copy_peers(context, to, from, std::move(plan));
    });
}
CUresult cuMemcpy3DPeerAsync(const CUDA_MEMCPY3D_PEER* copy, CUstream stream) {
    return entry_in_context([&](const ContextPtr&) {
        if (copy == nullptr) return CUDA_ERROR_INVALID_VALUE;
        ContextPtr to;
        ContextPtr from;
        const CUresult result = find_peers(copy->dstContext, copy->srcContext, &to, &from);
        return result != CUDA_SUCCESS ? result : box_later(to_box(*copy), stream);
    });
}

// --- one row of a one-dimensional array

struct ArrayRow {
    CUarray array;
    size_t offset;
};

CUDA_MEMCPY3D row_box(size_t bytes) {
    CUDA_MEMCPY3D box{};
    box.WidthInBytes = bytes;
    box.Height = box.Depth = 1;
    return box;
}

void set_from(CUDA_MEMCPY3D& box, const ArrayRow& row) {
    box.srcMemoryType = CU_MEMORYTYPE_ARRAY;
    box.srcArray = row.array;
    box.srcXInBytes = row.offset;
}
void set_to(CUDA_MEMCPY3D& box, const ArrayRow& row) {
    box.dstMemoryType = CU_MEMORYTYPE_ARRAY;
    box.dstArray = row.array;
    box.dstXInBytes = row.offset;
}

CUDA_MEMCPY3D host_to_array(CUarray array, size_t offset, const void* from, size_t bytes) {
    CUDA_MEMCPY3D box = row_box(bytes);
    set_to(box, {array, offset});
    box.srcMemoryType = CU_MEMORYTYPE_HOST;
    box.srcHost = from;
    return box;
}
CUDA_MEMCPY3D array_to_host(void* to, CUarray array, size_t offset, size_t bytes) {
    CUDA_MEMCPY3D box = row_box(bytes);
    set_from(box, {array, offset});
    box.dstMemoryType = CU_MEMORYTYPE_HOST;
    box.dstHost = to;
    return box;
}

CUresult cuMemcpyHtoA_v2(CUarray array, size_t offset, const void* from, size_t bytes) {
    return box_now(host_to_array(array, offset, from, bytes));
}
CUresult cuMemcpyHtoAAsync_v2(CUarray array, size_t offset, const void* from, size_t bytes, CUstream stream) {
    return box_later(host_to_array(array, offset, from, bytes), stream);
}
CUresult cuMemcpyAtoH_v2(void* to, CUarray array, size_t offset, size_t bytes) {
    return box_now(array_to_host(to, array, offset, bytes));
}
CUresult cuMemcpyAtoHAsync_v2(void* to, CUarray array, size_t offset, size_t bytes, CUstream stream) {
    return box_later(array_to_host(to, array, offset, bytes), stream);
}
CUresult cuMemcpyDtoA_v2(CUarray array, size_t offset, CUdeviceptr from, size_t bytes) {
    CUDA_MEMCPY3D box = row_box(bytes);
    set_to(box, {array, offset});
    box.srcMemoryType = CU_MEMORYTYPE_DEVICE;
    box.srcDevice = from;
    return box_now(box);
}
CUresult cuMemcpyAtoD_v2(CUdeviceptr to, CUarray array, size_t offset, size_t bytes) {
    CUDA_MEMCPY3D box = row_box(bytes);
    set_from(box, {array, offset});
    box.dstMemoryType = CU_MEMORYTYPE_DEVICE;
    box.dstDevice = to;
    return box_now(box);
}
CUresult cuMemcpyAtoA_v2(CUarray to, size_t to_offset, CUarray from, size_t from_offset, size_t bytes) {
    CUDA_MEMCPY3D box = row_box(bytes);
    set_from(box, {from, from_offset});
    set_to(box, {to, to_offset});
    return box_now(box);
}

}  // namespace

CUresult copy_later(const ContextPtr& context, const StreamPtr& stream, CopyPlan plan, SourceRead read) {
    if (plan.bytes() == 0) return CUDA_SUCCESS;
    const bool capturing = stream->capturing.load(std::memory_order_acquire);
    const bool read_now = plan.from.pageable || (plan.from.host && read == SourceRead::kDuringCall);
    if (capturing || (!read_now && !plan.to.pageable))
        return submit(context, stream, CopyWork{std::move(plan)});
    const bool one_row = plan.height == 1 && plan.depth == 1;
    if (!plan.to.pageable && one_row && plan.width <= kMostStagedBytes) {
        const auto* source = reinterpret_cast<const std::byte*>(static_cast<uintptr_t>(plan.from.address));
        plan.staged = std::make_shared<std::vector<std::byte>>(source, source + plan.width);
        return submit(context, stream, CopyWork{std::move(plan)});
    }
    return submit_and_wait(context, stream, CopyWork{std::move(plan)});
}

void serve_copies(DriverTable* table) {
    BF_SERVE(cuMemcpy);
    BF_SERVE(cuMemcpyAsync);
    BF_SERVE(cuMemcpyHtoD_v2);
    BF_SERVE(cuMemcpyHtoDAsync_v2);
    BF_SERVE(cuMemcpyDtoH_v2);
    BF_SERVE(cuMemcpyDtoHAsync_v2);
    BF_SERVE(cuMemcpyDtoD_v2);
    BF_SERVE(cuMemcpyDtoDAsync_v2);
    BF_SERVE(cuMemcpyPeer);
    BF_SERVE(cuMemcpyPeerAsync);
    BF_SERVE(cuMemcpy2D_v2);
    BF_SERVE(cuMemcpy2DUnaligned_v2);
    BF_SERVE(cuMemcpy2DAsync_v2);
    BF_SERVE(cuMemcpy3D_v2);
    BF_SERVE(cuMemcpy3DAsync_v2);
    BF_SERVE(cuMemcpy3DPeer);
    BF_SERVE(cuMemcpy3DPeerAsync);
    BF_SERVE(cuMemcpyHtoA_v2);
    BF_SERVE(cuMemcpyHtoAAsync_v2);
    BF_SERVE(cuMemcpyAtoH_v2);
    BF_SERVE(cuMemcpyAtoHAsync_v2);
    BF_SERVE(cuMemcpyDtoA_v2);
    BF_SERVE(cuMemcpyAtoD_v2);
    BF_SERVE(cuMemcpyAtoA_v2);
}

}  // namespace bitfusion::soft
