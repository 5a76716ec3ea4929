"""Events."""

fn("CUresult cuEventCreate(CUevent *phEvent, unsigned int Flags)",
   post(names="phEvent"), since=2000, hand=CLIENT, phEvent=out())
fn("CUresult cuEventDestroy_v2(CUevent hEvent)", post(), since=4000, hand=BOTH, hEvent=ends())
fn("CUresult cuEventDestroy(CUevent hEvent)", local(), since=2000, old=True, same_as="cuEventDestroy_v2")
fn("CUresult cuEventRecord(CUevent hEvent, CUstream hStream)", local(), since=2000, ptsz=7000)
fn("CUresult cuEventRecordWithFlags(CUevent hEvent, CUstream hStream, unsigned int flags)",
   local(), since=11010, ptsz=11010)
fn("CUresult cuEventQuery(CUevent hEvent)", local(), since=2000)
fn("CUresult cuEventSynchronize(CUevent hEvent)", local(), since=2000)
fn("CUresult cuEventElapsedTime_v2(float *pMilliseconds, CUevent hStart, CUevent hEnd)",
   call(), since=12080, hand=CLIENT, pMilliseconds=out())
fn("CUresult cuEventElapsedTime(float *pMilliseconds, CUevent hStart, CUevent hEnd)", local(), since=2000, old=True)

message("EventRecord", "post", "u64 event, u64 stream, u32 flags, u32 captured, u64 mark", doc="Records; EventReached with this mark follows unless the stream is captured.")
message("EventReached", "event", "u64 event, u64 mark, i32 status", doc="The record with this mark has completed.")
message("EventSynchronize", "call", "u64 event", doc="Answered when the event's last record has completed.")
message("Deferred", "event", "i32 result, u32 call", doc="A posted call failed; the next call that may return an earlier call's error returns it.")
message("Printed", "event", "u32 descriptor, bytes text", doc="Text of device printf (1) or of a device assert (2), sent before the completion that flushed it.")
