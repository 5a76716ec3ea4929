"""Copies."""

fn("CUresult cuMemcpy(CUdeviceptr dst, CUdeviceptr src, size_t ByteCount)", local(), since=4000, ptds=7000)
fn("CUresult cuMemcpyAsync(CUdeviceptr dst, CUdeviceptr src, size_t ByteCount, CUstream hStream)",
   local(), since=4000, ptsz=7000)
fn("""CUresult cuMemcpyPeer(CUdeviceptr dstDevice, CUcontext dstContext, CUdeviceptr srcDevice, CUcontext
   srcContext, size_t ByteCount)""",
   local(), since=4000, ptds=7000)
fn("""CUresult cuMemcpyPeerAsync(CUdeviceptr dstDevice, CUcontext dstContext, CUdeviceptr srcDevice, CUcontext
   srcContext, size_t ByteCount, CUstream hStream)""",
   local(), since=4000, ptsz=7000)
fn("CUresult cuMemcpyHtoD_v2(CUdeviceptr dstDevice, const void *srcHost, size_t ByteCount)",
   local(), since=3020, ptds=7000)
fn("""CUresult cuMemcpyHtoDAsync_v2(CUdeviceptr dstDevice, const void *srcHost, size_t ByteCount, CUstream
   hStream)""",
   local(), since=3020, ptsz=7000)
fn("CUresult cuMemcpyDtoH_v2(void *dstHost, CUdeviceptr srcDevice, size_t ByteCount)", local(), since=3020, ptds=7000)
fn("CUresult cuMemcpyDtoHAsync_v2(void *dstHost, CUdeviceptr srcDevice, size_t ByteCount, CUstream hStream)",
   local(), since=3020, ptsz=7000)
fn("CUresult cuMemcpyDtoD_v2(CUdeviceptr dstDevice, CUdeviceptr srcDevice, size_t ByteCount)",
   post(), since=3020, ptds=7000, ptds_as="cuMemcpyDtoDAsync_v2",
   dstDevice=within("ByteCount"), srcDevice=within("ByteCount"))
fn("""CUresult cuMemcpyDtoDAsync_v2(CUdeviceptr dstDevice, CUdeviceptr srcDevice, size_t ByteCount, CUstream
   hStream)""",
   post(), since=3020, ptsz=7000, dstDevice=within("ByteCount"), srcDevice=within("ByteCount"))
fn("CUresult cuMemcpy2D_v2(const CUDA_MEMCPY2D *pCopy)", local(), since=3020, ptds=7000)
fn("CUresult cuMemcpy2DUnaligned_v2(const CUDA_MEMCPY2D *pCopy)", local(), since=3020, ptds=7000)
fn("CUresult cuMemcpy2DAsync_v2(const CUDA_MEMCPY2D *pCopy, CUstream hStream)", local(), since=3020, ptsz=7000)
fn("CUresult cuMemcpy3D_v2(const CUDA_MEMCPY3D *pCopy)", local(), since=3020, ptds=7000)
fn("CUresult cuMemcpy3DAsync_v2(const CUDA_MEMCPY3D *pCopy, CUstream hStream)", local(), since=3020, ptsz=7000)
fn("CUresult cuMemcpy2D(const CUDA_MEMCPY2D_v1 *pCopy)", refused("addresses of 32 bits"), since=2000, old=True)
fn("CUresult cuMemcpy2DAsync(const CUDA_MEMCPY2D_v1 *pCopy, CUstream hStream)",
   refused("addresses of 32 bits"), since=2000, old=True)
fn("CUresult cuMemcpy2DUnaligned(const CUDA_MEMCPY2D_v1 *pCopy)",
   refused("addresses of 32 bits"), since=2000, old=True)
fn("CUresult cuMemcpy3D(const CUDA_MEMCPY3D_v1 *pCopy)", refused("addresses of 32 bits"), since=2000, old=True)
fn("CUresult cuMemcpy3DAsync(const CUDA_MEMCPY3D_v1 *pCopy, CUstream hStream)",
   refused("addresses of 32 bits"), since=2000, old=True)
fn("""CUresult cuMemcpy3DBatchAsync(size_t numOps, CUDA_MEMCPY3D_BATCH_OP *opList, size_t *failIdx, unsigned
   long long flags, CUstream hStream)""",
   local(), since=12080, ptsz=12080, old=True)
fn("""CUresult cuMemcpy3DBatchAsync_v2(size_t numOps, CUDA_MEMCPY3D_BATCH_OP *opList, unsigned long long
   flags, CUstream hStream)""",
   local(), since=13000, ptsz=13000)
fn("CUresult cuMemcpy3DPeer(const CUDA_MEMCPY3D_PEER *pCopy)",
   local(), since=4000, ptds=7000)
fn("CUresult cuMemcpy3DPeerAsync(const CUDA_MEMCPY3D_PEER *pCopy, CUstream hStream)",
   local(), since=4000, ptsz=7000)
fn("""CUresult cuMemcpyAtoA(CUarray dstArray, unsigned int dstOffset, CUarray srcArray, unsigned int
   srcOffset, unsigned int ByteCount)""",
   local(), since=2000, old=True)
fn("""CUresult cuMemcpyAtoA_v2(CUarray dstArray, size_t dstOffset, CUarray srcArray, size_t srcOffset, size_t
   ByteCount)""",
   local(), since=3020, ptds=7000)
fn("""CUresult cuMemcpyAtoD(CUdeviceptr_v1 dstDevice, CUarray srcArray, unsigned int srcOffset, unsigned int
   ByteCount)""",
   refused("addresses of 32 bits"), since=2000, old=True)
