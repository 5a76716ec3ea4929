// Copies of a row of an array, and copies between contexts: each is a box of a copy of three dimensions. The
// variants of CUDA 3 and earlier differ in the width of their integers only.
#include "client/context.h"
#include "client/copy.h"
#include "client/stream.h"
#include "client_hand.gen.h"

namespace bitfusion::client {
namespace {

CUDA_MEMCPY3D row(size_t bytes) {
    CUDA_MEMCPY3D box{};
    box.WidthInBytes = bytes;
    box.Height = box.Depth = 1;
    return box;
}

void from_array(CUDA_MEMCPY3D* box, CUarray array, size_t offset) {
    box->srcMemoryType = CU_MEMORYTYPE_ARRAY;
    box->srcArray = array;
    box->srcXInBytes = offset;
}

void to_array(CUDA_MEMCPY3D* box, CUarray array, size_t offset) {
    box->dstMemoryType = CU_MEMORYTYPE_ARRAY;
    box->dstArray = array;
    box->dstXInBytes = offset;
}

CUresult host_to_array(CUarray array, size_t offset, const void* from, size_t bytes, CUstream stream,
                       bool async) {
    CUDA_MEMCPY3D box = row(bytes);
    to_array(&box, array, offset);
    box.srcMemoryType = CU_MEMORYTYPE_HOST;
    box.srcHost = from;
    return copy_box(box, stream, async);
}

CUresult array_to_host(void* to, CUarray array, size_t offset, size_t bytes, CUstream stream, bool async) {
    CUDA_MEMCPY3D box = row(bytes);
    from_array(&box, array, offset);
    box.dstMemoryType = CU_MEMORYTYPE_HOST;
    box.dstHost = to;
    return copy_box(box, stream, async);
}

// The contexts are checked; which device a side lies on, its address or its array says.
CUresult copy_peers(const CUDA_MEMCPY3D_PEER* c, CUstream stream, bool async) {
    if (current_context() == nullptr) return CUDA_ERROR_INVALID_CONTEXT;
    if (c == nullptr) return CUDA_ERROR_INVALID_VALUE;
    CUdevice device = -1;
    for (const CUcontext context : {c->srcContext, c->dstContext}) {
        if (context != nullptr && !device_of(context, &device)) return CUDA_ERROR_INVALID_CONTEXT;
    }
    CUDA_MEMCPY3D box{};
    box.srcXInBytes = c->srcXInBytes;
    box.srcY = c->srcY;
    box.srcZ = c->srcZ;
    box.srcLOD = c->srcLOD;
    box.srcMemoryType = c->srcMemoryType;
    box.srcHost = c->srcHost;
    box.srcDevice = c->srcDevice;
    box.srcArray = c->srcArray;
    box.srcPitch = c->srcPitch;
    box.srcHeight = c->srcHeight;
    box.dstXInBytes = c->dstXInBytes;
    box.dstY = c->dstY;
    box.dstZ = c->dstZ;
    box.dstLOD = c->dstLOD;
    box.dstMemoryType = c->dstMemoryType;
    box.dstHost = c->dstHost;
    box.dstDevice = c->dstDevice;
    box.dstArray = c->dstArray;
    box.dstPitch = c->dstPitch;
    box.dstHeight = c->dstHeight;
    box.WidthInBytes = c->WidthInBytes;
    box.Height = c->Height;
    box.Depth = c->Depth;
    return copy_box(box, stream, async);
}

}  // namespace

CUresult cuMemcpyHtoA_v2(CUarray dstArray, size_t dstOffset, const void* srcHost, size_t ByteCount) {
    return host_to_array(dstArray, dstOffset, srcHost, ByteCount, implicit_stream(), false);
}
CUresult cuMemcpyHtoAAsync_v2(CUarray dstArray, size_t dstOffset, const void* srcHost, size_t ByteCount,
                              CUstream hStream) {
    return host_to_array(dstArray, dstOffset, srcHost, ByteCount, resolve_stream(hStream), true);
}
CUresult cuMemcpyAtoH_v2(void* dstHost, CUarray srcArray, size_t srcOffset, size_t ByteCount) {
    return array_to_host(dstHost, srcArray, srcOffset, ByteCount, implicit_stream(), false);
}
CUresult cuMemcpyAtoHAsync_v2(void* dstHost, CUarray srcArray, size_t srcOffset, size_t ByteCount,
                              CUstream hStream) {
    return array_to_host(dstHost, srcArray, srcOffset, ByteCount, resolve_stream(hStream), true);
}
CUresult cuMemcpyDtoA_v2(CUarray dstArray, size_t dstOffset, CUdeviceptr srcDevice, size_t ByteCount) {
    CUDA_MEMCPY3D box = row(ByteCount);
    to_array(&box, dstArray, dstOffset);
    box.srcMemoryType = CU_MEMORYTYPE_DEVICE;
    box.srcDevice = srcDevice;
    return copy_box(box, implicit_stream(), false);
}
CUresult cuMemcpyAtoD_v2(CUdeviceptr dstDevice, CUarray srcArray, size_t srcOffset, size_t ByteCount) {
    CUDA_MEMCPY3D box = row(ByteCount);
    from_array(&box, srcArray, srcOffset);
    box.dstMemoryType = CU_MEMORYTYPE_DEVICE;
    box.dstDevice = dstDevice;
    return copy_box(box, implicit_stream(), false);
}
CUresult cuMemcpyAtoA_v2(CUarray dstArray, size_t dstOffset, CUarray srcArray, size_t srcOffset,
                         size_t ByteCount) {
    CUDA_MEMCPY3D box = row(ByteCount);
    from_array(&box, srcArray, srcOffset);
    to_array(&box, dstArray, dstOffset);
    return copy_box(box, implicit_stream(), false);
}

CUresult cuMemcpyHtoA(CUarray dstArray, unsigned int dstOffset, const void* srcHost, unsigned int ByteCount) {
    return cuMemcpyHtoA_v2(dstArray, dstOffset, srcHost, ByteCount);
}
CUresult cuMemcpyHtoAAsync(CUarray dstArray, unsigned int dstOffset, const void* srcHost,
                           unsigned int ByteCount, CUstream hStream) {
    return cuMemcpyHtoAAsync_v2(dstArray, dstOffset, srcHost, ByteCount, hStream);
}
CUresult cuMemcpyAtoH(void* dstHost, CUarray srcArray, unsigned int srcOffset, unsigned int ByteCount) {
    return cuMemcpyAtoH_v2(dstHost, srcArray, srcOffset, ByteCount);
}
CUresult cuMemcpyAtoHAsync(void* dstHost, CUarray srcArray, unsigned int srcOffset, unsigned int ByteCount,
                           CUstream hStream) {
    return cuMemcpyAtoHAsync_v2(dstHost, srcArray, srcOffset, ByteCount, hStream);
}
CUresult cuMemcpyAtoA(CUarray dstArray, unsigned int dstOffset, CUarray srcArray, unsigned int srcOffset,
                      unsigned int ByteCount) {
    return cuMemcpyAtoA_v2(dstArray, dstOffset, srcArray, srcOffset, ByteCount);
}

CUresult cuMemcpy3DPeer(const CUDA_MEMCPY3D_PEER* pCopy) {
    return copy_peers(pCopy, implicit_stream(), false);
}
CUresult cuMemcpy3DPeerAsync(const CUDA_MEMCPY3D_PEER* pCopy, CUstream hStream) {
    return copy_peers(pCopy, resolve_stream(hStream), true);
}

}  // namespace bitfusion::client
