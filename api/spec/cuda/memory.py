"""Linear memory, pools, pointer attributes."""

fn("CUresult cuMemAlloc_v2(CUdeviceptr *dptr, size_t bytesize)", call(), since=3020, hand=BOTH, dptr=out())
fn("""CUresult cuMemAllocPitch_v2(CUdeviceptr *dptr, size_t *pPitch, size_t WidthInBytes, size_t Height,
   unsigned int ElementSizeBytes)""",
   call(), since=3020, hand=BOTH, dptr=out(), pPitch=out())
fn("CUresult cuMemFree_v2(CUdeviceptr dptr)", post(), since=3020, hand=BOTH)
fn("CUresult cuMemGetInfo_v2(size_t *free, size_t *total)", call(), since=3020, hand=BOTH, free=out(), total=out())
fn("CUresult cuMemGetAddressRange_v2(CUdeviceptr *pbase, size_t *psize, CUdeviceptr dptr)", local(), since=3020)
fn("CUresult cuMemAllocAsync(CUdeviceptr *dptr, size_t bytesize, CUstream hStream)",
   call(), since=11020, ptsz=11020, hand=BOTH, dptr=out())
fn("CUresult cuMemAllocFromPoolAsync(CUdeviceptr *dptr, size_t bytesize, CUmemoryPool pool, CUstream hStream)",
   call(), since=11020, ptsz=11020, hand=BOTH, dptr=out())
fn("CUresult cuMemFreeAsync(CUdeviceptr dptr, CUstream hStream)", post(), since=11020, ptsz=11020, hand=BOTH)
fn("CUresult cuMemPoolCreate(CUmemoryPool *pool, const CUmemPoolProps *poolProps)",
   call(), since=11020, contextless=True, pool=out(), poolProps=in_struct())
fn("CUresult cuMemPoolDestroy(CUmemoryPool pool)", post(), since=11020, pool=ends())
fn("CUresult cuMemPoolTrimTo(CUmemoryPool pool, size_t minBytesToKeep)", call(), since=11020, contextless=True)
fn("CUresult cuMemPoolGetAttribute(CUmemoryPool pool, CUmemPool_attribute attr, void *value)",
   call(), since=11020, contextless=True, hand=CLIENT, value=out_bytes("8"))
fn("CUresult cuMemPoolSetAttribute(CUmemoryPool pool, CUmemPool_attribute attr, void *value)",
   call(), since=11020, contextless=True, hand=CLIENT, value=in_bytes("8"))
fn("CUresult cuMemPoolSetAccess(CUmemoryPool pool, const CUmemAccessDesc *map, size_t count)",
   call(), since=11020, contextless=True, map=in_array("count"))
fn("CUresult cuMemPoolGetAccess(CUmemAccess_flags *flags, CUmemoryPool memPool, CUmemLocation *location)",
   call(), since=11020, contextless=True, flags=out(), location=in_struct())
fn("CUresult cuMemGetDefaultMemPool(CUmemoryPool *pool_out, CUmemLocation *location, CUmemAllocationType type)",
   call(), since=13000, contextless=True, pool_out=out(), location=in_struct())
fn("CUresult cuMemGetMemPool(CUmemoryPool *pool, CUmemLocation *location, CUmemAllocationType type)",
   call(), since=13000, contextless=True, pool=out(), location=in_struct())
fn("CUresult cuMemSetMemPool(CUmemLocation *location, CUmemAllocationType type, CUmemoryPool pool)",
   call(), since=13000, contextless=True, location=in_struct())
fn("CUresult cuPointerGetAttribute(void *data, CUpointer_attribute attribute, CUdeviceptr ptr)", local(), since=4000)
fn("""CUresult cuPointerGetAttributes(unsigned int numAttributes, CUpointer_attribute *attributes, void
   **data, CUdeviceptr ptr)""",
   local(), since=7000)
fn("CUresult cuPointerSetAttribute(const void *value, CUpointer_attribute attribute, CUdeviceptr ptr)",
   local(), since=6000)
