// Copies between the wire and the GPU. What comes in is copied from the message or from the staging buffer
// that it was received into; what goes out is staged, awaited without blocking, and sent.
#include <algorithm>
#include <cstring>
#include <memory>

#include "wire/block.h"
#include "worker/graph_node.h"
#include "worker/session.h"
#include "worker_hand.gen.h"

namespace bitfusion::worker {
namespace {

CUresult check_range(const Session& s, CUresult result, uint64_t address, uint64_t bytes) {
    return result == CUDA_SUCCESS && !s.memory.within(address, bytes) ? CUDA_ERROR_INVALID_VALUE : result;
}

// A copy of a capture is a CaptureCopy: here its buffer would be read by each launch of the graph, long
// after.
CUresult not_in_capture(const Session& s, CUresult result, CUstream stream) {
    return result == CUDA_SUCCESS && s.is_capturing(stream) ? CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED : result;
}

// Lets the GPU get on until a staging buffer is free.
Staging::Buffer* buffer_for_copy(Session& s, CUresult* result) {
    Staging::Buffer* buffer = nullptr;
    while ((buffer = s.staging.try_acquire(result, s.host_functions.any_open())) == nullptr &&
           *result == CUDA_SUCCESS && !s.ended())
        s.progress();
    return buffer;
}

// The box of a copy in the driver's words; `host` stands for a packed side.
struct Side {
    CUmemorytype type = CU_MEMORYTYPE_HOST;
    void* host = nullptr;
    wire::Block block;
    CUarray array = nullptr;
    uint64_t context = 0;  // of the array, by name
};

CUresult decode_side(Session& s, std::span<const uint8_t> bytes, Side* side) {
    if (bytes.size() != sizeof side->block) return CUDA_ERROR_INVALID_VALUE;
    memcpy(&side->block, bytes.data(), sizeof side->block);
    const wire::Block& b = side->block;
    CUresult result = CUDA_SUCCESS;
    if (b.array != 0) {
        side->type = CU_MEMORYTYPE_ARRAY;
        side->array = s.handles.find<CUarray>(b.array, &result);
        const ArrayTable::Entry* entry = s.arrays.find(reinterpret_cast<uint64_t>(side->array));
        if (result != CUDA_SUCCESS || entry == nullptr) return CUDA_ERROR_INVALID_HANDLE;
        side->context = entry->context;
        return wire::holds_box(entry->shape, b.x, b.y, b.z, b.width, b.height, b.depth)
                   ? CUDA_SUCCESS
                   : CUDA_ERROR_INVALID_VALUE;
    }
    side->type = CU_MEMORYTYPE_DEVICE;
    return check_box(s, side->type, b.device, b.pitch, b.slice, b.x, b.y, b.z, b.width, b.height, b.depth);
}

// The driver's handle of the context that a side lies in.
CUcontext context_of(Session& s, const Side& side) {
    CUresult result = CUDA_SUCCESS;
    const uint64_t name = side.context != 0 ? side.context : s.context_name();
    return s.handles.find<CUcontext>(name, &result);
}

CUresult play(Session& s, const Side& source, const Side& target, uint64_t width, uint64_t height,
              uint64_t depth, CUstream stream) {
    CUDA_MEMCPY3D_PEER c{};
    c.WidthInBytes = width;
    c.Height = height;
    c.Depth = depth;
    c.srcMemoryType = source.type;
    c.dstMemoryType = target.type;
    if (source.type == CU_MEMORYTYPE_HOST) {
        c.srcHost = source.host;
        c.srcPitch = width;
        c.srcHeight = height;
    } else {
        c.srcDevice = source.block.device;
        c.srcArray = source.array;
        c.srcPitch = source.array == nullptr ? source.block.pitch : 0;
        c.srcHeight = source.array == nullptr ? source.block.slice : 0;
        c.srcXInBytes = source.block.x;
        c.srcY = source.block.y;
        c.srcZ = source.block.z;
    }
    if (target.type == CU_MEMORYTYPE_HOST) {
        c.dstHost = target.host;
        c.dstPitch = width;
        c.dstHeight = height;
    } else {
        c.dstDevice = target.block.device;
        c.dstArray = target.array;
        c.dstPitch = target.array == nullptr ? target.block.pitch : 0;
        c.dstHeight = target.array == nullptr ? target.block.slice : 0;
        c.dstXInBytes = target.block.x;
        c.dstY = target.block.y;
        c.dstZ = target.block.z;
    }
    // Device addresses say by themselves which device they are on; arrays do not.
    const auto elsewhere = [&](const Side& side) {
        return side.context != 0 && side.context != s.context_name();
    };
    if ((elsewhere(source) || elsewhere(target)) && s.driver.cuMemcpy3DPeerAsync != nullptr) {
        c.srcContext = context_of(s, source);
        c.dstContext = context_of(s, target);
        return s.driver.cuMemcpy3DPeerAsync(&c, stream);
    }
    CUDA_MEMCPY3D plain{};
    static_assert(sizeof plain == sizeof c);
    memcpy(&plain, &c, sizeof plain);  // the same fields; contexts stand where cuMemcpy3D wants nulls
    return s.driver.cuMemcpy3DAsync_v2(&plain, stream);
}

// Staged data of one copy out, sent as a bulk answer when the GPU has written them.
void answer_when_copied(Session& s, const Frame& frame, CUstream stream, Staging::Buffer* buffer,
                        size_t bytes) {
    CUresult result = CUDA_SUCCESS;
    auto ready = s.when_reached(stream, &result);
    if (result != CUDA_SUCCESS) {
        s.staging.release(buffer);
        return s.reply_status(frame, result);
    }
    s.wait_copy(
        stream,
        {std::move(ready), [&s, frame, buffer, bytes](CUresult state) {
             s.announce_printed();
             if (state == CUDA_SUCCESS)
                 s.send_bulk({0, frame.head.id, 0, CUDA_SUCCESS, frame.head.call}, {}, buffer->data, bytes);
             else
                 s.reply_status(frame, state);
             s.staging.release(buffer);
         }});
}

// Between the GPU and pages that the client shares, or among those.
CUresult copy_pages(Session& s, const Frame& frame, CUdeviceptr target, CUdeviceptr source, uint64_t bytes,
                    uint64_t stream_name, CUstream* stream) {
    CUresult result = CUDA_SUCCESS;
    *stream = s.handles.find<CUstream>(stream_name, &result);
    result = check_range(s, result, target, bytes);
    result = check_range(s, result, source, bytes);
    if (result == CUDA_SUCCESS) result = s.enter(frame);
    // A graph knows the client's memory by a ticket: these pages may go before the graph does.
    result = not_in_capture(s, result, *stream);
    if (result != CUDA_SUCCESS) return result;
    uint8_t* const to = s.shared_pages.host_of(target, bytes);
    const uint8_t* const from = s.shared_pages.host_of(source, bytes);
    if (to != nullptr && from == nullptr) return s.driver.cuMemcpyDtoHAsync_v2(to, source, bytes, *stream);
    if (to == nullptr && from != nullptr) return s.driver.cuMemcpyHtoDAsync_v2(target, from, bytes, *stream);
    return s.driver.cuMemcpyDtoDAsync_v2(target, source, bytes, *stream);
}

}  // namespace

void serve(Session& s, const Frame& frame, const msg::CopyPages& m) {
    CUstream stream = nullptr;
    s.posted(frame, copy_pages(s, frame, m.target, m.source, m.byte_count, m.stream, &stream));
}

void serve(Session& s, const Frame& frame, const msg::CopyPagesAwaited& m) {
    CUstream stream = nullptr;
    CUresult result = copy_pages(s, frame, m.target, m.source, m.byte_count, m.stream, &stream);
    std::function<CUresult()> ready;
    if (result == CUDA_SUCCESS) ready = s.when_reached(stream, &result);
    if (result != CUDA_SUCCESS) return s.reply_status(frame, result);
    s.wait_copy(stream, {std::move(ready), [&s, frame](CUresult state) {
                             s.announce_printed();
                             s.reply_status(frame, state);
                         }});
}

void serve(Session& s, const Frame& frame, const msg::CopyIn& m) {
    CUresult result = CUDA_SUCCESS;
    const CUstream stream = s.handles.find<CUstream>(m.stream, &result);
    result = check_range(s, result, m.device, m.data.size());
    if (result == CUDA_SUCCESS) result = s.enter(frame);
    result = not_in_capture(s, result, stream);
    // From pageable memory the driver takes a copy before it returns; from a staging buffer it reads later.
    if (result == CUDA_SUCCESS)
        result = s.driver.cuMemcpyHtoDAsync_v2(m.device, m.data.data(), m.data.size(), stream);
    if (result == CUDA_SUCCESS && s.bulk_buffer() != nullptr) {
        result = s.staging.release_after(s.bulk_buffer(), stream, s.context_name());
        s.keep_bulk_buffer();
    }
    s.posted(frame, result);
}

void serve(Session& s, const Frame& frame, const msg::CopyOut& m) {
    if (m.byte_count > wire::kMostBody) return s.peer_is_wrong(frame, "size");
    CUresult result = CUDA_SUCCESS;
    const CUstream stream = s.handles.find<CUstream>(m.stream, &result);
    result = check_range(s, result, m.device, m.byte_count);
    if (result == CUDA_SUCCESS && m.byte_count > Staging::kBytes) result = CUDA_ERROR_INVALID_VALUE;
    if (result == CUDA_SUCCESS) result = s.enter(frame);
    result = not_in_capture(s, result, stream);
    Staging::Buffer* buffer = result == CUDA_SUCCESS ? buffer_for_copy(s, &result) : nullptr;
    if (result == CUDA_SUCCESS && buffer != nullptr) {
        result = s.driver.cuMemcpyDtoHAsync_v2(buffer->data, m.device, m.byte_count, stream);
        if (result == CUDA_SUCCESS) return answer_when_copied(s, frame, stream, buffer, m.byte_count);
        s.staging.release(buffer);
    }
    s.reply_status(frame, result == CUDA_SUCCESS ? CUDA_ERROR_OUT_OF_MEMORY : result);
}

void serve(Session& s, const Frame& frame, const msg::MirrorOut& m) {
    if (m.byte_count > wire::kMostBody) return s.peer_is_wrong(frame, "size");
    CUresult result = check_range(s, CUDA_SUCCESS, m.device, m.byte_count);
    if (result == CUDA_SUCCESS && m.byte_count > Staging::kBytes) result = CUDA_ERROR_INVALID_VALUE;
    if (result == CUDA_SUCCESS) result = s.enter(frame);
    const CUstream stream = result == CUDA_SUCCESS ? s.mirrors.stream(s.context_name(), &result) : nullptr;
    Staging::Buffer* buffer = result == CUDA_SUCCESS ? buffer_for_copy(s, &result) : nullptr;
    if (result == CUDA_SUCCESS && buffer != nullptr) {
        result = s.driver.cuMemcpyDtoHAsync_v2(buffer->data, m.device, m.byte_count, stream);
        if (result == CUDA_SUCCESS) return answer_when_copied(s, frame, stream, buffer, m.byte_count);
        s.staging.release(buffer);
    }
    s.reply_status(frame, result == CUDA_SUCCESS ? CUDA_ERROR_OUT_OF_MEMORY : result);
}

void serve(Session& s, const Frame& frame, const msg::CopyOutLater& m) {
    CUresult result = CUDA_SUCCESS;
    const CUstream stream = s.handles.find<CUstream>(m.stream, &result);
    result = check_range(s, result, m.device, m.byte_count);
    if (result == CUDA_SUCCESS) result = s.enter(frame);
    result = not_in_capture(s, result, stream);
    constexpr uint64_t kPiece = 4u << 20;
    for (uint64_t at = 0; at < m.byte_count && result == CUDA_SUCCESS; at += kPiece) {
        const size_t bytes = std::min(kPiece, m.byte_count - at);
        Staging::Buffer* buffer = buffer_for_copy(s, &result);
        if (buffer == nullptr) break;
        result = s.driver.cuMemcpyDtoHAsync_v2(buffer->data, m.device + at, bytes, stream);
        std::function<CUresult()> ready;
        if (result == CUDA_SUCCESS) ready = s.when_reached(stream, &result);
        if (result != CUDA_SUCCESS) {
            s.staging.release(buffer);
            break;
        }
        s.wait_copy(stream, {std::move(ready), [&s, buffer, bytes, at, ticket = m.ticket](CUresult state) {
                                 // After a fault the bytes are whatever is there, as on hardware; the error
                                 // follows by itself.
                                 (void)state;
                                 const uint64_t fields[2] = {ticket, at};
                                 s.send_bulk({0, msg::kId_CopyOutData, 0, 0, 0},
                                             {reinterpret_cast<const uint8_t*>(fields), sizeof fields},
                                             buffer->data, bytes);
                                 s.staging.release(buffer);
                             }});
    }
    // No more will come: whoever waits for the memory must know.
    if (result != CUDA_SUCCESS)
        s.wait_copy(stream, {[] { return CUDA_SUCCESS; },
                             [&s, ticket = m.ticket](CUresult) {
                                 s.announce(msg::CopyOutSent{ticket, 0});
                             }});
    s.posted(frame, result);
}

void serve(Session& s, const Frame& frame, const msg::CopyBlockIn& m) {
    CUresult result = CUDA_SUCCESS;
    const CUstream stream = s.handles.find<CUstream>(m.stream, &result);
    Side source;
    Side target;
    if (result == CUDA_SUCCESS) result = decode_side(s, m.block, &target);
    const wire::Block& b = target.block;
    const uint64_t expected = (wire::Extent(b.width) * wire::Extent(b.height) * wire::Extent(b.depth)).value;
    if (result == CUDA_SUCCESS && expected != m.data.size()) return s.peer_is_wrong(frame, "data");
    if (result == CUDA_SUCCESS) result = s.enter(frame);
    result = not_in_capture(s, result, stream);
    source.host = const_cast<uint8_t*>(m.data.data());
    if (result == CUDA_SUCCESS) result = play(s, source, target, b.width, b.height, b.depth, stream);
    if (result == CUDA_SUCCESS && s.bulk_buffer() != nullptr) {
        result = s.staging.release_after(s.bulk_buffer(), stream, s.context_name());
        s.keep_bulk_buffer();
    }
    s.posted(frame, result);
}

void serve(Session& s, const Frame& frame, const msg::CopyBlockOut& m) {
    CUresult result = CUDA_SUCCESS;
    const CUstream stream = s.handles.find<CUstream>(m.stream, &result);
    Side source;
    Side target;
    if (result == CUDA_SUCCESS) result = decode_side(s, m.block, &source);
    const wire::Block& b = source.block;
    const uint64_t bytes = (wire::Extent(b.width) * wire::Extent(b.height) * wire::Extent(b.depth)).value;
    if (result == CUDA_SUCCESS && bytes > wire::kMostBody) return s.peer_is_wrong(frame, "size");
    if (result == CUDA_SUCCESS) result = s.enter(frame);
    result = not_in_capture(s, result, stream);
    if (result != CUDA_SUCCESS) return s.reply_status(frame, result);
    if (bytes > Staging::kBytes) {
        // Rows longer than a staging buffer: rare, so through ordinary memory and at the cost of a wait.
        std::vector<uint8_t> packed(bytes);
        target.host = packed.data();
        result = play(s, source, target, b.width, b.height, b.depth, stream);
        if (result == CUDA_SUCCESS) result = s.driver.cuStreamSynchronize(stream);
        if (result != CUDA_SUCCESS) return s.reply_status(frame, result);
        return s.send_bulk({0, frame.head.id, 0, CUDA_SUCCESS, frame.head.call}, {}, packed.data(), bytes);
    }
    Staging::Buffer* buffer = buffer_for_copy(s, &result);
    if (buffer == nullptr)
        return s.reply_status(frame, result == CUDA_SUCCESS ? CUDA_ERROR_OUT_OF_MEMORY : result);
    target.host = buffer->data;
    result = play(s, source, target, b.width, b.height, b.depth, stream);
    if (result == CUDA_SUCCESS) return answer_when_copied(s, frame, stream, buffer, bytes);
    s.staging.release(buffer);
    s.reply_status(frame, result);
}

void serve(Session& s, const Frame& frame, const msg::CopyBlock& m) {
    CUresult result = CUDA_SUCCESS;
    const CUstream stream = s.handles.find<CUstream>(m.stream, &result);
    Side source;
    Side target;
    if (result == CUDA_SUCCESS) result = decode_side(s, m.source, &source);
    if (result == CUDA_SUCCESS) result = decode_side(s, m.target, &target);
    // Each side is checked with its own size, and the copy is made with one of them.
    if (result == CUDA_SUCCESS &&
        (source.block.width != target.block.width || source.block.height != target.block.height ||
         source.block.depth != target.block.depth))
        return s.peer_is_wrong(frame, "size");
    if (result == CUDA_SUCCESS) result = s.enter(frame);
    if (result == CUDA_SUCCESS)
        result = play(s, source, target, source.block.width, source.block.height, source.block.depth, stream);
    s.posted(frame, result);
}

}  // namespace bitfusion::worker
