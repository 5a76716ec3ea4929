"""Streams, capture, stream memory operations."""

fn("CUresult cuStreamCreate(CUstream *phStream, unsigned int Flags)", local(), since=2000)
fn("CUresult cuStreamCreateWithPriority(CUstream *phStream, unsigned int flags, int priority)",
   post(names="phStream"), since=5050, hand=CLIENT, phStream=out())
fn("CUresult cuStreamDestroy_v2(CUstream hStream)", post(), since=4000, hand=CLIENT, hStream=ends())
fn("CUresult cuStreamDestroy(CUstream hStream)", local(), since=2000, old=True, same_as="cuStreamDestroy_v2")
fn("CUresult cuStreamGetPriority(CUstream hStream, int *priority)", local(), since=5050, ptsz=7000)
fn("CUresult cuStreamGetFlags(CUstream hStream, unsigned int *flags)", local(), since=5050, ptsz=7000)
fn("CUresult cuStreamGetId(CUstream hStream, unsigned long long *streamId)", local(), since=12000, ptsz=12000)
fn("CUresult cuStreamGetCtx(CUstream hStream, CUcontext *pctx)", local(), since=9020, ptsz=9020)
fn("CUresult cuStreamGetCtx_v2(CUstream hStream, CUcontext *pCtx, CUgreenCtx *pGreenCtx)",
   local(), since=12050, ptsz=12050)
fn("CUresult cuStreamGetDevice(CUstream hStream, CUdevice *device)", local(), since=12080, ptsz=12080)
fn("CUresult cuStreamWaitEvent(CUstream hStream, CUevent hEvent, unsigned int Flags)",
   post(), since=3020, ptsz=7000, hand=CLIENT)
fn("CUresult cuStreamSynchronize(CUstream hStream)", local(), since=2000, ptsz=7000)
fn("CUresult cuStreamQuery(CUstream hStream)", local(), since=2000, ptsz=7000)
fn("CUresult cuStreamCopyAttributes(CUstream dst, CUstream src)", post(), since=11000, ptsz=11000)
fn("CUresult cuStreamGetAttribute(CUstream hStream, CUstreamAttrID attr, CUstreamAttrValue *value_out)",
   call(), since=11000, ptsz=11000, value_out=out())
fn("CUresult cuStreamSetAttribute(CUstream hStream, CUstreamAttrID attr, const CUstreamAttrValue *value)",
   call(), since=11000, ptsz=11000, hand=WORKER, value=in_struct())
fn("CUresult cuStreamBeginCapture_v2(CUstream hStream, CUstreamCaptureMode mode)",
   call(), since=10010, ptsz=10010, hand=BOTH)
fn("CUresult cuStreamBeginCapture(CUstream hStream)", local(), since=10000, ptsz=10000, old=True)
fn("CUresult cuStreamEndCapture(CUstream hStream, CUgraph *phGraph)",
   call(), since=10000, ptsz=10000, hand=BOTH, phGraph=out(owner="session"))
fn("CUresult cuStreamIsCapturing(CUstream hStream, CUstreamCaptureStatus *captureStatus)",
   local(), since=10000, ptsz=10000)
fn("""CUresult cuStreamGetCaptureInfo_v2(CUstream hStream, CUstreamCaptureStatus *captureStatus_out,
   cuuint64_t *id_out, CUgraph *graph_out, const CUgraphNode **dependencies_out, size_t
   *numDependencies_out)""",
   local(), since=11030, ptsz=11030, old=True)
fn("""CUresult cuStreamGetCaptureInfo_v3(CUstream hStream, CUstreamCaptureStatus *captureStatus_out,
   cuuint64_t *id_out, CUgraph *graph_out, const CUgraphNode **dependencies_out, const CUgraphEdgeData
   **edgeData_out, size_t *numDependencies_out)""",
   local(), since=12030, ptsz=12030)
fn("""CUresult cuStreamUpdateCaptureDependencies_v2(CUstream hStream, CUgraphNode *dependencies, const
   CUgraphEdgeData *dependencyData, size_t numDependencies, unsigned int flags)""",
   call(), since=12030, ptsz=12030, dependencies=in_array("numDependencies",nullable=True),
   dependencyData=in_array("numDependencies",nullable=True))
