// Linear copies. Host to device: the bytes follow their message in the one stream. Device to host: awaited,
// or, into pinned memory, promised by a ticket that every later completion respects. Between processes of one
// machine large copies go through shared pages (shared_pages.h, bounce.h, registered_copy.h); else they
// travel in pieces, so that the network, the worker's staging and the GPU work at the same time.
#include "client/copy.h"

#include <algorithm>
#include <cstring>
#include <deque>

#include "client/bounce.h"
#include "client/context.h"
#include "client/feedback.h"
#include "client/handover.h"
#include "client/lanes.h"
#include "client/memory_map.h"
#include "client/registered_copy.h"
#include "client/session.h"
#include "client/shared_pages.h"
#include "client/stream.h"
#include "client_hand.gen.h"
#include "client_remote.gen.h"
#include "wire/graph_node.h"

namespace bitfusion::client {
namespace {

constexpr uint32_t kOnStream = 1;
// What goes with its message; synchronous copies of so little need not wait for the GPU's copy engine.
constexpr size_t kSmall = 64u << 10;
// Answers awaited at once by one copy: bounds what the worker stages for it.
constexpr size_t kMostUnderWay = 16;

// One row of host memory.
HostBox row_at(void* host, size_t bytes) {
    HostBox box;
    box.first = static_cast<uint8_t*>(host);
    box.pitch = box.slice = box.width = bytes;
    box.given.host = host;
    return box;
}

// Recorded, not done: each launch of the graph reads or writes the memory as it is then.
CUresult record_row(void* host, CUdeviceptr device, size_t bytes, bool to_host, CUstream stream) {
    wire::Block block;
    block.device = device;
    block.pitch = block.width = bytes;
    block.slice = block.height = block.depth = 1;
    return record_copy(row_at(host, bytes), block, to_host, stream);
}

CUresult copy_in(CUdeviceptr dst, const void* src, size_t bytes, CUstream stream, bool async,
                 SourceRead read = SourceRead::kInStream) {
    if (current_context() == nullptr) return CUDA_ERROR_INVALID_CONTEXT;
    if (bytes == 0) return CUDA_SUCCESS;
    if (src == nullptr || !is_device(dst, bytes)) return CUDA_ERROR_INVALID_VALUE;
    if (is_capturing(stream)) return record_row(const_cast<void*>(src), dst, bytes, false, stream);
    if (async ? read == SourceRead::kInStream : bytes > kSmall) {
        if (const CUdeviceptr shared = in_shared_pages(src, bytes); shared != 0) {
            await_tickets(src, bytes);  // a graph's copies reach this memory through us
            return copy_pages(dst, shared, bytes, stream, !async);
        }
    }
    const bool pinned = is_pinned(src, bytes);
    // What a copy before this one is still to bring here must be what is sent.
    if (pinned) await_tickets(src, bytes);
    // Only where the caller would wait for it in any case: what is before it on the stream has been done.
    CUresult bounced = CUDA_SUCCESS;
    if ((!async || (stream_idle(stream) && !pinned)) && bounce_in(dst, src, bytes, stream, &bounced))
        return bounced;
    const bool stable = async && read == SourceRead::kInStream && pinned;
    Session* s = session();
    if (stable) {
        CUresult begun = CUDA_SUCCESS;
        const size_t done = begin_copy_in(dst, src, bytes, stream, &begun);
        if (begun != CUDA_SUCCESS || done == bytes) return begun;
        if (done == 0 && bytes >= kLeastRegisteredCopy && stream_idle(stream) &&
            bounce_in(dst, src, bytes, stream, &bounced))
            return bounced;
        dst += done;
        src = static_cast<const uint8_t*>(src) + done;
        bytes -= done;
    }
    touch_stream(stream);
    const CUresult given = hand_over_range(dst, bytes);
    if (given != CUDA_SUCCESS) return given;
    const bool lanes = s->lanes().carry(bytes);
    if (lanes) {
        const CUresult result = copy_in_lanes(dst, src, bytes, stream, stable);
        if (result != CUDA_SUCCESS) return result;
    }
    for (size_t at = 0; at < bytes && !lanes; at += kPiece) {
        const size_t piece = std::min(kPiece, bytes - at);
        msg::CopyIn m{dst + at, wire_name(stream), async ? kOnStream : 0u, {}};
        const CUresult result = s->post_bulk(
            msg::CopyIn::kId, m.size(), [&](wire::Writer& w) { m.encode(w); },
            static_cast<const uint8_t*>(src) + at, piece, !stable);
        if (result != CUDA_SUCCESS) return result;
    }
    if (!async && waits_for_gpu(dst, bytes)) return cuStreamSynchronize(stream);
    return async ? CUDA_SUCCESS : s->take_deferred();
}

CUresult copy_out(void* dst, CUdeviceptr src, size_t bytes, CUstream stream, bool async) {
    if (current_context() == nullptr) return CUDA_ERROR_INVALID_CONTEXT;
    if (bytes == 0) return CUDA_SUCCESS;
    if (dst == nullptr || !is_device(src, bytes)) return CUDA_ERROR_INVALID_VALUE;
    if (is_capturing(stream)) return record_row(dst, src, bytes, true, stream);
    if (async || bytes > kSmall) {
        if (const CUdeviceptr shared = in_shared_pages(dst, bytes); shared != 0)
            return copy_pages(shared, src, bytes, stream, !async);
    }
    const bool later = async && is_pinned(dst, bytes);
    CUresult bounced = CUDA_SUCCESS;
    if (!later && bounce_out(dst, src, bytes, stream, &bounced)) return bounced;
    Session* s = session();
    if (later) {
        CUresult begun = CUDA_SUCCESS;
        const size_t done = begin_copy_out(dst, src, bytes, stream, &begun);
        if (begun != CUDA_SUCCESS || done == bytes) return begun;
        if (done == 0 && bytes >= kLeastRegisteredCopy && stream_idle(stream) &&
            bounce_out(dst, src, bytes, stream, &bounced))
            return bounced;
        dst = static_cast<uint8_t*>(dst) + done;
        src += done;
        bytes -= done;
    }
    touch_stream(stream);
    const CUresult given = hand_over_range(src, bytes);
    if (given != CUDA_SUCCESS) return given;
    const bool lanes = s->lanes().carry(bytes);
    if (later && lanes)
        return post(msg::CopyOutLanesLater{src, bytes, wire_name(stream), open_ticket(dst, bytes)});
    if (later) return post(msg::CopyOutLater{src, bytes, wire_name(stream), open_ticket(dst, bytes)});

    const uint64_t touch = stream == nullptr || stream == CU_STREAM_LEGACY ? last_touch() : touch_of(stream);
    auto nothing = [](wire::Reader&) {};
    std::deque<Pending> under_way;
    CUresult result = lanes ? copy_out_lanes(dst, src, bytes, stream) : CUDA_SUCCESS;
    uint16_t counted = msg::CopyOut::kId;  // the pieces of one copy are one wait
    const auto finish_first = [&] {
        const CUresult one = s->finish_call(&under_way.front(), counted);
        counted = 0;
        if (result == CUDA_SUCCESS) result = one;
        under_way.pop_front();
    };
    for (size_t at = 0; at < bytes && result == CUDA_SUCCESS && !lanes; at += kPiece) {
        const size_t piece = std::min(kPiece, bytes - at);
        if (under_way.size() == kMostUnderWay) finish_first();
        Pending& pending = under_way.emplace_back(DecodeRef(nothing));
        pending.bulk = static_cast<uint8_t*>(dst) + at;
        pending.bulk_bytes = piece;
        const msg::CopyOut m{src + at, piece, wire_name(stream), async ? kOnStream : 0u};
        s->begin_call(
            msg::CopyOut::kId, m.size(), [&](wire::Writer& w) { m.encode(w); }, &pending);
    }
    while (!under_way.empty()) finish_first();
    if (result == CUDA_SUCCESS) {
        stream_done(stream, touch);
    }
    return result;
}

bool is_host(CUdeviceptr address, size_t bytes) { return !is_device(address, bytes); }

// Host memory that the GPU shares is copied on the server, in the order of the stream.
bool is_shared_host(const void* address, size_t bytes) {
    return anything_shared() && is_device(reinterpret_cast<CUdeviceptr>(address), bytes);
}

}  // namespace

CUresult record_copy(const HostBox& box, const wire::Block& block, bool to_host, CUstream stream) {
    wire::GraphSides side;
    const uint64_t ticket = new_ticket();
    (to_host ? side.target : side.source) = ticket;
    (to_host ? side.target_run : side.source_run) = box.run();
    keep_host_memory(ticket, box);
    return post(msg::CaptureCopy{wire_name(stream),
                                 to_host ? 1u : 0u,
                                 {reinterpret_cast<const uint8_t*>(&block), sizeof block},
                                 {reinterpret_cast<const uint8_t*>(&side), sizeof side}});
}

CUresult copy_between(CUdeviceptr dst, CUdeviceptr src, size_t bytes, CUstream stream, bool async,
                      SourceRead read) {
    if (bytes == 0) return current_context() == nullptr ? CUDA_ERROR_INVALID_CONTEXT : CUDA_SUCCESS;
    auto* to = reinterpret_cast<void*>(dst);
    const auto* from = reinterpret_cast<const void*>(src);
    const CUdeviceptr shared_dst = in_shared_pages(to, bytes);
    const CUdeviceptr shared_src = in_shared_pages(from, bytes);
    const bool host_dst = shared_dst != 0 || is_host(dst, bytes);
    const bool host_src = shared_src != 0 || is_host(src, bytes);
    if (shared_dst != 0 && shared_src != 0 && async)
        return is_capturing(stream) ? remote::cuMemcpyDtoDAsync_v2(shared_dst, shared_src, bytes, stream)
                                    : copy_pages(shared_dst, shared_src, bytes, stream, false);
    if (host_dst) {
        if (!host_src) return copy_out(to, src, bytes, stream, async);
        const CUresult waited = cuStreamSynchronize(stream);
        if (waited == CUDA_SUCCESS) memmove(to, from, bytes);
        return waited;
    }
    if (host_src) return copy_in(dst, from, bytes, stream, async, read);
    const CUresult result = async || stream != nullptr ? remote::cuMemcpyDtoDAsync_v2(dst, src, bytes, stream)
                                                       : remote::cuMemcpyDtoD_v2(dst, src, bytes);
    return async ? result : finish_synchronous(result, stream, dst, src);
}

CUresult cuMemcpyHtoD_v2(CUdeviceptr dstDevice, const void* srcHost, size_t ByteCount) {
    if (is_shared_host(srcHost, ByteCount))
        return copy_between(dstDevice, reinterpret_cast<CUdeviceptr>(srcHost), ByteCount, implicit_stream(),
                            false);
    return copy_in(dstDevice, srcHost, ByteCount, implicit_stream(), false);
}
CUresult cuMemcpyHtoDAsync_v2(CUdeviceptr dstDevice, const void* srcHost, size_t ByteCount,
                              CUstream hStream) {
    if (is_shared_host(srcHost, ByteCount))
        return copy_between(dstDevice, reinterpret_cast<CUdeviceptr>(srcHost), ByteCount,
                            resolve_stream(hStream), true);
    return copy_in(dstDevice, srcHost, ByteCount, resolve_stream(hStream), true);
}
CUresult cuMemcpyDtoH_v2(void* dstHost, CUdeviceptr srcDevice, size_t ByteCount) {
    if (is_shared_host(dstHost, ByteCount))
        return copy_between(reinterpret_cast<CUdeviceptr>(dstHost), srcDevice, ByteCount, implicit_stream(),
                            false);
    return copy_out(dstHost, srcDevice, ByteCount, implicit_stream(), false);
}
CUresult cuMemcpyDtoHAsync_v2(void* dstHost, CUdeviceptr srcDevice, size_t ByteCount, CUstream hStream) {
    if (is_shared_host(dstHost, ByteCount))
        return copy_between(reinterpret_cast<CUdeviceptr>(dstHost), srcDevice, ByteCount,
                            resolve_stream(hStream), true);
    return copy_out(dstHost, srcDevice, ByteCount, resolve_stream(hStream), true);
}

CUresult cuMemcpy(CUdeviceptr dst, CUdeviceptr src, size_t ByteCount) {
    return copy_between(dst, src, ByteCount, implicit_stream(), false);
}
CUresult cuMemcpyAsync(CUdeviceptr dst, CUdeviceptr src, size_t ByteCount, CUstream hStream) {
    return copy_between(dst, src, ByteCount, resolve_stream(hStream), true);
}

// With unified addressing the addresses say which device they are on; the contexts are only checked.
CUresult cuMemcpyPeer(CUdeviceptr dstDevice, CUcontext dstContext, CUdeviceptr srcDevice,
                      CUcontext srcContext, size_t ByteCount) {
    CUdevice device = -1;
    if (!device_of(dstContext, &device) || !device_of(srcContext, &device)) return CUDA_ERROR_INVALID_CONTEXT;
    return remote::cuMemcpyDtoD_v2(dstDevice, srcDevice, ByteCount);
}
CUresult cuMemcpyPeerAsync(CUdeviceptr dstDevice, CUcontext dstContext, CUdeviceptr srcDevice,
                           CUcontext srcContext, size_t ByteCount, CUstream hStream) {
    CUdevice device = -1;
    if (!device_of(dstContext, &device) || !device_of(srcContext, &device)) return CUDA_ERROR_INVALID_CONTEXT;
    return remote::cuMemcpyDtoDAsync_v2(dstDevice, srcDevice, ByteCount, hStream);
}

}  // namespace bitfusion::client
