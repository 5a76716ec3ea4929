// 2D and 3D copies. Rows of host memory travel packed; device sides are described by a wire::Block and
// checked by the worker. A copy whose rows lie without gaps on both sides is a linear copy.
#include <algorithm>
#include <cstring>
#include <vector>

#include "base/log.h"
#include "client/array.h"
#include "client/context.h"
#include "client/copy.h"
#include "client/feedback.h"
#include "client/handover.h"
#include "client/memory_map.h"
#include "client/session.h"
#include "client/stream.h"
#include "client_hand.gen.h"
#include "wire/block.h"

namespace bitfusion::client {
namespace {

// One side of a copy; host sides use `host` instead of a device address or an array.
struct Side {
    uint8_t* host = nullptr;
    wire::Block block;
};

struct Extent {
    uint64_t width;
    uint64_t height;
    uint64_t depth;
};

uint8_t* row_of(const Side& side, uint64_t y, uint64_t z) {
    const wire::Block& b = side.block;
    return side.host + ((b.z + z) * b.slice + b.y + y) * b.pitch + b.x;
}

// Memory type and addresses of one side -> Side. Unified addresses are classified by number.
CUresult side_of(CUmemorytype type, const void* host, CUdeviceptr device, CUarray array, uint64_t pitch,
                 uint64_t slice, uint64_t x, uint64_t y, uint64_t z, const Extent& extent, Side* side) {
    side->block.pitch = pitch != 0 ? pitch : x + extent.width;
    side->block.slice = slice != 0 ? slice : y + extent.height;
    side->block.x = x;
    side->block.y = y;
    side->block.z = z;
    if (type == CU_MEMORYTYPE_ARRAY) {
        side->block.array = wire_name(array);
        return check_array_box(array, x, y, z, extent.width, extent.height, extent.depth);
    }
    if (side->block.pitch < x + extent.width && (extent.height > 1 || extent.depth > 1))
        return CUDA_ERROR_INVALID_VALUE;
    if (type == CU_MEMORYTYPE_UNIFIED)
        type = is_device(device, 1) ? CU_MEMORYTYPE_DEVICE : CU_MEMORYTYPE_HOST;
    else if (type == CU_MEMORYTYPE_HOST)
        device = reinterpret_cast<CUdeviceptr>(host);
    if (device == 0) return CUDA_ERROR_INVALID_VALUE;
    if (type == CU_MEMORYTYPE_HOST)
        side->host = reinterpret_cast<uint8_t*>(device);
    else if (type == CU_MEMORYTYPE_DEVICE)
        side->block.device = device;
    else
        return CUDA_ERROR_INVALID_VALUE;
    return CUDA_SUCCESS;
}

std::span<const uint8_t> bytes_of(const wire::Block& block) {
    return {reinterpret_cast<const uint8_t*>(&block), sizeof block};
}

// Calls `piece(sub, rows, z)` for runs of rows that fit into one message.
template <typename Piece>
CUresult in_pieces(const Extent& extent, const Piece& piece) {
    if (extent.width > wire::kMostBody / 2) {
        BF_LOG("client", kWarn, "a copy with rows of %llu bytes is not served",
               static_cast<unsigned long long>(extent.width));
        return CUDA_ERROR_NOT_SUPPORTED;
    }
    const uint64_t most_rows = std::max<uint64_t>(1, kPiece / extent.width);
    for (uint64_t z = 0; z < extent.depth; ++z) {
        for (uint64_t y = 0; y < extent.height; y += most_rows) {
            const CUresult result = piece(y, std::min(most_rows, extent.height - y), z);
            if (result != CUDA_SUCCESS) return result;
        }
    }
    return CUDA_SUCCESS;
}

wire::Block sub_block(const Side& side, uint64_t width, uint64_t y, uint64_t rows, uint64_t z) {
    wire::Block b = side.block;
    b.y += y;
    b.z += z;
    b.width = width;
    b.height = rows;
    b.depth = 1;
    return b;
}

CUresult copy_in(const Side& source, const Side& target, const Extent& extent, CUstream stream, bool async) {
    std::vector<uint8_t> packed;
    if (const uint8_t* first = row_of(source, 0, 0); is_pinned(first, 1))
        await_tickets(
            first,
            static_cast<size_t>(row_of(source, extent.height - 1, extent.depth - 1) - first) + extent.width);
    touch_stream(stream);
    const CUresult result = in_pieces(extent, [&](uint64_t y, uint64_t rows, uint64_t z) {
        packed.resize(extent.width * rows);
        for (uint64_t r = 0; r < rows; ++r)
            memcpy(packed.data() + r * extent.width, row_of(source, y + r, z), extent.width);
        const wire::Block block = sub_block(target, extent.width, y, rows, z);
        const msg::CopyBlockIn m{bytes_of(block), wire_name(stream), async ? 1u : 0u, {}};
        return session()->post_bulk(
            msg::CopyBlockIn::kId, m.size(), [&](wire::Writer& w) { m.encode(w); }, packed.data(),
            packed.size(), true);
    });
    return result != CUDA_SUCCESS || async ? result : session()->take_deferred();
}

CUresult copy_out(const Side& source, const Side& target, const Extent& extent, CUstream stream, bool async) {
    std::vector<uint8_t> packed;
    touch_stream(stream);
    const uint64_t touch = touch_of(stream);
    const CUresult result = in_pieces(extent, [&](uint64_t y, uint64_t rows, uint64_t z) {
        packed.resize(extent.width * rows);
        auto nothing = [](wire::Reader&) {};
        Pending pending{DecodeRef(nothing)};
        pending.bulk = packed.data();
        pending.bulk_bytes = packed.size();
        const wire::Block block = sub_block(source, extent.width, y, rows, z);
        const msg::CopyBlockOut m{bytes_of(block), wire_name(stream), async ? 1u : 0u};
        session()->begin_call(
            msg::CopyBlockOut::kId, m.size(), [&](wire::Writer& w) { m.encode(w); }, &pending);
        const CUresult one = session()->finish_call(&pending, msg::CopyBlockOut::kId);
        if (one != CUDA_SUCCESS) return one;
        for (uint64_t r = 0; r < rows; ++r)
            memcpy(row_of(target, y + r, z), packed.data() + r * extent.width, extent.width);
        return CUDA_SUCCESS;
    });
    if (result == CUDA_SUCCESS) stream_done(stream, touch);
    return result;
}

CUresult copy_on_host(const Side& source, const Side& target, const Extent& extent, CUstream stream) {
    const CUresult waited = cuStreamSynchronize(stream);
    if (waited != CUDA_SUCCESS) return waited;
    for (uint64_t z = 0; z < extent.depth; ++z) {
        for (uint64_t y = 0; y < extent.height; ++y)
            memmove(row_of(target, y, z), row_of(source, y, z), extent.width);
    }
    return CUDA_SUCCESS;
}

bool gapless(const Side& side, const Extent& extent) {
    const wire::Block& b = side.block;
    return b.array == 0 && (extent.depth == 1 || b.slice == extent.height) &&
           (extent.height * extent.depth == 1 || b.pitch == extent.width);
}

// Recorded by the stream's capture: the rows are read or written by each launch of the graph.
CUresult record(const Side& source, const Side& target, const Extent& extent, CUstream stream) {
    const bool to_host = target.host != nullptr;
    const Side& host = to_host ? target : source;
    wire::Block block = to_host ? source.block : target.block;
    block.width = extent.width;
    block.height = extent.height;
    block.depth = extent.depth;
    HostBox box;
    box.first = row_of(host, 0, 0);
    box.pitch = host.block.pitch;
    box.slice = host.block.pitch * host.block.slice;
    box.width = extent.width;
    box.height = extent.height;
    box.depth = extent.depth;
    box.given.host = host.host;
    box.given.pitch = host.block.pitch;
    box.given.height = host.block.slice;
    box.given.x = host.block.x;
    box.given.y = host.block.y;
    box.given.z = host.block.z;
    return record_copy(box, block, to_host, stream);
}

CUresult copy_block(const Side& source, const Side& target, const Extent& extent, CUstream stream, bool async,
                    SourceRead read) {
    if (current_context() == nullptr) return CUDA_ERROR_INVALID_CONTEXT;
    if (extent.width == 0 || extent.height == 0 || extent.depth == 0) return CUDA_SUCCESS;
    const bool from_host = source.host != nullptr;
    const bool to_host = target.host != nullptr;
    if (gapless(source, extent) && gapless(target, extent)) {
        const auto start = [](const Side& s) {
            const wire::Block& b = s.block;
            const uint64_t offset = (b.z * b.slice + b.y) * b.pitch + b.x;
            return (s.host != nullptr ? reinterpret_cast<CUdeviceptr>(s.host) : b.device) + offset;
        };
        return copy_between(start(target), start(source), extent.width * extent.height * extent.depth, stream,
                            async, read);
    }
    if (from_host != to_host && is_capturing(stream)) return record(source, target, extent, stream);
    const bool shared = is_shared(source.block.device, 1) || is_shared(target.block.device, 1);
    const bool waits =
        !async && (waits_for_gpu(source.block.device, 1) || waits_for_gpu(target.block.device, 1));
    if (shared) {
        const CUresult given = hand_over();
        if (given != CUDA_SUCCESS) return given;
    }
    if (from_host && to_host) return copy_on_host(source, target, extent, stream);
    if (from_host) {
        const CUresult copied = copy_in(source, target, extent, stream, async);
        return copied == CUDA_SUCCESS && waits ? cuStreamSynchronize(stream) : copied;
    }
    if (to_host) return copy_out(source, target, extent, stream, async);
    wire::Block from = source.block;
    wire::Block to = target.block;
    for (wire::Block* b : {&from, &to}) {
        b->width = extent.width;
        b->height = extent.height;
        b->depth = extent.depth;
    }
    touch_stream(stream);
    const CUresult posted =
        post(msg::CopyBlock{bytes_of(from), bytes_of(to), wire_name(stream), async ? 1u : 0u});
    return posted == CUDA_SUCCESS && waits ? cuStreamSynchronize(stream) : posted;
}

CUresult copy_2d(const CUDA_MEMCPY2D* c, CUstream stream, bool async) {
    if (c == nullptr) return CUDA_ERROR_INVALID_VALUE;
    const Extent extent{c->WidthInBytes, c->Height, 1};
    Side source;
    Side target;
    CUresult result = side_of(c->srcMemoryType, c->srcHost, c->srcDevice, c->srcArray, c->srcPitch, 0,
                              c->srcXInBytes, c->srcY, 0, extent, &source);
    if (result != CUDA_SUCCESS) return result;
    result = side_of(c->dstMemoryType, c->dstHost, c->dstDevice, c->dstArray, c->dstPitch, 0, c->dstXInBytes,
                     c->dstY, 0, extent, &target);
    if (result != CUDA_SUCCESS) return result;
    return copy_block(source, target, extent, stream, async, SourceRead::kInStream);
}

CUresult sides_of(const CUDA_MEMCPY3D& c, Extent* extent, Side* source, Side* target) {
    if (c.srcLOD != 0 || c.dstLOD != 0) return CUDA_ERROR_INVALID_VALUE;
    *extent = {c.WidthInBytes, c.Height, c.Depth};
    const CUresult result = side_of(c.srcMemoryType, c.srcHost, c.srcDevice, c.srcArray, c.srcPitch,
                                    c.srcHeight, c.srcXInBytes, c.srcY, c.srcZ, *extent, source);
    if (result != CUDA_SUCCESS) return result;
    return side_of(c.dstMemoryType, c.dstHost, c.dstDevice, c.dstArray, c.dstPitch, c.dstHeight,
                   c.dstXInBytes, c.dstY, c.dstZ, *extent, target);
}

CUresult copy_3d(const CUDA_MEMCPY3D* c, CUstream stream, bool async) {
    return c == nullptr ? CUDA_ERROR_INVALID_VALUE : copy_box(*c, stream, async);
}

}  // namespace

CUresult check_box(const CUDA_MEMCPY3D& box) {
    Extent extent{};
    Side source;
    Side target;
    return sides_of(box, &extent, &source, &target);
}

CUresult copy_box(const CUDA_MEMCPY3D& box, CUstream stream, bool async, SourceRead read) {
    if (current_context() == nullptr) return CUDA_ERROR_INVALID_CONTEXT;
    Extent extent{};
    Side source;
    Side target;
    const CUresult result = sides_of(box, &extent, &source, &target);
    return result != CUDA_SUCCESS ? result : copy_block(source, target, extent, stream, async, read);
}

CUresult cuMemcpy2D_v2(const CUDA_MEMCPY2D* pCopy) { return copy_2d(pCopy, implicit_stream(), false); }
CUresult cuMemcpy2DUnaligned_v2(const CUDA_MEMCPY2D* pCopy) {
    return copy_2d(pCopy, implicit_stream(), false);
}
CUresult cuMemcpy2DAsync_v2(const CUDA_MEMCPY2D* pCopy, CUstream hStream) {
    return copy_2d(pCopy, resolve_stream(hStream), true);
}
CUresult cuMemcpy3D_v2(const CUDA_MEMCPY3D* pCopy) { return copy_3d(pCopy, implicit_stream(), false); }
CUresult cuMemcpy3DAsync_v2(const CUDA_MEMCPY3D* pCopy, CUstream hStream) {
    return copy_3d(pCopy, resolve_stream(hStream), true);
}

}  // namespace bitfusion::client