fn("""CUresult cuStreamUpdateCaptureDependencies(CUstream hStream, CUgraphNode *dependencies, size_t
   numDependencies, unsigned int flags)""",
   call(), since=11030, ptsz=11030, old=True, dependencies=in_array("numDependencies",nullable=True))
fn("CUresult cuStreamWaitValue32_v2(CUstream stream, CUdeviceptr addr, cuuint32_t value, unsigned int flags)",
   post(), since=11070, ptsz=11070, addr=within("4"))
fn("CUresult cuStreamWaitValue32(CUstream stream, CUdeviceptr addr, cuuint32_t value, unsigned int flags)",
   local(), since=8000, ptsz=8000, old=True, same_as="cuStreamWaitValue32_v2")
fn("CUresult cuStreamWaitValue64_v2(CUstream stream, CUdeviceptr addr, cuuint64_t value, unsigned int flags)",
   post(), since=11070, ptsz=11070, addr=within("8"))
fn("CUresult cuStreamWaitValue64(CUstream stream, CUdeviceptr addr, cuuint64_t value, unsigned int flags)",
   local(), since=9000, ptsz=9000, old=True, same_as="cuStreamWaitValue64_v2")
fn("CUresult cuStreamWriteValue32_v2(CUstream stream, CUdeviceptr addr, cuuint32_t value, unsigned int flags)",
   post(), since=11070, ptsz=11070, addr=within("4"))
fn("CUresult cuStreamWriteValue32(CUstream stream, CUdeviceptr addr, cuuint32_t value, unsigned int flags)",
   local(), since=8000, ptsz=8000, old=True, same_as="cuStreamWriteValue32_v2")
fn("CUresult cuStreamWriteValue64_v2(CUstream stream, CUdeviceptr addr, cuuint64_t value, unsigned int flags)",
   post(), since=11070, ptsz=11070, addr=within("8"))
fn("CUresult cuStreamWriteValue64(CUstream stream, CUdeviceptr addr, cuuint64_t value, unsigned int flags)",
   local(), since=9000, ptsz=9000, old=True, same_as="cuStreamWriteValue64_v2")
fn("CUresult cuStreamAttachMemAsync(CUstream hStream, CUdeviceptr dptr, size_t length, unsigned int flags)",
   local(), since=6000, ptsz=7000)
fn("""CUresult cuStreamBatchMemOp(CUstream stream, unsigned int count, CUstreamBatchMemOpParams *paramArray,
   unsigned int flags)""",
   local(), since=8000, ptsz=8000, old=True, same_as="cuStreamBatchMemOp_v2")
fn("""CUresult cuStreamBatchMemOp_v2(CUstream stream, unsigned int count, CUstreamBatchMemOpParams
   *paramArray, unsigned int flags)""",
   post(), since=11070, ptsz=11070, paramArray=in_array("count"))
fn("""CUresult cuStreamBeginCaptureToGraph(CUstream hStream, CUgraph hGraph, const CUgraphNode *dependencies,
   const CUgraphEdgeData *dependencyData, size_t numDependencies, CUstreamCaptureMode mode)""",
   call(), since=12030, ptsz=12030, hand=BOTH, dependencies=in_array("numDependencies",nullable=True), dependencyData=in_array("numDependencies",nullable=True))
fn("""CUresult cuStreamGetCaptureInfo(CUstream hStream, CUstreamCaptureStatus *captureStatus_out, cuuint64_t
   *id_out)""",
   local(), since=10010, ptsz=10010, old=True)

message("StreamSynchronize", "call", "u64 stream", doc="Answered when everything posted to the stream before it has run.")
message("StreamWatch", "post", "u64 stream, u64 mark", doc="Asks for StreamReached with this mark when everything posted before has run.")
message("StreamReached", "event", "u64 mark, i32 status", doc="The stream has passed the mark.")
message("CaptureInfo", "call", "u64 stream", "u32 status, u64 id, u64 graph, bytes nodes, bytes edges", doc="cuStreamGetCaptureInfo.")
