"""Memory and events shared between the processes of one lease. Tokens are src/worker/exchange.h's."""

fn("CUresult cuIpcCloseMemHandle(CUdeviceptr dptr)", local(), since=4010)
fn("CUresult cuIpcGetEventHandle(CUipcEventHandle *pHandle, CUevent event)", local(), since=4010)
fn("CUresult cuIpcGetMemHandle(CUipcMemHandle *pHandle, CUdeviceptr dptr)", local(), since=4010)
fn("CUresult cuIpcOpenEventHandle(CUevent *phEvent, CUipcEventHandle handle)", local(), since=4010)
fn("CUresult cuIpcOpenMemHandle(CUdeviceptr *pdptr, CUipcMemHandle handle, unsigned int Flags)",
   local(), since=4010, old=True, same_as="cuIpcOpenMemHandle_v2")
fn("CUresult cuIpcOpenMemHandle_v2(CUdeviceptr *pdptr, CUipcMemHandle handle, unsigned int Flags)",
   local(), since=11000)

message("MemoryShare", "call", "u64 address", "bytes token", doc="cuIpcGetMemHandle: a token of 64 bytes instead of the driver's handle.")
message("MemoryOpen", "call", "bytes token, u32 flags", "u64 address, u64 byte_count, u32 again", doc="cuIpcOpenMemHandle. again: it was open already, at this address.")
message("MemoryClose", "call", "u64 address", "u32 left", waits=True, doc="cuIpcCloseMemHandle. left: how often it is still open.")
message("EventShare", "call", "u64 event", "bytes token", doc="cuIpcGetEventHandle.")
message("EventOpen", "call", "u64 event, bytes token", doc="cuIpcOpenEventHandle; the client names the event.")
message("EventNow", "call", "u64 event", "i32 status", doc="cuEventQuery of an event that other processes record as well. Whoever waits for the answer knows that the records before it are the driver's.")
message("AllocationShare", "call", "u64 handle, u64 flags", "bytes token", doc="cuMemExportToShareableHandle as a file descriptor, which stays with the worker.")
message("AllocationOpen", "call", "bytes token", "u64 handle", doc="cuMemImportFromShareableHandle.")
message("PoolShare", "call", "u64 pool, u64 flags", "bytes token", doc="cuMemPoolExportToShareableHandle, likewise.")
message("PoolOpen", "call", "bytes token, u64 flags", "u64 pool", doc="cuMemPoolImportFromShareableHandle.")
message("PoolPointerShare", "call", "u64 address", "bytes token", doc="cuMemPoolExportPointer.")
message("PoolPointerOpen", "call", "u64 pool, bytes token", "u64 address, u64 byte_count", doc="cuMemPoolImportPointer.")
message("Unshare", "post", "bytes token", doc="Nobody holds the file descriptor any more that stood for this token.")