message("PointerOrigin", "call", "u64 address", "u64 pool, u64 handle_types", doc="Which pool an address was allocated from, and as what its memory can be shared with other processes; both 0: none.")
fn("CUresult cuMemAdvise(CUdeviceptr devPtr, size_t count, CUmem_advise advice, CUdevice device)",
   local(), since=8000, old=True)
fn("CUresult cuMemAdvise_v2(CUdeviceptr devPtr, size_t count, CUmem_advise advice, CUmemLocation location)",
   local(), since=12020)
fn("CUresult cuMemAlloc(CUdeviceptr_v1 *dptr, unsigned int bytesize)",
   refused("addresses of 32 bits"), since=2000, old=True)
fn("CUresult cuMemAllocManaged(CUdeviceptr *dptr, size_t bytesize, unsigned int flags)",
   call(), since=6000, hand=BOTH, dptr=out())
fn("""CUresult cuMemAllocPitch(CUdeviceptr_v1 *dptr, unsigned int *pPitch, unsigned int WidthInBytes, unsigned
   int Height, unsigned int ElementSizeBytes)""",
   refused("addresses of 32 bits"), since=2000, old=True)
fn("""CUresult cuMemBatchDecompressAsync(CUmemDecompressParams *paramsArray, size_t count, unsigned int flags,
   size_t *errorIndex, CUstream stream)""",
   refused("needs an engine in the GPU; devices say that they have none"), since=12060, ptsz=12060)
fn("""CUresult cuMemDiscardAndPrefetchBatchAsync(CUdeviceptr *dptrs, size_t *sizes, size_t count,
   CUmemLocation *prefetchLocs, size_t *prefetchLocIdxs, size_t numPrefetchLocs, unsigned long long flags,
   CUstream hStream)""",
   local(), since=13000, ptsz=13000)
fn("""CUresult cuMemDiscardBatchAsync(CUdeviceptr *dptrs, size_t *sizes, size_t count, unsigned long long
   flags, CUstream hStream)""",
   local(), since=13000, ptsz=13000)
fn("CUresult cuMemFree(CUdeviceptr_v1 dptr)", refused("addresses of 32 bits"), since=2000, old=True)
fn("CUresult cuMemGetAddressRange(CUdeviceptr_v1 *pbase, unsigned int *psize, CUdeviceptr_v1 dptr)",
   refused("addresses of 32 bits"), since=2000, old=True)
fn("CUresult cuMemGetInfo(unsigned int *free, unsigned int *total)",
   refused("addresses of 32 bits"), since=2000, old=True)
fn("CUresult cuMemPoolExportPointer(CUmemPoolPtrExportData *shareData_out, CUdeviceptr ptr)",
   local(), since=11020)
fn("CUresult cuMemPoolImportPointer(CUdeviceptr *ptr_out, CUmemoryPool pool, CUmemPoolPtrExportData *shareData)",
   local(), since=11020)
fn("CUresult cuMemPrefetchAsync(CUdeviceptr devPtr, size_t count, CUdevice dstDevice, CUstream hStream)",
   local(), since=8000, ptsz=8000, old=True)
fn("""CUresult cuMemPrefetchAsync_v2(CUdeviceptr devPtr, size_t count, CUmemLocation location, unsigned int
   flags, CUstream hStream)""",
   local(), since=12020, ptsz=12020)
fn("""CUresult cuMemPrefetchBatchAsync(CUdeviceptr *dptrs, size_t *sizes, size_t count, CUmemLocation
   *prefetchLocs, size_t *prefetchLocIdxs, size_t numPrefetchLocs, unsigned long long flags, CUstream
   hStream)""",
   local(), since=13000, ptsz=13000)
fn("""CUresult cuMemRangeGetAttribute(void *data, size_t dataSize, CUmem_range_attribute attribute,
   CUdeviceptr devPtr, size_t count)""",
   local(), since=8000)
fn("""CUresult cuMemRangeGetAttributes(void **data, size_t *dataSizes, CUmem_range_attribute *attributes,
   size_t numAttributes, CUdeviceptr devPtr, size_t count)""",
   local(), since=8000)
