"""Pinned host memory: the client's own pages."""

fn("CUresult cuMemHostAlloc(void **pp, size_t bytesize, unsigned int Flags)", local(), since=2020)
fn("CUresult cuMemAllocHost_v2(void **pp, size_t bytesize)", local(), since=3020)
fn("CUresult cuMemFreeHost(void *p)", local(), since=2000)
fn("CUresult cuMemHostRegister_v2(void *p, size_t bytesize, unsigned int Flags)", local(), since=6050)
fn("CUresult cuMemHostRegister(void *p, size_t bytesize, unsigned int Flags)",
   local(), since=4000, old=True, same_as="cuMemHostRegister_v2")
fn("CUresult cuMemHostUnregister(void *p)", local(), since=4000)
fn("CUresult cuMemHostGetFlags(unsigned int *pFlags, void *p)", local(), since=2030)
fn("CUresult cuMemHostGetDevicePointer_v2(CUdeviceptr *pdptr, void *p, unsigned int Flags)", local(), since=3020)
fn("CUresult cuMemAllocHost(void **pp, unsigned int bytesize)", refused("addresses of 32 bits"), since=2000, old=True)
fn("CUresult cuMemHostGetDevicePointer(CUdeviceptr_v1 *pdptr, void *p, unsigned int Flags)",
   refused("addresses of 32 bits"), since=2020, old=True)

# Over shared memory the program's pinned pages are the worker's too (src/worker/shared_pages.h).
message("PagesShare", "call", "u64 wish, u64 byte_count", "u64 device", doc="Pinned memory whose file the client gave over the link before this message: the worker maps it, at the wished address if nothing is there, and kernels reach it.")
message("PagesUnshare", "post", "u64 device", waits=True, doc="Ends a PagesShare.")
message("CopyPages", "post", "u64 target, u64 source, u64 byte_count, u64 stream", doc="A copy of which one side at least lies in shared pages.")
message("CopyPagesAwaited", "call", "u64 target, u64 source, u64 byte_count, u64 stream", "", doc="The same; answered when it is done.")
