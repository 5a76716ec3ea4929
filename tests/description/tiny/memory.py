"""One function a mode: called, posted, posted with a name of the client's, by hand, and not served."""

fn("CUresult cuMemAlloc_v2(CUdeviceptr *dptr, size_t bytesize)", call(), since=3020, hand=WORKER, dptr=out())
fn("CUresult cuMemsetD32Async(CUdeviceptr dstDevice, unsigned int ui, size_t N, CUstream hStream)",
   post(), since=3020, ptsz=7000, dstDevice=within("N*4"))
fn("CUresult cuEventCreate(CUevent *phEvent, unsigned int Flags)", post(names="phEvent"), since=2000, phEvent=out())
fn("CUresult cuMemAlloc(CUdeviceptr *dptr, unsigned int bytesize)", refused("addresses of 32 bits"), since=2000, old=True)

message("CopyOut", "call", "u64 device, u64 byte_count, text label", "i32 pieces, bulk data", doc="Device to host, awaited.")