fn("CUresult cuMemcpyAtoD_v2(CUdeviceptr dstDevice, CUarray srcArray, size_t srcOffset, size_t ByteCount)",
   local(), since=3020, ptds=7000)
fn("CUresult cuMemcpyAtoH(void *dstHost, CUarray srcArray, unsigned int srcOffset, unsigned int ByteCount)",
   local(), since=2000, old=True)
fn("""CUresult cuMemcpyAtoHAsync(void *dstHost, CUarray srcArray, unsigned int srcOffset, unsigned int
   ByteCount, CUstream hStream)""",
   local(), since=2000, old=True)
fn("""CUresult cuMemcpyAtoHAsync_v2(void *dstHost, CUarray srcArray, size_t srcOffset, size_t ByteCount,
   CUstream hStream)""",
   local(), since=3020, ptsz=7000)
fn("CUresult cuMemcpyAtoH_v2(void *dstHost, CUarray srcArray, size_t srcOffset, size_t ByteCount)",
   local(), since=3020, ptds=7000)
fn("""CUresult cuMemcpyBatchAsync(CUdeviceptr *dsts, CUdeviceptr *srcs, size_t *sizes, size_t count,
   CUmemcpyAttributes *attrs, size_t *attrsIdxs, size_t numAttrs, size_t *failIdx, CUstream hStream)""",
   local(), since=12080, ptsz=12080, old=True)
fn("""CUresult cuMemcpyBatchAsync_v2(CUdeviceptr *dsts, CUdeviceptr *srcs, size_t *sizes, size_t count,
   CUmemcpyAttributes *attrs, size_t *attrsIdxs, size_t numAttrs, CUstream hStream)""",
   local(), since=13000, ptsz=13000)
fn("""CUresult cuMemcpyDtoA(CUarray dstArray, unsigned int dstOffset, CUdeviceptr_v1 srcDevice, unsigned int
   ByteCount)""",
   refused("addresses of 32 bits"), since=2000, old=True)
fn("CUresult cuMemcpyDtoA_v2(CUarray dstArray, size_t dstOffset, CUdeviceptr srcDevice, size_t ByteCount)",
   local(), since=3020, ptds=7000)
fn("CUresult cuMemcpyDtoD(CUdeviceptr_v1 dstDevice, CUdeviceptr_v1 srcDevice, unsigned int ByteCount)",
   refused("addresses of 32 bits"), since=2000, old=True)
fn("""CUresult cuMemcpyDtoDAsync(CUdeviceptr_v1 dstDevice, CUdeviceptr_v1 srcDevice, unsigned int ByteCount,
   CUstream hStream)""",
   refused("addresses of 32 bits"), since=3000, old=True)
fn("CUresult cuMemcpyDtoH(void *dstHost, CUdeviceptr_v1 srcDevice, unsigned int ByteCount)",
   refused("addresses of 32 bits"), since=2000, old=True)
fn("""CUresult cuMemcpyDtoHAsync(void *dstHost, CUdeviceptr_v1 srcDevice, unsigned int ByteCount, CUstream
   hStream)""",
   refused("addresses of 32 bits"), since=2000, old=True)
fn("CUresult cuMemcpyHtoA(CUarray dstArray, unsigned int dstOffset, const void *srcHost, unsigned int ByteCount)",
   local(), since=2000, old=True)
fn("""CUresult cuMemcpyHtoAAsync(CUarray dstArray, unsigned int dstOffset, const void *srcHost, unsigned int
   ByteCount, CUstream hStream)""",
   local(), since=2000, old=True)
fn("""CUresult cuMemcpyHtoAAsync_v2(CUarray dstArray, size_t dstOffset, const void *srcHost, size_t ByteCount,
   CUstream hStream)""",
   local(), since=3020, ptsz=7000)
fn("CUresult cuMemcpyHtoA_v2(CUarray dstArray, size_t dstOffset, const void *srcHost, size_t ByteCount)",
   local(), since=3020, ptds=7000)
fn("CUresult cuMemcpyHtoD(CUdeviceptr_v1 dstDevice, const void *srcHost, unsigned int ByteCount)",
   refused("addresses of 32 bits"), since=2000, old=True)
fn("""CUresult cuMemcpyHtoDAsync(CUdeviceptr_v1 dstDevice, const void *srcHost, unsigned int ByteCount,
   CUstream hStream)""",
   refused("addresses of 32 bits"), since=2000, old=True)

message("CopyIn", "post", "u64 device, u64 stream, u32 flags, bulk data", doc="Host to device; the data are in the message. Flag 1: on the stream; else as cuMemcpyHtoD.")
message("CopyOut", "call", "u64 device, u64 byte_count, u64 stream, u32 flags", "bulk data", doc="Device to host, awaited. Flag 1: on the stream; else as cuMemcpyDtoH.")
message("CopyOutLater", "post", "u64 device, u64 byte_count, u64 stream, u64 ticket", doc="Device to pinned host memory: the data come as CopyOutData before any completion that follows.")
message("CopyOutData", "event", "u64 ticket, u64 offset, bulk data", doc="A piece of a CopyOutLater.")
message("CopyBlockIn", "post", "bytes block, u64 stream, u32 flags, bulk data", doc="A block of rows to a pitched device region or an array; the rows are packed.")
message("CopyBlockOut", "call", "bytes block, u64 stream, u32 flags", "bulk data", doc="A block of rows from a pitched device region or an array, packed.")
message("CopyBlock", "post", "bytes source, bytes target, u64 stream, u32 flags", doc="A block from device to device.")
