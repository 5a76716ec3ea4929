"""Devices: static facts, prefetched by Attach and answered locally."""

fn("CUresult cuDeviceGet(CUdevice *device, int ordinal)", local(), since=2000)
fn("CUresult cuDeviceGetCount(int *count)", local(), since=2000)
fn("CUresult cuDeviceGetName(char *name, int len, CUdevice dev)", local(), since=2000)
fn("CUresult cuDeviceGetUuid(CUuuid *uuid, CUdevice dev)", local(), since=9020, old=True)
fn("CUresult cuDeviceGetUuid_v2(CUuuid *uuid, CUdevice dev)", local(), since=11040)
fn("CUresult cuDeviceGetLuid(char *luid, unsigned int *deviceNodeMask, CUdevice dev)", local(), since=10000)
fn("CUresult cuDeviceTotalMem_v2(size_t *bytes, CUdevice dev)", local(), since=3020)
fn("CUresult cuDeviceTotalMem(unsigned int *bytes, CUdevice dev)",
   refused("addresses of 32 bits"), since=2000, old=True)
fn("CUresult cuDeviceGetAttribute(int *pi, CUdevice_attribute attrib, CUdevice dev)", local(), since=2000)
fn("CUresult cuDeviceGetProperties(CUdevprop *prop, CUdevice dev)", local(), since=2000)
fn("CUresult cuDeviceComputeCapability(int *major, int *minor, CUdevice dev)", local(), since=2000)
fn("CUresult cuDeviceGetByPCIBusId(CUdevice *dev, const char *pciBusId)", local(), since=4010)
fn("CUresult cuDeviceGetPCIBusId(char *pciBusId, int len, CUdevice dev)", local(), since=4010)
fn("""CUresult cuDeviceGetP2PAttribute(int *value, CUdevice_P2PAttribute attrib, CUdevice srcDevice, CUdevice
   dstDevice)""",
   local(), since=8000)
fn("CUresult cuDeviceCanAccessPeer(int *canAccessPeer, CUdevice dev, CUdevice peerDev)", local(), since=4000)
fn("CUresult cuDeviceGetExecAffinitySupport(int *pi, CUexecAffinityType type, CUdevice dev)",
   call(), since=11040, pi=out())
fn("""CUresult cuDeviceGetTexture1DLinearMaxWidth(size_t *maxWidthInElements, CUarray_format format, unsigned
   numChannels, CUdevice dev)""",
   call(), since=11010, maxWidthInElements=out())
fn("CUresult cuDeviceGetDefaultMemPool(CUmemoryPool *pool_out, CUdevice dev)", call(), since=11020, pool_out=out())
fn("CUresult cuDeviceGetMemPool(CUmemoryPool *pool, CUdevice dev)", call(), since=11020, pool=out())
fn("CUresult cuDeviceSetMemPool(CUdevice dev, CUmemoryPool pool)", call(), since=11020)
fn("CUresult cuDeviceGetGraphMemAttribute(CUdevice device, CUgraphMem_attribute attr, void *value)",
   call(), since=11040, value=out_bytes("8"))
fn("CUresult cuDeviceSetGraphMemAttribute(CUdevice device, CUgraphMem_attribute attr, void *value)",
   call(), since=11040, value=in_bytes("8"))
fn("CUresult cuDeviceGraphMemTrim(CUdevice device)", call(), since=11040)
fn("""CUresult cuDeviceGetHostAtomicCapabilities(unsigned int *capabilities, const CUatomicOperation
   *operations, unsigned int count, CUdevice dev)""",
   call(), since=13000, capabilities=out_array("count"), operations=in_array("count"))
fn("""CUresult cuDeviceGetP2PAtomicCapabilities(unsigned int *capabilities, const CUatomicOperation
   *operations, unsigned int count, CUdevice srcDevice, CUdevice dstDevice)""",
   call(), since=13000, capabilities=out_array("count"), operations=in_array("count"))
fn("""CUresult cuFlushGPUDirectRDMAWrites(CUflushGPUDirectRDMAWritesTarget target,
   CUflushGPUDirectRDMAWritesScope scope)""",
   refused("no device of the client may write into remote GPU memory"), since=11030)
fn("CUresult cuDeviceGetNvSciSyncAttributes(void *nvSciSyncAttrList, CUdevice dev, int flags)",
   refused("NvSci objects belong to the client's machine"), since=10020)
fn("""CUresult cuDeviceRegisterAsyncNotification(CUdevice device, CUasyncCallback callbackFunc, void
   *userData, CUasyncCallbackHandle *callback)""",
   refused("notifications of a GPU's memory budget concern the server"), since=12040)
fn("CUresult cuDeviceUnregisterAsyncNotification(CUdevice device, CUasyncCallbackHandle callback)",
   refused("notifications of a GPU's memory budget concern the server"), since=12040)
fn("CUresult cuDeviceGetDevResource(CUdevice device, CUdevResource *resource, CUdevResourceType type)",
   refused("a lease divides a GPU's memory, not its processors"), since=12040)

message("Attach", "call", "text visible", "i32 driver_version, bytes devices, bytes peers, u64 partition_bytes, bytes image_key",
        doc="First message of a session: which devices the program wants to see (CUDA_VISIBLE_DEVICES), and every static fact of them; the key of the image cache, if there is one.")
