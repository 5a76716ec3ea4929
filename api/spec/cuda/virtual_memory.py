"""Virtual memory management."""

fn("""CUresult cuMemAddressReserve(CUdeviceptr *ptr, size_t size, size_t alignment, CUdeviceptr addr, unsigned
   long long flags)""",
   call(), since=10020, contextless=True, hand=BOTH, ptr=out())
fn("CUresult cuMemAddressFree(CUdeviceptr ptr, size_t size)", call(), since=10020, contextless=True, hand=BOTH)
fn("""CUresult cuMemCreate(CUmemGenericAllocationHandle *handle, size_t size, const CUmemAllocationProp *prop,
   unsigned long long flags)""",
   call(), since=10020, contextless=True, hand=WORKER, handle=out(), prop=in_struct())
fn("CUresult cuMemRelease(CUmemGenericAllocationHandle handle)", call(), since=10020, contextless=True, hand=BOTH)
fn("""CUresult cuMemMap(CUdeviceptr ptr, size_t size, size_t offset, CUmemGenericAllocationHandle handle,
   unsigned long long flags)""",
   call(), since=10020, contextless=True, hand=BOTH)
fn("CUresult cuMemUnmap(CUdeviceptr ptr, size_t size)", call(), since=10020, contextless=True, hand=BOTH)
fn("CUresult cuMemSetAccess(CUdeviceptr ptr, size_t size, const CUmemAccessDesc *desc, size_t count)",
   call(), since=10020, contextless=True, ptr=within("size"), desc=in_array("count"))
fn("CUresult cuMemGetAccess(unsigned long long *flags, const CUmemLocation *location, CUdeviceptr ptr)",
   call(), since=10020, contextless=True, flags=out(), location=in_struct(), ptr=within("1"))
fn("""CUresult cuMemGetAllocationGranularity(size_t *granularity, const CUmemAllocationProp *prop,
   CUmemAllocationGranularity_flags option)""",
   call(), since=10020, contextless=True, hand=CLIENT, granularity=out(), prop=in_struct())
fn("""CUresult cuMemGetAllocationPropertiesFromHandle(CUmemAllocationProp *prop, CUmemGenericAllocationHandle
   handle)""",
   call(), since=10020, contextless=True, prop=out())
fn("CUresult cuMemRetainAllocationHandle(CUmemGenericAllocationHandle *handle, void *addr)",
   call(), since=11000, contextless=True, hand=WORKER, handle=out(), addr=device_pointer())
fn("""CUresult cuMemExportToShareableHandle(void *shareableHandle, CUmemGenericAllocationHandle handle,
   CUmemAllocationHandleType handleType, unsigned long long flags)""",
   local(), since=10020)
fn("""CUresult cuMemGetHandleForAddressRange(void *handle, CUdeviceptr dptr, size_t size, CUmemRangeHandleType
   handleType, unsigned long long flags)""",
   refused("no device of the client can reach the server's memory; devices say so"), since=11070)
fn("""CUresult cuMemImportFromShareableHandle(CUmemGenericAllocationHandle *handle, void *osHandle,
   CUmemAllocationHandleType shHandleType)""",
   local(), since=10020)
fn("""CUresult cuMemPoolExportToShareableHandle(void *handle_out, CUmemoryPool pool, CUmemAllocationHandleType
   handleType, unsigned long long flags)""",
   local(), since=11020)
fn("""CUresult cuMemPoolImportFromShareableHandle(CUmemoryPool *pool_out, void *handle,
   CUmemAllocationHandleType handleType, unsigned long long flags)""",
   local(), since=11020)
fn("CUresult cuMulticastAddDevice(CUmemGenericAllocationHandle mcHandle, CUdevice dev)",
   refused("multicast joins GPUs of several processes; devices say that they have none"), since=12010)
fn("""CUresult cuMulticastBindAddr(CUmemGenericAllocationHandle mcHandle, size_t mcOffset, CUdeviceptr memptr,
   size_t size, unsigned long long flags)""",
   refused("multicast joins GPUs of several processes; devices say that they have none"), since=12010)
fn("""CUresult cuMulticastBindMem(CUmemGenericAllocationHandle mcHandle, size_t mcOffset,
   CUmemGenericAllocationHandle memHandle, size_t memOffset, size_t size, unsigned long long flags)""",
   refused("multicast joins GPUs of several processes; devices say that they have none"), since=12010)
fn("CUresult cuMulticastCreate(CUmemGenericAllocationHandle *mcHandle, const CUmulticastObjectProp *prop)",
   refused("multicast joins GPUs of several processes; devices say that they have none"), since=12010)
fn("""CUresult cuMulticastGetGranularity(size_t *granularity, const CUmulticastObjectProp *prop,
   CUmulticastGranularity_flags option)""",
   refused("multicast joins GPUs of several processes; devices say that they have none"), since=12010)
fn("""CUresult cuMulticastUnbind(CUmemGenericAllocationHandle mcHandle, CUdevice dev, size_t mcOffset, size_t
   size)""",
   refused("multicast joins GPUs of several processes; devices say that they have none"), since=12010)

gap("memory of the host (`cuMemCreate` with a location other than a device)", "it would be the server's, which no partition counts")
gap("handles of other systems and fabrics", "they name nothing on the client's machine; file descriptors are served")
